#include <memory>

#include "command.hpp"
#include "media_id.hpp"
#include "media_json.hpp"
#include "open_store.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

void print(Console& console, const media::Media& media, const std::vector<media::Rendition>& renditions) {
  const auto field = [&](std::string name, const std::string& value) {
    name += ':';
    name.resize(14, ' ');
    console.text(name + value);
  };
  field("id", std::to_string(media.id));
  field("name", printable(media.filename));
  field("owner", printable(media.owner));
  field("type", printable(media.media_type));
  field("size", std::to_string(media.size_bytes) + " bytes");
  field("digest", media.digest ? media.digest->to_hex() : "-");
  field("path", media.digest ? media_path(*media.digest) : "-");
  if (media.info.width > 0) field("pixels", std::to_string(media.info.display_width()) + "x" + std::to_string(media.info.display_height()));
  if (media.info.frames > 1) field("frames", std::to_string(media.info.frames));
  if (media.info.duration) field("duration", std::to_string(media.info.duration->count()) + " ms");
  field("status", std::string(media::to_string(media.status)));
  if (!media.error_message.empty()) field("error", printable(media.error_message));
  field("visibility", std::string(media::to_string(media.visibility)));
  field("uploaded", media::to_rfc3339(media.uploaded_at));
  field("updated", media::to_rfc3339(media.updated_at));
  if (!media.placeholder.empty()) field("placeholder", media.placeholder);
  if (!media.appearance.dominant_colour.empty()) field("dominant", media.appearance.dominant_colour);
  if (media.appearance.known()) field("thumbhash", base64(media.appearance.thumbhash));
  if (media.appearance.perceptual_hash) field("perceptual", media::to_string(*media.appearance.perceptual_hash));
  for (const media::Rendition& rendition : renditions) {
    field("rendition", rendition.transform + "  " + std::to_string(rendition.width) + "x" + std::to_string(rendition.height) + "  " +
                           human_bytes(rendition.size_bytes));
  }
}

Exit run(Console& console, const Globals& globals, media::MediaId id) {
  auto library = open_store(globals, {});
  if (!library) return console.fail(library.error());
  auto media = (*library)->find(id);
  if (!media) return console.fail(media.error());
  if (!media->has_value()) return console.fail(no_such_media(id));
  auto renditions = (*library)->renditions(id);
  if (!renditions) return console.fail(renditions.error());
  if (console.json()) {
    console.record(media_object(**media, *renditions, (*library)->presets()));
  } else {
    print(console, **media, *renditions);
  }
  console.summary(Json{{"count", 1}}, {});
  return Exit::ok;
}

}  // namespace

void add_info(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("info", "Show everything that is known of one media");
  auto id = std::make_shared<media::MediaId>(0);
  command->add_option("ID", *id, "The media")->required()->check(CLI::Range(media::MediaId{1}, media::kMaxMediaId));
  command->callback(
      [&invocation, id] { invocation.run = [id](Console& console, const Globals& globals) { return run(console, globals, *id); }; });
}

}  // namespace mediactl

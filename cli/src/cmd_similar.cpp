#include <algorithm>
#include <memory>

#include "command.hpp"
#include "media_id.hpp"
#include "media_json.hpp"
#include "open_store.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

struct SimilarOptions {
  std::string operand;
  std::string owner;
  std::string isolation = "process";
  media::SimilarQuery query;
};

/// How a picture looks that need not be in the store.
media::Result<std::optional<media::PerceptualHash>> hash_of_file(media::Library& library, const std::string& path) {
  MEDIA_TRY_ASSIGN(const auto file, media::FileReader::open(path));
  MEDIA_TRY_ASSIGN(const media::Derived derived, library.derive_from(*file, {}, {}));
  return derived.appearance.perceptual_hash;
}

media::Result<std::optional<media::PerceptualHash>> hash_of_media(media::Library& library, media::MediaId id) {
  MEDIA_TRY_ASSIGN(const auto media, library.find(id));
  if (!media) return no_such_media(id);
  return media->appearance.perceptual_hash;
}

std::string line_for(const media::SimilarMedia& similar) {
  const media::Media& media = similar.media;
  std::string line = std::to_string(similar.distance);
  line.insert(0, line.size() < 2 ? 1 : 0, ' ');
  line += "  " + std::to_string(media.id) + "  ";
  line += std::to_string(media.info.display_width()) + "x" + std::to_string(media.info.display_height());
  return line + "  " + human_bytes(media.size_bytes) + "  " + printable(media.filename);
}

Exit run(Console& console, const Globals& globals, const SimilarOptions& options) {
  const auto id = parse_media_id(options.operand);
  OpenStore how;
  if (!id) how.isolation = isolation_from(options.isolation);
  auto library = open_store(globals, how);
  if (!library) return console.fail(library.error());
  const auto hash = id ? hash_of_media(**library, *id) : hash_of_file(**library, options.operand);
  if (!hash && !id) {
    const std::string reason = reason_of(hash.error(), options.operand);
    return console.fail({hash.error().code, "cannot look at '" + printable(options.operand) + "': " + reason});
  }
  if (!hash) return console.fail(hash.error());

  std::vector<media::SimilarMedia> found;
  if (*hash) {
    media::SimilarQuery query = options.query;
    query.perceptual_hash = **hash;
    query.except = id.value_or(0);
    if (!options.owner.empty()) query.owner = options.owner;
    auto listed = (*library)->similar(std::move(query));
    if (!listed) return console.fail(listed.error());
    found = std::move(*listed);
  } else {
    console.note(printable(options.operand) + " has no perceptual hash: it is no picture, shows too little, or was not described yet");
  }
  for (const media::SimilarMedia& each : found) {
    if (!console.json()) {
      console.text(line_for(each));
      continue;
    }
    auto renditions = (*library)->renditions(each.media.id);
    // Removed by another process between the two reads: listed as it was, without renditions.
    if (!renditions && renditions.error().code != media::Errc::not_found) return console.fail(renditions.error());
    Json object{{"distance", each.distance}};
    object.update(media_object(each.media, renditions ? *renditions : std::vector<media::Rendition>{}, (*library)->presets()));
    console.record(object);
  }
  console.summary(Json{{"count", found.size()}, {"perceptual_hash", *hash ? Json(media::to_string(**hash)) : Json()}}, {});
  return Exit::ok;
}

}  // namespace

void add_similar(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("similar", "List media that look like one, or like an image file, the nearest first");
  auto options = std::make_shared<SimilarOptions>();
  command->add_option("ID|FILE", options->operand, "A media (digits alone) or an image file (./12 for a file called 12)")->required();
  command->add_option("--distance", options->query.max_distance, "Bits of 64 that may differ, 0 to 32 (default 10)")
      ->check(CLI::Range(0U, media::kMaxSimilarDistance))
      ->type_name("N");
  command->add_option("--limit", options->query.limit, "At most so many, 1 to 1000 (default 20)")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1000}))
      ->type_name("N");
  command->add_option("--owner", options->owner, "Only this owner's");
  add_isolation_option(*command, options->isolation);
  command->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return run(console, globals, *options); };
  });
}

}  // namespace mediactl

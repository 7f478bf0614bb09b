#include <array>
#include <cstdio>
#include <memory>

#include "command.hpp"
#include "media_json.hpp"
#include "open_store.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

struct LsOptions {
  std::string status;
  std::string type;
  std::string name;
  std::string owner;
  std::size_t limit = 0;
  media::MediaId after = 0;
  bool reverse = false;
};

constexpr std::size_t kPageSize = 500;

std::string line_for(const media::Media& media) {
  const std::string size =
      media.info.width > 0 ? std::to_string(media.info.display_width()) + "x" + std::to_string(media.info.display_height()) : "-";
  std::array<char, 160> columns{};
  std::snprintf(columns.data(), columns.size(), "%8lld  %-10s  %-26s  %11s  %9s  ", static_cast<long long>(media.id),
                std::string(media::to_string(media.status)).c_str(), printable(media.media_type).c_str(), size.c_str(),
                human_bytes(media.size_bytes).c_str());
  return columns.data() + media::to_rfc3339(media.uploaded_at) + "  " + printable(media.filename);
}

Exit run(Console& console, const Globals& globals, const LsOptions& options) {
  media::MediaQuery query;
  if (!options.status.empty()) {
    auto status = media::media_status_from(options.status);
    if (!status) return console.fail(status.error());
    query.status = *status;
  }
  if (!options.owner.empty()) query.owner = options.owner;
  query.media_type_prefix = options.type;
  query.filename_contains = options.name;
  query.after = options.after;
  query.descending = options.reverse;
  auto library = open_store(globals, {});
  if (!library) return console.fail(library.error());

  std::size_t count = 0;
  bool more = true;
  while (more && (options.limit == 0 || count < options.limit)) {
    query.limit = options.limit == 0 ? kPageSize : std::min(kPageSize, options.limit - count);
    auto page = (*library)->list(query);
    if (!page) return console.fail(page.error());
    for (const media::Media& media : page->media) {
      if (console.json()) {
        auto renditions = (*library)->renditions(media.id);
        // Removed by another process between the two reads: listed as it was, without renditions.
        if (!renditions && renditions.error().code != media::Errc::not_found) return console.fail(renditions.error());
        console.record(media_object(media, renditions ? *renditions : std::vector<media::Rendition>{}, (*library)->presets()));
      } else {
        console.text(line_for(media));
      }
    }
    count += page->media.size();
    more = page->scanned_to.has_value();
    query.after = page->scanned_to.value_or(query.after);
  }
  console.summary(Json{{"count", count}, {"next_after", more ? Json(query.after) : Json()}}, {});
  return Exit::ok;
}

}  // namespace

void add_ls(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("ls", "List what the store has, by id");
  auto options = std::make_shared<LsOptions>();
  command->add_option("--status", options->status, "Only these: Pending, Processing, Complete or Failed")
      ->check(CLI::IsMember({"Pending", "Processing", "Complete", "Failed"}));
  command->add_option("--type", options->type, "Only media types that begin so: image/, video/mp4");
  command->add_option("--name", options->name, "Only file names that contain this, ASCII case ignored");
  command->add_option("--owner", options->owner, "Only this owner's");
  command->add_option("--limit", options->limit, "At most so many (default: all)")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 53U));
  command->add_option("--after", options->after, "Only ids beyond this one, in the direction of the list")
      ->check(CLI::Range(media::MediaId{0}, media::kMaxMediaId));
  command->add_flag("--reverse", options->reverse, "Newest first");
  command->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return run(console, globals, *options); };
  });
}

}  // namespace mediactl

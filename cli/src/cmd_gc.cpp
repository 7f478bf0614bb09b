#include <memory>
#include <optional>

#include "command.hpp"
#include "open_store.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

struct GcOptions {
  std::string grace;
  std::uint64_t rendition_budget_bytes = 0;
};

Exit run(Console& console, const Globals& globals, const GcOptions& options) {
  const std::string& grace_text = options.grace;
  std::optional<std::chrono::seconds> grace;
  if (!grace_text.empty()) {
    grace = parse_duration(grace_text);
    if (!grace) {
      return console.fail(
          {media::Errc::invalid_argument, "--grace: '" + printable(grace_text) + "' is no duration (such as 0s, 10m, 24h or 7d)"});
    }
  }
  auto library = open_store(globals, {.access = Access::write, .rendition_budget_bytes = options.rendition_budget_bytes});
  if (!library) return console.fail(library.error());
  const auto expired = (*library)->sweep_expired();
  if (!expired) return console.fail(expired.error());
  auto report = (*library)->collect(grace);
  if (!report) return console.fail(report.error());
  console.summary(
      Json{{"expired", *expired},
           {"renditions_evicted", report->evicted.renditions},
           {"condemned", report->condemned},
           {"revived", report->revived},
           {"removed", report->removed},
           {"removed_bytes", report->removed_bytes},
           {"strays_removed", report->strays_removed},
           {"segments_rewritten", report->compacted.segments},
           {"segments_left", report->compacted.left},
           {"segments_problem", report->compacted.problem.empty() ? Json() : Json(report->compacted.problem)},
           {"freed_bytes", report->compacted.freed_bytes}},
      "removed " + std::to_string(report->removed) + " blobs (" + human_bytes(report->removed_bytes) + ") and " +
          std::to_string(report->strays_removed) + " strays; condemned " + std::to_string(report->condemned) + ", revived " +
          std::to_string(report->revived) +
          (report->compacted.segments > 0
               ? "; " + std::to_string(report->compacted.segments) +
                     (report->compacted.segments == 1 ? " segment rewritten, which freed " : " segments rewritten, which freed ") +
                     human_bytes(report->compacted.freed_bytes)
               : "") +
          (report->evicted.renditions > 0 ? "; dropped " + std::to_string(report->evicted.renditions) + " renditions beyond the budget"
                                          : "") +
          (*expired > 0 ? "; " + std::to_string(*expired) + " media had expired" : ""));
  return Exit::ok;
}

}  // namespace

void add_gc(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("gc", "Free the bytes that nothing refers to any more");
  auto options = std::make_shared<GcOptions>();
  command->add_option("--grace", options->grace,
                      "How long unreferenced bytes live on after a gc found them: 0s, 10m, 24h, 7d (default 24h)");
  command
      ->add_option("--rendition-budget", options->rendition_budget_bytes,
                   "Before that, drop renditions made on demand until they are within this, the least recently used first (default 0: no "
                   "limit; environment: MEDIA_RENDITION_BUDGET)")
      ->envname("MEDIA_RENDITION_BUDGET")
      ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1} << 50U))
      ->type_name("BYTES");
  command->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return run(console, globals, *options); };
  });
}

}  // namespace mediactl

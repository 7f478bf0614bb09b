#include <algorithm>
#include <memory>
#include <optional>
#include <thread>

#include <sys/stat.h>

#include "command.hpp"
#include "gate_flags.hpp"
#include "ingest_run.hpp"
#include "interrupt.hpp"
#include "open_store.hpp"
#include "progress.hpp"
#include "text.hpp"
#include "walk.hpp"

namespace mediactl {
namespace {

struct IngestOptions {
  IngestPlan plan;
  std::string visibility = "private";
  std::string isolation = "process";
  bool no_renditions = false;
  bool reflink = false;
  GateFlags gate;
};

/// Walks once more, only to count: the bar knows its end long before the work does. For a terminal alone.
std::jthread count_ahead(const IngestPlan& plan, Progress& progress) {
  return std::jthread([&plan, &progress](const std::stop_token& stop) {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    walk(plan.paths, FolderId::of(plan.store), [&](const Found& found) {
      struct stat status{};
      if (found.kind == Found::Kind::file && ::stat(found.path.c_str(), &status) == 0) bytes += static_cast<std::uint64_t>(status.st_size);
      if (found.kind == Found::Kind::file || found.kind == Found::Kind::unusable) ++files;
      return !stop.stop_requested();
    });
    if (!stop.stop_requested()) progress.set_total(files, bytes);
  });
}

/// "2 reflinked (1.2 GB), 3 copied", and a note for each reason.
std::string tell_sharing(Console& console, const IngestTotals& totals, media::FileSharing sharing, Json& summary) {
  if (sharing == media::FileSharing::none) return {};
  std::uint64_t copied = 0;
  Json reasons = Json::object();
  for (const auto& [reason, files] : totals.copied) {
    copied += files;
    reasons[reason] = files;
    console.note("copied " + std::to_string(files) + (files == 1 ? " file" : " files") + " instead: " + printable(reason));
  }
  summary["shared"] = totals.shared;
  summary["shared_bytes"] = totals.shared_bytes;
  summary["copied"] = copied;
  summary["copied_because"] = reasons;
  return ", " + std::to_string(totals.shared) + " reflinked (" + human_bytes(totals.shared_bytes) + "), " + std::to_string(copied) +
         " copied";
}

Exit conclude(Console& console, const IngestTotals& totals, const IngestPlan& plan, double seconds, int signal_number) {
  Json summary{{"files", totals.files},   {"stored", totals.stored},   {"duplicate", totals.duplicate}, {"refused", totals.refused},
               {"failed", totals.failed}, {"skipped", totals.skipped}, {"bytes", totals.bytes},         {"seconds", seconds}};
  if (plan.incremental) summary["unread"] = totals.unread;
  const std::string sharing = tell_sharing(console, totals, plan.sharing, summary);
  if (totals.stopped_by) {
    summary["error"] = totals.stopped_by->message;
    summary["code"] = std::string(media::to_string(totals.stopped_by->code));
  }
  if (signal_number != 0) summary["interrupted"] = true;
  std::string text = std::to_string(totals.stored) + " stored, " + std::to_string(totals.duplicate) + " duplicate, " +
                     std::to_string(totals.refused) + " refused, " + std::to_string(totals.failed) + " failed";
  if (totals.skipped > 0) text += ", " + std::to_string(totals.skipped) + " skipped";
  if (plan.incremental) text += ", " + std::to_string(totals.unread) + " not read";
  text += sharing + "; " + human_bytes(totals.bytes) + " in " +
          human_duration(std::chrono::seconds(static_cast<long long>(seconds + 0.5))) + " (" +
          human_bytes(static_cast<std::uint64_t>(static_cast<double>(totals.bytes) / std::max(seconds, 0.001))) + "/s)";
  console.summary(summary, text);
  if (signal_number != 0) {
    console.complain("stopped by a signal: what is reported as stored is stored, the rest was not taken in");
    return exit_for_signal(signal_number);
  }
  if (totals.stopped_by) return exit_for(totals.stopped_by->code);
  return totals.refused + totals.failed == 0 ? Exit::ok : Exit::findings;
}

Exit run(Console& console, const Globals& globals, const IngestOptions& options) {
  IngestPlan plan = options.plan;
  auto visibility = media::visibility_from(options.visibility);
  if (!visibility) return console.fail(visibility.error());
  plan.visibility = *visibility;
  plan.store = globals.store;
  plan.renditions = !options.no_renditions && !plan.any_content;
  if (options.reflink) plan.sharing = media::FileSharing::reflink;

  const Interrupt interrupt;
  OpenStore how{.access = Access::create,
                .isolation = plan.renditions ? isolation_from(options.isolation) : media::Isolation::none,
                .workers = plan.jobs};
  if (auto applied = apply(options.gate, how); !applied) return console.fail(applied.error());
  auto library = open_store(globals, how);
  if (!library) return console.fail(library.error());
  std::optional<IngestRecord> record;
  if (plan.incremental) record.emplace(IngestRecord::load(plan.store));
  Progress progress(console, "files");
  IngestTotals totals;
  {
    const std::jthread counter = console.shows_status() ? count_ahead(plan, progress) : std::jthread();
    totals = IngestRun(**library, console, progress, plan, record ? &*record : nullptr).run(interrupt.token());
  }
  if (record) {
    // A shortcut for the next run: what was stored is stored without it.
    if (const auto saved = record->save(); !saved) console.note("the next incremental ingest will read more: " + saved.error().message);
  }
  return conclude(console, totals, plan, progress.elapsed().count(), interrupt.signal_number());
}

}  // namespace

void add_ingest(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("ingest", "Take files and folders into the store, which is made where it is missing");
  auto options = std::make_shared<IngestOptions>();
  options->plan.jobs = default_jobs();
  command->add_option("PATH", options->plan.paths, "Files, and folders to walk (symbolic links inside folders are skipped)")->required();
  add_jobs_option(*command, options->plan.jobs);
  command->add_flag("--any", options->plan.any_content,
                    "Files of any kind and size: not judged, no renditions, later served as attachments only");
  command->add_flag("--no-renditions", options->no_renditions, "Only judge and store; renditions stay queued");
  command->add_option("--owner", options->plan.owner, "Whose the media are (default: local)");
  command->add_option("--visibility", options->visibility, "Who may see them: private (default), authenticated or public")
      ->check(CLI::IsMember({"private", "authenticated", "public"}));
  add_isolation_option(*command, options->isolation);
  command->add_flag("--incremental", options->plan.incremental,
                    "Do not read files that an earlier incremental run took in and whose size, times and inode are the same");
  command->add_flag("--reflink", options->reflink,
                    "Share the blocks of large files with the store instead of copying them, where the file system can");
  add_quota_options(*command, options->gate);
  add_check_options(*command, options->gate);
  add_unscanned_option(*command, options->gate);
  command->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return run(console, globals, *options); };
  });
}

}  // namespace mediactl

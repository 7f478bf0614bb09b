#include <memory>
#include <optional>

#include "command.hpp"
#include "interrupt.hpp"
#include "media_id.hpp"
#include "open_store.hpp"
#include "progress.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

struct DropOptions {
  bool all = false;
  std::string media;
  std::string unused_for;
};

struct VerifyOptions {
  std::optional<std::size_t> sample;
  bool all = false;
  unsigned jobs = 1;
  std::string isolation = "process";
};

/// What is looked at where nobody says how much: enough to notice an encoder that changed under its old name.
constexpr std::size_t kUsualSample = 100;

std::string counted(std::uint64_t count) { return std::to_string(count) + (count == 1 ? " rendition" : " renditions"); }

Exit stat(Console& console, const Globals& globals) {
  auto library = open_store(globals, {});
  if (!library) return console.fail(library.error());
  const auto all = (*library)->rendition_usage(false);
  if (!all) return console.fail(all.error());
  const auto on_demand = (*library)->rendition_usage(true);
  if (!on_demand) return console.fail(on_demand.error());
  console.summary(Json{{"renditions", all->renditions},
                       {"bytes", all->size_bytes},
                       {"on_demand", on_demand->renditions},
                       {"on_demand_bytes", on_demand->size_bytes}},
                  counted(all->renditions) + ", " + human_bytes(all->size_bytes) + "; of these " + std::to_string(on_demand->renditions) +
                      " made on demand, " + human_bytes(on_demand->size_bytes));
  return Exit::ok;
}

Exit drop(Console& console, const Globals& globals, const DropOptions& options) {
  const auto wrong = [&](const std::string& what) { return console.fail({media::Errc::invalid_argument, what}); };
  const bool narrowed = !options.media.empty() || !options.unused_for.empty();
  if (options.all == narrowed) return wrong("say which: --all, or --media ID and --unused-for TIME, one or both");
  media::RenditionSelection selection;
  if (!options.media.empty()) {
    selection.media = parse_media_id(options.media);
    if (!selection.media) return wrong("--media: '" + printable(options.media) + "' is no media id");
  }
  if (!options.unused_for.empty()) {
    selection.unused_for = parse_duration(options.unused_for);
    if (!selection.unused_for) {
      return wrong("--unused-for: '" + printable(options.unused_for) + "' is no duration (such as 0s, 10m, 24h or 7d)");
    }
  }
  auto library = open_store(globals, {.access = Access::write});
  if (!library) return console.fail(library.error());
  const auto dropped = (*library)->drop_renditions(selection);
  if (!dropped && dropped.error().code == media::Errc::not_found) return console.fail(no_such_media(*selection.media));
  if (!dropped) return console.fail(dropped.error());
  console.summary(Json{{"dropped", dropped->renditions}, {"bytes", dropped->size_bytes}},
                  "dropped " + counted(dropped->renditions) + " (" + human_bytes(dropped->size_bytes) + ", which gc gives back)");
  return Exit::ok;
}

void report_fault(Console& console, const media::RenditionFault& fault) {
  const media::Rendition& rendition = fault.rendition;
  const std::string problem(media::to_string(fault.problem));
  console.record(Json{{"source", rendition.source.to_hex()},
                      {"transform", rendition.transform},
                      {"encoder", rendition.encoder},
                      {"digest", rendition.digest.to_hex()},
                      {"problem", problem},
                      {"reason", fault.message}});
  console.text(problem + std::string(13 - std::min<std::size_t>(12, problem.size()), ' ') + rendition.source.to_hex() + "  " +
               printable(rendition.transform) + "  " + printable(fault.message));
}

Exit verify(Console& console, const Globals& globals, const VerifyOptions& options) {
  if (options.all && options.sample) return console.fail({media::Errc::invalid_argument, "--all or --sample N, not both"});
  const Interrupt interrupt;
  auto library = open_store(globals, {.isolation = isolation_from(options.isolation), .workers = options.jobs});
  if (!library) return console.fail(library.error());
  Progress progress(console, "renditions");
  media::VerifyRenditionsOptions how;
  if (!options.all) how.sample = options.sample.value_or(kUsualSample);
  how.threads = options.jobs;
  how.stop = interrupt.token();
  how.on_fault = [&](const media::RenditionFault& fault) { report_fault(console, fault); };
  how.progress = [&](std::uint64_t done, std::uint64_t total) {
    progress.set_total(total, 0);
    progress.set(done, 0);
  };
  const auto report = (*library)->verify_renditions(how);
  if (interrupt.signal_number() != 0) {
    console.summary(Json{{"error", "stopped by a signal: not everything was verified"}}, {});
    console.complain("stopped by a signal: not everything was verified");
    return exit_for_signal(interrupt.signal_number());
  }
  if (!report) return console.fail(report.error());
  const std::string faults = report->reproducible()
                                 ? "reproducible"
                                 : std::to_string(report->differing) + " differ, " + std::to_string(report->not_made) +
                                       " cannot be made again, " + std::to_string(report->source_lost) + " have lost their source";
  console.summary(Json{{"checked", report->checked},
                       {"same", report->same},
                       {"differing", report->differing},
                       {"not_made", report->not_made},
                       {"source_lost", report->source_lost},
                       {"outdated", report->outdated},
                       {"reproducible", report->reproducible()},
                       {"seconds", progress.elapsed().count()}},
                  faults + ": " + counted(report->checked) + " made again; " + std::to_string(report->outdated) +
                      " by other versions of the encoders left alone");
  return report->reproducible() ? Exit::ok : Exit::findings;
}

}  // namespace

void add_renditions(CLI::App& app, Invocation& invocation) {
  CLI::App* command =
      app.add_subcommand("renditions", "Count the pictures that were made, drop them, or prove that they can be made again");
  command->require_subcommand(1);

  CLI::App* counting = add_action(*command, "stat", "How many there are, and their bytes");
  counting->callback([&invocation] { invocation.run = stat; });

  CLI::App* dropping =
      add_action(*command, "drop", "Drop renditions; they are made again when somebody asks, and gc gives their bytes back");
  auto what = std::make_shared<DropOptions>();
  dropping->add_flag("--all", what->all, "All of them");
  dropping->add_option("--media", what->media, "Those of this media (and of others with the same content)")->type_name("ID");
  dropping->add_option("--unused-for", what->unused_for, "Those that nobody was handed for so long: 10m, 24h, 90d")->type_name("TIME");
  dropping->callback(
      [&invocation, what] { invocation.run = [what](Console& console, const Globals& globals) { return drop(console, globals, *what); }; });

  CLI::App* verifying = add_action(*command, "verify", "Make renditions again from their sources, and name each whose bytes differ");
  auto how = std::make_shared<VerifyOptions>();
  how->jobs = default_jobs();
  verifying->add_option("--sample", how->sample, "So many, drawn by chance (default 100)")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}))
      ->type_name("N");
  verifying->add_flag("--all", how->all, "All of them");
  add_jobs_option(*verifying, how->jobs);
  add_isolation_option(*verifying, how->isolation);
  verifying->callback(
      [&invocation, how] { invocation.run = [how](Console& console, const Globals& globals) { return verify(console, globals, *how); }; });
}

}  // namespace mediactl

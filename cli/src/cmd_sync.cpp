#include <filesystem>
#include <memory>
#include <string>

#include "command.hpp"
#include "interrupt.hpp"
#include "media/store_location.hpp"
#include "media/tiers.hpp"
#include "progress.hpp"
#include "sync_run.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

struct SyncOptions {
  std::string source;
  std::string destination;
  unsigned jobs = 8;
  bool verify = false;
  bool dry_run = false;
};

/// A store's folder with the tiers below it, or a place of blobs as it is.
media::Result<std::unique_ptr<media::BlobStore>> open_with_tiers(const std::string& place, const media::StoreAtOptions& options) {
  MEDIA_TRY_ASSIGN(auto store, media::open_store_at(place, options));
  if (media::is_s3_url(place)) return store;
  media::OpenTiersOptions tiers;
  tiers.read_only = options.read_only;
  tiers.pack_below_bytes = options.pack_below_bytes;
  tiers.temp_path = std::filesystem::path(place) / "temp";
  return media::open_tiers(std::move(store), place, tiers);
}

media::Result<std::unique_ptr<media::BlobStore>> open_place(const std::string& place, const media::StoreAtOptions& options) {
  auto store = open_with_tiers(place, options);
  if (!store) return media::Error{store.error().code, "cannot open '" + printable(place) + "': " + store.error().message};
  return store;
}

Exit run(Console& console, const Globals& globals, const SyncOptions& options) {
  const Interrupt interrupt;
  media::StoreAtOptions from;
  from.read_only = true;
  from.create = false;
  const auto source = open_place(options.source, from);
  if (!source) return console.fail(source.error());
  media::StoreAtOptions to;
  to.pack_below_bytes = globals.pack_below_bytes;
  to.create = !options.dry_run;
  to.read_only = options.dry_run;
  const auto destination = open_place(options.destination, to);
  if (!destination) return console.fail(destination.error());

  Progress progress(console, "blobs");
  SyncPlan plan;
  plan.jobs = options.jobs;
  plan.verify = options.verify;
  plan.dry_run = options.dry_run;
  plan.stop = interrupt.token();
  plan.progress = [&](std::uint64_t blobs, std::uint64_t bytes) { progress.add(blobs, bytes); };
  plan.problem = [&](const std::string& location, const std::string& reason) {
    console.problem("cannot copy", printable(location), printable(reason));
    console.record(Json{{"location", location}, {"problem", reason}});
  };
  const auto report = sync_stores(**source, **destination, plan);
  if (!report) return console.fail(report.error());
  const bool stopped = interrupt.signal_number() != 0;
  console.summary(Json{{"copied", report->copied},
                       {"copied_bytes", report->copied_bytes},
                       {"present", report->present},
                       {"present_bytes", report->present_bytes},
                       {"mended", report->mended},
                       {"damaged", report->damaged},
                       {"strays", report->strays},
                       {"dry_run", options.dry_run},
                       {"complete", !stopped}},
                  std::string(options.dry_run ? "would copy " : "copied ") + std::to_string(report->copied) + " blobs (" +
                      human_bytes(report->copied_bytes) + "); " + std::to_string(report->present) + " were there already (" +
                      human_bytes(report->present_bytes) + ")" +
                      (report->mended > 0 ? "; " + std::to_string(report->mended) + " of the copied took the place of damaged ones" : "") +
                      (report->damaged > 0 ? "; " + std::to_string(report->damaged) + " damaged ones left out" : "") +
                      (report->strays > 0 ? "; " + std::to_string(report->strays) + " strays left out" : ""));
  if (stopped) {
    console.complain("stopped by a signal: the same command goes on where it ended");
    return exit_for_signal(interrupt.signal_number());
  }
  return report->damaged > 0 ? Exit::findings : Exit::ok;
}

}  // namespace

void add_sync(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("sync", "Copy the blobs that one place has and another lacks, verified on the way");
  auto options = std::make_shared<SyncOptions>();
  command->add_option("source", options->source, "A store's folder, or s3://BUCKET[/PREFIX]?endpoint=URL&region=NAME")
      ->required()
      ->type_name("SRC");
  command->add_option("destination", options->destination, "Likewise; a folder is made where it is missing")->required()->type_name("DST");
  command->add_option("-j,--jobs", options->jobs, "Copy so many at once (default: 8)")->check(CLI::Range(1U, 256U))->type_name("N");
  command->add_flag("--verify", options->verify, "Read what is there already, too, and copy it anew where it is damaged");
  command->add_flag("--dry-run", options->dry_run, "Only say what would be copied");
  command->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return run(console, globals, *options); };
  });
}

}  // namespace mediactl

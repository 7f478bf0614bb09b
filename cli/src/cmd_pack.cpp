#include "command.hpp"
#include "interrupt.hpp"
#include "open_store.hpp"
#include "progress.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

using Move = media::Result<media::PackReport> (media::SegmentedStore::*)(const media::PackOptions&);

Exit run(Console& console, const Globals& globals, Move move) {
  const Interrupt interrupt;
  auto library = open_store(globals, {.access = Access::write});
  if (!library) return console.fail(library.error());
  media::SegmentedStore* const segments = (*library)->segmented();
  if (segments == nullptr) return console.fail({media::Errc::unsupported, "this store has no segments"});
  Progress progress(console, "blobs");
  media::PackOptions options;
  options.stop = interrupt.token();
  options.progress = [&](std::uint64_t blobs, std::uint64_t bytes) { progress.set(blobs, bytes); };
  const auto report = (segments->*move)(options);
  if (interrupt.signal_number() != 0) {
    console.summary(Json{{"error", "stopped by a signal: what is not done can be done later"}}, {});
    console.complain("stopped by a signal: what is not done can be done later");
    return exit_for_signal(interrupt.signal_number());
  }
  if (!report) return console.fail(report.error());
  const auto usage = segments->segment_usage();
  console.summary(
      Json{{"blobs", report->blobs},
           {"bytes", report->bytes},
           {"damaged", report->damaged},
           {"segments", usage.segments},
           {"packed_blobs", usage.blobs},
           {"segment_bytes", usage.bytes},
           {"live_bytes", usage.live_bytes}},
      std::to_string(report->blobs) + " blobs moved, " + human_bytes(report->bytes) + "; now " + std::to_string(usage.blobs) +
          " blobs in " + std::to_string(usage.segments) + (usage.segments == 1 ? " segment" : " segments") +
          (report->damaged > 0 ? "; " + std::to_string(report->damaged) + " damaged ones left where they are: run verify" : ""));
  return report->damaged > 0 ? Exit::findings : Exit::ok;
}

void add(CLI::App& app, Invocation& invocation, const char* name, const char* description, Move move) {
  CLI::App* command = app.add_subcommand(name, description);
  command->callback(
      [&invocation, move] { invocation.run = [move](Console& console, const Globals& globals) { return run(console, globals, move); }; });
}

}  // namespace

void add_pack(CLI::App& app, Invocation& invocation) {
  add(app, invocation, "pack", "Bring small blobs that lie in files of their own into segments", &media::SegmentedStore::pack);
}

void add_unpack(CLI::App& app, Invocation& invocation) {
  add(app, invocation, "unpack", "Bring the blobs of segments back into files of their own", &media::SegmentedStore::unpack);
}

}  // namespace mediactl

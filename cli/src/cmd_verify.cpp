#include <memory>

#include "command.hpp"
#include "interrupt.hpp"
#include "open_store.hpp"
#include "progress.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

void report_fault(Console& console, const media::Fault& fault) {
  const std::string problem(media::to_string(fault.problem));
  const std::string name = fault.digest ? fault.digest->to_hex() : printable(fault.location);
  console.record(Json{{"digest", fault.digest ? Json(fault.digest->to_hex()) : Json()},
                      {"problem", problem},
                      {"location", fault.location},
                      {"reason", fault.message}});
  console.text(problem + std::string(9 - std::min<std::size_t>(8, problem.size()), ' ') + name + "  " + printable(fault.message));
}

Exit run(Console& console, const Globals& globals, unsigned jobs) {
  const Interrupt interrupt;
  auto library = open_store(globals, {});
  if (!library) return console.fail(library.error());
  Progress progress(console, "blobs");
  media::VerifyOptions options;
  options.threads = jobs;
  options.stop = interrupt.token();
  options.on_fault = [&](const media::Fault& fault) { report_fault(console, fault); };
  options.progress = [&](std::uint64_t blobs, std::uint64_t bytes) { progress.set(blobs, bytes); };
  auto report = (*library)->verify(options);
  if (interrupt.signal_number() != 0) {
    console.summary(Json{{"error", "stopped by a signal: not everything was verified"}}, {});
    console.complain("stopped by a signal: not everything was verified");
    return exit_for_signal(interrupt.signal_number());
  }
  if (!report) return console.fail(report.error());
  const double seconds = progress.elapsed().count();
  const std::string faults = report->intact() ? "intact"
                                              : std::to_string(report->damaged) + " damaged, " + std::to_string(report->missing) +
                                                    " missing, " + std::to_string(report->stray) + " stray";
  console.summary(Json{{"blobs", report->blobs},
                       {"bytes", report->bytes},
                       {"damaged", report->damaged},
                       {"missing", report->missing},
                       {"stray", report->stray},
                       {"intact", report->intact()},
                       {"seconds", seconds}},
                  faults + ": " + std::to_string(report->blobs) + " blobs, " + human_bytes(report->bytes) + " read (" +
                      human_bytes(static_cast<std::uint64_t>(static_cast<double>(report->bytes) / std::max(seconds, 0.001))) + "/s)");
  return report->intact() ? Exit::ok : Exit::findings;
}

}  // namespace

void add_verify(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("verify", "Read every byte again and name each damaged, missing or stray blob");
  auto jobs = std::make_shared<unsigned>(default_jobs());
  add_jobs_option(*command, *jobs);
  command->callback(
      [&invocation, jobs] { invocation.run = [jobs](Console& console, const Globals& globals) { return run(console, globals, *jobs); }; });
}

}  // namespace mediactl

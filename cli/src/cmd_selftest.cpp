#include "command.hpp"
#include "media/cage.hpp"

namespace mediactl {
namespace {

Exit run(Console& console) {
  const auto report = media::test_cage();
  if (!report) return console.fail(report.error());
  std::size_t refused = 0;
  for (const media::CageAttempt& attempt : report->attempts) {
    refused += attempt.refused ? 1 : 0;
    console.record(
        Json{{"attempt", attempt.what}, {"refused", attempt.refused}, {"reason", attempt.refused ? Json(attempt.reason) : Json()}});
    console.text((attempt.refused ? "refused  " : "ALLOWED  ") + attempt.what + (attempt.refused ? " (" + attempt.reason + ")" : ""));
  }
  console.summary(Json{{"worker", report->worker.string()},
                       {"landlock", report->landlock > 0 ? Json(report->landlock) : Json()},
                       {"attempts", report->attempts.size()},
                       {"refused", refused},
                       {"holds", report->holds()}},
                  "of what a worker tried that a hostile file had taken over, " + std::to_string(refused) + " of " +
                      std::to_string(report->attempts.size()) + " was refused; locks: seccomp, " +
                      (report->landlock > 0 ? "Landlock " + std::to_string(report->landlock) : "no Landlock in this kernel"));
  return report->holds() ? Exit::ok : Exit::findings;
}

}  // namespace

void add_selftest(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("selftest", "Try whether the cage holds in which strangers' files are decoded");
  command->callback([&invocation] { invocation.run = [](Console& console, const Globals&) { return run(console); }; });
}

}  // namespace mediactl

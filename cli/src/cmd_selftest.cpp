#include <vector>

#include "command.hpp"
#include "media/cage.hpp"
#include "media/processor.hpp"

namespace mediactl {
namespace {

void show(Console& console, const media::CageReport& report) {
  const std::string worker = report.worker.filename().string();
  for (const media::CageAttempt& attempt : report.attempts) {
    console.record(Json{{"worker", worker},
                        {"attempt", attempt.what},
                        {"refused", attempt.refused},
                        {"reason", attempt.refused ? Json(attempt.reason) : Json()}});
    console.text(worker + ": " + (attempt.refused ? "refused  " : "ALLOWED  ") + attempt.what +
                 (attempt.refused ? " (" + attempt.reason + ")" : ""));
  }
}

Exit run(Console& console) {
  auto worker = media::find_worker();
  if (!worker) return console.fail(worker.error());
  std::vector<std::filesystem::path> workers{std::move(*worker)};
  // Where nobody decodes videos there is no second one.
  if (auto video = media::find_video_worker()) workers.push_back(std::move(*video));
  Json names = Json::array();
  std::size_t attempts = 0;
  std::size_t refused = 0;
  int landlock = 0;
  for (const auto& program : workers) {
    const auto report = media::test_cage(program);
    if (!report) return console.fail(report.error());
    show(console, *report);
    names.push_back(program.string());
    attempts += report->attempts.size();
    for (const media::CageAttempt& attempt : report->attempts) refused += attempt.refused ? 1 : 0;
    landlock = report->landlock;
  }
  const bool holds = refused == attempts;
  console.summary(Json{{"workers", names},
                       {"landlock", landlock > 0 ? Json(landlock) : Json()},
                       {"attempts", attempts},
                       {"refused", refused},
                       {"holds", holds}},
                  "of what workers tried that a hostile file had taken over, " + std::to_string(refused) + " of " +
                      std::to_string(attempts) + " was refused; locks: seccomp, " +
                      (landlock > 0 ? "Landlock " + std::to_string(landlock) : "no Landlock in this kernel"));
  return holds ? Exit::ok : Exit::findings;
}

}  // namespace

void add_selftest(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("selftest", "Try whether the cage holds in which strangers' files are decoded");
  command->callback([&invocation] { invocation.run = [](Console& console, const Globals&) { return run(console); }; });
}

}  // namespace mediactl

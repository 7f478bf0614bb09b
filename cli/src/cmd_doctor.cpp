#include <filesystem>

#include "command.hpp"
#include "doctor_checks.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

void show(Console& console, const Check& check) {
  console.record(Json{{"check", check.name},
                      {"status", to_string(check.status)},
                      {"message", check.message},
                      {"advice", check.advice},
                      {"facts", check.facts}});
  std::string status = to_string(check.status);
  status.resize(8, ' ');
  std::string name = check.name;
  name.resize(10, ' ');
  console.text(status + name + printable(check.message));
  for (const std::string& sentence : check.advice) console.text(std::string(18, ' ') + "-> " + printable(sentence));
  console.flush();
}

Exit run(Console& console, const Globals& globals) {
  std::error_code failure;
  if (!globals.store.empty() && !std::filesystem::is_directory(globals.store, failure)) {
    return console.fail({media::Errc::not_found, "there is no folder '" + printable(globals.store) + "'"});
  }
  std::size_t checks = 0;
  std::size_t wrong = 0;
  std::size_t advice = 0;
  const auto take = [&](const Check& check) {
    ++checks;
    wrong += check.status == Check::Status::wrong ? 1 : 0;
    advice += check.status == Check::Status::advice ? 1 : 0;
    show(console, check);
  };
  take(check_hashing());
  take(check_pictures());
  take(check_workers());
  take(check_clock());
  if (!globals.store.empty()) {
    take(check_disk(globals));
    take(check_layout(globals));
    take(check_catalog(globals));
  }
  console.summary(Json{{"checks", checks}, {"wrong", wrong}, {"advice", advice}, {"healthy", wrong == 0}},
                  std::to_string(checks) + " checks: " + (wrong == 0 ? "nothing is wrong" : std::to_string(wrong) + " wrong") +
                      (advice > 0 ? ", " + std::to_string(advice) + " with advice" : "") +
                      (globals.store.empty() ? "; with --store also disk, store and catalog" : ""));
  return wrong == 0 ? Exit::ok : Exit::findings;
}

}  // namespace

void add_doctor(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("doctor", "Tell what this machine and this store are like, and what is wrong with them");
  command->callback([&invocation] { invocation.run = run; });
}

}  // namespace mediactl

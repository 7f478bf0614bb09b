#include "command.hpp"
#include "open_store.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

Exit run(Console& console, const Globals& globals) {
  bool created = false;
  auto library = open_store(globals, {.access = Access::write});
  if (!library && library.error().code == media::Errc::not_found) {
    library = open_store(globals, {.access = Access::create});
    created = true;
  }
  if (!library) return console.fail(library.error());
  const std::string store = printable(globals.store);
  console.summary(Json{{"store", globals.store}, {"created", created}},
                  created ? "made a store in '" + store + "'" : "'" + store + "' is a store already");
  return Exit::ok;
}

}  // namespace

void add_init(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("init", "Make a store, or check that there is one");
  command->callback([&invocation] { invocation.run = run; });
}

}  // namespace mediactl

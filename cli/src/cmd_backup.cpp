#include <filesystem>
#include <memory>

#include "command.hpp"
#include "media/store_location.hpp"
#include "open_store.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

Exit back_up(Console& console, const Globals& globals, const std::string& path) {
  auto library = open_store(globals, {});
  if (!library) return console.fail(library.error());
  if (auto done = (*library)->back_up_catalog(path); !done) return console.fail(done.error());
  std::error_code ignored;
  const auto bytes = std::filesystem::file_size(path, ignored);
  console.summary(Json{{"file", path}, {"bytes", bytes}}, "the catalog is in '" + printable(path) + "' (" + human_bytes(bytes) + ")");
  return Exit::ok;
}

Exit restore(Console& console, const Globals& globals, const std::string& path) {
  if (globals.store.empty()) return console.fail({media::Errc::invalid_argument, "no store given: use --store DIR or set MEDIA_STORE"});
  if (!globals.catalog.empty()) {
    return console.fail({media::Errc::unsupported, "a catalog in PostgreSQL is restored by its own tools (pg_restore)"});
  }
  if (const auto own = media::require_own_catalog(globals.store); !own) return console.fail(own.error());
  const auto former = media::restore_sqlite_catalog(path, std::filesystem::absolute(globals.store) / "catalog.db");
  if (!former) return console.fail(former.error());
  console.summary(Json{{"restored", path}, {"former", former->empty() ? Json() : Json(former->string())}},
                  "the catalog is that of '" + printable(path) + "' again" +
                      (former->empty() ? std::string() : "; the former one is " + printable(former->string())) +
                      ". `mediactl verify` tells what was stored or removed since");
  return Exit::ok;
}

using Run = Exit (*)(Console&, const Globals&, const std::string&);

void add(CLI::App& app, Invocation& invocation, const char* name, const char* what, const char* operand, Run run) {
  CLI::App* command = app.add_subcommand(name, what);
  auto path = std::make_shared<std::string>();
  command->add_option("FILE", *path, operand)->required();
  command->callback([&invocation, path, run] {
    invocation.run = [path, run](Console& console, const Globals& globals) { return run(console, globals, *path); };
  });
}

}  // namespace

void add_backup(CLI::App& app, Invocation& invocation) {
  add(app, invocation, "backup", "Copy the catalog as it is at this moment, while others work on", "A file that is not there yet", back_up);
}

void add_restore(CLI::App& app, Invocation& invocation) {
  add(app, invocation, "restore", "Put a backup in the catalog's place; no program may have the store open", "What backup wrote", restore);
}

}  // namespace mediactl

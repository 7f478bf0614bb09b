// mediactl: the command line of libmedia.
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>
#include <thread>

#include "command.hpp"
#include "media/version.hpp"

namespace mediactl {
namespace {

/// The one list of commands, in the order of --help.
constexpr std::array<AddCommand, 33> kCommands = {
    add_init,       add_ingest,   add_ls,      add_info,    add_cat,      add_probe,   add_hash,   add_derive, add_renditions,
    add_similar,    add_describe, add_verify,  add_gc,      add_pack,     add_unpack,  add_sync,   add_tier,   add_jobs,
    add_rm,         add_erase,    add_receipt, add_backup,  add_restore,  add_reindex, add_apikey, add_quota,  add_ban,
    add_quarantine, add_sign,     add_adopt,   add_migrate, add_selftest, add_doctor};

constexpr const char* kGlobalsHelp =
    "Options of every command: --store DIR (or MEDIA_STORE), --catalog URL, --schema NAME, --blobs URL, --warm PLACE, --cold PLACE, "
    "--pack-below BYTES, --json, "
    "--quiet; `mediactl "
    "--help` explains them and the "
    "exit codes.";

/// Two things that CLI11 does with operands are undone by writing a path as "./path", which is the same file: it reads one of the
/// form "[a,b]" as a list, and what follows "--" it hands to the wrong parser where operands stood before.
std::vector<std::string> arguments_of(int argc, char** argv) {
  std::vector<std::string> arguments;
  bool only_operands = false;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (!only_operands && argument == "--") {
      only_operands = true;
      continue;
    }
    struct stat ignored{};
    const bool list_like = argument.starts_with('[') && argument.ends_with(']') && ::lstat(argument.c_str(), &ignored) == 0;
    if (list_like || (only_operands && argument.starts_with('-'))) argument.insert(0, "./");
    arguments.push_back(std::move(argument));
  }
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them last first
  return arguments;
}

void describe(CLI::App& app, Invocation& invocation) {
  app.name("mediactl");
  app.set_version_flag("--version", std::string("mediactl ") + MEDIA_VERSION);
  app.set_help_flag("-h,--help", "Show this help");
  app.add_option("--store", invocation.globals.store, "The store's folder (environment: MEDIA_STORE)")->type_name("DIR");
  app.add_option("--catalog", invocation.globals.catalog,
                 "The catalog in PostgreSQL instead of the store's folder, as postgresql://USER@HOST/DATABASE; a password is better in the "
                 "environment or in ~/.pgpass, where nobody sees it (environment: MEDIA_CATALOG)")
      ->envname("MEDIA_CATALOG")
      ->type_name("URL");
  app.add_option("--schema", invocation.globals.schema, "Where its tables are (default recipe_manager; environment: MEDIA_CATALOG_SCHEMA)")
      ->envname("MEDIA_CATALOG_SCHEMA")
      ->type_name("NAME");
  app.add_option(
         "--blobs", invocation.globals.blobs,
         "Where the blobs are, if not in the store's folder, which keeps a note of it: s3://BUCKET[/PREFIX]?endpoint=URL&region=NAME "
         "(environment: MEDIA_BLOBS; credentials as the AWS tools have them)")
      ->envname("MEDIA_BLOBS")
      ->type_name("URL");
  app.add_option(
         "--warm", invocation.globals.tiers.warm,
         "A second tier for blobs, below the place where they are stored first: a folder or s3://…; the store's folder keeps a note of "
         "it (environment: MEDIA_WARM)")
      ->envname("MEDIA_WARM")
      ->type_name("PLACE");
  app.add_option("--cold", invocation.globals.tiers.cold, "Likewise the lowest tier (environment: MEDIA_COLD)")
      ->envname("MEDIA_COLD")
      ->type_name("PLACE");
  app.add_option("--pack-below", invocation.globals.pack_below_bytes,
                 "Keep smaller contents many to a file, 0: each in its own (default 262144; environment: MEDIA_PACK_BELOW)")
      ->envname("MEDIA_PACK_BELOW")
      ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{16} << 20U))
      ->type_name("BYTES");
  app.add_flag("--json", invocation.globals.json, "JSON lines on standard output, the last of them {\"summary\": {...}}");
  app.add_flag("--quiet", invocation.globals.quiet, "Nothing but errors (and JSON lines where asked for)");
  app.require_subcommand(1);
  app.footer("\n" + exit_codes_help());
  for (const AddCommand add : kCommands) add(app, invocation);
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    command->fallthrough();
    command->set_help_flag("-h,--help", "Show this help");
    command->footer(std::string("\n") + kGlobalsHelp);
  }
}

int run(int argc, char** argv) {
  CLI::App app("Keeps, proves, transforms and lists photos and videos in a store.");
  Invocation invocation;
  describe(app, invocation);
  try {
    app.parse(arguments_of(argc, argv));
  } catch (const CLI::Success& asked) {  // --help, --version
    app.exit(asked);
    return static_cast<int>(std::cout.flush() ? Exit::ok : Exit::io);
  } catch (const CLI::ParseError& error) {
    std::cerr << "mediactl: " << error.what() << "\nTry 'mediactl --help'.\n";
    return static_cast<int>(Exit::usage);
  }
  if (invocation.globals.store.empty()) {
    if (const char* store = std::getenv("MEDIA_STORE"); store != nullptr) invocation.globals.store = store;
  }
  Console console(invocation.globals.json, invocation.globals.quiet);
  Exit code = Exit::internal;
  try {
    code = invocation.run(console, invocation.globals);
  } catch (const std::bad_alloc&) {
    code = console.fail({media::Errc::internal, "out of memory"});
  } catch (const std::exception& error) {
    code = console.fail({media::Errc::internal, std::string("internal error: ") + error.what()});
  }
  if (auto finished = console.finish(); !finished) {
    console.complain(finished.error().message);
    if (code == Exit::ok || code == Exit::findings) code = exit_for(finished.error().code);
  }
  return static_cast<int>(code);
}

}  // namespace

unsigned default_jobs() noexcept {
  const unsigned cores = std::thread::hardware_concurrency();
  return cores == 0 ? 1 : cores;
}

CLI::App* add_action(CLI::App& command, const char* name, const char* what) {
  CLI::App* action = command.add_subcommand(name, what);
  action->fallthrough();
  action->set_help_flag("-h,--help", "Show this help");
  return action;
}

void add_jobs_option(CLI::App& command, unsigned& jobs) {
  command.add_option("-j,--jobs", jobs, "Work on so many at once (default: the cores)")->check(CLI::Range(1U, 256U))->type_name("N");
}

void add_isolation_option(CLI::App& command, std::string& isolation) {
  command.add_option("--isolation", isolation, "Decode in worker processes, or in this one: process (default) or none")
      ->check(CLI::IsMember({"process", "none"}));
}

}  // namespace mediactl

int main(int argc, char** argv) { return mediactl::run(argc, argv); }

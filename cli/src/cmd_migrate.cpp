#include <filesystem>
#include <memory>
#include <string>

#include "command.hpp"
#include "interrupt.hpp"
#include "media/migrate.hpp"
#include "media/store_location.hpp"
#include "progress.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

struct MigrateArguments {
  std::string source;
  std::string destination;
  bool make_switch = false;
};

bool is_postgres(const std::string& place) { return place.starts_with("postgresql://") || place.starts_with("postgres://"); }

media::Result<media::CatalogPlace> place_of(const std::string& text, const Globals& globals) {
  media::CatalogPlace place;
  if (is_postgres(text)) {
    place.postgres.connection = text;
    place.postgres.schema = globals.schema;
    return place;
  }
  std::error_code failure;
  if (!std::filesystem::is_directory(text, failure)) {
    // What may be a connection's parameters may have a password among them.
    const std::string shown = text.find('=') == std::string::npos ? "'" + printable(text) + "'" : "one of SRC and DST";
    return media::Error{media::Errc::not_found, shown + " is neither a store's folder nor postgresql://…"};
  }
  place.file = std::filesystem::absolute(text) / "catalog.db";
  return place;
}

/// The note in a store's folder of the catalog that is in PostgreSQL.
std::string note_of(const Globals& globals) { return "postgresql, schema " + globals.schema; }

/// From here on the bytes in the folder belong to the catalog that was migrated to.
media::Result<void> note_switch(const MigrateArguments& arguments, const Globals& globals) {
  if (is_postgres(arguments.source)) return media::forget_catalog_note(arguments.destination);
  return media::note_migrated_catalog(arguments.source, note_of(globals));
}

/// What the note says now, whatever became of writing it.
bool is_switched(const MigrateArguments& arguments, const Globals& globals) {
  if (is_postgres(arguments.source)) {
    const auto noted = media::read_catalog_note(arguments.destination);
    return noted && !*noted;
  }
  const auto noted = media::read_catalog_note(arguments.source);
  return noted && *noted == note_of(globals);
}

/// After the note; says what was done. Nobody opens a catalog.db beside that note, or makes one.
media::Result<std::string> end_switch(const MigrateArguments& arguments) {
  if (is_postgres(arguments.source)) return "the bytes in '" + printable(arguments.destination) + "' belong to its catalog.db";
  const std::string belong = "the bytes in '" + printable(arguments.source) + "' belong to the catalog in PostgreSQL";
  const auto aside = media::set_sqlite_catalog_aside(std::filesystem::absolute(arguments.source) / "catalog.db");
  if (aside) return belong + "; the former one is " + printable(aside->string());
  return media::Error{aside.error().code,
                      "migrated and switched over: " + belong +
                          "; but the former catalog.db is still there, which nobody needs any more: " + aside.error().message};
}

Json table_json(const media::MigratedTable& table) {
  return Json{{"table", table.name},
              {"rows", table.rows},
              {"source_sha256", table.source.to_hex()},
              {"destination_sha256", table.destination.to_hex()}};
}

/// Must be right before a row is copied, and not afterwards.
media::Result<void> check_switch(const MigrateArguments& arguments, const Globals& globals) {
  const bool into_folder = is_postgres(arguments.source);
  const std::string& folder = into_folder ? arguments.destination : arguments.source;
  MEDIA_TRY_ASSIGN(const auto noted, media::read_catalog_note(folder));
  if (noted && *noted != note_of(globals)) {
    return media::Error{media::Errc::conflict, "the bytes in '" + printable(folder) + "' belong to the catalog in " + *noted};
  }
  return {};
}

Exit run(Console& console, const Globals& globals, const MigrateArguments& arguments) {
  const Interrupt interrupt;
  const auto from = place_of(arguments.source, globals);
  if (!from) return console.fail(from.error());
  const auto to = place_of(arguments.destination, globals);
  if (!to) return console.fail(to.error());
  if (from->file.empty() != to->file.empty()) {
    if (const auto good = check_switch(arguments, globals); !good) return console.fail(good.error());
  }
  Progress progress(console, "rows");
  media::MigrateOptions options;
  options.stop = interrupt.token();
  std::uint64_t earlier_tables = 0;
  std::string current;
  std::uint64_t in_current = 0;
  options.progress = [&](const std::string& table, std::uint64_t rows) {
    if (table != current) {
      earlier_tables += in_current;
      current = table;
    }
    in_current = rows;
    progress.set(earlier_tables + rows, 0);
  };
  media::Result<void> noted;
  // While both are locked: whoever waits for the former catalog reads the note before he writes to it.
  if (arguments.make_switch) options.on_committed = [&] { noted = note_switch(arguments, globals); };
  const auto report = media::migrate_catalog(*from, *to, options);
  if (!report && interrupt.signal_number() != 0) {
    console.complain("stopped by a signal: nothing was kept, and the source is as it was");
    return exit_for_signal(interrupt.signal_number());
  }
  if (!report) return console.fail(report.error());
  std::uint64_t rows = 0;
  for (const media::MigratedTable& table : report->tables) {
    rows += table.rows;
    console.record(table_json(table));
    console.text(table.name + "  " + std::to_string(table.rows) + " rows  sha256 " + table.source.to_hex());
  }
  std::string done;
  if (arguments.make_switch) {
    if (!noted && !is_switched(arguments, globals)) {
      return console.fail({noted.error().code,
                           "migrated, but not switched over, so that programs go on with the former catalog: " + noted.error().message});
    }
    auto ended = end_switch(arguments);
    if (!ended) return console.fail(ended.error());
    done = std::move(ended).value();
  }
  console.summary(Json{{"tables", report->tables.size()}, {"rows", rows}, {"equal", true}, {"switched", arguments.make_switch}},
                  "migrated " + std::to_string(rows) + " rows of " + std::to_string(report->tables.size()) +
                      " tables; read back, both sides are the same" + (done.empty() ? std::string() : "; " + done));
  if (!arguments.make_switch) {
    console.note("programs go on with the former catalog until they are told otherwise: --switch would have done it");
  }
  return Exit::ok;
}

}  // namespace

void add_migrate(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("migrate", "Move a catalog from SQLite to PostgreSQL, or back; no program may have it open");
  auto arguments = std::make_shared<MigrateArguments>();
  command->add_option("source", arguments->source, "A store's folder, or postgresql://USER@HOST/DATABASE (its schema by --schema)")
      ->required()
      ->type_name("SRC");
  command->add_option("destination", arguments->destination, "The other of the two, without rows; made where it is missing")
      ->required()
      ->type_name("DST");
  command->add_flag("--switch", arguments->make_switch, "Note in the folder which catalog its bytes belong to now");
  command->callback([&invocation, arguments] {
    invocation.run = [arguments](Console& console, const Globals& globals) { return run(console, globals, *arguments); };
  });
}

}  // namespace mediactl

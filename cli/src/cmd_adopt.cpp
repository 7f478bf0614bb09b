#include <filesystem>
#include <memory>

#include "command.hpp"
#include "media/adoption.hpp"
#include "media/store_location.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

struct Options {
  std::string dsn;
  std::string schema = "recipe_manager";
  std::string base;
  bool dry_run = false;
};

std::string_view name_of(media::Adoption outcome) noexcept {
  switch (outcome) {
    case media::Adoption::adopted:
      return "adopted";
    case media::Adoption::known:
      return "known";
    case media::Adoption::empty:
      return "empty";
    case media::Adoption::missing:
      return "missing";
    case media::Adoption::taken:
      return "taken";
  }
  return "";
}

Exit adopt(Console& console, const Globals& globals, const Options& options) {
  std::error_code failure;
  if (!std::filesystem::is_directory(options.base, failure)) {
    return console.fail({media::Errc::not_found, "there is no folder '" + printable(options.base) + "'"});
  }
  media::AdoptOptions what;
  what.source.connection = options.dsn;
  what.source.schema = options.schema;
  what.base_path = options.base;
  std::unique_ptr<media::Repository> catalog;
  if (!options.dry_run) {
    media::PostgresRepositoryOptions ours;
    ours.connection = globals.catalog.empty() ? options.dsn : globals.catalog;
    ours.schema = globals.schema;
    auto opened = media::open_postgres_repository(ours);
    if (!opened) return console.fail(opened.error());
    catalog = std::move(opened).value();
    // Before a row is taken over: where the folder has a catalog of its own, it is no earlier service's.
    if (const auto noted = media::note_catalog(options.base, "postgresql, schema " + ours.schema); !noted)
      return console.fail(noted.error());
  }
  const auto report = media::adopt(catalog.get(), what, [&](const media::AdoptedRow& row) {
    console.record(Json{{"id", row.id},
                        {"status", name_of(row.outcome)},
                        {"filename", printable(row.filename)},
                        {"reason", row.reason.empty() ? Json() : Json(row.reason)}});
    if (row.outcome == media::Adoption::adopted) return;
    console.text(std::to_string(row.id) + "  " + std::string(name_of(row.outcome)) + "  " + printable(row.filename) + "  " + row.reason);
  });
  if (!report) return console.fail(report.error());
  console.summary(Json{{"adopted", report->adopted},
                       {"known", report->known},
                       {"empty", report->empty},
                       {"missing", report->missing},
                       {"taken", report->taken},
                       {"links", report->links},
                       {"bytes", report->bytes},
                       {"dry_run", options.dry_run}},
                  std::to_string(report->adopted) + (options.dry_run ? " would be adopted" : " adopted") + " with " +
                      std::to_string(report->links) + " links and " + std::to_string(report->bytes) + " bytes; " +
                      std::to_string(report->known) + " known, " + std::to_string(report->empty) + " without content, " +
                      std::to_string(report->missing) + " missing, " + std::to_string(report->taken) + " with a taken id");
  return report->missing == 0 && report->taken == 0 ? Exit::ok : Exit::findings;
}

}  // namespace

void add_adopt(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("adopt", "Take over the earlier service's database and tree, without moving a byte");
  auto options = std::make_shared<Options>();
  command->add_option("--dsn", options->dsn, "The earlier database, as postgresql://USER@HOST/DATABASE")->required()->type_name("URL");
  command->add_option("--dsn-schema", options->schema, "Where its tables are (default recipe_manager)")->type_name("NAME");
  command->add_option("--base", options->base, "Its tree, which becomes the store")->required()->type_name("DIR");
  command->add_flag("--dry-run", options->dry_run, "Write nothing, and say what would be");
  command->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return adopt(console, globals, *options); };
  });
}

}  // namespace mediactl

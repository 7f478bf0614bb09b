#include "open_store.hpp"

#include <filesystem>

#include "media/postgres_repository.hpp"
#include "media/store_location.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

/// Where new blobs go, if not beside the catalog; null: there.
media::Result<std::unique_ptr<media::BlobStore>> open_bucket(const Globals& globals, bool read_only) {
  MEDIA_TRY_ASSIGN(const auto noted, media::read_store_note(globals.store));
  std::string location = noted.value_or("");
  if (!globals.blobs.empty()) {
    MEDIA_TRY_ASSIGN(const auto options, media::s3_options_from_url(globals.blobs));
    const std::string named = media::s3_url(options);
    if (noted && *noted != named) {
      return media::Error{media::Errc::conflict, "it keeps its blobs in " + *noted + ", not in " + named};
    }
    location = globals.blobs;
  }
  if (location.empty()) return std::unique_ptr<media::BlobStore>();
  media::StoreAtOptions options;
  options.read_only = read_only;
  options.temp_path = std::filesystem::path(globals.store) / "temp";
  MEDIA_TRY_ASSIGN(auto store, media::open_store_at(location, options));
  if (!read_only && !noted) {
    MEDIA_TRY_ASSIGN(const auto named, media::s3_options_from_url(location));
    MEDIA_TRY(media::note_store(globals.store, media::s3_url(named)));
  }
  return store;
}

}  // namespace

media::Result<std::unique_ptr<media::BlobStore>> open_blobs(const Globals& globals, bool read_only) {
  MEDIA_TRY_ASSIGN(auto store, open_bucket(globals, read_only));
  MEDIA_TRY_ASSIGN(const auto noted, media::read_tier_note(globals.store));
  if (!globals.tiers.any() && !noted.any()) return store;
  if (!store) {
    media::StoreAtOptions folder;
    folder.read_only = read_only;
    folder.pack_below_bytes = globals.pack_below_bytes;
    MEDIA_TRY_ASSIGN(store, media::open_store_at(globals.store, folder));
  }
  media::OpenTiersOptions options;
  options.places = globals.tiers;
  options.read_only = read_only;
  options.pack_below_bytes = globals.pack_below_bytes;
  options.temp_path = std::filesystem::path(globals.store) / "temp";
  return media::open_tiers(std::move(store), globals.store, options);
}

namespace {

media::Result<media::LibraryOptions> library_options(const Globals& globals, const OpenStore& how, bool read_only) {
  media::LibraryOptions options;
  std::error_code failure;
  // Or a folder that is none of ours would get a note of tiers.
  if (globals.tiers.any() && how.access != Access::create && globals.catalog.empty() &&
      !std::filesystem::exists(std::filesystem::path(globals.store) / "catalog.db", failure)) {
    return media::Error{media::Errc::not_found, "there is no library (catalog.db is missing)"};
  }
  MEDIA_TRY_ASSIGN(options.store, open_blobs(globals, read_only));
  options.base_path = globals.store;
  options.pack_below_bytes = globals.pack_below_bytes;
  options.create = how.access == Access::create;
  options.isolation = how.isolation;
  options.workers = how.workers;
  options.rendition_budget_bytes = how.rendition_budget_bytes;
  options.gate = how.gate;
  options.policy.polyglots = how.polyglots;
  options.read_only = read_only;
  return options;
}

/// The library with the catalog that the command line names.
media::Result<std::unique_ptr<media::Library>> open_library(const Globals& globals, const OpenStore& how, bool read_only) {
  MEDIA_TRY_ASSIGN(media::LibraryOptions options, library_options(globals, how, read_only));
  if (globals.catalog.empty()) {
    if (const auto own = media::require_own_catalog(globals.store); !own) {
      return media::Error{own.error().code, own.error().message + ": name it by --catalog"};
    }
    return media::Library::open(std::move(options));
  }
  std::error_code failure;
  if (!options.create && !std::filesystem::is_directory(globals.store, failure)) {
    return media::Error{media::Errc::not_found, "there is no such folder"};
  }
  media::PostgresRepositoryOptions catalog;
  catalog.connection = globals.catalog;
  catalog.schema = globals.schema;
  catalog.create = options.create;
  catalog.read_only = read_only;
  MEDIA_TRY_ASSIGN(options.repository, media::open_postgres_repository(catalog));
  if (!read_only) MEDIA_TRY(media::note_catalog(globals.store, "postgresql, schema " + globals.schema));
  return media::Library::open(std::move(options));
}

}  // namespace

media::Result<std::unique_ptr<media::Library>> open_store(const Globals& globals, const OpenStore& how) {
  if (globals.store.empty()) return media::Error{media::Errc::invalid_argument, "no store given: use --store DIR or set MEDIA_STORE"};
  if (how.isolation == media::Isolation::process) MEDIA_TRY(check_worker());
  auto library = open_library(globals, how, false);
  // Reading is better done on a store open for writing, which can note what it verified; but it must work on a read-only
  // filesystem too.
  if (!library && library.error().code == media::Errc::denied && how.access == Access::read) {
    library = open_library(globals, how, true);
  }
  if (library) return library;
  media::Error error = std::move(library).error();
  std::string reason = reason_of(error, globals.store);
  constexpr std::string_view kOperation = "open library: ";  // said by "cannot open store" already
  if (reason.starts_with(kOperation)) reason.erase(0, kOperation.size());
  error.message = "cannot open store '" + printable(globals.store) + "': " + reason;
  return error;
}

media::Result<void> check_worker() {
  auto worker = media::find_worker();
  if (worker) return {};
  return media::Error{worker.error().code, worker.error().message + "; --isolation none decodes in mediactl itself"};
}

media::Isolation isolation_from(const std::string& text) noexcept {
  return text == "none" ? media::Isolation::none : media::Isolation::process;
}

}  // namespace mediactl

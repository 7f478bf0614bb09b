// What lies in a store, and what keeps its catalog.
#include <algorithm>
#include <chrono>
#include <filesystem>

#include "doctor_checks.hpp"
#include "media/blob_store.hpp"
#include "media/clock.hpp"
#include "media/doctor.hpp"
#include "media/postgres_repository.hpp"
#include "media/repository.hpp"
#include "media/store_location.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

namespace fs = std::filesystem;

struct Layout {
  std::uint64_t loose = 0;
  std::uint64_t loose_bytes = 0;
  std::uint64_t small_loose = 0;  ///< That `pack` would take.
  std::uint64_t strays = 0;
};

media::Result<Layout> look_through(const media::BlobStore& store, std::uint64_t pack_below) {
  constexpr std::size_t kPage = 4096;
  Layout layout;
  std::string cursor;
  do {
    MEDIA_TRY_ASSIGN(const auto page, store.list(cursor, kPage));
    for (const media::ListedBlob& blob : page.blobs) {
      if (!blob.digest) ++layout.strays;
      if (!blob.digest || blob.location.starts_with("segments/")) continue;
      ++layout.loose;
      layout.loose_bytes += blob.size;
      layout.small_loose += blob.size < pack_below ? 1 : 0;
    }
    cursor = page.next_cursor;
  } while (!cursor.empty());
  return layout;
}

/// How many files a folder has, and their bytes; of those with this ending, where one is given.
struct Files {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
};
Files files_in(const fs::path& folder, const std::string& ending = {}) {
  Files files;
  std::error_code failure;
  for (auto at = fs::directory_iterator(folder, failure); !failure && at != fs::directory_iterator(); at.increment(failure)) {
    std::error_code gone;
    if (!ending.empty() && at->path().extension() != ending) continue;
    if (!at->is_regular_file(gone)) continue;
    ++files.count;
    files.bytes += at->file_size(gone);
  }
  return files;
}

void tell_layout(Check& check, const Layout& layout, const media::SegmentUsage& usage, const Globals& globals) {
  const fs::path base = globals.store;
  const Files indexes = files_in(base / "segments", ".index");
  const Files quarantined = files_in(base / "quarantine");
  const std::uint64_t dead = usage.bytes - std::min(usage.bytes, usage.live_bytes);
  check.facts = Json{{"loose_blobs", layout.loose},       {"loose_bytes", layout.loose_bytes},
                     {"segments", usage.segments},        {"packed_blobs", usage.blobs},
                     {"segment_bytes", usage.bytes},      {"dead_bytes", dead},
                     {"index_file_bytes", indexes.bytes}, {"index_memory_bytes", usage.index_memory_bytes},
                     {"strays", layout.strays},           {"quarantined", quarantined.count}};
  check.message = std::to_string(layout.loose) + " blobs in files of their own (" + human_bytes(layout.loose_bytes) + "), " +
                  std::to_string(usage.blobs) + " in " + std::to_string(usage.segments) +
                  (usage.segments == 1 ? " segment (" : " segments (") + human_bytes(usage.bytes) + ", " + human_bytes(dead) +
                  " of it dead; indexes " + human_bytes(indexes.bytes) + " on the disk, " + human_bytes(usage.index_memory_bytes) +
                  " in memory)";
  constexpr std::uint64_t kWorthPacking = 1000;
  if (quarantined.count > 0) {
    check.fault(std::to_string(quarantined.count) +
                " damaged blobs were set aside in quarantine/: verify --repair-from another store, then remove them");
  }
  if (layout.strays > 0) check.fault(std::to_string(layout.strays) + " things lie in the blobs' place and are none: verify names them");
  if (usage.segments > 1 && 2 * dead > usage.bytes) check.advise("more than half of the segments is dead: gc gives it back");
  if (layout.small_loose > kWorthPacking) {
    check.advise(std::to_string(layout.small_loose) + " small blobs have files of their own: pack brings them together");
  }
}

/// Opened for reading, without bringing it up to date.
media::Result<std::unique_ptr<media::Repository>> open_for_reading(const Globals& globals,
                                                                   const media::PostgresRepositoryOptions& postgres) {
  if (!globals.catalog.empty()) return media::open_postgres_repository(postgres);
  media::SqliteRepositoryOptions options;
  options.path = fs::path(globals.store) / "catalog.db";
  options.read_only = true;
  return media::open_sqlite_repository(options);
}

/// Has the clock gone back behind what is stored?
void compare_clock(Check& check, const media::Repository& repository) {
  constexpr std::chrono::minutes kDrift{5};
  media::MediaQuery newest;
  newest.descending = true;
  newest.limit = 1;
  const auto page = repository.list_media(newest);
  if (!page) {
    check.fault("the catalog cannot be read: " + page.error().message);
    return;
  }
  if (page->media.empty()) return;
  const auto at = page->media.front().uploaded_at;
  check.facts["newest_media_at"] = media::to_rfc3339(at);
  if (at > media::SystemClock().now() + kDrift) {
    check.fault("the newest media is from " + media::to_rfc3339(at) + ", which is to come: the clock is wrong now, or was then");
  }
}

}  // namespace

Check check_layout(const Globals& globals) {
  Check check{.name = "store"};
  const auto noted = media::read_store_note(globals.store);
  if (!globals.blobs.empty() || (noted && *noted)) {
    const std::string place = !globals.blobs.empty() ? globals.blobs : **noted;
    check.facts = Json{{"blobs", place}};
    check.message = "the blobs are in " + printable(place);
    media::StoreAtOptions options;
    options.read_only = true;
    const auto store = media::open_store_at(place, options);
    const auto works = store ? (*store)->check() : media::Result<void>(store.error());
    if (!works) check.fault("they cannot be reached: " + works.error().message);
    return check;
  }
  media::FilesystemStoreOptions options;
  options.base_path = globals.store;
  options.read_only = true;
  const auto store = media::open_filesystem_store(options);
  const auto layout = store ? look_through(**store, globals.pack_below_bytes) : media::Result<Layout>(store.error());
  if (!layout) {
    check.message = layout.error().message;
    check.fault("the store cannot be read");
    return check;
  }
  tell_layout(check, *layout, (*store)->segmented()->segment_usage(), globals);
  return check;
}

Check check_catalog(const Globals& globals) {
  Check check{.name = "catalog"};
  media::PostgresRepositoryOptions postgres;
  postgres.connection = globals.catalog;
  postgres.schema = globals.schema;
  postgres.create = false;
  postgres.read_only = true;
  media::Result<media::CatalogFacts> facts = media::CatalogFacts{};
  if (!globals.catalog.empty()) {
    facts = media::postgres_facts(postgres);
  } else if (const auto own = media::require_own_catalog(globals.store); !own) {
    facts = media::Error{own.error().code, own.error().message + ": name it by --catalog"};
  } else {
    facts = media::sqlite_facts(fs::path(globals.store) / "catalog.db");
  }
  if (!facts) {
    check.message = facts.error().message;
    check.fault("the catalog cannot be opened");
    return check;
  }
  Json settings = Json::object();
  check.message = facts->engine;
  for (const auto& setting : facts->settings) {
    settings[setting.name] = setting.value;
    check.message += ", " + setting.name + " " + setting.value;
    if (!setting.fault.empty()) check.fault(setting.name + " is " + setting.value + ": " + setting.fault);
  }
  check.facts = Json{{"engine", facts->engine}, {"settings", settings}};
  if (const auto repository = open_for_reading(globals, postgres)) {
    compare_clock(check, **repository);
  } else {
    check.fault("the catalog cannot be read: " + repository.error().message);
  }
  return check;
}

}  // namespace mediactl

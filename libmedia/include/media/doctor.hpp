/// What this build and this machine make of each other: facts for a person who wonders why something is slow or refused.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "media/export.hpp"
#include "media/postgres_repository.hpp"
#include "media/result.hpp"

namespace media {

struct ImageCodecFacts {
  std::string format{};   ///< "jpeg"
  bool writes = false;    ///< False: this build only reads it.
  std::string encoder{};  ///< Its name, version and settings, as in the names of renditions; empty where it writes none.
};

struct LibraryVersion {
  std::string name{};
  std::string version{};
};

struct ImageFacts {
  std::string simd{};  ///< The instructions that the loops over pixels were chosen for: "AVX2".
  std::vector<ImageCodecFacts> codecs{};
  std::vector<LibraryVersion> libraries{};  ///< As they are loaded now.
};
MEDIA_EXPORT ImageFacts image_facts();

/// The file system that a folder is on.
struct DiskFacts {
  std::string file_system{};  ///< "ext4"; in hexadecimal where its name is not known here.
  bool on_network = false;
  std::uint64_t free_bytes = 0;  ///< For this process's user.
  std::uint64_t total_bytes = 0;
  std::uint64_t free_inodes = 0;  ///< 0 of 0: it does not count them.
  std::uint64_t total_inodes = 0;
  // Of a folder that can be written to:
  std::optional<std::chrono::nanoseconds> sync_time{};  ///< The median of a few writes of 4 KiB with a sync each.
  std::optional<bool> reflinks{};
};
/// Writes two small files and removes them, where the folder can be written to. Errors: `not_found`, `denied`, `io`.
MEDIA_EXPORT Result<DiskFacts> disk_facts(const std::filesystem::path& folder);

struct CatalogSetting {
  std::string name{};
  std::string value{};
  std::string fault{};  ///< Why this value is dangerous; empty where it is not.
};

struct CatalogFacts {
  std::string engine{};  ///< "SQLite 3.40.1"
  std::vector<CatalogSetting> settings{};
};
/// Of a catalog in a file, as a program that writes to it has it. Changes nothing. Errors: as opening it.
MEDIA_EXPORT Result<CatalogFacts> sqlite_facts(const std::filesystem::path& file);
/// Of a catalog in PostgreSQL. Errors: as opening it.
MEDIA_EXPORT Result<CatalogFacts> postgres_facts(const PostgresRepositoryOptions& options);

}  // namespace media

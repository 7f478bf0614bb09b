/// Stores by their names: a folder, or "s3://bucket/prefix?endpoint=…"; and where a library keeps the bytes that are not beside its
/// catalog.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "media/blob_store.hpp"
#include "media/export.hpp"
#include "media/result.hpp"
#include "media/s3_store.hpp"

namespace media {

/// True for "s3://…"; anything else is a folder.
MEDIA_EXPORT bool is_s3_url(const std::string& location) noexcept;

/// Reads "s3://bucket[/prefix][?name=value&…]" with the names endpoint, public_endpoint, region, path_style (true or false), ca_file,
/// credentials_file and profile, percent-encoded. There is no place for a secret in it. `invalid_argument` where it is malformed.
MEDIA_EXPORT Result<S3StoreOptions> s3_options_from_url(const std::string& url);

/// The URL of the bucket and prefix, with what else it takes to find them: endpoint, region and path_style.
MEDIA_EXPORT std::string s3_url(const S3StoreOptions& options);

struct StoreAtOptions {
  bool read_only = false;
  bool create = true;  ///< Of a folder: false where it must be there (`not_found`).
  std::uint64_t pack_below_bytes = FilesystemStoreOptions{}.pack_below_bytes;
  std::filesystem::path temp_path{};  ///< Empty: the store's own default.
};

/// Opens the store of that name. Errors: those of open_filesystem_store, s3_options_from_url and open_s3_store.
MEDIA_EXPORT Result<std::unique_ptr<BlobStore>> open_store_at(const std::string& location, const StoreAtOptions& options);

/// Where a library whose catalog is in `base_path` keeps its blobs, as noted there; absent: beside the catalog. Errors: `io`, `denied`,
/// `corrupt` (the note is none).
MEDIA_EXPORT Result<std::optional<std::string>> read_store_note(const std::filesystem::path& base_path);

/// Notes it, in the file `<base_path>/blobs`, durably; the folder is made where it is missing. Whoever opens the library another time finds
/// its bytes by it, or is refused, and does not take them for lost. `conflict` where another place is noted.
MEDIA_EXPORT Result<void> note_store(const std::filesystem::path& base_path, const std::string& location);

/// Which catalog belongs to the bytes in `base_path`, where it is not the one that lies beside them, as noted there by `note_catalog`;
/// absent: `catalog.db`. Errors: `io`, `denied`, `corrupt` (the note is none).
MEDIA_EXPORT Result<std::optional<std::string>> read_catalog_note(const std::filesystem::path& base_path);

/// Notes it, in the file `<base_path>/catalog`, durably: "postgresql, schema recipe_manager". To a collection with the wrong catalog
/// everything in the store would be a leftover. `conflict` where another one is noted, or a `catalog.db` is there.
MEDIA_EXPORT Result<void> note_catalog(const std::filesystem::path& base_path, const std::string& catalog);

/// As above after a migration, although a `catalog.db` is there: from now on that one is not opened any more.
MEDIA_EXPORT Result<void> note_migrated_catalog(const std::filesystem::path& base_path, const std::string& catalog);

/// Takes that note away, durably: the bytes belong to the `catalog.db` beside them again. Errors: `not_found` (there is no such file),
/// `io`, `denied`.
MEDIA_EXPORT Result<void> forget_catalog_note(const std::filesystem::path& base_path);

/// `conflict` where the bytes in `base_path` belong to another catalog than the `catalog.db` beside them.
MEDIA_EXPORT Result<void> require_own_catalog(const std::filesystem::path& base_path);

}  // namespace media

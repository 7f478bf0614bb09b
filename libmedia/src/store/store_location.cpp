#include "media/store_location.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <string_view>
#include <system_error>

#include "core/errno_error.hpp"
#include "core/random.hpp"
#include "store/file_ops.hpp"
#include "store/note_file.hpp"
#include "store/s3_text.hpp"

namespace media {
namespace {

constexpr std::string_view kScheme = "s3://";
constexpr const char* kNote = "blobs";
constexpr const char* kCatalogNote = "catalog";
constexpr const char* kOwnCatalog = "catalog.db";

Error malformed(const std::string& what) { return {Errc::invalid_argument, "s3:// URL: " + what}; }

Result<void> set_parameter(S3StoreOptions& options, const std::string& name, const std::string& value) {
  if (name == "endpoint") {
    options.endpoint = value;
  } else if (name == "public_endpoint") {
    options.public_endpoint = value;
  } else if (name == "region") {
    options.region = value;
  } else if (name == "ca_file") {
    options.ca_file = value;
  } else if (name == "credentials_file") {
    options.credentials_file = value;
  } else if (name == "profile") {
    options.profile = value;
  } else if (name == "path_style" && (value == "true" || value == "false")) {
    options.path_style = value == "true";
  } else if (name == "path_style") {
    return malformed("path_style is true or false");
  } else {
    // Not repeated: somebody may have put a key there.
    return malformed(
        "it takes endpoint, public_endpoint, region, path_style, ca_file, credentials_file and profile; keys come from the environment");
  }
  return {};
}

}  // namespace

bool is_s3_url(const std::string& location) noexcept { return location.starts_with(kScheme); }

Result<S3StoreOptions> s3_options_from_url(const std::string& url) {
  if (!is_s3_url(url)) return malformed("it begins with s3://");
  std::string_view rest = std::string_view(url).substr(kScheme.size());
  S3StoreOptions options;
  const auto question = rest.find('?');
  std::string_view query = question == std::string_view::npos ? std::string_view() : rest.substr(question + 1);
  rest = rest.substr(0, question);
  options.bucket = store::s3::percent_decode(rest.substr(0, rest.find('/')));
  if (options.bucket.empty() || options.bucket.find('@') != std::string::npos) return malformed("a bucket's name follows s3://");
  if (const auto slash = rest.find('/'); slash != std::string_view::npos)
    options.prefix = store::s3::percent_decode(rest.substr(slash + 1));
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const auto equals = pair.find('=');
    const std::string value = equals == std::string_view::npos ? std::string() : store::s3::percent_decode(pair.substr(equals + 1));
    MEDIA_TRY(set_parameter(options, store::s3::percent_decode(pair.substr(0, equals)), value));
  }
  return options;
}

std::string s3_url(const S3StoreOptions& options) {
  std::string url = std::string(kScheme) + store::s3::percent_encode(options.bucket);
  std::string prefix = options.prefix;
  if (prefix.ends_with('/')) prefix.pop_back();
  if (!prefix.empty()) url += '/' + store::s3::percent_encode(prefix, true);
  url += "?region=" + store::s3::percent_encode(options.region);
  if (!options.endpoint.empty()) url += "&endpoint=" + store::s3::percent_encode(options.endpoint);
  if (!options.path_style) url += "&path_style=false";
  return url;
}

Result<std::unique_ptr<BlobStore>> open_store_at(const std::string& location, const StoreAtOptions& wanted) {
  if (is_s3_url(location)) {
    MEDIA_TRY_ASSIGN(S3StoreOptions options, s3_options_from_url(location));
    options.read_only = wanted.read_only;
    options.temp_path = wanted.temp_path;
    return open_s3_store(options);
  }
  if (location.empty()) return Error{Errc::invalid_argument, "open a store: no place named"};
  std::error_code failure;
  if (!wanted.create && !std::filesystem::is_directory(location, failure)) {
    return Error{Errc::not_found, "open store " + location + ": there is no such folder"};
  }
  FilesystemStoreOptions options;
  options.base_path = location;
  options.temp_path = wanted.temp_path;
  options.pack_below_bytes = wanted.pack_below_bytes;
  options.read_only = wanted.read_only;
  return open_filesystem_store(options);
}

Result<std::optional<std::string>> read_store_note(const std::filesystem::path& base_path) {
  MEDIA_TRY_ASSIGN(auto text, store::read_note(base_path / kNote));
  if (text && (!is_s3_url(*text) || !s3_options_from_url(*text))) {
    return Error{Errc::corrupt, "read " + (base_path / kNote).string() + ": it does not say where the blobs are"};
  }
  return text;
}

Result<void> note_store(const std::filesystem::path& base_path, const std::string& location) {
  MEDIA_TRY_ASSIGN(const auto noted, read_store_note(base_path));
  if (noted && *noted == location) return {};
  if (noted) {
    return Error{Errc::conflict, "the library in " + base_path.string() + " keeps its blobs in " + *noted + ", not in " + location +
                                     "; once they are moved, remove the file '" + (base_path / kNote).string() + "'"};
  }
  return store::write_note(base_path, kNote, location);
}

Result<std::optional<std::string>> read_catalog_note(const std::filesystem::path& base_path) {
  return store::read_note(base_path / kCatalogNote);
}

Result<void> note_catalog(const std::filesystem::path& base_path, const std::string& catalog) {
  MEDIA_TRY_ASSIGN(const auto noted, read_catalog_note(base_path));
  if (noted && *noted == catalog) return {};
  if (noted) {
    return Error{Errc::conflict, "the bytes in " + base_path.string() + " belong to the catalog in " + *noted + ", not in " + catalog +
                                     "; once it is moved, remove the file '" + (base_path / kCatalogNote).string() + "'"};
  }
  std::error_code failure;
  if (std::filesystem::exists(base_path / kOwnCatalog, failure)) {
    return Error{Errc::conflict, "the bytes in " + base_path.string() + " belong to the " + kOwnCatalog + " beside them, and not to " +
                                     catalog + ", which does not know them; use another folder, or move that file away"};
  }
  return store::write_note(base_path, kCatalogNote, catalog);
}

Result<void> note_migrated_catalog(const std::filesystem::path& base_path, const std::string& catalog) {
  return store::write_note(base_path, kCatalogNote, catalog);
}

Result<void> forget_catalog_note(const std::filesystem::path& base_path) {
  std::error_code failure;
  if (!std::filesystem::exists(base_path / kOwnCatalog, failure)) {
    return Error{Errc::not_found, "there is no " + (base_path / kOwnCatalog).string() + " for the bytes there to belong to"};
  }
  const auto path = base_path / kCatalogNote;
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return errno_error(errno, "remove " + path.string());
  return store::sync_folder(AT_FDCWD, base_path.c_str(), base_path.string());
}

Result<void> require_own_catalog(const std::filesystem::path& base_path) {
  MEDIA_TRY_ASSIGN(const auto noted, read_catalog_note(base_path));
  if (!noted) return {};
  return Error{Errc::conflict, "the bytes in " + base_path.string() + " belong to the catalog in " + *noted};
}

}  // namespace media

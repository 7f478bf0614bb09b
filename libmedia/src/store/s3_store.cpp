/// The S3 store: blobs as objects `<prefix>ab/cd/ef/<64 hex>`.
#include "media/s3_store.hpp"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "core/random.hpp"
#include "store/blob_layout.hpp"
#include "store/file_ops.hpp"
#include "store/s3_client.hpp"
#include "store/s3_listing.hpp"
#include "store/s3_quarantine.hpp"
#include "store/s3_reader.hpp"
#include "store/s3_staged.hpp"
#include "store/s3_upload.hpp"
#include "store/temp_folder.hpp"

namespace media {
namespace store::s3 {
namespace {

constexpr unsigned kReadAheadThreads = 4;
constexpr std::chrono::seconds kCheckLimit{2};
/// Asked for within transactions of the catalog, which others wait for.
constexpr std::chrono::seconds kStatLimit{5};
/// Well within the time that a collection's claim holds.
constexpr std::chrono::seconds kRemoveLimit{20};
constexpr std::chrono::hours kOldTemp{24};
constexpr std::chrono::seconds kMostPresigned{std::chrono::hours{24 * 7}};
constexpr std::uint64_t kLeastPart = std::uint64_t{5} << 20U;
constexpr std::uint64_t kMostPart = std::uint64_t{5} << 30U;

/// Publishing promises four codes: any other failure on the way is a damaged or wrong store (`io`), not a matter of the caller's content.
Error as_publish_error_of_s3(Error error) {
  const bool promised = error.code == Errc::no_space || error.code == Errc::denied || error.code == Errc::unavailable;
  if (!promised) error.code = Errc::io;
  return error;
}

/// Thread-safety: as `BlobStore`; nothing changes after construction but what its parts guard themselves.
class S3Store final : public BlobStore, public PresigningStore {
 public:
  S3Store(const S3StoreOptions& options, std::shared_ptr<Client> client, std::shared_ptr<TempFolder> temp)
      : options_(options),
        client_(std::move(client)),
        temp_(std::move(temp)),
        read_ahead_(std::make_shared<ReadAhead>(options.read_ahead_bytes, kReadAheadThreads)),
        uploader_(client_, options.upload_threads, options.prefix, options.stale_upload_age) {}

  Result<std::unique_ptr<BlobWriter>> begin(std::optional<std::uint64_t> expected_size) override {
    MEDIA_TRY(writable("begin a blob"));
    return std::unique_ptr<BlobWriter>(std::make_unique<S3Writer>(temp_, options_.buffer_bytes, options_.part_bytes, expected_size));
  }
  Result<void> publish(std::span<const std::unique_ptr<Staged>> staged) override;
  Result<std::unique_ptr<ByteReader>> open(const Digest& digest) const override {
    return open_object(client_, read_ahead_, key_of(digest), digest);
  }
  Result<std::optional<BlobStat>> stat(const Digest& digest) const override;
  Result<bool> remove(const Digest& digest) override;
  Result<BlobPage> list(const std::string& cursor, std::size_t limit) const override {
    return list_objects(*client_, options_.prefix, cursor, limit);
  }
  Result<bool> quarantine(const Digest& digest) override {
    MEDIA_TRY(writable("quarantine a blob"));
    return quarantine_object(*client_, key_of(digest), options_.prefix + "quarantine/", digest);
  }
  /// An object that is removed is gone; copies that were set aside are objects of their own. What a bucket's versioning keeps is the
  /// bucket's owner's to expire.
  Result<void> wipe(std::span<const Digest> removed, const std::stop_token& stop) override {
    MEDIA_TRY(writable("wipe removed blobs"));
    for (const Digest& digest : removed) {
      if (stop.stop_requested()) return Error{Errc::cancelled, "wipe removed blobs: stopped"};
      MEDIA_TRY(remove_objects(*client_, options_.prefix + "quarantine/" + digest.to_hex()));
    }
    return {};
  }
  Result<void> check() override;
  const PresigningStore* presigning() const noexcept override { return this; }
  Result<std::string> presign_get(const Digest& digest, const PresignOptions& options) const override;

  /// Is there such a bucket, and may we look into it?
  Result<void> ask_bucket() const;
  void sweep() {
    uploader_.sweep();
    remove_old_objects(*client_, options_.prefix + "temp/", kOldTemp);
  }

 private:
  [[nodiscard]] std::string key_of(const Digest& digest) const { return options_.prefix + blob_path(digest); }
  /// Without a temp folder the store is open for reading only.
  [[nodiscard]] Result<void> writable(const char* operation) const {
    if (!temp_) return Error{Errc::denied, std::string(operation) + ": the store is open for reading only"};
    return {};
  }

  const S3StoreOptions options_;
  std::shared_ptr<Client> client_;
  std::shared_ptr<TempFolder> temp_;
  std::shared_ptr<ReadAhead> read_ahead_;
  Uploader uploader_;
};

Result<void> S3Store::publish(std::span<const std::unique_ptr<Staged>> staged) {
  MEDIA_TRY(writable("publish"));
  std::vector<Upload> uploads;
  std::set<Digest> seen;
  for (const auto& each : staged) {
    const auto* const content = dynamic_cast<const S3Staged*>(each.get());
    if (content == nullptr || content->folder() != temp_) return Error{Errc::invalid_argument, "publish: a content of another store"};
    if (seen.insert(content->digest()).second) uploads.push_back({content, key_of(content->digest())});
  }
  if (auto sent = uploader_.run(uploads); !sent) return as_publish_error_of_s3(std::move(sent).error());
  return {};
}

Result<std::optional<BlobStat>> S3Store::stat(const Digest& digest) const {
  Call call;
  call.what = "stat blob " + digest.to_hex();
  call.method = "HEAD";
  call.deadline = std::chrono::steady_clock::now() + kStatLimit;
  call.key = key_of(digest);
  call.answers = {404};
  MEDIA_TRY_ASSIGN(const auto answer, client_->perform(call));
  if (answer.status == 404) {
    // An answer to HEAD has no body that would tell a missing object from a missing bucket, and much is decided by an absence.
    call.method = "GET";
    call.headers = {{"range", "bytes=0-0"}};
    MEDIA_TRY_ASSIGN(const auto again, client_->perform(call));
    if (again.status != 404) return Error{Errc::unavailable, call.what + ": it is being stored at this moment"};
    return std::optional<BlobStat>();
  }
  BlobStat stat;
  const std::string& length = answer.header("content-length");
  const auto [end, failure] = std::from_chars(length.data(), length.data() + length.size(), stat.size);
  if (failure != std::errc() || end != length.data() + length.size()) return Error{Errc::io, call.what + ": an answer without a length"};
  stat.identity = answer.header("etag") + '/' + answer.header("last-modified") + '/' + answer.header(kGenerationHeader);
  return std::optional(std::move(stat));
}

Result<bool> S3Store::remove(const Digest& digest) {
  MEDIA_TRY(writable("remove a blob"));
  // S3 removes what is not there with the same answer as what is.
  MEDIA_TRY_ASSIGN(const auto found, stat(digest));
  if (!found) return false;
  Call call;
  call.what = "remove blob " + digest.to_hex();
  call.method = "DELETE";
  call.deadline = std::chrono::steady_clock::now() + kRemoveLimit;
  call.key = key_of(digest);
  call.answers = {404};
  MEDIA_TRY(client_->perform(call));
  return true;
}

Result<void> S3Store::check() {
  MEDIA_TRY(writable("check the store"));
  const std::string content = random_hex(16);
  const auto bytes = std::as_bytes(std::span(content));
  const MemoryReader reader(bytes);
  Call call;
  call.what = "check bucket '" + options_.bucket + "'";
  call.deadline = std::chrono::steady_clock::now() + kCheckLimit;
  call.method = "PUT";
  call.key = options_.prefix + "temp/check-" + random_hex(8);
  call.body = {&reader, 0, bytes.size()};
  call.payload_hash = Digest::of(bytes).to_hex();
  MEDIA_TRY(client_->perform(call));
  call.method = "GET";
  call.body = {};
  call.payload_hash.clear();
  const auto back = client_->perform(call);
  call.method = "DELETE";
  const auto removed = client_->perform(call);
  if (!back) return back.error();
  if (back->text != content) return Error{Errc::io, call.what + ": other bytes came back than were stored"};
  if (!removed) return removed.error();
  return {};
}

Result<std::string> S3Store::presign_get(const Digest& digest, const PresignOptions& options) const {
  if (options.lifetime < std::chrono::seconds(1) || options.lifetime > kMostPresigned) {
    return Error{Errc::invalid_argument, "presign a blob: it may live for 1 second to 7 days"};
  }
  Fields query;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) query.emplace_back(name, value);
    return std::none_of(value.begin(), value.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  };
  if (!add("response-content-type", options.content_type) || !add("response-content-disposition", options.content_disposition) ||
      !add("response-cache-control", options.cache_control)) {
    return Error{Errc::invalid_argument, "presign a blob: control characters in what it shall say"};
  }
  return client_->presign(key_of(digest), query, options.lifetime);
}

Result<void> S3Store::ask_bucket() const {
  Call call;
  call.what = "open bucket '" + options_.bucket + "'";
  call.method = "GET";
  call.query = {{"list-type", "2"}, {"max-keys", "1"}, {"prefix", options_.prefix}};
  call.answers = {404};
  MEDIA_TRY_ASSIGN(const auto answer, client_->perform(call));
  if (answer.status == 404) return Error{Errc::not_found, call.what + ": there is no such bucket at " + options_.endpoint};
  return {};
}

bool is_bucket_name(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
  return plain && name.size() >= 3 && name.size() <= 255 && name.front() != '.';
}

Result<void> check_options(S3StoreOptions& options) {
  const auto wrong = [](const std::string& what) { return Error{Errc::invalid_argument, "open an S3 store: " + what}; };
  if (!is_bucket_name(options.bucket)) return wrong("the bucket's name has 3 to 255 letters, digits, '-', '.' or '_'");
  if (options.region.empty() || options.region.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) {
    return wrong("the region is a name such as us-east-1");
  }
  if (options.endpoint.empty()) options.endpoint = "https://s3." + options.region + ".amazonaws.com";
  for (const std::string& endpoint : {options.endpoint, options.public_endpoint}) {
    if (endpoint.empty()) continue;
    if (const auto parsed = parse_endpoint(endpoint); !parsed) return wrong(parsed.error().message);
  }
  if (options.prefix.starts_with('/') || options.prefix.find("//") != std::string::npos || options.prefix.size() > 512 ||
      std::any_of(options.prefix.begin(), options.prefix.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
    return wrong("a prefix has no slash at its front, no empty part, and at most 512 bytes");
  }
  if (!options.prefix.empty() && !options.prefix.ends_with('/')) options.prefix.push_back('/');
  if (options.part_bytes < kLeastPart || options.part_bytes > kMostPart) return wrong("a part has 5 MiB to 5 GiB");
  if (options.upload_threads == 0 || options.max_connections == 0 || options.attempts == 0) {
    return wrong("there is at least one thread, one connection and one attempt");
  }
  return {};
}

}  // namespace
}  // namespace store::s3

Result<std::unique_ptr<BlobStore>> open_s3_store(const S3StoreOptions& wanted) {
  S3StoreOptions options = wanted;
  MEDIA_TRY(store::s3::check_options(options));
  MEDIA_TRY_ASSIGN(auto client, store::s3::Client::make(options));
  std::shared_ptr<store::TempFolder> temp;
  if (!options.read_only) {
    std::error_code failure;
    if (options.temp_path.empty()) options.temp_path = std::filesystem::temp_directory_path(failure) / "libmedia-s3";
    if (failure) return Error{Errc::invalid_argument, "open an S3 store: the system has no temp folder"};
    MEDIA_TRY(store::make_folders(options.temp_path));
    MEDIA_TRY_ASSIGN(temp, store::TempFolder::open(options.temp_path));
  }
  auto opened = std::make_unique<store::s3::S3Store>(options, std::move(client), std::move(temp));
  MEDIA_TRY(opened->ask_bucket());
  if (!options.read_only) opened->sweep();
  return std::unique_ptr<BlobStore>(std::move(opened));
}

}  // namespace media

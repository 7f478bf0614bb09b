/// Blobs in a bucket of an S3-compatible object store.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "media/blob_store.hpp"
#include "media/clock.hpp"
#include "media/export.hpp"
#include "media/result.hpp"

namespace media {

/// What requests are signed with.
struct S3Credentials {
  std::string access_key_id{};
  std::string secret_access_key{};
  std::string session_token{};  ///< Of temporary credentials; else empty.
};

struct S3StoreOptions {
  /// "https://host[:port]" or http. Empty: AWS's own of the region.
  std::string endpoint{};
  /// The endpoint in presigned URLs, where clients know the object store by another name. Empty: `endpoint`.
  std::string public_endpoint{};
  std::string region = "us-east-1";
  std::string bucket{};  ///< Must exist.
  /// Stands before every key; a slash is put at its end where it lacks one. Empty: none.
  std::string prefix{};
  /// True: the bucket is the first part of the path. False: of the host's name.
  bool path_style = true;

  /// Where the access key is empty: from `credentials_file`; where that is empty too, the environment's (AWS_ACCESS_KEY_ID,
  /// AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), else the file that AWS_SHARED_CREDENTIALS_FILE names, else ~/.aws/credentials.
  S3Credentials credentials{};
  /// In the form of ~/.aws/credentials; read again whenever it changes.
  std::filesystem::path credentials_file{};
  std::string profile{};            ///< Empty: AWS_PROFILE, else "default".
  std::filesystem::path ca_file{};  ///< PEM certificates to trust instead of the system's.

  /// What is larger than `buffer_bytes` waits here to be sent. Made where it is missing. Empty: `libmedia-s3` in the system's temp folder.
  std::filesystem::path temp_path{};
  std::size_t buffer_bytes = 256U << 10U;
  /// Contents of more than one part go up as a multipart upload, several parts at once. 5 MiB to 5 GiB; grows for contents announced to be
  /// larger than 9,000 of them, beyond 10,000 a content is `too_large`.
  std::uint64_t part_bytes = std::uint64_t{16} << 20U;
  unsigned upload_threads = 8;  ///< Of one process, for all `publish` together.
  unsigned max_connections = 32;
  /// For what readers hold, all together: each reads ahead less, the more there are.
  std::size_t read_ahead_bytes = std::size_t{32} << 20U;

  std::chrono::milliseconds connect_timeout{5'000};
  /// An attempt that moves less than 1 KiB a second for so long is given up.
  std::chrono::seconds stall_timeout{15};
  /// Of one attempt in all, and a second more for each 64 KiB of its body.
  std::chrono::seconds attempt_timeout{30};
  unsigned attempts = 5;                       ///< Of a request, in all.
  std::chrono::milliseconds first_pause{100};  ///< Before the second attempt, at most; doubles, up to 5 s.
  /// Multipart uploads of nobody's that are older are aborted: at opening, and once an hour by a store that uploads.
  std::chrono::seconds stale_upload_age{std::chrono::hours{24}};

  /// Open for reading only: no temp folder is made, `begin`, `publish`, `remove` and `quarantine` answer `denied`.
  bool read_only = false;
  std::shared_ptr<const Clock> clock{};  ///< Requests carry its time. Default: the system's.
};

/// Blobs as objects `<prefix>ab/cd/ef/<64 hex>`, as a filesystem store names its files.
///
/// A content is hashed as it is written; the object store is told the digest with the bytes (of each part, where there are several) and
/// refuses what arrived otherwise. What is read in order from its first byte to its last is hashed on the way: `corrupt` takes the place of
/// the last bytes where the digest is another. A reader keeps its bytes when the blob is removed as far as it has read ahead; beyond that
/// `unavailable`. Requests that fail by overload or by the network are made again, after pauses that grow and are drawn by chance.
///
/// Opening asks the bucket. Errors: `invalid_argument` (the options; the bucket is in another region), `not_found` (no such bucket, no
/// credentials file), `denied` (credentials, clock, certificate), `unavailable`, and `unsupported` in a build without S3.
MEDIA_EXPORT Result<std::unique_ptr<BlobStore>> open_s3_store(const S3StoreOptions& options);

}  // namespace media

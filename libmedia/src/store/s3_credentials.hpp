/// Where the keys come from, and whether they are still the same.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

#include "media/s3_store.hpp"

namespace media::store::s3 {

/// The credentials of a profile in a text of the form of ~/.aws/credentials. `not_found` where it lacks the profile or one of its keys.
Result<S3Credentials> parse_credentials(std::string_view text, std::string_view profile);

/// Thread-safety: `current` may be called concurrently, because a mutex guards what was read last.
class CredentialSource {
 public:
  /// Decides where from: see S3StoreOptions::credentials. Reads nothing yet.
  explicit CredentialSource(const S3StoreOptions& options);

  /// Those that are good now. A file that changed is read again; where it is not whole then, what was read before goes on.
  /// Errors: `denied` (none anywhere), `not_found` (no such file or profile).
  Result<S3Credentials> current();

 private:
  Result<S3Credentials> read_file() const;

  S3Credentials fixed_;
  std::filesystem::path file_;
  std::string profile_;
  std::mutex mutex_;
  std::string seen_;  ///< What tells one state of the file from another.
  S3Credentials last_;
};

}  // namespace media::store::s3

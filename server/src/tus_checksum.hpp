/// Checksums of the tus protocol's checksum extension.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

struct evp_md_ctx_st;

namespace media::server {

enum class ChecksumAlgorithm { sha1, sha256 };

/// A checksum in progress.
///
/// Thread-safety: none; it has a position.
class RunningChecksum {
 public:
  explicit RunningChecksum(ChecksumAlgorithm algorithm);
  void update(std::span<const std::byte> bytes);
  /// The raw digest of everything so far. Only once.
  std::string finish();

 private:
  struct ContextDeleter {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, ContextDeleter> context_;
};

}  // namespace media::server

/// The built-in Ingest.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "media/library.hpp"

namespace media {

inline bool has_expired(const Media& media, Timestamp now) noexcept { return media.expires_at && *media.expires_at <= now; }

/// The media that came by an idempotency key. One that has expired goes at once, for its key is free again.
inline Result<std::optional<Media>> find_by_key(Transaction& transaction, const std::string& owner, const std::string& key, Timestamp now) {
  MEDIA_TRY_ASSIGN(auto media, transaction.find_media_by_idempotency_key(owner, key));
  if (!media || !has_expired(*media, now)) return media;
  MEDIA_TRY(transaction.remove_media(media->id));
  return std::optional<Media>();
}

inline std::string without_folders(std::string name) {
  const auto slash = name.find_last_of("/\\");
  if (slash != std::string::npos) name.erase(0, slash + 1);
  return name;
}

class PendingIngest final : public Ingest {
 public:
  PendingIngest(IngestRequest wanted, std::uint64_t limit) : request(std::move(wanted)), limit_bytes(limit) {
    request.filename = without_folders(std::move(request.filename));
  }

  Result<void> write(std::span<const std::byte> piece) override {
    if (quota_left && piece.size() > *quota_left - std::min(*quota_left, size_bytes)) {
      return Error{Errc::too_large,
                   "quota: the file is larger than the " + std::to_string(*quota_left) + " bytes that are left to its owner"};
    }
    if (piece.size() > limit_bytes - std::min(limit_bytes, size_bytes)) {
      return Error{Errc::too_large, "the file is larger than the limit of " + std::to_string(limit_bytes) + " bytes"};
    }
    MEDIA_TRY(writer->write(piece));
    size_bytes += piece.size();
    return {};
  }
  void rename(std::string filename) override { request.filename = without_folders(std::move(filename)); }

  IngestRequest request;
  std::uint64_t limit_bytes;
  std::uint64_t size_bytes = 0;
  std::unique_ptr<BlobWriter> writer;
  /// What became of the writer, or a file that the store shares; null where neither has happened yet.
  Result<std::unique_ptr<Staged>> staged = std::unique_ptr<Staged>();
  FileSharing shared = FileSharing::none;
  std::string copied_because;
  /// The promise that this fills, if it fills one.
  std::optional<UploadSession> upload;
  /// The resumable upload that becomes a media by this.
  std::optional<ResumableUpload> completes;
  /// Set by `prepare`: read again where the store turns out to lack the bytes after all.
  const ByteReader* content = nullptr;
  std::optional<Digest> hashed;
  std::optional<Verdict> verdict;
  bool has_pictures = false;  ///< The processor can make some of it.
  std::string traceparent{};  ///< Of what asked for it; empty: nobody traces.
  /// What was found that keeps it back, if it comes in.
  Hold hold = Hold::none;
  std::string hold_detail;
  /// What is left of the owner's quota, where the size was not announced.
  std::optional<std::uint64_t> quota_left;
};

}  // namespace media

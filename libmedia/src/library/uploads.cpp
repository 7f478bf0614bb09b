// Promised uploads: a media that waits for its bytes, and the token under which they may come.

#include "core/random.hpp"
#include "library/library_impl.hpp"
#include "library/pending_ingest.hpp"

namespace media {
namespace {

constexpr std::size_t kTokenBytes = 16;
constexpr std::size_t kSweepAtOnce = 256;

Result<void> check_promise(const UploadPromise& promise, const AdmissionPolicy& policy) {
  if (promise.owner.empty() || promise.owner.size() > 255) return Error{Errc::invalid_argument, "promise: an owner has 1 to 255 bytes"};
  if (promise.filename.empty() || promise.filename.size() > 255) {
    return Error{Errc::invalid_argument, "promise: a file name has 1 to 255 bytes"};
  }
  if (promise.size_bytes == 0) return Error{Errc::invalid_argument, "promise: a size of at least 1 byte"};
  if (promise.lifetime.count() <= 0) return Error{Errc::invalid_argument, "promise: a lifetime of at least 1 second"};
  if (promise.size_bytes > policy.max_bytes()) {
    return Error{Errc::too_large, "promise: the limit is " + std::to_string(policy.max_bytes()) + " bytes"};
  }
  return {};
}

/// What the same key asked for before, if it did.
struct Earlier {
  Media media{};
  std::optional<UploadSession> session{};  ///< Absent: forgotten since, which a promise that was kept is in time.
};

Result<std::optional<Earlier>> find_same_promise(Transaction& transaction, const UploadPromise& promise, Timestamp now) {
  if (promise.idempotency_key.empty()) return std::optional<Earlier>();
  MEDIA_TRY_ASSIGN(auto media, find_by_key(transaction, promise.owner, promise.idempotency_key, now));
  if (!media) return std::optional<Earlier>();
  MEDIA_TRY_ASSIGN(auto session, transaction.find_upload_of_media(media->id));
  // Without its session a media is known by what it became.
  const bool same = session ? session->filename == promise.filename && session->media_type == promise.media_type &&
                                  session->size_bytes == promise.size_bytes && session->digest == promise.digest
                            : media->filename == promise.filename && media->media_type == promise.media_type &&
                                  media->size_bytes == promise.size_bytes && (!promise.digest || media->digest == promise.digest);
  if (!same) return Error{Errc::conflict, "this Idempotency-Key was used for another upload"};
  return std::optional(Earlier{std::move(*media), std::move(session)});
}

}  // namespace

Result<UploadSession> LibraryImpl::promise(const UploadPromise& wanted) {
  if (options_.read_only) return Error{Errc::denied, "promise: the library is open for reading only"};
  UploadPromise promise = wanted;
  promise.filename = without_folders(std::move(promise.filename));
  MEDIA_TRY(check_promise(promise, options_.policy));
  UploadSession session;
  // Drawn outside: the closure may run again, and must write the same.
  const std::string token = promise.token_prefix + random_hex(kTokenBytes);
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    const Timestamp now = clock_->now();
    MEDIA_TRY_ASSIGN(const auto earlier, find_same_promise(transaction, promise, now));
    if (earlier && earlier->session && earlier->session->expires_at > now && !promise.renew) {
      session = *earlier->session;
      return {};
    }
    session = UploadSession{};
    if (earlier) {
      // The same media under another token; whoever sends the same bytes to a promise that was kept hears so.
      session.media_id = earlier->media.id;
      session.state = earlier->media.digest ? UploadState::complete : UploadState::open;
      if (earlier->session) MEDIA_TRY(transaction.remove_upload(earlier->session->token));
    } else {
      Media media;
      media.owner = promise.owner;
      media.filename = promise.filename;
      media.media_type = promise.media_type;
      media.size_bytes = promise.size_bytes;
      media.visibility = promise.visibility;
      media.idempotency_key = promise.idempotency_key;
      media.uploaded_at = now;
      media.updated_at = now;
      MEDIA_TRY_ASSIGN(const auto own_quota, transaction.find_quota(promise.owner));
      MEDIA_TRY_ASSIGN(const auto excess, find_excess(transaction, promise.owner, own_quota, promise.size_bytes));
      if (excess) return Error{Errc::too_large, *excess};
      MEDIA_TRY_ASSIGN(session.media_id, transaction.insert_media(media));
    }
    session.token = token;
    session.owner = promise.owner;
    session.filename = promise.filename;
    session.media_type = promise.media_type;
    session.size_bytes = promise.size_bytes;
    session.digest = promise.digest;
    session.created_at = now;
    // Whole seconds: the URL carries them.
    session.expires_at = std::chrono::floor<std::chrono::seconds>(now) + promise.lifetime;
    return transaction.put_upload(session);
  }));
  return session;
}

Result<std::size_t> LibraryImpl::sweep_uploads() {
  std::size_t swept = 0;
  for (;;) {
    std::size_t found = 0;
    MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY_ASSIGN(const auto expired, transaction.list_expired_uploads(clock_->now(), kSweepAtOnce));
      found = expired.size();
      for (const UploadSession& session : expired) {
        if (session.state == UploadState::complete) {
          MEDIA_TRY(transaction.remove_upload(session.token));
        } else {
          MEDIA_TRY(transaction.remove_media(session.media_id));
        }
      }
      return {};
    }));
    swept += found;
    if (found < kSweepAtOnce) break;
  }
  MEDIA_TRY_ASSIGN(const std::size_t resumable, sweep_resumable());
  return swept + resumable;
}

}  // namespace media

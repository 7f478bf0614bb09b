// Resumable uploads: bytes that gather in the spool over many requests, and become a media when the last one is there.

#include <algorithm>
#include <thread>

#include "core/random.hpp"
#include "library/library_impl.hpp"
#include "library/pending_ingest.hpp"
#include "repository/unfinished_uploads.hpp"

namespace media {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kSweepAtOnce = 256;
constexpr std::size_t kMaxParts = 256;

/// How much, and how long, a request may write before it is settled by itself: what a crash in the middle of a long request can cost.
constexpr std::uint64_t kSettleBytes = 8ULL << 20U;
constexpr std::chrono::milliseconds kSettleAfter{1000};
constexpr std::chrono::milliseconds kAskAgain{20};

class PendingResumption final : public Resumption {
 public:
  /// `spooled` is null where the upload is done.
  PendingResumption(UploadTurns::Turn turn, ResumableUpload upload, std::unique_ptr<SpooledUpload> spooled)
      : turn_(std::move(turn)), upload_(std::move(upload)), spooled_(std::move(spooled)) {}

  [[nodiscard]] const ResumableUpload& upload() const noexcept override { return upload_; }
  [[nodiscard]] std::uint64_t offset() const noexcept override { return spooled_ ? spooled_->length() : upload_.size_bytes; }
  [[nodiscard]] std::uint64_t settled_offset() const noexcept override {
    return spooled_ ? spooled_->settled_length() : upload_.size_bytes;
  }
  void hold_back() noexcept override { held_back_ = true; }

  Result<void> write(std::span<const std::byte> piece) override {
    if (piece.empty()) return {};
    if (piece.size() > upload_.size_bytes - std::min(upload_.size_bytes, offset())) {
      return Error{Errc::too_large, "the upload was announced with " + std::to_string(upload_.size_bytes) + " bytes"};
    }
    if (spooled_->length() == spooled_->settled_length()) unsettled_since_ = steady_clock::now();
    MEDIA_TRY(spooled_->append(spooled_->length(), piece));
    if (held_back_) return {};
    const bool enough = spooled_->length() - spooled_->settled_length() >= kSettleBytes;
    if (enough || steady_clock::now() - unsettled_since_ >= kSettleAfter) return spooled_->settle();
    return {};
  }
  Result<void> settle() override { return spooled_ ? spooled_->settle() : Result<void>(); }
  Result<void> discard() override { return spooled_ ? spooled_->discard() : Result<void>(); }
  [[nodiscard]] std::stop_token asked_to_stop() const noexcept override { return turn_.asked_to_stop(); }

 private:
  UploadTurns::Turn turn_;  // first, so that it ends last: whoever waits for it finds the spool free
  ResumableUpload upload_;
  std::unique_ptr<SpooledUpload> spooled_;
  bool held_back_ = false;
  steady_clock::time_point unsettled_since_;
};

Result<void> check_request(const ResumableRequest& request) {
  if (request.owner.empty() || request.owner.size() > 255) return Error{Errc::invalid_argument, "an owner has 1 to 255 bytes"};
  if (request.filename.size() > 255) return Error{Errc::invalid_argument, "a file name has at most 255 bytes"};
  if (request.lifetime.count() <= 0) return Error{Errc::invalid_argument, "a lifetime of at least 1 second"};
  return {};
}

ResumableUpload upload_from(const ResumableRequest& request, Timestamp now) {
  ResumableUpload upload;
  upload.id = random_hex(kIdBytes);
  upload.owner = request.owner;
  upload.kind = request.is_part ? ResumableKind::partial : ResumableKind::whole;
  upload.filename = without_folders(request.filename);
  upload.media_type = request.declared_type;
  upload.metadata = request.metadata;
  upload.size_bytes = request.size_bytes;
  upload.created_at = now;
  // Whole seconds: the HTTP date that tells of it has no more.
  upload.expires_at = std::chrono::floor<std::chrono::seconds>(now) + request.lifetime;
  return upload;
}

/// Contents one behind the other, as one.
class JoinedReader final : public ByteReader {
 public:
  void add(std::unique_ptr<ByteReader> part) {
    size_ += part->size();
    ends_.push_back(size_);
    parts_.push_back(std::move(part));
  }
  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    std::size_t have = 0;
    auto part = static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), offset) - ends_.begin());
    for (; part < parts_.size() && have < into.size(); ++part) {
      const std::uint64_t begin = ends_[part] - parts_[part]->size();
      MEDIA_TRY_ASSIGN(const std::size_t got, parts_[part]->read_at(offset + have - begin, into.subspan(have)));
      have += got;
    }
    return have;
  }

 private:
  std::vector<std::unique_ptr<ByteReader>> parts_;
  std::vector<std::uint64_t> ends_;  ///< Of each part, in the whole.
  std::uint64_t size_ = 0;
};

Error absent() { return {Errc::not_found, "there is no such upload"}; }
Error busy() { return {Errc::unavailable, "another request is at this upload"}; }

}  // namespace

Result<std::unique_ptr<Resumption>> LibraryImpl::begin_resumable(const ResumableRequest& request) {
  if (options_.read_only) return Error{Errc::denied, "begin an upload: the library is open for reading only"};
  MEDIA_TRY(check_request(request));
  if (request.size_bytes == 0) return Error{Errc::invalid_argument, "an upload has at least 1 byte"};
  if (request.size_bytes > options_.policy.max_bytes()) {
    return Error{Errc::too_large, "the limit is " + std::to_string(options_.policy.max_bytes()) + " bytes"};
  }
  MEDIA_TRY_ASSIGN(const auto excess, find_excess(request.owner, request.size_bytes));
  if (excess) return Error{Errc::too_large, *excess};
  const Timestamp now = clock_->now();
  const ResumableUpload upload = upload_from(request, now);
  const auto check_unfinished = [&]() -> Result<void> {
    const auto* const uploads = dynamic_cast<const UnfinishedUploads*>(repository_.get());
    MEDIA_TRY_ASSIGN(const auto state, quota(request.owner));
    if (uploads == nullptr || !state.quota.max_bytes) return {};
    MEDIA_TRY_ASSIGN(const std::uint64_t unfinished, uploads->unfinished_bytes(request.owner, now));
    const std::uint64_t left = *state.quota.max_bytes - std::min(*state.quota.max_bytes, state.usage.size_bytes);
    if (unfinished <= left) return {};
    return Error{Errc::too_large, "quota: its owner has media of " + std::to_string(state.usage.size_bytes) +
                                      " bytes and, with this one, unfinished uploads of " + std::to_string(unfinished) +
                                      " bytes, and may have " + std::to_string(*state.quota.max_bytes) + " bytes"};
  };
  auto turn = turns_.take(upload.id, steady_clock::now());
  if (!turn) return busy();
  // The file before the row, as everywhere: a crash leaves a file that nobody knows, which is swept, and never a row without a file.
  // It is held until the row is there, so that the sweep does not come in between.
  MEDIA_TRY_ASSIGN(auto spooled, spool_->create(upload.id));
  const auto written = repository_->write([&](Transaction& transaction) { return transaction.put_resumable_upload(upload); });
  if (!written) {
    static_cast<void>(spool_->remove(upload.id));  // else the sweep does it
    return written.error();
  }
  // With its row there: of two that begin at once, each sees the other.
  if (auto within = check_unfinished(); !within) {
    static_cast<void>(repository_->write([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY(transaction.remove_resumable_upload(upload.id));
      return {};
    }));
    static_cast<void>(spool_->remove(upload.id));
    return std::move(within).error();
  }
  return std::unique_ptr<Resumption>(std::make_unique<PendingResumption>(std::move(*turn), upload, std::move(spooled)));
}

Result<std::optional<ResumableUpload>> LibraryImpl::find_resumable(const std::string& id) const {
  return repository_->find_resumable_upload(id);
}

Result<std::uint64_t> LibraryImpl::settled_offset(const ResumableUpload& upload) const {
  if (upload.media_id != 0) return upload.size_bytes;
  MEDIA_TRY_ASSIGN(const auto length, spool_->settled_length(upload.id));
  if (!length) return Error{Errc::expired, "the upload's bytes are gone"};
  return *length;
}

Result<std::unique_ptr<Resumption>> LibraryImpl::resume(const std::string& id, std::chrono::milliseconds patience) {
  if (options_.read_only) return Error{Errc::denied, "resume an upload: the library is open for reading only"};
  const auto deadline = steady_clock::now() + patience;
  MEDIA_TRY_ASSIGN(const auto known, repository_->find_resumable_upload(id));
  if (!known) return absent();
  auto turn = turns_.take(id, deadline);
  if (!turn) return busy();
  for (;;) {
    // Looked at anew: the one before may have completed it, or removed it.
    MEDIA_TRY_ASSIGN(auto upload, repository_->find_resumable_upload(id));
    if (!upload) return absent();
    if (upload->expires_at <= clock_->now()) return Error{Errc::expired, "the upload has expired"};
    if (upload->media_id != 0) {
      return std::unique_ptr<Resumption>(std::make_unique<PendingResumption>(std::move(*turn), std::move(*upload), nullptr));
    }
    auto spooled = spool_->open(id);
    if (spooled) {
      // Another process may have completed it between the look at the row and the lock.
      MEDIA_TRY_ASSIGN(upload, repository_->find_resumable_upload(id));
      if (!upload) return absent();
      auto held = upload->media_id == 0 ? std::move(spooled).value() : nullptr;
      return std::unique_ptr<Resumption>(std::make_unique<PendingResumption>(std::move(*turn), std::move(*upload), std::move(held)));
    }
    if (spooled.error().code == Errc::not_found) {
      MEDIA_TRY_ASSIGN(upload, repository_->find_resumable_upload(id));
      if (upload && upload->media_id != 0) continue;
      return upload ? Error{Errc::expired, "the upload's bytes are gone"} : absent();
    }
    if (spooled.error().code != Errc::unavailable) return std::move(spooled).error();
    // Another process has it, and cannot be asked.
    if (steady_clock::now() >= deadline) return busy();
    std::this_thread::sleep_for(kAskAgain);
  }
}

Result<IngestOutcome> LibraryImpl::ingest_resumable(const ByteReader& content, const ResumableUpload& upload) {
  IngestRequest request;
  request.owner = upload.owner;
  request.filename = upload.filename;
  request.declared_type = upload.media_type;
  MEDIA_TRY_ASSIGN(auto ingest, prepare(content, std::move(request)));
  static_cast<PendingIngest&>(*ingest).completes = upload;
  return Library::finish(std::move(ingest));
}

Result<IngestOutcome> LibraryImpl::finish(std::unique_ptr<Resumption> turn) {
  const ResumableUpload& upload = turn->upload();
  if (upload.media_id != 0) {
    MEDIA_TRY_ASSIGN(auto media, find_alive(*repository_, upload.media_id));
    if (!media) return absent();
    IngestOutcome outcome;
    outcome.status = IngestStatus::duplicate;
    if (media->digest) outcome.digest = *media->digest;
    outcome.size_bytes = media->size_bytes;
    outcome.media = std::move(*media);
    return outcome;
  }
  if (upload.kind != ResumableKind::whole) return Error{Errc::invalid_argument, "a part becomes nothing by itself"};
  if (turn->settled_offset() != upload.size_bytes) {
    return Error{Errc::invalid_argument,
                 std::to_string(turn->settled_offset()) + " of " + std::to_string(upload.size_bytes) + " bytes are there"};
  }
  MEDIA_TRY_ASSIGN(const auto content, spool_->content(upload.id));
  MEDIA_TRY_ASSIGN(auto outcome, ingest_resumable(*content, upload));
  if (outcome.status == IngestStatus::refused) {
    MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY(transaction.remove_resumable_upload(upload.id));
      return {};
    }));
  }
  static_cast<void>(spool_->remove(upload.id));  // else the sweep does it
  return outcome;
}

Result<JoinOutcome> LibraryImpl::join(const ResumableRequest& request, std::span<const std::string> parts) {
  if (options_.read_only) return Error{Errc::denied, "join uploads: the library is open for reading only"};
  MEDIA_TRY(check_request(request));
  if (parts.empty() || parts.size() > kMaxParts) {
    return Error{Errc::invalid_argument, "1 to " + std::to_string(kMaxParts) + " parts can be joined"};
  }
  const Timestamp now = clock_->now();
  JoinedReader content;
  for (const std::string& id : parts) {
    MEDIA_TRY_ASSIGN(const auto part, repository_->find_resumable_upload(id));
    if (!part || part->owner != request.owner || part->expires_at <= now) return Error{Errc::not_found, "there is no such part"};
    if (part->kind != ResumableKind::partial)
      return Error{Errc::invalid_argument, "an upload that was not begun as a part cannot be joined"};
    MEDIA_TRY_ASSIGN(auto bytes, spool_->content(id));
    if (bytes->size() != part->size_bytes) return Error{Errc::conflict, "a part is not complete"};
    content.add(std::move(bytes));
  }
  if (content.size() > options_.policy.max_bytes()) {
    return Error{Errc::too_large, "the parts have " + std::to_string(content.size()) + " bytes together; the limit is " +
                                      std::to_string(options_.policy.max_bytes())};
  }
  JoinOutcome joined;
  joined.upload = upload_from(request, now);
  joined.upload.kind = ResumableKind::joined;
  joined.upload.size_bytes = content.size();
  joined.upload.parts.assign(parts.begin(), parts.end());
  MEDIA_TRY_ASSIGN(joined.outcome, ingest_resumable(content, joined.upload));
  joined.upload.media_id = joined.outcome.media.id;
  return joined;
}

Result<bool> LibraryImpl::remove_resumable(const std::string& id, std::chrono::milliseconds patience) {
  auto turn = resume(id, patience);
  if (!turn && turn.error().code == Errc::not_found) return false;
  // One that has expired is removed all the same.
  if (!turn && turn.error().code != Errc::expired) return std::move(turn).error();
  bool removed = false;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(removed, transaction.remove_resumable_upload(id));
    return {};
  }));
  static_cast<void>(spool_->remove(id));  // else the sweep does it
  return removed;
}

Result<bool> LibraryImpl::sweep_spooled(const std::string& id) {
  const auto is_waited_for = [&]() -> Result<bool> {
    MEDIA_TRY_ASSIGN(const auto row, repository_->find_resumable_upload(id));
    return row && row->media_id == 0;
  };
  MEDIA_TRY_ASSIGN(const bool waited_for, is_waited_for());
  if (waited_for) return false;
  // Held while it is looked at again: whoever makes an upload holds it until its row is there.
  const auto held = spool_->open(id);
  if (!held && held.error().code != Errc::corrupt) return false;
  MEDIA_TRY_ASSIGN(const bool waited_for_now, is_waited_for());
  if (waited_for_now) return false;
  return spool_->remove(id);
}

Result<std::size_t> LibraryImpl::sweep_resumable() {
  std::size_t swept = 0;
  for (;;) {
    std::size_t found = 0;
    MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY_ASSIGN(const auto expired, transaction.list_expired_resumable_uploads(clock_->now(), kSweepAtOnce));
      found = expired.size();
      for (const ResumableUpload& upload : expired) MEDIA_TRY(transaction.remove_resumable_upload(upload.id));
      return {};
    }));
    swept += found;
    if (found < kSweepAtOnce) break;
  }
  std::string cursor;
  do {
    MEDIA_TRY_ASSIGN(const auto page, spool_->list(cursor, kSweepAtOnce));
    for (const std::string& id : page.ids) MEDIA_TRY(sweep_spooled(id));
    cursor = page.next_cursor;
  } while (!cursor.empty());
  return swept;
}

}  // namespace media

// What may not go out: bytes that are kept back, how they get there and how they leave.

#include <algorithm>
#include <array>
#include <charconv>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <new>
#include <thread>

#include "library/hashing.hpp"
#include "library/job_faults.hpp"
#include "library/library_impl.hpp"
#include "library/pending_ingest.hpp"

namespace media {
namespace {

constexpr std::size_t kLongestNote = 255;
constexpr std::chrono::milliseconds kFirstScanPause{1000};
constexpr std::chrono::milliseconds kLongestScanPause{60'000};
/// Of bytes that cannot be read, one after another.
constexpr std::uint32_t kMaxReadAttempts = 5;
constexpr std::chrono::seconds kRenewEvery{2};

/// Renews a job's lease from a thread of its own, beside work that cannot say how far it is.
///
/// Thread-safety: `renew` is called by that thread alone, which has ended once this is destroyed.
class LeaseKeeper {
 public:
  explicit LeaseKeeper(std::function<void()> renew) : renew_(std::move(renew)) {
    thread_ = std::jthread([this](const std::stop_token& stop) {
      std::unique_lock lock(mutex_);
      for (;;) {
        ended_.wait_for(lock, stop, kRenewEvery, [] { return false; });
        if (stop.stop_requested()) return;
        try {
          renew_();
        } catch (const std::bad_alloc&) {
          // The next one comes before the lease ends.
        }
      }
    });
  }

 private:
  std::function<void()> renew_;
  std::mutex mutex_;
  std::condition_variable_any ended_;
  std::jthread thread_;  // last: it ends before what it uses goes
};

/// A scanner that is down is, however long that takes.
bool is_worth_waiting(const Error& error) noexcept { return is_retryable(error.code) || error.code == Errc::cancelled; }

constexpr std::string_view kUnread = "unread ";

/// How often its bytes could not be read, one time after another, by what was noted the last time. The attempts of the job count a scanner
/// that was down as well.
std::uint32_t failed_reads(const Job& job) noexcept {
  std::uint32_t times = 0;
  if (job.last_error.starts_with(kUnread)) {
    std::from_chars(job.last_error.data() + kUnread.size(), job.last_error.data() + job.last_error.size(), times);
  }
  return times;
}

bool is_damage(Hold reason) noexcept { return reason == Hold::damaged || reason == Hold::missing; }

/// For whoever looks at a media that failed by it.
std::string failure_text(Hold reason, const std::string& detail) {
  if (reason == Hold::infected) return detail.empty() ? "infected" : "infected: " + detail;
  return "banned";
}

Result<void> queue_job(Transaction& transaction, const std::string& kind, MediaId id, Timestamp now) {
  MEDIA_TRY_ASSIGN(const auto waiting, transaction.find_job_of_media(id, kind));
  if (waiting && waiting->state != JobState::dead) return {};
  Job job;
  job.kind = kind;
  job.media_id = id;
  job.run_after = job.created_at = now;
  MEDIA_TRY(transaction.insert_job(job));
  return {};
}

}  // namespace

void LibraryImpl::announce_all(std::span<const MediaId> changed) {
  for (const MediaId id : changed) announce(id);
  if (!changed.empty()) wake_workers();
}

Result<void> LibraryImpl::keep_back(Transaction& transaction, const Digest& digest, Hold reason, const std::string& detail,
                                    std::vector<MediaId>& changed) {
  const Timestamp now = clock_->now();
  Quarantined entry;
  entry.digest = digest;
  entry.reason = reason;
  entry.detail = detail;
  entry.since = now;
  MEDIA_TRY(transaction.put_quarantined(entry));
  MEDIA_TRY_ASSIGN(auto all, transaction.list_media_of_blob(digest));
  const bool is_final = reason == Hold::infected || reason == Hold::banned;
  for (Media& media : all) {
    if (media.held == reason) continue;
    media.held = reason;
    media.status = is_final ? MediaStatus::failed : MediaStatus::processing;
    media.error_message = is_final ? failure_text(reason, detail) : std::string();
    media.completed_at = is_final ? std::optional(now) : std::nullopt;
    media.updated_at = now;
    MEDIA_TRY(transaction.update_media(media));
    if (is_final) MEDIA_TRY(note_event(transaction, MediaEvent::failed, media));
    changed.push_back(media.id);
  }
  return {};
}

Result<void> LibraryImpl::let_go(Transaction& transaction, const Digest& digest, bool forced, std::vector<MediaId>& changed) {
  const Timestamp now = clock_->now();
  MEDIA_TRY_ASSIGN(auto all, transaction.list_media_of_blob(digest));
  MEDIA_TRY_ASSIGN(const auto facts, transaction.gate_facts("", digest));
  for (Media& media : all) {
    if (media.held == Hold::none) continue;
    const bool has_pictures = processor_->handles(media.info.format);
    const bool is_to_be_seen = facts.bans_pictures && !forced && has_pictures && is_image(media.info.format);
    media.held = is_to_be_seen ? Hold::unseen : Hold::none;
    media.error_message.clear();
    media.status = has_pictures ? MediaStatus::processing : MediaStatus::complete;
    media.completed_at = has_pictures ? std::nullopt : std::optional(now);
    media.updated_at = now;
    MEDIA_TRY(transaction.update_media(media));
    if (has_pictures) {
      MEDIA_TRY(queue_job(transaction, "derive", media.id, now));
    } else {
      MEDIA_TRY(note_event(transaction, MediaEvent::completed, media));
    }
    changed.push_back(media.id);
  }
  return {};
}

Result<bool> LibraryImpl::compare_with_bans(Transaction& transaction, Media& media, std::vector<MediaId>& changed) {
  if (media.digest && media.appearance.perceptual_hash) {
    MEDIA_TRY_ASSIGN(const auto ban, transaction.find_ban_of_picture(*media.appearance.perceptual_hash));
    if (ban) {
      MEDIA_TRY_ASSIGN(const auto entry, transaction.find_quarantined(*media.digest));
      if (!entry || !entry->released_at || !entry->forced) {
        MEDIA_TRY(transaction.update_media(media));
        MEDIA_TRY(keep_back(transaction, *media.digest, Hold::banned, ban->reason, changed));
        return true;
      }
    }
  }
  if (media.held == Hold::unseen) media.held = Hold::none;
  return false;
}

Result<std::vector<Quarantined>> LibraryImpl::list_quarantine(const QuarantineFilter& filter) const {
  return repository_->list_quarantined(filter.released, std::nullopt, filter.limit);
}

Result<void> LibraryImpl::put_away(const Digest& digest, Hold reason, const std::string& detail) {
  if (reason != Hold::polyglot && reason != Hold::infected && reason != Hold::banned) {
    return Error{Errc::invalid_argument, "quarantine: a person puts away what is polyglot, infected or banned"};
  }
  if (detail.size() > kLongestNote) return Error{Errc::invalid_argument, "quarantine: a detail has at most 255 bytes"};
  std::vector<MediaId> changed;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    changed.clear();
    MEDIA_TRY_ASSIGN(const auto all, transaction.list_media_of_blob(digest));
    if (all.empty()) return Error{Errc::not_found, "there is no media whose digest is " + digest.to_hex()};
    return keep_back(transaction, digest, reason, detail, changed);
  }));
  announce_all(changed);
  return {};
}

Result<void> LibraryImpl::check_release(const Quarantined& entry, const ByteReader& content) {
  const auto denied = [&](const std::string& why) {
    return Error{Errc::denied, "the bytes of " + entry.digest.to_hex() + " are not released: " + why};
  };
  MEDIA_TRY_ASSIGN(const auto all, repository_->list_media_of_blob(entry.digest));
  const bool is_judged = std::any_of(all.begin(), all.end(), [](const Media& media) { return media.info.format != Format::unknown; });
  if (is_judged) {
    MEDIA_TRY_ASSIGN(const auto verdict, admit(options_.policy, content, {}));
    if (!verdict.admitted()) return denied(verdict.message);
  }
  MEDIA_TRY_ASSIGN(const auto facts, repository_->gate_facts("", entry.digest));
  if (facts.ban) return denied("they are banned");
  for (const Media& media : all) {
    if (!media.appearance.perceptual_hash) continue;
    MEDIA_TRY_ASSIGN(const auto ban, repository_->find_ban_of_picture(*media.appearance.perceptual_hash));
    if (ban) return denied("they look like a picture that is banned (ban " + std::to_string(ban->id) + ")");
  }
  if (!options_.gate.scanner) {
    const bool needs_scan = entry.reason == Hold::unscanned || entry.reason == Hold::infected;
    return needs_scan ? Result<void>(denied("there is no scanner to ask")) : Result<void>();
  }
  MEDIA_TRY_ASSIGN(const auto scanned, scan(content));
  if (scanned.finding == Scan::Finding::infected) return denied("they are infected (" + scanned.signature + ")");
  if (scanned.finding == Scan::Finding::too_large) return denied("they are larger than what the scanner takes");
  return {};
}

Result<void> LibraryImpl::release_damaged(const Quarantined& entry) {
  const auto opened = store_->open(entry.digest);
  if (!opened && opened.error().code != Errc::not_found) return opened.error();
  const auto actual = opened ? hash_content(**opened) : Result<Digest>(Error{Errc::corrupt, "they are missing"});
  if (!actual && actual.error().code != Errc::corrupt) return actual.error();
  if (!actual || *actual != entry.digest) {
    return Error{Errc::corrupt,
                 "the bytes of " + entry.digest.to_hex() + " are damaged or missing: bring back a whole copy (verify --repair-from)"};
  }
  return repository_->write([&](Transaction& transaction) { return forget_damage(transaction, entry.digest); });
}

Result<void> LibraryImpl::release(const ReleaseRequest& request) {
  if (options_.read_only) return Error{Errc::denied, "release: the library is open for reading only"};
  if (request.note.size() > kLongestNote) return Error{Errc::invalid_argument, "release: a note has at most 255 bytes"};
  const Error none{Errc::not_found, "nothing with the digest " + request.digest.to_hex() + " is in quarantine"};
  MEDIA_TRY_ASSIGN(const auto entry, repository_->find_quarantined(request.digest));
  if (!entry || entry->released_at) return none;
  if (is_damage(entry->reason)) return release_damaged(*entry);
  MEDIA_TRY_ASSIGN(const auto content, open_verified(request.digest));
  if (!request.force) MEDIA_TRY(check_release(*entry, *content));
  std::vector<MediaId> changed;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    changed.clear();
    MEDIA_TRY_ASSIGN(auto now, transaction.find_quarantined(request.digest));
    if (!now || now->released_at) return none;
    if (now->reason != entry->reason) return Error{Errc::conflict, "it was put into quarantine for another reason meanwhile; try again"};
    now->released_at = clock_->now();
    now->released_by = request.note;
    now->forced = request.force;
    MEDIA_TRY(transaction.put_quarantined(*now));
    return let_go(transaction, request.digest, request.force, changed);
  }));
  announce_all(changed);
  return {};
}

Result<PurgeReport> LibraryImpl::purge(const Digest& digest) {
  if (options_.read_only) return Error{Errc::denied, "purge: the library is open for reading only"};
  MEDIA_TRY_ASSIGN(const auto entry, repository_->find_quarantined(digest));
  if (!entry || entry->released_at) return Error{Errc::not_found, "nothing with the digest " + digest.to_hex() + " is in quarantine"};
  MEDIA_TRY_ASSIGN(const auto all, repository_->list_media_of_blob(digest));
  std::map<std::string, EraseRequest> requests;
  for (const Media& media : all) {
    EraseRequest& each = requests[media.owner];
    each.owner = media.owner;
    each.media.push_back(media.id);
  }
  PurgeReport report;
  for (const auto& [owner, request] : requests) {
    MEDIA_TRY_ASSIGN(const auto erased, erase(request));
    if (erased.failure) return *erased.failure;
    for (const ErasedMedia& media : erased.media) report.media.push_back(media.id);
    for (const ErasedBlob& blob : erased.blobs) {
      if (blob.outcome == ErasedBlob::Outcome::erased) report.freed_bytes += blob.size_bytes;
    }
  }
  std::sort(report.media.begin(), report.media.end());
  // Whose media were removed before: the bytes that waited for a collection, and copies that were set aside.
  if (all.empty()) {
    discard(digest);
    const std::array removed{digest};
    MEDIA_TRY(store_->wipe(removed, {}));
  }
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    // Somebody may have sent the same bytes again since: they are kept back for the same reason.
    MEDIA_TRY_ASSIGN(const auto left, transaction.list_media_of_blob(digest));
    if (left.empty()) MEDIA_TRY(transaction.remove_quarantined(digest));
    return {};
  }));
  return report;
}

Result<void> LibraryImpl::note_damage(Transaction& transaction, const Digest& digest, Hold reason, const std::string& detail,
                                      Timestamp now) {
  MEDIA_TRY_ASSIGN(auto entry, transaction.find_quarantined(digest));
  // What is kept back for a reason of its own stays so: nobody reads it anyway.
  if (entry && !entry->released_at && (!is_damage(entry->reason) || entry->reason == reason)) return {};
  if (!entry) entry.emplace();
  entry->digest = digest;
  entry->reason = reason;
  entry->detail = detail;
  entry->since = now;
  entry->released_at.reset();
  return transaction.put_quarantined(*entry);
}

Result<void> LibraryImpl::forget_damage(Transaction& transaction, const Digest& digest) {
  MEDIA_TRY_ASSIGN(const auto entry, transaction.find_quarantined(digest));
  if (entry && !entry->released_at && is_damage(entry->reason)) MEDIA_TRY(transaction.remove_quarantined(digest));
  return {};
}

void LibraryImpl::note_damage(const Digest& digest, Hold reason, const std::string& detail) const {
  if (options_.read_only) return;
  const auto written =
      repository_->write([&](Transaction& transaction) { return note_damage(transaction, digest, reason, detail, clock_->now()); });
  static_cast<void>(written);  // a note for health checks; whoever wanted to read is told all the same
}

Result<void> LibraryImpl::keep_back_infected(const Digest& digest, const std::string& signature) {
  MEDIA_TRY_ASSIGN(const auto known, repository_->list_media_of_blob(digest));
  if (known.empty()) return {};
  std::vector<MediaId> changed;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    changed.clear();
    MEDIA_TRY_ASSIGN(const auto all, transaction.list_media_of_blob(digest));
    MEDIA_TRY_ASSIGN(const auto entry, transaction.find_quarantined(digest));
    if (all.empty() || (entry && entry->released_at && entry->forced)) return {};
    return keep_back(transaction, digest, Hold::infected, signature, changed);
  }));
  announce_all(changed);
  return {};
}

Result<void> LibraryImpl::end_scan_failed(const Job& job, const Digest& digest, const Error& error) {
  const std::uint32_t attempts = failed_reads(job) + 1;
  std::vector<MediaId> changed;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    changed.clear();
    MEDIA_TRY_ASSIGN(const bool mine, transaction.finish_job(job.id, job.lease_owner));
    if (!mine) return Error{Errc::conflict, "job " + std::to_string(job.id) + " was taken over"};
    MEDIA_TRY_ASSIGN(auto entry, transaction.find_quarantined(digest));
    if (!entry || entry->released_at || entry->reason != Hold::unscanned) return {};
    entry->detail = "cannot be scanned, for its bytes cannot be read: once they are whole again, release it";
    MEDIA_TRY(transaction.put_quarantined(*entry));
    MEDIA_TRY_ASSIGN(auto all, transaction.list_media_of_blob(digest));
    for (Media& media : all) {
      if (media.held != Hold::unscanned || media.status == MediaStatus::failed) continue;
      media.status = MediaStatus::failed;
      media.error_message = "cannot be scanned: " + reason_for_everybody(error, "read", attempts);
      media.updated_at = clock_->now();
      media.completed_at = media.updated_at;
      MEDIA_TRY(transaction.update_media(media));
      MEDIA_TRY(note_event(transaction, MediaEvent::failed, media));
      changed.push_back(media.id);
    }
    return {};
  }));
  announce_all(changed);
  return {};
}

Result<void> LibraryImpl::run_scan(const Job& job) {
  MEDIA_TRY_ASSIGN(const auto media, repository_->find_media(job.media_id));
  Scan scanned;
  const bool is_wanted = media && media->digest && media->held == Hold::unscanned;
  if (is_wanted) {
    const auto found = [&]() -> Result<Scan> {
      // Large bytes take longer than a lease, and so does a scanner that has others before them.
      const LeaseKeeper keeper([&] {
        const auto renewed = repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
          MEDIA_TRY(transaction.renew_job(job.id, job.lease_owner, clock_->now() + lease(), 0));
          return {};
        });
        static_cast<void>(renewed);  // Whoever took it over is asked again in the end.
      });
      MEDIA_TRY_ASSIGN(const auto content, open_verified(*media->digest));
      return scan(*content);
    }();
    if (!found) {
      // However long it is down: what was not scanned is not let go.
      std::string why = found.error().message;
      if (!is_worth_waiting(found.error())) {
        const std::uint32_t times = failed_reads(job) + 1;
        const bool may_pass = found.error().code == Errc::io || found.error().code == Errc::no_space;
        if (!may_pass || times >= kMaxReadAttempts) return end_scan_failed(job, *media->digest, found.error());
        why = std::string(kUnread) + std::to_string(times) + " times: " + why;
      }
      const auto pause = std::min(kLongestScanPause, kFirstScanPause * (1U << std::min(job.attempts, 6U)));
      return repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
        MEDIA_TRY(transaction.release_job(job.id, job.lease_owner, clock_->now() + pause, why));
        return {};
      });
    }
    scanned = *found;
  }
  std::vector<MediaId> changed;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    changed.clear();
    MEDIA_TRY_ASSIGN(const bool mine, transaction.finish_job(job.id, job.lease_owner));
    if (!mine) return Error{Errc::conflict, "job " + std::to_string(job.id) + " was taken over"};
    if (!is_wanted) return {};
    MEDIA_TRY_ASSIGN(auto entry, transaction.find_quarantined(*media->digest));
    if (!entry || entry->released_at || entry->reason != Hold::unscanned) return {};
    switch (scanned.finding) {
      case Scan::Finding::infected:
        return keep_back(transaction, *media->digest, Hold::infected, scanned.signature, changed);
      case Scan::Finding::too_large:
        entry->detail = "larger than the scanner takes: a person must let it go";
        return transaction.put_quarantined(*entry);
      case Scan::Finding::clean:
        break;
    }
    MEDIA_TRY(transaction.remove_quarantined(*media->digest));
    return let_go(transaction, *media->digest, false, changed);
  }));
  announce_all(changed);
  return {};
}

}  // namespace media

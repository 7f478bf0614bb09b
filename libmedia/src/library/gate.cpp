// What may come in: quotas, bans, and what the scanner says.

#include <algorithm>
#include <limits>
#include <set>

#include "library/library_impl.hpp"
#include "library/pending_ingest.hpp"

namespace media {
namespace {

/// Put away in one go.
constexpr std::size_t kPutAwayAtOnce = 1000;
constexpr std::size_t kLongestReason = 255;

std::string limit_text(const std::optional<std::uint64_t>& limit, std::string_view unit) {
  return limit ? std::to_string(*limit) + " " + std::string(unit) : std::string();
}

std::optional<std::string> excess(const Quota& quota, const OwnerUsage& usage, std::uint64_t size_bytes) {
  const bool too_many = quota.max_media && usage.media >= *quota.max_media;
  const bool too_much = quota.max_bytes && size_bytes > *quota.max_bytes - std::min(*quota.max_bytes, usage.size_bytes);
  if (!too_many && !too_much) return std::nullopt;
  const std::string media = limit_text(quota.max_media, "media");
  const std::string bytes = limit_text(quota.max_bytes, "bytes");
  return "quota: its owner has " + std::to_string(usage.media) + " media of " + std::to_string(usage.size_bytes) + " bytes, and may have " +
         media + (media.empty() || bytes.empty() ? "" : " of ") + bytes;
}

/// What was encoded at an owner's wish takes as much of the disk as what was uploaded, and can be any number of sizes of one media.
Result<void> add_videos(const RepositoryReader& reader, const std::string& owner, OwnerUsage& usage) {
  MEDIA_TRY_ASSIGN(const std::uint64_t videos, reader.ordered_video_bytes(owner));
  usage.size_bytes += videos;
  return {};
}

}  // namespace

Result<std::optional<LibraryImpl::ByteUse>> LibraryImpl::byte_use(const RepositoryReader& reader, const std::string& owner) const {
  MEDIA_TRY_ASSIGN(const auto own, reader.find_quota(owner));
  const Quota quota = own.value_or(options_.gate.default_quota);
  if (!quota.max_bytes) return std::optional<ByteUse>();
  MEDIA_TRY_ASSIGN(auto usage, reader.owner_usage(owner));
  MEDIA_TRY(add_videos(reader, owner, usage));
  return std::optional(ByteUse{usage.size_bytes, *quota.max_bytes});
}

Result<std::optional<std::string>> LibraryImpl::find_excess(const std::string& owner, std::uint64_t size_bytes) const {
  MEDIA_TRY_ASSIGN(const auto own, repository_->find_quota(owner));
  const Quota quota = own.value_or(options_.gate.default_quota);
  if (!quota.limits()) return std::optional<std::string>();
  MEDIA_TRY_ASSIGN(auto usage, repository_->owner_usage(owner));
  if (quota.max_bytes) MEDIA_TRY(add_videos(*repository_, owner, usage));
  return excess(quota, usage, size_bytes);
}

Result<std::optional<std::string>> LibraryImpl::find_excess(Transaction& transaction, const std::string& owner,
                                                            const std::optional<Quota>& own, std::uint64_t size_bytes) const {
  const Quota quota = own.value_or(options_.gate.default_quota);
  if (!quota.limits()) return std::optional<std::string>();
  MEDIA_TRY_ASSIGN(auto usage, transaction.keep_owner_usage(owner));
  if (quota.max_bytes) MEDIA_TRY(add_videos(transaction, owner, usage));
  return excess(quota, usage, size_bytes);
}

Result<QuotaState> LibraryImpl::quota(const std::string& owner) const {
  QuotaState state;
  MEDIA_TRY_ASSIGN(const auto own, repository_->find_quota(owner));
  state.is_own = own.has_value();
  state.quota = own.value_or(options_.gate.default_quota);
  MEDIA_TRY_ASSIGN(state.usage, repository_->owner_usage(owner));
  MEDIA_TRY(add_videos(*repository_, owner, state.usage));
  return state;
}

Result<void> LibraryImpl::set_quota(const std::string& owner, const Quota& quota) {
  if (owner.empty() || owner.size() > 255) return Error{Errc::invalid_argument, "quota: an owner has 1 to 255 bytes"};
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (quota.max_bytes.value_or(0) > kMost || quota.max_media.value_or(0) > kMost) {
    return Error{Errc::invalid_argument, "quota: a limit is below 2^63"};
  }
  return repository_->write([&](Transaction& transaction) { return transaction.put_quota({owner, quota}); });
}

Result<bool> LibraryImpl::clear_quota(const std::string& owner) {
  bool cleared = false;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(cleared, transaction.remove_quota(owner));
    return {};
  }));
  return cleared;
}

Result<Scan> LibraryImpl::scan(const ByteReader& content) {
  auto scanned = options_.gate.scanner->scan(content);
  if (!scanned) {
    ++scans_.failed;
  } else if (scanned->finding == Scan::Finding::clean) {
    ++scans_.clean;
  } else {
    ++(scanned->finding == Scan::Finding::infected ? scans_.infected : scans_.too_large);
  }
  return scanned;
}

ScanStats LibraryImpl::scan_stats() const noexcept {
  return {.clean = scans_.clean, .infected = scans_.infected, .too_large = scans_.too_large, .failed = scans_.failed};
}

Result<void> LibraryImpl::check_scanner() {
  if (!options_.gate.scanner) return {};
  return options_.gate.scanner->check();
}

Result<void> LibraryImpl::scan_incoming(PendingIngest& ingest, const Digest& digest, const ByteReader& content) {
  if (!ingest.verdict->polyglot.empty()) {
    ingest.hold = Hold::polyglot;
    ingest.hold_detail = ingest.verdict->polyglot;
  }
  if (!options_.gate.scanner) return {};
  const auto begun = StageClock::Steady::now();
  const auto scanned = scan(content);
  stages_.note(Stage::ingest_scan, ingest.verdict->info.format, begun);
  if (scanned && scanned->finding == Scan::Finding::clean) return {};
  if (scanned && scanned->finding == Scan::Finding::infected) {
    *ingest.verdict = Verdict{Refusal::infected, "The file is infected (" + scanned->signature + ").", ingest.verdict->info, {}};
    // Others may have sent the same bytes before the scanner knew.
    return keep_back_infected(digest, scanned->signature);
  }
  if (!scanned && scanned.error().code != Errc::unavailable) return scanned.error();
  switch (options_.gate.unscanned) {
    case UnscannedRule::accept:
      return {};
    case UnscannedRule::refuse:
      if (!scanned) return scanned.error();
      *ingest.verdict =
          Verdict{Refusal::unscannable, "The file is larger than what can be scanned for malware here.", ingest.verdict->info, {}};
      return {};
    case UnscannedRule::hold:
      break;
  }
  // Who lets a polyglot go has it scanned then.
  if (ingest.hold != Hold::none) return {};
  ingest.hold = Hold::unscanned;
  ingest.hold_detail = scanned ? "larger than the scanner takes: a person must let it go" : scanned.error().message;
  return {};
}

Result<std::optional<Verdict>> LibraryImpl::find_objection(const GateFacts& facts, const PendingIngest& ingest) {
  const auto refused = [&](Refusal refusal, std::string message) {
    return std::optional(Verdict{refusal, std::move(message), ingest.verdict->info, {}});
  };
  if (facts.ban) return refused(Refusal::banned, "The file is banned here.");
  if (!facts.quarantined || facts.quarantined->released_at) return std::optional<Verdict>();
  if (facts.quarantined->reason == Hold::infected) {
    return refused(Refusal::infected, "The file is infected (" + facts.quarantined->detail + ").");
  }
  if (facts.quarantined->reason == Hold::banned) return refused(Refusal::banned, "The file is banned here.");
  return std::optional<Verdict>();
}

Result<void> LibraryImpl::hold_incoming(Transaction& transaction, const GateFacts& facts, const PendingIngest& ingest, Media& media) {
  const auto& entry = facts.quarantined;
  const bool is_kept = entry && !entry->released_at && entry->reason != Hold::damaged && entry->reason != Hold::missing;
  const bool is_freed = entry && entry->released_at && entry->forced;
  if (ingest.hold != Hold::none && !is_freed) {
    media.held = ingest.hold;
    if (!is_kept) {
      Quarantined kept;
      kept.digest = *media.digest;
      kept.reason = ingest.hold;
      kept.detail = ingest.hold_detail;
      kept.since = media.uploaded_at;
      MEDIA_TRY(transaction.put_quarantined(kept));
    }
  } else if (is_kept) {
    media.held = entry->reason;
  } else if (facts.bans_pictures && !is_freed && is_image(media.info.format) && ingest.has_pictures) {
    media.held = Hold::unseen;
  }
  if (media.held == Hold::none || media.held == Hold::unseen) return {};
  media.status = MediaStatus::processing;
  media.completed_at.reset();
  media.processing_time_ms.reset();
  return {};
}

void LibraryImpl::discard(const Digest& digest) {
  std::vector<Blob> claimed;
  const auto written = repository_->write([&](Transaction& transaction) -> Result<void> {
    claimed.clear();
    MEDIA_TRY_ASSIGN(auto row, transaction.find_blob(digest));
    if (!row || row->state == BlobState::deleting) return {};
    MEDIA_TRY_ASSIGN(const bool referenced, transaction.is_referenced(digest));
    if (referenced) return {};
    row->state = BlobState::deleting;
    row->condemned_at = clock_->now();
    MEDIA_TRY(transaction.put_blob(*row));
    claimed.push_back(std::move(*row));
    return {};
  });
  // What could not be removed now goes with the next collection.
  if (written && !claimed.empty()) static_cast<void>(delete_claimed(std::move(claimed)));
}

Result<BanReport> LibraryImpl::add_ban(const BanRequest& request) {
  BanReport report;
  Ban& ban = report.ban;
  ban.digest = request.digest;
  ban.perceptual_hash = request.perceptual_hash;
  if (request.like_media) {
    MEDIA_TRY_ASSIGN(const auto media, repository_->find_media(*request.like_media));
    if (!media) return Error{Errc::not_found, "there is no media " + std::to_string(*request.like_media)};
    if (!media->appearance.perceptual_hash) {
      return Error{Errc::invalid_argument, "ban: media " + std::to_string(media->id) + " has no perceptual hash"};
    }
    ban.perceptual_hash = media->appearance.perceptual_hash;
  }
  if (ban.digest.has_value() == ban.perceptual_hash.has_value()) {
    return Error{Errc::invalid_argument, "ban: either a digest or a perceptual hash is banned"};
  }
  if (request.max_distance > kMaxSimilarDistance) {
    return Error{Errc::invalid_argument, "ban: a distance is 0 to " + std::to_string(kMaxSimilarDistance)};
  }
  if (request.reason.size() > kLongestReason) return Error{Errc::invalid_argument, "ban: a reason has at most 255 bytes"};
  if (ban.perceptual_hash) ban.max_distance = request.max_distance;
  ban.reason = request.reason;
  ban.created_at = clock_->now();
  const auto inserted = repository_->write([&](Transaction& transaction) -> Result<void> {
    ban.id = 0;
    MEDIA_TRY_ASSIGN(ban.id, transaction.insert_ban(ban));
    return {};
  });
  if (!inserted && inserted.error().code == Errc::already_exists && request.put_away) {
    // What did not get through to the end another time is ended now.
    MEDIA_TRY_ASSIGN(const auto bans, repository_->list_bans());
    const auto same = std::find_if(bans.begin(), bans.end(), [&](const Ban& each) {
      return each.digest == ban.digest && each.perceptual_hash == ban.perceptual_hash && each.max_distance == ban.max_distance;
    });
    if (same == bans.end()) return inserted.error();
    ban = *same;
  } else if (!inserted) {
    return inserted.error();
  }
  const auto list_stored = [&](std::size_t limit) -> Result<std::vector<Media>> {
    if (ban.digest) return repository_->list_media_of_blob(*ban.digest);
    SimilarQuery query;
    query.perceptual_hash = *ban.perceptual_hash;
    query.max_distance = ban.max_distance;
    query.limit = limit;
    MEDIA_TRY_ASSIGN(auto similar, repository_->list_similar_media(query));
    std::vector<Media> stored;
    for (SimilarMedia& each : similar) stored.push_back(std::move(each.media));
    return stored;
  };
  if (!request.put_away) {
    MEDIA_TRY_ASSIGN(report.stored, list_stored(SIZE_MAX));
    return report;
  }
  for (;;) {
    MEDIA_TRY_ASSIGN(const auto found, list_stored(kPutAwayAtOnce));
    report.stored.insert(report.stored.end(), found.begin(), found.end());
    std::set<Digest> digests;
    for (const Media& media : found) {
      if (media.digest) digests.insert(*media.digest);
    }
    for (const Digest& digest : digests) {
      const auto done = put_away(digest, Hold::banned, ban.reason);
      // Removed by its owner since it was found.
      if (!done && done.error().code != Errc::not_found) return done.error();
    }
    // What is kept back is found no more: what is found next are the others.
    if (ban.digest || digests.empty()) break;
  }
  report.put_away = true;
  return report;
}

Result<bool> LibraryImpl::remove_ban(std::int64_t id) {
  bool removed = false;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(removed, transaction.remove_ban(id));
    return {};
  }));
  return removed;
}

}  // namespace media

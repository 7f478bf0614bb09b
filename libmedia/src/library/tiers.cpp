// Blobs on their way between tiers: copy, verify, switch, remove.
//
// What everything rests on: a copy is removed only where a whole one lies in a colder tier. So whoever else moves the same blob at the same
// time, the coldest copy stays. And whoever has copied looks at the blob's row afterwards: a removal that claimed the row later than that
// finds the new copy, one that claimed it before may not have, so what it left is removed here, by a claim of its own.

#include <algorithm>
#include <thread>

#include "core/out_of_memory.hpp"
#include "library/blob_copy.hpp"
#include "library/library_impl.hpp"
#include "library/verify_walk.hpp"

namespace media {

std::string_view to_string(TierMove::Kind kind) noexcept {
  switch (kind) {
    case TierMove::Kind::demote:
      return "demote";
    case TierMove::Kind::promote:
      return "promote";
    case TierMove::Kind::trim:
      return "trim";
  }
  return "demote";
}

namespace {

constexpr std::size_t kPage = 500;
/// While somebody else removes the same blob. Longer than its claim lives without being renewed: one that was abandoned is taken over.
constexpr std::chrono::seconds kRemovalPatience = kClaimLease + std::chrono::seconds{30};
/// While somebody else reads all copies of a blob, and replaces those that are damaged: 5 GB from a slow place.
constexpr std::chrono::minutes kSearchPatience{2};

}  // namespace

/// One run over all blobs.
class LibraryImpl::Arrangement {
 public:
  Arrangement(LibraryImpl& library, const TieredStore& tiers, const ArrangeOptions& options)
      : library_(library), tiers_(tiers), options_(options), now_(library.clock_->now()) {}

  Result<ArrangeReport> run() {
    for (std::size_t i = 0; i < tiers_.tier_count(); ++i) {
      MEDIA_TRY_ASSIGN(BlobStore* const store, tiers_.tier(i));
      stores_.push_back(store);
      walks_.emplace_back(*store);
    }
    std::optional<Digest> after;
    for (;;) {
      MEDIA_TRY_ASSIGN(const auto uses, library_.repository_->list_blob_uses(after, kPage));
      if (uses.empty()) return report_;
      after = uses.back().digest;
      for (const BlobUse& use : uses) {
        if (options_.stop.stop_requested()) {
          report_.complete = false;
          return report_;
        }
        MEDIA_TRY(look_at(use));
      }
    }
  }

 private:
  /// The tiers that list it.
  Result<std::vector<std::size_t>> find(const Digest& digest) {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < walks_.size(); ++i) {
      for (;;) {
        MEDIA_TRY_ASSIGN(const ListedBlob* const listed, walks_[i].peek());
        if (listed == nullptr || (listed->digest && *listed->digest > digest)) break;
        if (listed->digest == digest) {
          found.push_back(i);
          break;
        }
        walks_[i].advance();
      }
    }
    return found;
  }

  Result<void> look_at(const BlobUse& use) {
    MEDIA_TRY_ASSIGN(const auto found, find(use.digest));
    // What nothing refers to is the collection's; what lies nowhere, verification's.
    if (use.state != BlobState::live || found.empty() || use.since == Timestamp()) return {};
    ++report_.blobs;
    TierMove move;
    move.digest = use.digest;
    move.size_bytes = use.size_bytes;
    move.blob_kind = use.kind;
    const std::size_t home = home_of(use, move.reason);
    const std::size_t hottest = found.front();
    move.from = tiers_.tier_name(hottest);
    move.to = tiers_.tier_name(home);
    const bool is_there = std::find(found.begin(), found.end(), home) != found.end();
    if (hottest == home) return {};
    move.kind = home < hottest ? TierMove::Kind::promote : is_there ? TierMove::Kind::trim : TierMove::Kind::demote;
    if (!fits(move)) return {};
    if (!options_.dry_run) {
      auto done = carry_out(move, hottest, home);
      if (!done && is_retryable(done.error().code)) return std::move(done).error();
      if (!done) {
        ++report_.problems;
        if (options_.on_problem) options_.on_problem(move, done.error());
        return {};
      }
      if (!*done) return {};
    }
    note(move);
    return {};
  }

  std::size_t home_of(const BlobUse& use, std::string& reason) const {
    for (std::size_t tier = std::min(tiers_.tier_count(), options_.rules.size() + 1); tier-- > 1;) {
      if (auto met = options_.rules[tier - 1].reason(use, now_)) {
        reason = *std::move(met);
        return tier;
      }
    }
    reason = "no rule of another tier is met";
    return 0;
  }

  bool fits(const TierMove& move) {
    if (move.kind == TierMove::Kind::trim || !options_.budget_bytes || report_.copied_bytes + move.size_bytes <= *options_.budget_bytes) {
      return true;
    }
    ++report_.left;
    report_.left_bytes += move.size_bytes;
    return false;
  }

  void note(const TierMove& move) {
    if (move.kind == TierMove::Kind::demote) ++report_.demoted;
    if (move.kind == TierMove::Kind::promote) ++report_.promoted;
    if (move.kind == TierMove::Kind::trim) ++report_.trimmed;
    if (move.kind != TierMove::Kind::trim) report_.copied_bytes += move.size_bytes;
    if (move.kind != TierMove::Kind::promote) report_.freed_bytes += move.size_bytes;
    if (options_.on_move) options_.on_move(move);
  }

  /// False where there was nothing to move any more.
  Result<bool> carry_out(const TierMove& move, std::size_t from, std::size_t to) {
    bool whole = move.kind == TierMove::Kind::trim;
    if (whole) {
      MEDIA_TRY_ASSIGN(whole, is_whole(*stores_[to], move.digest));
      // Or the damaged copy, in another place of the store, may be found before the whole one.
      if (!whole) MEDIA_TRY(stores_[to]->quarantine(move.digest));
    }
    MEDIA_TRY_ASSIGN(const bool is_wanted,
                     whole ? library_.settle_copy(move.digest) : library_.bring(*stores_[from], *stores_[to], move.digest));
    if (!is_wanted || move.kind == TierMove::Kind::promote) return is_wanted;
    return library_.leave_hotter(move.digest, stores_, to, tiers_.tier_name(to));
  }

  LibraryImpl& library_;
  const TieredStore& tiers_;
  const ArrangeOptions& options_;
  const Timestamp now_;
  std::vector<BlobStore*> stores_;
  std::vector<StoreWalk> walks_;
  ArrangeReport report_;
};

Result<LibraryImpl::WholeCopy> LibraryImpl::find_whole_copy(const Digest& digest) const {
  std::shared_ptr<CopySearch> search;
  {
    std::unique_lock lock(searches_mutex_);
    if (const auto running = searches_.find(digest); running != searches_.end()) {
      search = running->second;
      if (search_ended_.wait_for(lock, kSearchPatience, [&] { return search->found.has_value(); })) return *search->found;
      return Error{Errc::unavailable, "blob " + digest.to_hex() + " is being mended; try again"};
    }
    search = std::make_shared<CopySearch>();
    searches_.emplace(digest, search);
  }
  /// Whatever is thrown on the way: nobody must wait for one who is gone.
  struct End {
    const LibraryImpl& library;
    const Digest& digest;
    CopySearch& search;
    ~End() {
      const std::lock_guard lock(library.searches_mutex_);
      if (!search.found) search.found = out_of_memory();
      library.searches_.erase(digest);
      library.search_ended_.notify_all();
    }
  };
  const End end{*this, digest, *search};
  auto found = search_whole_copy(digest);
  const std::lock_guard lock(searches_mutex_);
  search->found = found;
  return found;
}

Result<LibraryImpl::WholeCopy> LibraryImpl::search_whole_copy(const Digest& digest) const {
  WholeCopy found;
  const TieredStore* const tiers = store_->tiered();
  if (tiers == nullptr) return found;
  found.is_clean = true;
  const BlobStore* source = nullptr;
  std::vector<BlobStore*> bad;
  std::optional<Error> failure;
  bool is_complete = true;  // every tier answered
  for (std::size_t i = 0; i < tiers->tier_count(); ++i) {
    const auto store = tiers->tier(i);
    auto reader = store ? (*store)->open(digest) : Result<std::unique_ptr<ByteReader>>(store.error());
    if (!reader && reader.error().code == Errc::not_found) continue;
    const auto actual = reader ? hash_content(**reader) : Result<Digest>(reader.error());
    if (actual && *actual == digest) {
      if (source == nullptr) {
        source = *store;
        found.reader = std::move(reader).value();
      }
      continue;
    }
    // A disk that cannot read it is as good as one that has lost it; a tier that does not answer may have a whole one.
    if (store && (actual || actual.error().code == Errc::corrupt || actual.error().code == Errc::io)) {
      bad.push_back(*store);
    } else {
      found.is_clean = found.is_clean && source != nullptr;
      is_complete = false;
      if (!failure) failure = actual.error();
    }
  }
  if (!found.reader && failure) return Error{Errc::unavailable, failure->message};
  if (!found.reader) return found;
  found.is_mended = !options_.read_only && is_complete;
  if (options_.read_only) found.is_clean = bad.empty();
  if (options_.read_only || bad.empty()) return found;
  open_blobs_.forget(digest);
  for (BlobStore* const store : bad) {
    // What cannot even be read cannot be set aside; the whole copy takes its place all the same.
    const auto aside = store->quarantine(digest);
    const auto copied = copy_whole(*source, *store, digest);
    const bool replaced = copied && *copied;
    found.is_mended = found.is_mended && replaced;
    found.is_clean = found.is_clean && (replaced || (aside && *aside));
  }
  MEDIA_TRY_ASSIGN(const bool is_wanted, settle_copy(digest));
  if (!is_wanted) return Error{Errc::not_found, "blob " + digest.to_hex() + " is gone"};
  return found;
}

Result<bool> LibraryImpl::bring(const BlobStore& from, BlobStore& to, const Digest& digest) const {
  const auto copied = copy_whole(from, to, digest);
  if (copied && !*copied) return false;
  // A copy that failed may be there all the same.
  auto settled = settle_copy(digest);
  if (!copied) return copied.error();
  return settled;
}

Result<bool> LibraryImpl::settle_copy(const Digest& digest) const {
  auto settled = try_to_settle(digest);
  const std::lock_guard lock(unsettled_mutex_);
  if (settled) {
    unsettled_.erase(digest);
  } else {
    unsettled_.insert(digest);
  }
  return settled;
}

void LibraryImpl::settle_unsettled() const {
  std::set<Digest> digests;
  {
    const std::lock_guard lock(unsettled_mutex_);
    digests = unsettled_;
  }
  // One that cannot be settled now is tried again with the next call, and keeps nobody from the others.
  for (const Digest& digest : digests) static_cast<void>(settle_copy(digest));
}

Result<bool> LibraryImpl::try_to_settle(const Digest& digest) const {
  const auto end = std::chrono::steady_clock::now() + kRemovalPatience;
  for (;;) {
    MEDIA_TRY_ASSIGN(const auto row, repository_->find_blob(digest));
    if (!row || row->state != BlobState::deleting) break;
    if (row->condemned_at <= clock_->now() - kClaimLease) {
      // Whoever claimed it died, perhaps after it had been to this tier.
      MEDIA_TRY_ASSIGN(auto taken_over, renew_claims(std::span(&*row, 1)));
      MEDIA_TRY(wipe_claimed(std::move(taken_over)));
      continue;
    }
    if (std::chrono::steady_clock::now() >= end) {
      return Error{Errc::unavailable, "blob " + digest.to_hex() + " is being removed; try again"};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::vector<Blob> claimed;
  bool is_wanted = false;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    claimed.clear();
    MEDIA_TRY_ASSIGN(const auto row, transaction.find_blob(digest));
    is_wanted = row && row->state != BlobState::deleting;
    if (row) return {};
    // It was removed while it was copied: what came too late for that goes now, and whoever stores it anew meanwhile hears of it.
    Blob blob;
    blob.digest = digest;
    blob.state = BlobState::deleting;
    blob.condemned_at = clock_->now();
    MEDIA_TRY(transaction.put_blob(blob));
    claimed.push_back(blob);
    return {};
  }));
  MEDIA_TRY(wipe_claimed(std::move(claimed)));
  return is_wanted;
}

/// The row and the colder copy are looked at in the transaction in which the hotter ones go: whoever erases the blob claims its row first,
/// and whoever stores it anew afterwards makes another one, so that neither can come in between. False where the hotter copies are needed.
Result<bool> LibraryImpl::leave_hotter(const Digest& digest, std::span<BlobStore* const> stores, std::size_t to, const std::string& tier) {
  bool left = false;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    left = false;
    MEDIA_TRY_ASSIGN(auto row, transaction.find_blob(digest));
    if (!row || row->state == BlobState::deleting) return {};
    MEDIA_TRY_ASSIGN(const auto stat, stores[to]->stat(digest));
    if (!stat || stat->size != row->size_bytes) return {};
    if (!stat->identity.empty()) {
      row->identity = tier + '/' + stat->identity;  // as the tiered store tells it once this copy is the hottest
      row->verified_at = clock_->now();
      MEDIA_TRY(transaction.put_blob(*row));
    }
    // The hottest last: whoever reads meanwhile finds one of them at every moment.
    for (std::size_t hotter = to; hotter-- > 0;) {
      open_blobs_.forget(digest);
      MEDIA_TRY(stores[hotter]->remove(digest));
    }
    left = true;
    return {};
  }));
  return left;
}

std::vector<std::string> LibraryImpl::tier_names() const {
  std::vector<std::string> names;
  const TieredStore* const tiers = store_->tiered();
  for (std::size_t i = 0; tiers != nullptr && i < tiers->tier_count(); ++i) names.push_back(tiers->tier_name(i));
  return names;
}

Result<void> LibraryImpl::check_store() {
  const TieredStore* const tiers = store_->tiered();
  return tiers == nullptr ? store_->check() : check_tier(0);
}

Result<void> LibraryImpl::check_tier(std::size_t index) {
  const TieredStore* const tiers = store_->tiered();
  if (tiers == nullptr || index >= tiers->tier_count()) return Error{Errc::invalid_argument, "check a tier: there is no such tier"};
  MEDIA_TRY_ASSIGN(BlobStore* const store, tiers->tier(index));
  return store->check();
}

Result<ArrangeReport> LibraryImpl::arrange_tiers(const ArrangeOptions& options) {
  const TieredStore* const tiers = store_->tiered();
  if (tiers == nullptr) return Error{Errc::unsupported, "arrange tiers: this library has one store, and no tiers"};
  if (options_.read_only && !options.dry_run) return Error{Errc::denied, "arrange tiers: the library is open for reading only"};
  flush_reads();
  settle_unsettled();
  return Arrangement(*this, *tiers, options).run();
}

Result<std::size_t> LibraryImpl::promote_read(std::uint64_t below_bytes, std::stop_token stop) {
  const TieredStore* const tiers = store_->tiered();
  if (tiers == nullptr || options_.read_only) return std::size_t{0};
  MEDIA_TRY_ASSIGN(BlobStore* const hot, tiers->tier(0));
  settle_unsettled();
  const auto promote_one = [&](const Digest& digest) -> Result<bool> {
    MEDIA_TRY_ASSIGN(const auto there, hot->stat(digest));
    if (there) return false;
    for (std::size_t i = 1; i < tiers->tier_count(); ++i) {
      const auto store = tiers->tier(i);
      const auto stat = store ? (*store)->stat(digest) : Result<std::optional<BlobStat>>(store.error());
      // One that does not answer is passed over: what was read came from somewhere.
      if (!stat || !*stat) continue;
      if ((*stat)->size >= below_bytes) return false;
      auto brought = bring(**store, *hot, digest);
      if (!brought && brought.error().code == Errc::corrupt) return false;  // whoever reads it next finds that out, too
      return brought;
    }
    return false;
  };
  std::size_t promoted = 0;
  const std::vector<Digest> wanted = read_counts_.take_wanted();
  for (std::size_t at = 0; at < wanted.size() && !stop.stop_requested(); ++at) {
    const auto done = promote_one(wanted[at]);
    if (!done && (is_retryable(done.error().code) || done.error().code == Errc::no_space)) {
      // The next call goes on with it, and with those behind it.
      read_counts_.want_again(std::span(wanted).subspan(at));
      return done.error();
    }
    // One that cannot be brought stays where it is, until it is read again.
    if (!done) continue;
    promoted += *done ? 1U : 0U;
  }
  return promoted;
}

void LibraryImpl::note_read(const Digest& digest) const {
  if (!counts_reads_) return;
  if (read_counts_.note(digest, clock_->now()) || read_counts_.is_due()) flush_reads();
}

void LibraryImpl::flush_reads() const {
  if (!counts_reads_) return;
  const auto reads = read_counts_.take();
  if (reads.empty()) return;
  const auto written = repository_->write([&](Transaction& transaction) { return transaction.note_blob_reads(reads); });
  static_cast<void>(written);  // It decides where a blob lies one day, and nothing else.
}

}  // namespace media

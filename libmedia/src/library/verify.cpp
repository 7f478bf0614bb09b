// Every byte re-read: catalog and store walked side by side in the order of digests, hashing spread over threads.

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <new>
#include <random>
#include <set>
#include <system_error>
#include <thread>

#include "core/out_of_memory.hpp"
#include "core/sha256_lanes.hpp"
#include "library/blob_copy.hpp"
#include "library/hashing.hpp"
#include "library/library_impl.hpp"
#include "library/verify_walk.hpp"

namespace media {

std::string_view to_string(Fault::Problem problem) noexcept {
  switch (problem) {
    case Fault::Problem::damaged:
      return "damaged";
    case Fault::Problem::missing:
      return "missing";
    case Fault::Problem::stray:
      return "stray";
  }
  return "damaged";
}

namespace {

/// Blobs up to this size are read whole and hashed together; so much is held at once by each thread.
constexpr std::size_t kTogetherBytes = 128U << 10U;
constexpr std::size_t kHeldBytes = 1U << 20U;
constexpr std::size_t kNotesAtOnce = 4096;
constexpr std::uint64_t kBlobsPerProgress = 100;
/// Between publishing a blob and cataloguing it an ingest passes through a moment in which it looks like a stray.
constexpr std::chrono::seconds kStrayPatience{2};
/// A row that says "verified" since less than this is left alone: the note would cost more than it tells.
constexpr std::chrono::hours kNoteAgainAfter{1};

bool is_of_share(const Digest& digest, const VerifyShare& share) {
  // Digests are spread evenly, and so are any eight bytes of them.
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i) number = number << 8U | digest.bytes()[i];
  return number % share.of == share.number - 1;
}

/// Holds all threads together to a rate, by letting them sleep.
class ReadingPace {
 public:
  ReadingPace(std::uint64_t bytes_per_second, std::stop_token stop) : rate_(bytes_per_second), stop_(std::move(stop)) {}
  void read(std::uint64_t bytes) {
    if (rate_ == 0) return;
    const double sum = static_cast<double>(bytes_ += bytes);
    const auto due = start_ + std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(sum / static_cast<double>(rate_)));
    while (!stop_.stop_requested() && Steady::now() < due) {
      std::this_thread::sleep_for(std::min<Steady::duration>(due - Steady::now(), std::chrono::milliseconds(50)));
    }
  }

 private:
  using Steady = std::chrono::steady_clock;
  const std::uint64_t rate_;
  const std::stop_token stop_;
  const Steady::time_point start_ = Steady::now();
  std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace

/// One run. The walk is on the calling thread, everything else on any of them.
class LibraryImpl::Verification {
 public:
  Verification(LibraryImpl& library, const VerifyOptions& options)
      : library_(library), options_(options), pace_(options.bytes_per_second, options.stop), queue_(thread_count()) {}

  Result<VerifyReport> run() {
    MEDIA_TRY_ASSIGN(const auto kept, library_.repository_->list_quarantined(false, std::nullopt, SIZE_MAX));
    for (const Quarantined& entry : kept) {
      if (entry.reason == Hold::damaged || entry.reason == Hold::missing) known_bad_.insert(entry.digest);
    }
    {
      std::vector<std::jthread> threads;
      // However this ends, those that were started wait for no more.
      const std::unique_ptr<VerifyQueue, void (*)(VerifyQueue*)> closing(&queue_, [](VerifyQueue* queue) { queue->close(); });
      try {
        for (unsigned i = 0; i < thread_count(); ++i) threads.emplace_back([this] { work(); });
        walked_ = walk();
        queue_.hand_over();
      } catch (const std::bad_alloc&) {
        walked_ = out_of_memory();
      } catch (const std::system_error& error) {
        walked_ = Error{Errc::unavailable, std::string("verify: start a thread: ") + error.what()};
      }
    }
    note(std::move(to_note_));
    if (!walked_) return walked_.error();
    if (failure_) return *failure_;
    if (options_.stop.stop_requested()) return Error{Errc::cancelled, "verify: stopped"};
    MEDIA_TRY(tell_strays());
    MEDIA_TRY(check_hidden_copies());
    if (options_.progress) options_.progress(report_.blobs, report_.bytes);
    return report_;
  }

 private:
  struct Suspect {
    std::optional<Digest> digest;
    std::string location;
  };
  /// What a blob's row is to say.
  struct Note {
    Digest digest;
    std::optional<Timestamp> verified_at{};  ///< Absent: it is damaged, and must not pass for verified.
    std::string identity{};
    Hold damage = Hold::none;  ///< What was found; `missing` leaves the row as it is.
    std::string message{};
    bool is_mended = false;  ///< It was found damaged or missing before.
  };

  [[nodiscard]] unsigned thread_count() const { return std::max(options_.threads, 1U); }

  Result<void> walk() {
    StoreWalk stored(*library_.store_);
    RowWalk rows(*library_.repository_);
    while (!options_.stop.stop_requested()) {
      MEDIA_TRY_ASSIGN(const ListedBlob* const listed, stored.peek());
      MEDIA_TRY_ASSIGN(const Blob* const row, rows.peek());
      if (listed != nullptr && !listed->digest) {
        if (options_.share.number == 1) suspects_.push_back({std::nullopt, listed->location});
        stored.advance();
      } else if (row != nullptr && (listed == nullptr || row->digest <= *listed->digest)) {
        const bool here = listed != nullptr && row->digest == *listed->digest;
        if (row->state != BlobState::deleting && is_wanted(*row)) {
          queue_.push(here ? VerifyTask{*row, listed->location, listed->identity, listed->place} : VerifyTask{*row, {}, {}, 0});
        }
        if (here) stored.advance();
        rows.advance();
      } else if (listed != nullptr) {
        if (is_of_share(*listed->digest, options_.share)) suspects_.push_back({listed->digest, listed->location});
        stored.advance();
      } else {
        break;
      }
    }
    return {};
  }

  bool is_wanted(const Blob& row) {
    if (!is_of_share(row.digest, options_.share)) return false;
    if (options_.unless_verified_since && row.verified_at && *row.verified_at >= *options_.unless_verified_since) return false;
    return is_drawn();
  }
  bool is_drawn() { return options_.sample >= 1 || std::uniform_real_distribution<double>(0, 1)(chance_) < options_.sample; }

  /// Takes tasks until there are no more, whatever becomes of them: the walk waits for that.
  void work() {
    std::unique_ptr<std::byte[]> held;
    std::vector<VerifyTask> tasks;
    for (bool more = true; more;) {
      try {
        more = queue_.pop(tasks);
        if (!more) return;
        if (!held) held = std::make_unique_for_overwrite<std::byte[]>(kHeldBytes);
        auto checked = check(tasks, std::span(held.get(), kHeldBytes));
        if (!checked) fail(std::move(checked).error());
      } catch (const std::bad_alloc&) {
        fail(out_of_memory());
      }
    }
  }

  void fail(Error error) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(error);
  }

  Result<void> check(std::span<const VerifyTask> tasks, std::span<std::byte> held) {
    std::vector<const VerifyTask*> together;
    std::vector<std::span<const std::byte>> contents;
    std::size_t used = 0;
    const auto judge_together = [&]() -> Result<void> {
      std::vector<Digest> digests(contents.size());
      hash_together(contents, digests);
      for (std::size_t i = 0; i < contents.size(); ++i) MEDIA_TRY(judge(*together[i], contents[i].size(), digests[i]));
      together.clear();
      contents.clear();
      used = 0;
      return {};
    };
    for (const VerifyTask& task : tasks) {
      if (options_.stop.stop_requested()) return {};
      MEDIA_TRY_ASSIGN(const auto reader, open_blob(task));
      if (!reader) continue;
      pace_.read(reader->size());
      if (reader->size() > kTogetherBytes) {
        MEDIA_TRY(judge(task, reader->size(), hash_content(*reader)));
        continue;
      }
      if (used + reader->size() > held.size()) MEDIA_TRY(judge_together());
      const auto into = held.subspan(used, static_cast<std::size_t>(reader->size()));
      if (const auto read = read_whole(*reader, into); !read) {
        MEDIA_TRY(judge(task, reader->size(), read.error()));
        continue;
      }
      used += into.size();
      together.push_back(&task);
      contents.push_back(into);
    }
    return judge_together();
  }

  /// Null where it is gone: collected since the walk passed here, which is no fault, or for real, which is reported.
  Result<std::unique_ptr<ByteReader>> open_blob(const VerifyTask& task) {
    auto opened = library_.store_->open(task.row.digest);
    if (opened) return opened;
    if (is_retryable(opened.error().code)) return opened;  // A store that cannot be reached is not a damaged one.
    Fault fault{Fault::Problem::damaged, task.row.digest, task.location, "cannot be opened: " + opened.error().message};
    if (opened.error().code == Errc::not_found) {
      MEDIA_TRY_ASSIGN(const auto row, library_.repository_->find_blob(task.row.digest));
      if (!row || row->state == BlobState::deleting) return std::unique_ptr<ByteReader>();
      fault.problem = Fault::Problem::missing;
      fault.message = "the catalog has it, the store has not";
    }
    MEDIA_TRY(found_bad(task, std::move(fault)));
    return std::unique_ptr<ByteReader>();
  }

  Result<void> judge(const VerifyTask& task, std::uint64_t size_bytes, const Result<Digest>& digest) {
    if (!digest && is_retryable(digest.error().code)) return digest.error();
    std::string wrong;
    if (!digest) {
      wrong = "cannot be read: " + digest.error().message;
    } else if (*digest != task.row.digest) {
      wrong = "its bytes have the digest " + digest->to_hex();
    } else if (size_bytes != task.row.size_bytes) {
      wrong = "it has " + std::to_string(size_bytes) + " bytes, its row says " + std::to_string(task.row.size_bytes);
    }
    if (!wrong.empty()) {
      {
        const std::lock_guard lock(mutex_);
        ++report_.blobs;
      }
      return found_bad(task, Fault{Fault::Problem::damaged, task.row.digest, task.location, std::move(wrong)});
    }
    std::string identity = task.identity;
    if (identity.empty()) {
      MEDIA_TRY_ASSIGN(const auto stat, library_.store_->stat(task.row.digest));
      if (stat) identity = stat->identity;
    }
    const Timestamp now = library_.clock_->now();
    const bool noted_lately = task.row.verified_at && now - *task.row.verified_at < kNoteAgainAfter && identity == task.row.identity;
    {
      const std::lock_guard lock(mutex_);
      ++report_.blobs;
      report_.bytes += size_bytes;
      if (options_.progress && ++since_progress_ >= kBlobsPerProgress) {
        since_progress_ = 0;
        options_.progress(report_.blobs, report_.bytes);
      }
    }
    const bool is_mended = known_bad_.contains(task.row.digest);
    if (!noted_lately || is_mended) add_note({task.row.digest, now, std::move(identity), Hold::none, {}, is_mended});
    return {};
  }

  Result<void> found_bad(const VerifyTask& task, Fault fault) {
    // Whoever reads it next hashes it, and finds what was found here.
    library_.open_blobs_.forget(task.row.digest);
    library_.blob_cache_.forget(task.row.digest);
    const auto repaired = repair(task.row, fault.problem);
    fault.repaired = repaired && *repaired;
    if (!fault.repaired) {
      const Hold damage = fault.problem == Fault::Problem::damaged ? Hold::damaged : Hold::missing;
      add_note({task.row.digest, std::nullopt, {}, damage, fault.message, false});
    }
    tell(fault);
    if (!repaired) return repaired.error();
    return {};
  }

  /// A tier that does not answer is no reason to end here: whoever reads the blob tries again.
  Result<bool> repair_from_tiers(const Blob& row) {
    const auto whole = library_.find_whole_copy(row.digest);
    if (!whole || !whole->reader || !whole->is_clean) return false;
    MEDIA_TRY(library_.note_whole(row.digest, whole->reader->size()));
    return true;
  }

  /// False where there is no whole copy to be had.
  Result<bool> repair(const Blob& row, Fault::Problem problem) {
    if (library_.options_.read_only) return false;
    if (problem == Fault::Problem::damaged) {
      MEDIA_TRY_ASSIGN(const bool mended, repair_from_tiers(row));
      if (mended) return true;
    }
    if (options_.repair_from == nullptr) return false;
    const auto copy = options_.repair_from->open(row.digest);
    if (!copy) return false;
    MEDIA_TRY_ASSIGN(auto writer, library_.store_->begin((*copy)->size()));
    std::vector<std::byte> piece(static_cast<std::size_t>(std::min<std::uint64_t>((*copy)->size(), kHeldBytes)));
    for (std::uint64_t at = 0; at < (*copy)->size();) {
      const auto got = (*copy)->read_at(at, piece);
      if (!got || *got == 0) return false;
      MEDIA_TRY(writer->write(std::span(piece).first(*got)));
      at += *got;
    }
    std::array<std::unique_ptr<Staged>, 1> staged;
    MEDIA_TRY_ASSIGN(staged[0], writer->finish());
    // A copy that is damaged too is none.
    if (staged[0]->digest() != row.digest) return false;
    if (problem == Fault::Problem::damaged) {
      // What cannot even be read cannot be set aside; the whole copy takes its place all the same.
      const auto aside = library_.store_->quarantine(row.digest);
      if (!aside && is_retryable(aside.error().code)) return aside.error();
    }
    const std::uint64_t size_bytes = staged[0]->size();
    MEDIA_TRY(library_.store_->publish(staged));
    MEDIA_TRY(library_.note_whole(row.digest, size_bytes));
    return true;
  }

  void tell(const Fault& fault) {
    const std::lock_guard lock(mutex_);
    switch (fault.problem) {
      case Fault::Problem::damaged:
        ++report_.damaged;
        break;
      case Fault::Problem::missing:
        ++report_.missing;
        break;
      case Fault::Problem::stray:
        ++report_.stray;
        break;
    }
    if (fault.repaired) ++report_.repaired;
    if (options_.on_fault) options_.on_fault(fault);
  }

  void add_note(Note one) {
    std::vector<Note> full;
    {
      const std::lock_guard lock(mutex_);
      to_note_.push_back(std::move(one));
      if (to_note_.size() >= kNotesAtOnce) full.swap(to_note_);
    }
    note(std::move(full));
  }

  void note(std::vector<Note> notes) {
    if (library_.options_.read_only || notes.empty()) return;
    const auto written = library_.repository_->write([&](Transaction& transaction) -> Result<void> {
      for (const Note& each : notes) {
        MEDIA_TRY_ASSIGN(auto row, transaction.find_blob(each.digest));
        if (!row) continue;
        if (each.damage != Hold::none) {
          MEDIA_TRY(note_damage(transaction, each.digest, each.damage, each.message, library_.clock_->now()));
        }
        if (each.is_mended) MEDIA_TRY(forget_damage(transaction, each.digest));
        if (each.damage == Hold::missing) continue;
        row->verified_at = each.verified_at;
        row->identity = each.identity;
        MEDIA_TRY(transaction.put_blob(*row));
      }
      return {};
    });
    static_cast<void>(written);  // a note for readers; what was found is reported all the same
  }

  Result<void> tell_strays() {
    bool waited = false;
    for (const Suspect& suspect : suspects_) {
      if (suspect.digest) {
        MEDIA_TRY_ASSIGN(auto row, library_.repository_->find_blob(*suspect.digest));
        if (!row && !waited) {
          std::this_thread::sleep_for(kStrayPatience);
          waited = true;
          MEDIA_TRY_ASSIGN(row, library_.repository_->find_blob(*suspect.digest));
        }
        if (row) continue;
        MEDIA_TRY_ASSIGN(const auto stat, library_.store_->stat(*suspect.digest));
        if (!stat) continue;
      }
      tell(Fault{Fault::Problem::stray, suspect.digest, suspect.location, "the store has it, the catalog has not"});
    }
    return {};
  }

  /// Copies in colder tiers of what a hotter one has, too: no reader comes to them, and one day they are all that is left. Nothing is noted
  /// of them, so a run that passes over what was verified lately leaves them out.
  Result<void> check_hidden_copies() {
    const TieredStore* const tiers = library_.store_->tiered();
    if (tiers == nullptr || options_.unless_verified_since) return {};
    for (std::size_t index = 1; index < tiers->tier_count(); ++index) {
      MEDIA_TRY_ASSIGN(const BlobStore* const store, tiers->tier(index));
      StoreWalk walk(*store);
      for (;;) {
        if (options_.stop.stop_requested()) return Error{Errc::cancelled, "verify: stopped"};
        MEDIA_TRY_ASSIGN(const ListedBlob* const listed, walk.peek());
        if (listed == nullptr) break;
        if (listed->digest && is_of_share(*listed->digest, options_.share) && is_drawn()) {
          MEDIA_TRY_ASSIGN(const bool is_hidden, is_in_hotter(*tiers, index, *listed->digest));
          if (is_hidden) MEDIA_TRY(check_hidden(*listed, tiers->tier_name(index), *store));
        }
        walk.advance();
      }
    }
    return {};
  }

  static Result<bool> is_in_hotter(const TieredStore& tiers, std::size_t index, const Digest& digest) {
    for (std::size_t hotter = 0; hotter < index; ++hotter) {
      MEDIA_TRY_ASSIGN(const BlobStore* const store, tiers.tier(hotter));
      MEDIA_TRY_ASSIGN(const auto stat, store->stat(digest));
      if (stat) return true;
    }
    return false;
  }

  Result<void> check_hidden(const ListedBlob& listed, const std::string& tier, const BlobStore& store) {
    pace_.read(listed.size);
    MEDIA_TRY_ASSIGN(const bool whole, is_whole(store, *listed.digest));
    {
      const std::lock_guard lock(mutex_);
      ++report_.blobs;
      report_.bytes += whole ? listed.size : 0;
    }
    if (whole) return {};
    MEDIA_TRY_ASSIGN(const auto still_there, store.stat(*listed.digest));
    if (!still_there) return {};
    Fault fault{Fault::Problem::damaged, listed.digest, tier + ':' + listed.location, "this copy has other bytes than its digest says"};
    MEDIA_TRY_ASSIGN(const auto row, library_.repository_->find_blob(*listed.digest));
    // What nobody refers to is left to a collection.
    if (row && row->state != BlobState::deleting) {
      const auto found = library_.find_whole_copy(*listed.digest);
      fault.repaired = found && found->reader && found->is_mended;
    }
    tell(fault);
    return {};
  }

  LibraryImpl& library_;
  const VerifyOptions& options_;
  ReadingPace pace_;
  VerifyQueue queue_;
  std::mt19937_64 chance_{std::random_device{}()};
  std::vector<Suspect> suspects_;
  std::set<Digest> known_bad_;
  Result<void> walked_;

  std::mutex mutex_;  ///< Guards what follows.
  VerifyReport report_;
  std::optional<Error> failure_;
  std::vector<Note> to_note_;
  std::uint64_t since_progress_ = 0;
};

Result<VerifyReport> LibraryImpl::verify(const VerifyOptions& options) {
  if (options.share.of == 0 || options.share.number == 0 || options.share.number > options.share.of) {
    return Error{Errc::invalid_argument, "verify: a share is one of 1 to so many as there are"};
  }
  if (!(options.sample > 0 && options.sample <= 1)) return Error{Errc::invalid_argument, "verify: a sample is more than 0 and at most all"};
  return Verification(*this, options).run();
}

}  // namespace media

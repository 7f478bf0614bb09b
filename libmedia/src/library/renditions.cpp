// Renditions as a stock that can be dropped, kept within a budget, and made again.

#include <algorithm>
#include <map>
#include <random>
#include <thread>

#include "core/out_of_memory.hpp"
#include "library/hashing.hpp"
#include "library/library_impl.hpp"

namespace media {

std::string_view to_string(RenditionFault::Problem problem) noexcept {
  switch (problem) {
    case RenditionFault::Problem::differs:
      return "differs";
    case RenditionFault::Problem::not_made:
      return "not_made";
    case RenditionFault::Problem::source_lost:
      return "source_lost";
  }
  return "differs";
}

namespace {

constexpr std::size_t kPage = 256;
/// What one picture does for the budget while its callers wait.
constexpr std::size_t kInlinePages = 2;
constexpr std::size_t kInlineRounds = 2;
/// Dropping goes on to so much below the budget, or each new picture would cost a transaction more.
constexpr std::uint64_t kSlackShare = 32;
/// What other processes made is not in this one's sum: it is made anew that often.
constexpr std::chrono::seconds kSumLifetime{60};

/// Encoder versions of this build, by format.
class Encoders {
 public:
  bool is_current(const Rendition& rendition) {
    auto found = versions_.find(rendition.format);
    if (found == versions_.end()) {
      auto version = encoder_version(rendition.format);
      found = versions_.emplace(rendition.format, version ? std::move(version).value() : std::string()).first;
    }
    return !found->second.empty() && found->second == rendition.encoder;
  }

 private:
  std::map<Format, std::string> versions_;
};

/// True of a video that was encoded, which is not made again only to be compared: it would take as long as it did.
bool was_encoded(const Rendition& rendition) {
  const auto transform = parse_transform(rendition.transform);
  return transform && encodes_video(*transform);
}

/// What was made, as the digest that it would be stored under.
Result<Digest> digest_of(const Encoded& output) { return output.content ? hash_content(*output.content) : Digest::of(output.bytes); }

/// Every rendition of the catalog, in pages that are short enough to hold.
template <class Take>
Result<void> for_each_rendition(const Repository& repository, const std::stop_token& stop, const Take& take) {
  std::optional<Rendition> after;
  while (!stop.stop_requested()) {
    MEDIA_TRY_ASSIGN(auto page, repository.list_all_renditions(after, kPage));
    if (page.empty()) return {};
    after = page.back();
    for (Rendition& rendition : page) MEDIA_TRY(take(rendition));
  }
  return Error{Errc::cancelled, "renditions: stopped"};
}

/// Which renditions are to be made again, source by source.
class VerificationPlan {
 public:
  explicit VerificationPlan(const Repository& repository) : repository_(repository) {}

  /// Looks through the catalog, draws the sample, and counts what is outdated.
  Result<void> prepare(const VerifyRenditionsOptions& options) {
    sampled_ = options.sample.has_value();
    std::mt19937_64 chance(std::random_device{}());
    std::uint64_t seen = 0;
    MEDIA_TRY(for_each_rendition(repository_, options.stop, [&](Rendition& rendition) -> Result<void> {
      if (was_encoded(rendition)) return {};
      if (!encoders_.is_current(rendition)) {
        ++outdated_;
        return {};
      }
      ++seen;
      if (!sampled_) return {};
      // Every one of those seen so far has the same chance to be in the sample.
      if (sample_.size() < *options.sample) {
        sample_.push_back(std::move(rendition));
      } else if (const std::uint64_t at = std::uniform_int_distribution<std::uint64_t>(0, seen - 1)(chance); at < sample_.size()) {
        sample_[static_cast<std::size_t>(at)] = std::move(rendition);
      }
      return {};
    }));
    std::sort(sample_.begin(), sample_.end(), [](const Rendition& a, const Rendition& b) { return a.source < b.source; });
    total_ = sampled_ ? sample_.size() : seen;
    return {};
  }
  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  [[nodiscard]] std::uint64_t outdated() const noexcept { return outdated_; }

  /// The next source's, at most a page of them; none at the end. Any thread.
  Result<std::vector<Rendition>> next() {
    const std::lock_guard lock(mutex_);
    std::vector<Rendition> group;
    while (group.size() < kPage) {
      if (at_ == sample_.size() && !sampled_) MEDIA_TRY(refill());
      if (at_ == sample_.size() || (!group.empty() && group.front().source != sample_[at_].source)) break;
      group.push_back(std::move(sample_[at_++]));
    }
    return group;
  }

 private:
  Result<void> refill() {
    sample_.clear();
    at_ = 0;
    while (sample_.empty() && !ended_) {
      MEDIA_TRY_ASSIGN(auto page, repository_.list_all_renditions(after_, kPage));
      ended_ = page.empty();
      if (!ended_) after_ = page.back();
      for (Rendition& rendition : page) {
        if (!was_encoded(rendition) && encoders_.is_current(rendition)) sample_.push_back(std::move(rendition));
      }
    }
    return {};
  }

  const Repository& repository_;
  std::mutex mutex_;
  Encoders encoders_;
  bool sampled_ = false;
  std::vector<Rendition> sample_;  ///< Or the page of all that is being handed out.
  std::size_t at_ = 0;
  std::optional<Rendition> after_;
  bool ended_ = false;
  std::uint64_t total_ = 0;
  std::uint64_t outdated_ = 0;
};

}  // namespace

void LibraryImpl::note_use(const Rendition& rendition) const {
  if (options_.read_only) return;
  // Where no job thread looks after it, whoever uses a rendition does.
  if (uses_.note(rendition.digest, clock_->now()) || uses_.is_due()) flush_uses();
}

void LibraryImpl::flush_uses() const {
  const auto uses = uses_.take();
  if (uses.empty() || options_.read_only) return;
  const auto written = repository_->write([&](Transaction& transaction) -> Result<void> {
    for (const auto& [digest, when] : uses) MEDIA_TRY(transaction.note_rendition_use(digest, when));
    return {};
  });
  static_cast<void>(written);  // It decides what goes first one day, and nothing else: the next use is noted again.
}

Result<RenditionUsage> LibraryImpl::drop_some(std::span<const Rendition> candidates,
                                              const std::function<bool(const Rendition&, const RenditionUsage&)>& wanted) {
  RenditionUsage dropped;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    dropped = {};
    for (const Rendition& candidate : candidates) {
      // As it is now: since it was listed it may have been used, or made anew.
      MEDIA_TRY_ASSIGN(const auto row, transaction.find_rendition(candidate.source, candidate.transform, candidate.encoder));
      if (!row || !wanted(*row, dropped)) continue;
      MEDIA_TRY(transaction.remove_rendition(row->source, row->transform, row->encoder));
      ++dropped.renditions;
      dropped.size_bytes += row->size_bytes;
    }
    return {};
  }));
  return dropped;
}

Result<RenditionUsage> LibraryImpl::drop_renditions(const RenditionSelection& selection) {
  if (options_.read_only) return Error{Errc::denied, "drop renditions: the library is open for reading only"};
  if (selection.unused_for && selection.unused_for->count() < 0) {
    return Error{Errc::invalid_argument, "drop renditions: accepts a time of 0 or more since they were used"};
  }
  flush_uses();
  const Timestamp now = clock_->now();
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  const Timestamp until = now - std::min(selection.unused_for.value_or(std::chrono::seconds(0)), age);
  const auto wanted = [&](const Rendition& rendition) { return !selection.unused_for || rendition.used_at <= until; };

  RenditionUsage dropped;
  const auto drop = [&](std::span<const Rendition> candidates) -> Result<void> {
    MEDIA_TRY_ASSIGN(const auto some,
                     drop_some(candidates, [&](const Rendition& rendition, const RenditionUsage&) { return wanted(rendition); }));
    dropped.renditions += some.renditions;
    dropped.size_bytes += some.size_bytes;
    return {};
  };
  if (selection.media) {
    MEDIA_TRY_ASSIGN(const auto media, find_alive(*repository_, *selection.media));
    if (!media) return Error{Errc::not_found, "there is no media " + std::to_string(*selection.media)};
    if (!media->digest) return dropped;
    MEDIA_TRY_ASSIGN(const auto renditions, repository_->list_renditions(*media->digest));
    MEDIA_TRY(drop(renditions));
  } else {
    // Those that are made meanwhile lie behind or before this walk: either way it has an end.
    std::vector<Rendition> candidates;
    MEDIA_TRY(for_each_rendition(*repository_, {}, [&](Rendition& rendition) -> Result<void> {
      if (wanted(rendition)) candidates.push_back(std::move(rendition));
      if (candidates.size() < kPage) return {};
      MEDIA_TRY(drop(candidates));
      candidates.clear();
      return {};
    }));
    MEDIA_TRY(drop(candidates));
  }
  const std::lock_guard lock(budget_mutex_);
  summed_up_.reset();
  return dropped;
}

Result<RenditionUsage> LibraryImpl::evict_renditions(std::size_t pages) {
  RenditionUsage evicted;
  const std::uint64_t budget = options_.rendition_budget_bytes;
  if (budget == 0) return evicted;
  flush_uses();
  {
    // Before the sum: what is made meanwhile counts twice rather than not at all, and the next sum puts it right.
    const std::lock_guard lock(budget_mutex_);
    added_since_ = 0;
  }
  MEDIA_TRY_ASSIGN(auto usage, repository_->rendition_usage(true));
  const std::uint64_t goal = usage.size_bytes > budget ? budget - budget / kSlackShare : budget;
  for (std::size_t page = 0; usage.size_bytes > goal && page < pages; ++page) {
    MEDIA_TRY_ASSIGN(const auto oldest, repository_->list_least_used_renditions(kPage));
    const std::uint64_t too_much = usage.size_bytes - goal;
    MEDIA_TRY_ASSIGN(const auto dropped,
                     drop_some(oldest, [&](const Rendition&, const RenditionUsage& so_far) { return so_far.size_bytes < too_much; }));
    if (dropped.renditions == 0) break;  // others are at it too
    usage.size_bytes -= std::min(usage.size_bytes, dropped.size_bytes);
    evicted.renditions += dropped.renditions;
    evicted.size_bytes += dropped.size_bytes;
    evicted_ += dropped.renditions;
  }
  const std::lock_guard lock(budget_mutex_);
  summed_up_ = usage.size_bytes;
  summed_up_at_ = std::chrono::steady_clock::now();
  return evicted;
}

void LibraryImpl::keep_within_budget(std::uint64_t added_bytes) {
  const std::uint64_t budget = options_.rendition_budget_bytes;
  if (budget == 0) return;
  const auto is_kept = [&] {
    return summed_up_ && *summed_up_ + added_since_ <= budget && std::chrono::steady_clock::now() - summed_up_at_ < kSumLifetime;
  };
  std::unique_lock lock(budget_mutex_);
  added_since_ += added_bytes;
  if (evicting_) return;  // Who is at it looks again before he ends.
  evicting_ = true;
  const std::unique_ptr<bool, void (*)(bool*)> done(&evicting_, [](bool* evicting) { *evicting = false; });
  // Somebody waits for the picture, so only so much at a time: the next pictures go on, and a collection does all of it.
  for (std::size_t round = 0; round < kInlineRounds && !is_kept(); ++round) {
    lock.unlock();
    const auto evicted = evict_renditions(kInlinePages);
    lock.lock();
    // The picture is there whether or not others could make room for it; a collection tries again, and says why not.
    if (!evicted) break;
  }
}

Result<VerifyRenditionsReport> LibraryImpl::verify_renditions(const VerifyRenditionsOptions& options) {
  VerificationPlan plan(*repository_);
  MEDIA_TRY(plan.prepare(options));
  VerifyRenditionsReport report;
  report.outdated = plan.outdated();
  std::mutex report_mutex;
  std::optional<Error> failure;

  const auto tell = [&](const Rendition& rendition, std::optional<RenditionFault::Problem> problem, std::string message) -> Result<void> {
    if (problem) {
      // Dropped or made anew since it was listed: no fault of anybody's.
      MEDIA_TRY_ASSIGN(const auto row, repository_->find_rendition(rendition.source, rendition.transform, rendition.encoder));
      if (!row || row->digest != rendition.digest) return {};
    }
    const std::lock_guard lock(report_mutex);
    ++report.checked;
    if (!problem) ++report.same;
    if (problem == RenditionFault::Problem::differs) ++report.differing;
    if (problem == RenditionFault::Problem::not_made) ++report.not_made;
    if (problem == RenditionFault::Problem::source_lost) ++report.source_lost;
    if (problem && options.on_fault) options.on_fault({*problem, rendition, std::move(message)});
    if (options.progress) options.progress(report.checked, plan.total());
    return {};
  };

  const auto compare = [&](const Rendition& rendition, const Encoded& output) -> Result<void> {
    MEDIA_TRY_ASSIGN(const Digest digest, digest_of(output));
    const std::uint64_t size_bytes = output.content ? output.content->size() : output.bytes.size();
    if (digest == rendition.digest) return tell(rendition, std::nullopt, {});
    return tell(rendition, RenditionFault::Problem::differs,
                "made again it has " + std::to_string(size_bytes) + " bytes and the digest " + digest.to_hex() + "; stored are " +
                    std::to_string(rendition.size_bytes) + " bytes");
  };
  const auto check = [&](const std::vector<Rendition>& group) -> Result<void> {
    const auto content = open_verified(group.front().source);
    if (!content) {
      const Errc code = content.error().code;
      if (code != Errc::not_found && code != Errc::corrupt) return content.error();
      for (const Rendition& each : group) MEDIA_TRY(tell(each, RenditionFault::Problem::source_lost, content.error().message));
      return {};
    }
    // Together, so that those of one size share a decoding; where that fails, one by one, to know which it was.
    std::vector<const Rendition*> readable;
    std::vector<Transform> transforms;
    for (const Rendition& each : group) {
      const auto transform = parse_transform(each.transform);
      if (!transform) {
        MEDIA_TRY(tell(each, RenditionFault::Problem::not_made, transform.error().message));
        continue;
      }
      readable.push_back(&each);
      transforms.push_back(*transform);
    }
    DeriveOptions how;
    how.budget = options_.budget;
    how.stop = options.stop;
    const auto together = derive_in_turn(**content, transforms, how, [] {});
    for (std::size_t i = 0; i < readable.size(); ++i) {
      if (options.stop.stop_requested()) return {};
      const Rendition& each = *readable[i];
      if (together) {
        MEDIA_TRY(compare(each, together->outputs[i]));
        continue;
      }
      const auto alone = derive_in_turn(**content, std::span(&transforms[i], 1), how, [] {});
      if (alone) {
        MEDIA_TRY(compare(each, alone->outputs.front()));
        continue;
      }
      const Error& error = alone.error();
      if (options.stop.stop_requested()) return {};
      if (is_retryable(error.code) || error.code == Errc::io || error.code == Errc::no_space) return error;  // nothing of the picture's
      MEDIA_TRY(tell(each, RenditionFault::Problem::not_made, error.message));
    }
    return {};
  };

  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < std::max(options.threads, 1U); ++i) {
      threads.emplace_back([&] {
        const auto work = [&]() -> Result<void> {
          while (!options.stop.stop_requested()) {
            {
              const std::lock_guard lock(report_mutex);
              if (failure) return {};
            }
            MEDIA_TRY_ASSIGN(const auto group, plan.next());
            if (group.empty()) return {};
            MEDIA_TRY(check(group));
          }
          return {};
        };
        auto done = unless_out_of_memory(work);
        const std::lock_guard lock(report_mutex);
        if (!done && !failure) failure = std::move(done).error();
      });
    }
  }
  if (options.stop.stop_requested()) return Error{Errc::cancelled, "verify renditions: stopped"};
  if (failure) return *failure;
  return report;
}

}  // namespace media

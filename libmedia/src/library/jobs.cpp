// Queued work: claimed under a lease, done, and ended in the same transaction as its results.

#include <algorithm>
#include <array>
#include <thread>

#include "core/random.hpp"
#include "library/job_faults.hpp"
#include "library/library_impl.hpp"
#include "media/trace.hpp"

namespace media {
namespace {

const std::string kDerive = "derive";
const std::string kScan = "scan";
/// Queued by the migration that brought descriptions, for what was there before.
const std::string kDescribe = "describe";
constexpr std::uint32_t kMaxAttempts = 5;
/// A worker that died may have been killed for somebody else's sake; a second death is the file's own.
constexpr std::uint32_t kMaxDeaths = 2;
constexpr std::chrono::seconds kRenewEvery{5};
constexpr std::chrono::milliseconds kIdlePoll{500};
/// After so many, about 15 s, whoever waits for one media is told instead; its job stays in the queue.
constexpr std::uint32_t kMostPutOffsWaitedFor = 5;

std::chrono::milliseconds backoff(std::uint32_t attempts) { return std::chrono::milliseconds{500} * (1U << std::min(attempts, 7U)); }

/// What is kept back is processed when it is let go. What has not been seen is seen by that.
bool is_to_be_processed(const Media& media) noexcept { return media.held == Hold::none || media.held == Hold::unseen; }

bool worth_another_try(const Error& error, std::uint32_t attempts) {
  if (error.code == Errc::internal) return attempts < kMaxDeaths;
  return is_retryable(error.code) && attempts < kMaxAttempts;
}

}  // namespace

std::chrono::milliseconds LibraryImpl::lease() const { return options_.budget.deadline + std::chrono::seconds(30); }

Result<void> LibraryImpl::end_job_failed(const Job& job, Media media, const Error& error, std::uint32_t attempts) {
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(const bool mine, transaction.finish_job(job.id, job.lease_owner));
    if (!mine) return Error{Errc::conflict, "job " + std::to_string(job.id) + " was taken over"};
    MEDIA_TRY_ASSIGN(auto current, transaction.find_media(media.id));
    if (!current) return {};
    if (!is_to_be_processed(*current)) return {};
    if (current->held == Hold::unseen && current->digest) {
      // What cannot be decoded cannot be compared with what is banned, though others may be able to show it.
      Quarantined entry;
      entry.digest = *current->digest;
      entry.reason = Hold::unseen;
      entry.detail = error.message;
      entry.since = clock_->now();
      MEDIA_TRY(transaction.put_quarantined(entry));
    }
    current->status = MediaStatus::failed;
    current->error_message = reason_for_everybody(error, "processed", attempts);
    current->updated_at = clock_->now();
    current->completed_at = current->updated_at;
    current->processing_time_ms = media.processing_time_ms;
    MEDIA_TRY(transaction.update_media(*current));
    return note_event(transaction, MediaEvent::failed, *current);
  }));
  announce(media.id);
  return {};
}

Result<void> LibraryImpl::run_job(const Job& job, std::stop_token stop) {
  const auto started = std::chrono::steady_clock::now();
  const auto elapsed_ms = [&] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started).count();
  };
  MEDIA_TRY_ASSIGN(auto media, find_alive(*repository_, job.media_id));
  if (!media || !media->digest || !is_to_be_processed(*media)) {
    return repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY(transaction.finish_job(job.id, job.lease_owner));
      return {};
    });
  }
  if (job.attempts > kMaxAttempts) {
    // Its earlier attempts ended without a word: whoever ran it died each time.
    return end_job_failed(
        job, *media, Error{Errc::internal, "gave up after " + std::to_string(kMaxAttempts) + " attempts that did not end"}, job.attempts);
  }

  std::vector<Transform> wanted;
  for (const Preset& preset : options_.presets) {
    for (const Format format : preset.formats) {
      Transform transform = preset.transform;
      transform.format = format;
      const auto encoder = encoder_version(format);
      if (!encoder) continue;  // a build without that format
      MEDIA_TRY_ASSIGN(const auto existing, repository_->find_rendition(*media->digest, to_string(transform), *encoder));
      if (!existing) wanted.push_back(transform);
    }
  }

  bool lost = false;
  std::stop_source own_stop;
  const std::stop_callback pass_on(stop, [&] { own_stop.request_stop(); });
  auto renewed_at = std::chrono::steady_clock::now();
  double noted = 0;
  DeriveOptions options;
  options.budget = options_.budget;
  options.stop = own_stop.get_token();
  options.progress = [&](double share) {
    const auto now = std::chrono::steady_clock::now();
    const bool due = now - renewed_at >= kRenewEvery || (share - noted >= 0.1 && now - renewed_at >= std::chrono::milliseconds(300));
    if (!due || lost) return;
    renewed_at = now;
    noted = share;
    bool mine = true;
    const auto renewed = repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY_ASSIGN(mine, transaction.renew_job(job.id, job.lease_owner, clock_->now() + lease(), std::max(job.progress, share)));
      return {};
    });
    if (renewed && !mine) {
      lost = true;
      own_stop.request_stop();
    }
  };

  auto outcome = [&]() -> Result<void> {
    // Even with nothing to encode the source is decoded where it never was: that is what `Complete` says.
    MEDIA_TRY_ASSIGN(const auto content, open_verified(*media->digest));
    Derived derived;
    const bool is_described = media->appearance.known();
    if (!wanted.empty() || media->placeholder.empty() || !is_described) {
      auto made = derive_in_turn(*content, wanted, options, [&] { options.progress(noted); });
      // A video that nothing can be shown of (encrypted, a codec of its own, frames beyond the budget) can still be downloaded and played.
      const auto is_kept_plain = [&](Errc code) {
        return is_video(media->info.format) && (code == Errc::unsupported || code == Errc::too_large);
      };
      if (!made && !is_kept_plain(made.error().code)) return std::move(made).error();
      if (made) derived = std::move(*made);
    }
    std::vector<StagedOutput> outputs;
    for (const Encoded& output : derived.outputs) {
      MEDIA_TRY_ASSIGN(auto staged, stage_output(*media->digest, output));
      outputs.push_back(std::move(staged));
    }
    std::vector<MediaId> kept_back;
    MEDIA_TRY(keep_outputs(outputs, media->info.format, [&](Transaction& transaction) -> Result<void> {
      kept_back.clear();
      MEDIA_TRY_ASSIGN(const bool mine, transaction.finish_job(job.id, job.lease_owner));
      if (!mine) return Error{Errc::conflict, "job " + std::to_string(job.id) + " was taken over"};
      MEDIA_TRY_ASSIGN(auto current, transaction.find_media(media->id));
      if (!current || !is_to_be_processed(*current)) return {};
      current->status = MediaStatus::complete;
      current->error_message.clear();
      if (!derived.placeholder.empty()) current->placeholder = derived.placeholder;
      if (derived.appearance.known()) current->appearance = derived.appearance;
      current->info.has_alpha = current->info.has_alpha || derived.source.has_alpha;
      if (current->info.width == 0 && derived.source.width != 0) {
        current->info.width = derived.source.width;
        current->info.height = derived.source.height;
      }
      current->updated_at = clock_->now();
      current->completed_at = current->updated_at;
      current->processing_time_ms = elapsed_ms();
      MEDIA_TRY_ASSIGN(const bool banned, compare_with_bans(transaction, *current, kept_back));
      if (banned) return {};
      MEDIA_TRY(transaction.update_media(*current));
      return note_event(transaction, MediaEvent::completed, *current);
    }));
    announce(media->id);
    announce_all(kept_back);
    return {};
  }();
  if (outcome) return {};
  if (lost) return Error{Errc::conflict, "job " + std::to_string(job.id) + " was taken over"};

  const Error& error = outcome.error();
  if (error.code == Errc::cancelled && stop.stop_requested()) {
    MEDIA_TRY(repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY(transaction.release_job(job.id, job.lease_owner, clock_->now(), "stopped"));
      return {};
    }));
    return outcome;
  }
  std::uint32_t attempts = job.attempts;
  if (is_fault_of_the_place(error.code)) {
    const auto later = put_off(job, error);
    if (later) {
      return repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
        MEDIA_TRY(transaction.return_job(job.id, job.lease_owner, clock_->now() + later->pause, later->note));
        return {};
      });
    }
    attempts = times_put_off(job) + 1;
  } else if (worth_another_try(error, job.attempts)) {
    const Timestamp again = clock_->now() + (error.code == Errc::internal ? std::chrono::milliseconds{0} : backoff(job.attempts));
    return repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY(transaction.release_job(job.id, job.lease_owner, again, error.message));
      return {};
    });
  }
  media->processing_time_ms = elapsed_ms();
  return end_job_failed(job, *media, error, attempts);
}

Result<void> LibraryImpl::run_description(const Job& job, std::stop_token stop) {
  Appearance appearance;
  const auto look = [&]() -> Result<void> {
    MEDIA_TRY_ASSIGN(const auto media, find_alive(*repository_, job.media_id));
    if (!media || !media->digest || media->appearance.known() || job.attempts > kMaxAttempts) return {};
    if (!is_to_be_processed(*media)) return {};
    MEDIA_TRY_ASSIGN(const auto content, open_verified(*media->digest));
    DeriveOptions options;
    options.budget = options_.budget;
    options.stop = stop;
    // Its lease was made for the looking, not for waiting for a place.
    const auto renew = [&] {
      const auto renewed = repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
        MEDIA_TRY(transaction.renew_job(job.id, job.lease_owner, clock_->now() + lease(), job.progress));
        return {};
      });
      static_cast<void>(renewed);  // Whoever took it over is asked again in the end.
    };
    MEDIA_TRY_ASSIGN(Derived derived, derive_in_turn(*content, {}, options, renew));
    appearance = std::move(derived.appearance);
    return {};
  };
  const auto outcome = look();
  const bool stopped = !outcome && outcome.error().code == Errc::cancelled && stop.stop_requested();
  if (!outcome && !stopped && is_fault_of_the_place(outcome.error().code)) {
    if (const auto later = put_off(job, outcome.error())) {
      return repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
        MEDIA_TRY(transaction.return_job(job.id, job.lease_owner, clock_->now() + later->pause, later->note));
        return {};
      });
    }
  } else if (!outcome && (stopped || worth_another_try(outcome.error(), job.attempts))) {
    const Timestamp again = clock_->now() + (stopped ? std::chrono::milliseconds{0} : backoff(job.attempts));
    MEDIA_TRY(repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY(transaction.release_job(job.id, job.lease_owner, again, outcome.error().message));
      return {};
    }));
    if (stopped) return outcome;
    return {};
  }
  // What cannot be decoded any more stays as it is, without a description; reading it says why.
  std::vector<MediaId> kept_back;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    kept_back.clear();
    MEDIA_TRY_ASSIGN(const bool mine, transaction.finish_job(job.id, job.lease_owner));
    if (!mine) return Error{Errc::conflict, "job " + std::to_string(job.id) + " was taken over"};
    if (!appearance.known()) return {};
    MEDIA_TRY_ASSIGN(auto current, transaction.find_media(job.media_id));
    if (!current || current->appearance.known()) return {};
    current->appearance = appearance;
    current->updated_at = clock_->now();
    MEDIA_TRY_ASSIGN(const bool banned, compare_with_bans(transaction, *current, kept_back));
    return banned ? Result<void>() : transaction.update_media(*current);
  }));
  if (appearance.known()) announce(job.media_id);
  announce_all(kept_back);
  return {};
}

Result<bool> LibraryImpl::retry_job(std::int64_t id) {
  bool retried = false;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(retried, transaction.retry_job(id, clock_->now()));
    return {};
  }));
  if (retried) wake_workers();
  return retried;
}

void LibraryImpl::wake_workers() {
  {
    const std::lock_guard lock(jobs_mutex_);
    ++jobs_generation_;
  }
  jobs_queued_.notify_all();
}

Result<std::size_t> LibraryImpl::work_off(std::span<const Kinds> orders, std::chrono::milliseconds lease, const RunJobsOptions& options,
                                          const std::function<Result<void>(const Job&)>& run, Order order) {
  std::size_t ended = 0;
  std::size_t turn = 0;
  if (!options.until_idle) std::call_once(watching_jobs_, [&] { repository_->watch_jobs([this] { wake_workers(); }); });
  while (ended < options.limit && !options.stop.stop_requested()) {
    std::uint64_t seen = 0;
    if (uses_.is_due()) flush_uses();
    if (read_counts_.is_due()) flush_reads();
    {
      const std::lock_guard lock(jobs_mutex_);
      seen = jobs_generation_;
    }
    std::vector<Job> claimed;
    const std::string owner = random_hex(16);
    const auto claim = repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
      const Timestamp now = clock_->now();
      claimed.clear();
      for (const std::string& kind : orders[turn]) {
        if (!claimed.empty()) break;
        if (order == Order::by_time) {
          MEDIA_TRY_ASSIGN(claimed, transaction.claim_jobs(kind, now, owner, now + lease, 1, 0));
          continue;
        }
        MEDIA_TRY_ASSIGN(const auto job, transaction.claim_job_in_turn(kind, now, owner, now + lease));
        if (job) claimed.push_back(*job);
      }
      return {};
    });
    if (!claim && (options.until_idle || !is_retryable(claim.error().code))) return claim.error();
    if (!claim) claimed.clear();  // What was not committed is nobody's.
    if (!claimed.empty()) {
      turn = (turn + 1) % orders.size();
      const auto outcome = run(claimed.front());
      // A job that was taken over is its new owner's; one that was stopped waits in the queue.
      if (!outcome && outcome.error().code != Errc::conflict && outcome.error().code != Errc::cancelled && options.until_idle) {
        return outcome.error();
      }
      ++ended;
      continue;
    }
    if (options.until_idle) break;
    open_blobs_.close_old();
    std::unique_lock lock(jobs_mutex_);
    jobs_queued_.wait_for(lock, options.stop, kIdlePoll, [&] { return jobs_generation_ != seen; });
  }
  return ended;
}

Result<std::size_t> LibraryImpl::run_jobs(const RunJobsOptions& options) {
  std::vector<Kinds> orders{{kDerive, kDescribe}};
  // A process without the scanner leaves them to one that has it. Else neither waits for the other's: somebody may have sent thousands of
  // pictures, and a scanner that is down leaves thousands of scans that are due again and again.
  if (options_.gate.scanner) orders = {{kScan, kDerive, kDescribe}, {kDerive, kScan, kDescribe}};
  return work_off(orders, lease(), options, [&](const Job& job) {
    Span span("job " + job.kind, SpanKind::consumer, from_traceparent(job.payload));
    span.set("media.id", job.media_id);
    span.set("media.job.attempt", std::int64_t{job.attempts});
    if (job.kind == kScan) return span.check(run_scan(job));
    return span.check(job.kind == kDescribe ? run_description(job, options.stop) : run_job(job, options.stop));
  });
}

Result<std::size_t> LibraryImpl::describe_old_media(const RunJobsOptions& options) {
  return work_off(std::array{Kinds{kDescribe}}, lease(), options, [&](const Job& job) { return run_description(job, options.stop); });
}

Result<Media> LibraryImpl::process(MediaId id, std::stop_token stop) {
  std::chrono::milliseconds pause{5};
  for (;;) {
    MEDIA_TRY_ASSIGN(auto media, find_alive(*repository_, id));
    if (!media) return Error{Errc::not_found, "there is no media " + std::to_string(id)};
    if (media->status != MediaStatus::processing || !is_to_be_processed(*media)) return std::move(*media);
    if (stop.stop_requested()) return Error{Errc::cancelled, "media " + std::to_string(id) + " is still being processed"};
    std::vector<Job> claimed;
    const std::string owner = random_hex(16);
    MEDIA_TRY(repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
      const Timestamp now = clock_->now();
      MEDIA_TRY_ASSIGN(claimed, transaction.claim_jobs(kDerive, now, owner, now + lease(), 1, id));
      return {};
    }));
    if (!claimed.empty()) {
      const auto outcome = run_job(claimed.front(), stop);
      if (!outcome && outcome.error().code != Errc::conflict) return outcome.error();
      MEDIA_TRY_ASSIGN(const auto left, repository_->find_job_of_media(id, kDerive));
      if (left && times_put_off(*left) >= kMostPutOffsWaitedFor) return Error{Errc::unavailable, left->last_error};
      continue;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds{200});
  }
}

}  // namespace media

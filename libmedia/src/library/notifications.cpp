// What others are told: queued with the change, sent from the queue until it is told.

#include <array>

#include "library/library_impl.hpp"

namespace media {
namespace {

const std::string kNotify = "notify";
/// A sender that is not done within it has died.
constexpr std::chrono::milliseconds kLease{std::chrono::minutes(2)};
/// With pauses of 10 s that double up to 6 h, the last is about 35 hours after the change.
constexpr std::uint32_t kMaxAttempts = 16;
constexpr std::chrono::milliseconds kFirstPause{std::chrono::seconds(10)};
constexpr std::chrono::milliseconds kLongestPause{std::chrono::hours(6)};

std::chrono::milliseconds pause_after(std::uint32_t attempts) {
  return std::min(kFirstPause * (1U << std::min(attempts - std::min(attempts, 1U), 16U)), kLongestPause);
}

}  // namespace

Result<void> LibraryImpl::note_event(Transaction& transaction, MediaEvent event, const Media& media) const {
  if (!options_.describe_event) return {};
  Job job;
  job.kind = kNotify;
  job.payload = options_.describe_event(event, media);
  if (job.payload.empty()) return {};
  // Of no media: it is told even when that is gone.
  job.created_at = job.run_after = clock_->now();
  MEDIA_TRY(transaction.insert_job(job));
  return {};
}

void LibraryImpl::announce(MediaId id) {
  if (options_.describe_event) wake_workers();
  if (options_.on_media_changed) options_.on_media_changed(id);
}

Result<std::size_t> LibraryImpl::send_notifications(const NotificationSender& send, const RunJobsOptions& options) {
  return work_off(std::array{Kinds{kNotify}}, kLease, options, [&](const Job& job) -> Result<void> {
    const auto sent = send({job.id, job.payload, job.attempts, job.created_at});
    const bool again = !sent && is_retryable(sent.error().code) && job.attempts < kMaxAttempts;
    return repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
      if (sent) {
        MEDIA_TRY(transaction.finish_job(job.id, job.lease_owner));
      } else {
        const auto next = again ? std::optional(clock_->now() + pause_after(job.attempts)) : std::nullopt;
        MEDIA_TRY(transaction.release_job(job.id, job.lease_owner, next, sent.error().message));
      }
      return {};
    });
  });
}

}  // namespace media

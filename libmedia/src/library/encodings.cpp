// Videos that are encoded: ordered, made by jobs of their own, and looked up.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "library/library_impl.hpp"
#include "media/trace.hpp"

namespace media {
namespace {

const std::string kEncode = "encode";
/// A full disk or a restart is not the video's fault: with the pauses between them these take hours.
constexpr std::uint32_t kMaxAttempts = 20;
constexpr std::chrono::minutes kLongestPause{10};
/// Of one media, on their way: every size in pixels would be another one, and each takes minutes.
constexpr std::size_t kMostVideos = 16;
/// A worker that died may have been killed for somebody else's sake; a second death is the file's own.
constexpr std::uint32_t kMaxDeaths = 2;
/// For how long the job of a process that died waits.
constexpr std::chrono::seconds kLease{45};
constexpr std::chrono::seconds kRenewEvery{5};
constexpr std::chrono::milliseconds kTellEvery{300};
constexpr double kTellStep = 0.01;

bool worth_another_try(const Error& error, std::uint32_t attempts) {
  if (error.code == Errc::internal) return attempts < kMaxDeaths;
  if (error.code == Errc::io || error.code == Errc::no_space || is_retryable(error.code)) return attempts < kMaxAttempts;
  return false;
}

/// What a dead job says to whoever may see the media: nothing of this machine's paths and faults.
std::string reason_for_everybody(const Error& error, std::uint32_t attempts) {
  const bool is_the_files = error.code == Errc::corrupt || error.code == Errc::unsupported || error.code == Errc::too_large;
  if (is_the_files || error.code == Errc::internal) return error.message;
  return "it could not be encoded here in " + std::to_string(attempts) + " attempts (" + std::string(to_string(error.code)) + ")";
}

bool moves(const Media& media) noexcept { return is_video(media.info.format) || media.info.frames > 1; }

}  // namespace

Result<Video> LibraryImpl::order_video(const Media& media, const Transform& transform) {
  const Transform meant = canonical(transform);
  if (!encodes_video(meant)) return Error{Errc::invalid_argument, "order video: no video is encoded for " + to_string(meant)};
  if (!media.digest) return Error{Errc::not_found, "there is no media " + std::to_string(media.id) + " with content"};
  if (media.held != Hold::none) {
    return Error{Errc::denied, "media " + std::to_string(media.id) + " is kept back: " + std::string(to_string(media.held))};
  }
  Video video;
  video.transform = to_string(meant);
  MEDIA_TRY_ASSIGN(const std::string encoder, encoder_version(meant.format));
  MEDIA_TRY_ASSIGN(auto stored, find_picture(*media.digest, video.transform, encoder));
  if (stored) {
    video.rendition = std::move(stored->rendition);
    return video;
  }
  if (!moves(media) || !processor_->handles(media.info.format)) {
    return Error{Errc::unsupported, "no video can be made of media " + std::to_string(media.id) + " (" + media.media_type + ")"};
  }
  if (options_.read_only) return Error{Errc::denied, "order video: the library is open for reading only"};
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    video.job.reset();
    MEDIA_TRY_ASSIGN(const auto current, transaction.find_media(media.id));
    if (!current || !current->digest) return Error{Errc::not_found, "there is no media " + std::to_string(media.id)};
    MEDIA_TRY_ASSIGN(const auto jobs, transaction.jobs_of_media(media.id, kEncode));
    for (const Job& job : jobs) {
      if (job.payload == video.transform) video.job = job;
    }
    const Timestamp now = clock_->now();
    if (video.job && video.job->state != JobState::dead) return {};
    if (video.job) {
      MEDIA_TRY(transaction.retry_job(video.job->id, now));
      video.job->state = JobState::queued;
      video.job->attempts = 0;
      video.job->progress = 0;
      return {};
    }
    const auto waiting = std::count_if(jobs.begin(), jobs.end(), [](const Job& job) { return job.state != JobState::dead; });
    if (static_cast<std::size_t>(waiting) >= kMostVideos) {
      return Error{Errc::conflict,
                   "media " + std::to_string(media.id) + " has " + std::to_string(kMostVideos) + " videos on their way, as many as it may"};
    }
    Job job;
    job.kind = kEncode;
    job.media_id = media.id;
    job.payload = video.transform;
    job.run_after = job.created_at = now;
    MEDIA_TRY_ASSIGN(job.id, transaction.insert_job(job));
    video.job = std::move(job);
    return {};
  }));
  wake_workers();
  return video;
}

Result<std::vector<Video>> LibraryImpl::videos(const Media& media) const {
  std::vector<Video> videos;
  if (!media.digest) return videos;
  MEDIA_TRY_ASSIGN(const auto jobs, repository_->jobs_of_media(media.id, kEncode));
  MEDIA_TRY_ASSIGN(const auto renditions, repository_->list_renditions(*media.digest));
  for (const Rendition& rendition : renditions) {
    const auto transform = parse_transform(rendition.transform);
    if (!transform || !makes_video(*transform)) continue;
    const auto encoder = encoder_version(transform->format);
    if (!encoder || *encoder != rendition.encoder) continue;
    videos.push_back({rendition.transform, rendition, std::nullopt});
  }
  for (const Job& job : jobs) {
    const auto same = std::find_if(videos.begin(), videos.end(), [&](const Video& video) { return video.transform == job.payload; });
    if (same == videos.end()) {
      videos.push_back({job.payload, std::nullopt, job});
    } else if (job.state != JobState::dead) {
      *same = {job.payload, std::nullopt, job};  // What was stored is lost, and is made again.
    }
  }
  std::sort(videos.begin(), videos.end(), [](const Video& a, const Video& b) { return a.transform < b.transform; });
  return videos;
}

Result<void> LibraryImpl::run_encoding(const Job& job, std::stop_token stop) {
  const auto give_up = [&](std::optional<Timestamp> again, const std::string& why) {
    return repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY(transaction.release_job(job.id, job.lease_owner, again, why));
      return {};
    });
  };
  const auto forget = [&] {
    return repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY(transaction.finish_job(job.id, job.lease_owner));
      return {};
    });
  };
  MEDIA_TRY_ASSIGN(const auto media, find_alive(*repository_, job.media_id));
  if (!media || !media->digest) return forget();
  if (media->held != Hold::none) return give_up(clock_->now() + kLongestPause, "kept back: " + std::string(to_string(media->held)));
  const auto transform = parse_transform(job.payload);
  if (!transform || !encodes_video(*transform)) return forget();
  if (job.attempts > kMaxAttempts) {
    return give_up(std::nullopt, "gave up after " + std::to_string(kMaxAttempts) + " attempts that did not end");
  }
  MEDIA_TRY_ASSIGN(const std::string encoder, encoder_version(transform->format));
  // Of another media with the same bytes, say.
  MEDIA_TRY_ASSIGN(const auto stored, find_picture(*media->digest, job.payload, encoder));
  if (stored) return forget();

  // Renewed by a thread of its own: no lease runs out while a source is copied or a video is stored, which take long without telling.
  std::atomic<bool> lost{false};
  // An attempt before this one may have come further: nobody is shown that it goes back.
  std::atomic<double> reached{job.progress};
  std::stop_source own_stop;
  const std::stop_callback pass_on(stop, [&] { own_stop.request_stop(); });
  const std::jthread heartbeat([&](const std::stop_token& ended) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    double noted = job.progress;
    auto renewed_at = std::chrono::steady_clock::now();
    while (!never.wait_for(lock, ended, kTellEvery, [] { return false; }) && !ended.stop_requested()) {
      const double share = reached;
      const auto since = std::chrono::steady_clock::now() - renewed_at;
      if (since < kRenewEvery && share - noted < kTellStep) continue;
      renewed_at = std::chrono::steady_clock::now();
      bool mine = true;
      const auto renewed = repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
        MEDIA_TRY_ASSIGN(mine, transaction.renew_job(job.id, job.lease_owner, clock_->now() + kLease, share));
        return {};
      });
      if (renewed) noted = share;
      if (!renewed || mine) continue;
      lost = true;
      own_stop.request_stop();
      return;
    }
  });
  DeriveOptions options;
  options.budget = options_.budget;
  options.stop = own_stop.get_token();
  options.progress = [&](double share) { reached = std::max(reached.load(), share); };
  const auto outcome = [&]() -> Result<void> {
    MEDIA_TRY_ASSIGN(const auto content, open_verified(*media->digest));
    MEDIA_TRY_ASSIGN(const Derived derived, traced_derive(*content, std::span(&*transform, 1), options));
    MEDIA_TRY_ASSIGN(StagedOutput staged, stage_output(*media->digest, derived.outputs.front()));
    return keep_outputs(std::span(&staged, 1), media->info.format, [&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY_ASSIGN(const bool mine, transaction.finish_job(job.id, job.lease_owner));
      if (!mine) return Error{Errc::conflict, "job " + std::to_string(job.id) + " was taken over"};
      return {};
    });
  }();
  if (outcome) return {};
  if (lost) return Error{Errc::conflict, "job " + std::to_string(job.id) + " was taken over"};
  const Error& error = outcome.error();
  if (error.code == Errc::cancelled && stop.stop_requested()) {
    MEDIA_TRY(give_up(clock_->now(), "stopped"));
    return outcome;
  }
  if (!worth_another_try(error, job.attempts)) return give_up(std::nullopt, reason_for_everybody(error, job.attempts));
  // Behind others that wait, but soon.
  const auto pause = std::min<std::chrono::milliseconds>(kLongestPause, std::chrono::milliseconds(500U << std::min(job.attempts, 12U)));
  return give_up(clock_->now() + (error.code == Errc::internal ? std::chrono::milliseconds(0) : pause), error.message);
}

Result<std::size_t> LibraryImpl::run_encodings(const RunJobsOptions& options) {
  return work_off(std::array{Kinds{kEncode}}, kLease, options, [&](const Job& job) {
    Span span("job " + job.kind, SpanKind::consumer, std::nullopt);
    span.set("media.id", job.media_id);
    span.set("media.job.attempt", std::int64_t{job.attempts});
    return span.check(run_encoding(job, options.stop));
  });
}

}  // namespace media

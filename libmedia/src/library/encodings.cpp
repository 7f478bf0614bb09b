// Videos that are encoded: ordered, made by jobs of their own, and looked up.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <thread>

#include "cage/encoded_content.hpp"
#include "library/job_faults.hpp"
#include "library/library_impl.hpp"
#include "media/details.hpp"
#include "media/trace.hpp"
#include "media/video.hpp"

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
/// After which a job is looked at again that nothing could be done for here.
constexpr std::chrono::seconds kAwayPause{30};
constexpr std::chrono::milliseconds kTellEvery{300};
constexpr double kTellStep = 0.01;
/// Nothing else that fails says so: see `is_full_encoding_queue`.
constexpr std::string_view kFullQueue = "order video: the queue has no room: ";

bool worth_another_try(const Error& error, std::uint32_t attempts, std::uint32_t deaths) {
  if (error.code == Errc::internal) return deaths < kMaxDeaths;
  if (error.code == Errc::io || error.code == Errc::no_space || is_retryable(error.code)) return attempts < kMaxAttempts;
  return false;
}

bool moves(const Media& media) noexcept { return is_video(media.info.format) || media.info.frames > 1; }

Error beyond_quota() { return Error{Errc::too_large, "the video is larger than what is left of its owner's quota"}; }

/// What a video lacks of its source, by the tracks of both, and by what its maker tells.
std::string missing_in(const ByteReader& video, const ByteReader& source, std::chrono::milliseconds lost_sound) {
  const auto has = probe_details(video);
  const auto had = probe_details(source);
  if (!has || !had || had->audio.empty()) return {};
  if (!has->audio.empty()) {
    const auto seconds = std::chrono::round<std::chrono::seconds>(lost_sound).count();
    if (seconds == 0) return {};
    return "without " + std::to_string(seconds) + " seconds of its sound, which could not be decoded";
  }
  std::string codecs;
  for (const AudioTrack& track : had->audio) codecs += (codecs.empty() ? "" : ", ") + track.codec;
  return "without sound: that of the source (" + codecs + ") could not be decoded";
}

std::optional<VideoOrder> order_of(const std::vector<VideoOrder>& orders, const std::string& transform) {
  const auto found = std::find_if(orders.begin(), orders.end(), [&](const VideoOrder& order) { return order.transform == transform; });
  return found == orders.end() ? std::optional<VideoOrder>() : std::optional(*found);
}

/// What is missing in a video that was made for others of the same content; nothing where none of them can tell any more.
Result<std::optional<std::string>> remark_of_others(const Repository& repository, const Media& media, const std::string& transform) {
  std::optional<std::string> remark;
  MEDIA_TRY_ASSIGN(const auto others, repository.list_media_of_blob(*media.digest));
  for (const Media& other : others) {
    if (other.id == media.id) continue;
    MEDIA_TRY_ASSIGN(const auto orders, repository.list_video_orders(other.id));
    const auto order = order_of(orders, transform);
    if (!order) continue;
    MEDIA_TRY_ASSIGN(const auto jobs, repository.jobs_of_media(other.id, kEncode));
    const bool waits = std::any_of(jobs.begin(), jobs.end(), [&](const Job& job) { return job.id == order->job_id; });
    if (!waits) remark = order->remark;
    if (remark && !remark->empty()) break;
  }
  return remark;
}

}  // namespace

bool is_full_encoding_queue(const Error& error) noexcept {
  return error.code == Errc::unavailable && error.message.starts_with(kFullQueue);
}

Result<bool> LibraryImpl::has_ordered(const Media& media, const std::string& transform) const {
  MEDIA_TRY_ASSIGN(const auto orders, repository_->list_video_orders(media.id));
  return order_of(orders, transform).has_value();
}

Result<std::optional<Error>> LibraryImpl::refuse_order(Transaction& transaction, const std::string& owner, const JobQueue& queue) const {
  const std::uint64_t free = options_.encoding_queue - std::min<std::uint64_t>(options_.encoding_queue, queue.jobs);
  if (free == 0 || queue.of_owner >= free) {
    return std::optional(Error{Errc::unavailable, std::string(kFullQueue) + std::to_string(queue.jobs) + " videos wait to be encoded, " +
                                                      std::to_string(queue.of_owner) + " of them this owner's"});
  }
  MEDIA_TRY_ASSIGN(const auto use, byte_use(transaction, owner));
  if (use && use->left() == 0) return std::optional(Error{Errc::too_large, "quota: nothing is left of it for another video"});
  return std::optional<Error>();
}

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
  MEDIA_TRY_ASSIGN(const auto orders, repository_->list_video_orders(media.id));
  if (const auto order = order_of(orders, video.transform)) {
    MEDIA_TRY_ASSIGN(auto stored, find_picture(*media.digest, video.transform, encoder));
    if (stored) {
      video.rendition = std::move(stored->rendition);
      video.remark = order->remark;
      return video;
    }
  }
  if (!processor_->encodes()) return Error{Errc::unsupported, "no video is encoded here: media-video-worker is not installed"};
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
    if (video.job && video.job->state != JobState::dead) return {};
    const auto waiting = std::count_if(jobs.begin(), jobs.end(), [](const Job& job) { return job.state != JobState::dead; });
    if (static_cast<std::size_t>(waiting) >= kMostVideos) {
      return Error{Errc::conflict,
                   "media " + std::to_string(media.id) + " has " + std::to_string(kMostVideos) + " videos on their way, as many as it may"};
    }
    MEDIA_TRY_ASSIGN(const JobQueue queue, transaction.job_queue(kEncode, current->owner));
    MEDIA_TRY_ASSIGN(auto refused, refuse_order(transaction, current->owner, queue));
    if (refused) return std::move(*refused);
    const Timestamp now = clock_->now();
    if (video.job) {
      MEDIA_TRY(transaction.retry_job(video.job->id, now));
      video.job->state = JobState::queued;
      video.job->attempts = 0;
      video.job->progress = 0;
    } else {
      Job job;
      job.kind = kEncode;
      job.media_id = media.id;
      job.payload = video.transform;
      job.run_after = job.created_at = now;
      MEDIA_TRY_ASSIGN(job.id, transaction.insert_job(job));
      video.job = std::move(job);
    }
    VideoOrder order;
    order.media_id = media.id;
    order.transform = video.transform;
    order.owner = current->owner;
    order.job_id = video.job->id;
    order.ordered_at = now;
    // Behind this owner's own, and beside the first of the others'.
    order.turn = queue.first_turn;
    if (queue.last_turn_of_owner) order.turn = std::max(order.turn, *queue.last_turn_of_owner + 1);
    return transaction.put_video_order(order);
  }));
  wake_workers();
  return video;
}

Result<std::vector<Video>> LibraryImpl::videos(const Media& media) const {
  std::vector<Video> videos;
  if (!media.digest) return videos;
  MEDIA_TRY_ASSIGN(const auto orders, repository_->list_video_orders(media.id));
  if (orders.empty()) return videos;
  MEDIA_TRY_ASSIGN(const auto jobs, repository_->jobs_of_media(media.id, kEncode));
  MEDIA_TRY_ASSIGN(const auto renditions, repository_->list_renditions(*media.digest));
  for (const VideoOrder& order : orders) {
    const auto transform = parse_transform(order.transform);
    const auto encoder = transform ? encoder_version(transform->format) : Result<std::string>(transform.error());
    if (!encoder) continue;
    const auto made = std::find_if(renditions.begin(), renditions.end(),
                                   [&](const Rendition& each) { return each.transform == order.transform && each.encoder == *encoder; });
    const auto job = std::find_if(jobs.begin(), jobs.end(), [&](const Job& each) { return each.id == order.job_id; });
    const bool is_made = made != renditions.end();
    // One that is on its way is so for a reason: what was stored is lost, or somebody else's.
    if (job != jobs.end() && (!is_made || job->state != JobState::dead)) {
      videos.push_back({order.transform, std::nullopt, *job, {}});
    } else if (is_made) {
      videos.push_back({order.transform, *made, std::nullopt, order.remark});
    }
  }
  return videos;
}

Result<void> LibraryImpl::run_encoding(const Job& job, std::stop_token stop) {
  // Changes the order, if it is still there.
  const auto note = [&](Transaction& transaction, const std::function<void(VideoOrder&)>& change) -> Result<void> {
    MEDIA_TRY_ASSIGN(const auto orders, transaction.list_video_orders(job.media_id));
    auto order = order_of(orders, job.payload);
    if (!order) return {};
    change(*order);
    return transaction.put_video_order(*order);
  };
  const auto give_up = [&](std::optional<Timestamp> again, const std::string& why) {
    return repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY(transaction.release_job(job.id, job.lease_owner, again, why));
      return {};
    });
  };
  // Nothing that was tried: who takes it next has as many attempts left as this one had.
  const auto hand_back = [&](Timestamp again, const std::string& why) {
    return repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY(transaction.return_job(job.id, job.lease_owner, again, why));
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
  if (media->held != Hold::none) return hand_back(clock_->now() + kLongestPause, "kept back: " + std::string(to_string(media->held)));
  const auto transform = parse_transform(job.payload);
  if (!transform || !encodes_video(*transform)) return forget();
  if (job.attempts > kMaxAttempts) {
    return give_up(std::nullopt, "gave up after " + std::to_string(kMaxAttempts) + " attempts that did not end");
  }
  MEDIA_TRY_ASSIGN(const std::string encoder, encoder_version(transform->format));
  MEDIA_TRY_ASSIGN(const auto use, byte_use(*repository_, media->owner));
  const auto end_with = [&](const std::string& remark) {
    return [&, remark](Transaction& transaction) -> Result<void> {
      MEDIA_TRY_ASSIGN(const bool mine, transaction.finish_job(job.id, job.lease_owner));
      if (!mine) return Error{Errc::conflict, "job " + std::to_string(job.id) + " was taken over"};
      return note(transaction, [&](VideoOrder& order) { order.remark = remark; });
    };
  };
  // Of another media with the same bytes, say.
  MEDIA_TRY_ASSIGN(const auto stored, find_picture(*media->digest, job.payload, encoder));
  if (stored) {
    if (use && use->used > use->most) return give_up(std::nullopt, beyond_quota().message);
    MEDIA_TRY_ASSIGN(const auto remark, remark_of_others(*repository_, *media, job.payload));
    // Else it is made once more: two files do not tell what could not be decoded.
    if (remark) return repository_->write(end_with(*remark));
  }

  // Renewed by a thread of its own: no lease runs out while a source is copied or a video is stored, which take long without telling.
  std::atomic<bool> lost{false};
  // An attempt before this one may have come further: nobody is shown that it goes back.
  std::atomic<double> reached{job.progress};
  std::stop_source own_stop;
  const std::stop_callback pass_on(stop, [&] { own_stop.request_stop(); });
  std::mutex mutex;
  std::condition_variable_any never;
  const std::jthread heartbeat([&](const std::stop_token& ended) {
    std::unique_lock lock(mutex);
    double noted = job.progress;
    auto renewed_at = std::chrono::steady_clock::now();
    while (!never.wait_for(lock, ended, kTellEvery, [] { return false; }) && !ended.stop_requested()) {
      const double share = reached;
      const auto since = std::chrono::steady_clock::now() - renewed_at;
      if (since < kRenewEvery && share - noted < kTellStep) continue;
      renewed_at = std::chrono::steady_clock::now();
      bool mine = true;
      Result<void> renewed;
      try {
        renewed = repository_->write_jobs([&](Transaction& transaction) -> Result<void> {
          MEDIA_TRY_ASSIGN(mine, transaction.renew_job(job.id, job.lease_owner, clock_->now() + kLease, share));
          return {};
        });
      } catch (const std::bad_alloc&) {
        continue;  // The next one comes before the lease ends.
      }
      if (renewed) noted = share;
      if (!renewed || mine) continue;
      lost = true;
      own_stop.request_stop();
      return;
    }
  });
  DeriveOptions options;
  options.budget = options_.budget;
  if (use) options.budget.max_video_bytes = std::min(options.budget.max_video_bytes, use->left());
  options.stop = own_stop.get_token();
  options.progress = [&](double share) { reached = std::max(reached.load(), share); };
  const auto outcome = [&]() -> Result<void> {
    MEDIA_TRY_ASSIGN(const auto content, open_verified(*media->digest));
    MEDIA_TRY_ASSIGN(const Derived derived, traced_derive(*content, std::span(&*transform, 1), options));
    const Encoded& output = derived.outputs.front();
    const MemoryReader in_memory(output.bytes);
    const std::string remark =
        missing_in(output.content ? *output.content : in_memory, *content, cage::lost_sound_of(output.content.get()));
    MEDIA_TRY_ASSIGN(StagedOutput staged, stage_output(*media->digest, output));
    return keep_outputs(std::span(&staged, 1), media->info.format, [&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY(end_with(remark)(transaction));
      // What earlier versions made of it is delivered no more, and would count in the quota.
      MEDIA_TRY_ASSIGN(const auto all, transaction.list_renditions(*media->digest));
      for (const Rendition& each : all) {
        if (each.transform != job.payload || each.encoder == encoder) continue;
        MEDIA_TRY(transaction.remove_rendition(each.source, each.transform, each.encoder));
      }
      // With its row there: of two that end at once the second is told.
      MEDIA_TRY_ASSIGN(const auto used, byte_use(transaction, media->owner));
      if (used && used->used > used->most) return beyond_quota();
      return {};
    });
  }();
  if (outcome) return {};
  if (lost) return Error{Errc::conflict, "job " + std::to_string(job.id) + " was taken over"};
  const Error& error = outcome.error();
  if (error.code == Errc::cancelled && stop.stop_requested()) {
    MEDIA_TRY(hand_back(clock_->now(), "stopped"));
    return outcome;
  }
  // The file has nothing to do with it: no worker starts here, or the store does not answer.
  if (error.code == Errc::unavailable) return hand_back(clock_->now() + kAwayPause, error.message);
  std::uint32_t deaths = 0;
  if (error.code == Errc::internal) {
    MEDIA_TRY(repository_->write(
        [&](Transaction& transaction) { return note(transaction, [&](VideoOrder& order) { deaths = ++order.deaths; }); }));
  }
  if (!worth_another_try(error, job.attempts, deaths)) {
    const bool is_narrow = error.code == Errc::too_large && options.budget.max_video_bytes < options_.budget.max_video_bytes;
    const std::string quota =
        is_narrow ? " (of its owner's quota " + std::to_string(options.budget.max_video_bytes) + " bytes are left)" : "";
    return give_up(std::nullopt, reason_for_everybody(error, "encoded", job.attempts) + quota);
  }
  // Behind others that wait, but soon.
  const auto pause = std::min<std::chrono::milliseconds>(kLongestPause, std::chrono::milliseconds(500U << std::min(job.attempts, 12U)));
  return give_up(clock_->now() + (error.code == Errc::internal ? std::chrono::milliseconds(0) : pause), error.message);
}

Result<std::size_t> LibraryImpl::run_encodings(const RunJobsOptions& options) {
  if (!processor_->encodes()) return Error{Errc::unsupported, "no video is encoded here: media-video-worker is not installed"};
  const auto run = [&](const Job& job) {
    Span span("job " + job.kind, SpanKind::consumer, std::nullopt);
    span.set("media.id", job.media_id);
    span.set("media.job.attempt", std::int64_t{job.attempts});
    return span.check(run_encoding(job, options.stop));
  };
  return work_off(std::array{Kinds{kEncode}}, kLease, options, run, Order::by_turn);
}

}  // namespace media

#include "cage/pool.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "cage/encoded_content.hpp"
#include "cage/saturating.hpp"
#include "cage/serve.hpp"
#include "cage/source_file.hpp"
#include "image/transform_limits.hpp"
#include "media/version.hpp"

namespace media::cage {
namespace {

using std::chrono::steady_clock;

/// Longer budgets are cut to this, so that a clock can be added to them.
constexpr std::chrono::milliseconds kLongestDeadline = std::chrono::hours(24);
/// A program that has not said hello by then is none of ours.
constexpr auto kHelloPatience = std::chrono::seconds(10);
/// A process whose socket closed is dying; this is for its last steps.
constexpr auto kDyingPatience = std::chrono::milliseconds(1000);
/// A worker's lasting limit is made for this many outputs, so that a probe's worker can serve the derive that follows.
constexpr std::size_t kUsualOutputs = 16;

/// Bytes of a video that are written over: a head, a length, an index whose room was kept.
constexpr std::uint64_t kMostOverwritten = 1ULL << 20U;

std::string seconds_text(std::chrono::milliseconds time) {
  const auto tenths = (time.count() + 50) / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

Error no_worker(const std::string& why) { return Error{Errc::unavailable, "no worker to be had: " + why}; }

}  // namespace

struct WorkerPool::Call {
  Request request;
  std::uint64_t worker_memory = 0;
  Patience patience;
  const DeriveOptions* options = nullptr;
  std::chrono::milliseconds deadline{0};
  NamelessFile* video = nullptr;  ///< Where a video's bytes go; null: none are wanted.

  [[nodiscard]] Error too_late() const { return Error{Errc::too_large, "ran over its deadline of " + seconds_text(deadline)}; }
  [[nodiscard]] static Error stopped() { return Error{Errc::cancelled, "stopped by the caller"}; }
};

WorkerPool::WorkerPool(PoolOptions options) : options_(std::move(options)) {
  // So that giving a worker back never has to allocate.
  idle_.reserve(options_.workers);
}

Result<std::unique_ptr<WorkerPool::Worker>> WorkerPool::start(const Call& call) {
  auto worker = launch(call);
  if (!worker && worker.error().code != Errc::cancelled) deaths_.count_not_started();
  return worker;
}

Result<std::unique_ptr<WorkerPool::Worker>> WorkerPool::launch(const Call& call) const {
  auto child = Child::start(options_.worker_path, {std::to_string(call.worker_memory)});
  if (!child) return no_worker(child.error().message);
  auto worker = std::make_unique<Worker>(Worker{std::move(*child), call.worker_memory, 0});
  Patience patience = call.patience;
  patience.until = std::min(patience.until, steady_clock::now() + kHelloPatience);
  const auto message = Channel(worker->child.socket()).receive(patience);
  const std::string name = options_.worker_path.string();
  if (!message) {
    switch (message.error()) {
      case Trouble::stopped:
        return Call::stopped();
      case Trouble::late:
        return no_worker(name + " did not start in time");
      case Trouble::closed:
        return no_worker(name + " " + describe(worker->child.end(kDyingPatience)) + " as it started");
      case Trouble::failed:
        break;
    }
    return no_worker(name + " does not talk like a media-worker");
  }
  const auto hello = message->kind == MessageKind::hello ? parse_hello(message->payload) : Result<Hello>(Error{});
  if (!hello) return no_worker(name + " does not talk like a media-worker");
  if (hello->version != MEDIA_VERSION || hello->protocol != kProtocol) {
    return no_worker(name + " is of version " + hello->version + ", this library of " MEDIA_VERSION "; install both from one build");
  }
  return worker;
}

Result<std::unique_ptr<WorkerPool::Worker>> WorkerPool::acquire(const Call& call) {
  for (;;) {
    std::unique_ptr<Worker> worker;
    {
      std::unique_lock lock(mutex_);
      const auto ready = [this] { return !idle_.empty() || living_ < options_.workers; };
      if (!freed_.wait_until(lock, call.options->stop, call.patience.until, ready)) {
        if (call.options->stop.stop_requested()) return Call::stopped();
        return no_worker("all " + std::to_string(options_.workers) + " stayed busy for " + seconds_text(call.deadline));
      }
      if (idle_.empty()) {
        ++living_;
      } else {
        worker = std::move(idle_.back());
        idle_.pop_back();
      }
    }
    if (worker) {
      // Killed meanwhile, or talking out of turn, or too narrow for this budget: another takes its place.
      const bool is_disturbed = Channel(worker->child.socket()).disturbed();
      if (!is_disturbed && worker->memory_limit >= call.worker_memory) return worker;
      if (is_disturbed) count_disturbed(*worker);
      worker.reset();
    }
    // The place is free again unless a worker comes of it, whatever is thrown.
    struct Place {
      WorkerPool* pool;
      ~Place() {
        if (pool != nullptr) pool->give_back(nullptr);
      }
    } place{this};
    auto fresh = start(call);
    if (fresh) place.pool = nullptr;
    return fresh;
  }
}

void WorkerPool::give_back(std::unique_ptr<Worker> worker) {
  if (worker && worker->jobs >= options_.jobs_per_worker) worker.reset();
  {
    const std::lock_guard lock(mutex_);
    if (worker) {
      idle_.push_back(std::move(worker));
    } else {
      --living_;
    }
  }
  freed_.notify_one();
}

void WorkerPool::count_disturbed(Worker& worker) {
  const auto said = Channel(worker.child.socket()).receive(Patience{steady_clock::now() + kDyingPatience});
  if (!said && said.error() == Trouble::closed) {
    deaths_.count(worker.child.end(kDyingPatience));
  } else {
    deaths_.count_nonsense();
  }
}

Error WorkerPool::broken(Worker& worker, const Call& call, Trouble trouble) {
  switch (trouble) {
    case Trouble::stopped:
      return Call::stopped();
    case Trouble::late:
      deaths_.count_late();
      return call.too_late();
    case Trouble::failed:
      deaths_.count_nonsense();
      return Error{Errc::internal, "the worker answered nonsense and was ended"};
    case Trouble::closed:
      break;
  }
  const Ending ending = worker.child.end(kDyingPatience);
  deaths_.count(ending);
  return Error{Errc::internal, "the worker " + describe(ending) + " in the middle of a job"};
}

/// `in_step` says whether the worker is ready for another job afterwards.
template <class Answer, class Take>
Result<Answer> WorkerPool::converse(Worker& worker, const Call& call, MessageKind kind, int source, const Take& take, bool& in_step) {
  const Channel channel(worker.child.socket());
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(call.patience.until - steady_clock::now());
  if (left.count() <= 0) {
    in_step = true;
    return call.too_late();
  }
  Request request = call.request;
  request.budget.deadline = left;
  if (auto sent = channel.send(kind, write_request(request), source); !sent) return broken(worker, call, sent.error());
  double done = 0;
  std::uint64_t overwritten = 0;
  for (;;) {
    const auto message = channel.receive(call.patience);
    if (!message) return broken(worker, call, message.error());
    if (message->kind == MessageKind::progress) {
      const auto share = parse_progress(message->payload);
      if (!share) return broken(worker, call, Trouble::failed);
      if (call.options->progress && *share > done) {
        done = *share;
        call.options->progress(done);
      }
      continue;
    }
    if (message->kind == MessageKind::piece) {
      const std::uint64_t most = call.options->budget.max_video_bytes;
      const auto piece = call.video != nullptr ? parse_piece(message->payload, std::numeric_limits<std::int64_t>::max())
                                               : Result<Piece>(Error{Errc::corrupt, "nobody asked for a piece"});
      if (!piece) return broken(worker, call, Trouble::failed);
      // Muxers go back to fill in what they did not know, and leave nothing out: whoever does is none of ours, or means ill.
      const std::uint64_t size = call.video->size();
      if (piece->offset > size) return broken(worker, call, Trouble::failed);
      overwritten += std::min<std::uint64_t>(size - piece->offset, piece->bytes.size());
      if (overwritten > kMostOverwritten) return broken(worker, call, Trouble::failed);
      if (piece->offset > most || piece->bytes.size() > most - piece->offset) {
        return Error{Errc::too_large, "the video has more than " + std::to_string(most) + " bytes, which is the budget's limit"};
      }
      if (auto written = call.video->write_at(piece->offset, piece->bytes); !written) return std::move(written).error();
      continue;
    }
    if (message->kind == MessageKind::failed) {
      Error error;
      if (!parse_error(message->payload, error)) return broken(worker, call, Trouble::failed);
      in_step = true;
      return error;
    }
    Received<Answer> answer = take(channel, *message, call.patience);
    if (!answer) return broken(worker, call, answer.error());
    in_step = true;
    return std::move(*answer);
  }
}

template <class Answer, class Take>
Result<Answer> WorkerPool::run(MessageKind kind, const ByteReader& source, std::span<const Transform> transforms,
                               const DeriveOptions& options, const Take& take, NamelessFile* video) {
  const ProcessingBudget& budget = options.budget;
  if (options.stop.stop_requested()) return Call::stopped();
  if (transforms.size() > kMaxTransforms) {
    return Error{Errc::invalid_argument,
                 std::to_string(transforms.size()) + " transforms in one call, more than " + std::to_string(kMaxTransforms)};
  }
  if (!std::all_of(transforms.begin(), transforms.end(), image::edits_are_in_range)) {
    return Error{Errc::invalid_argument, "transform: a member is out of its range"};
  }
  if (source.size() > budget.max_source_bytes) {
    return Error{Errc::too_large, "the source has " + std::to_string(source.size()) + " bytes, more than the budget of " +
                                      std::to_string(budget.max_source_bytes)};
  }
  MEDIA_TRY_ASSIGN(const StopSignal stop, StopSignal::open(options.stop));
  Call call;
  call.request = Request{source.size(), budget, options.search_time, {transforms.begin(), transforms.end()}};
  call.worker_memory = job_memory_bytes(budget, budget.max_source_bytes, std::max(kUsualOutputs, transforms.size()));
  call.video = video;
  call.deadline = std::clamp(video != nullptr ? budget.video_deadline : budget.deadline, std::chrono::milliseconds(0), kLongestDeadline);
  call.patience = Patience{steady_clock::now() + call.deadline, stop.descriptor()};
  call.options = &options;

  // The worker first: while all are busy, waiting calls hold no copies of their sources.
  MEDIA_TRY_ASSIGN(std::unique_ptr<Worker> worker, acquire(call));
  // The time that others took is not this job's.
  call.patience.until = steady_clock::now() + call.deadline;
  bool in_step = false;
  // Gives the worker's place back however this ends; an exception of the reader or the progress callback included.
  struct Return {
    WorkerPool& pool;
    std::unique_ptr<Worker>& worker;
    const bool& in_step;
    ~Return() {
      if (!in_step) worker.reset();
      pool.give_back(std::move(worker));
    }
  } const giving_back{*this, worker, in_step};

  auto copied = copy_source(source, options_.max_memory_source, options_.spool_folder);
  if (!copied) {
    in_step = true;
    return std::move(copied).error();
  }
  ++worker->jobs;
  return converse<Answer>(*worker, call, kind, copied->get(), take, in_step);
}

Result<MediaInfo> WorkerPool::probe(const ByteReader& source, const DeriveOptions& options) {
  const auto take = [](const Channel&, const Message& message, const Patience&) -> Received<MediaInfo> {
    if (message.kind != MessageKind::info) return tl::unexpected(Trouble::failed);
    auto info = parse_info(message.payload);
    if (!info) return tl::unexpected(Trouble::failed);
    return *info;
  };
  return run<MediaInfo>(MessageKind::probe, source, {}, options, take, nullptr);
}

Result<Derived> WorkerPool::derive(const ByteReader& source, std::span<const Transform> transforms, const DeriveOptions& options) {
  const auto take = [&](const Channel& channel, const Message& message, const Patience& patience) -> Received<Derived> {
    if (message.kind != MessageKind::derived) return tl::unexpected(Trouble::failed);
    auto head = parse_derived(message.payload, transforms.size(), options.budget.max_output_bytes);
    if (!head) return tl::unexpected(Trouble::failed);
    Derived derived{head->source, std::move(head->placeholder), std::move(head->appearance), {}};
    derived.outputs.reserve(transforms.size());
    for (std::size_t i = 0; i < transforms.size(); ++i) {
      const DerivedHead::Output& output = head->outputs[i];
      Encoded& encoded =
          derived.outputs.emplace_back(Encoded{transforms[i], output.width, output.height, {}, output.quality, output.score});
      encoded.bytes.resize(static_cast<std::size_t>(output.size_bytes));
      if (auto got = channel.receive_raw(encoded.bytes, patience); !got) return tl::unexpected(got.error());
    }
    return derived;
  };
  return run<Derived>(MessageKind::derive, source, transforms, options, take, nullptr);
}

Result<Derived> WorkerPool::encode(const ByteReader& source, const Transform& transform, const DeriveOptions& options) {
  MEDIA_TRY_ASSIGN(const auto file, NamelessFile::open(options_.spool_folder));
  const auto take = [&](const Channel&, const Message& message, const Patience&) -> Received<Derived> {
    if (message.kind != MessageKind::encoded) return tl::unexpected(Trouble::failed);
    const auto head = parse_encoded(message.payload);
    if (!head || file->size() == 0) return tl::unexpected(Trouble::failed);
    Derived derived{head->source, {}, {}, {}};
    derived.outputs.push_back(
        Encoded{transform, head->width, head->height, {}, 0, 0, std::make_shared<const EncodedContent>(file, head->lost_sound)});
    return derived;
  };
  return run<Derived>(MessageKind::encode, source, std::span(&transform, 1), options, take, file.get());
}

}  // namespace media::cage

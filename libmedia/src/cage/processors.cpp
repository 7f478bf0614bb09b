// The two ways to have untrusted bytes decoded, and where the worker is found.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cage/check_encoded.hpp"
#include "cage/deaths.hpp"
#include "cage/encoded_content.hpp"
#include "cage/pool.hpp"
#include "cage/source_file.hpp"
#include "image/pipeline.hpp"
#include "media/inspect.hpp"
#include "media/processor.hpp"
#include "media/video.hpp"

namespace media {
namespace {

namespace fs = std::filesystem;

/// A program that decodes: what it is called, and the variable that may name another one.
struct Program {
  const char* name;
  const char* variable;
};
constexpr Program kWorker{"media-worker", "MEDIA_WORKER"};
constexpr Program kVideoWorker{"media-video-worker", "MEDIA_VIDEO_WORKER"};

Result<Format> format_of(const ByteReader& source) {
  std::array<std::byte, kSniffBytes> head{};
  MEDIA_TRY_ASSIGN(const std::size_t got, source.read_at(0, head));
  return sniff(std::span(head).first(got));
}

Error no_video(const std::string& why) { return Error{Errc::unsupported, "no picture can be made of a video here: " + why}; }

/// What a derivation of several outputs is made of: pictures, which are made together, and videos one by one.
struct Parts {
  std::vector<Transform> pictures;
  std::vector<std::size_t> of_pictures;  ///< Where they are among all.
  std::vector<std::size_t> of_videos;
};
Parts parts_of(std::span<const Transform> transforms) {
  Parts parts;
  for (std::size_t i = 0; i < transforms.size(); ++i) {
    if (makes_video(transforms[i])) {
      parts.of_videos.push_back(i);
      continue;
    }
    parts.pictures.push_back(transforms[i]);
    parts.of_pictures.push_back(i);
  }
  return parts;
}

/// Arranged anew by our own hands: nothing is decoded for it, so that no worker is needed.
Result<Derived> rearrange(const ByteReader& source, const Transform& transform) {
  MEDIA_TRY_ASSIGN(auto content, open_web_ready(source));
  MEDIA_TRY_ASSIGN(const MediaInfo info, media::probe(source));
  Derived derived{info, {}, {}, {}};
  derived.outputs.push_back(Encoded{transform, info.display_width(), info.display_height(), {}, 0, 0, std::move(content)});
  return derived;
}

/// Makes the pictures by `make_pictures` and each video by `make_video`, and puts them in the order in which they were asked for.
template <class MakePictures, class MakeVideo>
Result<Derived> derive_parts(std::span<const Transform> transforms, const MakePictures& make_pictures, const MakeVideo& make_video) {
  Parts parts = parts_of(transforms);
  Derived derived;
  derived.outputs.resize(transforms.size());
  bool is_described = false;
  if (!parts.pictures.empty()) {
    MEDIA_TRY_ASSIGN(Derived made, make_pictures(std::span<const Transform>(parts.pictures)));
    for (std::size_t i = 0; i < parts.of_pictures.size(); ++i) derived.outputs[parts.of_pictures[i]] = std::move(made.outputs[i]);
    derived.source = made.source;
    derived.placeholder = std::move(made.placeholder);
    derived.appearance = std::move(made.appearance);
    is_described = true;
  }
  for (const std::size_t i : parts.of_videos) {
    MEDIA_TRY_ASSIGN(Derived made, make_video(transforms[i]));
    derived.outputs[i] = std::move(made.outputs.front());
    if (!is_described) derived.source = made.source;
    is_described = true;
  }
  return derived;
}

bool has_videos(std::span<const Transform> transforms) { return std::any_of(transforms.begin(), transforms.end(), makes_video); }

class InProcess final : public Processor {
 public:
  Result<MediaInfo> probe(const ByteReader& source, const DeriveOptions& options) override {
    MEDIA_TRY(refuse_videos(source));
    return image::probe(source, options);
  }
  Result<Derived> derive(const ByteReader& source, std::span<const Transform> transforms, const DeriveOptions& options) override {
    const auto make_pictures = [&](std::span<const Transform> pictures) -> Result<Derived> {
      MEDIA_TRY(refuse_videos(source));
      return image::derive(source, pictures, options);
    };
    if (!has_videos(transforms)) return make_pictures(transforms);
    return derive_parts(transforms, make_pictures, [&](const Transform& transform) -> Result<Derived> {
      if (!encodes_video(transform)) return rearrange(source, transform);
      return no_video("videos are encoded by media-video-worker only; use worker processes instead of working in process");
    });
  }

 private:
  static Result<void> refuse_videos(const ByteReader& source) {
    MEDIA_TRY_ASSIGN(const Format format, format_of(source));
    if (!is_video(format)) return {};
    return no_video("videos are decoded by media-video-worker only; use worker processes instead of decoding in process");
  }
};

/// Pictures go to one pool, videos to another, whose workers are larger and slower to start. What is to be encoded, which takes long, has a
/// third one, so that no picture waits for it.
///
/// Thread-safety: as Processor's; the pools are safe, and nothing else changes.
class Workers final : public Processor, public cage::TellsDeaths {
 public:
  Workers(cage::PoolOptions pictures, std::optional<cage::PoolOptions> videos, unsigned encoding_workers, std::string why_no_videos)
      : pictures_(std::move(pictures)), why_no_videos_(std::move(why_no_videos)) {
    if (!videos) return;
    cage::PoolOptions encodings = *videos;
    encodings.workers = encoding_workers;
    // What an encoder keeps from one video to the next is nothing worth keeping.
    encodings.jobs_per_worker = 1;
    encodings_.emplace(std::move(encodings));
    videos_.emplace(std::move(*videos));
  }

  Result<MediaInfo> probe(const ByteReader& source, const DeriveOptions& options) override {
    MEDIA_TRY_ASSIGN(cage::WorkerPool* const pool, pool_for(source));
    return pool->probe(source, options);
  }
  Result<Derived> derive(const ByteReader& source, std::span<const Transform> transforms, const DeriveOptions& options) override {
    const auto make_pictures = [&](std::span<const Transform> pictures) -> Result<Derived> {
      MEDIA_TRY_ASSIGN(cage::WorkerPool* const pool, pool_for(source));
      return pool->derive(source, pictures, options);
    };
    if (!has_videos(transforms)) return make_pictures(transforms);
    return derive_parts(transforms, make_pictures, [&](const Transform& transform) -> Result<Derived> {
      if (!encodes_video(transform)) return rearrange(source, transform);
      return encode(source, transform, options);
    });
  }
  [[nodiscard]] bool handles(Format format) const noexcept override {
    return is_video(format) ? videos_.has_value() : Processor::handles(format);
  }
  [[nodiscard]] bool encodes() const noexcept override { return encodings_.has_value(); }
  [[nodiscard]] WorkerDeaths picture_worker_deaths() const noexcept override { return pictures_.deaths(); }
  [[nodiscard]] WorkerDeaths video_worker_deaths() const noexcept override {
    WorkerDeaths deaths;
    if (videos_) deaths += videos_->deaths();
    if (encodings_) deaths += encodings_->deaths();
    return deaths;
  }

 private:
  Result<cage::WorkerPool*> pool_for(const ByteReader& source) {
    MEDIA_TRY_ASSIGN(const Format format, format_of(source));
    if (!is_video(format)) return &pictures_;
    if (!videos_) return no_video(why_no_videos_);
    return &*videos_;
  }

  Result<Derived> encode(const ByteReader& source, const Transform& transform, const DeriveOptions& options) {
    if (!encodings_) return no_video(why_no_videos_);
    MEDIA_TRY_ASSIGN(Derived derived, encodings_->encode(source, transform, options));
    MEDIA_TRY(cage::check_encoded(source, transform, derived.outputs.front()));
    if (transform.format != Format::mp4) return derived;
    // An MP4's index is known when its frames are written: it comes behind them, and is moved by the same hands as anybody's.
    Encoded& output = derived.outputs.front();
    const auto lost_sound = cage::lost_sound_of(output.content.get());
    auto arranged = open_web_ready(*output.content);
    if (!arranged) return Error{Errc::internal, "the video was encoded to something that is none: " + arranged.error().message};
    // The arranged one reads from the other, which lives as long as it.
    const auto both = std::make_shared<const std::pair<std::shared_ptr<const ByteReader>, std::shared_ptr<const ByteReader>>>(
        std::move(output.content), std::move(*arranged));
    output.content = std::make_shared<const cage::EncodedContent>(std::shared_ptr<const ByteReader>(both, both->second.get()), lost_sound);
    return derived;
  }

  cage::WorkerPool pictures_;
  std::optional<cage::WorkerPool> videos_;
  std::optional<cage::WorkerPool> encodings_;
  std::string why_no_videos_;
};

bool is_program(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
}

/// Where a worker may be, the most particular place first.
std::vector<fs::path> places_of(const char* name) {
  std::vector<fs::path> places;
  std::error_code failure;
  const fs::path self = fs::read_symlink("/proc/self/exe", failure);
  if (!failure && self.has_parent_path()) {
    const fs::path folder = self.parent_path();
    places.push_back(folder / name);
    places.push_back(folder.parent_path() / "libexec" / "libmedia" / name);
  }
  places.push_back(fs::path(MEDIA_LIBEXECDIR) / name);
  return places;
}

Error not_a_program(const std::string& what) { return Error{Errc::not_found, what + " is no program that can be run"}; }

Result<fs::path> find_program(const Program& program) {
  // What somebody has named must not be quietly replaced by something else.
  if (const char* named = std::getenv(program.variable); named != nullptr && *named != '\0') {
    if (!is_program(named)) return not_a_program(program.variable + std::string("=") + named);
    return fs::path(named);
  }
  std::string tried = program.variable + std::string(" (not set)");
  for (const fs::path& place : places_of(program.name)) {
    if (is_program(place)) return place;
    tried += ", " + place.string();
  }
  return Error{Errc::not_found, program.name + std::string(" is at none of: ") + tried};
}

/// The path that was given, or the one that is found.
Result<fs::path> program_at(const fs::path& given, const Program& program) {
  if (given.empty()) return find_program(program);
  if (!is_program(given)) return not_a_program(given.string());
  return given;
}

}  // namespace

bool Processor::handles(Format format) const noexcept { return can_decode(format); }
bool Processor::encodes() const noexcept { return false; }

std::unique_ptr<Processor> make_in_process_processor() { return std::make_unique<InProcess>(); }

Result<std::filesystem::path> find_worker() { return find_program(kWorker); }

Result<std::filesystem::path> find_video_worker() { return find_program(kVideoWorker); }

Result<std::unique_ptr<Processor>> make_worker_processor(const WorkerPoolOptions& options) {
  if (options.workers == 0) return Error{Errc::invalid_argument, "a pool of 0 workers"};
  if (options.encoding_workers == 0) return Error{Errc::invalid_argument, "a pool of 0 workers that encode videos"};
  if (options.jobs_per_worker == 0) return Error{Errc::invalid_argument, "workers that are replaced after 0 jobs"};
  cage::PoolOptions pictures{{}, options.workers, options.jobs_per_worker, {}, cage::kMaxMemorySource};
  MEDIA_TRY_ASSIGN(pictures.worker_path, program_at(options.worker_path, kWorker));
  std::error_code failure;
  pictures.spool_folder = fs::temp_directory_path(failure);
  if (failure) return Error{Errc::io, "the folder for temporary files: " + failure.message()};

  auto video_worker = program_at(options.video_worker_path, kVideoWorker);
  // It may well not be installed; one that was named has to be there.
  const bool named = !options.video_worker_path.empty() || std::getenv(kVideoWorker.variable) != nullptr;
  if (!video_worker && named) return std::move(video_worker).error();
  if (!video_worker) return std::make_unique<Workers>(std::move(pictures), std::nullopt, 0, video_worker.error().message);
  cage::PoolOptions videos = pictures;
  videos.worker_path = std::move(*video_worker);
  videos.workers = options.video_workers != 0 ? options.video_workers : options.workers;
  return std::make_unique<Workers>(std::move(pictures), std::move(videos), options.encoding_workers, std::string());
}

}  // namespace media

/// Frames for an encoder: upright, of one size, in 8 bits and 4:2:0 of BT.709.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "image/control.hpp"
#include "media/io.hpp"
#include "media/result.hpp"
#include "media/transform.hpp"
#include "video/container.hpp"
#include "video/handles.hpp"

namespace media::video {

/// Ticks a second of the times below: a whole number of them is a frame of every usual rate.
inline constexpr int kTicks = 90'000;
/// Frames a second: more are left out, and a source that says so is not believed.
inline constexpr int kMaxFrameRate = 62;
inline constexpr double kUsualFrameRate = 25;

struct Picture {
  FrameHandle frame;
  std::int64_t time = 0;  ///< In ticks from the first picture on.
};

/// What of a source's time was left out, so that its sound leaves out the same: times in microseconds after the first picture, by the
/// file's own clock.
///
/// Thread-safety: none; it grows while the pictures are read.
class Cuts {
 public:
  /// Behind all that were added before.
  void add(std::int64_t begin, std::int64_t end) { cuts_.push_back({begin, end}); }
  /// Where a time comes to lie; nothing where it is left out.
  [[nodiscard]] std::optional<std::int64_t> place_of(std::int64_t time) const noexcept {
    std::int64_t left_out = 0;
    for (const Cut& cut : cuts_) {
      if (time < cut.begin) break;
      if (time < cut.end) return std::nullopt;
      left_out += cut.end - cut.begin;
    }
    return time - left_out;
  }

 private:
  struct Cut {
    std::int64_t begin;
    std::int64_t end;
  };
  std::vector<Cut> cuts_;
};

/// The pictures of a video or of an animation, one after the other.
///
/// Thread-safety: none; it has a position.
class Pictures {
 public:
  virtual ~Pictures() = default;
  Pictures(const Pictures&) = delete;
  Pictures& operator=(const Pictures&) = delete;

  [[nodiscard]] const MediaInfo& info() const noexcept { return info_; }
  /// Of all pictures; known once the first one was asked for.
  [[nodiscard]] image::Size size() const noexcept { return size_; }
  /// Frames a second, about: what the source says where that can be, else a usual rate.
  [[nodiscard]] double rate() const noexcept { return rate_ >= 1 && rate_ <= kMaxFrameRate ? rate_ : kUsualFrameRate; }
  /// The first picture's time by the file's own clock, in microseconds.
  [[nodiscard]] std::int64_t begin() const noexcept { return begin_; }
  /// The end of the last picture where the source says so, else 0.
  [[nodiscard]] std::int64_t end() const noexcept { return end_; }
  /// Of what comes before the last picture that was given.
  [[nodiscard]] const Cuts& cuts() const noexcept { return cuts_; }
  /// What of it all has been given, 0 to 1; it only rises.
  [[nodiscard]] virtual double share_done() const noexcept = 0;
  [[nodiscard]] virtual bool has_sound() const noexcept { return false; }
  /// The next one, later than the last, nothing after the last. Errors: `corrupt`, `unsupported`, `too_large`, `cancelled`.
  virtual Result<std::optional<Picture>> next() = 0;

 protected:
  Pictures() = default;
  MediaInfo info_;
  image::Size size_;
  double rate_ = 0;  ///< As the source says.
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
  Cuts cuts_;
};

/// Of a video (MP4, MOV, WebM, Matroska, Ogg) or of what the image area decodes. `control` and `source` have to live as long.
Result<std::unique_ptr<Pictures>> open_pictures(const ByteReader& source, const Transform& transform, const image::Control& control);

}  // namespace media::video

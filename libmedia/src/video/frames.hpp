/// A video's frames: single ones by their time, or one after the other.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "video/container.hpp"

namespace media::video {

/// Memory for each pixel without which no frame is decoded: two frames in the decoder and two that it gave out, the best one so far and the
/// one that is compared with it, say, of 10 bits and 4:2:0. Cameras' streams refer to few more. One that refers to sixteen, as it may,
/// takes four times as much: whether there is so much is seen when it asks for it, for the worker's address space ends there.
inline constexpr std::uint64_t kFrameBytes = 12;

struct Timed {
  FrameHandle frame;
  std::chrono::milliseconds time{0};  ///< From the beginning of the video.
};

/// Thread-safety: none; it has a position.
class FrameSource {
 public:
  /// Opens the stream's decoder, on one thread. Refers to both. Errors: `unsupported`, `too_large`.
  static Result<std::unique_ptr<FrameSource>> open(Container& container, const image::Control& control);

  /// The last key frame at or before a time, or the first one after it: one frame is decoded. Nothing where there is none, and where
  /// `unless` is the time of the one there is. Errors: `corrupt`, `too_large`, `cancelled`.
  Result<std::optional<Timed>> key_frame(std::chrono::milliseconds time, std::optional<std::chrono::milliseconds> unless = std::nullopt);
  /// The frame that is shown at a time: everything from the key frame before it is decoded, up to a number of frames that depends on their
  /// size; what is shown then is taken. Of a time past the end the last frame. `next` goes on behind it.
  Result<std::optional<Timed>> frame_at(std::chrono::milliseconds time);
  /// The next one in order of time; nothing at the end.
  Result<std::optional<Timed>> next();

 private:
  FrameSource(Container& container, const image::Control& control) : container_(container), control_(control) {}
  Result<void> go_to(std::chrono::milliseconds time);
  /// What the decoder has ready; nothing where it wants more. Damaged packets are passed over.
  Result<std::optional<Timed>> receive();
  Result<std::optional<Timed>> only_frame_of(const AVPacket& packet);
  Result<void> check_frame(const AVFrame& frame) const;

  Container& container_;
  const image::Control& control_;
  CodecHandle codec_;
  PacketHandle packet_;
  std::optional<Timed> ahead_;  ///< Decoded already, and later than what was asked for.
  bool drained_ = false;
  bool out_of_memory_ = false;
};

}  // namespace media::video

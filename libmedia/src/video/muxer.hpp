/// The file around a video that is being made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "image/control.hpp"
#include "media/media_info.hpp"
#include "media/result.hpp"
#include "video/handles.hpp"

namespace media::video {

/// Takes bytes at their place in the file; bytes that are there already are written over.
using PutBytes = std::function<Result<void>(std::uint64_t offset, std::span<const std::byte> bytes)>;

/// Writes MP4 or WebM. Nothing but the encoders' settings and the packets gets into the file: no metadata, no time of writing.
///
/// Thread-safety: none; it has a position.
class Muxer {
 public:
  /// `put` and `control` have to live as long. Errors: `unsupported`, `too_large`.
  static Result<std::unique_ptr<Muxer>> open(Format format, const PutBytes& put, const image::Control& control);
  Muxer(const Muxer&) = delete;
  Muxer& operator=(const Muxer&) = delete;
  ~Muxer();

  /// True where encoders have to say their headers once and not with each key frame.
  [[nodiscard]] bool wants_global_headers() const noexcept;
  /// A stream of what an opened encoder makes; before `start`. Its number.
  Result<int> add(const AVCodecContext& codec);
  Result<void> start();
  /// Takes the packet's bytes; its times are in the encoder's time base.
  Result<void> write(AVPacket& packet, int stream, AVRational time_base);
  /// From now on one stream alone gets packets: they are written as they come and wait for no other's. A stream that was late already would
  /// else be held in memory to the end.
  Result<void> end_interleaving();
  Result<void> finish();

 private:
  struct Target;
  explicit Muxer(const image::Control& control);
  Error failure(int code) const;

  const image::Control& control_;
  std::unique_ptr<Target> target_;  // Outlives what writes to it.
  AvioHandle avio_;
  OutputHandle format_;
  bool interleaves_ = true;
};

}  // namespace media::video

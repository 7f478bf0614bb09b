/// The sound of a video that is being encoded.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "image/control.hpp"
#include "media/io.hpp"
#include "media/result.hpp"
#include "video/container.hpp"
#include "video/handles.hpp"
#include "video/muxer.hpp"
#include "video/pictures.hpp"

namespace media::video {

/// Decodes the source's sound and encodes it as AAC (mp4) or Opus (webm): 48 kHz, mono or stereo. It keeps to the source's clock: where
/// nothing is heard for more than a tenth of a second nothing is written, and what comes twice is written once. What the pictures leave out
/// is left out, and where the clock is set back it goes on as if it had not been.
///
/// Thread-safety: none; it has a position.
class Sound {
 public:
  /// Adds its stream to the muxer, which is not started yet; on an error nothing was added. All have to live as long. Errors:
  /// `unsupported`, `corrupt`, `too_large`, `cancelled`.
  static Result<std::unique_ptr<Sound>> open(const ByteReader& source, Format format, const Pictures& pictures, Muxer& muxer,
                                             const image::Control& control);
  Sound(const Sound&) = delete;
  Sound& operator=(const Sound&) = delete;

  /// Writes what is heard until so many seconds after the first picture, and a little more.
  Result<void> write_until(double seconds);
  /// Writes the rest.
  Result<void> finish();

  /// When what was written ends, in microseconds after the first picture.
  [[nodiscard]] std::int64_t end() const noexcept;
  /// How much of what could not be decoded is missing before the end, in microseconds: where nothing is heard although the file has
  /// packets.
  [[nodiscard]] std::int64_t lost_in_between() const noexcept { return lost_; }
  /// When the source's sound ends, likewise, by the times that the file gives its packets, decoded or not: reads what is left of them.
  /// Nothing where it has none, or ends in what the pictures leave out.
  Result<std::optional<std::int64_t>> end_of_source();

 private:
  Sound(const Pictures& pictures, Muxer& muxer, const image::Control& control) : pictures_(pictures), muxer_(muxer), control_(control) {}
  Result<void> open_decoder();
  Result<void> open_encoder(Format format);
  /// The next frame of the source; nothing at the end. Damaged packets are passed over, and counted.
  Result<FrameHandle> decode();
  /// The next packet; false at the end.
  Result<bool> read_packet();
  Result<void> prepare_resampler(const AVFrame& frame);
  /// Settles where the next samples are heard; false where they are left out.
  Result<bool> settle_place(const AVFrame& frame);
  /// From the source's samples, or what the resampler has left, into the queue.
  Result<void> take_in(const AVFrame* frame);
  /// What the queue has in whole frames; `all`: the rest too, filled up with silence.
  Result<void> write_queue(bool all);
  Result<void> encode(const AVFrame* frame);

  const Pictures& pictures_;
  Muxer& muxer_;
  const image::Control& control_;
  std::unique_ptr<Container> container_;
  CodecHandle decoder_;
  CodecHandle encoder_;
  ResamplerHandle resampler_;
  AudioFifoHandle queue_;
  PacketHandle packet_;
  int stream_ = -1;
  int frame_samples_ = 1024;
  /// What the resampler was made for.
  int in_rate_ = 0;
  int in_format_ = -1;
  int in_channels_ = 0;
  std::int64_t heard_ = 0;    ///< Where the next sample that comes into the queue is heard.
  std::int64_t written_ = 0;  ///< Where the next one that leaves it is.
  std::int64_t dropped_ = 0;  ///< So many samples are still to be left out.
  bool is_first_ = true;
  std::optional<std::int64_t> last_time_{};    ///< Of the frame before, by the file's clock.
  std::int64_t shift_ = 0;                     ///< By which our clock is ahead of the file's, which was set back.
  std::optional<std::int64_t> before_back_{};  ///< The same before the last frame, which went back.
  std::optional<std::int64_t> source_end_{};   ///< Of the packets that were read, by the file's clock, in microseconds.
  std::int64_t packet_duration_ = 0;           ///< Of the last packet, in microseconds.
  std::int64_t undecoded_ = 0;                 ///< Of the packets that were passed over since the last gap, likewise.
  std::int64_t lost_ = 0;
  bool drained_ = false;
  bool ended_ = false;
};

}  // namespace media::video

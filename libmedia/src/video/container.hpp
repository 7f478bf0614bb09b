/// The file around a video: which stream, how it is to be seen, and its packets.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "image/control.hpp"
#include "image/pixels.hpp"
#include "media/io.hpp"
#include "media/media_info.hpp"
#include "media/result.hpp"
#include "video/handles.hpp"

namespace media::video {

/// Which of a file's streams is read.
enum class Track : std::uint8_t { video, sound };

/// One opened file, of which one stream is read: the first video, or the first sound that is decoded here.
///
/// FFmpeg gets bytes from the reader and from nowhere else: the demuxer is named by our own look at the first bytes (MP4 and MOV, WebM and
/// Matroska, Ogg), so that nothing is probed and no playlist is ever taken for a video; every attempt to open another resource
/// is refused. Reads end at the control's deadline and at a budget of bytes.
///
/// Thread-safety: none; it has a position.
class Container {
 public:
  /// Errors: `unsupported` (no video in it, encrypted, a codec that is not decoded here), `corrupt`, `too_large`, `cancelled`.
  static Result<std::unique_ptr<Container>> open(const ByteReader& source, const image::Control& control, Track track = Track::video);
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;
  ~Container();

  /// What the container says; width and height as coded.
  [[nodiscard]] const MediaInfo& info() const noexcept { return info_; }
  [[nodiscard]] const AVStream& stream() const noexcept { return *stream_; }
  [[nodiscard]] const AVCodec& decoder() const noexcept { return *decoder_; }
  /// True where there is sound, too, decoded here or not.
  [[nodiscard]] bool has_sound() const noexcept;
  /// Which share of the file lies before the place that was read last.
  [[nodiscard]] double share_read() const noexcept;

  /// Between FFmpeg's timestamps and times from the beginning of the video.
  [[nodiscard]] std::int64_t timestamp_of(std::chrono::milliseconds time) const noexcept;
  [[nodiscard]] std::chrono::milliseconds time_of(std::int64_t timestamp) const noexcept;

  /// To the last key frame at or before a timestamp, or the first there is. False where the file cannot be searched.
  Result<bool> seek(std::int64_t timestamp);
  /// The stream's next packet; false at the end of what can be read, damaged or not.
  Result<bool> read(AVPacket& packet);

 private:
  struct Source;
  explicit Container(const image::Control& control);
  Result<void> open_format(Format format);
  Result<void> choose_stream(const ByteReader& source);
  Result<void> choose_sound(const ByteReader& source);
  Result<void> describe(Format format, const ByteReader& source);
  /// What stands behind a failure of FFmpeg's.
  Error failure(int code, const char* what) const;

  const image::Control& control_;
  std::unique_ptr<Source> source_;  // Outlives what reads from it.
  AvioHandle avio_;
  FormatHandle format_;
  AVStream* stream_ = nullptr;
  const AVCodec* decoder_ = nullptr;
  MediaInfo info_;
};

/// The size in which a coded picture is seen before it is turned: its longer way stretched where pixels are not square, as browsers do it.
image::Size displayed(image::Size coded, AVRational pixel_aspect) noexcept;

}  // namespace media::video

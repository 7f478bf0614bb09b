/// What FFmpeg asks of whoever holds its bytes.
#pragma once

extern "C" {
#include <libavformat/avformat.h>
#include <libavutil/error.h>
#include <libavutil/mathematics.h>
}

#include <cstdint>
#include <cstdio>

namespace media::video {

/// AVFormatContext::io_open, for nothing is ever opened by what a file says.
inline int refuse_to_open(AVFormatContext* /*context*/, AVIOContext** /*opened*/, const char* /*url*/, int /*flags*/,
                          AVDictionary** /*options*/) noexcept {
  return AVERROR(EACCES);
}

/// Moves `position` as AVIOContext::seek wants it, of a file of `size` bytes; the new place, or the size, or a negative AVERROR. A place
/// past the end is none: the next read finds nothing there, and the next write fills up.
inline std::int64_t seek_to(std::uint64_t& position, std::uint64_t size, std::int64_t offset, int whence) noexcept {
  switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
      return static_cast<std::int64_t>(size);
    case SEEK_SET:
      break;
    case SEEK_CUR:
      offset = av_sat_add64(offset, static_cast<std::int64_t>(position));
      break;
    case SEEK_END:
      offset = av_sat_add64(offset, static_cast<std::int64_t>(size));
      break;
    default:
      return AVERROR(EINVAL);
  }
  if (offset < 0) return AVERROR(EINVAL);
  position = static_cast<std::uint64_t>(offset);
  return offset;
}

}  // namespace media::video

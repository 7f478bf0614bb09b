/// Everything that a media file's headers tell, for people and for tools.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "media/export.hpp"
#include "media/io.hpp"
#include "media/media_info.hpp"
#include "media/result.hpp"

namespace media {

/// How light is coded, as far as a screen has to know.
enum class DynamicRange : std::uint8_t {
  standard,
  pq,   ///< SMPTE ST 2084: HDR10, Dolby Vision.
  hlg,  ///< ARIB STD-B67: Hybrid Log-Gamma.
};
/// "standard", "pq", "hlg".
MEDIA_EXPORT std::string_view to_string(DynamicRange range) noexcept;

struct VideoTrack {
  /// The usual name ("h264", "hevc", "av1", "vp9"), or the container's own word where there is none.
  std::string codec{};
  std::uint32_t width = 0;  ///< As coded.
  std::uint32_t height = 0;
  /// As seen: pixels that are not square stretched, and turned. 0: as coded.
  std::uint32_t display_width = 0;
  std::uint32_t display_height = 0;
  std::uint16_t rotation_degrees = 0;  ///< Clockwise, to be seen upright: 0, 90, 180, 270. A mirrored track tells its turn alone.
  double frames_per_second = 0;        ///< On the average; 0: not stated.
  DynamicRange dynamic_range = DynamicRange::standard;
  bool encrypted = false;
  friend bool operator==(const VideoTrack&, const VideoTrack&) = default;
};

struct AudioTrack {
  std::string codec{};  ///< "aac", "opus", "vorbis", …
  std::uint32_t channels = 0;
  std::uint32_t sample_rate = 0;  ///< A second.
  bool encrypted = false;
  friend bool operator==(const AudioTrack&, const AudioTrack&) = default;
};

struct MediaDetails {
  MediaInfo info{};
  std::vector<VideoTrack> video{};
  std::vector<AudioTrack> audio{};
  std::uint32_t other_tracks = 0;  ///< Subtitles, chapters, time codes, …
};

/// As `probe`, with the tracks of a video. Errors as `probe`'s.
MEDIA_EXPORT Result<MediaDetails> probe_details(const ByteReader& content);

}  // namespace media

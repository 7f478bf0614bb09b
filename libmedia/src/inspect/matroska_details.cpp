#include "inspect/matroska_details.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "inspect/codec_names.hpp"
#include "inspect/ebml.hpp"
#include "inspect/matroska_ids.hpp"

namespace media::inspect {
namespace {

using namespace matroska;

constexpr std::uint64_t kPq = 16;
constexpr std::uint64_t kHlg = 18;
constexpr std::size_t kMaxCodecId = 64;

struct Facts {
  std::uint64_t type = 0;
  std::string codec;
  VideoTrack video;
  AudioTrack audio;
  bool encrypted = false;
  std::uint64_t display_width = 0;
  std::uint64_t display_height = 0;
  std::uint64_t display_unit = 0;
};

std::uint32_t narrowed(std::uint64_t value) noexcept { return static_cast<std::uint32_t>(std::min<std::uint64_t>(value, UINT32_MAX)); }

Result<void> read_video(Cursor& cursor, const Element& element, Facts& facts) {
  return for_each_element(cursor, element, [&](const Element& inner) -> Result<void> {
    if (inner.id == kColour) {
      return for_each_element(cursor, inner, [&](const Element& part) -> Result<void> {
        if (part.id != kTransferCharacteristics) return {};
        MEDIA_TRY_ASSIGN(const std::uint64_t transfer, take_unsigned(cursor));
        if (transfer == kPq) facts.video.dynamic_range = DynamicRange::pq;
        if (transfer == kHlg) facts.video.dynamic_range = DynamicRange::hlg;
        return {};
      });
    }
    const bool wanted = inner.id == kPixelWidth || inner.id == kPixelHeight || inner.id == kDisplayWidth || inner.id == kDisplayHeight ||
                        inner.id == kDisplayUnit;
    if (!wanted) return {};
    MEDIA_TRY_ASSIGN(const std::uint64_t value, take_unsigned(cursor));
    if (inner.id == kPixelWidth) facts.video.width = narrowed(value);
    if (inner.id == kPixelHeight) facts.video.height = narrowed(value);
    if (inner.id == kDisplayWidth) facts.display_width = value;
    if (inner.id == kDisplayHeight) facts.display_height = value;
    if (inner.id == kDisplayUnit) facts.display_unit = value;
    return {};
  });
}

Result<void> read_audio(Cursor& cursor, const Element& element, Facts& facts) {
  facts.audio.channels = 1;
  facts.audio.sample_rate = 8000;  // Its default value.
  return for_each_element(cursor, element, [&](const Element& inner) -> Result<void> {
    if (inner.id == kSamplingFrequency) {
      MEDIA_TRY_ASSIGN(const double rate, take_float(cursor));
      if (std::isfinite(rate) && rate > 0 && rate < 1e7) facts.audio.sample_rate = static_cast<std::uint32_t>(rate);
    } else if (inner.id == kChannels) {
      MEDIA_TRY_ASSIGN(const std::uint64_t channels, take_unsigned(cursor));
      facts.audio.channels = narrowed(channels);
    }
    return {};
  });
}

/// Display sizes in pixels stand as they are; in other units they only say the proportions.
void settle_display(Facts& facts) {
  VideoTrack& video = facts.video;
  if (facts.display_width == 0 || facts.display_height == 0 || video.width == 0 || video.height == 0) return;
  const double shape = static_cast<double>(facts.display_width) / static_cast<double>(facts.display_height);
  const double pixel = shape * video.height / video.width;
  if (pixel > 1.001) video.display_width = static_cast<std::uint32_t>(std::lround(std::min(video.width * pixel, 1e6)));
  if (pixel < 0.999) video.display_height = static_cast<std::uint32_t>(std::lround(std::min(video.height / pixel, 1e6)));
}

Result<void> read_track(Cursor& cursor, const Element& entry, MediaDetails& details) {
  Facts facts;
  MEDIA_TRY(for_each_element(cursor, entry, [&](const Element& inner) -> Result<void> {
    switch (inner.id) {
      case kTrackType: {
        MEDIA_TRY_ASSIGN(facts.type, take_unsigned(cursor));
        return {};
      }
      case kCodecId: {
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(cursor.remaining(), kMaxCodecId));
        MEDIA_TRY_ASSIGN(const Bytes bytes, cursor.ahead(size, "a codec's name"));
        std::string id;
        for (const std::byte byte : bytes) {
          if (byte == std::byte{0}) break;
          id += static_cast<char>(byte);
        }
        facts.codec = codec_of_matroska(id);
        return {};
      }
      case kDefaultDuration: {
        MEDIA_TRY_ASSIGN(const std::uint64_t nanoseconds, take_unsigned(cursor));
        if (nanoseconds > 0) facts.video.frames_per_second = 1e9 / static_cast<double>(nanoseconds);
        return {};
      }
      case kContentEncodings:
        return for_each_element(cursor, inner, [&](const Element& encoding) -> Result<void> {
          if (encoding.id != kContentEncoding) return {};
          return for_each_element(cursor, encoding, [&](const Element& part) -> Result<void> {
            facts.encrypted = facts.encrypted || part.id == kContentEncryption;
            return {};
          });
        });
      case kVideo:
        return read_video(cursor, inner, facts);
      case kAudio:
        return read_audio(cursor, inner, facts);
      default:
        return {};
    }
  }));
  if (facts.type == kVideoTrack) {
    settle_display(facts);
    facts.video.codec = facts.codec;
    facts.video.encrypted = facts.encrypted;
    details.video.push_back(std::move(facts.video));
  } else if (facts.type == kAudioTrack) {
    facts.audio.codec = facts.codec;
    facts.audio.encrypted = facts.encrypted;
    details.audio.push_back(std::move(facts.audio));
  } else {
    ++details.other_tracks;
  }
  return {};
}

}  // namespace

Result<void> read_matroska_details(Cursor& cursor, MediaDetails& details) {
  std::uint64_t end = cursor.size();
  while (cursor.position() < end) {
    MEDIA_TRY_ASSIGN(const Element element, read_element(cursor));
    if (element.id == kSegment) {
      end = element.end;
      continue;
    }
    if (element.id == kTracks) {
      return for_each_element(cursor, element, [&](const Element& entry) -> Result<void> {
        return entry.id == kTrackEntry ? read_track(cursor, entry, details) : Result<void>{};
      });
    }
    if (element.unknown_size) return {};
    MEDIA_TRY(cursor.seek(element.end, "an EBML element"));
  }
  return {};
}

}  // namespace media::inspect

#include "cage/check_encoded.hpp"

#include <algorithm>
#include <chrono>
#include <string>

#include "cage/encoded_shape.hpp"
#include "media/details.hpp"
#include "media/inspect.hpp"

namespace media::cage {
namespace {

using std::chrono::milliseconds;

/// The longer side of the box of 720p, which may stand.
constexpr std::uint32_t kUsualSide = 1280;
/// Files that say too little of their length are common; ones that are longer than twice that and this are not.
constexpr milliseconds kSlack = std::chrono::minutes(10);

Error refused(const std::string& why) { return Error{Errc::internal, "the worker encoded something else than was ordered: " + why}; }

Result<void> check_tracks(const MediaDetails& details, const Transform& transform, const Encoded& output) {
  const bool is_webm = transform.format == Format::webm;
  if (details.info.format != transform.format) return refused("its type is " + std::string(to_string(details.info.format)));
  if (details.video.size() != 1 || details.audio.size() > 1 || details.other_tracks != 0) {
    return refused("it has other tracks than one of pictures and one of sound");
  }
  const VideoTrack& pictures = details.video.front();
  if (pictures.codec != (is_webm ? "vp9" : "h264")) return refused("its pictures are " + pictures.codec);
  if (pictures.encrypted) return refused("it is encrypted");
  for (const AudioTrack& sound : details.audio) {
    if (sound.codec != (is_webm ? "opus" : "aac")) return refused("its sound is " + sound.codec);
    if (sound.encrypted) return refused("it is encrypted");
  }
  if (details.info.width != output.width || details.info.height != output.height || details.info.orientation != 1) {
    return refused("its size is not what it was told to be");
  }
  return {};
}

}  // namespace

Result<void> check_encoded(const ByteReader& source, const Transform& transform, const Encoded& output) {
  if (!output.content) return refused("there is nothing");
  const auto details = probe_details(*output.content);
  if (!details) return refused(details.error().message);
  MEDIA_TRY(check_tracks(*details, transform, output));
  const auto length = encoded_length(*output.content, transform.format);
  if (!length) return length.error().code == Errc::corrupt ? refused(length.error().message) : length.error();
  const Transform meant = canonical(transform);
  const bool is_usual = meant.width == 0 && meant.height == 0;
  // The smallest side of a video is 2, however narrow its box is.
  const auto fits = [&](std::uint32_t side, std::uint32_t most) {
    return side <= std::max<std::uint32_t>(most != 0 ? most : UINT32_MAX, 2);
  };
  const std::uint32_t width = is_usual ? kUsualSide : meant.width;
  const std::uint32_t height = is_usual ? kUsualSide : meant.height;
  if (!fits(output.width, width) || !fits(output.height, height)) return refused("it is larger than the box");
  const auto whole = media::probe(source);
  const milliseconds longest = std::max(*length, details->info.duration.value_or(milliseconds(0)));
  if (whole && whole->duration && longest > 2 * *whole->duration + kSlack) return refused("it is far longer than its source");
  return {};
}

}  // namespace media::cage

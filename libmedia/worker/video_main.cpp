// media-video-worker: pictures of videos, and videos encoded anew, by FFmpeg, which no other program of ours maps.
#include "image/format.hpp"
#include "run.hpp"
#include "video/derive.hpp"
#include "video/encode.hpp"
#include "video/process.hpp"

int main(int argc, char** argv) {
  const auto get_ready = [] {
    media::image::load_codecs();
    media::video::get_ready();
  };
  const auto derive = [](const media::ByteReader& source, std::span<const media::Transform> transforms,
                         const media::DeriveOptions& options) { return media::video::derive(source, transforms, options); };
  const auto encode = [](const media::ByteReader& source, const media::Transform& transform, const media::DeriveOptions& options,
                         const media::cage::PutPiece& put) -> media::Result<media::cage::EncodedHead> {
    MEDIA_TRY_ASSIGN(const auto video, media::video::encode(source, transform, options, media::image::Decoders::established, put));
    return media::cage::EncodedHead{video.source, video.size.width, video.size.height, video.lost_sound};
  };
  return media::worker::run(
      argc, argv, {"media-video-worker", get_ready, {media::video::probe, derive, encode, nullptr}, media::video::library_versions});
}

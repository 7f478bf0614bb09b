// media-video-worker: pictures of videos, by FFmpeg, which no other program of ours maps.
#include "image/format.hpp"
#include "run.hpp"
#include "video/derive.hpp"
#include "video/process.hpp"

int main(int argc, char** argv) {
  const auto get_ready = [] {
    media::image::load_codecs();
    media::video::get_ready();
  };
  const auto derive = [](const media::ByteReader& source, std::span<const media::Transform> transforms,
                         const media::DeriveOptions& options) { return media::video::derive(source, transforms, options); };
  return media::worker::run(argc, argv,
                            {"media-video-worker", get_ready, {media::video::probe, derive, nullptr}, media::video::library_versions});
}

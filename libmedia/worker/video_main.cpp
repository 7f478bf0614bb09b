// media-video-worker: pictures of videos, by FFmpeg, which no other program of ours maps.
#include "run.hpp"
#include "video/derive.hpp"
#include "video/process.hpp"

int main(int argc, char** argv) {
  const auto derive = [](const media::ByteReader& source, std::span<const media::Transform> transforms,
                         const media::DeriveOptions& options) { return media::video::derive(source, transforms, options); };
  return media::worker::run(argc, argv, {"media-video-worker", media::video::get_ready, {media::video::probe, derive, nullptr}});
}

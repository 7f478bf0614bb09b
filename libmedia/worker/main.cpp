// media-worker: pictures.
#include "image/format.hpp"
#include "image/pipeline.hpp"
#include "run.hpp"

int main(int argc, char** argv) {
  const auto derive = [](const media::ByteReader& source, std::span<const media::Transform> transforms,
                         const media::DeriveOptions& options) {
    return media::image::derive(source, transforms, options, media::image::Decoders::own);
  };
  return media::worker::run(argc, argv, {"media-worker", media::image::load_codecs, {media::image::probe, derive, nullptr, nullptr}});
}

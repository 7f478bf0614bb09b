#include "image/pipeline.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "image/colour.hpp"
#include "image/control.hpp"
#include "image/describe.hpp"
#include "image/format.hpp"
#include "image/orient.hpp"
#include "image/plan.hpp"
#include "image/planes.hpp"
#include "image/resample.hpp"
#include "image/score.hpp"
#include "image/settings.hpp"

namespace media::image {
namespace {

constexpr std::uint32_t kRowsBetweenChecks = 32;
/// How far decoding is along the way, as far as progress is concerned.
constexpr double kDecodeShare = 0.5;
/// Of the picture that is described; and the proof that a source decodes, where nothing else is asked for.
constexpr std::uint32_t kSmallSide = 128;

Result<std::unique_ptr<Decoder>> open_source(const ByteReader& source, const Control& control) {
  if (source.size() > control.budget().max_source_bytes) {
    return Error{Errc::too_large, "the source has " + std::to_string(source.size()) + " bytes, more than " +
                                      std::to_string(control.budget().max_source_bytes)};
  }
  MEDIA_TRY(control.check());
  std::array<std::byte, kSniffBytes> buffer{};
  MEDIA_TRY_ASSIGN(const std::size_t got, source.read_at(0, buffer));
  const std::span<const std::byte> head(buffer.data(), got);
  for (const Codec& codec : codecs()) {
    if (codec.sniffs(head)) return codec.open(source, control);
  }
  return Error{Errc::unsupported, "the source is of no image format that this build decodes"};
}

/// One output size, and who wants it; geometries of the upright picture.
struct Target {
  Geometry geometry;
  std::vector<std::size_t> transforms;
};

std::vector<Target> plan_targets(const Header& header, std::span<const Transform> transforms) {
  std::vector<Target> targets;
  for (std::size_t i = 0; i < transforms.size(); ++i) {
    const Geometry geometry = plan(upright(header.picture, header.info.orientation), transforms[i]);
    const auto same = std::find_if(targets.begin(), targets.end(), [&](const Target& target) { return target.geometry == geometry; });
    if (same == targets.end()) {
      targets.push_back({geometry, {i}});
    } else {
      same->transforms.push_back(i);
    }
  }
  // Big ones first, so that each can be made from one before it.
  std::stable_sort(targets.begin(), targets.end(),
                   [](const Target& a, const Target& b) { return a.geometry.whole_size().pixels() > b.geometry.whole_size().pixels(); });
  return targets;
}

/// What is made of the decoder's rows: the one picture that is asked for, or the whole picture at the greatest width and height that
/// any asks for. Never more than there is: enlarging comes after.
Geometry plan_base(Size picture, const std::vector<Target>& targets) {
  if (targets.empty()) {
    Transform proof;
    proof.width = proof.height = kSmallSide;
    return plan(picture, proof);
  }
  const auto enlarges = [&](const Geometry& geometry) {
    const Size whole = geometry.whole_size();
    return whole.width > picture.width || whole.height > picture.height;
  };
  if (targets.size() == 1 && !enlarges(targets.front().geometry)) return targets.front().geometry;
  Size size{1, 1};
  for (const Target& target : targets) {
    const Size whole = target.geometry.whole_size();
    size.width = std::max(size.width, whole.width);
    size.height = std::max(size.height, whole.height);
  }
  return {{std::min(size.width, picture.width), std::min(size.height, picture.height)}, 1, 1};
}

/// Memory of making and encoding one target: the picture, its turned and flattened copies, and the encoder's own
/// planes and tables (AVIF's are the greatest: about 40 bytes a pixel).
std::uint64_t output_bytes(Size size) { return size.pixels() * 48; }

class Derivation {
 public:
  Derivation(Decoder& decoder, std::span<const Transform> transforms, const Control& control)
      : decoder_(decoder), transforms_(transforms), control_(control) {}

  Result<Derived> run() {
    for (const Transform& transform : transforms_) {
      if (auto codec = encoder_of(transform); !codec) return std::move(codec).error();
    }
    const Header& header = decoder_.header();
    const std::uint8_t orientation = header.info.orientation;
    targets_ = plan_targets(header, transforms_);
    base_ = plan_base(upright(header.picture, orientation), targets_);
    for (const Target& target : targets_) {
      MEDIA_TRY(control_.check_pixels(target.geometry.size, "the output"));
      MEDIA_TRY(control_.check_memory(output_bytes(target.geometry.size), "the output"));
    }
    PlaneDecoder* const planes = decoder_.planes();
    if (planes == nullptr) {
      MEDIA_TRY_ASSIGN(Image picture, decode(base_.coded(orientation)));
      // Only now, because some codecs learn of the profile while they decode.
      picture = orient(to_srgb(std::move(picture), header.profile), orientation);
      return make_all(std::move(picture));
    }
    const bool in_srgb = is_srgb(header.profile);
    MEDIA_TRY_ASSIGN(Planes picture, decode(*planes, base_.coded(orientation), in_srgb && planes_will_do() ? Chroma::half : Chroma::full));
    picture = orient(std::move(picture), orientation);
    if (in_srgb) return make_all(std::move(picture));
    return make_all(to_srgb(to_rgb(picture), header.profile));
  }

 private:
  static Result<const Codec*> encoder_of(const Transform& transform) {
    const Codec* codec = find_codec(transform.format);
    if (codec == nullptr || codec->encode == nullptr) {
      return Error{Errc::unsupported, "this build cannot write " + std::string(to_string(transform.format))};
    }
    return codec;
  }

  /// True where every output is of a format that keeps planes with half of the colour.
  [[nodiscard]] bool planes_will_do() const {
    return std::all_of(transforms_.begin(), transforms_.end(), [](const Transform& transform) {
      const Codec* codec = find_codec(transform.format);
      return codec != nullptr && codec->encode_planes != nullptr;
    });
  }

  Result<Image> decode(const Geometry& base) {
    MEDIA_TRY_ASSIGN(const Rows rows, decoder_.start(base.whole_size()));
    MEDIA_TRY(control_.check_memory(Resampler::working_bytes(rows.size, rows.layout, base), "the picture"));
    Resampler resampler(rows.size, rows.layout, base);
    std::vector<std::uint8_t> row(std::size_t{rows.size.width} * channels(rows.layout));
    // All rows, also those below what is kept: a source that ends too early has to be noticed.
    for (std::uint32_t y = 0; y < rows.size.height; ++y) {
      if (y % kRowsBetweenChecks == 0) {
        MEDIA_TRY(control_.check());
        control_.report(kDecodeShare * y / rows.size.height);
      }
      MEDIA_TRY(decoder_.read_row(row));
      resampler.push_row(row);
    }
    return resampler.take();
  }

  Result<Planes> decode(PlaneDecoder& decoder, const Geometry& base, Chroma chroma) {
    MEDIA_TRY_ASSIGN(const auto grids, decoder.start_planes(base.whole_size()));
    MEDIA_TRY(control_.check_memory(PlaneResampler::working_bytes(grids, base, chroma), "the picture"));
    PlaneResampler resampler(grids, base, chroma, reversed_by(decoder_.header().info.orientation));
    for (std::uint32_t y = 0; y < grids[0].size.height;) {
      MEDIA_TRY(control_.check());
      control_.report(kDecodeShare * y / grids[0].size.height);
      MEDIA_TRY_ASSIGN(const PlaneRows rows, decoder.read_rows());
      for (std::size_t plane = 0; plane < grids.size(); ++plane) {
        const PlaneRows::Part& part = rows.planes[plane];
        for (std::uint32_t i = 0; i < part.count; ++i) resampler.push_row(plane, {part.data + i * part.stride, grids[plane].size.width});
      }
      y += rows.planes[0].count;
    }
    return resampler.take();
  }

  static Image resized(const Image& picture, const Geometry& geometry) { return resample(picture, geometry); }
  static Planes resized(const Planes& picture, const Geometry& geometry) { return resample(picture, geometry, picture.chroma); }

  /// For what is told of a picture as a whole.
  static Image small(const Image& picture) { return resample(picture, small_geometry(picture.size)); }
  static Image small(const Planes& picture) { return to_rgb(resample(picture, small_geometry(picture.size), Chroma::full)); }
  static Geometry small_geometry(Size size) {
    Transform box;
    box.width = box.height = kSmallSide;
    return plan(size, box);
  }

  /// `picture` is upright and in sRGB, and an Image or Planes.
  template <class Picture>
  Result<Derived> make_all(const Picture& picture) {
    Derived derived;
    derived.source = decoder_.header().info;
    const Image whole = small(picture);
    derived.placeholder = average_colour(whole);
    if (shows_all(base_, upright(decoder_.header().picture, decoder_.header().info.orientation))) derived.appearance = describe(whole, 1);
    derived.outputs.resize(transforms_.size());
    // Whole pictures to make smaller ones from, biggest first; only the last two steps are ever needed again, but
    // dropping more would save little: each is at most as big as the one before.
    std::vector<Picture> ladder;
    std::size_t finished = 0;
    for (const Target& target : targets_) {
      MEDIA_TRY(control_.check());
      if (target.geometry == base_) {
        MEDIA_TRY(encode_all(target, picture, derived, finished));
        continue;
      }
      const Picture& from = smallest_that_has(ladder, picture, target.geometry.whole_size());
      Picture made = resized(from, target.geometry);
      MEDIA_TRY(encode_all(target, made, derived, finished));
      if (target.geometry.whole()) ladder.push_back(std::move(made));
    }
    control_.report(1);
    return derived;
  }

  /// The smallest whole picture that is not smaller than `size`, else the first one.
  template <class Picture>
  static const Picture& smallest_that_has(const std::vector<Picture>& ladder, const Picture& first, Size size) {
    const Picture* best = &first;
    for (const Picture& step : ladder) {
      if (step.size.width >= size.width && step.size.height >= size.height && step.size.pixels() < best->size.pixels()) best = &step;
    }
    return *best;
  }

  template <class Picture>
  Result<void> encode_all(const Target& target, const Picture& picture, Derived& derived, std::size_t& finished) {
    for (const std::size_t i : target.transforms) {
      MEDIA_TRY(control_.check());
      MEDIA_TRY_ASSIGN(derived.outputs[i], encode_flat(transforms_[i], picture));
      ++finished;
      control_.report(kDecodeShare + (1 - kDecodeShare) * static_cast<double>(finished) / static_cast<double>(transforms_.size()));
    }
    return {};
  }

  Result<std::vector<std::byte>> encode(const Codec& codec, int quality, const Image& picture) {
    return codec.encode(picture, quality, control_);
  }

  Result<std::vector<std::byte>> encode(const Codec& codec, int quality, const Planes& picture) {
    if (codec.encode_planes == nullptr) return codec.encode(to_rgb(picture), quality, control_);
    return codec.encode_planes(picture.chroma == Chroma::half ? picture : halve_chroma(picture), quality, control_);
  }

  /// What an encoded picture is compared with.
  static const Image& as_image(const Image& picture) { return picture; }
  static Image as_image(const Planes& picture) {
    return to_rgb(picture.chroma == Chroma::full ? picture : resample(picture, {picture.size, 1, 1}, Chroma::full));
  }

  Result<Image> decode_again(const Codec& codec, std::span<const std::byte> bytes) {
    const MemoryReader reader(bytes);
    MEDIA_TRY_ASSIGN(auto decoder, codec.open(reader, control_));
    MEDIA_TRY_ASSIGN(const Rows rows, decoder->start(decoder->header().picture));
    Image image(rows.size, rows.layout);
    for (std::uint32_t y = 0; y < rows.size.height; ++y) MEDIA_TRY(decoder->read_row(image.row(y)));
    return image;
  }

  template <class Picture>
  Result<Encoded> encode_one(const Transform& transform, const Picture& picture) {
    MEDIA_TRY_ASSIGN(const Codec* codec, encoder_of(transform));
    Encoded encoded{transform, picture.size.width, picture.size.height, {}, 0, 0};
    const int usual = default_quality(transform.format);
    const int quality = transform.quality != 0 ? transform.quality : usual;
    Aim aim{0, transform.max_bytes, quality};
    // A lossless format has nothing to choose from.
    if (usual != 0) aim.score = transform.score / 10.0;
    if (usual != 0 && (aim.score > 0 || aim.max_bytes > 0)) {
      MEDIA_TRY(control_.check_memory(output_bytes(picture.size) + image_bytes(picture.size, Layout::rgba) * 2, "the search for a quality"));
      const Image& reference = as_image(picture);
      const auto score_of = [&](const std::vector<std::byte>& bytes) -> Result<double> {
        MEDIA_TRY_ASSIGN(const Image again, decode_again(*codec, bytes));
        return likeness(reference, again);
      };
      MEDIA_TRY_ASSIGN(Candidate chosen, choose(aim, [&](int each) { return encode(*codec, each, picture); }, score_of, control_));
      encoded.bytes = std::move(chosen.bytes);
      encoded.quality = static_cast<std::uint8_t>(chosen.quality);
      encoded.score = chosen.score;
    } else {
      MEDIA_TRY_ASSIGN(encoded.bytes, encode(*codec, quality, picture));
      encoded.quality = static_cast<std::uint8_t>(quality);
    }
    const std::uint64_t most = aim.max_bytes == 0 ? control_.budget().max_output_bytes : std::min(aim.max_bytes, control_.budget().max_output_bytes);
    if (encoded.bytes.size() > most) {
      return Error{Errc::too_large, "the " + std::string(to_string(transform.format)) + " has " + std::to_string(encoded.bytes.size()) +
                                        " bytes, more than " + std::to_string(most)};
    }
    return encoded;
  }

  /// Alpha is there only where the format keeps it, nobody gives a colour to lay under it, and there is something to be seen through it.
  Result<Encoded> encode_flat(const Transform& transform, const Image& picture) {
    const bool drop_alpha =
        picture.layout == Layout::rgba && (transform.background || transform.format == Format::jpeg || is_opaque(picture));
    return drop_alpha ? encode_one(transform, flatten(picture, transform.background.value_or(Colour{}))) : encode_one(transform, picture);
  }
  Result<Encoded> encode_flat(const Transform& transform, const Planes& picture) { return encode_one(transform, picture); }

  Decoder& decoder_;
  std::span<const Transform> transforms_;
  const Control& control_;
  std::vector<Target> targets_;
  Geometry base_;
};

}  // namespace

Result<Derived> derive(const ByteReader& source, std::span<const Transform> transforms, const DeriveOptions& options, Decoders decoders) {
  const Control control(options, decoders);
  MEDIA_TRY_ASSIGN(auto decoder, open_source(source, control));
  return Derivation(*decoder, transforms, control).run();
}

Result<MediaInfo> probe(const ByteReader& source, const DeriveOptions& options) {
  const Control control(options);
  MEDIA_TRY_ASSIGN(auto decoder, open_source(source, control));
  return decoder->header().info;
}

}  // namespace media::image

#include "image/pipeline.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "image/animate.hpp"
#include "image/colour.hpp"
#include "image/control.hpp"
#include "image/format.hpp"
#include "image/orient.hpp"
#include "image/plan.hpp"
#include "image/planes.hpp"
#include "image/resample.hpp"
#include "image/settings.hpp"

namespace media::image {
namespace {

constexpr std::uint32_t kRowsBetweenChecks = 32;
/// How far decoding is along the way, as far as progress is concerned.
constexpr double kDecodeShare = 0.5;
/// Of the picture that the placeholder is made from; and the proof that a source decodes, where nothing else is asked for.
constexpr std::uint32_t kSmallSide = 64;

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
std::uint64_t output_bytes(const Target& target) { return target.geometry.size.pixels() * 48; }

Result<const Codec*> encoder_of(const Transform& transform) {
  const Codec* codec = find_codec(transform.format);
  if (codec == nullptr || codec->encode == nullptr) {
    return Error{Errc::unsupported, "this build cannot write " + std::string(to_string(transform.format))};
  }
  return codec;
}

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
      MEDIA_TRY(control_.check_memory(output_bytes(target), "the output"));
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
    derived.placeholder = average_colour(small(picture));
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
      MEDIA_TRY_ASSIGN(derived.outputs[i], encode_one(transforms_[i], picture));
      ++finished;
      control_.report(kDecodeShare + (1 - kDecodeShare) * static_cast<double>(finished) / static_cast<double>(transforms_.size()));
    }
    return {};
  }

  Result<std::vector<std::byte>> encode(const Codec& codec, const Transform& transform, int quality, const Image& picture) {
    const bool drop_alpha =
        picture.layout == Layout::rgba && (transform.background || transform.format == Format::jpeg || is_opaque(picture));
    return drop_alpha ? codec.encode(flatten(picture, transform.background.value_or(Colour{})), quality, control_)
                      : codec.encode(picture, quality, control_);
  }

  Result<std::vector<std::byte>> encode(const Codec& codec, const Transform&, int quality, const Planes& picture) {
    if (codec.encode_planes == nullptr) return codec.encode(to_rgb(picture), quality, control_);
    return codec.encode_planes(picture.chroma == Chroma::half ? picture : halve_chroma(picture), quality, control_);
  }

  template <class Picture>
  Result<Encoded> encode_one(const Transform& transform, const Picture& picture) {
    MEDIA_TRY_ASSIGN(const Codec* codec, encoder_of(transform));
    const int quality = transform.quality != 0 ? transform.quality : default_quality(transform.format);
    MEDIA_TRY_ASSIGN(auto bytes, encode(*codec, transform, quality, picture));
    if (bytes.size() > control_.budget().max_output_bytes) {
      return Error{Errc::too_large, "the " + std::string(to_string(transform.format)) + " has " + std::to_string(bytes.size()) +
                                        " bytes, more than " + std::to_string(control_.budget().max_output_bytes)};
    }
    return Encoded{transform, picture.size.width, picture.size.height, std::move(bytes)};
  }

  Decoder& decoder_;
  std::span<const Transform> transforms_;
  const Control& control_;
  std::vector<Target> targets_;
  Geometry base_;
};

/// How much of the work of a call is its stills, where it makes animations, too; as far as progress is concerned.
constexpr double kStillsShare = 0.2;

/// Some of the transforms keep frames, and there are frames: these are made one after the other, the others from the first one.
Result<Derived> derive_both(Decoder& decoder, FrameReader& reader, std::span<const Transform> transforms, Control& control) {
  std::vector<Transform> stills;
  std::vector<Transform> animations;
  for (const Transform& transform : transforms) (keeps_frames(transform) ? animations : stills).push_back(transform);
  Derived of_stills;
  if (!stills.empty()) {
    control.report_between(0, kStillsShare);
    MEDIA_TRY_ASSIGN(of_stills, Derivation(decoder, stills, control).run());
    control.report_between(kStillsShare, 1);
  }
  MEDIA_TRY_ASSIGN(Derived derived, derive_frames(decoder, reader, animations, control));
  std::vector<Encoded> outputs;
  auto still = of_stills.outputs.begin();
  auto animation = derived.outputs.begin();
  for (const Transform& transform : transforms) outputs.push_back(std::move(*(keeps_frames(transform) ? animation++ : still++)));
  derived.outputs = std::move(outputs);
  return derived;
}

}  // namespace

Result<Derived> derive(const ByteReader& source, std::span<const Transform> transforms, const DeriveOptions& options, Decoders decoders) {
  Control control(options, decoders);
  MEDIA_TRY_ASSIGN(auto decoder, open_source(source, control));
  if (std::any_of(transforms.begin(), transforms.end(), keeps_frames)) {
    for (const Transform& transform : transforms) {
      if (auto codec = encoder_of(transform); !codec) return std::move(codec).error();
    }
    MEDIA_TRY_ASSIGN(const auto frames, decoder->frames());
    if (frames) return derive_both(*decoder, *frames, transforms, control);
  }
  return Derivation(*decoder, transforms, control).run();
}

Result<MediaInfo> probe(const ByteReader& source, const DeriveOptions& options) {
  const Control control(options);
  MEDIA_TRY_ASSIGN(auto decoder, open_source(source, control));
  return decoder->header().info;
}

}  // namespace media::image

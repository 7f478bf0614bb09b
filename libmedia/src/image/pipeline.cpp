#include "image/pipeline.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include "image/colour.hpp"
#include "image/control.hpp"
#include "image/describe.hpp"
#include "image/format.hpp"
#include "image/orient.hpp"
#include "image/plan.hpp"
#include "image/resample.hpp"
#include "image/settings.hpp"

namespace media::image {
namespace {

constexpr std::uint32_t kRowsBetweenChecks = 32;
/// How far decoding is along the way, as far as progress is concerned.
constexpr double kDecodeShare = 0.5;
/// For the placeholder and the proof that a source decodes, where nothing else is asked for.
constexpr std::uint32_t kProofSide = 64;

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

/// One output size, and who wants it. Geometries are those of the picture as it is coded, before orientation.
struct Target {
  Geometry geometry;
  std::vector<std::size_t> transforms;
};

std::vector<Target> plan_targets(const Header& header, std::span<const Transform> transforms) {
  std::vector<Target> targets;
  for (std::size_t i = 0; i < transforms.size(); ++i) {
    const Geometry geometry = plan(upright(header.picture, header.info.orientation), transforms[i]).coded(header.info.orientation);
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

/// What the decoder's rows are made into: the one picture that is asked for, or the whole picture at the
/// greatest width and height that any asks for. Never more than there is: enlarging comes after.
Geometry plan_base(const Header& header, const std::vector<Target>& targets) {
  if (targets.empty()) {
    Transform proof;
    proof.width = proof.height = kProofSide;
    return plan(header.picture, proof);
  }
  const auto enlarges = [&](const Geometry& geometry) {
    const Size whole = geometry.whole_size();
    return whole.width > header.picture.width || whole.height > header.picture.height;
  };
  if (targets.size() == 1 && !enlarges(targets.front().geometry)) return targets.front().geometry;
  Size size{1, 1};
  for (const Target& target : targets) {
    const Size whole = target.geometry.whole_size();
    size.width = std::max(size.width, whole.width);
    size.height = std::max(size.height, whole.height);
  }
  return {{std::min(size.width, header.picture.width), std::min(size.height, header.picture.height)}, 1, 1};
}

/// Memory of making and encoding one target: the picture, its turned and flattened copies, and the encoder's own
/// planes and tables (AVIF's are the greatest: about 40 bytes a pixel).
std::uint64_t output_bytes(const Target& target) { return target.geometry.size.pixels() * 48; }

class Derivation {
 public:
  Derivation(Decoder& decoder, std::span<const Transform> transforms, const Control& control)
      : decoder_(decoder), transforms_(transforms), control_(control) {}

  Result<Derived> run() {
    for (const Transform& transform : transforms_) {
      if (auto codec = encoder_of(transform); !codec) return std::move(codec).error();
    }
    const Header& header = decoder_.header();
    const std::vector<Target> targets = plan_targets(header, transforms_);
    const Geometry base = plan_base(header, targets);
    for (const Target& target : targets) {
      MEDIA_TRY(control_.check_pixels(target.geometry.size, "the output"));
      MEDIA_TRY(control_.check_memory(output_bytes(target), "the output"));
    }
    MEDIA_TRY_ASSIGN(Image picture, decode(base));
    picture = to_srgb(std::move(picture), header.profile);

    Derived derived;
    derived.source = header.info;
    derived.placeholder = average_colour(picture);
    if (shows_all(base, header.picture)) derived.appearance = describe(picture, header.info.orientation);
    derived.outputs.resize(transforms_.size());
    // Whole pictures to make smaller ones from, biggest first; only the last two steps are ever needed again, but
    // dropping more would save little: each is at most as big as the one before.
    std::vector<Image> ladder;
    std::size_t finished = 0;
    for (const Target& target : targets) {
      MEDIA_TRY(control_.check());
      if (target.geometry == base) {
        MEDIA_TRY(encode_all(target, picture, derived, finished));
        continue;
      }
      const Image& from = smallest_that_has(ladder, picture, target.geometry.whole_size());
      Image made = resample(from, target.geometry);
      MEDIA_TRY(encode_all(target, made, derived, finished));
      if (target.geometry.whole()) ladder.push_back(std::move(made));
    }
    control_.report(1);
    return derived;
  }

 private:
  static Result<const Codec*> encoder_of(const Transform& transform) {
    const Codec* codec = find_codec(transform.format);
    if (codec == nullptr || codec->encode == nullptr) {
      return Error{Errc::unsupported, "this build cannot write " + std::string(to_string(transform.format))};
    }
    return codec;
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

  /// The smallest whole picture that is not smaller than `size`, else the first one.
  static const Image& smallest_that_has(const std::vector<Image>& ladder, const Image& first, Size size) {
    const Image* best = &first;
    for (const Image& step : ladder) {
      if (step.size.width >= size.width && step.size.height >= size.height && step.size.pixels() < best->size.pixels()) best = &step;
    }
    return *best;
  }

  Result<void> encode_all(const Target& target, const Image& picture, Derived& derived, std::size_t& finished) {
    const std::uint8_t orientation = decoder_.header().info.orientation;
    Image turned;
    if (orientation != 1) turned = orient(picture, orientation);
    const Image& upright_picture = orientation == 1 ? picture : turned;
    for (const std::size_t i : target.transforms) {
      MEDIA_TRY(control_.check());
      MEDIA_TRY_ASSIGN(derived.outputs[i], encode_one(transforms_[i], upright_picture));
      ++finished;
      control_.report(kDecodeShare + (1 - kDecodeShare) * static_cast<double>(finished) / static_cast<double>(transforms_.size()));
    }
    return {};
  }

  Result<Encoded> encode_one(const Transform& transform, const Image& picture) {
    MEDIA_TRY_ASSIGN(const Codec* codec, encoder_of(transform));
    const int quality = transform.quality != 0 ? transform.quality : default_quality(transform.format);
    const bool drop_alpha =
        picture.layout == Layout::rgba && (transform.background || transform.format == Format::jpeg || is_opaque(picture));
    auto bytes = drop_alpha ? codec->encode(flatten(picture, transform.background.value_or(Colour{})), quality, control_)
                            : codec->encode(picture, quality, control_);
    if (!bytes) return std::move(bytes).error();
    if (bytes->size() > control_.budget().max_output_bytes) {
      return Error{Errc::too_large, "the " + std::string(to_string(transform.format)) + " has " + std::to_string(bytes->size()) +
                                        " bytes, more than " + std::to_string(control_.budget().max_output_bytes)};
    }
    return Encoded{transform, picture.size.width, picture.size.height, std::move(bytes).value()};
  }

  Decoder& decoder_;
  std::span<const Transform> transforms_;
  const Control& control_;
};

}  // namespace

Result<Derived> derive(const ByteReader& source, std::span<const Transform> transforms, const DeriveOptions& options) {
  const Control control(options);
  MEDIA_TRY_ASSIGN(auto decoder, open_source(source, control));
  return Derivation(*decoder, transforms, control).run();
}

Result<MediaInfo> probe(const ByteReader& source, const DeriveOptions& options) {
  const Control control(options);
  MEDIA_TRY_ASSIGN(auto decoder, open_source(source, control));
  return decoder->header().info;
}

}  // namespace media::image

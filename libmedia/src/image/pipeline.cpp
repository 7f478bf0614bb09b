#include "image/pipeline.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include "image/colour.hpp"
#include "image/control.hpp"
#include "image/edit.hpp"
#include "image/format.hpp"
#include "image/orient.hpp"
#include "image/place.hpp"
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
  std::uint8_t orientation;
  std::vector<std::size_t> transforms;
};

std::vector<Target> plan_targets(std::span<const Placement> placements) {
  std::vector<Target> targets;
  for (std::size_t i = 0; i < placements.size(); ++i) {
    const auto& [geometry, orientation] = placements[i];
    const auto same = std::find_if(targets.begin(), targets.end(), [&, &g = geometry, &o = orientation](const Target& target) {
      return target.geometry == g && target.orientation == o;
    });
    if (same == targets.end()) {
      targets.push_back({geometry, orientation, {i}});
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
std::uint64_t output_bytes(Size size) { return size.pixels() * 48; }

class Derivation {
 public:
  /// `keep_profile`: the pixels stay in the source's colours, where its profile is one that can be kept.
  Derivation(Decoder& decoder, std::span<const Transform> transforms, std::span<const Placement> placements, bool keep_profile,
             const Control& control)
      : decoder_(decoder), transforms_(transforms), placements_(placements), keep_profile_(keep_profile), control_(control) {}

  Result<Derived> run() {
    for (const Transform& transform : transforms_) {
      if (auto codec = encoder_of(transform); !codec) return std::move(codec).error();
    }
    const Header& header = decoder_.header();
    const std::vector<Target> targets = plan_targets(placements_);
    const Geometry base = plan_base(header, targets);
    for (const Target& target : targets) {
      MEDIA_TRY(control_.check_pixels(target.geometry.size, "the output"));
      MEDIA_TRY(control_.check_memory(output_bytes(target.geometry.size), "the output"));
      for (const std::size_t i : target.transforms) {
        const Size size = canvas_of(upright(target.geometry.size, target.orientation), transforms_[i]).size;
        MEDIA_TRY(control_.check_pixels(size, "the output"));
        MEDIA_TRY(control_.check_memory(output_bytes(size), "the output"));
      }
    }
    MEDIA_TRY_ASSIGN(Image picture, decode(base));
    const bool colour = picture.layout == Layout::rgb || picture.layout == Layout::rgba;
    if (keep_profile_ && colour && is_rgb_profile(header.profile)) {
      profile_ = header.profile;
    } else {
      picture = to_srgb(std::move(picture), header.profile);
    }

    Derived derived;
    derived.source = header.info;
    derived.placeholder = average_colour(picture);
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
    const std::uint8_t orientation = target.orientation;
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
    if (has_edits(transform)) return encode_final(transform, edit(picture, in_colours(transform)));
    return encode_final(transform, picture);
  }

  /// The background is given in sRGB, whatever the picture is in.
  [[nodiscard]] Transform in_colours(Transform transform) const {
    if (!profile_.empty() && transform.background) transform.background = from_srgb(*transform.background, profile_);
    return transform;
  }

  Result<Encoded> encode_final(const Transform& transform, const Image& picture) {
    MEDIA_TRY_ASSIGN(const Codec* codec, encoder_of(transform));
    Encoding encoding(transform.quality != 0 ? transform.quality : default_quality(transform.format));
    encoding.profile = profile_;
    const std::vector<std::byte> credit = transform.keep_copyright ? credit_block(decoder_.header().credit) : std::vector<std::byte>();
    encoding.exif = credit;
    const bool drop_alpha =
        picture.layout == Layout::rgba && (transform.background || transform.format == Format::jpeg || is_opaque(picture));
    auto bytes = drop_alpha ? codec->encode(flatten(picture, in_colours(transform).background.value_or(Colour{})), encoding, control_)
                            : codec->encode(picture, encoding, control_);
    if (!bytes) return std::move(bytes).error();
    if (bytes->size() > control_.budget().max_output_bytes) {
      return Error{Errc::too_large, "the " + std::string(to_string(transform.format)) + " has " + std::to_string(bytes->size()) +
                                        " bytes, more than " + std::to_string(control_.budget().max_output_bytes)};
    }
    return Encoded{transform, picture.size.width, picture.size.height, std::move(bytes).value()};
  }

  Decoder& decoder_;
  std::span<const Transform> transforms_;
  std::span<const Placement> placements_;
  bool keep_profile_;
  const Control& control_;
  std::vector<std::byte> profile_;  ///< What the pixels are in; empty: sRGB.
};

Result<Derived> derive_all(const ByteReader& source, std::span<const Transform> transforms, bool keep_profile, const Control& control) {
  MEDIA_TRY_ASSIGN(auto decoder, open_source(source, control));
  MEDIA_TRY_ASSIGN(const auto placements, place(decoder->header(), transforms, control, [&] { return open_source(source, control); }));
  return Derivation(*decoder, transforms, placements, keep_profile, control).run();
}

}  // namespace

Result<Derived> derive(const ByteReader& source, std::span<const Transform> transforms, const DeriveOptions& options) {
  const auto keeps = [](const Transform& transform) { return transform.keep_profile; };
  if (std::none_of(transforms.begin(), transforms.end(), keeps)) {
    const Control control(options);
    return derive_all(source, transforms, false, control);
  }

  // Outputs in the source's own colours are made of another decoding: what all outputs have in common is in sRGB, and so are
  // the facts. `keep` is rare, and two pictures at a time would be twice the memory.
  std::vector<Transform> in_srgb;
  std::vector<Transform> as_coded;
  for (const Transform& transform : transforms) (keeps(transform) ? as_coded : in_srgb).push_back(transform);
  double done = 0;
  DeriveOptions in_halves = options;
  if (options.progress) in_halves.progress = [&](double share) { options.progress(done + share / 2); };
  const Control control(in_halves);
  MEDIA_TRY_ASSIGN(Derived derived, derive_all(source, in_srgb, false, control));
  done = 0.5;
  MEDIA_TRY_ASSIGN(Derived kept, derive_all(source, as_coded, true, control));
  std::vector<Encoded> outputs;
  auto next_in_srgb = derived.outputs.begin();
  auto next_kept = kept.outputs.begin();
  for (const Transform& transform : transforms) outputs.push_back(std::move(keeps(transform) ? *next_kept++ : *next_in_srgb++));
  derived.outputs = std::move(outputs);
  return derived;
}

Result<MediaInfo> probe(const ByteReader& source, const DeriveOptions& options) {
  const Control control(options);
  MEDIA_TRY_ASSIGN(auto decoder, open_source(source, control));
  return decoder->header().info;
}

}  // namespace media::image

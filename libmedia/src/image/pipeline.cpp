#include "image/pipeline.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "image/animate.hpp"
#include "image/colour.hpp"
#include "image/control.hpp"
#include "image/describe.hpp"
#include "image/edit.hpp"
#include "image/format.hpp"
#include "image/orient.hpp"
#include "image/place.hpp"
#include "image/plan.hpp"
#include "image/planes.hpp"
#include "image/resample.hpp"
#include "image/score.hpp"
#include "image/settings.hpp"
#include "image/transform_limits.hpp"

namespace media::image {
namespace {

constexpr std::uint32_t kRowsBetweenChecks = 32;
/// How far decoding is along the way, as far as progress is concerned.
constexpr double kDecodeShare = 0.5;

Result<std::unique_ptr<Decoder>> open_picture(const ByteReader& source, const Control& control) {
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

/// One picture to be made of the decoder's rows, and who wants it. Its geometry is that of the picture as it is coded.
struct Target {
  Geometry geometry;
  std::uint8_t orientation = 1;
  /// Planes with half of the colour will do for all who want it, if the source has planes.
  bool as_planes = false;
  bool deep = false;                    ///< 16 bits a sample, up to the encoder.
  std::vector<std::size_t> transforms;  ///< None: it is described.
};

/// Memory of making and encoding one target: the picture, its turned and flattened copies, and the encoder's own
/// planes and tables (AVIF's are the greatest: about 40 bytes a pixel).
std::uint64_t output_bytes(Size size, bool deep = false) { return size.pixels() * (deep ? 68 : 48); }

/// A decoder's rows in 8 bits.
class ByteRows {
 public:
  using Numbers = Brisk;

  explicit ByteRows(Decoder& decoder) : decoder_(decoder) {}
  Result<Rows> start(Size wanted) { return decoder_.start(wanted); }
  Result<void> read(std::span<std::uint8_t> row) { return decoder_.read_row(row); }

 private:
  Decoder& decoder_;
};

/// The same in 16 bits: what the file keeps, or its 8 spread over them.
class DeepRows {
 public:
  using Numbers = Exact;

  explicit DeepRows(Decoder& decoder) : decoder_(decoder), deep_(decoder.deep()) {}
  [[nodiscard]] static Size size_for(Decoder& decoder, Size wanted) {
    return decoder.deep() != nullptr ? decoder.header().picture : decoder.size_for(wanted);
  }
  Result<Rows> start(Size wanted) { return deep_ != nullptr ? deep_->start_deep() : decoder_.start(wanted); }
  Result<void> read(std::span<std::uint16_t> row) {
    if (deep_ != nullptr) return deep_->read_deep_row(row);
    narrow_.resize(row.size());
    MEDIA_TRY(decoder_.read_row(narrow_));
    std::transform(narrow_.begin(), narrow_.end(), row.begin(), widened);
    return {};
  }

 private:
  Decoder& decoder_;
  DeepDecoder* deep_;
  std::vector<std::uint8_t> narrow_;
};

Result<const Codec*> encoder_of(const Transform& transform) {
  const Codec* codec = find_codec(transform.format);
  if (codec == nullptr || codec->encode == nullptr || (transform.depth > 8 && codec->encode_deep == nullptr)) {
    return Error{Errc::unsupported, "this build cannot write " + std::string(to_string(transform.format))};
  }
  return codec;
}

/// Makes every output straight from the rows of the source, each at the scale that is good for it: none depends on what else is asked
/// for. Those that need the same rows share a pass over the source.
class Derivation {
 public:
  /// `keep_profile`: the pixels stay in the source's colours, where its profile is one that can be kept.
  Derivation(std::unique_ptr<Decoder> decoder, OpenAgain open_again, std::span<const Transform> transforms,
             std::span<const Placement> placements, bool keep_profile, const Control& control)
      : decoder_(std::move(decoder)),
        open_again_(std::move(open_again)),
        transforms_(transforms),
        placements_(placements),
        keep_profile_(keep_profile),
        control_(control) {}

  Result<Derived> run() {
    for (const Transform& transform : transforms_) {
      if (auto codec = encoder_of(transform); !codec) return std::move(codec).error();
    }
    derived_.outputs.resize(transforms_.size());
    plan_targets();
    for (const Target& target : targets_) {
      MEDIA_TRY(control_.check_pixels(target.geometry.size, "the output"));
      MEDIA_TRY(control_.check_memory(output_bytes(target.geometry.size, target.deep), "the output"));
      for (const std::size_t i : target.transforms) {
        const Size size = canvas_of(upright(target.geometry.size, target.orientation), transforms_[i]).size;
        MEDIA_TRY(control_.check_pixels(size, "the output"));
        MEDIA_TRY(control_.check_memory(output_bytes(size, target.deep), "the output"));
      }
    }
    const auto deep = std::stable_partition(targets_.begin(), targets_.end(), [](const Target& target) { return !target.deep; });
    const std::vector<Target> deep_targets(std::make_move_iterator(deep), std::make_move_iterator(targets_.end()));
    targets_.erase(deep, targets_.end());
    MEDIA_TRY(decoder_->planes() != nullptr ? run_planes() : run_rows());
    MEDIA_TRY(run_deep_rows(deep_targets));
    // Only now, because some codecs learn while they decode.
    derived_.source = decoder_->header().info;
    control_.report(1);
    return std::move(derived_);
  }

 private:
  /// True where an output can be made of planes with half of the colour.
  static bool takes_planes(const Transform& transform) {
    const Codec* codec = find_codec(transform.format);
    return codec != nullptr && codec->encode_planes != nullptr && !has_edits(transform) && !is_deep(transform);
  }

  static bool is_deep(const Transform& transform) { return transform.depth > 8; }

  void plan_targets() {
    for (std::size_t i = 0; i < placements_.size(); ++i) {
      const Placement& placement = placements_[i];
      const bool as_planes = takes_planes(transforms_[i]);
      const bool deep = is_deep(transforms_[i]);
      const auto same = std::find_if(targets_.begin(), targets_.end(), [&](const Target& target) {
        return target.geometry == placement.geometry && target.orientation == placement.orientation && target.as_planes == as_planes &&
               target.deep == deep;
      });
      if (same == targets_.end()) {
        targets_.push_back({placement.geometry, placement.orientation, as_planes, deep, {i}});
      } else {
        same->transforms.push_back(i);
      }
    }
  }

  /// A picture of the whole for what is told of it; where nothing else is asked for, it is the proof that the source decodes.
  [[nodiscard]] Target small_target() const {
    const Header& header = decoder_->header();
    return {small_geometry(header.picture), header.info.orientation, false, false, {}};
  }

  // From rows of pixels.

  Result<void> run_rows() {
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<Target>> passes;
    for (Target& target : targets_) {
      const Size size = decoder_->size_for(target.geometry.whole_size());
      passes[{size.width, size.height}].push_back(std::move(target));
    }
    const Target small = small_target();
    if (passes.empty()) {
      const Size size = decoder_->size_for(small.geometry.whole_size());
      passes[{size.width, size.height}];
    }
    // The smallest rows are good enough for it.
    passes.begin()->second.push_back(small);
    for (const auto& [size, targets] : passes) MEDIA_TRY(pass_of_rows<ByteRows>(targets));
    return {};
  }

  /// After the others, which may be had of the same decoder: few ask for this.
  Result<void> run_deep_rows(const std::vector<Target>& deep_targets) {
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<Target>> passes;
    for (const Target& target : deep_targets) {
      const Size size = DeepRows::size_for(*decoder_, target.geometry.whole_size());
      passes[{size.width, size.height}].push_back(target);
    }
    for (const auto& [size, targets] : passes) MEDIA_TRY(pass_of_rows<DeepRows>(targets));
    return {};
  }

  /// A decoder that nobody has used yet.
  Result<void> renew() {
    if (began_) {
      MEDIA_TRY_ASSIGN(decoder_, open_again_());
    }
    began_ = true;
    return {};
  }

  template <class Source>
  Result<void> pass_of_rows(const std::vector<Target>& targets) {
    MEDIA_TRY(renew());
    using Taker = RowResampler<typename Source::Numbers>;
    Source source(*decoder_);
    const Size wanted = targets.front().geometry.whole_size();
    MEDIA_TRY_ASSIGN(const Rows rows, source.start(wanted));
    std::uint64_t bytes = 0;
    for (const Target& target : targets) bytes += Taker::working_bytes(rows.size, rows.layout, target.geometry);
    MEDIA_TRY(control_.check_memory(bytes, "the picture"));
    std::vector<Taker> resamplers;
    resamplers.reserve(targets.size());
    for (const Target& target : targets) resamplers.emplace_back(rows.size, rows.layout, target.geometry);
    std::vector<typename Taker::Code> row(std::size_t{rows.size.width} * channels(rows.layout));
    // All rows, also those below what is kept: a source that ends too early has to be noticed.
    for (std::uint32_t y = 0; y < rows.size.height; ++y) {
      if (y % kRowsBetweenChecks == 0) {
        MEDIA_TRY(control_.check());
        report(kDecodeShare * y / rows.size.height);
      }
      MEDIA_TRY(source.read(row));
      for (Taker& resampler : resamplers) resampler.push_row(row);
    }
    for (std::size_t i = 0; i < targets.size(); ++i) {
      MEDIA_TRY(finish(targets[i], in_output_colours(resamplers[i].take(), decoder_->header())));
    }
    return {};
  }

  // From planes.

  Result<void> run_planes() {
    const PlaneDecoder& planes = *decoder_->planes();
    const std::vector<std::byte>& profile = decoder_->header().profile;
    const bool in_srgb = is_srgb(profile) && !(keep_profile_ && is_rgb_profile(profile));
    std::map<std::uint32_t, std::vector<std::pair<std::uint32_t, Target>>> passes;
    for (Target& target : targets_) {
      target.as_planes = target.as_planes && in_srgb;
      const std::uint32_t scale = planes.scale_for(target.geometry.whole_size());
      passes[planes.pass_of(scale)].emplace_back(scale, std::move(target));
    }
    const Target small = small_target();
    if (passes.empty()) {
      const std::uint32_t scale = planes.scale_for(small.geometry.whole_size());
      passes[planes.pass_of(scale)].emplace_back(scale, small);
    } else {
      // The smallest samples that are made anyway are good enough for it.
      auto& first = passes.begin()->second;
      const auto least = std::min_element(first.begin(), first.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      first.emplace_back(least->first, small);
    }
    for (const auto& [number, targets] : passes) {
      MEDIA_TRY(renew());
      MEDIA_TRY(pass_of_planes(*decoder_, targets));
    }
    return {};
  }

  Result<void> pass_of_planes(Decoder& decoder, const std::vector<std::pair<std::uint32_t, Target>>& targets) {
    std::vector<std::uint32_t> scales;
    for (const auto& [scale, target] : targets) {
      if (std::find(scales.begin(), scales.end(), scale) == scales.end()) scales.push_back(scale);
    }
    const auto index_of = [&](std::uint32_t scale) {
      return static_cast<std::size_t>(std::find(scales.begin(), scales.end(), scale) - scales.begin());
    };
    PlaneDecoder& planes = *decoder.planes();
    MEDIA_TRY_ASSIGN(const auto grids, planes.start_planes(scales));
    const auto chroma_of = [](const Target& target) { return target.as_planes ? Chroma::half : Chroma::full; };
    std::uint64_t bytes = 0;
    for (const auto& [scale, target] : targets)
      bytes += PlaneResampler::working_bytes(grids[index_of(scale)], target.geometry, chroma_of(target));
    MEDIA_TRY(control_.check_memory(bytes, "the picture"));
    std::vector<PlaneResampler> resamplers;
    resamplers.reserve(targets.size());
    for (const auto& [scale, target] : targets) {
      resamplers.emplace_back(grids[index_of(scale)], target.geometry, chroma_of(target), reversed_by(target.orientation));
    }
    const std::uint32_t height = grids.front()[0].size.height;
    for (std::uint32_t y = 0; y < height;) {
      MEDIA_TRY(control_.check());
      report(kDecodeShare * y / height);
      MEDIA_TRY_ASSIGN(const std::span<const PlaneRows> rows, planes.read_rows());
      for (std::size_t i = 0; i < targets.size(); ++i) {
        const std::size_t at = index_of(targets[i].first);
        for (std::size_t plane = 0; plane < 3; ++plane) {
          const PlaneRows::Part& part = rows[at].planes[plane];
          const std::size_t width = grids[at][plane].size.width;
          for (std::uint32_t row = 0; row < part.count; ++row) resamplers[i].push_row(plane, {part.data + row * part.stride, width});
        }
      }
      y += rows.front().planes[0].count;
    }
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const Target& target = targets[i].second;
      if (target.as_planes) {
        MEDIA_TRY(finish(target, resamplers[i].take()));
      } else {
        MEDIA_TRY(finish(target, in_output_colours(to_rgb(resamplers[i].take()), decoder.header())));
      }
    }
    return {};
  }

  // From a picture of the right size to its outputs.

  /// `header` is asked only now, because some codecs learn of the profile while they decode.
  template <class Code>
  Raster<Code> in_output_colours(Raster<Code> picture, const Header& header) {
    const bool colour = picture.layout == Layout::rgb || picture.layout == Layout::rgba;
    if (keep_profile_ && colour && is_rgb_profile(header.profile)) {
      profile_ = header.profile;
      return picture;
    }
    return to_srgb(std::move(picture), header.profile);
  }

  template <class Picture>
  Result<void> finish(const Target& target, Picture picture) {
    picture = orient(std::move(picture), target.orientation);
    if (target.transforms.empty()) {
      describe_all(picture);
      return {};
    }
    for (const std::size_t i : target.transforms) {
      MEDIA_TRY(control_.check());
      MEDIA_TRY_ASSIGN(derived_.outputs[i], encode_edited(transforms_[i], picture));
      ++finished_;
      report(kDecodeShare + (1 - kDecodeShare) * static_cast<double>(finished_) / static_cast<double>(transforms_.size()));
    }
    return {};
  }

  void describe_all(const Image& picture) {
    derived_.placeholder = average_colour(picture);
    derived_.appearance = describe(picture, 1);
  }
  void describe_all(const Planes& picture) { describe_all(to_rgb(picture)); }
  void describe_all(const DeepImage& picture) { describe_all(narrowed(picture)); }

  template <class Code>
  Result<Encoded> encode_edited(const Transform& transform, const Raster<Code>& picture) {
    if (has_edits(transform)) return encode_flat(transform, edit(picture, in_colours(transform)));
    return encode_flat(transform, picture);
  }
  Result<Encoded> encode_edited(const Transform& transform, const Planes& picture) { return encode_one(transform, picture); }

  /// The background is given in sRGB, whatever the picture is in.
  [[nodiscard]] Transform in_colours(Transform transform) const {
    if (!profile_.empty() && transform.background) transform.background = from_srgb(*transform.background, profile_);
    return transform;
  }

  /// Alpha is there only where the format keeps it, nobody gives a colour to lay under it, and there is something to be seen through it.
  template <class Code>
  Result<Encoded> encode_flat(const Transform& transform, const Raster<Code>& picture) {
    const bool drop_alpha =
        picture.layout == Layout::rgba && (transform.background || transform.format == Format::jpeg || is_opaque(picture));
    if (!drop_alpha) return encode_one(transform, picture);
    return encode_one(transform, flatten(picture, in_colours(transform).background.value_or(Colour{})));
  }

  Result<std::vector<std::byte>> encode(const Codec& codec, const Encoding& encoding, const Image& picture) {
    return codec.encode(picture, encoding, control_);
  }
  Result<std::vector<std::byte>> encode(const Codec& codec, const Encoding& encoding, const Planes& picture) {
    return codec.encode_planes(picture, encoding, control_);
  }
  Result<std::vector<std::byte>> encode(const Codec& codec, const Encoding& encoding, const DeepImage& picture) {
    return codec.encode_deep(picture, encoding, control_);
  }

  /// What an encoded picture is compared with.
  // NOLINTNEXTLINE(bugprone-return-const-ref-from-parameter): it is given the picture of its caller, which lives longer.
  static const Image& as_image(const Image& picture) { return picture; }
  static Image as_image(const DeepImage& picture) { return narrowed(picture); }
  static Image as_image(const Planes& picture) { return to_rgb(resample(picture, {picture.size}, Chroma::full)); }

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
    const int usual = default_quality(transform.format);
    const int quality = transform.quality != 0 ? transform.quality : usual;
    const std::vector<std::byte> credit = transform.keep_copyright ? credit_block(decoder_->header().credit) : std::vector<std::byte>();
    const auto encode_at = [&](int each) {
      Encoding encoding(each);
      encoding.profile = profile_;
      encoding.exif = credit;
      return encode(*codec, encoding, picture);
    };
    Encoded encoded{transform, picture.size.width, picture.size.height, {}, 0, 0};
    // A lossless format has nothing to choose from.
    const Aim aim{usual != 0 ? transform.score / 10.0 : 0, transform.max_bytes, quality};
    if (usual != 0 && (aim.score > 0 || aim.max_bytes > 0)) {
      MEDIA_TRY(control_.check_memory(output_bytes(picture.size, is_deep(transform)) + image_bytes(picture.size, Layout::rgba) * 2,
                                      "the search for a quality"));
      const Image& reference = as_image(picture);
      const auto score_of = [&](const std::vector<std::byte>& bytes) -> Result<double> {
        MEDIA_TRY_ASSIGN(const Image again, decode_again(*codec, bytes));
        return likeness(reference, again);
      };
      MEDIA_TRY_ASSIGN(Candidate chosen, choose(aim, encode_at, score_of, control_));
      encoded.bytes = std::move(chosen.bytes);
      encoded.quality = static_cast<std::uint8_t>(chosen.quality);
      encoded.score = chosen.score;
    } else {
      MEDIA_TRY_ASSIGN(encoded.bytes, encode_at(quality));
      encoded.quality = static_cast<std::uint8_t>(quality);
    }
    MEDIA_TRY(control_.check_output(encoded.bytes.size(), aim.max_bytes, transform.format));
    return encoded;
  }

  /// Never falls, however many passes there are.
  void report(double share) {
    told_ = std::max(told_, share);
    control_.report(told_);
  }

  std::unique_ptr<Decoder> decoder_;
  OpenAgain open_again_;
  std::span<const Transform> transforms_;
  std::span<const Placement> placements_;
  bool keep_profile_;
  const Control& control_;
  std::vector<Target> targets_;
  std::vector<std::byte> profile_;  ///< What the pixels are in; empty: sRGB.
  Derived derived_;
  std::size_t finished_ = 0;
  bool began_ = false;  ///< The decoder has been used.
  double told_ = 0;
};

Result<Derived> derive_all(const OpenSource& open, std::span<const Transform> transforms, bool keep_profile, const Control& control) {
  MEDIA_TRY_ASSIGN(auto decoder, open(control));
  const auto open_again = [&] { return open(control); };
  MEDIA_TRY_ASSIGN(const auto placements, place(decoder->header(), transforms, control, open_again));
  return Derivation(std::move(decoder), open_again, transforms, placements, keep_profile, control).run();
}

using Moment = std::chrono::steady_clock::time_point;

Result<Derived> derive_stills(const OpenSource& open, std::span<const Transform> transforms, const DeriveOptions& options,
                              Decoders decoders, Moment since) {
  const auto keeps = [](const Transform& transform) { return transform.keep_profile; };
  if (std::none_of(transforms.begin(), transforms.end(), keeps)) {
    const Control control(options, decoders, since);
    return derive_all(open, transforms, false, control);
  }

  // Outputs in the source's own colours are made of another decoding: what all outputs have in common is in sRGB, and so are
  // the facts. `keep` is rare, and two pictures at a time would be twice the memory.
  std::vector<Transform> in_srgb;
  std::vector<Transform> as_coded;
  for (const Transform& transform : transforms) (keeps(transform) ? as_coded : in_srgb).push_back(transform);
  double done = 0;
  DeriveOptions in_halves = options;
  if (options.progress) in_halves.progress = [&](double share) { options.progress(done + share / 2); };
  const Control control(in_halves, decoders, since);
  MEDIA_TRY_ASSIGN(Derived derived, derive_all(open, in_srgb, false, control));
  done = 0.5;
  MEDIA_TRY_ASSIGN(Derived kept, derive_all(open, as_coded, true, control));
  std::vector<Encoded> outputs;
  auto next_in_srgb = derived.outputs.begin();
  auto next_kept = kept.outputs.begin();
  for (const Transform& transform : transforms) outputs.push_back(std::move(keeps(transform) ? *next_kept++ : *next_in_srgb++));
  derived.outputs = std::move(outputs);
  return derived;
}

/// How much of the work of a call is its stills, where it makes animations, too; as far as progress is concerned.
constexpr double kStillsShare = 0.2;

/// The same options for a part of the work.
DeriveOptions part_of(const DeriveOptions& options, double begin, double end) {
  DeriveOptions part = options;
  if (options.progress) part.progress = [&options, begin, end](double share) { options.progress(begin + (end - begin) * share); };
  return part;
}

/// Some of the transforms keep frames, and there are frames: these are made one after the other, the others from the first one.
Result<Derived> derive_both(const OpenSource& open, const Decoder& decoder, FrameReader& reader, std::span<const Transform> transforms,
                            const DeriveOptions& options, Decoders decoders, Moment since) {
  std::vector<Transform> stills;
  std::vector<Transform> animations;
  for (const Transform& transform : transforms) (keeps_frames(transform) ? animations : stills).push_back(transform);
  Derived of_stills;
  if (!stills.empty()) {
    MEDIA_TRY_ASSIGN(of_stills, derive_stills(open, stills, part_of(options, 0, kStillsShare), decoders, since));
  }
  const DeriveOptions rest = part_of(options, stills.empty() ? 0 : kStillsShare, 1);
  const Control control(rest, decoders, since);
  MEDIA_TRY_ASSIGN(const auto placements, place(decoder.header(), animations, control, [&] { return open(control); }));
  MEDIA_TRY_ASSIGN(Derived derived, derive_frames(decoder, reader, animations, placements, control));
  std::vector<Encoded> outputs;
  auto still = of_stills.outputs.begin();
  auto animation = derived.outputs.begin();
  for (const Transform& transform : transforms) outputs.push_back(std::move(*(keeps_frames(transform) ? animation++ : still++)));
  derived.outputs = std::move(outputs);
  return derived;
}

Result<Derived> derive_canonical(const OpenSource& open, std::span<const Transform> transforms, const DeriveOptions& options,
                                 Decoders decoders) {
  const Moment since = std::chrono::steady_clock::now();
  if (std::none_of(transforms.begin(), transforms.end(), keeps_frames)) return derive_stills(open, transforms, options, decoders, since);
  for (const Transform& transform : transforms) {
    if (auto codec = encoder_of(transform); !codec) return std::move(codec).error();
  }
  const Control control(options, decoders, since);
  MEDIA_TRY_ASSIGN(auto decoder, open(control));
  MEDIA_TRY_ASSIGN(const auto frames, decoder->frames());
  if (frames) return derive_both(open, *decoder, *frames, transforms, options, decoders, since);
  return derive_stills(open, transforms, options, decoders, since);
}

}  // namespace

Result<Derived> derive(const ByteReader& source, std::span<const Transform> transforms, const DeriveOptions& options, Decoders decoders) {
  for (const Transform& transform : transforms) {
    if (transform.at || transform.frames == Frames::clip || transform.frames == Frames::sheet) {
      return Error{Errc::invalid_argument, "transform: at, frames=clip and frames=sheet are of videos, and the source is a picture"};
    }
  }
  return derive([&](const Control& control) { return open_picture(source, control); }, transforms, options, decoders);
}

Result<Derived> derive(const OpenSource& open, std::span<const Transform> transforms, const DeriveOptions& options, Decoders decoders) {
  // Renditions are named by the canonical text, so nothing that it leaves out may count.
  std::vector<Transform> meant;
  for (const Transform& transform : transforms) {
    if (!edits_are_in_range(transform)) return Error{Errc::invalid_argument, "transform: a member is out of its range"};
    meant.push_back(canonical(transform));
  }
  MEDIA_TRY_ASSIGN(Derived derived, derive_canonical(open, meant, options, decoders));
  for (std::size_t i = 0; i < transforms.size(); ++i) derived.outputs[i].transform = transforms[i];
  return derived;
}

Result<MediaInfo> probe(const ByteReader& source, const DeriveOptions& options) {
  const Control control(options);
  MEDIA_TRY_ASSIGN(auto decoder, open_picture(source, control));
  return decoder->header().info;
}

}  // namespace media::image

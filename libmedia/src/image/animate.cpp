#include "image/animate.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "image/colour.hpp"
#include "image/describe.hpp"
#include "image/edit.hpp"
#include "image/orient.hpp"
#include "image/plan.hpp"
#include "image/resample.hpp"
#include "image/settings.hpp"

namespace media::image {
namespace {

/// What is shown for no longer than this, browsers show for a tenth of a second: nobody means it.
constexpr std::chrono::milliseconds kTooShort{10};
constexpr std::chrono::milliseconds kShownInstead{100};
/// Memory of one output for each of its pixels: the frame that is held back, the one that may follow, and what encoders keep of the
/// frames before and of the one they work on.
constexpr std::uint64_t kOutputBytes = 64;

/// One animation in the making.
class Output {
 public:
  Output(const Transform& transform, const Codec& codec, std::uint32_t plays, const Control& control)
      : transform_(transform), codec_(codec), plays_(plays), control_(control) {}

  Result<void> add(const Image& made, std::chrono::milliseconds shown) {
    // One layout for all frames: what alpha there is in the next ones nobody knows yet.
    Image image = has_edits(transform_) ? edit(made, transform_) : made;
    if (transform_.background) image = flatten(std::move(image), *transform_.background);
    if (!held_.data.empty() && held_.data == image.data) {
      shown_ += shown;
      return {};
    }
    if (!held_.data.empty()) MEDIA_TRY(write());
    held_ = std::move(image);
    shown_ = shown;
    return {};
  }

  [[nodiscard]] const Transform& transform() const noexcept { return transform_; }

  Result<Encoded> finish() {
    const Size size = held_.size;
    MEDIA_TRY_ASSIGN(auto bytes, take());
    MEDIA_TRY(control_.check_output(bytes.size(), transform_.max_bytes, transform_.format));
    return Encoded{transform_, size.width, size.height, std::move(bytes), static_cast<std::uint8_t>(quality()), 0};
  }

 private:
  [[nodiscard]] int quality() const noexcept { return transform_.quality != 0 ? transform_.quality : default_quality(transform_.format); }

  Result<void> write() {
    if (!writer_) {
      MEDIA_TRY_ASSIGN(writer_, codec_.animate(held_.size, quality(), plays_, control_));
    }
    return writer_->add(held_, shown_);
  }

  Result<std::vector<std::byte>> take() {
    if (!writer_) return codec_.encode(is_opaque(held_) ? flatten(std::move(held_), Colour{}) : std::move(held_), quality(), control_);
    MEDIA_TRY(write());
    return writer_->finish();
  }

  const Transform& transform_;
  const Codec& codec_;
  std::uint32_t plays_;
  const Control& control_;
  std::unique_ptr<FrameWriter> writer_;
  Image held_;  ///< Not written yet, because the next frame may look the same.
  std::chrono::milliseconds shown_{0};
};

/// One size, and who wants it. The geometry is that of the picture as it is coded.
struct Target {
  Placement placement;
  std::vector<Output*> outputs;
};

class FrameDerivation {
 public:
  FrameDerivation(const Decoder& decoder, FrameReader& reader, std::span<const Transform> transforms, std::span<const Placement> placements,
                  const Control& control)
      : decoder_(decoder), reader_(reader), control_(control) {
    outputs_.reserve(transforms.size());  // Targets point to them.
    for (const Transform& transform : transforms) outputs_.emplace_back(transform, *find_codec(transform.format), reader.plays(), control);
    for (std::size_t i = 0; i < transforms.size(); ++i) {
      const auto same =
          std::find_if(targets_.begin(), targets_.end(), [&](const Target& target) { return target.placement == placements[i]; });
      if (same == targets_.end()) {
        targets_.push_back({placements[i], {&outputs_[i]}});
      } else {
        same->outputs.push_back(&outputs_[i]);
      }
    }
  }

  Result<Derived> run() {
    MEDIA_TRY(check_budget());
    Derived derived;
    std::uint32_t count = 0;
    while (true) {
      MEDIA_TRY(control_.check());
      control_.report(std::min(1.0, static_cast<double>(count) / std::max(reader_.frames(), 1U)));
      MEDIA_TRY_ASSIGN(auto frame, reader_.next());
      if (!frame) break;
      ++count;
      // Some files have more frames than they said.
      if (!reader_.are_reduced()) MEDIA_TRY(control_.check_frames(count, decoder_.header().picture, "the animation"));
      if (count == 1) begin(*frame, derived);
      if (frame->shown <= kTooShort) frame->shown = kShownInstead;
      MEDIA_TRY(add(*frame));
    }
    if (count == 0) return Error{Errc::corrupt, "an animation without a frame"};
    derived.source = decoder_.header().info;
    derived.source.frames = count;
    for (Output& output : outputs_) {
      MEDIA_TRY_ASSIGN(auto encoded, output.finish());
      derived.outputs.push_back(std::move(encoded));
    }
    control_.report(1);
    return derived;
  }

 private:
  [[nodiscard]] Result<void> check_budget() const {
    const Size picture = decoder_.header().picture;
    if (!reader_.are_reduced()) MEDIA_TRY(control_.check_frames(reader_.frames(), picture, "the animation"));
    std::uint64_t bytes = reader_.working_bytes() + image_bytes(picture, Layout::rgba);
    std::uint64_t resampling = 0;
    for (const Target& target : targets_) {
      const Geometry& geometry = target.placement.geometry;
      for (const Output* const output : target.outputs) {
        const Size size = canvas_of(upright(geometry.size, target.placement.orientation), output->transform()).size;
        MEDIA_TRY(control_.check_pixels(size, "the output"));
        MEDIA_TRY(control_.check_frames(reader_.frames(), size, "the output"));
        bytes += size.pixels() * kOutputBytes;
      }
      resampling = std::max(resampling, Resampler::working_bytes(picture, Layout::rgba, geometry));
    }
    return control_.check_memory(bytes + resampling, "the animation");
  }

  /// What is the same for all frames: some codecs learn of the profile while they decode.
  void begin(const Frame& frame, Derived& derived) {
    in_srgb_ = is_srgb(decoder_.header().profile);
    const Image small = in_its_colours(resample(frame.image, small_geometry(frame.image.size)));
    derived.placeholder = average_colour(small);
    derived.appearance = describe(small, decoder_.header().info.orientation);
  }

  [[nodiscard]] Image in_its_colours(Image image) const {
    return in_srgb_ ? std::move(image) : to_srgb(std::move(image), decoder_.header().profile);
  }

  Result<void> add(const Frame& frame) {
    for (const Target& target : targets_) {
      const Image made = orient(in_its_colours(resample(frame.image, target.placement.geometry)), target.placement.orientation);
      for (Output* const output : target.outputs) {
        MEDIA_TRY(control_.check());
        MEDIA_TRY(output->add(made, frame.shown));
      }
    }
    return {};
  }

  const Decoder& decoder_;
  FrameReader& reader_;
  const Control& control_;
  std::vector<Output> outputs_;
  std::vector<Target> targets_;
  bool in_srgb_ = true;
};

}  // namespace

bool keeps_frames(const Transform& transform) noexcept {
  const Codec* codec = find_codec(transform.format);
  return (transform.frames == Frames::all || transform.frames == Frames::clip) && codec != nullptr && codec->animate != nullptr;
}

Result<Derived> derive_frames(const Decoder& decoder, FrameReader& reader, std::span<const Transform> transforms,
                              std::span<const Placement> placements, const Control& control) {
  return FrameDerivation(decoder, reader, transforms, placements, control).run();
}

}  // namespace media::image

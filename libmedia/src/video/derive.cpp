#include "video/derive.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "image/pipeline.hpp"
#include "image/transform_limits.hpp"
#include "video/clip.hpp"
#include "video/sheet.hpp"
#include "video/still.hpp"

namespace media::video {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class Derivation {
 public:
  Derivation(const ByteReader& source, const DeriveOptions& options, image::Decoders decoders)
      : source_(source), options_(options), decoders_(decoders), since_(steady_clock::now()) {}

  /// `meant`: canonical.
  Result<Derived> run(const std::vector<Transform>& meant) {
    std::map<std::optional<milliseconds>, std::vector<std::size_t>> stills;
    for (std::size_t i = 0; i < meant.size(); ++i) {
      if (meant[i].frames == Frames::first) stills[meant[i].at].push_back(i);
    }
    if (meant.empty()) stills[std::nullopt];
    derived_.outputs.resize(meant.size());
    total_ = std::max<std::size_t>(meant.size(), 1);
    for (const auto& [at, wanted] : stills) MEDIA_TRY(make_stills(at, wanted, meant));
    for (std::size_t i = 0; i < meant.size(); ++i) {
      if (meant[i].frames == Frames::clip) MEDIA_TRY(make_clip(i, meant[i]));
      if (meant[i].frames == Frames::sheet) MEDIA_TRY(make_sheet(i, meant[i]));
    }
    return std::move(derived_);
  }

 private:
  /// The options for `share` outputs more: what time is left, and a part of the progress.
  DeriveOptions next_part(std::size_t share) {
    DeriveOptions part = options_;
    const auto used = std::chrono::duration_cast<milliseconds>(steady_clock::now() - since_);
    part.budget.deadline = std::max(options_.budget.deadline - used, milliseconds(0));
    const double begin = static_cast<double>(done_) / static_cast<double>(total_);
    done_ += share;
    const double end = static_cast<double>(done_) / static_cast<double>(total_);
    if (options_.progress) part.progress = [this, begin, end](double done) { options_.progress(begin + (end - begin) * done); };
    return part;
  }

  Result<void> make_stills(std::optional<milliseconds> at, const std::vector<std::size_t>& wanted, const std::vector<Transform>& meant) {
    const DeriveOptions options = next_part(wanted.size());
    const image::Control control(options, decoders_);
    MEDIA_TRY_ASSIGN(const auto still, take_still(source_, at, control));
    std::vector<Transform> transforms;
    for (const std::size_t i : wanted) transforms.push_back(meant[i]);
    const auto open = [&](const image::Control& of_call) -> Result<std::unique_ptr<image::Decoder>> { return decoder_of(still, of_call); };
    MEDIA_TRY_ASSIGN(Derived made, image::derive(open, transforms, options, decoders_));
    for (std::size_t i = 0; i < wanted.size(); ++i) derived_.outputs[wanted[i]] = std::move(made.outputs[i]);
    made.source = still->info;
    describe(std::move(made));
    return {};
  }

  Result<void> make_clip(std::size_t number, const Transform& transform) {
    const auto open = [&](const image::Control& control) { return open_clip(source_, transform, control); };
    MEDIA_TRY_ASSIGN(Derived made, image::derive(open, std::span(&transform, 1), next_part(1), decoders_));
    derived_.outputs[number] = std::move(made.outputs.front());
    MEDIA_TRY_ASSIGN(made.source, container_info());
    describe(std::move(made));
    return {};
  }

  Result<void> make_sheet(std::size_t number, const Transform& transform) {
    // The box has been met by the tiles.
    Transform whole = transform;
    whole.frames = Frames::first;
    whole.width = whole.height = 0;
    const auto open = [&](const image::Control& control) { return open_sheet(source_, transform, control); };
    MEDIA_TRY_ASSIGN(Derived made, image::derive(open, std::span(&whole, 1), next_part(1), decoders_));
    derived_.outputs[number] = std::move(made.outputs.front());
    MEDIA_TRY_ASSIGN(derived_.source, container_info());
    return {};
  }

  Result<MediaInfo> container_info() {
    const DeriveOptions options = next_part(0);
    return probe(source_, options);
  }

  /// The first that comes stands for the video: stills without a moment come first.
  void describe(Derived made) {
    if (derived_.source.format != Format::unknown) return;
    derived_.source = made.source;
    derived_.placeholder = std::move(made.placeholder);
    derived_.appearance = std::move(made.appearance);
  }

  const ByteReader& source_;
  const DeriveOptions& options_;
  image::Decoders decoders_;
  steady_clock::time_point since_;
  std::size_t total_ = 1;
  std::size_t done_ = 0;
  Derived derived_;
};

}  // namespace

Result<Derived> derive(const ByteReader& source, std::span<const Transform> transforms, const DeriveOptions& options,
                       image::Decoders decoders) {
  std::vector<Transform> meant;
  for (const Transform& transform : transforms) {
    if (!image::edits_are_in_range(transform)) return Error{Errc::invalid_argument, "transform: a member is out of its range"};
    meant.push_back(canonical(transform));
    if (meant.back().frames == Frames::all) {
      return Error{Errc::invalid_argument, "transform: of a video frames takes first, clip or sheet, not all"};
    }
  }
  MEDIA_TRY_ASSIGN(Derived derived, Derivation(source, options, decoders).run(meant));
  for (std::size_t i = 0; i < transforms.size(); ++i) derived.outputs[i].transform = transforms[i];
  return derived;
}

Result<MediaInfo> probe(const ByteReader& source, const DeriveOptions& options) {
  const image::Control control(options);
  MEDIA_TRY_ASSIGN(const auto container, Container::open(source, control));
  return container->info();
}

}  // namespace media::video

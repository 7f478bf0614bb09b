// GIF out, by giflib, with palettes of our own: one a frame, and of each frame only what changes.
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <optional>
#include <string>

#include "image/gif.hpp"
#include "image/quantise.hpp"
#include "image/settings.hpp"

namespace media::image {
namespace {

constexpr std::uint32_t kMaxSide = 65'535;
/// One of the 256 is left for what is transparent.
constexpr std::size_t kMaxColours = 255;
constexpr std::uint8_t kVisible = 128;
/// Shorter ones are taken for a tenth of a second by every browser.
constexpr std::int64_t kShortestHundredths = 2;
constexpr std::int64_t kLongestHundredths = 65'535;
constexpr std::uint32_t kMostRepeats = 65'535;

struct CloseGif {
  void operator()(GifFileType* file) const { EGifCloseFile(file, nullptr); }
};
struct FreeMap {
  void operator()(ColorMapObject* map) const { GifFreeMapObject(map); }
};

/// Where the bytes go.
struct Output {
  std::vector<std::byte> bytes;
  std::uint64_t limit = 0;
  bool full = false;
};

int push(GifFileType* file, const GifByteType* from, int length) {
  auto& output = *static_cast<Output*>(file->UserData);
  const auto* bytes = reinterpret_cast<const std::byte*>(from);
  const auto count = static_cast<std::size_t>(std::max(length, 0));
  if (output.full || output.bytes.size() + count > output.limit) {
    output.full = true;
    return 0;
  }
  try {
    output.bytes.insert(output.bytes.end(), bytes, bytes + count);
  } catch (const std::bad_alloc&) {  // Nothing may be thrown through giflib.
    output.full = true;
    return 0;
  }
  return length;
}

/// Pixels are seen or not seen; what is not is all zero, so that pixels can be compared whole.
Image all_or_nothing(const Image& image) {
  Image out(image.size, Layout::rgba);
  const std::uint32_t step = channels(image.layout);
  const std::uint8_t* in = image.data.data();
  std::uint8_t* to = out.data.data();
  for (std::uint64_t left = image.size.pixels(); left > 0; --left, in += step, to += 4) {
    if (image.layout == Layout::rgba && in[3] < kVisible) continue;
    for (std::size_t c = 0; c < 3; ++c) to[c] = in[step == 1 ? 0 : c];
    to[3] = 255;
  }
  return out;
}

class GifWriter final : public FrameWriter {
 public:
  GifWriter(Size size, std::uint32_t plays, const Control& control) : size_(size), plays_(plays), control_(control) {}

  Result<void> begin() {
    if (size_.width > kMaxSide || size_.height > kMaxSide) return Error{Errc::too_large, "a GIF has at most 65535 pixels a side"};
    output_.limit = control_.budget().max_output_bytes;
    int error = 0;
    file_.reset(EGifOpen(&output_, push, &error));
    if (!file_) return failure(error);
    EGifSetGifVersion(file_.get(), true);
    MEDIA_TRY(outcome(EGifPutScreenDesc(file_.get(), static_cast<int>(size_.width), static_cast<int>(size_.height), 8, 0, nullptr)));
    if (plays_ == 1) return {};
    const std::uint32_t repeats = plays_ == 0 ? 0 : std::min(plays_ - 1, kMostRepeats);
    const std::array<std::uint8_t, 3> loop{1, static_cast<std::uint8_t>(repeats), static_cast<std::uint8_t>(repeats >> 8U)};
    MEDIA_TRY(outcome(EGifPutExtensionLeader(file_.get(), APPLICATION_EXT_FUNC_CODE)));
    MEDIA_TRY(outcome(EGifPutExtensionBlock(file_.get(), 11, "NETSCAPE2.0")));
    MEDIA_TRY(outcome(EGifPutExtensionBlock(file_.get(), static_cast<int>(loop.size()), loop.data())));
    return outcome(EGifPutExtensionTrailer(file_.get()));
  }

  Result<void> add(const Image& image, std::chrono::milliseconds shown) override {
    MEDIA_TRY(control_.check());
    Image canvas = all_or_nothing(image);
    bool clears = false;
    std::vector<std::uint8_t> changed = changes(canvas, clears);
    const bool any = std::find(changed.begin(), changed.end(), 1) != changed.end();
    if (pending_ && !any && !clears) {
      pending_->shown += shown;
      return {};
    }
    if (clears) {
      // Nothing can be made transparent but by clearing away the frame before, which has to be as big as the canvas then.
      for (std::size_t i = 0; i < changed.size(); ++i) changed[i] = canvas.data[i * 4 + 3] != 0 ? 1 : 0;
    }
    if (pending_) MEDIA_TRY(write(*pending_, clears));
    pending_ = Pending{quantise(canvas, changed, kMaxColours), shown};
    canvas_ = std::move(canvas);
    return {};
  }

  Result<std::vector<std::byte>> finish() override {
    if (!pending_) return Error{Errc::internal, "encode GIF: no frame"};
    MEDIA_TRY(write(*pending_, false));
    int error = 0;
    if (EGifCloseFile(file_.release(), &error) == GIF_ERROR) return failure(error);
    return std::move(output_.bytes);
  }

  /// A picture that does not move needs no time.
  void stays() noexcept { still_ = true; }

 private:
  struct Pending {
    Indexed pixels;
    std::chrono::milliseconds shown;
  };

  [[nodiscard]] Error failure(int code) const {
    if (output_.full) {
      return {Errc::too_large, "the gif has more than " + std::to_string(output_.limit) + " bytes"};
    }
    const char* text = GifErrorString(code);
    return {Errc::internal, "encode GIF: " + std::string(text != nullptr ? text : "unknown")};
  }
  [[nodiscard]] Result<void> outcome(int code) const {
    if (code == GIF_OK) return {};
    return failure(file_->Error);
  }

  /// 1 for each pixel that has to be drawn over what is there; `clears` where one is to be seen no more.
  std::vector<std::uint8_t> changes(const Image& canvas, bool& clears) const {
    std::vector<std::uint8_t> changed(canvas.size.pixels());
    for (std::size_t i = 0; i < changed.size(); ++i) {
      const std::uint8_t* now = canvas.data.data() + i * 4;
      if (!pending_) {
        changed[i] = now[3] != 0 ? 1 : 0;
        continue;
      }
      const std::uint8_t* before = canvas_.data.data() + i * 4;
      if (std::memcmp(now, before, 4) == 0) continue;
      if (now[3] == 0) {
        clears = true;
      } else {
        changed[i] = 1;
      }
    }
    return changed;
  }

  struct Area {
    std::uint32_t left = 0;
    std::uint32_t top = 0;
    std::uint32_t width = 0;
    std::uint32_t height = 0;
  };

  /// The smallest one that has all that is drawn.
  [[nodiscard]] Area drawn(const Indexed& pixels) const {
    std::uint32_t left = size_.width;
    std::uint32_t right = 0;
    std::uint32_t top = size_.height;
    std::uint32_t bottom = 0;
    for (std::uint32_t y = 0; y < size_.height; ++y) {
      for (std::uint32_t x = 0; x < size_.width; ++x) {
        if (pixels.indices[std::size_t{y} * size_.width + x] == pixels.palette.size()) continue;
        left = std::min(left, x);
        right = std::max(right, x + 1);
        top = std::min(top, y);
        bottom = y + 1;
      }
    }
    if (right == 0) return {0, 0, 1, 1};
    return {left, top, right - left, bottom - top};
  }

  /// What is owed by rounding is made up for by later frames, so that the whole takes as long as it should.
  int hundredths(std::chrono::milliseconds shown) {
    total_ms_ += shown.count();
    const std::int64_t delay = std::clamp((total_ms_ + 5) / 10 - written_, kShortestHundredths, kLongestHundredths);
    written_ += delay;
    return static_cast<int>(delay);
  }

  Result<void> write(Pending& frame, bool clear_after) {
    const Indexed& pixels = frame.pixels;
    const bool whole = clear_after || first_;
    const Area area = whole ? Area{0, 0, size_.width, size_.height} : drawn(pixels);
    const auto see_through = static_cast<std::uint8_t>(pixels.palette.size());
    const bool transparent = std::find(pixels.indices.begin(), pixels.indices.end(), see_through) != pixels.indices.end();
    if (!still_ || transparent) {
      GraphicsControlBlock control{};
      control.DisposalMode = still_ ? DISPOSAL_UNSPECIFIED : clear_after ? DISPOSE_BACKGROUND : DISPOSE_DO_NOT;
      control.DelayTime = still_ ? 0 : hundredths(frame.shown);
      control.TransparentColor = transparent ? see_through : NO_TRANSPARENT_COLOR;
      std::array<GifByteType, 4> bytes{};
      EGifGCBToExtension(&control, bytes.data());
      MEDIA_TRY(outcome(EGifPutExtension(file_.get(), GRAPHICS_EXT_FUNC_CODE, static_cast<int>(bytes.size()), bytes.data())));
    }
    std::array<GifColorType, 256> colours{};
    for (std::size_t i = 0; i < pixels.palette.size(); ++i) colours[i] = {pixels.palette[i][0], pixels.palette[i][1], pixels.palette[i][2]};
    const int bits = std::max(GifBitSize(static_cast<int>(pixels.palette.size()) + 1), 1);
    const std::unique_ptr<ColorMapObject, FreeMap> map(GifMakeMapObject(1 << bits, colours.data()));
    if (!map) return Error{Errc::too_large, "encode GIF: no memory"};
    MEDIA_TRY(outcome(EGifPutImageDesc(file_.get(), static_cast<int>(area.left), static_cast<int>(area.top), static_cast<int>(area.width),
                                       static_cast<int>(area.height), false, map.get())));
    std::vector<GifPixelType> line(area.width);  // giflib writes into it.
    for (std::uint32_t y = area.top; y < area.top + area.height; ++y) {
      std::memcpy(line.data(), pixels.indices.data() + std::size_t{y} * size_.width + area.left, line.size());
      MEDIA_TRY(outcome(EGifPutLine(file_.get(), line.data(), static_cast<int>(line.size()))));
    }
    first_ = false;
    return {};
  }

  Size size_;
  std::uint32_t plays_;
  const Control& control_;
  Output output_;
  std::unique_ptr<GifFileType, CloseGif> file_;  // After the Output, which it writes to.
  Image canvas_;                                 ///< What is seen when the pending frame has been drawn.
  std::optional<Pending> pending_;               ///< How it is cleared away the next one decides.
  bool first_ = true;
  bool still_ = false;
  std::int64_t total_ms_ = 0;
  std::int64_t written_ = 0;  ///< Hundredths of a second.
};

}  // namespace

Result<std::vector<std::byte>> encode_gif(const Image& image, const Encoding&, const Control& control) {
  GifWriter writer(image.size, 1, control);
  MEDIA_TRY(writer.begin());
  writer.stays();
  MEDIA_TRY(writer.add(image, std::chrono::milliseconds(0)));
  return writer.finish();
}

Result<std::unique_ptr<FrameWriter>> write_gif_frames(Size size, int, std::uint32_t plays, const Control& control) {
  auto writer = std::make_unique<GifWriter>(size, plays, control);
  MEDIA_TRY(writer->begin());
  return std::unique_ptr<FrameWriter>(std::move(writer));
}

std::string gif_version() {
  return "giflib-" + std::to_string(GIFLIB_MAJOR) + "." + std::to_string(GIFLIB_MINOR) + "." + std::to_string(GIFLIB_RELEASE) + "/" +
         std::to_string(gif_settings::kRevision);
}

}  // namespace media::image

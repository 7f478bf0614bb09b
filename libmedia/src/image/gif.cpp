// GIF in, by giflib: the first frame, on the canvas that the file asks for.
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <string>

#include "image/format.hpp"
#include "image/input.hpp"

namespace media::image {
namespace {

constexpr std::uint32_t kRowsBetweenChecks = 64;
/// Frames beyond this are not counted: it is a fact for people, and the walk over the file costs time.
constexpr std::uint32_t kMaxCountedFrames = 100'000;

struct CloseGif {
  void operator()(GifFileType* file) const { DGifCloseFile(file, nullptr); }
};

int pull(GifFileType* file, GifByteType* into, int length) {
  auto& input = *static_cast<Input*>(file->UserData);
  return static_cast<int>(input.read({reinterpret_cast<std::byte*>(into), static_cast<std::size_t>(std::max(length, 0))}));
}

class GifDecoder final : public WholeDecoder {
 public:
  GifDecoder(const ByteReader& source, const Control& control) : input_(source), control_(control) {}

  Result<void> open() {
    int error = 0;
    file_.reset(DGifOpen(&input_, pull, &error));
    if (!file_) return failure(error);
    MEDIA_TRY(find_first_frame());
    header_.info.format = Format::gif;
    // Some files give a canvas of no size, and mean the size of their frame.
    canvas_ = {static_cast<std::uint32_t>(file_->SWidth), static_cast<std::uint32_t>(file_->SHeight)};
    const GifImageDesc& frame = file_->Image;
    if (canvas_.width == 0 || canvas_.height == 0) {
      canvas_ = {static_cast<std::uint32_t>(frame.Left + frame.Width), static_cast<std::uint32_t>(frame.Top + frame.Height)};
    }
    if (canvas_.width == 0 || canvas_.height == 0) return Error{Errc::corrupt, "GIF: a picture without a size"};
    header_.info.width = canvas_.width;
    header_.info.height = canvas_.height;
    header_.picture = canvas_;
    const bool covers = frame.Left == 0 && frame.Top == 0 && static_cast<std::uint32_t>(frame.Width) >= canvas_.width &&
                        static_cast<std::uint32_t>(frame.Height) >= canvas_.height;
    header_.info.has_alpha = transparent_ >= 0 || !covers;
    return control_.check_pixels(canvas_, "the GIF");
  }

  Result<Rows> start(Size) override {
    const GifImageDesc frame = file_->Image;
    const ColorMapObject* colours = frame.ColorMap != nullptr ? frame.ColorMap : file_->SColorMap;
    if (colours == nullptr) return Error{Errc::corrupt, "GIF: a frame without colours"};
    const Layout layout = header_.info.has_alpha ? Layout::rgba : Layout::rgb;
    MEDIA_TRY(
        control_.check_pixels({static_cast<std::uint32_t>(frame.Width), static_cast<std::uint32_t>(frame.Height)}, "the GIF's frame"));
    MEDIA_TRY(control_.check_memory(image_bytes(canvas_, layout), "the GIF"));
    image_ = Image(canvas_, layout);
    std::vector<GifPixelType> line(static_cast<std::size_t>(frame.Width));
    std::uint32_t rows = 0;
    const auto pass = [&](int first, int step) -> Result<void> {
      for (int y = first; y < frame.Height; y += step) {
        if (rows++ % kRowsBetweenChecks == 0) MEDIA_TRY(control_.check());
        if (DGifGetLine(file_.get(), line.data(), frame.Width) == GIF_ERROR) return failure(file_->Error);
        paint(line, frame.Left, frame.Top + y, *colours);
      }
      return {};
    };
    if (frame.Width > 0 && !frame.Interlace) MEDIA_TRY(pass(0, 1));
    if (frame.Width > 0 && frame.Interlace) {
      constexpr std::array<std::array<int, 2>, 4> kPasses{{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
      for (const auto& [first, step] : kPasses) MEDIA_TRY(pass(first, step));
    }
    MEDIA_TRY(count_further_frames());
    return Rows{canvas_, layout};
  }

 private:
  [[nodiscard]] Error failure(int code) const {
    if (input_.error()) return *input_.error();
    const char* text = GifErrorString(code);
    const std::string message = "GIF: " + std::string(text != nullptr ? text : "damaged");
    return {code == D_GIF_ERR_NOT_ENOUGH_MEM ? Errc::too_large : Errc::corrupt, message};
  }

  Result<void> find_first_frame() {
    while (true) {
      GifRecordType record = UNDEFINED_RECORD_TYPE;
      if (DGifGetRecordType(file_.get(), &record) == GIF_ERROR) return failure(file_->Error);
      if (record == TERMINATE_RECORD_TYPE) return Error{Errc::corrupt, "GIF: no frame in it"};
      if (record == IMAGE_DESC_RECORD_TYPE) {
        if (DGifGetImageDesc(file_.get()) == GIF_ERROR) return failure(file_->Error);
        return {};
      }
      if (record == EXTENSION_RECORD_TYPE) MEDIA_TRY(read_extension());
    }
  }

  Result<void> read_extension() {
    int kind = 0;
    GifByteType* block = nullptr;
    if (DGifGetExtension(file_.get(), &kind, &block) == GIF_ERROR) return failure(file_->Error);
    while (block != nullptr) {
      GraphicsControlBlock control{};
      if (kind == GRAPHICS_EXT_FUNC_CODE && DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK)
        transparent_ = control.TransparentColor;
      MEDIA_TRY(control_.check());
      if (DGifGetExtensionNext(file_.get(), &block) == GIF_ERROR) return failure(file_->Error);
    }
    return {};
  }

  void paint(std::span<const GifPixelType> line, int left, int y, const ColorMapObject& colours) {
    if (y < 0 || static_cast<std::uint32_t>(y) >= canvas_.height) return;
    const std::uint32_t step = channels(image_.layout);
    const auto row = image_.row(static_cast<std::uint32_t>(y));
    for (std::size_t i = 0; i < line.size(); ++i) {
      const std::size_t x = static_cast<std::size_t>(left) + i;
      if (x >= canvas_.width) return;
      const int index = line[i];
      if (index == transparent_) continue;
      std::uint8_t* pixel = row.data() + x * step;
      if (index < colours.ColorCount) {
        const GifColorType& colour = colours.Colors[index];
        pixel[0] = colour.Red;
        pixel[1] = colour.Green;
        pixel[2] = colour.Blue;
      }
      if (step == 4) pixel[3] = 255;
    }
  }

  /// That the file ends too early after a whole frame takes nothing from it (viewers show such files too); that it goes on
  /// with something that is no GIF does.
  Result<void> count_further_frames() {
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    while (header_.info.frames < kMaxCountedFrames && !control_.must_stop()) {
      GifByteType* block = nullptr;
      int code = 0;
      if (DGifGetRecordType(file_.get(), &record) == GIF_ERROR) {
        return file_->Error == D_GIF_ERR_WRONG_RECORD ? failure(file_->Error) : Result<void>();
      }
      if (record == TERMINATE_RECORD_TYPE) return {};
      if (record == IMAGE_DESC_RECORD_TYPE) {
        // The header alone: DGifGetImageDesc would keep a record of every frame.
        if (DGifGetImageHeader(file_.get()) == GIF_ERROR || DGifGetCode(file_.get(), &code, &block) == GIF_ERROR) return {};
        while (block != nullptr && DGifGetCodeNext(file_.get(), &block) == GIF_OK) {
        }
        if (block == nullptr) ++header_.info.frames;
      } else if (record == EXTENSION_RECORD_TYPE) {
        if (DGifGetExtension(file_.get(), &code, &block) == GIF_ERROR) return {};
        while (block != nullptr && DGifGetExtensionNext(file_.get(), &block) == GIF_OK) {
        }
      }
      if (block != nullptr) return {};  // The sub-blocks end before their end mark.
    }
    return {};
  }

  Input input_;
  const Control& control_;
  std::unique_ptr<GifFileType, CloseGif> file_;
  Size canvas_;
  int transparent_ = NO_TRANSPARENT_COLOR;
};

bool sniffs(std::span<const std::byte> head) { return has_bytes(head, 0, "GIF87a") || has_bytes(head, 0, "GIF89a"); }

Result<std::unique_ptr<Decoder>> open(const ByteReader& source, const Control& control) {
  auto decoder = std::make_unique<GifDecoder>(source, control);
  MEDIA_TRY(decoder->open());
  return std::unique_ptr<Decoder>(std::move(decoder));
}

}  // namespace

const Codec kGif{Format::gif, sniffs, open, nullptr, nullptr, nullptr};

}  // namespace media::image

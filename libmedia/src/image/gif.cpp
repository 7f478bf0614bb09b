// GIF in, by giflib: the first frame, or all of them, on the canvas that the file asks for.
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "image/format.hpp"
#include "image/gif.hpp"
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

Error gif_failure(const Input& input, int code) {
  if (input.error()) return *input.error();
  const char* text = GifErrorString(code);
  const std::string message = "GIF: " + std::string(text != nullptr ? text : "damaged");
  return {code == D_GIF_ERR_NOT_ENOUGH_MEM ? Errc::too_large : Errc::corrupt, message};
}

/// The extensions before a frame.
struct FrameNotes {
  GraphicsControlBlock control{DISPOSAL_UNSPECIFIED, false, 0, NO_TRANSPARENT_COLOR};
  std::optional<std::uint32_t> repeats;  ///< Of the whole animation, as Netscape's block has them; 0: for ever.
};

/// One extension with its blocks.
Result<void> read_extension(GifFileType* file, const Input& input, const Control& control, FrameNotes& notes) {
  int kind = 0;
  GifByteType* block = nullptr;
  if (DGifGetExtension(file, &kind, &block) == GIF_ERROR) return gif_failure(input, file->Error);
  bool loops = false;
  for (bool first = true; block != nullptr; first = false) {
    // A block begins with its length.
    const std::string_view text(reinterpret_cast<const char*>(block + 1), block[0]);
    if (kind == GRAPHICS_EXT_FUNC_CODE) DGifExtensionToGCB(block[0], block + 1, &notes.control);
    if (kind == APPLICATION_EXT_FUNC_CODE && first) loops = text == "NETSCAPE2.0" || text == "ANIMEXTS1.0";
    if (loops && !first && block[0] >= 3 && block[1] == 1) notes.repeats = static_cast<std::uint32_t>(block[2] | block[3] << 8);
    MEDIA_TRY(control.check());
    if (DGifGetExtensionNext(file, &block) == GIF_ERROR) return gif_failure(input, file->Error);
  }
  return {};
}

/// The rows of an interlaced frame come in four passes.
struct Pass {
  int first;
  int step;
};
std::span<const Pass> passes(bool interlaced) {
  static constexpr std::array<Pass, 1> kPlain{{{0, 1}}};
  static constexpr std::array<Pass, 4> kInterlaced{{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
  return interlaced ? std::span<const Pass>(kInterlaced) : std::span<const Pass>(kPlain);
}

void paint(Image& canvas, std::span<const GifPixelType> line, int left, int y, int transparent, const ColorMapObject& colours) {
  if (y < 0 || static_cast<std::uint32_t>(y) >= canvas.size.height) return;
  const std::uint32_t step = channels(canvas.layout);
  const auto row = canvas.row(static_cast<std::uint32_t>(y));
  for (std::size_t i = 0; i < line.size(); ++i) {
    const std::size_t x = static_cast<std::size_t>(left) + i;
    if (x >= canvas.size.width) return;
    const int index = line[i];
    if (index == transparent) continue;
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

/// Decodes the frame whose header has been read onto a canvas.
Result<void> paint_frame(GifFileType* file, const Input& input, const Control& control, int transparent, Image& canvas) {
  const GifImageDesc frame = file->Image;
  const ColorMapObject* colours = frame.ColorMap != nullptr ? frame.ColorMap : file->SColorMap;
  if (colours == nullptr) return Error{Errc::corrupt, "GIF: a frame without colours"};
  MEDIA_TRY(control.check_pixels({static_cast<std::uint32_t>(frame.Width), static_cast<std::uint32_t>(frame.Height)}, "the GIF's frame"));
  std::vector<GifPixelType> line(static_cast<std::size_t>(frame.Width));
  std::uint32_t rows = 0;
  if (frame.Width == 0) return {};
  for (const Pass& pass : passes(frame.Interlace)) {
    for (int y = pass.first; y < frame.Height; y += pass.step) {
      if (rows++ % kRowsBetweenChecks == 0) MEDIA_TRY(control.check());
      if (DGifGetLine(file, line.data(), frame.Width) == GIF_ERROR) return gif_failure(input, file->Error);
      paint(canvas, line, frame.Left, frame.Top + y, transparent, *colours);
    }
  }
  return {};
}

/// Passes over the data of a frame whose header has been read.
bool skip_frame(GifFileType* file) {
  GifByteType* block = nullptr;
  int code = 0;
  if (DGifGetCode(file, &code, &block) == GIF_ERROR) return false;
  while (block != nullptr) {
    if (DGifGetCodeNext(file, &block) == GIF_ERROR) return false;
  }
  return true;
}

bool covers(const GifImageDesc& frame, Size canvas) {
  return frame.Left == 0 && frame.Top == 0 && static_cast<std::uint32_t>(frame.Width) >= canvas.width &&
         static_cast<std::uint32_t>(frame.Height) >= canvas.height;
}

/// All frames. A file that ends too early has the frames that are whole; one that is damaged is refused, as its first frame alone would be.
class GifFrames final : public FrameReader {
 public:
  GifFrames(const ByteReader& source, const Control& control, Size canvas) : source_(source), control_(control), size_(canvas) {}

  /// Walks over the file without decoding: how many frames there are, and whether anything can be seen through them.
  Result<void> survey() {
    MEDIA_TRY(begin());
    frames_ = 0;
    plays_ = 1;
    bool opaque = true;
    while (frames_ <= control_.budget().max_frames) {
      FrameNotes notes;
      MEDIA_TRY_ASSIGN(const bool more, find_frame(notes));
      // Where the block is missing, the animation is played once; its number counts what follows the first time.
      if (notes.repeats) plays_ = *notes.repeats == 0 ? 0 : *notes.repeats + 1;
      if (!more) break;
      const int disposal = notes.control.DisposalMode;
      if (frames_ == 0 && (!covers(file_->Image, size_) || notes.control.TransparentColor >= 0 || disposal == DISPOSE_PREVIOUS))
        opaque = false;
      if (disposal == DISPOSE_BACKGROUND) opaque = false;
      if (!skip_frame(file_.get())) break;
      ++frames_;
    }
    layout_ = opaque ? Layout::rgb : Layout::rgba;
    return begin();
  }

  /// The canvas, a copy to go back to, and what is handed out.
  [[nodiscard]] std::uint64_t working_bytes() const noexcept override { return image_bytes(size_, Layout::rgba) * 3; }

  Result<std::optional<Frame>> next() override {
    if (canvas_.data.empty()) canvas_ = Image(size_, layout_);
    dispose();
    FrameNotes notes;
    MEDIA_TRY_ASSIGN(const bool more, find_frame(notes));
    if (!more) return std::optional<Frame>();
    if (notes.control.DisposalMode == DISPOSE_PREVIOUS) saved_ = canvas_;
    const auto painted = paint_frame(file_.get(), *input_, control_, notes.control.TransparentColor, canvas_);
    if (!painted) {
      if (read_ > 0 && has_ended()) return std::optional<Frame>();
      return painted.error();
    }
    ++read_;
    disposal_ = notes.control.DisposalMode;
    area_ = file_->Image;
    return std::optional<Frame>(Frame{canvas_, std::chrono::milliseconds(notes.control.DelayTime * 10)});
  }

 private:
  Result<void> begin() {
    file_.reset();
    input_.emplace(source_);
    int error = 0;
    file_.reset(DGifOpen(&*input_, pull, &error));
    if (!file_) return gif_failure(*input_, error);
    return {};
  }

  [[nodiscard]] bool has_ended() const { return !input_->error() && input_->position() >= source_.size(); }

  /// Reads up to the header of the next frame; false at the end.
  Result<bool> find_frame(FrameNotes& notes) {
    while (true) {
      MEDIA_TRY(control_.check());
      GifRecordType record = UNDEFINED_RECORD_TYPE;
      if (DGifGetRecordType(file_.get(), &record) == GIF_ERROR) {
        if (file_->Error != D_GIF_ERR_WRONG_RECORD && has_ended()) return false;
        return gif_failure(*input_, file_->Error);
      }
      if (record == TERMINATE_RECORD_TYPE) return false;
      if (record == IMAGE_DESC_RECORD_TYPE) {
        // The header alone: DGifGetImageDesc would keep a record of every frame.
        if (DGifGetImageHeader(file_.get()) == GIF_OK) return true;
        if (has_ended()) return false;
        return gif_failure(*input_, file_->Error);
      }
      if (record != EXTENSION_RECORD_TYPE) continue;
      if (auto read = read_extension(file_.get(), *input_, control_, notes); !read) {
        if (has_ended()) return false;
        return std::move(read).error();
      }
    }
  }

  /// Clears away the frame before, as that one asks.
  void dispose() {
    if (disposal_ == DISPOSE_PREVIOUS) canvas_ = std::move(saved_);
    if (disposal_ == DISPOSE_BACKGROUND) {
      // To nothing, whatever background colour the file names: so browsers do.
      const std::size_t left = std::min<std::size_t>(static_cast<std::size_t>(area_.Left), size_.width);
      const std::size_t width = std::min<std::size_t>(static_cast<std::size_t>(area_.Width), size_.width - left);
      const std::uint32_t step = channels(layout_);
      for (int i = 0; i < area_.Height; ++i) {
        const auto y = static_cast<std::uint32_t>(area_.Top + i);
        if (y >= size_.height) break;
        const auto part = canvas_.row(y).subspan(left * step, width * step);
        std::fill(part.begin(), part.end(), std::uint8_t{0});
      }
    }
    disposal_ = DISPOSAL_UNSPECIFIED;
  }

  const ByteReader& source_;
  const Control& control_;
  Size size_;
  Layout layout_ = Layout::rgba;
  std::optional<Input> input_;
  std::unique_ptr<GifFileType, CloseGif> file_;  // After the Input, which it reads from.
  Image canvas_;
  Image saved_;
  std::uint32_t read_ = 0;
  int disposal_ = DISPOSAL_UNSPECIFIED;
  GifImageDesc area_{};
};

class GifDecoder final : public WholeDecoder {
 public:
  GifDecoder(const ByteReader& source, const Control& control) : source_(source), input_(source), control_(control) {}

  Result<void> open() {
    int error = 0;
    file_.reset(DGifOpen(&input_, pull, &error));
    if (!file_) return gif_failure(input_, error);
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
    header_.info.has_alpha = notes_.control.TransparentColor >= 0 || !covers(frame, canvas_);
    return control_.check_pixels(canvas_, "the GIF");
  }

  Result<Rows> start(Size) override {
    const Layout layout = header_.info.has_alpha ? Layout::rgba : Layout::rgb;
    MEDIA_TRY(control_.check_memory(image_bytes(canvas_, layout), "the GIF"));
    image_ = Image(canvas_, layout);
    MEDIA_TRY(paint_frame(file_.get(), input_, control_, notes_.control.TransparentColor, image_));
    MEDIA_TRY(count_further_frames());
    return Rows{canvas_, layout};
  }

  Result<std::unique_ptr<FrameReader>> frames() override {
    auto frames = std::make_unique<GifFrames>(source_, control_, canvas_);
    MEDIA_TRY(frames->survey());
    if (frames->frames() <= 1) return std::unique_ptr<FrameReader>();
    return std::unique_ptr<FrameReader>(std::move(frames));
  }

 private:
  Result<void> find_first_frame() {
    while (true) {
      GifRecordType record = UNDEFINED_RECORD_TYPE;
      if (DGifGetRecordType(file_.get(), &record) == GIF_ERROR) return gif_failure(input_, file_->Error);
      if (record == TERMINATE_RECORD_TYPE) return Error{Errc::corrupt, "GIF: no frame in it"};
      if (record == IMAGE_DESC_RECORD_TYPE) {
        if (DGifGetImageDesc(file_.get()) == GIF_ERROR) return gif_failure(input_, file_->Error);
        return {};
      }
      if (record == EXTENSION_RECORD_TYPE) MEDIA_TRY(read_extension(file_.get(), input_, control_, notes_));
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
        return file_->Error == D_GIF_ERR_WRONG_RECORD ? gif_failure(input_, file_->Error) : Result<void>();
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

  const ByteReader& source_;
  Input input_;
  const Control& control_;
  std::unique_ptr<GifFileType, CloseGif> file_;
  Size canvas_;
  FrameNotes notes_;
};

bool sniffs(std::span<const std::byte> head) { return has_bytes(head, 0, "GIF87a") || has_bytes(head, 0, "GIF89a"); }

Result<std::unique_ptr<Decoder>> open(const ByteReader& source, const Control& control) {
  auto decoder = std::make_unique<GifDecoder>(source, control);
  MEDIA_TRY(decoder->open());
  return std::unique_ptr<Decoder>(std::move(decoder));
}

}  // namespace

const Codec kGif{Format::gif, sniffs, open, encode_gif, nullptr, gif_version, write_gif_frames};

}  // namespace media::image

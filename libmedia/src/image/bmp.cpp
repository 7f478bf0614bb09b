// BMP in, by stb_image.
#include <climits>
#include <cstring>
#include <string>

#include "image/format.hpp"

#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_NO_SIMD
#define STBI_MAX_DIMENSIONS 65535
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace media::image {
namespace {

struct FreePixels {
  void operator()(stbi_uc* pixels) const { stbi_image_free(pixels); }
};

class BmpDecoder final : public WholeDecoder {
 public:
  BmpDecoder(std::vector<std::byte> bytes, const Control& control) : bytes_(std::move(bytes)), control_(control) {}

  Result<void> open() {
    int width = 0;
    int height = 0;
    int parts = 0;
    if (bytes_.size() > INT_MAX || stbi_info_from_memory(data(), size(), &width, &height, &parts) == 0) return failure();
    if (width <= 0 || height <= 0) return Error{Errc::corrupt, "BMP: a picture without a size"};
    header_.info.format = Format::bmp;
    header_.info.width = static_cast<std::uint32_t>(width);
    header_.info.height = static_cast<std::uint32_t>(height);
    header_.info.has_alpha = parts == 4;
    header_.picture = {header_.info.width, header_.info.height};
    MEDIA_TRY(control_.check_pixels(header_.picture, "the BMP"));
    return check_length();
  }

  Result<Rows> start(Size) override {
    const Layout layout = header_.info.has_alpha ? Layout::rgba : Layout::rgb;
    MEDIA_TRY(control_.check_memory(bytes_.size() + 2 * image_bytes(header_.picture, layout), "the BMP"));
    MEDIA_TRY(control_.check());
    int width = 0;
    int height = 0;
    int parts = 0;
    const std::unique_ptr<stbi_uc, FreePixels> pixels(
        stbi_load_from_memory(data(), size(), &width, &height, &parts, static_cast<int>(channels(layout))));
    if (!pixels) return failure();
    if (Size{static_cast<std::uint32_t>(width), static_cast<std::uint32_t>(height)} != header_.picture) {
      return Error{Errc::corrupt, "BMP: its two sizes differ"};
    }
    image_ = Image(header_.picture, layout);
    std::memcpy(image_.data.data(), pixels.get(), image_.data.size());
    return Rows{image_.size, layout};
  }

 private:
  [[nodiscard]] const stbi_uc* data() const { return reinterpret_cast<const stbi_uc*>(bytes_.data()); }
  [[nodiscard]] int size() const { return static_cast<int>(bytes_.size()); }
  [[nodiscard]] std::uint32_t number(std::size_t at, std::size_t width) const {
    std::uint32_t value = 0;
    for (std::size_t i = width; i > 0; --i)
      value = value << 8U | static_cast<std::uint32_t>(at + i <= bytes_.size() ? bytes_[at + i - 1] : std::byte{0});
    return value;
  }

  /// stb_image reads zeros past the end of a file, so the end has to be looked for before. What it reads is never
  /// compressed, hence its length is known.
  [[nodiscard]] Result<void> check_length() const {
    constexpr std::size_t kCoreHeader = 12;
    const std::uint64_t offset = number(10, 4);
    const std::uint64_t bits = number(number(14, 4) == kCoreHeader ? 24 : 28, 2);
    const std::uint64_t line = (header_.info.width * bits + 31) / 32 * 4;
    if (offset > bytes_.size() || bytes_.size() - offset < line * header_.info.height - std::min<std::uint64_t>(line, 3)) {
      return Error{Errc::corrupt, "BMP: the file ends before the picture does"};
    }
    return {};
  }

  static Error failure() {
    const char* why = stbi_failure_reason();
    const std::string_view reason = why != nullptr ? why : "damaged";
    const bool lacks = reason.find("RLE") != std::string_view::npos || reason.find("unknown") != std::string_view::npos;
    return {lacks ? Errc::unsupported : Errc::corrupt, "BMP: " + std::string(reason)};
  }

  std::vector<std::byte> bytes_;
  const Control& control_;
};

bool sniffs(std::span<const std::byte> head) { return has_bytes(head, 0, "BM") && head.size() >= 26; }

Result<std::unique_ptr<Decoder>> open(const ByteReader& source, const Control& control) {
  MEDIA_TRY(control.check_memory(source.size(), "the BMP file"));
  MEDIA_TRY_ASSIGN(auto bytes, read_all(source, control.budget().max_source_bytes));
  auto decoder = std::make_unique<BmpDecoder>(std::move(bytes), control);
  MEDIA_TRY(decoder->open());
  return std::unique_ptr<Decoder>(std::move(decoder));
}

}  // namespace

const Codec kBmp{Format::bmp, sniffs, open, nullptr, nullptr, nullptr};

}  // namespace media::image

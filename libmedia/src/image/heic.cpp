// HEIC in, by libheif. It turns and crops the picture itself.
#include <libheif/heif.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "image/format.hpp"

namespace media::image {
namespace {

constexpr int kMaxSide = 16384;
/// What stands before the EXIF block in its item (ISO 23008-12, A.2.1): how far on its TIFF header is, which is 0 or the six bytes of
/// "Exif\0\0".
constexpr std::size_t kExifOffsetBytes = 4;
constexpr std::size_t kMaxExifBytes = std::size_t{1} << 20U;

struct FreeContext {
  void operator()(heif_context* context) const { heif_context_free(context); }
};
struct ReleaseHandle {
  void operator()(heif_image_handle* handle) const { heif_image_handle_release(handle); }
};
struct ReleaseImage {
  void operator()(heif_image* image) const { heif_image_release(image); }
};
struct FreeOptions {
  void operator()(heif_decoding_options* options) const { heif_decoding_options_free(options); }
};

Result<void> outcome(const heif_error& error) {
  if (error.code == heif_error_Ok) return {};
  const std::string text = "HEIC: " + std::string(error.message);
  switch (error.code) {
    case heif_error_Memory_allocation_error:
      return Error{Errc::too_large, text};
    case heif_error_Unsupported_feature:
    case heif_error_Unsupported_filetype:
      return Error{Errc::unsupported, text};
    default:
      return Error{Errc::corrupt, text};
  }
}

class HeicDecoder final : public WholeDecoder {
 public:
  HeicDecoder(std::vector<std::byte> bytes, const Control& control)
      : bytes_(std::move(bytes)), control_(control), context_(heif_context_alloc()) {}

  Result<void> open() {
    if (!context_) return Error{Errc::too_large, "HEIC: no memory for the decoder"};
    heif_context_set_maximum_image_size_limit(context_.get(), kMaxSide);
    heif_context_set_max_decoding_threads(context_.get(), 0);
    MEDIA_TRY(outcome(heif_context_read_from_memory_without_copy(context_.get(), bytes_.data(), bytes_.size(), nullptr)));
    heif_image_handle* handle = nullptr;
    MEDIA_TRY(outcome(heif_context_get_primary_image_handle(context_.get(), &handle)));
    handle_.reset(handle);
    const int width = heif_image_handle_get_width(handle);
    const int height = heif_image_handle_get_height(handle);
    if (width <= 0 || height <= 0) return Error{Errc::corrupt, "HEIC: a picture without a size"};
    // Width and height after turning, because libheif does not tell by which way it gets there: so orientation stays 1.
    header_.info.format = Format::heic;
    header_.info.width = static_cast<std::uint32_t>(width);
    header_.info.height = static_cast<std::uint32_t>(height);
    header_.info.has_alpha = heif_image_handle_has_alpha_channel(handle) != 0;
    header_.picture = {header_.info.width, header_.info.height};
    MEDIA_TRY(control_.check_pixels(header_.picture, "the HEIC"));
    if (const std::size_t size = heif_image_handle_get_raw_color_profile_size(handle); size > 0) {
      header_.profile.resize(size);
      if (heif_image_handle_get_raw_color_profile(handle, header_.profile.data()).code != heif_error_Ok) header_.profile.clear();
    }
    read_credit();
    return {};
  }

  Result<Rows> start(Size) override {
    const Layout layout = header_.info.has_alpha ? Layout::rgba : Layout::rgb;
    // Planes, tiles on their way into them, the turned copy, interleaved pixels, and ours.
    MEDIA_TRY(control_.check_memory(bytes_.size() + header_.picture.pixels() * 12 + image_bytes(header_.picture, layout), "the HEIC"));
    MEDIA_TRY(control_.check());
    const std::unique_ptr<heif_decoding_options, FreeOptions> options(heif_decoding_options_alloc());
    if (!options) return Error{Errc::too_large, "HEIC: no memory to decode it"};
    options->convert_hdr_to_8bit = 1;
    heif_image* decoded = nullptr;
    const heif_error error =
        heif_decode_image(handle_.get(), &decoded, heif_colorspace_RGB,
                          layout == Layout::rgba ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB, options.get());
    const std::unique_ptr<heif_image, ReleaseImage> image(decoded);
    MEDIA_TRY(outcome(error));
    int stride = 0;
    const std::uint8_t* plane = heif_image_get_plane_readonly(image.get(), heif_channel_interleaved, &stride);
    const Size size{static_cast<std::uint32_t>(std::max(heif_image_get_width(image.get(), heif_channel_interleaved), 0)),
                    static_cast<std::uint32_t>(std::max(heif_image_get_height(image.get(), heif_channel_interleaved), 0))};
    if (plane == nullptr || size != header_.picture) return Error{Errc::corrupt, "HEIC: the picture is not of the size that the file says"};
    image_ = Image(size, layout);
    for (std::uint32_t y = 0; y < size.height; ++y) {
      std::memcpy(image_.row(y).data(), plane + static_cast<std::ptrdiff_t>(y) * stride, image_.stride());
    }
    if (layout == Layout::rgba && heif_image_handle_is_premultiplied_alpha(handle_.get()) != 0) divide_by_alpha();
    return Rows{size, layout};
  }

 private:
  void read_credit() {
    heif_item_id id = 0;
    if (heif_image_handle_get_list_of_metadata_block_IDs(handle_.get(), "Exif", &id, 1) < 1) return;
    const std::size_t size = heif_image_handle_get_metadata_size(handle_.get(), id);
    if (size <= kExifOffsetBytes || size > kMaxExifBytes) return;
    std::vector<std::byte> block(size);
    if (heif_image_handle_get_metadata(handle_.get(), id, block.data()).code != heif_error_Ok) return;
    header_.credit = exif_credit(std::span(block).subspan(kExifOffsetBytes));
  }

  void divide_by_alpha() {
    for (std::size_t at = 0; at < image_.data.size(); at += 4) {
      const unsigned alpha = image_.data[at + 3];
      if (alpha == 0) continue;
      for (std::size_t c = 0; c < 3; ++c) {
        image_.data[at + c] = static_cast<std::uint8_t>(std::min(255U, (image_.data[at + c] * 255U + alpha / 2) / alpha));
      }
    }
  }

  std::vector<std::byte> bytes_;
  const Control& control_;
  std::unique_ptr<heif_context, FreeContext> context_;
  std::unique_ptr<heif_image_handle, ReleaseHandle> handle_;
};

bool sniffs(std::span<const std::byte> head) {
  constexpr std::array<std::string_view, 10> kBrands{"heic", "heix", "hevc", "hevx", "heim", "heis", "hevm", "hevs", "mif1", "msf1"};
  return has_brand(head, kBrands);
}

Result<std::unique_ptr<Decoder>> open(const ByteReader& source, const Control& control) {
  MEDIA_TRY(control.check_memory(source.size(), "the HEIC file"));
  MEDIA_TRY_ASSIGN(auto bytes, read_all(source, control.budget().max_source_bytes));
  auto decoder = std::make_unique<HeicDecoder>(std::move(bytes), control);
  MEDIA_TRY(decoder->open());
  return std::unique_ptr<Decoder>(std::move(decoder));
}

}  // namespace

/// From libheif 1.13 on decoders may be plugins, files of their own.
void load() {
#if LIBHEIF_HAVE_VERSION(1, 13, 0)
  // What cannot be loaded is missed by the picture that needs it.
  static_cast<void>(::heif_init(nullptr));
#endif
}

const Codec kHeic{Format::heic, sniffs, open, nullptr, nullptr, nullptr, nullptr, load};

}  // namespace media::image

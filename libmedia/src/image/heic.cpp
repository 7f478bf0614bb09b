// HEIC in, by libheif. It turns and crops the picture itself.
#include <libheif/heif.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <string>

#include "image/format.hpp"
#include "image/light.hpp"

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
struct FreeColours {
  void operator()(heif_color_profile_nclx* colours) const { heif_nclx_color_profile_free(colours); }
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

class HeicDecoder final : public WholeDecoder, private DeepDecoder {
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
    read_light();
    return {};
  }

  Result<Rows> start(Size) override {
    if (light_ && is_deep()) {
      // Eight bits of such a curve would leave steps.
      MEDIA_TRY_ASSIGN(const Rows rows, start_deep());
      image_ = narrowed(deep_image_);
      return rows;
    }
    MEDIA_TRY_ASSIGN(const auto image, decode(header_.info.has_alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB, 1));
    MEDIA_TRY_ASSIGN(const Rows rows, take(*image, image_, 8));
    if (light_) {
      DeepImage wide(image_.size, image_.layout);
      std::transform(image_.data.begin(), image_.data.end(), wide.data.begin(), widened);
      ToSrgb(*light_).convert(wide.data, image_.data, rows.layout);
    }
    return rows;
  }

  DeepDecoder* deep() noexcept override { return is_deep() ? this : nullptr; }

 private:
  using Decoded = std::unique_ptr<heif_image, ReleaseImage>;

  [[nodiscard]] bool is_deep() const noexcept { return heif_image_handle_get_luma_bits_per_pixel(handle_.get()) > 8; }

  Result<Rows> start_deep() override {
    constexpr bool kLittle = std::endian::native == std::endian::little;
    constexpr heif_chroma kRgb = kLittle ? heif_chroma_interleaved_RRGGBB_LE : heif_chroma_interleaved_RRGGBB_BE;
    constexpr heif_chroma kRgba = kLittle ? heif_chroma_interleaved_RRGGBBAA_LE : heif_chroma_interleaved_RRGGBBAA_BE;
    MEDIA_TRY_ASSIGN(const auto image, decode(header_.info.has_alpha ? kRgba : kRgb, 2));
    const int bits = heif_image_get_bits_per_pixel_range(image.get(), heif_channel_interleaved);
    if (bits < 8 || bits > 16) return Error{Errc::unsupported, "HEIC: " + std::to_string(bits) + " bits a sample"};
    MEDIA_TRY_ASSIGN(const Rows rows, take(*image, deep_image_, static_cast<unsigned>(bits)));
    if (light_) ToSrgb(*light_).convert(deep_image_.data, deep_image_.data, rows.layout);
    return rows;
  }

  Result<void> read_deep_row(std::span<std::uint16_t> row) override {
    const auto from = deep_image_.row(next_deep_++);
    std::copy(from.begin(), from.end(), row.begin());
    return {};
  }

  Result<Decoded> decode(heif_chroma chroma, std::uint64_t sample_bytes) {
    const Layout layout = header_.info.has_alpha ? Layout::rgba : Layout::rgb;
    // Planes, tiles on their way into them, the turned copy, interleaved pixels, and ours.
    MEDIA_TRY(control_.check_memory(
        bytes_.size() + header_.picture.pixels() * 12 + image_bytes(header_.picture, layout) * (2 * sample_bytes - 1), "the HEIC"));
    MEDIA_TRY(control_.check());
    const std::unique_ptr<heif_decoding_options, FreeOptions> options(heif_decoding_options_alloc());
    if (!options) return Error{Errc::too_large, "HEIC: no memory to decode it"};
    options->convert_hdr_to_8bit = sample_bytes == 1 ? 1 : 0;
    heif_image* decoded = nullptr;
    const heif_error error = heif_decode_image(handle_.get(), &decoded, heif_colorspace_RGB, chroma, options.get());
    Decoded image(decoded);
    MEDIA_TRY(outcome(error));
    return image;
  }

  /// Copies the pixels, which have so many bits in the lower ones of their samples.
  template <class Code>
  Result<Rows> take(const heif_image& decoded, Raster<Code>& into, unsigned bits) {
    const Layout layout = header_.info.has_alpha ? Layout::rgba : Layout::rgb;
    int stride = 0;
    const std::uint8_t* plane = heif_image_get_plane_readonly(&decoded, heif_channel_interleaved, &stride);
    const Size size{static_cast<std::uint32_t>(std::max(heif_image_get_width(&decoded, heif_channel_interleaved), 0)),
                    static_cast<std::uint32_t>(std::max(heif_image_get_height(&decoded, heif_channel_interleaved), 0))};
    if (plane == nullptr || size != header_.picture) return Error{Errc::corrupt, "HEIC: the picture is not of the size that the file says"};
    into = Raster<Code>(size, layout);
    for (std::uint32_t y = 0; y < size.height; ++y) {
      std::memcpy(into.row(y).data(), plane + static_cast<std::ptrdiff_t>(y) * stride, into.stride() * sizeof(Code));
    }
    if (bits < 8 * sizeof(Code)) {
      const std::uint32_t most = (1U << bits) - 1;
      for (Code& code : into.data) code = static_cast<Code>((std::min<std::uint32_t>(code, most) * kWhite<Code> + most / 2) / most);
    }
    if (layout == Layout::rgba && heif_image_handle_is_premultiplied_alpha(handle_.get()) != 0) divide_by_alpha(into);
    return Rows{size, layout};
  }

  void read_credit() {
    heif_item_id id = 0;
    if (heif_image_handle_get_list_of_metadata_block_IDs(handle_.get(), "Exif", &id, 1) < 1) return;
    const std::size_t size = heif_image_handle_get_metadata_size(handle_.get(), id);
    if (size <= kExifOffsetBytes || size > kMaxExifBytes) return;
    std::vector<std::byte> block(size);
    if (heif_image_handle_get_metadata(handle_.get(), id, block.data()).code != heif_error_Ok) return;
    header_.credit = exif_credit(std::span(block).subspan(kExifOffsetBytes));
  }

  /// Of PQ and HLG; an ICC profile goes before what else the file says of its colours.
  void read_light() {
    heif_color_profile_nclx* given = nullptr;
    if (!header_.profile.empty() || heif_image_handle_get_nclx_color_profile(handle_.get(), &given).code != heif_error_Ok) return;
    const std::unique_ptr<heif_color_profile_nclx, FreeColours> colours(given);
    Light light;
    if (colours->transfer_characteristics == heif_transfer_characteristic_ITU_R_BT_2100_0_PQ) light.transfer = Light::Transfer::pq;
    if (colours->transfer_characteristics == heif_transfer_characteristic_ITU_R_BT_2100_0_HLG) light.transfer = Light::Transfer::hlg;
    if (light.transfer == Light::Transfer::srgb) return;
    // Unsaid, it is what all such pictures have.
    if (colours->color_primaries == heif_color_primaries_ITU_R_BT_2020_2_and_2100_0 ||
        colours->color_primaries == heif_color_primaries_unspecified)
      light.primaries = Light::Primaries::bt2020;
    if (colours->color_primaries == heif_color_primaries_SMPTE_EG_432_1) light.primaries = Light::Primaries::p3;
    light_ = light;
  }

  template <class Code>
  static void divide_by_alpha(Raster<Code>& image) {
    constexpr std::uint32_t kMost = kWhite<Code>;
    for (std::size_t at = 0; at < image.data.size(); at += 4) {
      const std::uint32_t alpha = image.data[at + 3];
      if (alpha == 0) continue;
      for (std::size_t c = 0; c < 3; ++c)
        image.data[at + c] = static_cast<Code>(std::min(kMost, (image.data[at + c] * kMost + alpha / 2) / alpha));
    }
  }

  std::vector<std::byte> bytes_;
  const Control& control_;
  std::unique_ptr<heif_context, FreeContext> context_;
  std::unique_ptr<heif_image_handle, ReleaseHandle> handle_;
  std::optional<Light> light_;  ///< Of high dynamic range.
  DeepImage deep_image_;
  std::uint32_t next_deep_ = 0;
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

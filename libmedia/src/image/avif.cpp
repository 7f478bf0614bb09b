// AVIF in and out, by libavif with aom as encoder. Debian 12 has 0.11, Debian 13 has 1.x: both must compile.
#include <avif/avif.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "image/avif_loop.hpp"
#include "image/colour.hpp"
#include "image/format.hpp"
#include "image/light.hpp"
#include "image/settings.hpp"

namespace media::image {
namespace {

struct DestroyDecoder {
  void operator()(avifDecoder* decoder) const { avifDecoderDestroy(decoder); }
};
struct DestroyEncoder {
  void operator()(avifEncoder* encoder) const { avifEncoderDestroy(encoder); }
};
struct DestroyImage {
  void operator()(avifImage* image) const { avifImageDestroy(image); }
};
using AvifImage = std::unique_ptr<avifImage, DestroyImage>;

/// `irot` (quarter turns against the clock) and then `imir`, as EXIF counts them.
std::uint8_t orientation(const avifImage& image) {
  constexpr std::array<std::uint8_t, 4> kTurned{1, 8, 3, 6};
  constexpr std::array<std::uint8_t, 4> kTurnedThenTopDown{4, 5, 2, 7};
  constexpr std::array<std::uint8_t, 4> kTurnedThenLeftRight{2, 7, 4, 5};
  const std::size_t turns = (image.transformFlags & AVIF_TRANSFORM_IROT) != 0 ? image.irot.angle & 3U : 0;
  if ((image.transformFlags & AVIF_TRANSFORM_IMIR) == 0) return kTurned[turns];
#if AVIF_VERSION >= 1000000
  const bool left_right = image.imir.axis != 0;
#else
  const bool left_right = image.imir.mode != 0;
#endif
  return left_right ? kTurnedThenLeftRight[turns] : kTurnedThenTopDown[turns];
}

class AvifDecoder final : public Decoder, private DeepDecoder {
 public:
  AvifDecoder(std::vector<std::byte> bytes, const Control& control)
      : bytes_(std::move(bytes)), control_(control), decoder_(avifDecoderCreate()) {}

  Result<void> open() {
    if (!decoder_) return Error{Errc::too_large, "AVIF: no memory for the decoder"};
    decoder_->maxThreads = 1;
    decoder_->ignoreXMP = AVIF_TRUE;
    // Encoders of some years ago left out what the strict checks ask for, and every browser shows their pictures.
    decoder_->strictFlags = AVIF_STRICT_DISABLED;
    decoder_->imageSizeLimit =
        static_cast<std::uint32_t>(std::clamp<std::uint64_t>(control_.budget().max_pixels, 1, AVIF_DEFAULT_IMAGE_SIZE_LIMIT));
    MEDIA_TRY(outcome(avifDecoderSetIOMemory(decoder_.get(), reinterpret_cast<const std::uint8_t*>(bytes_.data()), bytes_.size())));
    MEDIA_TRY(parse());
    const avifImage& image = *decoder_->image;
    header_.info.format = Format::avif;
    header_.info.width = image.width;
    header_.info.height = image.height;
    header_.info.frames = static_cast<std::uint32_t>(std::max(decoder_->imageCount, 1));
    header_.info.has_alpha = decoder_->alphaPresent != AVIF_FALSE;
    header_.info.orientation = orientation(image);  // EXIF's is not to be followed (MIAF: irot and imir are).
    header_.credit = exif_credit({reinterpret_cast<const std::byte*>(image.exif.data), image.exif.size});
    MEDIA_TRY(control_.check_pixels({image.width, image.height}, "the AVIF"));
    crop_ = crop(image);
    is_deep_ = image.depth > 8;
    header_.picture = {crop_.width, crop_.height};
    return {};
  }

  Result<Rows> start(Size) override { return begin(image_); }

  Result<std::unique_ptr<FrameReader>> frames() override;

  Result<void> read_row(std::span<std::uint8_t> row) override {
    copy_row(image_, next_++, row);
    return {};
  }

  DeepDecoder* deep() noexcept override { return is_deep_ ? this : nullptr; }

  /// The next frame of a sequence; false after the last.
  Result<bool> read_frame(Frame& frame) {
    const avifResult code = avifDecoderNextImage(decoder_.get());
    if (code == AVIF_RESULT_NO_IMAGES_REMAINING) return false;
    MEDIA_TRY(outcome(code));
    MEDIA_TRY(convert(image_));
    header_.profile = profile(*decoder_->image);
    frame.image = Image(header_.picture, image_.layout);
    for (std::uint32_t y = 0; y < header_.picture.height; ++y) copy_row(image_, y, frame.image.row(y));
    const avifImageTiming& timing = decoder_->imageTiming;
    constexpr double kLongestSeconds = 86'400;
    frame.shown = std::chrono::milliseconds(std::llround(std::clamp(timing.duration, 0.0, kLongestSeconds) * 1000));
    return true;
  }

  /// Back to before the first frame.
  Result<void> rewind() { return outcome(avifDecoderReset(decoder_.get())); }

 private:
  Result<Rows> start_deep() override { return begin(deep_image_); }

  Result<void> read_deep_row(std::span<std::uint16_t> row) override {
    copy_row(deep_image_, next_++, row);
    return {};
  }

  /// Decodes the first picture.
  template <class Code>
  Result<Rows> begin(Raster<Code>& into) {
    const Size coded{header_.info.width, header_.info.height};
    const Layout layout = header_.info.has_alpha ? Layout::rgba : Layout::rgb;
    // Planes of up to 16 bits in the decoder (twice while a grid is put together), pixels of 16 bits, and ours.
    MEDIA_TRY(control_.check_memory(bytes_.size() + coded.pixels() * 24 + image_bytes(coded, layout), "the AVIF"));
    MEDIA_TRY(control_.check());
    MEDIA_TRY(outcome(avifDecoderNextImage(decoder_.get())));
    MEDIA_TRY(convert(into));
    // Only now, because what the AV1 data says of colour goes before what the file says.
    header_.profile = profile(*decoder_->image);
    return Rows{header_.picture, layout};
  }

  /// The picture that libavif has just decoded.
  Result<void> convert(Image& into) {
    const auto light = high_range(*decoder_->image);
    if (decoder_->image->depth <= 8 && !light) return to_pixels(into);
    // Of more than 8 bits the nearest ones are taken; libyuv, which libavif asks for 8, would cut.
    DeepImage wide;
    MEDIA_TRY(to_pixels(wide));
    if (light) {
      into = Image(wide.size, wide.layout);
      ToSrgb(*light).convert(wide.data, into.data, wide.layout);
    } else {
      into = narrowed(wide);
    }
    return {};
  }
  Result<void> convert(DeepImage& into) {
    MEDIA_TRY(to_pixels(into));
    if (const auto light = high_range(*decoder_->image)) ToSrgb(*light).convert(into.data, into.data, into.layout);
    return {};
  }

  template <class Code>
  Result<void> to_pixels(Raster<Code>& into) {
    const Size coded{header_.info.width, header_.info.height};
    const Layout layout = header_.info.has_alpha ? Layout::rgba : Layout::rgb;
    avifImage& image = *decoder_->image;
    if (image.width != coded.width || image.height != coded.height)
      return Error{Errc::corrupt, "AVIF: the picture is not of the size that the file says"};
    into = Raster<Code>(coded, layout);
    avifRGBImage rgb{};
    avifRGBImageSetDefaults(&rgb, &image);
    rgb.depth = 8 * sizeof(Code);
    rgb.format = layout == Layout::rgba ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB;
    rgb.ignoreAlpha = layout == Layout::rgba ? AVIF_FALSE : AVIF_TRUE;
    rgb.alphaPremultiplied = AVIF_FALSE;
    rgb.pixels = reinterpret_cast<std::uint8_t*>(into.data.data());
    rgb.rowBytes = static_cast<std::uint32_t>(into.stride() * sizeof(Code));
    return outcome(avifImageYUVToRGB(&image, &rgb));
  }

  template <class Code>
  void copy_row(const Raster<Code>& image, std::uint32_t y, std::span<Code> row) const {
    const auto whole = image.row(crop_.y + y);
    const auto part = whole.subspan(std::size_t{crop_.x} * channels(image.layout), row.size());
    std::copy(part.begin(), part.end(), row.begin());
  }

  Result<void> parse() {
    // A damaged block must not lose a photo: without EXIF, then.
    if (avifDecoderParse(decoder_.get()) == AVIF_RESULT_OK) return {};
    decoder_->ignoreExif = AVIF_TRUE;
    return outcome(avifDecoderParse(decoder_.get()));
  }

  /// The clean aperture, or everything where there is none or it makes no sense.
  static avifCropRect crop(const avifImage& image) {
    avifCropRect out{0, 0, image.width, image.height};
    if ((image.transformFlags & AVIF_TRANSFORM_CLAP) == 0) return out;
    avifDiagnostics ignored{};
    avifCropRect found{};
#if AVIF_VERSION >= 1020000
    const bool valid = avifCropRectFromCleanApertureBox(&found, &image.clap, image.width, image.height, &ignored) != AVIF_FALSE;
#else
    const bool valid =
        avifCropRectConvertCleanApertureBox(&found, &image.clap, image.width, image.height, image.yuvFormat, &ignored) != AVIF_FALSE;
#endif
    const bool inside = found.width > 0 && found.height > 0 && std::uint64_t{found.x} + found.width <= image.width &&
                        std::uint64_t{found.y} + found.height <= image.height;
    return valid && inside ? found : out;
  }

  /// The light of a picture of high dynamic range. An ICC profile goes before what else the file says of its colours.
  static std::optional<Light> high_range(const avifImage& image) {
    Light light;
    if (image.transferCharacteristics == AVIF_TRANSFER_CHARACTERISTICS_SMPTE2084) light.transfer = Light::Transfer::pq;
    if (image.transferCharacteristics == AVIF_TRANSFER_CHARACTERISTICS_HLG) light.transfer = Light::Transfer::hlg;
    if (light.transfer == Light::Transfer::srgb || image.icc.size > 0) return std::nullopt;
    // Unsaid, it is what all such pictures have.
    if (image.colorPrimaries == AVIF_COLOR_PRIMARIES_BT2020 || image.colorPrimaries == AVIF_COLOR_PRIMARIES_UNSPECIFIED)
      light.primaries = Light::Primaries::bt2020;
    if (image.colorPrimaries == AVIF_COLOR_PRIMARIES_SMPTE432) light.primaries = Light::Primaries::p3;
#if AVIF_VERSION >= 1000000
    if (image.clli.maxCLL > 0) light.peak_nits = image.clli.maxCLL;
#endif
    return light;
  }

  static std::vector<std::byte> profile(const avifImage& image) {
    if (image.icc.size > 0) {
      const auto* bytes = reinterpret_cast<const std::byte*>(image.icc.data);
      return {bytes, bytes + image.icc.size};
    }
    // Wide primaries with an ordinary curve; what has another one is in sRGB already.
    const bool wide = image.colorPrimaries == AVIF_COLOR_PRIMARIES_SMPTE432 || image.colorPrimaries == AVIF_COLOR_PRIMARIES_BT2020 ||
                      image.colorPrimaries == AVIF_COLOR_PRIMARIES_SMPTE431;
    if (!wide || high_range(image)) return {};
    std::array<float, 8> primaries{};
    avifColorPrimariesGetValues(image.colorPrimaries, primaries.data());
    return profile_from_primaries(primaries);
  }

  [[nodiscard]] Result<void> outcome(avifResult code) const {
    if (code == AVIF_RESULT_OK) return {};
    std::string text = "AVIF: " + std::string(avifResultToString(code));
    if (decoder_->diag.error[0] != '\0') text += " (" + std::string(decoder_->diag.error) + ")";
    switch (code) {
      case AVIF_RESULT_OUT_OF_MEMORY:
        return Error{Errc::too_large, text};
      case AVIF_RESULT_UNSUPPORTED_DEPTH:
      case AVIF_RESULT_NO_CODEC_AVAILABLE:
      case AVIF_RESULT_NOT_IMPLEMENTED:
        return Error{Errc::unsupported, text};
      default:
        return Error{Errc::corrupt, text};
    }
  }

  std::vector<std::byte> bytes_;
  const Control& control_;
  std::unique_ptr<avifDecoder, DestroyDecoder> decoder_;
  avifCropRect crop_{};
  bool is_deep_ = false;
  Image image_;
  DeepImage deep_image_;
  std::uint32_t next_ = 0;
};

class AvifFrames final : public FrameReader {
 public:
  AvifFrames(AvifDecoder& decoder, const Control& control, std::uint64_t file_bytes, std::uint32_t plays)
      : decoder_(decoder), control_(control), file_bytes_(file_bytes) {
    plays_ = plays;
    frames_ = decoder.header().info.frames;
  }

  [[nodiscard]] std::uint64_t working_bytes() const noexcept override {
    const Size coded{decoder_.header().info.width, decoder_.header().info.height};
    // Planes of up to 16 bits of eight reference frames in the decoder, pixels of 16 bits, and ours twice.
    return file_bytes_ + coded.pixels() * (8 * 4 + 16);
  }

  Result<std::optional<Frame>> next() override {
    MEDIA_TRY(control_.check());
    if (!started_) MEDIA_TRY(decoder_.rewind());
    started_ = true;
    Frame frame;
    MEDIA_TRY_ASSIGN(const bool more, decoder_.read_frame(frame));
    if (!more) return std::optional<Frame>();
    return std::optional<Frame>(std::move(frame));
  }

 private:
  AvifDecoder& decoder_;
  const Control& control_;
  std::uint64_t file_bytes_;
  bool started_ = false;
};

Result<std::unique_ptr<FrameReader>> AvifDecoder::frames() {
  if (header_.info.frames <= 1) return std::unique_ptr<FrameReader>();
  return std::unique_ptr<FrameReader>(std::make_unique<AvifFrames>(*this, control_, bytes_.size(), avif_plays(bytes_)));
}

bool sniffs(std::span<const std::byte> head) {
  constexpr std::array<std::string_view, 2> kBrands{"avif", "avis"};
  return has_brand(head, kBrands);
}

Result<std::unique_ptr<Decoder>> open(const ByteReader& source, const Control& control) {
  MEDIA_TRY(control.check_memory(source.size(), "the AVIF file"));
  MEDIA_TRY_ASSIGN(auto bytes, read_all(source, control.budget().max_source_bytes));
  auto decoder = std::make_unique<AvifDecoder>(std::move(bytes), control);
  MEDIA_TRY(decoder->open());
  return std::unique_ptr<Decoder>(std::move(decoder));
}

Error encode_failure(avifResult code) { return {Errc::internal, "encode AVIF: " + std::string(avifResultToString(code))}; }

Result<void> add_metadata(avifImage& image, const Encoding& encoding) {
  const auto* profile = reinterpret_cast<const std::uint8_t*>(encoding.profile.data());
  const auto* exif = reinterpret_cast<const std::uint8_t*>(encoding.exif.data());
  if (!encoding.profile.empty()) {
    image.colorPrimaries = AVIF_COLOR_PRIMARIES_UNSPECIFIED;
    image.transferCharacteristics = AVIF_TRANSFER_CHARACTERISTICS_UNSPECIFIED;
  }
#if AVIF_VERSION >= 1000000
  if (!encoding.profile.empty()) {
    if (const avifResult code = avifImageSetProfileICC(&image, profile, encoding.profile.size()); code != AVIF_RESULT_OK)
      return encode_failure(code);
  }
  if (!encoding.exif.empty()) {
    if (const avifResult code = avifImageSetMetadataExif(&image, exif, encoding.exif.size()); code != AVIF_RESULT_OK)
      return encode_failure(code);
  }
#else
  if (!encoding.profile.empty()) avifImageSetProfileICC(&image, profile, encoding.profile.size());
  if (!encoding.exif.empty()) avifImageSetMetadataExif(&image, exif, encoding.exif.size());
#endif
  return {};
}

Result<AvifImage> make_planes(Size size, std::uint32_t depth, const Encoding& encoding) {
  constexpr std::uint32_t kMaxSide = 65535;
  if (size.width > kMaxSide || size.height > kMaxSide) return Error{Errc::too_large, "an AVIF has at most 65535 pixels a side"};
  AvifImage planes(avifImageCreate(size.width, size.height, depth, AVIF_PIXEL_FORMAT_YUV420));
  if (!planes) return Error{Errc::too_large, "encode AVIF: no memory"};
  planes->yuvRange = AVIF_RANGE_FULL;
  planes->colorPrimaries = AVIF_COLOR_PRIMARIES_BT709;
  planes->transferCharacteristics = AVIF_TRANSFER_CHARACTERISTICS_SRGB;
  planes->matrixCoefficients = AVIF_MATRIX_COEFFICIENTS_BT601;
  MEDIA_TRY(add_metadata(*planes, encoding));
  return planes;
}

using AvifEncoder = std::unique_ptr<avifEncoder, DestroyEncoder>;

Result<AvifEncoder> make_encoder(int quality, int speed) {
  AvifEncoder encoder(avifEncoderCreate());
  if (!encoder) return Error{Errc::too_large, "encode AVIF: no memory"};
  encoder->codecChoice = AVIF_CODEC_CHOICE_AOM;
  encoder->maxThreads = 1;  // A thread a picture; and the bytes do not depend on how many cores there are.
  encoder->speed = speed;
  // Both ages of libavif take the level straight; it is what 1.x makes of its `quality`.
  const int level = ((100 - quality) * AVIF_QUANTIZER_WORST_QUALITY + 50) / 100;
  encoder->minQuantizer = AVIF_QUANTIZER_BEST_QUALITY;
  encoder->maxQuantizer = AVIF_QUANTIZER_WORST_QUALITY;
  encoder->minQuantizerAlpha = AVIF_QUANTIZER_BEST_QUALITY;
  encoder->maxQuantizerAlpha = AVIF_QUANTIZER_WORST_QUALITY;
#if AVIF_VERSION >= 1000000
  encoder->quality = quality;
  encoder->qualityAlpha = quality;
#endif
  static_cast<void>(avifEncoderSetCodecSpecificOption(encoder.get(), "end-usage", "q"));  // 0.11 says nothing of how it went.
  static_cast<void>(avifEncoderSetCodecSpecificOption(encoder.get(), "cq-level", std::to_string(level).c_str()));
  return encoder;
}

/// What libavif writes.
struct Written {
  avifRWData data = AVIF_DATA_EMPTY;

  Written() = default;
  Written(const Written&) = delete;
  Written& operator=(const Written&) = delete;
  ~Written() { avifRWDataFree(&data); }

  [[nodiscard]] std::vector<std::byte> bytes() const {
    const auto* begin = reinterpret_cast<const std::byte*>(data.data);
    return {begin, begin + data.size};
  }
};

Result<std::vector<std::byte>> encode_avif(const avifImage& image, int quality) {
  const std::uint64_t pixels = std::uint64_t{image.width} * image.height;
  const bool careful = pixels <= avif_settings::kCarefulPixels;
  MEDIA_TRY_ASSIGN(const AvifEncoder encoder, make_encoder(quality, careful ? avif_settings::kCarefulSpeed : avif_settings::kSpeed));
  Written out;
  if (const avifResult code = avifEncoderWrite(encoder.get(), &image, &out.data); code != AVIF_RESULT_OK) return encode_failure(code);
  return out.bytes();
}

/// The planes of an `rgb` or `rgba` picture.
Result<AvifImage> to_planes(const Image& image, const Encoding& encoding) {
  MEDIA_TRY_ASSIGN(AvifImage planes, make_planes(image.size, 8, encoding));
  const bool alpha = image.layout == Layout::rgba;
  avifRGBImage rgb{};
  avifRGBImageSetDefaults(&rgb, planes.get());
  rgb.depth = 8;
  rgb.format = alpha ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB;
  rgb.ignoreAlpha = alpha ? AVIF_FALSE : AVIF_TRUE;
  // libavif only reads from here, its type only says so.
  rgb.pixels = const_cast<std::uint8_t*>(image.data.data());
  rgb.rowBytes = static_cast<std::uint32_t>(image.stride());
  if (const avifResult code = avifImageRGBToYUV(planes.get(), &rgb); code != AVIF_RESULT_OK) return encode_failure(code);
  return planes;
}

Result<std::vector<std::byte>> encode(const Image& image, const Encoding& encoding, const Control& control) {
  if (image.layout == Layout::grey) return encode(grey_to_rgb(image), encoding, control);
  MEDIA_TRY(control.check());
  MEDIA_TRY_ASSIGN(const AvifImage planes, to_planes(image, encoding));
  return encode_avif(*planes, encoding.quality);
}

Result<std::vector<std::byte>> encode_planes(const Planes& planes, const Encoding& encoding, const Control& control) {
  MEDIA_TRY(control.check());
  MEDIA_TRY_ASSIGN(const AvifImage image, make_planes(planes.size, 8, encoding));
  image->imageOwnsYUVPlanes = AVIF_FALSE;
  for (std::size_t plane = 0; plane < planes.data.size(); ++plane) {
    // libavif only reads from here, its type only says so.
    image->yuvPlanes[plane] = const_cast<std::uint8_t*>(planes.data[plane].data());
    image->yuvRowBytes[plane] = planes.plane_size(plane).width;
  }
  return encode_avif(*image, encoding.quality);
}

/// At 10 bits: planes of our own making, because libavif computes those beyond 8 bits in floating point.
Result<std::vector<std::byte>> encode_deep(const DeepImage& picture, const Encoding& encoding, const Control& control) {
  if (picture.layout == Layout::grey) return encode_deep(grey_to_rgb(picture), encoding, control);
  MEDIA_TRY(control.check());
  DeepPlanes planes = to_planes(picture, avif_settings::kDeepBits);
  MEDIA_TRY_ASSIGN(const AvifImage image, make_planes(planes.size, planes.bits, encoding));
  const auto bytes_of = [&](std::size_t plane) { return reinterpret_cast<std::uint8_t*>(planes.data[plane].data()); };
  const auto row_bytes_of = [&](std::size_t plane) { return std::uint32_t{planes.plane_size(plane).width * 2}; };
  image->imageOwnsYUVPlanes = AVIF_FALSE;
  for (std::size_t plane = 0; plane < 3; ++plane) {
    image->yuvPlanes[plane] = bytes_of(plane);
    image->yuvRowBytes[plane] = row_bytes_of(plane);
  }
  if (picture.layout == Layout::rgba) {
    image->imageOwnsAlphaPlane = AVIF_FALSE;
    image->alphaPlane = bytes_of(3);
    image->alphaRowBytes = row_bytes_of(3);
  }
  return encode_avif(*image, encoding.quality);
}

class AvifWriter final : public FrameWriter {
 public:
  AvifWriter(AvifEncoder encoder, std::uint32_t plays, const Control& control)
      : encoder_(std::move(encoder)), plays_(plays), control_(control) {}

  Result<void> add(const Image& image, std::chrono::milliseconds shown) override {
    if (image.layout == Layout::grey) return add(grey_to_rgb(image), shown);
    MEDIA_TRY(control_.check());
    MEDIA_TRY_ASSIGN(const AvifImage planes, to_planes(image, Encoding(0)));
    const auto duration = static_cast<std::uint64_t>(std::max<std::int64_t>(shown.count(), 1));
    const avifResult code = avifEncoderAddImage(encoder_.get(), planes.get(), duration, AVIF_ADD_IMAGE_FLAG_NONE);
    if (code != AVIF_RESULT_OK) return encode_failure(code);
    return {};
  }

  Result<std::vector<std::byte>> finish() override {
    Written out;
    if (const avifResult code = avifEncoderFinish(encoder_.get(), &out.data); code != AVIF_RESULT_OK) return encode_failure(code);
    return finish_avif_sequence(out.bytes(), plays_);
  }

 private:
  AvifEncoder encoder_;
  std::uint32_t plays_;
  const Control& control_;
};

Result<std::unique_ptr<FrameWriter>> animate(Size, int quality, std::uint32_t plays, const Control& control) {
  MEDIA_TRY_ASSIGN(AvifEncoder encoder, make_encoder(quality, avif_settings::kSequenceSpeed));
  encoder->timescale = 1000;
#if AVIF_VERSION >= 1000000
  constexpr std::uint32_t kMostRepeats = 0x7FFFFFFE;
  encoder->repetitionCount = plays == 0 ? AVIF_REPETITION_COUNT_INFINITE : static_cast<int>(std::min(plays - 1, kMostRepeats));
#endif
  return std::unique_ptr<FrameWriter>(std::make_unique<AvifWriter>(std::move(encoder), plays, control));
}

std::string version() {
  std::array<char, 256> codecs{};
  avifCodecVersions(codecs.data());
  // "dav1d [dec]:1.0.0, aom [enc/dec]:3.6.0, …"
  std::string aom(codecs.data());
  aom.erase(0, std::min(aom.find("aom"), aom.size()));
  aom.erase(std::min(aom.find(','), aom.size()));
  aom.erase(0, std::min(aom.find(':') + 1, aom.size()));
  return "aom-" + aom + "/libavif-" + avifVersion() + "/s" + std::to_string(avif_settings::kCarefulSpeed) + "-" +
         std::to_string(avif_settings::kSpeed) + "/" + std::to_string(avif_settings::kRevision);
}

}  // namespace

const Codec kAvif{Format::avif, sniffs, open, encode, encode_planes, version, animate, nullptr, encode_deep};

}  // namespace media::image

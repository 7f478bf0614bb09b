// WebP in and out, by libwebp.
#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>
#include <webp/mux.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "image/exif.hpp"
#include "image/format.hpp"
#include "image/settings.hpp"

namespace media::image {
namespace {

/// How much bigger than its use a picture is decoded, at least, where libwebp scales while it decodes.
constexpr std::uint64_t kReserve = 2;

struct DeleteDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};
struct DeleteAnimation {
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
};

/// The frames, as libwebp puts them together.
class WebpFrames final : public FrameReader {
 public:
  WebpFrames(WebPData file, Size canvas, Layout layout, const Control& control) : size_(canvas), layout_(layout), control_(control) {
    WebPAnimDecoderOptions options{};
    // Null, too, where the library is of another version.
    if (WebPAnimDecoderOptionsInit(&options) != 0) decoder_.reset(WebPAnimDecoderNew(&file, &options));
    WebPAnimInfo info{};
    if (decoder_ && WebPAnimDecoderGetInfo(decoder_.get(), &info) != 0) {
      plays_ = info.loop_count;
      frames_ = info.frame_count;
    }
  }

  /// Two canvases of libwebp's, a frame, and what is handed out.
  [[nodiscard]] std::uint64_t working_bytes() const noexcept override { return size_.pixels() * 16; }

  Result<std::optional<Frame>> next() override {
    MEDIA_TRY(control_.check());
    if (!decoder_) return Error{Errc::corrupt, "WebP: the animation cannot be read"};
    if (WebPAnimDecoderHasMoreFrames(decoder_.get()) == 0) return std::optional<Frame>();
    std::uint8_t* canvas = nullptr;
    int until = 0;
    if (WebPAnimDecoderGetNext(decoder_.get(), &canvas, &until) == 0) return Error{Errc::corrupt, "WebP: one of its frames is damaged"};
    Frame frame;
    frame.image = Image(size_, layout_);
    if (layout_ == Layout::rgba) {
      std::memcpy(frame.image.data.data(), canvas, frame.image.data.size());
    } else {
      std::uint8_t* to = frame.image.data.data();
      for (std::uint64_t left = size_.pixels(); left > 0; --left, canvas += 4, to += 3) std::memcpy(to, canvas, 3);
    }
    frame.shown = std::chrono::milliseconds(until - until_);
    until_ = until;
    return std::optional<Frame>(std::move(frame));
  }

 private:
  Size size_;
  Layout layout_;
  const Control& control_;
  std::unique_ptr<WebPAnimDecoder, DeleteAnimation> decoder_;
  int until_ = 0;
};

class WebpDecoder final : public WholeDecoder {
 public:
  WebpDecoder(std::vector<std::byte> bytes, const Control& control) : bytes_(std::move(bytes)), control_(control) {}

  Result<void> open() {
    WebPBitstreamFeatures features{};
    if (WebPGetFeatures(data(), bytes_.size(), &features) != VP8_STATUS_OK) return damaged("its header cannot be read");
    header_.info.format = Format::webp;
    header_.info.width = static_cast<std::uint32_t>(features.width);
    header_.info.height = static_cast<std::uint32_t>(features.height);
    header_.info.has_alpha = features.has_alpha != 0;
    header_.picture = {header_.info.width, header_.info.height};
    MEDIA_TRY(control_.check_pixels(header_.picture, "the WebP"));
    animated_ = features.has_animation != 0;

    const WebPData whole{data(), bytes_.size()};
    const std::unique_ptr<WebPDemuxer, DeleteDemuxer> demuxer(WebPDemux(&whole));
    if (!demuxer) return damaged("the file ends before the picture does, or its chunks contradict each other");
    header_.info.frames = std::max(WebPDemuxGetI(demuxer.get(), WEBP_FF_FRAME_COUNT), std::uint32_t{1});
    if (animated_) covered_ = is_covered(demuxer.get());
    header_.profile = chunk(demuxer.get(), "ICCP");
    const std::vector<std::byte> exif = chunk(demuxer.get(), "EXIF");
    header_.info.orientation = exif_orientation(exif);
    header_.credit = exif_credit(exif);
    return {};
  }

  /// Reduced only where much is left out: libwebp's own scaling is a box filter. By halves, so that pictures of several sizes can be made
  /// of one decoding.
  [[nodiscard]] Size size_for(Size wanted) const override {
    Size size = header_.picture;
    while (!animated_ && wanted.width * kReserve * 2 <= size.width && wanted.height * kReserve * 2 <= size.height) {
      size = {(size.width + 1) / 2, (size.height + 1) / 2};
    }
    return size;
  }

  Result<Rows> start(Size wanted) override { return animated_ ? first_frame() : still(wanted); }

  Result<std::unique_ptr<FrameReader>> frames() override {
    if (!animated_ || header_.info.frames <= 1) return std::unique_ptr<FrameReader>();
    // Before libwebp takes its canvases.
    MEDIA_TRY(control_.check_memory(bytes_.size() + header_.picture.pixels() * 16, "the WebP animation"));
    const Layout layout = covered_ ? Layout::rgb : Layout::rgba;
    return std::unique_ptr<FrameReader>(std::make_unique<WebpFrames>(WebPData{data(), bytes_.size()}, header_.picture, layout, control_));
  }

 private:
  [[nodiscard]] const std::uint8_t* data() const { return reinterpret_cast<const std::uint8_t*>(bytes_.data()); }
  static Error damaged(std::string_view how) { return {Errc::corrupt, "WebP: " + std::string(how)}; }

  static std::vector<std::byte> chunk(const WebPDemuxer* demuxer, const char* name) {
    std::vector<std::byte> out;
    WebPChunkIterator found{};
    if (WebPDemuxGetChunk(demuxer, name, 1, &found) != 0) {
      const auto* bytes = reinterpret_cast<const std::byte*>(found.chunk.bytes);
      out.assign(bytes, bytes + found.chunk.size);
    }
    WebPDemuxReleaseChunkIterator(&found);
    return out;
  }

  [[nodiscard]] bool is_covered(const WebPDemuxer* demuxer) const {
    WebPIterator frame{};
    bool covered = WebPDemuxGetFrame(demuxer, 1, &frame) != 0 && frame.x_offset == 0 && frame.y_offset == 0 &&
                   static_cast<std::uint32_t>(frame.width) == header_.picture.width &&
                   static_cast<std::uint32_t>(frame.height) == header_.picture.height;
    while (covered) {
      covered = frame.has_alpha == 0 && frame.dispose_method == WEBP_MUX_DISPOSE_NONE;
      if (!covered || WebPDemuxNextFrame(&frame) == 0) break;
    }
    WebPDemuxReleaseIterator(&frame);
    return covered;
  }

  Result<Rows> still(Size wanted) {
    const Layout layout = header_.info.has_alpha ? Layout::rgba : Layout::rgb;
    const Size size = size_for(wanted);
    WebPDecoderConfig config{};
    if (WebPInitDecoderConfig(&config) == 0) return Error{Errc::internal, "WebP: the library is of another version"};
    if (size != header_.picture) {
      config.options.use_scaling = 1;
      config.options.scaled_width = static_cast<int>(size.width);
      config.options.scaled_height = static_cast<int>(size.height);
    }
    // Lossless pictures are held whole beside the result while they are decoded.
    MEDIA_TRY(control_.check_memory(bytes_.size() + header_.picture.pixels() * 4 + image_bytes(size, layout), "the WebP"));
    MEDIA_TRY(control_.check());
    image_ = Image(size, layout);
    config.output.colorspace = layout == Layout::rgba ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = image_.data.data();
    config.output.u.RGBA.stride = static_cast<int>(image_.stride());
    config.output.u.RGBA.size = image_.data.size();
    const VP8StatusCode status = WebPDecode(data(), bytes_.size(), &config);
    WebPFreeDecBuffer(&config.output);
    switch (status) {
      case VP8_STATUS_OK:
        return Rows{size, layout};
      case VP8_STATUS_OUT_OF_MEMORY:
        return Error{Errc::too_large, "WebP: no memory to decode it"};
      case VP8_STATUS_UNSUPPORTED_FEATURE:
        return Error{Errc::unsupported, "WebP: it uses a feature that libwebp lacks"};
      case VP8_STATUS_NOT_ENOUGH_DATA:
      case VP8_STATUS_SUSPENDED:
        return damaged("the file ends before the picture does");
      default:
        return damaged("its picture data is damaged");
    }
  }

  Result<Rows> first_frame() {
    // Two canvases, the frame, and our own copy.
    MEDIA_TRY(control_.check_memory(bytes_.size() + header_.picture.pixels() * 16, "the WebP animation"));
    MEDIA_TRY(control_.check());
    WebPAnimDecoderOptions options{};
    if (WebPAnimDecoderOptionsInit(&options) == 0) return Error{Errc::internal, "WebP: the library is of another version"};
    const WebPData whole{data(), bytes_.size()};
    const std::unique_ptr<WebPAnimDecoder, DeleteAnimation> decoder(WebPAnimDecoderNew(&whole, &options));
    std::uint8_t* canvas = nullptr;
    int shown_at = 0;
    if (!decoder || WebPAnimDecoderGetNext(decoder.get(), &canvas, &shown_at) == 0) return damaged("its first frame cannot be decoded");
    image_ = Image(header_.picture, Layout::rgba);
    std::memcpy(image_.data.data(), canvas, image_.data.size());
    return Rows{image_.size, image_.layout};
  }

  std::vector<std::byte> bytes_;
  const Control& control_;
  bool animated_ = false;
  bool covered_ = false;  ///< Of an animation: nothing is ever seen through its canvas, whatever the header says.
};

bool sniffs(std::span<const std::byte> head) { return has_bytes(head, 0, "RIFF") && has_bytes(head, 8, "WEBP"); }

Result<std::unique_ptr<Decoder>> open(const ByteReader& source, const Control& control) {
  MEDIA_TRY(control.check_memory(source.size(), "the WebP file"));
  MEDIA_TRY_ASSIGN(auto bytes, read_all(source, control.budget().max_source_bytes));
  auto decoder = std::make_unique<WebpDecoder>(std::move(bytes), control);
  MEDIA_TRY(decoder->open());
  return std::unique_ptr<Decoder>(std::move(decoder));
}

int go_on(int, const WebPPicture* picture) { return static_cast<const Control*>(picture->user_data)->must_stop() ? 0 : 1; }

struct DeleteMux {
  void operator()(WebPMux* mux) const { WebPMuxDelete(mux); }
};

/// The same file with chunks added.
Result<std::vector<std::byte>> with_metadata(const WebPMemoryWriter& file, const Encoding& encoding) {
  const auto view = [](std::span<const std::byte> bytes) {
    return WebPData{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  };
  const WebPData picture{file.mem, file.size};
  const std::unique_ptr<WebPMux, DeleteMux> mux(WebPMuxCreate(&picture, 0));
  if (!mux) return Error{Errc::internal, "encode WebP: no room for metadata"};
  const WebPData profile = view(encoding.profile);
  const WebPData exif = view(encoding.exif);
  if ((profile.size > 0 && WebPMuxSetChunk(mux.get(), "ICCP", &profile, 0) != WEBP_MUX_OK) ||
      (exif.size > 0 && WebPMuxSetChunk(mux.get(), "EXIF", &exif, 0) != WEBP_MUX_OK)) {
    return Error{Errc::internal, "encode WebP: the metadata was not taken"};
  }
  WebPData out{};
  if (WebPMuxAssemble(mux.get(), &out) != WEBP_MUX_OK) return Error{Errc::internal, "encode WebP: the file was not put together"};
  const auto* bytes = reinterpret_cast<const std::byte*>(out.bytes);
  std::vector<std::byte> result(bytes, bytes + out.size);
  WebPDataClear(&out);
  return result;
}

/// A picture to be encoded, and where its bytes go.
struct WebpEncoding {
  WebPConfig config{};
  WebPPicture picture{};
  WebPMemoryWriter writer{};

  WebpEncoding() { WebPMemoryWriterInit(&writer); }
  WebpEncoding(const WebpEncoding&) = delete;
  WebpEncoding& operator=(const WebpEncoding&) = delete;
  ~WebpEncoding() {
    WebPPictureFree(&picture);  // Planes that are the caller's are left alone.
    WebPMemoryWriterClear(&writer);
  }

  Result<void> begin(Size size, const Encoding& encoding, const Control& control) {
    if (size.width > WEBP_MAX_DIMENSION || size.height > WEBP_MAX_DIMENSION) {
      return Error{Errc::too_large, "a WebP has at most 16383 pixels a side"};
    }
    if (WebPConfigInit(&config) == 0 || WebPPictureInit(&picture) == 0) {
      return Error{Errc::internal, "encode WebP: the library is of another version"};
    }
    config.quality = static_cast<float>(encoding.quality);
    config.method = webp_settings::kMethod;
    config.thread_level = 0;
    picture.width = static_cast<int>(size.width);
    picture.height = static_cast<int>(size.height);
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = &writer;
    picture.progress_hook = go_on;
    picture.user_data = const_cast<Control*>(&control);
    return {};
  }

  Result<std::vector<std::byte>> finish(const Encoding& encoding, const Control& control) {
    if (WebPEncode(&config, &picture) == 0) {
      if (picture.error_code == VP8_ENC_ERROR_USER_ABORT) MEDIA_TRY(control.check());
      return Error{Errc::internal, "encode WebP: error " + std::to_string(picture.error_code)};
    }
    if (!encoding.profile.empty() || !encoding.exif.empty()) return with_metadata(writer, encoding);
    const auto* bytes = reinterpret_cast<const std::byte*>(writer.mem);
    return std::vector<std::byte>(bytes, bytes + writer.size);
  }
};

Result<void> import(const Image& image, WebPPicture& picture) {
  const auto stride = static_cast<int>(image.stride());
  const int imported = image.layout == Layout::rgba ? WebPPictureImportRGBA(&picture, image.data.data(), stride)
                                                    : WebPPictureImportRGB(&picture, image.data.data(), stride);
  if (imported == 0) return Error{Errc::too_large, "encode WebP: no memory"};
  return {};
}

Result<std::vector<std::byte>> encode(const Image& image, const Encoding& encoding, const Control& control) {
  if (image.layout == Layout::grey) return encode(grey_to_rgb(image), encoding, control);
  WebpEncoding webp;
  MEDIA_TRY(webp.begin(image.size, encoding, control));
  MEDIA_TRY(import(image, webp.picture));
  return webp.finish(encoding, control);
}

struct DeleteAnimEncoder {
  void operator()(WebPAnimEncoder* encoder) const { WebPAnimEncoderDelete(encoder); }
};

class WebpWriter final : public FrameWriter {
 public:
  WebpWriter(Size size, int quality, std::uint32_t plays, const Control& control)
      : size_(size), quality_(quality), plays_(plays), control_(control) {}

  Result<void> begin() {
    if (size_.width > WEBP_MAX_DIMENSION || size_.height > WEBP_MAX_DIMENSION) {
      return Error{Errc::too_large, "a WebP has at most 16383 pixels a side"};
    }
    WebPAnimEncoderOptions options{};
    if (WebPAnimEncoderOptionsInit(&options) == 0) return Error{Errc::internal, "encode WebP: the library is of another version"};
    constexpr std::uint32_t kMostPlays = 65'535;
    options.anim_params.loop_count = static_cast<int>(std::min(plays_, kMostPlays));
    encoder_.reset(WebPAnimEncoderNew(static_cast<int>(size_.width), static_cast<int>(size_.height), &options));
    if (!encoder_) return Error{Errc::too_large, "encode WebP: no memory"};
    return {};
  }

  Result<void> add(const Image& image, std::chrono::milliseconds shown) override {
    WebpEncoding webp;
    MEDIA_TRY(webp.begin(image.size, Encoding(quality_), control_));
    webp.picture.use_argb = 1;
    MEDIA_TRY(import(image, webp.picture));
    if (WebPAnimEncoderAdd(encoder_.get(), &webp.picture, static_cast<int>(until_), &webp.config) == 0) return failure();
    until_ += shown.count();
    constexpr std::int64_t kLongest = 0x7FFFFFFF;
    if (until_ > kLongest) return Error{Errc::too_large, "a WebP animation of more than 24 days"};
    return {};
  }

  Result<std::vector<std::byte>> finish() override {
    // The end of the last frame.
    if (WebPAnimEncoderAdd(encoder_.get(), nullptr, static_cast<int>(until_), nullptr) == 0) return failure();
    WebPData out{};
    WebPDataInit(&out);
    const std::unique_ptr<WebPData, decltype(&WebPDataClear)> clear(&out, WebPDataClear);
    if (WebPAnimEncoderAssemble(encoder_.get(), &out) == 0) return failure();
    const auto* bytes = reinterpret_cast<const std::byte*>(out.bytes);
    return std::vector<std::byte>(bytes, bytes + out.size);
  }

 private:
  Error failure() {
    // Stopped by the hook of a picture, which the library tells as any other error.
    if (auto checked = control_.check(); !checked) return std::move(checked).error();
    return {Errc::internal, "encode WebP: " + std::string(WebPAnimEncoderGetError(encoder_.get()))};
  }

  Size size_;
  int quality_;
  std::uint32_t plays_;
  const Control& control_;
  std::unique_ptr<WebPAnimEncoder, DeleteAnimEncoder> encoder_;
  std::int64_t until_ = 0;
};

Result<std::unique_ptr<FrameWriter>> animate(Size size, int quality, std::uint32_t plays, const Control& control) {
  auto writer = std::make_unique<WebpWriter>(size, quality, plays, control);
  MEDIA_TRY(writer->begin());
  return std::unique_ptr<FrameWriter>(std::move(writer));
}

/// Full range to the range of video, in which WebP keeps its planes: 16 to 235, and 16 to 240 for colour.
std::array<std::uint8_t, 256> narrow_range(int zero_from, int zero_to, int steps) {
  std::array<std::uint8_t, 256> table{};
  for (int code = 0; code < 256; ++code) {
    const int scaled = (code - zero_from) * steps;
    table[static_cast<std::size_t>(code)] = static_cast<std::uint8_t>(zero_to + (scaled >= 0 ? scaled + 127 : scaled - 127) / 255);
  }
  return table;
}

Result<std::vector<std::byte>> encode_planes(const Planes& planes, const Encoding& encoding, const Control& control) {
  static const std::array<std::uint8_t, 256> kBrightness = narrow_range(0, 16, 219);
  static const std::array<std::uint8_t, 256> kColour = narrow_range(128, 128, 224);
  std::array<std::vector<std::uint8_t>, 3> narrow;
  for (std::size_t plane = 0; plane < narrow.size(); ++plane) {
    const auto& table = plane == 0 ? kBrightness : kColour;
    narrow[plane].resize(planes.data[plane].size());
    std::transform(planes.data[plane].begin(), planes.data[plane].end(), narrow[plane].begin(),
                   [&](std::uint8_t code) { return table[code]; });
  }
  WebpEncoding webp;
  MEDIA_TRY(webp.begin(planes.size, encoding, control));
  webp.picture.use_argb = 0;
  webp.picture.colorspace = WEBP_YUV420;
  webp.picture.y = narrow[0].data();
  webp.picture.u = narrow[1].data();
  webp.picture.v = narrow[2].data();
  webp.picture.y_stride = static_cast<int>(planes.size.width);
  webp.picture.uv_stride = static_cast<int>(planes.plane_size(1).width);
  return webp.finish(encoding, control);
}

std::string version() {
  const int number = WebPGetEncoderVersion();
  return "libwebp-" + std::to_string(number >> 16) + "." + std::to_string((number >> 8) & 0xFF) + "." + std::to_string(number & 0xFF) +
         "/m" + std::to_string(webp_settings::kMethod) + "/" + std::to_string(webp_settings::kRevision);
}

}  // namespace

const Codec kWebp{Format::webp, sniffs, open, encode, encode_planes, version, animate};

}  // namespace media::image

// JPEG in, by libjpeg-turbo: row by row in RGB, grey or CMYK. The usual ones have planes to give as well (jpeg_planes.cpp).
#include <memory>
#include <string>
#include <utility>

#include "image/exif.hpp"
#include "image/format.hpp"
#include "image/jpeg.hpp"
#include "image/jpeg_planes.hpp"
#include "image/jpeg_reader.hpp"

namespace media::image {
namespace {

class JpegDecoder final : public Decoder {
 public:
  JpegDecoder(const ByteReader& source, const Control& control) : reader_(source, control) {}

  Result<void> open() {
    MEDIA_TRY(reader_.read_header());
    const jpeg_decompress_struct& codec = reader_.codec();
    switch (codec.jpeg_color_space) {
      case JCS_GRAYSCALE:
        layout_ = Layout::grey;
        break;
      case JCS_RGB:
      case JCS_YCbCr:
        layout_ = Layout::rgb;
        break;
      case JCS_CMYK:
      case JCS_YCCK:
        layout_ = Layout::cmyk;
        break;
      default:
        return Error{Errc::unsupported, "JPEG: " + std::to_string(codec.num_components) + " components of unknown meaning"};
    }
    header_.info.format = Format::jpeg;
    header_.info.width = codec.image_width;
    header_.info.height = codec.image_height;
    header_.picture = {codec.image_width, codec.image_height};
    read_exif();
    MEDIA_TRY_ASSIGN(header_.profile, reader_.read_profile());
    return reader_.control().check_pixels(header_.picture, "the JPEG");
  }

  PlaneDecoder* planes() noexcept override {
    if (!JpegPlanes::fits(reader_.codec())) return nullptr;
    if (!planes_) planes_ = std::make_unique<JpegPlanes>(reader_);
    return planes_.get();
  }

  [[nodiscard]] Size size_for(Size wanted) const override {
    const auto eighths = static_cast<std::uint32_t>(jpeg_scale(header_.picture, wanted));
    return {(header_.picture.width * eighths + 7) / 8, (header_.picture.height * eighths + 7) / 8};
  }

  Result<Rows> start(Size wanted) override {
    jpeg_decompress_struct& codec = reader_.codec();
    codec.scale_num = static_cast<unsigned>(jpeg_scale(header_.picture, wanted));
    codec.scale_denom = 8;
    codec.out_color_space = layout_ == Layout::grey ? JCS_GRAYSCALE : (layout_ == Layout::rgb ? JCS_RGB : JCS_CMYK);
    // A picture of several scans is held whole, as coefficients of 16 bits, before its first row.
    const bool held = jpeg_has_multiple_scans(&codec) != FALSE;
    if (held) MEDIA_TRY(reader_.control().check_memory(reader_.coefficient_bytes(), "the JPEG"));
    MEDIA_TRY(reader_.start());
    // With several scans all of the file has been read by now; its end tells whether scans are missing.
    if (held && reader_.ended()) return JpegReader::truncation();
    return Rows{{codec.output_width, codec.output_height}, layout_};
  }

  Result<void> read_row(std::span<std::uint8_t> row) override {
    MEDIA_TRY(reader_.read_line(row.data()));
    if (reader_.truncated()) return JpegReader::truncation();
    // Adobe writes how much paper shows, not how much ink there is.
    if (layout_ == Layout::cmyk && reader_.codec().saw_Adobe_marker != FALSE) {
      for (std::uint8_t& value : row) value = static_cast<std::uint8_t>(255 - value);
    }
    return {};
  }

 private:
  void read_exif() {
    for (const jpeg_marker_struct* marker = reader_.codec().marker_list; marker != nullptr; marker = marker->next) {
      const std::span<const std::byte> data(reinterpret_cast<const std::byte*>(marker->data), marker->data_length);
      if (marker->marker == JPEG_APP0 + 1 && has_bytes(data, 0, std::string_view("Exif\0\0", 6))) {
        header_.info.orientation = exif_orientation(data);
        header_.credit = exif_credit(data);
        return;
      }
    }
  }

  JpegReader reader_;
  std::unique_ptr<JpegPlanes> planes_;
  Layout layout_ = Layout::rgb;
};

bool sniffs(std::span<const std::byte> head) { return has_bytes(head, 0, "\xFF\xD8\xFF"); }

Result<std::unique_ptr<Decoder>> open(const ByteReader& source, const Control& control) {
  auto decoder = std::make_unique<JpegDecoder>(source, control);
  MEDIA_TRY(decoder->open());
  return std::unique_ptr<Decoder>(std::move(decoder));
}

}  // namespace

int jpeg_scale(Size picture, Size wanted) noexcept {
  // Only these scales have SIMD code in libjpeg-turbo; 3, 5, 6 and 7 eighths cost more than the next of these.
  for (const unsigned eighths : {1U, 2U, 4U}) {
    const double reserve = eighths == 4 ? kJpegReserveAtHalf : kJpegReserve;
    const auto enough = [&](std::uint32_t side, std::uint32_t target) {
      return (std::uint64_t{side} * eighths + 7) / 8 >= static_cast<std::uint64_t>(reserve * target);
    };
    if (enough(picture.width, wanted.width) && enough(picture.height, wanted.height)) return static_cast<int>(eighths);
  }
  return 8;
}

const Codec kJpeg{Format::jpeg, sniffs, open, encode_jpeg, encode_jpeg_planes, jpeg_version};

}  // namespace media::image

/// What an image format is to the pipeline. One file for each, all of them listed in formats.cpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "image/control.hpp"
#include "image/exif.hpp"
#include "image/pixels.hpp"
#include "image/planes.hpp"
#include "media/io.hpp"
#include "media/media_info.hpp"
#include "media/result.hpp"

namespace media::image {

/// What the codec says of a picture before it decodes pixels.
struct Header {
  MediaInfo info;
  /// Of the rows at full scale: as `info` says, less a crop that the file itself asks for. Before orientation.
  Size picture;
  /// ICC profile of the pixels; empty where there is none.
  std::vector<std::byte> profile;
  Credit credit;
};

/// The rows that a decoder is going to give.
struct Rows {
  Size size;
  Layout layout = Layout::rgb;
};

/// One picture of an animation: the canvas as it is seen then, not only what changes.
struct Frame {
  Image image;  ///< Of the size of `Header::picture`, `rgb` or `rgba`; all of an animation are of one layout.
  std::chrono::milliseconds shown{0};
};

/// The frames of an animation, one after the other: only what is needed to compose the next one is held.
///
/// Thread-safety: none; it holds a codec's state.
class FrameReader {
 public:
  virtual ~FrameReader() = default;
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;

  /// How often the animation is played; 0: for ever.
  [[nodiscard]] std::uint32_t plays() const noexcept { return plays_; }
  /// As many as the file says or shows without decoding.
  [[nodiscard]] std::uint32_t frames() const noexcept { return frames_; }
  /// Memory that is held from frame to frame.
  [[nodiscard]] virtual std::uint64_t working_bytes() const noexcept = 0;
  /// True where frames come no larger than the outputs need: then it is these that a budget of pixels counts.
  [[nodiscard]] virtual bool are_reduced() const noexcept { return false; }
  /// The next frame, nothing after the last. Errors as `Decoder::start`'s.
  virtual Result<std::optional<Frame>> next() = 0;

 protected:
  FrameReader() = default;
  std::uint32_t plays_ = 0;
  std::uint32_t frames_ = 1;
};

/// Takes the frames of an animation, one after the other.
///
/// Thread-safety: none; it holds a codec's state.
class FrameWriter {
 public:
  virtual ~FrameWriter() = default;
  FrameWriter(const FrameWriter&) = delete;
  FrameWriter& operator=(const FrameWriter&) = delete;

  /// All images are of one size and layout. Errors: `too_large`, `cancelled`, `internal`.
  virtual Result<void> add(const Image& image, std::chrono::milliseconds shown) = 0;
  /// Once, after the last frame, of which there is at least one.
  virtual Result<std::vector<std::byte>> finish() = 0;

 protected:
  FrameWriter() = default;
};

/// What a decoder is whose file keeps more than 8 bits of a sample: its rows as they are, never reduced.
///
/// Thread-safety: none; it holds a codec's state.
class DeepDecoder {
 public:
  virtual ~DeepDecoder() = default;
  DeepDecoder(const DeepDecoder&) = delete;
  DeepDecoder& operator=(const DeepDecoder&) = delete;

  /// Once, instead of `Decoder::start`, and as that: the rows are of the size of `Header::picture`.
  virtual Result<Rows> start_deep() = 0;
  /// The next row, from the top; `row` has width x channels samples, of which 65535 is white and opaque. Errors as `Decoder::start`'s.
  virtual Result<void> read_deep_row(std::span<std::uint16_t> row) = 0;

 protected:
  DeepDecoder() = default;
};

/// One opened picture. Its limits have been checked by whoever made it: `header().info` passes the pixel budget.
/// It may refer to the ByteReader and the Control that it was opened with.
///
/// Thread-safety: none; it holds a codec's state.
class Decoder {
 public:
  virtual ~Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  [[nodiscard]] const Header& header() const noexcept { return header_; }
  /// The same picture by its planes, to be used instead of this one's rows; part of the decoder. Null where it has none to give.
  virtual PlaneDecoder* planes() noexcept { return nullptr; }
  /// The same picture in 16 bits a sample; part of the decoder. Null where 8 hold all that there is.
  virtual DeepDecoder* deep() noexcept { return nullptr; }
  /// The size of the rows that `start` would give: it, and nothing else of `wanted`, decides about them.
  [[nodiscard]] virtual Size size_for(Size /*wanted*/) const { return header_.picture; }
  /// All frames, from the first one on, whether or not rows have been read before; refers to this decoder. Null where the file is of
  /// one frame. Errors as `start`'s.
  virtual Result<std::unique_ptr<FrameReader>> frames() { return std::unique_ptr<FrameReader>(); }
  /// Once, before the first row. `wanted` is the size at which the whole picture is going to be used: a codec that can
  /// decode to a smaller size picks one from which that is made well. Errors: `corrupt`, `too_large`, `cancelled`, `unsupported`.
  virtual Result<Rows> start(Size wanted) = 0;
  /// The next row, from the top; `row` has width x channels bytes. Errors as `start`'s.
  virtual Result<void> read_row(std::span<std::uint8_t> row) = 0;

 protected:
  Decoder() = default;
  Header header_;
};

/// A decoder that has the whole picture in memory after `start`.
class WholeDecoder : public Decoder {
 public:
  Result<void> read_row(std::span<std::uint8_t> row) final;

 protected:
  Image image_;

 private:
  std::uint32_t next_ = 0;
};

/// How a picture is encoded, and what is written beside its pixels. It refers to memory of its maker's.
struct Encoding {
  // NOLINTNEXTLINE(google-explicit-constructor): a quality alone is the usual case.
  Encoding(int encoding_quality) : quality(encoding_quality) {}

  int quality;  ///< 1 to 100; PNG has none.
  /// An ICC profile of RGB, for rgb and rgba; empty: the pixels are sRGB, and nothing says so but the format's own fields.
  std::span<const std::byte> profile{};
  /// A TIFF structure (credit_block); empty: none.
  std::span<const std::byte> exif{};
};

struct Codec {
  Format format;
  /// True where the first bytes of a file (up to kSniffBytes, fewer of a short file) are this format's.
  bool (*sniffs)(std::span<const std::byte> head);
  /// Errors: `corrupt`, `unsupported`, `too_large`, and the reader's own.
  Result<std::unique_ptr<Decoder>> (*open)(const ByteReader& source, const Control& control);
  /// Null where this build only reads the format. `image` is grey, rgb or rgba. The result holds no metadata but what
  /// `encoding` gives it. Errors: `too_large`, `cancelled`, `internal`.
  Result<std::vector<std::byte>> (*encode)(const Image& image, const Encoding& encoding, const Control& control);
  /// The same of planes with half of the colour, which are sRGB; null where the format does not keep pictures so.
  Result<std::vector<std::byte>> (*encode_planes)(const Planes& planes, const Encoding& encoding, const Control& control);
  /// Names encoder, version and settings; null as `encode`.
  std::string (*version)();
  /// Begins an animation that is played so often (0: for ever); null where this build writes none. Images and errors as `encode`'s.
  Result<std::unique_ptr<FrameWriter>> (*animate)(Size size, int quality, std::uint32_t plays, const Control& control) = nullptr;
  /// Loads what the library would look for in files while it decodes; null where it looks for none.
  void (*load)() = nullptr;
  /// As `encode`, at 10 bits a sample; null where the format keeps no more than 8.
  Result<std::vector<std::byte>> (*encode_deep)(const DeepImage& image, const Encoding& encoding, const Control& control) = nullptr;
};

inline constexpr std::size_t kSniffBytes = 256;

/// The codecs of this build.
std::span<const Codec> codecs() noexcept;
/// Has every codec load what it needs from files: for a process that is about to give up opening any.
void load_codecs() noexcept;
/// Null where there is none.
const Codec* find_codec(Format format) noexcept;

/// True where `head` has these bytes at `offset`.
bool has_bytes(std::span<const std::byte> head, std::size_t offset, std::string_view bytes) noexcept;
/// True where `head` begins with an ISO base media `ftyp` box that names one of these brands, as its major brand or among the
/// compatible ones.
bool has_brand(std::span<const std::byte> head, std::span<const std::string_view> brands) noexcept;

extern const Codec kJpeg;
extern const Codec kPng;
extern const Codec kWebp;
extern const Codec kAvif;
extern const Codec kGif;
extern const Codec kBmp;
extern const Codec kHeic;
extern const Codec kTiff;

}  // namespace media::image

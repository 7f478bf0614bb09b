#include "cage/wire.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "image/describe.hpp"
#include "image/transform_limits.hpp"

namespace media::cage {
namespace {

constexpr std::uint32_t kMagic = 0x6d63'6731;  // "mcg1"
constexpr std::size_t kMaxVersionText = 64;
/// Transforms' scores are tenths below this, that is, below 100.
constexpr std::uint32_t kScoreOfEqual = 1000;
/// Scores reached travel as whole numbers of thousandths.
constexpr std::uint32_t kScoreSteps = 1000;
constexpr std::size_t kColourText = 7;  // "#rrggbb"
constexpr std::size_t kMaxThumbhashBytes = 25;
/// No format of ours has longer sides (JPEG has the longest: 65,535).
constexpr std::uint32_t kMaxOutputSide = 65'535;
/// Far beyond every real one, and small enough to be added to any clock without overflow.
constexpr std::uint64_t kMaxMilliseconds = 1ULL << 53U;

class Writer {
 public:
  template <class T>
    requires std::is_unsigned_v<T>
  void put(T value) {
    for (std::size_t i = 0; i < sizeof value; ++i) bytes_.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >> 8U * i));
  }
  void put(std::string_view text) { put(std::as_bytes(std::span(text))); }
  void put(std::span<const std::byte> bytes) {
    put(static_cast<std::uint32_t>(bytes.size()));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

/// Takes fields off the front. The first one that is not there makes the whole message bad, which is asked once, at the end.
class Fields {
 public:
  explicit Fields(std::span<const std::byte> bytes) : rest_(bytes) {}

  template <class T>
    requires std::is_unsigned_v<T>
  T get() {
    if (rest_.size() < sizeof(T)) {
      good_ = false;
      rest_ = {};
      return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) value |= std::to_integer<std::uint64_t>(rest_[i]) << 8U * i;
    rest_ = rest_.subspan(sizeof(T));
    return static_cast<T>(value);
  }
  std::vector<std::byte> get_bytes(std::size_t max_bytes) {
    const auto taken = take_counted(max_bytes);
    return {taken.begin(), taken.end()};
  }
  std::string get_text(std::size_t max_bytes) {
    const auto taken = take_counted(max_bytes);
    std::string text(taken.size(), '\0');
    if (!taken.empty()) std::memcpy(text.data(), taken.data(), taken.size());
    return text;
  }
  bool get_bool() {
    const auto value = get<std::uint8_t>();
    good_ = good_ && value <= 1;
    return value == 1;
  }
  void require(bool condition) { good_ = good_ && condition; }
  /// Nothing missing, nothing out of range, nothing left over.
  [[nodiscard]] bool complete() const { return good_ && rest_.empty(); }
  [[nodiscard]] bool good() const { return good_; }

 private:
  std::span<const std::byte> take_counted(std::size_t max_bytes) {
    const auto size = get<std::uint32_t>();
    if (size > max_bytes || size > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    const auto taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }

  std::span<const std::byte> rest_;
  bool good_ = true;
};

Error malformed(std::string_view what) {
  return Error{Errc::corrupt, "malformed message between library and worker: " + std::string(what)};
}

template <class Enum>
Enum get_enum(Fields& fields, Enum last) {
  const auto value = fields.get<std::uint8_t>();
  fields.require(value <= static_cast<std::uint8_t>(last));
  return fields.good() ? static_cast<Enum>(value) : Enum{};
}

std::uint64_t to_wire(std::chrono::milliseconds time) { return static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0)); }

std::chrono::milliseconds get_milliseconds(Fields& fields) {
  const auto count = fields.get<std::uint64_t>();
  fields.require(count <= kMaxMilliseconds);
  return std::chrono::milliseconds(fields.good() ? static_cast<std::int64_t>(count) : 0);
}

void put_info(Writer& writer, const MediaInfo& info) {
  writer.put(static_cast<std::uint8_t>(info.format));
  writer.put(info.width);
  writer.put(info.height);
  writer.put(info.frames);
  writer.put(info.orientation);
  writer.put(static_cast<std::uint8_t>(info.has_alpha));
  writer.put(static_cast<std::uint8_t>(info.duration.has_value()));
  writer.put(to_wire(info.duration.value_or(std::chrono::milliseconds(0))));
}

MediaInfo get_info(Fields& fields) {
  MediaInfo info;
  info.format = get_enum(fields, Format::ogg);
  info.width = fields.get<std::uint32_t>();
  info.height = fields.get<std::uint32_t>();
  info.frames = fields.get<std::uint32_t>();
  info.orientation = fields.get<std::uint8_t>();
  fields.require(info.orientation >= 1 && info.orientation <= 8);
  info.has_alpha = fields.get_bool();
  const bool has_duration = fields.get_bool();
  const auto duration = get_milliseconds(fields);
  if (has_duration) info.duration = duration;
  return info;
}

void put_transform(Writer& writer, const Transform& transform) {
  writer.put(transform.width);
  writer.put(transform.height);
  writer.put(static_cast<std::uint8_t>(transform.fit));
  writer.put(static_cast<std::uint8_t>(transform.format));
  writer.put(transform.quality);
  writer.put(static_cast<std::uint32_t>(transform.score));
  writer.put(transform.max_bytes);
  writer.put(static_cast<std::uint8_t>(transform.enlarge));
  writer.put(static_cast<std::uint8_t>(transform.background.has_value()));
  const Colour colour = transform.background.value_or(Colour{});
  writer.put(colour.red);
  writer.put(colour.green);
  writer.put(colour.blue);
  writer.put(transform.gravity.x);
  writer.put(transform.gravity.y);
  writer.put(static_cast<std::uint8_t>(transform.gravity.smart));
  writer.put(transform.dpr_hundredths);
  writer.put(transform.rotate_degrees);
  writer.put(static_cast<std::uint8_t>(transform.flip_horizontal));
  writer.put(static_cast<std::uint8_t>(transform.flip_vertical));
  writer.put(transform.trim);
  writer.put(transform.sharpen_hundredths);
  writer.put(transform.sharpen_sigma_hundredths);
  writer.put(transform.blur_hundredths);
  writer.put(static_cast<std::uint8_t>(transform.keep_profile));
  writer.put(static_cast<std::uint8_t>(transform.keep_copyright));
  writer.put(static_cast<std::uint8_t>(transform.frames));
  writer.put(static_cast<std::uint8_t>(transform.at.has_value()));
  writer.put(to_wire(transform.at.value_or(std::chrono::milliseconds(0))));
  writer.put(static_cast<std::uint8_t>(transform.keep_codecs));
  writer.put(transform.depth);
}

Transform get_transform(Fields& fields) {
  Transform transform;
  transform.width = fields.get<std::uint32_t>();
  transform.height = fields.get<std::uint32_t>();
  transform.fit = get_enum(fields, Fit::pad);
  transform.format = get_enum(fields, Format::ogg);
  transform.quality = fields.get<std::uint8_t>();
  const auto score = fields.get<std::uint32_t>();
  fields.require(score < kScoreOfEqual);
  transform.score = static_cast<std::uint16_t>(score);
  transform.max_bytes = fields.get<std::uint32_t>();
  transform.enlarge = fields.get_bool();
  const bool has_background = fields.get_bool();
  Colour colour;
  colour.red = fields.get<std::uint8_t>();
  colour.green = fields.get<std::uint8_t>();
  colour.blue = fields.get<std::uint8_t>();
  if (has_background) transform.background = colour;
  transform.gravity.x = fields.get<std::uint16_t>();
  transform.gravity.y = fields.get<std::uint16_t>();
  transform.gravity.smart = fields.get_bool();
  transform.dpr_hundredths = fields.get<std::uint16_t>();
  transform.rotate_degrees = fields.get<std::uint16_t>();
  transform.flip_horizontal = fields.get_bool();
  transform.flip_vertical = fields.get_bool();
  transform.trim = fields.get<std::uint8_t>();
  transform.sharpen_hundredths = fields.get<std::uint16_t>();
  transform.sharpen_sigma_hundredths = fields.get<std::uint16_t>();
  transform.blur_hundredths = fields.get<std::uint16_t>();
  transform.keep_profile = fields.get_bool();
  transform.keep_copyright = fields.get_bool();
  transform.frames = get_enum(fields, Frames::sheet);
  const bool has_moment = fields.get_bool();
  const auto moment = get_milliseconds(fields);
  if (has_moment) transform.at = moment;
  transform.keep_codecs = fields.get_bool();
  transform.depth = fields.get<std::uint8_t>();
  fields.require(image::edits_are_in_range(transform));
  return transform;
}

bool is_colour(std::string_view text) {
  return text.size() == kColourText && text.front() == '#' &&
         std::all_of(text.begin() + 1, text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

void put_appearance(Writer& writer, const Appearance& appearance) {
  writer.put(std::span<const std::byte>(appearance.thumbhash));
  writer.put(std::string_view(appearance.dominant_colour));
  writer.put(static_cast<std::uint8_t>(appearance.perceptual_hash.has_value()));
  writer.put(appearance.perceptual_hash.value_or(PerceptualHash{}).bits);
}

Appearance get_appearance(Fields& fields) {
  Appearance appearance;
  appearance.thumbhash = fields.get_bytes(kMaxThumbhashBytes);
  appearance.dominant_colour = fields.get_text(kColourText);
  const bool has_hash = fields.get_bool();
  const PerceptualHash hash{fields.get<std::uint64_t>()};
  if (appearance.known()) {
    fields.require(image::is_thumbhash(appearance.thumbhash) && is_colour(appearance.dominant_colour));
  } else {
    fields.require(appearance.dominant_colour.empty() && !has_hash);
  }
  fields.require(has_hash || hash.bits == 0);
  if (has_hash) appearance.perceptual_hash = hash;
  return appearance;
}

}  // namespace

std::array<std::byte, kHeadBytes> write_head(const MessageHead& head) {
  Writer writer;
  writer.put(kMagic);
  writer.put(static_cast<std::uint32_t>(head.kind));
  writer.put(head.length);
  const auto bytes = writer.take();
  std::array<std::byte, kHeadBytes> out{};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

Result<MessageHead> parse_head(std::span<const std::byte, kHeadBytes> bytes) {
  Fields fields(bytes);
  if (fields.get<std::uint32_t>() != kMagic) return malformed("no magic");
  const auto kind = fields.get<std::uint32_t>();
  if (kind < static_cast<std::uint32_t>(MessageKind::hello) || kind > static_cast<std::uint32_t>(MessageKind::encode)) {
    return malformed("unknown kind");
  }
  const auto length = fields.get<std::uint32_t>();
  if (length > kMaxMessageBytes) return malformed("over-long");
  return MessageHead{static_cast<MessageKind>(kind), length};
}

std::vector<std::byte> write_hello(const Hello& hello) {
  Writer writer;
  writer.put(hello.protocol);
  writer.put(std::string_view(hello.version).substr(0, kMaxVersionText));
  return writer.take();
}

Result<Hello> parse_hello(std::span<const std::byte> payload) {
  Fields fields(payload);
  Hello hello;
  hello.protocol = fields.get<std::uint32_t>();
  hello.version = fields.get_text(kMaxVersionText);
  fields.require(std::all_of(hello.version.begin(), hello.version.end(), [](char c) { return c > ' ' && c <= '~'; }));
  if (!fields.complete()) return malformed("hello");
  return hello;
}

std::vector<std::byte> write_request(const Request& request) {
  Writer writer;
  writer.put(request.source_bytes);
  writer.put(request.budget.max_pixels);
  writer.put(request.budget.max_memory_bytes);
  writer.put(request.budget.max_source_bytes);
  writer.put(request.budget.max_output_bytes);
  writer.put(to_wire(request.budget.deadline));
  writer.put(static_cast<std::uint8_t>(request.search_time.has_value()));
  writer.put(to_wire(request.search_time.value_or(std::chrono::milliseconds(0))));
  writer.put(request.budget.max_frames);
  writer.put(request.budget.max_total_pixels);
  writer.put(static_cast<std::uint32_t>(request.transforms.size()));
  for (const Transform& transform : request.transforms) put_transform(writer, transform);
  return writer.take();
}

Result<Request> parse_request(std::span<const std::byte> payload) {
  Fields fields(payload);
  Request request;
  request.source_bytes = fields.get<std::uint64_t>();
  request.budget.max_pixels = fields.get<std::uint64_t>();
  request.budget.max_memory_bytes = fields.get<std::uint64_t>();
  request.budget.max_source_bytes = fields.get<std::uint64_t>();
  request.budget.max_output_bytes = fields.get<std::uint64_t>();
  request.budget.deadline = get_milliseconds(fields);
  const bool has_search_time = fields.get_bool();
  const auto search_time = get_milliseconds(fields);
  if (has_search_time) request.search_time = search_time;
  request.budget.max_frames = fields.get<std::uint32_t>();
  request.budget.max_total_pixels = fields.get<std::uint64_t>();
  const auto count = fields.get<std::uint32_t>();
  if (count > kMaxTransforms) return malformed("request with too many transforms");
  for (std::uint32_t i = 0; i < count && fields.good(); ++i) request.transforms.push_back(get_transform(fields));
  if (!fields.complete()) return malformed("request");
  return request;
}

std::vector<std::byte> write_progress(double share) {
  Writer writer;
  writer.put(std::bit_cast<std::uint64_t>(share));
  return writer.take();
}

Result<double> parse_progress(std::span<const std::byte> payload) {
  Fields fields(payload);
  const auto share = std::bit_cast<double>(fields.get<std::uint64_t>());
  if (!fields.complete() || !std::isfinite(share) || share < 0 || share > 1) return malformed("progress");
  return share;
}

std::vector<std::byte> write_error(const Error& error) {
  Writer writer;
  writer.put(static_cast<std::uint8_t>(error.code));
  writer.put(std::string_view(error.message).substr(0, kMaxErrorText));
  return writer.take();
}

Result<void> parse_error(std::span<const std::byte> payload, Error& into) {
  Fields fields(payload);
  const Errc code = get_enum(fields, Errc::internal);
  std::string text = fields.get_text(kMaxErrorText);
  if (!fields.complete()) return malformed("error");
  const bool honest = code == Errc::invalid_argument || code == Errc::unsupported || code == Errc::corrupt || code == Errc::too_large;
  std::replace_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  into = Error{honest ? code : Errc::internal, std::move(text)};
  return {};
}

std::vector<std::byte> write_info(const MediaInfo& info) {
  Writer writer;
  put_info(writer, info);
  return writer.take();
}

Result<MediaInfo> parse_info(std::span<const std::byte> payload) {
  Fields fields(payload);
  const MediaInfo info = get_info(fields);
  if (!fields.complete()) return malformed("info");
  return info;
}

std::vector<std::byte> write_derived(const Derived& derived) {
  Writer writer;
  put_info(writer, derived.source);
  writer.put(std::string_view(derived.placeholder));
  put_appearance(writer, derived.appearance);
  writer.put(static_cast<std::uint32_t>(derived.outputs.size()));
  for (const Encoded& output : derived.outputs) {
    writer.put(output.width);
    writer.put(output.height);
    writer.put(output.quality);
    writer.put(static_cast<std::uint32_t>(std::lround(output.score * kScoreSteps)));
    writer.put(static_cast<std::uint64_t>(output.bytes.size()));
  }
  return writer.take();
}

Result<DerivedHead> parse_derived(std::span<const std::byte> payload, std::size_t transforms, std::uint64_t max_output_bytes) {
  Fields fields(payload);
  DerivedHead head;
  head.source = get_info(fields);
  head.placeholder = fields.get_text(kColourText);
  fields.require(head.placeholder.empty() || is_colour(head.placeholder));
  head.appearance = get_appearance(fields);
  if (fields.get<std::uint32_t>() != transforms) return malformed("wrong number of outputs");
  for (std::size_t i = 0; i < transforms && fields.good(); ++i) {
    DerivedHead::Output output;
    output.width = fields.get<std::uint32_t>();
    output.height = fields.get<std::uint32_t>();
    output.quality = fields.get<std::uint8_t>();
    const auto score = fields.get<std::uint32_t>();
    fields.require(output.quality <= 100 && score <= 100 * kScoreSteps);
    output.score = static_cast<double>(score) / kScoreSteps;
    output.size_bytes = fields.get<std::uint64_t>();
    fields.require(output.width >= 1 && output.width <= kMaxOutputSide && output.height >= 1 && output.height <= kMaxOutputSide);
    fields.require(output.size_bytes >= 1 && output.size_bytes <= max_output_bytes);
    head.outputs.push_back(output);
  }
  if (!fields.complete()) return malformed("description of the outputs");
  return head;
}

std::vector<std::byte> write_piece(const Piece& piece) {
  Writer writer;
  writer.put(piece.offset);
  auto bytes = writer.take();
  bytes.insert(bytes.end(), piece.bytes.begin(), piece.bytes.end());
  return bytes;
}

Result<Piece> parse_piece(std::span<const std::byte> payload, std::uint64_t max_bytes) {
  Fields fields(payload);
  Piece piece;
  piece.offset = fields.get<std::uint64_t>();
  if (!fields.good() || payload.size() <= sizeof piece.offset) return malformed("piece of a video");
  piece.bytes = payload.subspan(sizeof piece.offset);
  if (piece.offset > max_bytes || piece.bytes.size() > max_bytes - piece.offset) return malformed("piece beyond the end of a video");
  return piece;
}

std::vector<std::byte> write_encoded(const EncodedHead& head) {
  Writer writer;
  put_info(writer, head.source);
  writer.put(head.width);
  writer.put(head.height);
  writer.put(to_wire(head.lost_sound));
  return writer.take();
}

Result<EncodedHead> parse_encoded(std::span<const std::byte> payload) {
  Fields fields(payload);
  EncodedHead head;
  head.source = get_info(fields);
  head.width = fields.get<std::uint32_t>();
  head.height = fields.get<std::uint32_t>();
  head.lost_sound = get_milliseconds(fields);
  fields.require(head.width >= 1 && head.width <= kMaxOutputSide && head.height >= 1 && head.height <= kMaxOutputSide);
  if (!fields.complete()) return malformed("description of a video");
  return head;
}

}  // namespace media::cage

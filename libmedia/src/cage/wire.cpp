#include "cage/wire.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace media::cage {
namespace {

constexpr std::uint32_t kMagic = 0x6d63'6731;  // "mcg1"
constexpr std::size_t kMaxVersionText = 64;
constexpr std::size_t kPlaceholderText = 7;  // "#rrggbb"
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
  void put(std::string_view text) {
    put(static_cast<std::uint32_t>(text.size()));
    for (const char c : text) bytes_.push_back(static_cast<std::byte>(c));
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
  std::string get_text(std::size_t max_bytes) {
    const auto size = get<std::uint32_t>();
    if (size > max_bytes || size > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    std::string text(size, '\0');
    if (size > 0) std::memcpy(text.data(), rest_.data(), size);
    rest_ = rest_.subspan(size);
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
  writer.put(static_cast<std::uint8_t>(transform.enlarge));
  writer.put(static_cast<std::uint8_t>(transform.background.has_value()));
  const Colour colour = transform.background.value_or(Colour{});
  writer.put(colour.red);
  writer.put(colour.green);
  writer.put(colour.blue);
  writer.put(static_cast<std::uint8_t>(transform.frames));
}

Transform get_transform(Fields& fields) {
  Transform transform;
  transform.width = fields.get<std::uint32_t>();
  transform.height = fields.get<std::uint32_t>();
  transform.fit = get_enum(fields, Fit::inside);
  transform.format = get_enum(fields, Format::ogg);
  transform.quality = fields.get<std::uint8_t>();
  transform.enlarge = fields.get_bool();
  const bool has_background = fields.get_bool();
  Colour colour;
  colour.red = fields.get<std::uint8_t>();
  colour.green = fields.get<std::uint8_t>();
  colour.blue = fields.get<std::uint8_t>();
  if (has_background) transform.background = colour;
  transform.frames = get_enum(fields, Frames::all);
  return transform;
}

bool is_placeholder(std::string_view text) {
  if (text.empty()) return true;
  return text.size() == kPlaceholderText && text.front() == '#' &&
         std::all_of(text.begin() + 1, text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
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
  if (kind < static_cast<std::uint32_t>(MessageKind::hello) || kind > static_cast<std::uint32_t>(MessageKind::derived)) {
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
  writer.put(static_cast<std::uint32_t>(derived.outputs.size()));
  for (const Encoded& output : derived.outputs) {
    writer.put(output.width);
    writer.put(output.height);
    writer.put(static_cast<std::uint64_t>(output.bytes.size()));
  }
  return writer.take();
}

Result<DerivedHead> parse_derived(std::span<const std::byte> payload, std::size_t transforms, std::uint64_t max_output_bytes) {
  Fields fields(payload);
  DerivedHead head;
  head.source = get_info(fields);
  head.placeholder = fields.get_text(kPlaceholderText);
  fields.require(is_placeholder(head.placeholder));
  if (fields.get<std::uint32_t>() != transforms) return malformed("wrong number of outputs");
  for (std::size_t i = 0; i < transforms && fields.good(); ++i) {
    DerivedHead::Output output;
    output.width = fields.get<std::uint32_t>();
    output.height = fields.get<std::uint32_t>();
    output.size_bytes = fields.get<std::uint64_t>();
    fields.require(output.width >= 1 && output.width <= kMaxOutputSide && output.height >= 1 && output.height <= kMaxOutputSide);
    fields.require(output.size_bytes >= 1 && output.size_bytes <= max_output_bytes);
    head.outputs.push_back(output);
  }
  if (!fields.complete()) return malformed("description of the outputs");
  return head;
}

}  // namespace media::cage

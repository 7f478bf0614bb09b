#include "media/transform.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "image/settings.hpp"

namespace media {
namespace {

constexpr std::uint32_t kMaxSide = 16384;

struct FitName {
  std::string_view name;
  Fit fit;
};
constexpr std::array<FitName, 4> kFits{{{"contain", Fit::contain}, {"cover", Fit::cover}, {"fill", Fit::fill}, {"inside", Fit::inside}}};

Error refused(std::string_view key, std::string_view accepts, std::string_view value) {
  return {Errc::invalid_argument,
          "transform: " + std::string(key) + " takes " + std::string(accepts) + ", not \"" + std::string(value.substr(0, 40)) + "\""};
}

/// A plain decimal number; no sign, no blanks.
std::optional<std::uint32_t> number(std::string_view text, std::uint32_t lowest, std::uint32_t highest) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < lowest || value > highest) return std::nullopt;
  return value;
}

std::optional<Colour> colour(std::string_view text) {
  if (text.starts_with('#')) text.remove_prefix(1);
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.size() != 6 || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return Colour{static_cast<std::uint8_t>(value >> 16U), static_cast<std::uint8_t>(value >> 8U), static_cast<std::uint8_t>(value)};
}

std::string hex(const Colour& value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const unsigned part : {value.red, value.green, value.blue}) {
    out += kDigits[part >> 4U];
    out += kDigits[part & 15U];
  }
  return out;
}

bool is_output(Format format) {
  return format == Format::jpeg || format == Format::png || format == Format::webp || format == Format::avif || format == Format::gif;
}

}  // namespace

std::string to_string(const Transform& transform) {
  std::string out;
  const bool sized = transform.width != 0 || transform.height != 0;
  const bool boxed = transform.width != 0 && transform.height != 0;
  if (transform.width != 0) out += "w=" + std::to_string(transform.width) + ",";
  if (transform.height != 0) out += "h=" + std::to_string(transform.height) + ",";
  // With one side given there is no box to fit into, and `contain` says what `inside` says.
  if (boxed && transform.fit == Fit::cover) out += "fit=cover,";
  if (boxed && transform.fit == Fit::fill) out += "fit=fill,";
  out += "format=" + std::string(to_string(transform.format));
  const int usual = image::default_quality(transform.format);
  if (usual != 0 && transform.quality != 0 && transform.quality != usual) out += ",q=" + std::to_string(transform.quality);
  if (sized && transform.enlarge) out += ",enlarge=1";
  const bool usual_background = transform.format == Format::jpeg && transform.background == Colour{};
  if (transform.background && !usual_background) out += ",bg=" + hex(*transform.background);
  if (transform.frames == Frames::all && can_animate(transform.format)) out += ",frames=all";
  return out;
}

Result<void> set_transform_key(Transform& transform, std::string_view key, std::string_view value) {
  if (key == "w" || key == "h") {
    const auto side = number(value, 1, kMaxSide);
    if (!side) return refused(key, "a whole number of pixels from 1 to 16384", value);
    (key == "w" ? transform.width : transform.height) = *side;
    return {};
  }
  if (key == "fit") {
    const auto* found = std::find_if(kFits.begin(), kFits.end(), [&](const FitName& row) { return row.name == value; });
    if (found == kFits.end()) return refused(key, "contain, cover, fill or inside", value);
    transform.fit = found->fit;
    return {};
  }
  if (key == "format") {
    const Format format = format_from_name(value);
    if (!is_output(format)) return refused(key, "jpeg, png, webp, avif or gif", value);
    transform.format = format;
    return {};
  }
  if (key == "q") {
    const auto quality = number(value, 1, 100);
    if (!quality) return refused(key, "a whole number from 1 to 100", value);
    transform.quality = static_cast<std::uint8_t>(*quality);
    return {};
  }
  if (key == "enlarge") {
    if (value != "1" && value != "0" && value != "true" && value != "false") return refused(key, "1 or 0", value);
    transform.enlarge = value == "1" || value == "true";
    return {};
  }
  if (key == "bg") {
    const auto background = colour(value);
    if (!background) return refused(key, "six hexadecimal digits (rrggbb)", value);
    transform.background = background;
    return {};
  }
  if (key == "frames") {
    if (value != "all" && value != "first") return refused(key, "all or first", value);
    transform.frames = value == "all" ? Frames::all : Frames::first;
    return {};
  }
  return Error{Errc::invalid_argument,
               "transform: no key \"" + std::string(key.substr(0, 40)) + "\"; there are w, h, fit, format, q, enlarge, bg and frames"};
}

Result<Transform> parse_transform(std::string_view text) {
  if (text.empty()) return Error{Errc::invalid_argument, "transform: empty; it looks like w=320,format=avif"};
  Transform transform;
  std::set<std::string_view> seen;
  while (true) {
    const std::string_view pair = text.substr(0, text.find(','));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) {
      return Error{Errc::invalid_argument, "transform: \"" + std::string(pair.substr(0, 40)) + "\" is not of the form key=value"};
    }
    const std::string_view key = pair.substr(0, equals);
    MEDIA_TRY(set_transform_key(transform, key, pair.substr(equals + 1)));
    if (!seen.insert(key).second) return Error{Errc::invalid_argument, "transform: " + std::string(key) + " is given twice"};
    if (pair.size() == text.size()) return transform;
    text.remove_prefix(pair.size() + 1);
  }
}

bool can_animate(Format format) noexcept { return format == Format::webp || format == Format::avif || format == Format::gif; }

std::vector<Preset> default_presets() {
  const auto preset = [](std::string name, std::uint32_t side) {
    Transform transform;
    transform.width = side;
    transform.height = side;
    return Preset{std::move(name), transform, {Format::avif, Format::webp, Format::jpeg}};
  };
  return {preset("thumb", 320), preset("medium", 800), preset("large", 1600)};
}

}  // namespace media

#include "media/transform.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "image/orient.hpp"
#include "image/settings.hpp"
#include "image/transform_limits.hpp"

namespace media {
namespace {

namespace limits = image::limits;
/// Of a sheet's tiles, unless something else is asked for.
constexpr std::uint32_t kTileWidth = 160;

struct FitName {
  std::string_view name;
  Fit fit;
};
constexpr std::array<FitName, 6> kFits{{{"contain", Fit::contain},
                                        {"cover", Fit::cover},
                                        {"fill", Fit::fill},
                                        {"inside", Fit::inside},
                                        {"none", Fit::none},
                                        {"pad", Fit::pad}}};

struct GravityName {
  std::string_view name;
  Gravity gravity;
};
constexpr std::array<GravityName, 10> kGravities{{{"centre", {500, 500, false}},
                                                  {"north", {500, 0, false}},
                                                  {"northeast", {1000, 0, false}},
                                                  {"east", {1000, 500, false}},
                                                  {"southeast", {1000, 1000, false}},
                                                  {"south", {500, 1000, false}},
                                                  {"southwest", {0, 1000, false}},
                                                  {"west", {0, 500, false}},
                                                  {"northwest", {0, 0, false}},
                                                  {"smart", {500, 500, true}}}};

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

/// A number with at most so many digits behind its point, in units of the last of them; no sign, no exponent, and digits on both
/// sides of a point. Read digit by digit, because a text has to mean the same number on every machine.
std::optional<std::uint32_t> decimal(std::string_view text, std::size_t places, std::uint32_t lowest, std::uint32_t highest) {
  const std::size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point);
  std::string digits(point == text.size() ? std::string_view() : text.substr(point + 1));
  if ((digits.empty() && point != text.size()) || digits.size() > places) return std::nullopt;
  digits.append(places - digits.size(), '0');
  std::uint32_t unit = 1;
  for (std::size_t i = 0; i < places; ++i) unit *= 10;
  const auto ones = number(whole, 0, highest / unit);
  const auto rest = number(digits, 0, unit - 1);
  if (!ones || !rest) return std::nullopt;
  const std::uint32_t value = *ones * unit + *rest;
  if (value < lowest || value > highest) return std::nullopt;
  return value;
}

/// The shortest text that `decimal` reads as this value.
std::string spelled(std::uint32_t value, std::size_t places) {
  std::string digits = std::to_string(value);
  if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
  digits.insert(digits.size() - places, 1, '.');
  while (digits.back() == '0') digits.pop_back();
  if (digits.back() == '.') digits.pop_back();
  return digits;
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
  return format == Format::mp4 || format == Format::webm || format == Format::jpeg || format == Format::png || format == Format::webp ||
         format == Format::avif || format == Format::gif;
}

bool set_side(std::uint32_t& side, std::string_view value) {
  const auto read = number(value, 1, limits::kMaxSide);
  if (read) side = *read;
  return read.has_value();
}

bool set_fit(Transform& transform, std::string_view value) {
  const auto* found = std::find_if(kFits.begin(), kFits.end(), [&](const FitName& row) { return row.name == value; });
  if (found == kFits.end()) return false;
  transform.fit = found->fit;
  return true;
}

bool set_gravity(Transform& transform, std::string_view value) {
  if (value == "center") value = "centre";
  const auto* found = std::find_if(kGravities.begin(), kGravities.end(), [&](const GravityName& row) { return row.name == value; });
  if (found != kGravities.end()) {
    transform.gravity = found->gravity;
    return true;
  }
  const std::size_t colon = value.find(':');
  if (colon == std::string_view::npos) return false;
  const auto x = decimal(value.substr(0, colon), 3, 0, limits::kWholeShare);
  const auto y = decimal(value.substr(colon + 1), 3, 0, limits::kWholeShare);
  if (!x || !y) return false;
  transform.gravity = {static_cast<std::uint16_t>(*x), static_cast<std::uint16_t>(*y), false};
  return true;
}

bool set_switch(bool& into, std::string_view value) {
  if (value != "1" && value != "0" && value != "true" && value != "false") return false;
  into = value == "1" || value == "true";
  return true;
}

bool set_rotation(Transform& transform, std::string_view value) {
  const auto degrees = number(value, 0, 270);
  if (!degrees || *degrees % 90 != 0) return false;
  transform.rotate_degrees = static_cast<std::uint16_t>(*degrees);
  return true;
}

bool set_flip(Transform& transform, std::string_view value) {
  if (value != "h" && value != "v" && value != "hv") return false;
  transform.flip_horizontal = value.starts_with('h');
  transform.flip_vertical = value.ends_with('v');
  return true;
}

bool set_sharpen(Transform& transform, std::string_view value) {
  const std::size_t colon = std::min(value.find(':'), value.size());
  const auto amount = decimal(value.substr(0, colon), 2, 1, limits::kMaxSharpen);
  const auto sigma = colon == value.size() ? std::optional<std::uint32_t>(Transform{}.sharpen_sigma_hundredths)
                                           : decimal(value.substr(colon + 1), 2, limits::kMinSigma, limits::kMaxSharpenSigma);
  if (!amount || !sigma) return false;
  transform.sharpen_hundredths = static_cast<std::uint16_t>(*amount);
  transform.sharpen_sigma_hundredths = static_cast<std::uint16_t>(*sigma);
  return true;
}

/// One of two words, of which the second sets.
bool set_word(bool& into, std::string_view value, std::string_view clears, std::string_view sets) {
  if (value != clears && value != sets) return false;
  into = value == sets;
  return true;
}

constexpr std::array<std::string_view, 4> kFrames{"first", "all", "clip", "sheet"};  // in the order of Frames

bool set_frames(Transform& transform, std::string_view value) {
  const auto* found = std::find(kFrames.begin(), kFrames.end(), value);
  if (found == kFrames.end()) return false;
  transform.frames = static_cast<Frames>(found - kFrames.begin());
  return true;
}

/// "12.5", or "12.5s" as people type it.
bool set_moment(Transform& transform, std::string_view value) {
  if (value.ends_with('s')) value.remove_suffix(1);
  const auto read = decimal(value, 3, 0, static_cast<std::uint32_t>(limits::kMaxAt.count()));
  if (read) transform.at = std::chrono::milliseconds(*read);
  return read.has_value();
}

template <class T>
bool set_number(T& into, std::optional<std::uint32_t> value) {
  if (value) into = static_cast<T>(*value);
  return value.has_value();
}

/// All keys there are: name, what it accepts, and how it is set. `set` leaves the transform alone where it refuses.
struct Key {
  std::string_view name;
  std::string_view accepts;
  bool (*set)(Transform&, std::string_view);
};
constexpr std::array<Key, 22> kKeys{{
    {"w", "a whole number of pixels from 1 to 16384", [](Transform& t, std::string_view v) { return set_side(t.width, v); }},
    {"h", "a whole number of pixels from 1 to 16384", [](Transform& t, std::string_view v) { return set_side(t.height, v); }},
    {"fit", "contain, cover, fill, inside, none or pad", set_fit},
    {"gravity",
     "centre, north, northeast, east, southeast, south, southwest, west, northwest, smart or X:Y (0 to 1, at most three decimals)",
     set_gravity},
    {"dpr", "a number from 1 to 4 with at most two decimals",
     [](Transform& t, std::string_view v) { return set_number(t.dpr_hundredths, decimal(v, 2, 100, limits::kMaxDpr)); }},
    {"format", "jpeg, png, webp, avif, gif, mp4 or webm",
     [](Transform& t, std::string_view v) {
       const Format format = format_from_name(v);
       if (is_output(format)) t.format = format;
       return is_output(format);
     }},
    {"depth", "8 or 10 bits",
     [](Transform& t, std::string_view v) {
       if (v != "8" && v != "10") return false;
       t.depth = v == "8" ? limits::kUsualDepth : limits::kDeepDepth;
       return true;
     }},
    {"q", "a whole number from 1 to 100", [](Transform& t, std::string_view v) { return set_number(t.quality, number(v, 1, 100)); }},
    {"score", "a number from 1 to 99.9 with at most one digit behind the point",
     [](Transform& t, std::string_view v) { return set_number(t.score, decimal(v, 1, 10, limits::kMaxScore)); }},
    {"max_bytes", "a whole number of bytes from 1 to 1073741824",
     [](Transform& t, std::string_view v) { return set_number(t.max_bytes, number(v, 1, limits::kMaxBytes)); }},
    {"enlarge", "1 or 0", [](Transform& t, std::string_view v) { return set_switch(t.enlarge, v); }},
    {"bg", "six hexadecimal digits (rrggbb)",
     [](Transform& t, std::string_view v) {
       const auto background = colour(v);
       if (background) t.background = background;
       return background.has_value();
     }},
    {"rotate", "0, 90, 180 or 270 degrees", set_rotation},
    {"flip", "h, v or hv", set_flip},
    {"trim", "a whole number of code values from 1 to 100",
     [](Transform& t, std::string_view v) { return set_number(t.trim, number(v, 1, limits::kMaxTrim)); }},
    {"sharpen", "AMOUNT or AMOUNT:SIGMA, amount from 0.01 to 5, sigma from 0.3 to 10 pixels, at most two decimals each", set_sharpen},
    {"blur", "a sigma from 0.3 to 100 pixels with at most two decimals",
     [](Transform& t, std::string_view v) { return set_number(t.blur_hundredths, decimal(v, 2, limits::kMinSigma, limits::kMaxBlur)); }},
    {"icc", "srgb or keep", [](Transform& t, std::string_view v) { return set_word(t.keep_profile, v, "srgb", "keep"); }},
    {"meta", "none or copyright", [](Transform& t, std::string_view v) { return set_word(t.keep_copyright, v, "none", "copyright"); }},
    {"frames", "first, all, clip or sheet", set_frames},
    {"at", "a number of seconds from 0 to 360000 with at most three decimals", set_moment},
    {"codecs", "web or keep", [](Transform& t, std::string_view v) { return set_word(t.keep_codecs, v, "web", "keep"); }},
}};

std::string all_keys() {
  std::string names;
  for (const Key& key : kKeys) names += (names.empty() ? "" : &key == &kKeys.back() ? " and " : ", ") + std::string(key.name);
  return names;
}

std::uint32_t multiplied(std::uint32_t side, std::uint32_t dpr_hundredths) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>((std::uint64_t{side} * dpr_hundredths + 50) / 100, 0xFFFFFFFF));
}

/// One spelling for each of the eight ways to turn and mirror a picture.
void settle_turns(Transform& transform) {
  const std::uint8_t way = image::turn_of(transform);
  constexpr std::array<std::uint16_t, 9> kDegrees{0, 0, 0, 180, 0, 90, 90, 270, 270};
  transform.rotate_degrees = kDegrees[way];
  transform.flip_horizontal = way == 2 || way == 5 || way == 7;
  transform.flip_vertical = way == 4;
}

/// A sheet's tiles are whole frames as they are seen: only its size and what it is encoded as are to be said.
void settle_sheet(Transform& transform) {
  const Transform given = transform;
  transform = {};
  transform.width = given.width;
  transform.height = given.height;
  if (transform.width == 0 && transform.height == 0) transform.width = kTileWidth;
  transform.format = given.format;
  transform.quality = given.quality;
  transform.score = given.score;
  transform.max_bytes = given.max_bytes;
  transform.frames = Frames::sheet;
}

/// Of a video only the size is to be said, and of one that is not encoded not even that.
void settle_video(Transform& transform) {
  const Transform given = transform;
  transform = {};
  transform.format = given.format;
  transform.keep_codecs = given.keep_codecs && given.format == Format::mp4;
  if (transform.keep_codecs) return;
  transform.width = given.width;
  transform.height = given.height;
}

/// True where more than 8 bits can be written: of a still, by the one format that has them.
bool keeps_depth(const Transform& transform) { return transform.format == Format::avif && transform.frames == Frames::first; }

std::string gravity_text(const Gravity& gravity) {
  const auto* found = std::find_if(kGravities.begin(), kGravities.end(), [&](const GravityName& row) { return row.gravity == gravity; });
  if (found != kGravities.end()) return std::string(found->name);
  return spelled(gravity.x, 3) + ":" + spelled(gravity.y, 3);
}

}  // namespace

Transform canonical(const Transform& transform) {
  Transform out = transform;
  out.width = multiplied(transform.width, transform.dpr_hundredths);
  out.height = multiplied(transform.height, transform.dpr_hundredths);
  out.dpr_hundredths = 100;
  if (makes_video(out)) {
    settle_video(out);
    return out;
  }
  out.keep_codecs = false;
  if (out.frames == Frames::sheet) settle_sheet(out);
  // With one side given there is no box to fit into, and `contain` says what `inside` says.
  const bool boxed = out.width != 0 && out.height != 0;
  if (!boxed || out.fit == Fit::contain) out.fit = Fit::inside;
  if (out.gravity.smart) out.gravity = {.smart = true};
  const bool cuts = out.fit == Fit::cover || out.fit == Fit::none;
  if (!cuts && (out.fit != Fit::pad || out.gravity.smart)) out.gravity = {};
  if ((out.width == 0 && out.height == 0) || out.fit == Fit::none) out.enlarge = false;
  if (image::default_quality(out.format) == 0) out.score = 0;
  if (out.quality == image::default_quality(out.format) || image::default_quality(out.format) == 0 || out.score != 0) out.quality = 0;
  if (out.format == Format::jpeg && out.background == Colour{}) out.background.reset();
  if (!can_animate(out.format) && out.frames != Frames::sheet) out.frames = Frames::first;
  if (!keeps_depth(out)) out.depth = limits::kUsualDepth;
  // A GIF has no place for either, and is in sRGB therefore.
  if (out.format == Format::gif) out.keep_profile = out.keep_copyright = false;
  settle_turns(out);
  if (out.sharpen_hundredths == 0) out.sharpen_sigma_hundredths = Transform{}.sharpen_sigma_hundredths;
  return out;
}

std::string to_string(const Transform& given) {
  const Transform transform = canonical(given);
  std::string out;
  if (transform.width != 0) out += "w=" + std::to_string(transform.width) + ",";
  if (transform.height != 0) out += "h=" + std::to_string(transform.height) + ",";
  if (transform.fit != Fit::inside) {
    const auto* fit = std::find_if(kFits.begin(), kFits.end(), [&](const FitName& row) { return row.fit == transform.fit; });
    out += "fit=" + std::string(fit->name) + ",";
  }
  if (transform.gravity != Gravity{}) out += "gravity=" + gravity_text(transform.gravity) + ",";
  out += "format=" + std::string(to_string(transform.format));
  if (transform.depth != limits::kUsualDepth) out += ",depth=" + std::to_string(transform.depth);
  if (transform.score != 0) out += ",score=" + spelled(transform.score, 1);
  if (transform.quality != 0) out += ",q=" + std::to_string(transform.quality);
  if (transform.max_bytes != 0) out += ",max_bytes=" + std::to_string(transform.max_bytes);
  if (transform.enlarge) out += ",enlarge=1";
  if (transform.background) out += ",bg=" + hex(*transform.background);
  if (transform.rotate_degrees != 0) out += ",rotate=" + std::to_string(transform.rotate_degrees);
  if (transform.flip_horizontal || transform.flip_vertical) {
    out += std::string(",flip=") + (transform.flip_horizontal ? "h" : "") + (transform.flip_vertical ? "v" : "");
  }
  if (transform.trim != 0) out += ",trim=" + std::to_string(transform.trim);
  if (transform.sharpen_hundredths != 0) {
    out += ",sharpen=" + spelled(transform.sharpen_hundredths, 2);
    if (transform.sharpen_sigma_hundredths != Transform{}.sharpen_sigma_hundredths) {
      out += ":" + spelled(transform.sharpen_sigma_hundredths, 2);
    }
  }
  if (transform.blur_hundredths != 0) out += ",blur=" + spelled(transform.blur_hundredths, 2);
  if (transform.keep_profile) out += ",icc=keep";
  if (transform.keep_copyright) out += ",meta=copyright";
  if (transform.frames != Frames::first) out += ",frames=" + std::string(kFrames[static_cast<std::size_t>(transform.frames)]);
  if (transform.keep_codecs) out += ",codecs=keep";
  if (transform.at) out += ",at=" + spelled(static_cast<std::uint32_t>(transform.at->count()), 3);
  return out;
}

Result<void> set_transform_key(Transform& transform, std::string_view key, std::string_view value) {
  const auto* found = std::find_if(kKeys.begin(), kKeys.end(), [&](const Key& row) { return row.name == key; });
  if (found == kKeys.end()) {
    return Error{Errc::invalid_argument, "transform: no key \"" + std::string(key.substr(0, 40)) + "\"; there are " + all_keys()};
  }
  Transform changed = transform;
  if (!found->set(changed, value)) return refused(key, found->accepts, value);
  if (multiplied(std::max(changed.width, changed.height), changed.dpr_hundredths) > limits::kMaxSide) {
    return Error{Errc::invalid_argument, "transform: " + std::string(key) + "=" + std::string(value.substr(0, 40)) +
                                             " makes more than 16384 pixels of w or h times dpr"};
  }
  if (changed.depth != limits::kUsualDepth && !keeps_depth(changed)) {
    const std::string other = changed.format != Format::avif ? "format=" + std::string(to_string(changed.format))
                                                             : "frames=" + std::string(kFrames[static_cast<std::size_t>(changed.frames)]);
    return Error{Errc::invalid_argument, "transform: depth=10 takes format=avif and frames=first, not " + other};
  }
  transform = changed;
  return {};
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

bool makes_video(const Transform& transform) noexcept { return transform.format == Format::mp4 || transform.format == Format::webm; }

bool encodes_video(const Transform& transform) noexcept {
  return makes_video(transform) && !(transform.keep_codecs && transform.format == Format::mp4);
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

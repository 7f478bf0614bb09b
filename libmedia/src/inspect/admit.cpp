#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "inspect/formats.hpp"
#include "media/claim.hpp"
#include "media/inspect.hpp"

namespace media {
namespace {

using inspect::Recognised;

/// "JPEG": how people write a format's name.
std::string display_name(Format format) {
  std::string name(to_string(format));
  for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return name;
}

std::string accepted_types(const AdmissionPolicy& policy) {
  std::string list;
  for (std::size_t i = 0; i < policy.allowed.size(); ++i) {
    if (i > 0) list += i + 1 == policy.allowed.size() ? " and " : ", ";
    list += display_name(policy.allowed[i]);
  }
  return list.empty() ? "nothing is accepted" : "accepted are " + list;
}

/// "52428800 bytes (50.0 MiB)".
std::string byte_count(std::uint64_t bytes) {
  std::string text = std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
  if (bytes >= 1U << 20U) {
    const std::uint64_t tenths = bytes / ((1U << 20U) / 10);
    text += " (" + std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MiB)";
  }
  return text;
}

std::string size_text(const MediaInfo& info) {
  std::string text = std::to_string(info.width) + " x " + std::to_string(info.height) + " pixels";
  if (is_image(info.format) && info.frames > 1) text += " in " + std::to_string(info.frames) + " frames";
  return text;
}

std::uint64_t saturating_product(std::uint64_t a, std::uint64_t b) noexcept { return a != 0 && b > UINT64_MAX / a ? UINT64_MAX : a * b; }

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

/// The media type without its parameters and the space around it.
std::string_view bare_type(std::string_view type) noexcept {
  type = type.substr(0, type.find(';'));
  const auto first = type.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return type.substr(first, type.find_last_not_of(" \t") - first + 1);
}

/// The extension of a file name, without the dot; empty where it has none.
std::string_view extension_of(std::string_view filename) noexcept {
  const auto slash = filename.find_last_of("/\\");
  if (slash != std::string_view::npos) filename.remove_prefix(slash + 1);
  const auto dot = filename.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : filename.substr(dot + 1);
}

/// Text of a stranger's in a message for people: short, and without what a terminal or a log would obey.
std::string quoted(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  std::string out = "\"";
  for (const char c : text.substr(0, kLongest)) out += c >= 0x20 && c < 0x7f && c != '"' ? c : '?';
  return out + (text.size() > kLongest ? "…\"" : "\"");
}

std::optional<std::string> mismatch(const Claim& claim, Format found) {
  const std::string content = "the content is " + display_name(found) + " (" + std::string(mime_type(found)) + ")";
  if (const auto type = bare_type(claim.media_type); !claims_nothing(type) && !claim_holds(format_from_claim(type), found)) {
    return content + ", but it was declared as " + quoted(type) + "; declare it as " + std::string(mime_type(found));
  }
  const auto extension = extension_of(claim.filename);
  if (const Format named = format_from_name(extension); named != Format::unknown && !claim_holds(named, found)) {
    return content + ", but the file name ends in " + quoted(extension) + "; name it ." + std::string(file_extension(found));
  }
  return std::nullopt;
}

Verdict refused(Refusal refusal, std::string message, const MediaInfo& info = {}) {
  if (!message.empty() && message[0] >= 'a' && message[0] <= 'z') message[0] = static_cast<char>(message[0] - 'a' + 'A');
  return Verdict{refusal, std::move(message) + ".", info, {}};
}

/// The limits on what headers state, in the order that the refusals have.
std::optional<Verdict> beyond_limits(const AdmissionPolicy& policy, const MediaInfo& info) {
  const bool image = is_image(info.format);
  if (image && info.frames > policy.max_frames) {
    return refused(Refusal::too_many_frames,
                   "the " + display_name(info.format) + " has " + std::to_string(info.frames) + " frames; at most " +
                       std::to_string(policy.max_frames) + " are accepted",
                   info);
  }
  if (std::max(info.width, info.height) > policy.max_side) {
    return refused(
        Refusal::side_too_long,
        "the " + display_name(info.format) + " has " + size_text(info) + "; a side may have at most " + std::to_string(policy.max_side),
        info);
  }
  const std::uint64_t frames = image ? std::max<std::uint32_t>(info.frames, 1) : 1;
  const std::uint64_t pixels = saturating_product(saturating_product(info.width, info.height), frames);
  if (pixels > policy.max_pixels) {
    return refused(Refusal::too_many_pixels,
                   "the " + display_name(info.format) + " has " + size_text(info) + ", together " + std::to_string(pixels) + "; at most " +
                       std::to_string(policy.max_pixels) + " are accepted",
                   info);
  }
  return std::nullopt;
}

}  // namespace

bool claims_nothing(std::string_view media_type) noexcept {
  const auto type = bare_type(media_type);
  return type.empty() || equal_ignoring_case(type, "application/octet-stream") || equal_ignoring_case(type, "binary/octet-stream");
}

Format format_from_claim(std::string_view media_type) noexcept {
  struct Alias {
    std::string_view type;
    Format format;
  };
  static constexpr auto kAliases = std::to_array<Alias>({{"image/apng", Format::png},
                                                         {"image/vnd.mozilla.apng", Format::png},
                                                         {"application/mp4", Format::mp4},
                                                         {"video/3gpp", Format::mp4},
                                                         {"video/3gpp2", Format::mp4}});
  const auto type = bare_type(media_type);
  for (const Alias& alias : kAliases) {
    if (equal_ignoring_case(type, alias.type)) return alias.format;
  }
  return format_from_mime(type);
}

bool claim_holds(Format claimed, Format found) noexcept {
  const auto is_mpeg4 = [](Format format) { return format == Format::mp4 || format == Format::mov; };
  return claimed == found || (is_mpeg4(claimed) && is_mpeg4(found)) || (claimed == Format::mkv && found == Format::webm);
}

std::string_view to_string(Refusal refusal) noexcept {
  switch (refusal) {
    case Refusal::none:
      return "none";
    case Refusal::empty:
      return "empty";
    case Refusal::not_media:
      return "not_media";
    case Refusal::type_not_allowed:
      return "type_not_allowed";
    case Refusal::type_mismatch:
      return "type_mismatch";
    case Refusal::too_many_bytes:
      return "too_many_bytes";
    case Refusal::too_many_pixels:
      return "too_many_pixels";
    case Refusal::side_too_long:
      return "side_too_long";
    case Refusal::too_many_frames:
      return "too_many_frames";
    case Refusal::malformed:
      return "malformed";
    case Refusal::polyglot:
      return "polyglot";
    case Refusal::over_quota:
      return "over_quota";
    case Refusal::banned:
      return "banned";
    case Refusal::infected:
      return "infected";
    case Refusal::unscannable:
      return "unscannable";
  }
  return "none";
}

Result<Verdict> admit(const AdmissionPolicy& policy, const ByteReader& content, const Claim& claim) {
  if (content.size() == 0) return refused(Refusal::empty, "the file has no bytes; " + accepted_types(policy));
  MEDIA_TRY_ASSIGN(const auto head, inspect::read_head(content));
  const Recognised recognised = inspect::recognise(head);
  if (recognised.reader == nullptr) {
    return refused(Refusal::not_media, "the content is of no known media type; " + accepted_types(policy));
  }
  MediaInfo named;
  named.format = recognised.format;
  const std::string name = display_name(named.format);
  if (std::find(policy.allowed.begin(), policy.allowed.end(), named.format) == policy.allowed.end()) {
    return refused(Refusal::type_not_allowed, "the content is " + name + ", which is not accepted here; " + accepted_types(policy), named);
  }
  if (auto message = mismatch(claim, named.format)) return refused(Refusal::type_mismatch, *message, named);
  const std::uint64_t max_bytes = is_video(named.format) ? policy.max_video_bytes : policy.max_image_bytes;
  if (content.size() > max_bytes) {
    return refused(Refusal::too_many_bytes,
                   "the file has " + byte_count(content.size()) + "; " + name + " is accepted up to " + byte_count(max_bytes), named);
  }
  MEDIA_TRY_ASSIGN(const auto finding, inspect::examine(content, recognised));
  // What the headers claim is judged first, even where they end in a fault: a bomb is called one.
  if (auto verdict = beyond_limits(policy, finding.info)) return std::move(*verdict);
  if (!finding.structure)
    return refused(Refusal::malformed, "the " + name + " is damaged or incomplete: " + finding.structure.error().message, finding.info);
  const bool is_silent_on_size = named.format == Format::ogg;
  if (is_video(named.format) && finding.info.width == 0 && !is_silent_on_size) {
    return refused(Refusal::type_not_allowed, "the " + name + " has no video track; " + accepted_types(policy), finding.info);
  }
  Verdict admitted{Refusal::none, {}, finding.info, {}};
  if (policy.polyglots == PolyglotRule::accept) return admitted;
  MEDIA_TRY_ASSIGN(admitted.polyglot, find_polyglot(content, named.format));
  if (admitted.polyglot.empty() || policy.polyglots == PolyglotRule::hold) return admitted;
  return refused(Refusal::polyglot, "the " + name + " is " + admitted.polyglot + " as well, which is not accepted here", finding.info);
}

}  // namespace media

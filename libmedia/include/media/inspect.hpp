/// What a file is, from its bytes alone, and whether it may come in. Nothing here decodes a pixel.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "media/export.hpp"
#include "media/io.hpp"
#include "media/media_info.hpp"
#include "media/result.hpp"

namespace media {

/// Bytes of the beginning that `sniff` wants to see; fewer are allowed.
inline constexpr std::size_t kSniffBytes = 4096;

/// Names the format by its signature. Never fails: `Format::unknown` where no signature fits.
MEDIA_EXPORT Format sniff(std::span<const std::byte> head) noexcept;

/// Reads the headers (never pixel data, a bounded number of bytes and steps) and says what they state.
/// Checks the structure as it walks: chunk and box lengths against the content's size.
///
/// Errors: `unsupported` (no format of ours), `corrupt` (structure contradicts itself or the content ends early;
/// the message says where), and the reader's own.
MEDIA_EXPORT Result<MediaInfo> probe(const ByteReader& content);

/// What becomes of a picture or video that is a file of another kind as well: a program that opens archives, documents or web pages would
/// open it as one of those.
enum class PolyglotRule : std::uint8_t {
  refuse,
  hold,    ///< It comes in, and is kept back until a person lets it go.
  accept,  ///< Nobody looks.
};

/// What may come in. The defaults are those of docs/limits.md.
struct AdmissionPolicy {
  std::vector<Format> allowed = {Format::jpeg, Format::png, Format::webp, Format::avif, Format::gif,
                                 Format::heic, Format::mp4, Format::mov,  Format::webm};
  std::uint64_t max_image_bytes = 50ULL << 20U;
  std::uint64_t max_video_bytes = 500ULL << 20U;
  /// Width x height x frames of an image; width x height of a video frame.
  std::uint64_t max_pixels = 50'000'000;
  std::uint32_t max_side = 16'384;
  std::uint32_t max_frames = 1'000;
  PolyglotRule polyglots = PolyglotRule::refuse;

  /// The larger of the byte limits: a body beyond it can be refused before its type is known.
  [[nodiscard]] std::uint64_t max_bytes() const noexcept { return max_image_bytes > max_video_bytes ? max_image_bytes : max_video_bytes; }
};

/// Why a file was refused; `none` where it was not.
enum class Refusal : std::uint8_t {
  none,
  empty,             ///< No bytes at all.
  not_media,         ///< No known media signature.
  type_not_allowed,  ///< A known format that the policy leaves out.
  type_mismatch,     ///< Declared type or file name says another format than the content.
  too_many_bytes,
  too_many_pixels,  ///< Frames count: an animation of 100 x 1 MP is 100 MP.
  side_too_long,
  too_many_frames,
  malformed,  ///< The structure contradicts itself, or the content ends early.
  polyglot,   ///< It is an archive, a document, a web page or a program as well.
  // What follows no `admit` says, but a library does (Gate).
  over_quota,  ///< The owner has, or would have, more than the owner's quota.
  banned,
  infected,
  unscannable,  ///< The scanner does not take so much.
};
MEDIA_EXPORT std::string_view to_string(Refusal refusal) noexcept;

struct Verdict {
  Refusal refusal = Refusal::none;
  /// One sentence for people: what was found and what would be accepted. Empty where admitted.
  std::string message{};
  /// What the headers said, as far as they could be read.
  MediaInfo info{};
  /// "a ZIP archive": what it is as well, where the policy lets it in but has it kept back. Empty: nothing was found.
  std::string polyglot{};

  [[nodiscard]] bool admitted() const noexcept { return refusal == Refusal::none; }
};

/// What the sender claims; both may be empty. A name without a known media extension claims nothing.
struct Claim {
  std::string_view media_type{};
  std::string_view filename{};
};

/// What an image or video is as well ("a ZIP archive", "an HTML page"); empty: nothing is known. What is looked for: archives that a
/// program finds by their end (ZIP, JAR and what is made of them), whatever is before them; PDF, of which readers look for the beginning in
/// the first 1,024 bytes; markup that a browser of old would sniff there; and behind the end of the picture archives, documents, programs
/// and markup. A second picture or a video behind a picture is none of these: cameras write those. Reads beyond the head and the last 64
/// KiB where there is something behind the picture, or to find the end of a JPEG. Errors: the reader's own.
MEDIA_EXPORT Result<std::string> find_polyglot(const ByteReader& content, Format format);

/// Judges content against a policy. Fails only where the content cannot be read; a refusal is a good answer.
MEDIA_EXPORT Result<Verdict> admit(const AdmissionPolicy& policy, const ByteReader& content, const Claim& claim);

}  // namespace media

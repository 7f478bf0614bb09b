#include "inspect/formats.hpp"

#include <algorithm>
#include <array>

#include "media/inspect.hpp"

namespace media::inspect {

// The registration: a new format is its own file, and one name here.
#define MEDIA_INSPECT_FORMATS(X) X(kPng) X(kJpeg) X(kGif) X(kWebp) X(kMatroska) X(kOgg) X(kHeif) X(kMovie) X(kTiff) X(kBmp) X(kSvg)

#define MEDIA_INSPECT_DECLARE(name) extern const FormatReader name;
#define MEDIA_INSPECT_LIST(name) &name,
MEDIA_INSPECT_FORMATS(MEDIA_INSPECT_DECLARE)

namespace {
constexpr auto kFormats = std::to_array<const FormatReader*>({MEDIA_INSPECT_FORMATS(MEDIA_INSPECT_LIST)});
}

std::span<const FormatReader* const> formats() noexcept { return kFormats; }

Recognised recognise(Bytes head) noexcept {
  for (const FormatReader* reader : kFormats) {
    if (const Format format = reader->sniff(head); format != Format::unknown) return {reader, format};
  }
  return {};
}

Result<Finding> examine(const ByteReader& content, const Recognised& recognised) {
  Finding finding;
  finding.info.format = recognised.format;
  Cursor cursor(content);
  finding.structure = recognised.reader->read(cursor, finding.info);
  if (!finding.structure && finding.structure.error().code != Errc::corrupt) return finding.structure.error();
  return finding;
}

Result<std::vector<std::byte>> read_head(const ByteReader& content) {
  std::vector<std::byte> head(static_cast<std::size_t>(std::min<std::uint64_t>(kSniffBytes, content.size())));
  MEDIA_TRY_ASSIGN(const std::size_t got, content.read_at(0, head));
  head.resize(got);
  return head;
}

}  // namespace media::inspect

namespace media {

Format sniff(std::span<const std::byte> head) noexcept { return inspect::recognise(head).format; }

Result<MediaInfo> probe(const ByteReader& content) {
  MEDIA_TRY_ASSIGN(const auto head, inspect::read_head(content));
  const auto recognised = inspect::recognise(head);
  if (recognised.reader == nullptr) return Error{Errc::unsupported, "probe: the content begins like no media format that is known here"};
  MEDIA_TRY_ASSIGN(auto finding, inspect::examine(content, recognised));
  if (!finding.structure) {
    return Error{Errc::corrupt, "probe " + std::string(to_string(recognised.format)) + ": " + finding.structure.error().message};
  }
  return finding.info;
}

}  // namespace media

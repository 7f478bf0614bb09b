// SVG is recognised in order to be named in a refusal: it is a document that can run scripts, and nothing here renders it.
#include "inspect/formats.hpp"

namespace media::inspect {
namespace {

bool is_space(std::uint8_t c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// The place after `mark`, searched from `at` on; the end where it is not there.
std::size_t after(Bytes text, std::size_t at, std::string_view mark) noexcept {
  for (; at < text.size(); ++at) {
    if (has_text(text, at, mark)) return at + mark.size();
  }
  return text.size();
}

/// The place after a document type declaration, whose internal subset in brackets may hold '>'.
std::size_t after_doctype(Bytes text, std::size_t at) noexcept {
  int brackets = 0;
  for (; at < text.size(); ++at) {
    const std::uint8_t c = u8(text, at);
    if (c == '[') ++brackets;
    if (c == ']') --brackets;
    if (c == '>' && brackets <= 0) return at + 1;
  }
  return text.size();
}

bool begins_root(Bytes text, std::size_t at) noexcept {
  if (has_text(text, at, "<svg:svg")) at += 4;
  if (!has_text(text, at, "<svg") && !has_text(text, at, ":svg")) return false;
  if (at + 4 >= text.size()) return true;
  const std::uint8_t next = u8(text, at + 4);
  return is_space(next) || next == '>' || next == '/';
}

Format sniff(Bytes head) noexcept {
  std::size_t at = has_text(head, 0, "\xef\xbb\xbf") ? 3 : 0;
  while (at < head.size()) {
    if (is_space(u8(head, at))) {
      ++at;
    } else if (has_text(head, at, "<?")) {
      at = after(head, at, "?>");
    } else if (has_text(head, at, "<!--")) {
      at = after(head, at, "-->");
    } else if (has_text(head, at, "<!DOCTYPE") || has_text(head, at, "<!doctype")) {
      at = after_doctype(head, at);
    } else {
      return begins_root(head, at) ? Format::svg : Format::unknown;
    }
  }
  return Format::unknown;
}

/// A document without pixels states nothing that counts here; whether it is well-formed is for an XML parser.
Result<void> read(Cursor& cursor, MediaInfo&) { return cursor.seek(cursor.size(), "an SVG"); }

}  // namespace

extern const FormatReader kSvg;
const FormatReader kSvg{sniff, read};

}  // namespace media::inspect

// Pictures and videos that are files of another kind as well. What decides is what other programs do: whoever opens archives looks for the
// end of one, readers of PDF look for its beginning in the first 1,024 bytes and for objects anywhere, and behind the end of a picture
// there is room for anything. In the first bytes there are comments and titles as well, which may tell of any of that: a word alone is
// none.
#include <string.h>  // memmem

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "inspect/formats.hpp"
#include "media/inspect.hpp"

namespace media {
namespace {

using inspect::Bytes;
using inspect::Cursor;

constexpr std::size_t kHeadBytes = 1024;
/// The record that ends a ZIP archive, and the longest comment behind it.
constexpr std::size_t kArchiveEndBytes = 22;
constexpr std::size_t kArchiveTailBytes = kArchiveEndBytes + 65'535;
constexpr std::size_t kListedNames = 64 * 1024;
constexpr std::size_t kPiece = 64 * 1024;
/// Nothing that is looked for is longer; pieces overlap by so much.
constexpr std::size_t kLongestMark = 64;
constexpr std::uint64_t kMostTrailingBytes = 64ULL << 20U;

Result<std::vector<std::byte>> read_piece(const ByteReader& content, std::uint64_t at, std::size_t count) {
  std::vector<std::byte> piece(static_cast<std::size_t>(std::min<std::uint64_t>(count, content.size() - std::min(at, content.size()))));
  MEDIA_TRY_ASSIGN(const std::size_t got, content.read_at(at, piece));
  piece.resize(got);
  return piece;
}

bool contains(Bytes bytes, std::string_view text) noexcept {
  // Of nothing there may be no address, which memmem must not get.
  return !bytes.empty() && ::memmem(bytes.data(), bytes.size(), text.data(), text.size()) != nullptr;
}

/// Where the mark lies, from `at` on; `bytes.size()` where it does not. By its first byte, which is rare in what is compressed: memmem(3)
/// of glibc goes byte by byte for marks as short as four.
std::size_t find_mark(Bytes bytes, std::size_t at, std::string_view mark) noexcept {
  while (at + mark.size() <= bytes.size()) {
    const void* const found = ::memchr(bytes.data() + at, mark.front(), bytes.size() - mark.size() + 1 - at);
    if (found == nullptr) break;
    at = static_cast<std::size_t>(static_cast<const std::byte*>(found) - bytes.data());
    if (::memcmp(found, mark.data(), mark.size()) == 0) return at;
    ++at;
  }
  return bytes.size();
}

char lower(std::byte value) noexcept {
  const char c = static_cast<char>(value);
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// A tag's name and something that can follow it: five letters alone come about by chance in some gigabytes.
bool is_tag(Bytes bytes, std::size_t at, std::string_view tag) noexcept {
  if (tag.size() >= bytes.size() - at) return false;
  for (std::size_t i = 0; i < tag.size(); ++i) {
    if (lower(bytes[at + i]) != tag[i]) return false;
  }
  return std::string_view(" \t\r\n\f/>").find(static_cast<char>(bytes[at + tag.size()])) != std::string_view::npos;
}

bool has_markup(Bytes bytes) noexcept {
  static constexpr std::array<std::string_view, 7> kTags = {"<script", "<html", "<!doctype html", "<iframe", "<body", "<head", "<?php"};
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const void* const found = ::memchr(bytes.data() + at, '<', bytes.size() - at);
    if (found == nullptr) return false;
    at = static_cast<std::size_t>(static_cast<const std::byte*>(found) - bytes.data());
    if (std::any_of(kTags.begin(), kTags.end(), [&](std::string_view tag) { return is_tag(bytes, at, tag); })) return true;
  }
  return false;
}

bool is_letter(std::byte value) noexcept {
  const char c = lower(value);
  return c >= 'a' && c <= 'z';
}

bool is_space(std::byte value) noexcept {
  return std::string_view(" \t\r\n\f\0", 6).find(static_cast<char>(value)) != std::string_view::npos;
}

/// Of what can happen to an element the names are long. Two letters behind "on" come about by chance in one of 100,000 pictures, four in
/// one of 15 million.
bool is_event_name(Bytes name) noexcept {
  constexpr std::size_t kLetters = 4;
  if (name.size() >= kLetters) return true;
  const auto is = [&](std::string_view event) {
    return std::equal(name.begin(), name.end(), event.begin(), event.end(), [](std::byte b, char c) { return lower(b) == c; });
  };
  return is("cut") || is("end");
}

/// An attribute that runs something (onload=). Where a tag ends is not asked: programs differ on that, and what is looked at is short.
bool has_handler(Bytes bytes) noexcept {
  for (std::size_t at = 0; at + 3 < bytes.size(); ++at) {
    if (lower(bytes[at + 1]) != 'o' || lower(bytes[at + 2]) != 'n' || !is_letter(bytes[at + 3])) continue;
    if (!is_space(bytes[at]) && std::string_view("/\"'").find(static_cast<char>(bytes[at])) == std::string_view::npos) continue;
    std::size_t end = at + 4;
    while (end < bytes.size() && is_letter(bytes[end])) ++end;
    if (!is_event_name(bytes.subspan(at + 3, end - at - 3))) continue;
    while (end < bytes.size() && is_space(bytes[end])) ++end;
    if (end < bytes.size() && bytes[end] == std::byte{'='}) return true;
  }
  return false;
}

/// Markup within the first bytes.
enum class Markup : std::uint8_t {
  none,
  words,  ///< Names of tags, bare: a page only where there is more of one.
  page,
};

/// So far from the beginning of a tag a handler is looked for.
constexpr std::size_t kTagBytes = 4096;
constexpr std::array<std::string_view, 5> kBareTags = {"<html", "<head", "<body", "<!doctype html", "<script"};
constexpr std::array<std::string_view, 9> kActiveTags = {"<iframe", "<meta", "<form", "<base", "<embed",
                                                         "<object", "<svg",  "<link", "<style"};

/// Of tags that begin within the first so many of these bytes.
Markup find_markup(Bytes bytes, std::size_t within) noexcept {
  Markup found = Markup::none;
  for (std::size_t at = 0; at < std::min(within, bytes.size()); ++at) {
    if (bytes[at] != std::byte{'<'}) continue;
    const auto is_one = [&](std::string_view tag) { return is_tag(bytes, at, tag); };
    if (is_one("<?php") || is_one("<iframe")) return Markup::page;
    const auto* const bare = std::find_if(kBareTags.begin(), kBareTags.end(), is_one);
    if (bare != kBareTags.end()) {
      if (bytes[at + bare->size()] != std::byte{'>'}) return Markup::page;
      found = Markup::words;
    }
    if (at + 1 >= bytes.size() || !is_letter(bytes[at + 1])) continue;
    if (has_handler(bytes.subspan(at, std::min(kTagBytes, bytes.size() - at)))) return Markup::page;
  }
  return found;
}

/// What makes a page of a word: the end of a script, or an element that loads, sends or moves on.
bool has_active_tag(Bytes bytes) noexcept {
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const void* const begin = ::memchr(bytes.data() + at, '<', bytes.size() - at);
    if (begin == nullptr) return false;
    at = static_cast<std::size_t>(static_cast<const std::byte*>(begin) - bytes.data());
    if (is_tag(bytes, at, "</script")) return true;
    if (std::any_of(kActiveTags.begin(), kActiveTags.end(), [&](std::string_view tag) { return is_tag(bytes, at, tag); })) return true;
  }
  return false;
}

bool is_digit(std::byte value) noexcept { return value >= std::byte{'0'} && value <= std::byte{'9'}; }

/// "12 0 obj": what a reader of PDF finds although there is no list of them, or a wrong one; or what ends an object or a document.
bool has_document_object(Bytes bytes) noexcept {
  constexpr std::string_view kMark = "obj";
  for (const std::string_view end : {"endobj", "startxref", "trailer<<", "trailer <<", "trailer\n", "trailer\r"}) {
    if (contains(bytes, end)) return true;
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const void* const found = ::memmem(bytes.data() + at, bytes.size() - at, kMark.data(), kMark.size());
    if (found == nullptr) return false;
    at = static_cast<std::size_t>(static_cast<const std::byte*>(found) - bytes.data());
    std::size_t back = at;
    const auto skip = [&](const auto& is_part) {
      const std::size_t from = back;
      while (back > 0 && is_part(bytes[back - 1])) --back;
      return back < from;
    };
    if (skip(is_space) && skip(is_digit) && skip(is_space) && skip(is_digit)) return true;
  }
  return false;
}

/// The head of a member of a ZIP archive: with a version and a method that there are, which four bytes alone do not tell.
bool has_archive_member(Bytes bytes) noexcept {
  constexpr std::string_view kMark("PK\x03\x04", 4);
  for (std::size_t at = 0; (at = find_mark(bytes, at, kMark)) + 10 <= bytes.size(); ++at) {
    if (inspect::le16(bytes, at + 4) <= 63 && inspect::le16(bytes, at + 8) <= 99) return true;
  }
  return false;
}

bool is_program(Bytes bytes) noexcept {
  if (!inspect::has_text(bytes, 0, "MZ") || bytes.size() < 64) return false;
  const std::size_t header = inspect::le32(bytes, 60);
  return inspect::has_text(bytes, header, std::string_view("PE\0\0", 4));
}

/// What a piece of what lies behind a picture is, or holds the beginning of.
std::string name_of_trailing(Bytes bytes, bool is_first) {
  if (has_archive_member(bytes)) return "a ZIP archive";
  if (contains(bytes, std::string_view("Rar!\x1a\x07", 6))) return "a RAR archive";
  if (contains(bytes, std::string_view("7z\xbc\xaf\x27\x1c", 6))) return "a 7z archive";
  if (contains(bytes, "%PDF-")) return "a PDF document";
  if (contains(bytes, std::string_view("\x7f"
                                       "ELF\x01\x01\x01",
                                       7)) ||
      contains(bytes, std::string_view("\x7f"
                                       "ELF\x02\x01\x01",
                                       7))) {
    return "a program";
  }
  if (is_first && is_program(bytes)) return "a program";
  if (has_markup(bytes)) return "an HTML page";
  return {};
}

/// ZIP and whatever is made of it (JAR, APK, DOCX): found by the record at its end, whatever is before it.
Result<std::string> find_archive_end(const ByteReader& content) {
  constexpr std::string_view kMark("PK\x05\x06", 4);
  const std::uint64_t begin = content.size() - std::min<std::uint64_t>(content.size(), kArchiveTailBytes);
  MEDIA_TRY_ASSIGN(const auto tail, read_piece(content, begin, kArchiveTailBytes));
  const Bytes bytes(tail);
  for (std::size_t at = 0; (at = find_mark(bytes, at, kMark)) + kArchiveEndBytes <= bytes.size(); ++at) {
    const std::uint64_t record = begin + at;
    const std::uint64_t list_bytes = inspect::le32(bytes, at + 12);
    // A list of more than 4 GiB, or none that says so, is told by another record right before this one.
    if (list_bytes == 0xffffffffU && at >= 20 && inspect::has_text(bytes, at - 20, std::string_view("PK\x06\x07", 4)))
      return std::string("a ZIP archive");
    if (list_bytes < 46 || list_bytes > record) continue;
    MEDIA_TRY_ASSIGN(const auto list,
                     read_piece(content, record - list_bytes, static_cast<std::size_t>(std::min<std::uint64_t>(list_bytes, kListedNames))));
    if (!inspect::has_text(list, 0, std::string_view("PK\x01\x02", 4))) continue;
    return std::string(contains(list, "META-INF/MANIFEST.MF") ? "a JAR archive" : "a ZIP archive");
  }
  return std::string();
}

/// Behind the end-of-image marker of the first picture. Within entropy-coded data 0xFF is followed by zero or a restart marker.
Result<std::uint64_t> end_of_jpeg(Cursor& cursor) {
  MEDIA_TRY(cursor.skip(2, "the JPEG signature"));
  for (;;) {
    if (cursor.remaining() < 2) return cursor.size();
    MEDIA_TRY_ASSIGN(Bytes bytes, cursor.some());
    // What is left of a window may be one byte alone.
    if (bytes.size() < 2) {
      MEDIA_TRY_ASSIGN(bytes, cursor.ahead(2, "JPEG data"));
    }
    const void* const found = ::memchr(bytes.data(), 0xff, bytes.size() - 1);
    if (found == nullptr) {
      MEDIA_TRY(cursor.skip(bytes.size() - 1, "JPEG data"));
      continue;
    }
    const auto at = static_cast<std::size_t>(static_cast<const std::byte*>(found) - bytes.data());
    const std::uint8_t marker = inspect::u8(bytes, at + 1);
    const bool stands_alone = marker == 0x00 || marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8);
    if (marker == 0xff) {
      MEDIA_TRY(cursor.skip(at + 1, "JPEG data"));
    } else if (marker == 0xd9) {
      return cursor.position() + at + 2;
    } else if (stands_alone) {
      MEDIA_TRY(cursor.skip(at + 2, "JPEG data"));
    } else {
      MEDIA_TRY(cursor.skip(at + 2, "a JPEG segment"));
      MEDIA_TRY_ASSIGN(const Bytes length, cursor.ahead(2, "a JPEG segment"));
      MEDIA_TRY(cursor.skip(inspect::be16(length, 0), "a JPEG segment"));
    }
  }
}

bool is_box_type(Bytes type) noexcept {
  return std::all_of(type.begin(), type.end(), [](std::byte b) { return b >= std::byte{0x20} && b < std::byte{0x7f}; }) ||
         inspect::u8(type, 0) == 0xa9;  // QuickTime's own begin with a copyright sign
}

/// The end of the last box of a file whose boxes follow each other: what is behind it is none.
Result<std::uint64_t> end_of_boxes(Cursor& cursor) {
  while (cursor.remaining() >= 8) {
    MEDIA_TRY(cursor.step());
    const std::uint64_t at = cursor.position();
    MEDIA_TRY_ASSIGN(const Bytes head, cursor.ahead(static_cast<std::size_t>(std::min<std::uint64_t>(16, cursor.remaining())), "a box"));
    std::uint64_t size = inspect::be32(head, 0);
    if (!is_box_type(head.subspan(4, 4))) return at;
    if (size == 0) return cursor.size();
    if (size == 1 && head.size() == 16) size = inspect::be64(head, 8);
    if (size < 8 || size > cursor.remaining()) return at;
    MEDIA_TRY(cursor.skip(size, "a box"));
  }
  return cursor.position();
}

Result<std::uint64_t> end_of_riff(Cursor& cursor) {
  MEDIA_TRY_ASSIGN(const auto head, cursor.take<8>("the RIFF header"));
  const std::uint64_t size = std::uint64_t{8} + head.le16<4>() + (std::uint64_t{head.le16<6>()} << 16U);
  return std::min(cursor.size(), size + (size & 1U));
}

/// Of formats whose headers are walked to the very end.
Result<std::uint64_t> end_of_walk(const ByteReader& content, Cursor& cursor) {
  MEDIA_TRY_ASSIGN(const auto head, inspect::read_head(content));
  const auto recognised = inspect::recognise(head);
  if (recognised.reader == nullptr) return content.size();
  MediaInfo ignored;
  MEDIA_TRY(recognised.reader->read(cursor, ignored));
  return cursor.position();
}

/// Where the picture or video ends and whatever is behind it begins; absent for formats of which that is not known.
Result<std::optional<std::uint64_t>> find_end(const ByteReader& content, Format format) {
  Cursor cursor(content);
  const auto end = [&]() -> Result<std::uint64_t> {
    switch (format) {
      case Format::jpeg:
        return end_of_jpeg(cursor);
      case Format::png:
      case Format::gif:
        return end_of_walk(content, cursor);
      case Format::webp:
        return end_of_riff(cursor);
      case Format::avif:
      case Format::heic:
      case Format::mp4:
      case Format::mov:
        return end_of_boxes(cursor);
      default:
        return content.size();
    }
  }();
  // Damaged, or beyond what a probe may cost: what is behind it cannot be told from what is in it.
  if (!end && end.error().code == Errc::corrupt) return std::optional<std::uint64_t>();
  if (!end) return end.error();
  return std::optional(*end);
}

Result<std::string> find_in_trailing(const ByteReader& content, std::uint64_t begin) {
  const std::uint64_t end = begin + std::min(content.size() - begin, kMostTrailingBytes);
  for (std::uint64_t at = begin; at < end; at += kPiece) {
    MEDIA_TRY_ASSIGN(const auto piece, read_piece(content, at, kPiece + kLongestMark));
    if (std::string name = name_of_trailing(piece, at == begin); !name.empty()) return name;
  }
  return std::string();
}

/// True where `is_there` says so of one of the pieces from `begin` on, which overlap by more than anything that is looked for is long.
template <class Predicate>
Result<bool> find_anywhere(const ByteReader& content, std::uint64_t begin, const Predicate& is_there) {
  for (std::uint64_t at = begin; at < content.size(); at += kPiece) {
    MEDIA_TRY_ASSIGN(const auto piece, read_piece(content, at, kPiece + kLongestMark));
    if (is_there(Bytes(piece))) return true;
  }
  return false;
}

/// What the first bytes are the beginning of, if they are more than a word in a comment.
Result<std::string> find_in_head(const ByteReader& content, Format format) {
  MEDIA_TRY_ASSIGN(const auto head, read_piece(content, 0, kHeadBytes + kTagBytes));
  if (contains(Bytes(head).first(std::min(head.size(), kHeadBytes)), "%PDF-")) {
    MEDIA_TRY_ASSIGN(const bool is_document, find_anywhere(content, 0, has_document_object));
    if (is_document) return std::string("a PDF document");
  }
  // An SVG is markup itself, and is served as an attachment alone.
  if (format == Format::svg) return std::string();
  switch (find_markup(head, kHeadBytes)) {
    case Markup::none:
      return std::string();
    case Markup::page:
      return std::string("an HTML page");
    case Markup::words:
      break;
  }
  MEDIA_TRY_ASSIGN(const bool is_page, find_anywhere(content, 0, has_active_tag));
  return std::string(is_page ? "an HTML page" : "");
}

}  // namespace

Result<std::string> find_polyglot(const ByteReader& content, Format format) {
  MEDIA_TRY_ASSIGN(auto in_head, find_in_head(content, format));
  if (!in_head.empty()) return in_head;
  MEDIA_TRY_ASSIGN(auto archive, find_archive_end(content));
  if (!archive.empty()) return archive;
  MEDIA_TRY_ASSIGN(const auto end, find_end(content, format));
  if (!end || *end >= content.size()) return std::string();
  return find_in_trailing(content, *end);
}

}  // namespace media

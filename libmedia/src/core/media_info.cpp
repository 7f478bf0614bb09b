#include "media/media_info.hpp"

#include <algorithm>
#include <array>

namespace media {
namespace {

struct Row {
  Format format;
  std::string_view name;
  std::string_view mime;
  std::string_view extension;
  bool image;
};

constexpr std::array<Row, 15> kRows{{
    {Format::unknown, "unknown", "application/octet-stream", "bin", false},
    {Format::jpeg, "jpeg", "image/jpeg", "jpg", true},
    {Format::png, "png", "image/png", "png", true},
    {Format::webp, "webp", "image/webp", "webp", true},
    {Format::avif, "avif", "image/avif", "avif", true},
    {Format::heic, "heic", "image/heic", "heic", true},
    {Format::gif, "gif", "image/gif", "gif", true},
    {Format::bmp, "bmp", "image/bmp", "bmp", true},
    {Format::tiff, "tiff", "image/tiff", "tiff", true},
    {Format::svg, "svg", "image/svg+xml", "svg", true},
    {Format::mp4, "mp4", "video/mp4", "mp4", false},
    {Format::mov, "mov", "video/quicktime", "mov", false},
    {Format::webm, "webm", "video/webm", "webm", false},
    {Format::mkv, "mkv", "video/x-matroska", "mkv", false},
    {Format::ogg, "ogg", "video/ogg", "ogv", false},
}};

struct Alias {
  std::string_view text;
  Format format;
};
constexpr std::array<Alias, 11> kMimeAliases{{
    {"image/jpg", Format::jpeg},
    {"image/pjpeg", Format::jpeg},
    {"image/x-png", Format::png},
    {"image/avif-sequence", Format::avif},
    {"image/heif", Format::heic},
    {"image/heic-sequence", Format::heic},
    {"image/heif-sequence", Format::heic},
    {"image/x-ms-bmp", Format::bmp},
    {"video/x-m4v", Format::mp4},
    {"video/matroska", Format::mkv},
    {"application/ogg", Format::ogg},
}};
constexpr std::array<Alias, 13> kNameAliases{{
    {"jpg", Format::jpeg},
    {"jpe", Format::jpeg},
    {"jfif", Format::jpeg},
    {"apng", Format::png},
    {"avifs", Format::avif},
    {"heif", Format::heic},
    {"hif", Format::heic},
    {"tif", Format::tiff},
    {"dib", Format::bmp},
    {"m4v", Format::mp4},
    {"qt", Format::mov},
    {"ogv", Format::ogg},
    {"svgz", Format::svg},
}};

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

const Row& row(Format format) noexcept {
  return kRows[static_cast<std::size_t>(format) < kRows.size() ? static_cast<std::size_t>(format) : 0];
}

template <class Aliases>
Format lookup(std::string_view text, std::string_view Row::* column, const Aliases& aliases) noexcept {
  for (const Row& candidate : kRows) {
    if (candidate.format != Format::unknown && equal_ignoring_case(candidate.*column, text)) return candidate.format;
  }
  for (const Alias& alias : aliases) {
    if (equal_ignoring_case(alias.text, text)) return alias.format;
  }
  return Format::unknown;
}

}  // namespace

std::string_view mime_type(Format format) noexcept { return row(format).mime; }
std::string_view to_string(Format format) noexcept { return row(format).name; }
std::string_view file_extension(Format format) noexcept { return row(format).extension; }
bool is_image(Format format) noexcept { return row(format).image; }
bool is_video(Format format) noexcept { return format != Format::unknown && !row(format).image; }

Format format_from_mime(std::string_view mime) noexcept {
  mime = mime.substr(0, mime.find(';'));
  while (!mime.empty() && (mime.back() == ' ' || mime.back() == '\t')) mime.remove_suffix(1);
  while (!mime.empty() && (mime.front() == ' ' || mime.front() == '\t')) mime.remove_prefix(1);
  return lookup(mime, &Row::mime, kMimeAliases);
}

Format format_from_name(std::string_view name) noexcept { return lookup(name, &Row::name, kNameAliases); }

}  // namespace media

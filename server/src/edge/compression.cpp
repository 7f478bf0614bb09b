#include "edge/compression.hpp"

#define ZLIB_CONST  // input is const
#include <zlib.h>

#include <algorithm>
#include <charconv>

#include "edge/fields.hpp"

namespace media::server {
namespace {

constexpr std::string_view kSuffix = "-gzip\"";
constexpr std::size_t kLeastBytes = 1024;
constexpr int kLevel = 5;
constexpr int kGzipWindow = 15 + 16;  // the largest window, in gzip's framing
constexpr int kMemoryLevel = 8;

bool is_text(std::string_view media_type) {
  const auto type = media_type.substr(0, media_type.find(';'));
  return type.starts_with("text/") || type == "application/json" || type == "application/yaml" || type == "application/javascript";
}

bool is_compressible(const http::Response& response) {
  const auto type = response.headers.find("Content-Type");
  return type && is_text(*type) && response.status != 206 && !response.headers.find("Content-Encoding") &&
         std::all_of(response.pieces.begin(), response.pieces.end(), [](const http::Piece& piece) { return piece.reader == nullptr; });
}

/// "q=0.5" as a number; 1 where there is none.
double quality(std::string_view parameters) {
  const auto q = parameters.find("q=");
  if (q == std::string_view::npos) return 1;
  const auto value = parameters.substr(q + 2);
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  return error == std::errc{} ? number : 0;
}

std::string gzip(const std::vector<http::Piece>& pieces, std::size_t size) {
  z_stream stream{};
  if (::deflateInit2(&stream, kLevel, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  std::string packed(::deflateBound(&stream, size), '\0');
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  int outcome = Z_OK;
  for (std::size_t i = 0; i < pieces.size() && outcome == Z_OK; ++i) {
    stream.next_in = reinterpret_cast<const Bytef*>(pieces[i].text.data());
    stream.avail_in = static_cast<uInt>(pieces[i].text.size());
    outcome = ::deflate(&stream, i + 1 == pieces.size() ? Z_FINISH : Z_NO_FLUSH);
  }
  packed.resize(packed.size() - stream.avail_out);
  ::deflateEnd(&stream);
  return outcome == Z_STREAM_END ? packed : std::string();
}

void mark_tag(http::Response& response) {
  const auto etag = response.headers.find("ETag");
  if (!etag || !etag->ends_with('"') || etag->ends_with(kSuffix)) return;
  response.headers.set("ETag", std::string(etag->substr(0, etag->size() - 1)) + std::string(kSuffix));
}

}  // namespace

bool accepts_gzip(const http::Request& request) {
  double gzip = -1;
  double any = 0;
  for (const std::string_view element : list_elements(request.headers, "Accept-Encoding")) {
    const auto semicolon = std::min(element.find(';'), element.size());
    std::string_view coding = element.substr(0, semicolon);
    while (!coding.empty() && coding.back() == ' ') coding.remove_suffix(1);
    if (http::equal_ignoring_case(coding, "gzip") || http::equal_ignoring_case(coding, "x-gzip")) gzip = quality(element.substr(semicolon));
    if (coding == "*") any = quality(element.substr(semicolon));
  }
  return (gzip < 0 ? any : gzip) > 0;
}

void compress(const http::Request& request, http::Response& response) {
  if (!is_compressible(response)) return;
  const std::uint64_t size = response.body_size();
  if (size < kLeastBytes || size > (64U << 20U)) return;
  add_vary(response, "Accept-Encoding");
  if (!accepts_gzip(request)) return;
  std::string packed = gzip(response.pieces, size);
  if (packed.empty() || packed.size() >= size) return;
  response.pieces.clear();
  response.pieces.push_back({std::move(packed), nullptr, 0, 0});
  response.headers.set("Content-Encoding", "gzip");
  mark_tag(response);
}

bool strip_gzip_tags(http::Request& request) {
  bool asked = false;
  for (const std::string_view name : {"If-Match", "If-None-Match"}) {
    if (request.headers.count(name) != 1) continue;  // several lines: none of ours sends that, and it only costs a full answer
    std::string value(*request.headers.find(name));
    bool changed = false;
    for (std::size_t at = value.find(kSuffix); at != std::string::npos; at = value.find(kSuffix, at)) {
      value.erase(at, kSuffix.size() - 1);
      changed = true;
    }
    if (!changed) continue;
    request.headers.set(name, std::move(value));
    asked = asked || name == "If-None-Match";
  }
  return asked;
}

void mark_not_modified(http::Response& response) {
  mark_tag(response);
  add_vary(response, "Accept-Encoding");
}

}  // namespace media::server

// Any bytes as an MP4 whose index is to be moved: what comes of it can be read in any pieces, is described as before, and is in its place.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "media/inspect.hpp"
#include "media/video.hpp"

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

std::vector<std::byte> read_in_pieces(const media::ByteReader& content, std::size_t piece) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(content.size()));
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const auto some = std::span(bytes).subspan(at, std::min(piece, bytes.size() - at));
    const auto got = content.read_at(at, some);
    must(got.has_value() && *got == some.size());
  }
  std::byte behind{};
  const auto none = content.read_at(bytes.size(), std::span(&behind, 1));
  must(none.has_value() && *none == 0);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace media;
  const MemoryReader source(std::as_bytes(std::span(data, size)));
  const auto arranged = open_web_ready(source);
  if (!arranged) {
    const Errc code = arranged.error().code;
    must(code == Errc::corrupt || code == Errc::unsupported || code == Errc::too_large);
    return 0;
  }
  const auto bytes = read_in_pieces(**arranged, std::max<std::size_t>(size, 1) * 2);
  must(read_in_pieces(**arranged, 61) == bytes);

  const auto before = probe(source);
  const MemoryReader moved(bytes);
  const auto after = probe(moved);
  must(before.has_value() && after.has_value() && *before == *after);
  const auto again = open_web_ready(moved);
  must(again.has_value() && read_in_pieces(**again, 1U << 16U) == bytes);
  return 0;
}

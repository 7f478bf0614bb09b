// Any bytes as a film that a worker says it has encoded: the first byte chooses MP4 or WebM. They are believed or refused as damaged; of a
// film that is believed no byte can be missing at the end, and none can be behind it.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "cage/encoded_shape.hpp"

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace media;
  if (size == 0) return 0;
  const Format format = data[0] % 2 == 0 ? Format::mp4 : Format::webm;
  const auto film = std::as_bytes(std::span(data, size)).subspan(1);
  const auto length = cage::encoded_length(MemoryReader(film), format);
  if (!length) {
    must(length.error().code == Errc::corrupt);
    return 0;
  }
  must(length->count() >= 0);
  must(!cage::encoded_length(MemoryReader(film.first(film.size() - 1)), format));
  std::vector<std::byte> longer(film.begin(), film.end());
  longer.push_back(std::byte{0});
  must(!cage::encoded_length(MemoryReader(std::move(longer)), format));
  return 0;
}

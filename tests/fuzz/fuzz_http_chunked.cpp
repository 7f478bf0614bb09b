// Any bytes as a chunked body: the same payload and the same end however they arrive.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/chunked.hpp"

using namespace media::http;

namespace {

std::string transcript(std::string_view input, std::size_t step) {
  ChunkDecoder decoder;
  std::string out;
  std::size_t used = 0;
  std::size_t end = 0;
  while (true) {
    std::size_t consumed = 0;
    const auto event = decoder.next(input.substr(used, end - used), consumed);
    used += consumed;
    if (event == ChunkDecoder::Event::end) return out + ".end" + std::to_string(used);
    if (event == ChunkDecoder::Event::malformed) return out + ".malformed";
    if (event == ChunkDecoder::Event::data && used < end) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(decoder.data_left(), end - used));
      if (count == 0) std::abort();
      out += input.substr(used, count);
      used += count;
      decoder.took(count);
      continue;
    }
    if (end == input.size()) return out + ".more";
    end = std::min(end + step, input.size());
  }
}

/// Whether a scan that sees the body grow by `step` bytes at a time comes to its end or to a fault.
bool is_over(std::string_view input, std::size_t step) {
  ChunkScan scan;
  for (std::size_t end = 0; end < input.size(); end = std::min(end + step, input.size())) {
    if (scan.is_over(input.substr(0, end))) return true;
  }
  return scan.is_over(input);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string whole = transcript(input, size + 1);
  if (whole != transcript(input, 1) || whole != transcript(input, 3)) std::abort();
  const bool over = !whole.ends_with(".more");
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, size + 1}) {
    if (is_over(input, step) != over) std::abort();
  }
  return 0;
}

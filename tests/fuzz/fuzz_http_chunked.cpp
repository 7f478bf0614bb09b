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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string whole = transcript(input, size + 1);
  if (whole != transcript(input, 1) || whole != transcript(input, 3)) std::abort();
  return 0;
}

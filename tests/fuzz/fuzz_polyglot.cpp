// Any bytes as each format: whatever is found is told in one of a few words, and an archive behind them is found.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "media/inspect.hpp"

using namespace media;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// An archive of one empty member, with a comment of no bytes.
std::vector<std::byte> with_archive(const std::uint8_t* data, std::size_t size) {
  const std::string head = std::string("PK\x01\x02", 4) + std::string(24, '\0') + std::string("\x01\0", 2) + std::string(16, '\0') + "a";
  std::string end = std::string("PK\x05\x06", 4) + std::string(18, '\0');
  end[8] = end[10] = 1;
  end[12] = static_cast<char>(head.size());
  std::string all(reinterpret_cast<const char*>(data), size);
  all += head + end;
  std::vector<std::byte> bytes;
  for (const char c : all) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryReader content(std::as_bytes(std::span(data, size)));
  for (const Format format : {Format::jpeg, Format::png, Format::gif, Format::webp, Format::mp4, Format::avif, Format::unknown}) {
    const auto found = find_polyglot(content, format);
    require(found.has_value());
    require(found->empty() || found->starts_with("a ") || found->starts_with("an "));
  }
  const auto archive = with_archive(data, size);
  const auto found = find_polyglot(MemoryReader(archive), Format::jpeg);
  require(found.has_value() && !found->empty());
  return 0;
}

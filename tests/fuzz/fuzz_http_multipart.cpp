// Any bytes as a multipart body, and as the fields that go with one: the same parts however the bytes arrive, and no more content than
// body.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "http/multipart.hpp"
#include "http/text.hpp"

using namespace media;
using namespace media::http;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

class PieceSource final : public ByteSource {
 public:
  PieceSource(std::string_view bytes, std::size_t step) : bytes_(bytes), step_(step) {}
  Result<std::size_t> read(std::span<std::byte> into) override {
    require(!into.empty());
    const std::size_t count = std::min({step_, into.size(), bytes_.size()});
    if (count > 0) std::memcpy(into.data(), bytes_.data(), count);
    bytes_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view bytes_;
  std::size_t step_;
};

std::string transcript(std::string_view body, std::size_t step, std::size_t span) {
  PieceSource source(body, step);
  MultipartReader reader(source, "b", {.max_parts = 8, .max_part_head_bytes = 256, .max_part_headers = 4, .max_padding_bytes = 32});
  std::string out;
  std::vector<std::byte> buffer(span);
  while (true) {
    const auto part = reader.next();
    if (!part) return out + "!" + std::string(to_string(part.error().code));
    if (!*part) return out + ".";
    require(!(*part)->headers.all("Content-Disposition").empty());
    out += "[" + (*part)->name + "|" + (*part)->file_name.value_or("-") + "]";
    while (true) {
      const auto got = reader.content().read(buffer);
      if (!got) return out + "!" + std::string(to_string(got.error().code));
      if (*got == 0) break;
      out.append(reinterpret_cast<const char*>(buffer.data()), *got);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = transcript(bytes, SIZE_MAX, 4096);
  require(whole == transcript(bytes, 1, 4096));
  require(whole == transcript(bytes, 5, 3));
  if (const auto boundary = multipart_boundary(bytes)) require(!boundary->empty() && boundary->size() <= 70);
  if (const auto field = parse_parameterized(bytes)) disposition_file_name(*field);
  if (const auto decoded = decode_extended_value(bytes)) require(is_utf8(*decoded));
  return 0;
}

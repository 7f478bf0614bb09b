// Any bytes as an EXIF block. A credit is clean and short, and reads back from what is written of it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "image/exif.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace media::image;
  const auto block = std::as_bytes(std::span(data, size));
  const std::uint8_t orientation = exif_orientation(block);
  if (orientation < 1 || orientation > 8) std::abort();
  const Credit credit = exif_credit(block);
  for (const std::string* text : {&credit.copyright, &credit.creator}) {
    if (text->size() > kMaxCreditBytes) std::abort();
    if (std::any_of(text->begin(), text->end(), [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; })) std::abort();
  }
  if (exif_credit(credit_block(credit)) != credit) std::abort();
  return 0;
}

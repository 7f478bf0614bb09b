// What a worker that was taken over may write to the library, and the other way round. The first byte chooses the parser.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "cage/wire.hpp"
#include "image/describe.hpp"

namespace {

using namespace media;
using namespace media::cage;

constexpr std::uint64_t kMaxOutput = 1'000'000;

/// What was accepted must be written again to the very same bytes: then a message has one spelling, and no field was overlooked.
void require_same(std::span<const std::byte> payload, const std::vector<std::byte>& again) {
  if (!std::equal(payload.begin(), payload.end(), again.begin(), again.end())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto payload = std::as_bytes(std::span(data, size)).subspan(1);
  switch (data[0] % 9) {
    case 0: {
      if (payload.size() < kHeadBytes) break;
      const auto bytes = payload.first<kHeadBytes>();
      if (const auto head = parse_head(bytes)) {
        if (head->length > kMaxMessageBytes) std::abort();
        const auto again = write_head(*head);
        require_same(bytes, {again.begin(), again.end()});
      }
      break;
    }
    case 1:
      if (const auto hello = parse_hello(payload)) require_same(payload, write_hello(*hello));
      break;
    case 2:
      if (const auto request = parse_request(payload)) {
        if (request->transforms.size() > kMaxTransforms) std::abort();
        // A colour that is not set may be anything on the wire, so only the length is compared.
        if (write_request(*request).size() != payload.size()) std::abort();
      }
      break;
    case 3:
      if (const auto share = parse_progress(payload); share && !(*share >= 0 && *share <= 1)) std::abort();
      break;
    case 4: {
      Error error;
      if (!parse_error(payload, error)) break;
      if (error.message.size() > kMaxErrorText) std::abort();
      for (const char c : error.message) {
        if (c < ' ' || c > '~') std::abort();
      }
      break;
    }
    case 5:
      if (const auto info = parse_info(payload); info && (info->orientation < 1 || info->orientation > 8)) std::abort();
      break;
    case 6:
      for (std::size_t outputs = 0; outputs < 4; ++outputs) {
        const auto head = parse_derived(payload, outputs, kMaxOutput);
        if (!head) continue;
        if (head->outputs.size() != outputs) std::abort();
        const Appearance& appearance = head->appearance;
        if (appearance.known() ? !image::is_thumbhash(appearance.thumbhash) || appearance.dominant_colour.size() != 7
                               : appearance != Appearance{}) {
          std::abort();
        }
        for (const DerivedHead::Output& output : head->outputs) {
          if (output.size_bytes == 0 || output.size_bytes > kMaxOutput || output.width == 0 || output.height == 0) std::abort();
        }
      }
      break;
    case 7:
      if (const auto piece = parse_piece(payload, kMaxOutput)) {
        if (piece->bytes.empty() || piece->offset > kMaxOutput || piece->bytes.size() > kMaxOutput - piece->offset) std::abort();
        require_same(payload, write_piece(*piece));
      }
      break;
    case 8:
      if (const auto head = parse_encoded(payload)) {
        if (head->width == 0 || head->height == 0) std::abort();
        // A duration that is not set may be anything on the wire, so only the length is compared.
        if (write_encoded(*head).size() != payload.size()) std::abort();
      }
      break;
    default:
      break;
  }
  return 0;
}

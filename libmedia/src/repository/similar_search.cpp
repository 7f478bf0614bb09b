#include "repository/similar_search.hpp"

namespace media {
namespace {

void add_near(std::int64_t quarter, int bits, unsigned from_bit, std::vector<std::int64_t>& out) {
  out.push_back(quarter);
  if (bits == 0) return;
  for (unsigned bit = from_bit; bit < kQuarterBits; ++bit) add_near(quarter ^ std::int64_t{1} << bit, bits - 1, bit + 1, out);
}

}  // namespace

std::vector<std::int64_t> quarters_near(std::int64_t quarter, int bits) {
  std::vector<std::int64_t> out;
  if (bits >= 0) add_near(quarter, bits, 0, out);
  return out;
}

}  // namespace media

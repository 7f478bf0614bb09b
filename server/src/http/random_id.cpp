#include "http/random_id.hpp"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdlib>

namespace media::http {
namespace {

constexpr std::size_t kIdBytes = 16;

/// Drawn for several ids at once: the system call is most of an id's cost.
struct Drawn {
  std::array<unsigned char, kIdBytes * 16> bytes{};
  std::size_t used = bytes.size();
};

}  // namespace

std::string random_id() {
  thread_local Drawn drawn;
  if (drawn.used == drawn.bytes.size()) {
    // 256 bytes come whole or not at all; a system without randomness has nothing safe to go on with.
    while (::getrandom(drawn.bytes.data(), drawn.bytes.size(), 0) != static_cast<ssize_t>(drawn.bytes.size())) {
      if (errno != EINTR) std::abort();
    }
    drawn.used = 0;
  }
  std::string out;
  out.reserve(kIdBytes * 2);
  for (std::size_t i = 0; i < kIdBytes; ++i) {
    const unsigned char byte = drawn.bytes.at(drawn.used++);
    out += "0123456789abcdef"[byte >> 4U];
    out += "0123456789abcdef"[byte & 15U];
  }
  return out;
}

}  // namespace media::http

// What encoding a video holds in memory: no more of a long film than of a short one.
#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "sanitized.hpp"
#include "video/encode.hpp"
#include "video_samples.hpp"

using namespace media;

namespace {

/// Of 400 seconds of either, with room to spare; their sound would take nine times as much, encoded and in wait.
constexpr std::size_t kIndexBytes = 1U << 20U;

struct Held {
  std::uint64_t written = 0;
  std::size_t grown = 0;  ///< Bytes on the heap at most, beyond those when the file was begun.
};

Held encoded(const std::vector<std::byte>& source, const std::string& transform) {
  video::get_ready();
  Held held;
  std::size_t begun = 0;
  const video::PutBytes put = [&](std::uint64_t offset, std::span<const std::byte> bytes) -> Result<void> {
    const std::size_t now = ::mallinfo2().uordblks + ::mallinfo2().hblkhd;
    if (begun == 0) begun = now;
    held.grown = std::max(held.grown, now - std::min(now, begun));
    held.written = std::max(held.written, offset + bytes.size());
    return {};
  };
  const auto made = video::encode(MemoryReader(source), *parse_transform(transform), {}, image::Decoders::own, put);
  if (!made) FAIL(made.error().message);
  return held;
}

/// A second of pictures, or more, and noise for so many seconds.
std::vector<std::byte> film(const std::string& pictures, const std::string& sound) {
  return test::film("a.mkv", {"-f", "lavfi", "-i", "testsrc2=s=32x32:r=5:d=" + pictures, "-f", "lavfi", "-i",
                              "anoisesrc=r=8000:a=0.5:d=" + sound, "-c:v", "libx264", "-g", "5", "-pix_fmt", "yuv420p", "-c:a", "pcm_u8"});
}

}  // namespace

TEST_CASE("video: what is heard behind the last picture, and seen behind the last sound, is written as it comes") {
  if (test::kSanitized) return;  // with a heap of its own
  const auto sound_last = film("1", "400");
  const auto pictures_last = film("400", "1");
  const auto both = film("10", "10");
  for (const std::string transform : {"format=webm", "format=mp4"}) {
    CAPTURE(transform);
    const Held usual = encoded(both, transform);
    const Held behind = encoded(sound_last, transform);
    const Held ahead = encoded(pictures_last, transform);
    CHECK(behind.written > 3'000'000);
    CHECK(behind.grown < usual.grown + kIndexBytes);
    CHECK(ahead.grown < usual.grown + kIndexBytes);
  }
}

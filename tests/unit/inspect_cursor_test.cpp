#include <numeric>

#include "catch.hpp"
#include "inspect/cursor.hpp"
#include "inspect/orientation.hpp"
#include "inspect_samples.hpp"
#include "support.hpp"

using media::Errc;
using media::MemoryReader;
using media::Result;
using namespace media::inspect;

namespace {

/// Counts what is asked of it.
class CountingReader final : public media::ByteReader {
 public:
  explicit CountingReader(std::uint64_t size) : size_(size) {}
  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    ++reads;
    if (fail) return media::Error{Errc::io, "the disk is gone"};
    const std::uint64_t count = offset >= size_ ? 0 : std::min<std::uint64_t>(into.size(), size_ - offset);
    bytes += count;
    if (shorter && count > 0) return static_cast<std::size_t>(count / 2);
    for (std::size_t i = 0; i < count; ++i) into[i] = static_cast<std::byte>(offset + i);
    return static_cast<std::size_t>(count);
  }
  mutable std::uint64_t reads = 0;
  mutable std::uint64_t bytes = 0;
  bool fail = false;
  bool shorter = false;

 private:
  std::uint64_t size_;
};

}  // namespace

TEST_CASE("inspect: a cursor reads in order, and not past the end") {
  const auto bytes = test::bytes("0123456789");
  const MemoryReader content{std::span(bytes)};
  Cursor cursor(content);
  const auto first = cursor.take<4>("four bytes");
  REQUIRE(first);
  CHECK(first->be32<0>() == code("0123"));
  CHECK(first->le16<1>() == 0x3231);
  CHECK(cursor.position() == 4);
  REQUIRE(cursor.skip(5, "five more"));
  const auto past = cursor.take<2>("the tail");
  REQUIRE_FALSE(past);
  CHECK(past.error().code == Errc::corrupt);
  CHECK_THAT(past.error().message, ContainsSubstring("the tail at byte 9"));
  CHECK(cursor.position() == 9);
  CHECK_FALSE(cursor.seek(11, "somewhere"));
  CHECK_FALSE(cursor.skip(UINT64_MAX, "everything"));
  CHECK(cursor.seek(10, "the end"));
  const auto rest = cursor.some();
  REQUIRE(rest);
  CHECK(rest->empty());
}

TEST_CASE("inspect: what is inside a box cannot leave it, and limits nest") {
  const auto bytes = test::bytes("0123456789");
  const MemoryReader content{std::span(bytes)};
  Cursor cursor(content);
  {
    const Cursor::Within outer(cursor, 8);
    {
      const Cursor::Within inner(cursor, 4);
      CHECK(cursor.remaining() == 4);
      CHECK_FALSE(cursor.take<5>("five"));
      const Cursor::Within wider(cursor, 100);
      CHECK(cursor.limit() == 4);
    }
    CHECK(cursor.limit() == 8);
    CHECK_FALSE(cursor.seek(9, "nine"));
    REQUIRE(cursor.seek(6, "six"));
    const Cursor::Within before(cursor, 2);
    CHECK(cursor.remaining() == 0);
  }
  CHECK(cursor.limit() == 10);
}

TEST_CASE("inspect: hopping over payloads costs small reads, reading on costs few") {
  const CountingReader content(64ULL << 20U);
  Cursor hopping(content);
  for (int i = 0; i < 60; ++i) {
    REQUIRE(hopping.take<8>("a head"));
    REQUIRE(hopping.skip(1 << 20U, "a payload"));
  }
  CHECK(content.bytes < 80 * 1024);

  const CountingReader in_order_content(1 << 20U);
  Cursor in_order(in_order_content);
  std::uint32_t sum = 0;
  for (int i = 0; i < 1 << 18; ++i) {
    const auto four = in_order.take<4>("four");
    REQUIRE(four);
    sum += four->byte<0>();
  }
  CHECK(sum > 0);
  CHECK(in_order_content.reads < 40);
}

TEST_CASE("inspect: a probe has a budget of steps and of bytes") {
  const CountingReader content(1ULL << 40U);
  Cursor cursor(content);
  std::uint32_t steps = 0;
  while (cursor.step()) ++steps;
  CHECK(steps == Cursor::kMaxSteps);

  Cursor reading(content);
  std::uint64_t blocks = 0;
  while (true) {
    const auto bytes = reading.ahead(Cursor::kWindowBytes, "a block");
    if (!bytes) {
      CHECK(bytes.error().code == Errc::corrupt);
      break;
    }
    ++blocks;
    REQUIRE(reading.skip(Cursor::kWindowBytes, "a block"));
  }
  CHECK(blocks == Cursor::kMaxBytesRead / Cursor::kWindowBytes);
}

TEST_CASE("inspect: a reader's failures come through, and a content that shrinks is corrupt") {
  CountingReader content(10'000);
  content.fail = true;
  Cursor failing(content);
  const auto outcome = failing.take<4>("four bytes");
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::io);
  content.fail = false;
  CHECK(failing.take<4>("four bytes"));  // nothing of the failed read was kept

  content.shorter = true;
  Cursor shrinking(content);
  const auto whole = shrinking.ahead(8000, "most of it");
  REQUIRE_FALSE(whole);
  CHECK(whole.error().code == Errc::corrupt);
}

TEST_CASE("inspect: turns and mirrors compose to the EXIF numbers") {
  CHECK(exif_number(Turn{}) == 1);
  CHECK(exif_number(kLeftToRight) == 2);
  CHECK(exif_number(then(kQuarterLeft, kQuarterLeft)) == 3);
  CHECK(exif_number(kTopToBottom) == 4);
  CHECK(exif_number(then(kQuarterLeft, kTopToBottom)) == 5);
  CHECK(exif_number(then(then(kQuarterLeft, kQuarterLeft), kQuarterLeft)) == 6);
  CHECK(exif_number(then(kQuarterLeft, kLeftToRight)) == 7);
  CHECK(exif_number(kQuarterLeft) == 8);
  CHECK(exif_number(then(kLeftToRight, kLeftToRight)) == 1);
  CHECK(exif_number(Turn{1, 1, 1, 1}) == 1);
  CHECK(exif_number(Turn{0, 0, 0, 0}) == 1);
}

TEST_CASE("inspect: EXIF orientation is read in both byte orders, and damage means upright") {
  for (const bool big_endian : {true, false}) {
    for (std::uint8_t orientation = 1; orientation <= 8; ++orientation) {
      const auto block = test::bytes(samples::exif(orientation, big_endian));
      CHECK(exif_orientation(block) == orientation);
      for (std::size_t cut = 0; cut < 20; ++cut) CHECK(exif_orientation(std::span(block).first(cut)) == 1);
    }
    CHECK(exif_orientation(test::bytes(samples::exif(9, big_endian))) == 1);
    CHECK(exif_orientation(test::bytes(samples::exif(0, big_endian))) == 1);
  }
  auto far = samples::exif(6, true);
  far.replace(4, 4, samples::be(0xfffffff0, 4));
  CHECK(exif_orientation(test::bytes(far)) == 1);
}

// How many indexes of arranged MP4s are kept, for whom, and what is said beyond the limit.
#include <vector>

#include "catch.hpp"
#include "library/arrangements.hpp"

using namespace media;

namespace {

constexpr std::size_t kMiB = 1U << 20U;

Digest named(int number) { return Digest::of(std::as_bytes(std::span(&number, 1))); }

inspect::Arrangement of_size(std::size_t bytes) { return {true, std::vector<std::byte>(bytes), 40, 1000, 1000 + bytes}; }

std::vector<int> found_among(Arrangements& arrangements, int until) {
  std::vector<int> found;
  // From the last used one on, so that looking changes nothing.
  for (int number = 0; number < until; ++number) {
    if (arrangements.find(named(number))) found.push_back(number);
  }
  return found;
}

}  // namespace

TEST_CASE("library: of the indexes that nobody reads the last used ones are kept, up to a limit") {
  Arrangements arrangements;
  for (int number = 0; number < 6; ++number) REQUIRE(arrangements.keep(named(number), of_size(10 * kMiB)));
  // The last used one, and 32 MiB of others.
  CHECK(found_among(arrangements, 6) == std::vector{2, 3, 4, 5});
  // What was used goes last.
  REQUIRE(arrangements.find(named(2)));
  REQUIRE(arrangements.keep(named(6), of_size(10 * kMiB)));
  CHECK(found_among(arrangements, 7) == std::vector{2, 4, 5, 6});
  arrangements.forget(named(4));
  CHECK(arrangements.find(named(4)) == nullptr);
}

TEST_CASE("library: the index of a film of a day is kept while it is read, and does not push out all others") {
  Arrangements arrangements;
  for (int number = 0; number < 3; ++number) REQUIRE(arrangements.keep(named(number), of_size(5 * kMiB)));
  // Larger than the limit, and each range of the film takes it.
  REQUIRE(arrangements.keep(named(3), of_size(40 * kMiB)));
  CHECK(arrangements.find(named(3)) != nullptr);
  CHECK(arrangements.find(named(3)) != nullptr);
  CHECK(found_among(arrangements, 3) == std::vector{0, 1, 2});
  // Another one is looked at, and the large one is too much; but not where somebody still reads it.
  CHECK(arrangements.find(named(3)) == nullptr);
  auto large = arrangements.keep(named(3), of_size(40 * kMiB));
  REQUIRE(large);
  REQUIRE(arrangements.find(named(0)));
  CHECK(arrangements.find(named(3)) == *large);
  REQUIRE(arrangements.find(named(0)));
  large = Error{Errc::not_found, "read to its end"};
  CHECK(arrangements.find(named(3)) == nullptr);
  CHECK(found_among(arrangements, 3) == std::vector{0, 1, 2});
}

TEST_CASE("library: what is being read counts, beyond the limit nothing is arranged, and readers that end make room") {
  std::vector<std::shared_ptr<const inspect::Arrangement>> readers;
  {
    Arrangements arrangements;
    int number = 0;
    for (; number < 6; ++number) readers.push_back(arrangements.keep(named(number), of_size(40 * kMiB)).value());
    // What is only kept gives way first.
    REQUIRE(arrangements.keep(named(100), of_size(10 * kMiB)));
    readers.push_back(arrangements.keep(named(number++), of_size(15 * kMiB)).value());
    CHECK(arrangements.find(named(100)) == nullptr);
    const auto refused = arrangements.keep(named(101), of_size(2 * kMiB));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unavailable);
    CHECK(arrangements.find(named(101)) == nullptr);
    // One that is read already is still shared.
    CHECK(arrangements.find(named(3)) == readers.at(3));
    readers.erase(readers.begin());
    // It was the last used one no more, so that it is gone with its reader.
    CHECK(arrangements.find(named(0)) == nullptr);
    CHECK(arrangements.keep(named(101), of_size(2 * kMiB)));
    // A refusal does not count.
    for (int i = 0; i < 10; ++i) CHECK_FALSE(arrangements.keep(named(200 + i), of_size(60 * kMiB)));
    readers.erase(readers.begin());
    CHECK(arrangements.keep(named(300), of_size(60 * kMiB)));
  }
  // Readers outlive the cache.
  CHECK(readers.front()->index.size() == 40 * kMiB);
}

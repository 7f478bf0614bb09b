#include "catch.hpp"
#include "library/open_blobs.hpp"
#include "support.hpp"

using namespace media;
using namespace std::chrono_literals;

namespace {

Digest digest_of(int number) { return Digest::of(test::bytes(std::to_string(number))); }
std::shared_ptr<const ByteReader> reader_of(std::span<const std::byte> content) { return std::make_shared<MemoryReader>(content); }

}  // namespace

TEST_CASE("library: a blob is kept open for a moment, by its own digest, and not beyond") {
  const auto content = test::bytes("content");
  OpenBlobs blobs;
  const auto start = OpenBlobs::Clock::now();
  CHECK_FALSE(blobs.find(digest_of(1), start));
  const auto reader = reader_of(content);
  blobs.keep(digest_of(1), reader, start);
  CHECK(blobs.find(digest_of(1), start) == reader);
  CHECK_FALSE(blobs.find(digest_of(2), start));
  // Being asked for does not make it live longer: it is looked up and checked again in time.
  CHECK(blobs.find(digest_of(1), start + 1900ms) == reader);
  blobs.keep(digest_of(1), reader_of(content), start + 1950ms);
  CHECK_FALSE(blobs.find(digest_of(1), start + 2s));
  CHECK(reader.use_count() == 1);
}

TEST_CASE("library: blobs are closed in time although nobody asks any more") {
  const auto content = test::bytes("content");
  OpenBlobs blobs;
  const auto start = OpenBlobs::Clock::now();
  const auto reader = reader_of(content);
  blobs.keep(digest_of(1), reader, start);
  blobs.close_old(start + 1s);
  CHECK(reader.use_count() == 2);
  blobs.close_old(start + 2s);
  CHECK(reader.use_count() == 1);
}

TEST_CASE("library: blobs kept open are bounded, and forgotten when told") {
  const auto content = test::bytes("content");
  OpenBlobs blobs;
  const auto start = OpenBlobs::Clock::now();
  for (int i = 0; i < 1000; ++i) blobs.keep(digest_of(i), reader_of(content), start);
  int known = 0;
  for (int i = 0; i < 1000; ++i) known += blobs.find(digest_of(i), start) ? 1 : 0;
  CHECK(known == static_cast<int>(OpenBlobs::kMost));
  CHECK(blobs.find(digest_of(999), start));
  blobs.forget(digest_of(999));
  CHECK_FALSE(blobs.find(digest_of(999), start));
  blobs.forget(digest_of(999));
}

#include <sys/stat.h>
#include <unistd.h>

#include <random>

#include "catch.hpp"
#include "core/random.hpp"
#include "core/sha256_lanes.hpp"
#include "media/clock.hpp"
#include "media/digest.hpp"
#include "media/io.hpp"
#include "media/media_info.hpp"
#include "media/records.hpp"
#include "media/result.hpp"
#include "support.hpp"

using namespace media;

namespace {
Result<int> half(int value) {
  if (value % 2 != 0) return Error{Errc::invalid_argument, "odd"};
  return value / 2;
}
Result<int> quarter(int value) {
  MEDIA_TRY_ASSIGN(const int once, half(value));
  MEDIA_TRY_ASSIGN(const int twice, half(once));
  return twice;
}
Result<void> even(int value) {
  MEDIA_TRY(half(value));
  return {};
}
}  // namespace

TEST_CASE("core: results carry values or errors through the macros") {
  REQUIRE(quarter(8).value() == 2);
  REQUIRE(quarter(6).error() == Error{Errc::invalid_argument, "odd"});
  REQUIRE(even(2).has_value());
  REQUIRE(even(3).error().code == Errc::invalid_argument);
  REQUIRE(is_retryable(Errc::unavailable));
  REQUIRE_FALSE(is_retryable(Errc::no_space));
}

TEST_CASE("core: the value of a temporary result outlives a range-for over it") {
  const auto words = []() -> Result<std::vector<std::string>> {
    return std::vector<std::string>{"a word that is too long for the small string buffer", "another one that is too long for it"};
  };
  std::size_t letters = 0;
  for (const auto& word : words().value()) letters += word.size();
  CHECK(letters == 86);
  static_assert(std::is_same_v<decltype(words().value()), std::vector<std::string>>);
}

TEST_CASE("core: SHA-256 answers the vectors of FIPS 180-4") {
  CHECK(Digest::of(test::bytes("")).to_hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Digest::of(test::bytes("abc")).to_hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(Digest::of(test::bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).to_hex() ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_CASE("core: a hasher gives the same digest for every way of cutting the stream, and starts afresh") {
  const auto content = test::noise(100'003);
  const Digest whole = Digest::of(content);
  Sha256 hasher;
  for (const std::size_t step : {std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{4096}, std::size_t{99'999}}) {
    for (std::size_t at = 0; at < content.size(); at += step) {
      hasher.update(std::span(content).subspan(at, std::min(step, content.size() - at)));
    }
    CHECK(hasher.finish() == whole);
  }
}

TEST_CASE("core: streams that are hashed together get the digests they get alone") {
  std::mt19937 draw(7);
  std::vector<std::byte> bytes(300'000);
  for (auto& byte : bytes) byte = static_cast<std::byte>(draw());
  // Around the limits of a block, where padding needs another one, and lengths that leave the lanes one by one.
  std::vector<std::span<const std::byte>> contents;
  for (const std::size_t size :
       {0U, 1U, 55U, 56U, 63U, 64U, 65U, 119U, 120U, 127U, 128U, 129U, 4096U, 100'000U, 64U, 7U, 0U, 250'001U, 640U, 639U, 641U}) {
    contents.push_back(std::span(bytes).subspan(draw() % 17, size));
  }
  std::vector<Digest> digests(contents.size());
  hash_together(contents, digests);
  for (std::size_t i = 0; i < contents.size(); ++i) {
    INFO(i);
    CHECK(digests[i] == Digest::of(contents[i]));
  }

  for (const bool portable : {false, true}) {
    if (!portable && !sha256_lanes_in_use()) continue;
    std::vector<Sha256Stream> streams;
    for (int i = 0; i < 5; ++i) streams.emplace_back(portable);
    std::vector<std::vector<std::byte>> sent(streams.size());
    for (int round = 0; round < 200; ++round) {
      std::vector<Sha256Stream::Piece> pieces;
      for (std::size_t i = 0; i < streams.size(); ++i) {
        const auto piece = std::span<const std::byte>(bytes).subspan(draw() % 1000, draw() % 300);
        if (draw() % 4 == 0) continue;
        pieces.push_back({&streams[i], piece});
        sent[i].insert(sent[i].end(), piece.begin(), piece.end());
      }
      Sha256Stream::update(pieces);
      for (const auto& piece : pieces) CHECK(piece.bytes.empty());
    }
    for (std::size_t i = 0; i < streams.size(); ++i) {
      CHECK(streams[i].finish() == Digest::of(sent[i]));
      CHECK(streams[i].finish() == Digest::of({}));
    }
  }
}

TEST_CASE("core: a digest reads back from its hexadecimal digits and from nothing else") {
  const Digest digest = Digest::of(test::bytes("x"));
  CHECK(Digest::from_hex(digest.to_hex()).value() == digest);
  std::string text = digest.to_hex();
  CHECK_FALSE(Digest::from_hex(text.substr(1)));
  text[5] = 'g';
  CHECK(Digest::from_hex(text).error().code == Errc::invalid_argument);
}

TEST_CASE("core: a file reader reads ranges and refuses what is no regular file") {
  const test::TempFolder folder;
  const auto content = test::noise(10'000);
  test::write_file(folder / "a", content);
  const auto reader = FileReader::open(folder / "a").value();
  std::vector<std::byte> piece(100);
  CHECK(reader->read_at(9'950, piece).value() == 50);
  CHECK(std::equal(piece.begin(), piece.begin() + 50, content.begin() + 9'950));
  CHECK(reader->read_at(10'000, piece).value() == 0);
  CHECK(reader->read_at(UINT64_MAX, piece).value() == 0);
  CHECK(read_all(*reader, 10'000).value() == content);
  CHECK(read_all(*reader, 9'999).error().code == Errc::too_large);
  CHECK(FileReader::open(folder / "none").error().code == Errc::not_found);
  CHECK(FileReader::open(folder.path()).error().code == Errc::invalid_argument);
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK(FileReader::open(folder / "fifo").error().code == Errc::invalid_argument);
}

TEST_CASE("core: a file that shrinks while it is read is an error, not short data") {
  const test::TempFolder folder;
  test::write_file(folder / "a", test::noise(5'000));
  const auto reader = FileReader::open(folder / "a").value();
  REQUIRE(::truncate((folder / "a").c_str(), 1'000) == 0);
  std::vector<std::byte> piece(2'000);
  CHECK(reader->read_at(0, piece).error().code == Errc::corrupt);
}

TEST_CASE("core: times write and read as RFC 3339") {
  const auto time = from_rfc3339("2026-11-25T10:30:00.250Z").value();
  CHECK(to_rfc3339(time) == "2026-11-25T10:30:00.250Z");
  CHECK(to_rfc3339(Timestamp()) == "1970-01-01T00:00:00.000Z");
  CHECK(to_rfc3339(Timestamp() - std::chrono::milliseconds(1)) == "1969-12-31T23:59:59.999Z");
  for (const std::string_view text : {"0000-02-29T00:00:00.001Z", "2000-02-29T23:59:59.999Z", "9999-12-31T23:59:59.999Z"}) {
    CHECK(to_rfc3339(from_rfc3339(text).value()) == text);
  }
  CHECK(to_rfc3339(from_rfc3339("9999-12-31T23:59:59.999Z").value() + std::chrono::milliseconds(1)) == "9999-12-31T23:59:59.999Z");
  CHECK(to_rfc3339(Timestamp::max()) == "9999-12-31T23:59:59.999Z");
  CHECK(to_rfc3339(Timestamp::min()) == "0000-01-01T00:00:00.000Z");
  CHECK(from_rfc3339("2026-11-25T11:30:00.250+01:00").value() == time);
  CHECK(from_rfc3339("2024-02-29T00:00:00Z").has_value());
  for (const char* bad : {"", "2026-11-25", "2025-02-29T00:00:00Z", "2026-11-25T10:30:00", "2026-11-25T24:00:00Z", "2026-11-25T10:30:00.Z",
                          "2026-11-25T10:30:00Zx", "2026-11-25T10:30:00+1:00"}) {
    CHECK(from_rfc3339(bad).error().code == Errc::invalid_argument);
  }
}

TEST_CASE("core: formats are known by media type, name and extension") {
  for (auto format = Format::jpeg; format <= Format::ogg; format = static_cast<Format>(static_cast<int>(format) + 1)) {
    CHECK(format_from_mime(mime_type(format)) == format);
    CHECK(format_from_name(to_string(format)) == format);
    CHECK(format_from_name(file_extension(format)) == format);
    CHECK(is_image(format) != is_video(format));
  }
  CHECK(format_from_mime(" Image/JPG; charset=x") == Format::jpeg);
  CHECK(format_from_mime("text/html") == Format::unknown);
  CHECK(format_from_name("JPG") == Format::jpeg);
  CHECK_FALSE(is_video(Format::unknown));
}

TEST_CASE("core: statuses and visibilities are words of the contract") {
  CHECK(media_status_from("Complete").value() == MediaStatus::complete);
  CHECK(to_string(MediaStatus::failed) == "Failed");
  CHECK_FALSE(media_status_from("complete"));
  CHECK(visibility_from("public").value() == Visibility::is_public);
  CHECK_THAT(visibility_from("x").error().message, ContainsSubstring("private, authenticated, public"));
}

TEST_CASE("core: random text has its length and does not repeat") {
  CHECK(random_hex(16).size() == 32);
  CHECK(random_hex(16) != random_hex(16));
}

// An MP4 whose index comes last is read with the index in front, and every frame is found where it is then.
#include <algorithm>
#include <string>

#include "catch.hpp"
#include "inspect_samples.hpp"
#include "media/video.hpp"
#include "pictures.hpp"
#include "support.hpp"

using namespace media;
using samples::be;

namespace {

std::string read_whole(const ByteReader& reader) {
  const auto bytes = read_all(reader, 64U << 20U);
  REQUIRE(bytes.has_value());
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

std::uint64_t number_at(const std::string& content, std::size_t at, int count) {
  std::uint64_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8U | static_cast<std::uint8_t>(content.at(at + static_cast<std::size_t>(i)));
  return value;
}

/// The bytes that a film's first chunk begins with.
std::string first_chunk(const std::string& content, std::size_t bytes) {
  const bool wide = content.find("co64") != std::string::npos;
  const std::size_t table = content.find(wide ? "co64" : "stco");
  REQUIRE(table != std::string::npos);
  return content.substr(number_at(content, table + 12, wide ? 8 : 4), bytes);
}

std::string in_front() {
  std::string film;
  for (const std::byte each : test::mp4(64, 48, 1000, 3000)) film += static_cast<char>(each);
  for (std::size_t at = film.find("mdat") + 4, i = 0; at < film.size(); ++at, ++i) film[at] = static_cast<char>(i * 7 + i / 256);
  return film;
}

/// The same with its index behind its frames.
std::string index_last() {
  const std::string film = in_front();
  const std::size_t index = film.find("moov") - 4;
  const std::size_t frames = film.find("mdat") - 4;
  std::string moved = film.substr(index, frames - index);
  const std::size_t place = moved.find("stco") + 12;
  moved.replace(place, 4, be(number_at(moved, place, 4) - moved.size(), 4));
  return film.substr(0, index) + film.substr(frames) + moved;
}

/// A film with a hole: `hole` bytes of nothing at the beginning of its frames, which are not in memory.
class Hollow final : public ByteReader {
 public:
  Hollow(std::string head, std::uint64_t hole, std::string tail) : head_(std::move(head)), hole_(hole), tail_(std::move(tail)) {}
  [[nodiscard]] std::uint64_t size() const noexcept override { return head_.size() + hole_ + tail_.size(); }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    std::size_t done = 0;
    for (; done < into.size() && offset + done < size(); ++done) {
      const std::uint64_t at = offset + done;
      char value = 0;
      if (at < head_.size()) value = head_[static_cast<std::size_t>(at)];
      if (at >= head_.size() + hole_) value = tail_[static_cast<std::size_t>(at - head_.size() - hole_)];
      into[done] = static_cast<std::byte>(value);
    }
    return done;
  }

 private:
  std::string head_;
  std::uint64_t hole_;
  std::string tail_;
};

}  // namespace

TEST_CASE("web-ready: a second type box behind the index changes nothing") {
  const std::string film = index_last();
  const std::string type = film.substr(0, number_at(film, 0, 4));
  REQUIRE(type.substr(4, 4) == "ftyp");
  const std::string twice = film + type;
  const MemoryReader source(std::as_bytes(std::span(twice)));
  const auto arranged = open_web_ready(source);
  REQUIRE(arranged.has_value());
  const std::string whole = read_whole(**arranged);
  CHECK(whole.find("moov") < whole.find("mdat"));
  CHECK(first_chunk(whole, 16) == first_chunk(film, 16));
}

TEST_CASE("web ready: the index comes to the front, and the frames are where it says") {
  const std::string film = index_last();
  REQUIRE(film.find("mdat") < film.find("moov"));
  const MemoryReader source(test::bytes(film));
  const auto ready = open_web_ready(source);
  if (!ready) FAIL(ready.error().message);
  const std::string out = read_whole(**ready);
  CHECK(out == in_front());
  CHECK(first_chunk(out, 100) == first_chunk(film, 100));
  // Any piece of it is the same piece.
  for (std::size_t at = 0; at < out.size(); at += 37) {
    std::vector<std::byte> piece(101);
    const auto got = (*ready)->read_at(at, piece);
    REQUIRE(got.has_value());
    CHECK(std::string(reinterpret_cast<const char*>(piece.data()), *got) == out.substr(at, 101));
  }
  std::vector<std::byte> behind(1);
  CHECK((*ready)->read_at(out.size(), behind).value() == 0);
}

TEST_CASE("web ready: what is in front already stays as it is") {
  const std::string film = in_front();
  const MemoryReader source(test::bytes(film));
  const auto ready = open_web_ready(source);
  if (!ready) FAIL(ready.error().message);
  CHECK(read_whole(**ready) == film);
}

TEST_CASE("web ready: places beyond 4 GiB get 64 bits when the index pushes them there") {
  const std::string film = index_last();
  const std::size_t frames = film.find("mdat") - 4;
  const std::size_t index = film.find("moov") - 4;
  // The frames' box with a length of 64 bits, and a hole before the frames, so that their places just fit into 32.
  const std::uint64_t first = number_at(film, film.find("stco") + 12, 4);
  const std::uint64_t hole = 0xFFFF'FFF0 - first - 8;
  const std::string payload = film.substr(frames + 8, index - frames - 8);
  std::string tail = payload + film.substr(index);
  const std::size_t table = tail.find("stco");
  const auto count = static_cast<std::size_t>(number_at(tail, table + 8, 4));
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = table + 12 + i * 4;
    tail.replace(at, 4, be(number_at(tail, at, 4) + hole + 8, 4));
  }
  const Hollow source(film.substr(0, frames) + be(1, 4) + "mdat" + be(payload.size() + hole + 16, 8), hole, tail);
  const auto ready = open_web_ready(source);
  if (!ready) FAIL(ready.error().message);
  CHECK((*ready)->size() == source.size() + 4 * count);
  std::vector<std::byte> head(1U << 16U);
  REQUIRE((*ready)->read_at(0, head).has_value());
  const std::string front(reinterpret_cast<const char*>(head.data()), head.size());
  const std::size_t wide = front.find("co64");
  REQUIRE(wide != std::string::npos);
  CHECK(front.find("stco") == std::string::npos);
  CHECK(number_at(front, wide + 8, 4) == count);
  std::vector<std::byte> chunk(100);
  REQUIRE((*ready)->read_at(number_at(front, wide + 12, 8), chunk).has_value());
  CHECK(std::string(reinterpret_cast<const char*>(chunk.data()), 100) == first_chunk(film, 100));
}

TEST_CASE("web ready: frames that lie in another file are refused") {
  for (std::string film : {index_last(), in_front()}) {
    const std::size_t dref = film.find("dref");
    film.at(dref + 4 + 4 + 4 + 8 + 3) = '\0';  // the entry's flag: not in this file
    const auto refused = open_web_ready(MemoryReader(test::bytes(film)));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::unsupported);
    CHECK(refused.error().message.find("another file") != std::string::npos);
  }
}

TEST_CASE("web ready: what is no MP4, is cut or lies is refused, and never read past its end") {
  CHECK(open_web_ready(MemoryReader(test::bytes(samples::gif(3)))).error().code == Errc::unsupported);
  CHECK_FALSE(open_web_ready(MemoryReader(std::vector<std::byte>())).has_value());
  const std::string film = index_last();
  for (std::size_t length = 0; length < film.size(); length += length < 64 ? 1 : 7) {
    const MemoryReader source(test::bytes(film.substr(0, length)));
    const auto ready = open_web_ready(source);
    if (ready) static_cast<void>(read_whole(**ready));
  }
  // Places behind the end, in the index itself, and a table that has fewer than it says.
  const std::size_t table = film.find("stco");
  for (const std::uint64_t place : {std::uint64_t{0xFFFF'FFFF}, std::uint64_t{film.find("moov") + 4}}) {
    std::string lying = film;
    lying.replace(table + 12, 4, be(place, 4));
    CHECK(open_web_ready(MemoryReader(test::bytes(lying))).error().code == Errc::corrupt);
  }
  std::string boasting = film;
  boasting.replace(table + 8, 4, be(0x4000'0000, 4));
  CHECK_FALSE(open_web_ready(MemoryReader(test::bytes(boasting))).has_value());
  // Each byte of the index, damaged.
  for (std::size_t at = film.find("moov"); at < film.size(); ++at) {
    std::string damaged = film;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x41);
    const MemoryReader source(test::bytes(damaged));
    const auto ready = open_web_ready(source);
    if (ready) CHECK(read_whole(**ready).size() < 2 * film.size());
  }
}

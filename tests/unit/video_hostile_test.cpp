// Videos that are damaged, that lie, and that are none.
#include <chrono>
#include <ctime>
#include <string>

#include "media/inspect.hpp"
#include "video_samples.hpp"

using namespace media;
using namespace std::chrono_literals;
using test::derive_video;
using test::film;
using test::h264;

namespace {

Error refusal(std::span<const std::byte> source, const std::string& transform = "w=64,format=jpeg") {
  const auto derived = derive_video(source, {transform});
  REQUIRE_FALSE(derived.has_value());
  CHECK_FALSE(derived.error().message.empty());
  return derived.error();
}

/// Where a box of this type begins in a file made by ffmpeg.
std::size_t find(const std::vector<std::byte>& content, std::string_view text, std::size_t from = 0) {
  const std::string_view all(reinterpret_cast<const char*>(content.data()), content.size());
  const auto at = all.find(text, from);
  REQUIRE(at != std::string_view::npos);
  return at;
}

void put32(std::vector<std::byte>& content, std::size_t at, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) content.at(at + i) = static_cast<std::byte>(value >> (24U - 8U * i));
}

}  // namespace

TEST_CASE("video: sound alone, nothing at all, and playlists are refused") {
  CHECK(refusal(film("a.mp4", {"-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac"})).code == Errc::unsupported);
  CHECK(refusal({}).code == Errc::unsupported);
  for (const std::string text : {"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile /etc/passwd\n",
                                 "concat:/etc/passwd|/etc/hosts", "subfile,,start,0,end,10,,:/etc/passwd",
                                 "<?xml version=\"1.0\"?><MPD><BaseURL>http://127.0.0.1/</BaseURL></MPD>", "RTSP/1.0 200 OK\r\n",
                                 "[playlist]\nFile1=http://127.0.0.1/\n"}) {
    INFO(text);
    CHECK(refusal(test::bytes(text)).code == Errc::unsupported);
  }
}

TEST_CASE("video: a video cut anywhere gives a frame or a reason") {
  for (const auto& whole :
       {h264("testsrc2=s=160x120:r=25:d=2", "10"),
        film("a.webm", {"-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=2", "-c:v", "libvpx", "-g", "10"}),
        film("b.mp4", {"-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=2", "-c:v", "libx264", "-movflags", "frag_keyframe+empty_moov"}),
        film("a.ogv", {"-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=2", "-c:v", "libtheora"})}) {
    for (std::size_t tenths = 0; tenths < 10; ++tenths) {
      INFO(whole.size() << " bytes, " << tenths << " tenths");
      const auto derived = derive_video(std::span(whole).first(whole.size() * tenths / 10), {"w=64,format=jpeg"});
      if (derived) {
        CHECK(derived->outputs.front().width == 64);
      } else {
        const Errc code = derived.error().code;
        CHECK((code == Errc::corrupt || code == Errc::unsupported));
      }
    }
    CHECK(derive_video(whole, {"w=64,format=jpeg"}).has_value());
  }
}

TEST_CASE("video: every byte of the headers may be wrong") {
  const auto whole = h264("testsrc2=s=64x64:r=10:d=1", "5");
  const std::size_t moov = find(whole, "moov") - 4;
  std::size_t served = 0;
  for (std::size_t at = moov; at < whole.size(); at += 3) {
    auto damaged = whole;
    damaged[at] ^= std::byte{0xff};
    const auto derived = derive_video(damaged, {"w=32,format=jpeg"});
    if (derived) ++served;
    if (!derived) CHECK(derived.error().code != Errc::internal);
  }
  CHECK(served > 0);
}

TEST_CASE("video: a small file that claims 24 hours is served for what is there") {
  auto content = h264("testsrc2=s=64x64:r=10:d=1", "5");
  const std::size_t mvhd = find(content, "mvhd");
  put32(content, mvhd + 4 + 12, 1000);
  put32(content, mvhd + 4 + 16, 86'400'000);
  const std::size_t mdhd = find(content, "mdhd");
  put32(content, mdhd + 4 + 12, 1000);
  put32(content, mdhd + 4 + 16, 86'400'000);
  CHECK(probe(MemoryReader(content))->duration == 24h);
  const std::clock_t before = std::clock();
  const auto derived = derive_video(content, {"w=32,format=jpeg", "w=32,format=webp,frames=clip", "w=32,format=jpeg,frames=sheet"});
  REQUIRE(derived.has_value());
  CHECK(derived->outputs[2].width == 320);
  CHECK(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC < 5);
}

TEST_CASE("video: a size beyond the limits is refused before a frame is decoded") {
  auto content = h264("testsrc2=s=64x64:r=10:d=1", "5");
  const std::size_t entry = find(content, "avc1", find(content, "stsd"));
  content[entry + 4 + 24] = std::byte{0x40};  // 16,384 and 64 pixels of width
  content[entry + 4 + 26] = std::byte{0x40};
  CHECK(refusal(content).code == Errc::too_large);
  DeriveOptions options;
  options.budget.max_pixels = 64 * 63;
  const auto whole = h264("testsrc2=s=64x64:r=10:d=1", "5");
  CHECK(derive_video(whole, {"w=32,format=jpeg"}, options).error().code == Errc::too_large);
  options = {};
  options.budget.max_memory_bytes = 10'000;
  CHECK(derive_video(whole, {"w=32,format=jpeg"}, options).error().code == Errc::too_large);
  options = {};
  options.budget.max_source_bytes = 100;
  CHECK(derive_video(whole, {"w=32,format=jpeg"}, options).error().code == Errc::too_large);
}

TEST_CASE("video: a deadline and a stop end the work") {
  const auto source = h264("testsrc2=s=640x360:r=25:d=4");
  DeriveOptions options;
  options.budget.deadline = 0ms;
  CHECK(derive_video(source, {"w=32,format=jpeg"}, options).error().code == Errc::too_large);
  std::stop_source stop;
  stop.request_stop();
  options = {};
  options.stop = stop.get_token();
  CHECK(derive_video(source, {"w=32,format=jpeg"}, options).error().code == Errc::cancelled);
}

TEST_CASE("video: many streams, late beginnings and no frame rate are served") {
  std::vector<std::string> many{"-f", "lavfi", "-i", "testsrc2=s=64x64:r=5:d=1"};
  for (int i = 0; i < 100; ++i) many.insert(many.end(), {"-map", "0:v"});
  many.insert(many.end(), {"-c:v", "mpeg4"});
  CHECK(derive_video(film("a.mkv", many), {"w=32,format=jpeg"}).has_value());
  for (int i = 0; i < 40; ++i) many.insert(many.end() - 2, {"-map", "0:v"});
  // Beyond what is looked at: refused, or from FFmpeg 7 on served for the streams before.
  const auto crowd = derive_video(film("a.mkv", many), {"w=32,format=jpeg"});
  if (crowd) {
    CHECK(crowd->outputs.size() == 1);
  } else {
    CHECK(crowd.error().code == Errc::too_large);
  }
  const auto early = film("a.mkv", {"-f", "lavfi", "-i", "testsrc2=s=64x64:r=5:d=2", "-vf", "setpts=PTS-1/TB", "-c:v", "libx264",
                                    "-avoid_negative_ts", "disabled"});
  CHECK(derive_video(early, {"w=32,format=jpeg", "w=32,format=jpeg,at=0"}).has_value());
  const auto late = film("b.mp4", {"-f", "lavfi", "-i", "testsrc2=s=64x64:r=5:d=2", "-vf", "setpts=PTS+20/TB", "-c:v", "libx264"});
  CHECK(derive_video(late, {"w=32,format=jpeg", "w=32,format=jpeg,at=0"}).has_value());
  const auto live = film("c.webm", {"-f", "lavfi", "-i", "testsrc2=s=64x64:r=5:d=2", "-c:v", "libvpx", "-live", "1"});
  CHECK(derive_video(live, {"w=32,format=jpeg", "w=32,format=jpeg,at=1"}).has_value());
}

TEST_CASE("video: a reference to another file is not followed") {
  auto content = h264("testsrc2=s=64x64:r=10:d=1", "5", "a.mov");
  // `url ` with flag 1 (this file) becomes an alias elsewhere.
  const std::size_t dref = find(content, "dref");
  const std::size_t entry = dref + 4 + 8 + 4;
  std::copy_n(test::bytes("url ").begin(), 4, content.begin() + static_cast<std::ptrdiff_t>(entry));
  content[entry + 7] = std::byte{0};
  // FFmpeg reads this file instead, or nothing: either will do, if it opens none (the worker's test watches system calls).
  const auto derived = derive_video(content, {"w=32,format=jpeg"});
  if (!derived) CHECK(derived.error().code != Errc::internal);
}

TEST_CASE("video: a reader that fails is not taken for a damaged video") {
  class Failing final : public ByteReader {
   public:
    explicit Failing(std::vector<std::byte> content) : content_(std::move(content)) {}
    [[nodiscard]] std::uint64_t size() const noexcept override { return content_.size(); }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
      if (offset > 60'000) return Error{Errc::io, "the disk is gone"};
      return MemoryReader(content_).read_at(offset, into);
    }

   private:
    std::vector<std::byte> content_;
  };
  const Failing source(h264("testsrc2=s=640x360:r=25:d=4"));
  const std::vector transforms{*parse_transform("w=32,format=jpeg")};
  const auto derived = video::derive(source, transforms, {});
  REQUIRE_FALSE(derived.has_value());
  CHECK(derived.error().code == Errc::io);
}

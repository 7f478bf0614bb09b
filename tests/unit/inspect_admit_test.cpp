#include "catch.hpp"
#include "inspect_samples.hpp"
#include "media/inspect.hpp"
#include "support.hpp"

using media::AdmissionPolicy;
using media::Claim;
using media::Format;
using media::Refusal;
using media::Verdict;

namespace {

Verdict judge(const std::string& content, const Claim& claim = {}, const AdmissionPolicy& policy = {}) {
  const auto verdict = media::admit(policy, media::MemoryReader(test::bytes(content)), claim);
  REQUIRE(verdict);
  CHECK(verdict->admitted() == verdict->message.empty());
  return *verdict;
}

/// Content that is longer than what is there: zeros follow.
class LongReader final : public media::ByteReader {
 public:
  LongReader(std::string head, std::uint64_t size) : head_(test::bytes(head)), size_(size) {}
  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  media::Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    bytes_read += into.size();
    for (std::size_t i = 0; i < into.size(); ++i)
      into[i] = offset + i < head_.size() ? head_[static_cast<std::size_t>(offset) + i] : std::byte{0};
    return into.size();
  }
  mutable std::uint64_t bytes_read = 0;

 private:
  std::vector<std::byte> head_;
  std::uint64_t size_;
};

class BrokenReader final : public media::ByteReader {
 public:
  [[nodiscard]] std::uint64_t size() const noexcept override { return 100; }
  media::Result<std::size_t> read_at(std::uint64_t, std::span<std::byte>) const override {
    return media::Error{media::Errc::io, "read: gone"};
  }
};

}  // namespace

TEST_CASE("inspect: every refusal has a name") {
  CHECK(media::to_string(Refusal::none) == "none");
  CHECK(media::to_string(Refusal::empty) == "empty");
  CHECK(media::to_string(Refusal::not_media) == "not_media");
  CHECK(media::to_string(Refusal::type_not_allowed) == "type_not_allowed");
  CHECK(media::to_string(Refusal::type_mismatch) == "type_mismatch");
  CHECK(media::to_string(Refusal::too_many_bytes) == "too_many_bytes");
  CHECK(media::to_string(Refusal::too_many_pixels) == "too_many_pixels");
  CHECK(media::to_string(Refusal::side_too_long) == "side_too_long");
  CHECK(media::to_string(Refusal::too_many_frames) == "too_many_frames");
  CHECK(media::to_string(Refusal::malformed) == "malformed");
}

TEST_CASE("inspect: claims against content") {
  struct Row {
    std::string content;
    const char* type;
    const char* name;
    Refusal refusal;
  };
  samples::Film quicktime;
  quicktime.brand = "qt  ";
  samples::Matroska mkv;
  mkv.type = "matroska";
  AdmissionPolicy with_mkv;
  with_mkv.allowed.push_back(Format::mkv);
  const std::string jpeg = samples::jpeg(4, 4);
  const std::string png = samples::png(4, 4);
  const std::vector<Row> table = {
      {jpeg, "", "", Refusal::none},
      {jpeg, "image/jpeg", "holiday.JPG", Refusal::none},
      {jpeg, "image/jpg", "a.jpeg", Refusal::none},
      {jpeg, "IMAGE/PJPEG; q=1", "a.jpe", Refusal::none},
      {jpeg, "application/octet-stream", "a", Refusal::none},
      {jpeg, " application/octet-stream ;x=y", "", Refusal::none},
      {jpeg, "", "archive.tar.jpg", Refusal::none},
      {jpeg, "", "notes.txt", Refusal::none},  // a name that is no media's claims nothing
      {jpeg, "", "png", Refusal::none},        // no dot, no extension
      {jpeg, "", "folder.png/photo", Refusal::none},
      {jpeg, "image/png", "", Refusal::type_mismatch},
      {jpeg, "text/html", "a.jpg", Refusal::type_mismatch},
      {jpeg, "image/jpeg", "a.png", Refusal::type_mismatch},
      {png, "", "a.jpg", Refusal::type_mismatch},
      {png, "image/jpeg", "a.png", Refusal::type_mismatch},
      {samples::apng(2, 2), "image/apng", "a.apng", Refusal::none},
      {samples::film(), "video/mp4", "a.mov", Refusal::none},
      {samples::film(), "video/quicktime", "a.m4v", Refusal::none},
      {samples::film(), "video/3gpp", "a.3gp", Refusal::none},
      {samples::film(quicktime), "video/mp4", "a.mp4", Refusal::none},
      {samples::film(), "video/webm", "", Refusal::type_mismatch},
      {samples::matroska(), "video/webm", "a.mkv", Refusal::none},
      {samples::matroska(), "", "a.mp4", Refusal::type_mismatch},
      {samples::matroska(mkv), "", "a.mp4", Refusal::type_mismatch},
      {samples::matroska(mkv), "video/webm", "a.mkv", Refusal::type_mismatch},
      {samples::matroska(mkv), "video/x-matroska", "a.mkv", Refusal::none},
      {samples::items(), "image/avif", "a.avif", Refusal::none},
      {samples::items(), "image/heic", "", Refusal::type_mismatch},
      {"<!DOCTYPE html><html></html>", "image/jpeg", "a.jpg", Refusal::not_media},
      {"", "image/jpeg", "a.jpg", Refusal::empty},
      {samples::bmp(3, 3), "image/bmp", "a.bmp", Refusal::type_not_allowed},
      {"<svg/>", "image/png", "a.png", Refusal::type_not_allowed},
      {samples::png(4, 4).substr(0, 40), "image/png", "a.jpg", Refusal::type_mismatch},
      {samples::png(4, 4).substr(0, 40), "image/png", "a.png", Refusal::malformed},
  };
  for (const Row& row : table) {
    INFO("declared " << row.type << ", named " << row.name);
    const auto verdict = judge(row.content, {row.type, row.name}, with_mkv);
    INFO(verdict.message);
    CHECK(media::to_string(verdict.refusal) == media::to_string(row.refusal));
  }
}

TEST_CASE("inspect: TIFF comes in only where the policy has it") {
  for (const bool big_endian : {false, true}) {
    for (const bool big_file : {false, true}) {
      const std::string content = samples::tiff(300, 200, big_endian, big_file);
      CHECK(media::to_string(judge(content, {"image/tiff", "a.tiff"}).refusal) == media::to_string(Refusal::type_not_allowed));
      AdmissionPolicy policy;
      policy.allowed.push_back(Format::tiff);
      CHECK(media::to_string(judge(content, {"image/tiff", "a.tiff"}, policy).refusal) == media::to_string(Refusal::none));
      CHECK(media::to_string(judge(content, {"image/tiff", "a.tif"}, policy).refusal) == media::to_string(Refusal::none));
      CHECK(media::to_string(judge(content, {"image/png", "a.tif"}, policy).refusal) == media::to_string(Refusal::type_mismatch));
      policy.max_pixels = 59'999;
      CHECK(media::to_string(judge(content, {}, policy).refusal) == media::to_string(Refusal::too_many_pixels));
    }
  }
}

TEST_CASE("inspect: messages say what was found and what would do") {
  CHECK(judge("<html>").message ==
        "The content is of no known media type; accepted are JPEG, PNG, WEBP, AVIF, GIF, HEIC, MP4, MOV and WEBM.");
  CHECK(judge(samples::bmp(3, 3)).message ==
        "The content is BMP, which is not accepted here; accepted are JPEG, PNG, WEBP, AVIF, GIF, HEIC, MP4, MOV and WEBM.");
  CHECK(judge(samples::png(4, 4), {"", "/home/me/x.jpg"}).message ==
        "The content is PNG (image/png), but the file name ends in \"jpg\"; name it .png.");
  CHECK(judge(samples::png(4, 4), {"text/html\n\x1b[31m", ""}).message ==
        "The content is PNG (image/png), but it was declared as \"text/html??[31m\"; declare it as image/png.");
  CHECK(judge(samples::png(30'000, 30'000)).message == "The PNG has 30000 x 30000 pixels; a side may have at most 16384.");
  CHECK_THAT(judge(samples::png(4, 4).substr(0, 40)).message,
             ContainsSubstring("The PNG is damaged or incomplete: the content ends early"));
}

TEST_CASE("inspect: limits on sides, pixels and frames") {
  CHECK(judge(samples::png(16'384, 10)).admitted());
  CHECK(judge(samples::png(16'385, 10)).refusal == Refusal::side_too_long);
  CHECK(judge(samples::png(10, 16'385)).refusal == Refusal::side_too_long);
  CHECK(judge(samples::png(10'000, 5'000)).admitted());
  CHECK(judge(samples::png(10'000, 5'001)).refusal == Refusal::too_many_pixels);
  CHECK(judge(samples::png(0x7fffffff, 0x7fffffff)).refusal == Refusal::side_too_long);

  AdmissionPolicy tight;
  tight.max_pixels = 2000;
  tight.max_frames = 12;
  CHECK(judge(samples::gif(3), {}, tight).admitted());  // 3 x 600
  const auto summed = judge(samples::gif(4), {}, tight);
  CHECK(summed.refusal == Refusal::too_many_pixels);
  CHECK(summed.message == "The GIF has 30 x 20 pixels in 4 frames, together 2400; at most 2000 are accepted.");
  CHECK(judge(samples::gif(13), {}, tight).refusal == Refusal::too_many_frames);
  CHECK(judge(samples::apng(13, 13), {}, tight).refusal == Refusal::too_many_frames);
  // An APNG that states more frames than it has is called by what it states; one that has more, by what it has.
  CHECK(judge(samples::apng(2'000'000'000, 1), {}, tight).refusal == Refusal::too_many_frames);
  CHECK(judge(samples::apng(1, 13), {}, tight).refusal == Refusal::too_many_frames);
  // A film's frames do not count.
  tight.max_pixels = 320 * 240;
  CHECK(judge(samples::film(samples::Film{.samples = 500}), {}, tight).admitted());
  tight.max_pixels -= 1;
  CHECK(judge(samples::film(), {}, tight).refusal == Refusal::too_many_pixels);

  AdmissionPolicy boundless;
  boundless.max_side = UINT32_MAX;
  CHECK(judge(samples::png(0x7fffffff, 0x7fffffff), {}, boundless).refusal == Refusal::too_many_pixels);
}

TEST_CASE("inspect: what a bomb states is judged even where it is damaged, too") {
  const std::string bomb = samples::png(30'000, 30'000);
  CHECK(judge(bomb.substr(0, 33)).refusal == Refusal::side_too_long);
  const auto verdict = judge(samples::webp_lossy(16'383, 16'383).substr(0, 30));
  CHECK(verdict.refusal == Refusal::too_many_pixels);
  CHECK(verdict.info.width == 16'383);
  CHECK(verdict.info.format == Format::webp);
}

TEST_CASE("inspect: a film needs something to see") {
  samples::Film sound;
  sound.handler = "soun";
  const auto verdict = judge(samples::film(sound));
  CHECK(verdict.refusal == Refusal::type_not_allowed);
  CHECK_THAT(verdict.message, ContainsSubstring("no video track"));
  samples::Matroska audio;
  audio.video = false;
  CHECK(judge(samples::matroska(audio)).refusal == Refusal::type_not_allowed);
}

TEST_CASE("inspect: bytes are counted before anything but the type is read") {
  AdmissionPolicy policy;
  policy.max_image_bytes = 1000;
  policy.max_video_bytes = 2000;
  CHECK(policy.max_bytes() == 2000);
  const LongReader picture(samples::png(30'000, 30'000), 5ULL << 30U);
  const auto verdict = media::admit(policy, picture, {});
  REQUIRE(verdict);
  CHECK(verdict->refusal == Refusal::too_many_bytes);
  CHECK(verdict->message == "The file has 5368709120 bytes (5120.0 MiB); PNG is accepted up to 1000 bytes.");
  CHECK(picture.bytes_read <= media::kSniffBytes);
  const LongReader film(samples::film(), 1500);
  const auto longer = media::admit(policy, film, {});
  REQUIRE(longer);
  CHECK(longer->refusal != Refusal::too_many_bytes);
  const LongReader too_long(samples::film(), 2001);
  CHECK(media::admit(policy, too_long, {})->refusal == Refusal::too_many_bytes);
}

TEST_CASE("inspect: a huge content is judged by few bytes of it") {
  AdmissionPolicy policy;
  policy.max_image_bytes = UINT64_MAX;
  policy.max_video_bytes = UINT64_MAX;
  for (const auto& sample : samples::all()) {
    const LongReader content(sample.content, 1ULL << 40U);
    const auto verdict = media::admit(policy, content, {});
    REQUIRE(verdict);
    INFO(sample.name << ": " << verdict->message);
    CHECK(content.bytes_read <= 65U << 20U);
  }
}

TEST_CASE("inspect: a content that cannot be read is a failure, not a verdict") {
  const auto verdict = media::admit({}, BrokenReader(), {});
  REQUIRE_FALSE(verdict);
  CHECK(verdict.error().code == media::Errc::io);
  const auto info = media::probe(BrokenReader());
  REQUIRE_FALSE(info);
  CHECK(info.error().code == media::Errc::io);
}

TEST_CASE("inspect: a policy that allows nothing says so") {
  AdmissionPolicy policy;
  policy.allowed.clear();
  CHECK(judge(samples::png(4, 4), {}, policy).message == "The content is PNG, which is not accepted here; nothing is accepted.");
}

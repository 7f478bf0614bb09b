// Videos for browsers: MP4s that are arranged anew, and what is encoded by the real media-video-worker. ffprobe says what came of it.
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cage/encoded_content.hpp"
#include "catch.hpp"
#include "ffmpeg.hpp"
#include "media/inspect.hpp"
#include "media/processor.hpp"
#include "media/video.hpp"
#include "pictures.hpp"
#include "sanitized.hpp"
#include "support.hpp"
#include "video_workers.hpp"

using namespace media;
namespace fs = std::filesystem;
using test::workers;
using Json = nlohmann::json;

namespace {

/// A moving picture with a tone.
std::vector<std::byte> film(const std::string& name, const std::vector<std::string>& coding,
                            const std::string& picture = "testsrc2=s=320x180:r=25:d=3") {
  std::vector<std::string> arguments{"-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=d=3"};
  arguments.insert(arguments.end(), coding.begin(), coding.end());
  return test::film(name, arguments);
}

const std::vector<std::string> kPhone{"-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"};

std::vector<std::byte> bytes_of(const Encoded& output) {
  REQUIRE(output.content != nullptr);
  CHECK(output.bytes.empty());
  auto bytes = read_all(*output.content, 256U << 20U);
  REQUIRE(bytes.has_value());
  return std::move(*bytes);
}

std::vector<std::byte> derived(Processor& processor, const std::vector<std::byte>& source, const std::string& transform) {
  const MemoryReader reader(source);
  const auto made = processor.derive(reader, std::vector{*parse_transform(transform)}, {});
  if (!made) FAIL(made.error().message);
  return bytes_of(made->outputs.at(0));
}

Error refusal(Processor& processor, const std::vector<std::byte>& source, const std::string& transform, DeriveOptions options = {}) {
  const MemoryReader reader(source);
  const auto made = processor.derive(reader, std::vector{*parse_transform(transform)}, options);
  return made ? Error{Errc::internal, "it was made"} : made.error();
}

std::string ffprobe(const std::vector<std::byte>& content, const std::vector<std::string>& what) {
  const test::TempFolder folder;
  test::write_file(folder / "a", content);
  std::vector<std::string> command{"ffprobe", "-v", "error"};
  command.insert(command.end(), what.begin(), what.end());
  command.push_back((folder / "a").string());
  const auto told = test::run(command);
  INFO(told.err);
  CHECK(told.exit_code == 0);
  CHECK(told.err.empty());
  return told.out;
}

Json facts(const std::vector<std::byte>& content) {
  return Json::parse(ffprobe(content, {"-of", "json", "-show_format", "-show_streams", "-count_frames"}));
}

/// Every frame's digest and time, decoded by somebody else.
std::string frames(const std::vector<std::byte>& content) {
  return ffprobe(content, {"-of", "csv=p=0", "-show_packets", "-show_data_hash", "md5", "-show_entries",
                           "packet=stream_index,pts,dts,duration,size,flags,data_hash"});
}

std::size_t find(const std::vector<std::byte>& content, std::string_view text) {
  return std::string_view(reinterpret_cast<const char*>(content.data()), content.size()).find(text);
}

const Json& stream(const Json& facts, const std::string& kind) {
  for (const Json& each : facts.at("streams")) {
    if (each.at("codec_type") == kind) return each;
  }
  FAIL("no " << kind);
  return facts;
}

/// When something is first heard, by the file's clock and decoded by somebody else: what comes before is silence, or nothing.
double first_heard(const std::vector<std::byte>& content) {
  const test::TempFolder folder;
  test::write_file(folder / "a", content);
  const auto told = test::run({"ffmpeg", "-v", "error", "-i", (folder / "a").string(), "-map", "0:a", "-af",
                               "aresample=async=1:first_pts=0", "-f", "s16le", "-ac", "1", "-ar", "48000", (folder / "s").string()});
  INFO(told.err);
  REQUIRE(told.exit_code == 0);
  const std::string samples = test::read_text(folder / "s");
  for (std::size_t i = 0; i + 1 < samples.size(); i += 2) {
    std::int16_t value = 0;
    std::memcpy(&value, samples.data() + i, sizeof value);
    if (std::abs(value) > 3000) return static_cast<double>(i / 2) / 48'000;
  }
  return -1;
}

/// The times of all packets of a stream, in their order, and which of them are key frames.
std::vector<std::pair<double, bool>> packets(const std::vector<std::byte>& content, const std::string& kind) {
  std::istringstream lines(ffprobe(content, {"-of", "csv=p=0", "-select_streams", kind, "-show_entries", "packet=pts_time,flags"}));
  std::vector<std::pair<double, bool>> all;
  for (std::string line; std::getline(lines, line);) all.emplace_back(std::stod(line), line.find('K') != std::string::npos);
  return all;
}

/// With bytes that are no sound in the place of all packets of sound between two times.
std::vector<std::byte> without_sound(std::vector<std::byte> content, double from, double until) {
  std::istringstream lines(ffprobe(content, {"-of", "csv=p=0", "-select_streams", "a", "-show_entries", "packet=pts_time,size,pos"}));
  const bool is_matroska = content.at(0) == std::byte{0x1a};
  int damaged = 0;
  for (std::string line; std::getline(lines, line);) {
    double time = 0;
    std::size_t size = 0;
    std::size_t place = 0;
    char comma = 0;
    std::istringstream(line) >> time >> comma >> size >> comma >> place;
    if (time < from || time >= until) continue;
    REQUIRE(place + size <= content.size());
    // In Matroska a block's head is in front of it.
    const std::size_t spared = is_matroska ? std::min<std::size_t>(16, size) : 0;
    std::fill_n(content.begin() + static_cast<std::ptrdiff_t>(place + spared), size - spared, std::byte{0xff});
    ++damaged;
  }
  CHECK(damaged > 0);
  return content;
}

/// Two recordings of Motion JPEG in one Matroska file, the second one's clock beginning anew.
std::vector<std::byte> two_in_one(const std::string& first, const std::string& second) {
  const auto recorded = [](const std::string& picture) {
    return test::film("a.mkv", {"-f", "lavfi", "-i", picture, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-live", "1"});
  };
  auto both = recorded(first);
  const auto behind = recorded(second);
  const std::size_t cluster = find(behind, "\x1F\x43\xB6\x75");
  REQUIRE(cluster < behind.size());
  both.insert(both.end(), behind.begin() + static_cast<std::ptrdiff_t>(cluster), behind.end());
  return both;
}

double seconds(const Json& facts) { return std::stod(facts.at("format").at("duration").get<std::string>()); }

}  // namespace

TEST_CASE("video: an MP4 or MOV whose index is behind its frames is arranged anew, frame for frame the same") {
  for (const std::string name : {"a.mp4", "a.mov"}) {
    CAPTURE(name);
    const auto source = film(name, kPhone);
    REQUIRE(find(source, "mdat") < find(source, "moov"));
    const auto in_process = make_in_process_processor();
    const auto ready = derived(*in_process, source, "format=mp4,codecs=keep");
    CHECK(find(ready, "moov") < find(ready, "mdat"));
    CHECK(ready.size() == source.size());
    CHECK(frames(ready) == frames(source));
    // By workers it is the same, and so is one that was arranged before.
    CHECK(derived(*workers(), source, "format=mp4,codecs=keep") == ready);
    CHECK(derived(*in_process, ready, "format=mp4,codecs=keep") == ready);
  }
  const auto in_front = film("a.mp4", {"-c:v", "libx264", "-movflags", "faststart"});
  CHECK(derived(*make_in_process_processor(), in_front, "format=mp4,codecs=keep") == in_front);
}

TEST_CASE("video: what browsers do not play is not arranged, but encoded") {
  const auto processor = workers();
  const auto prores = film("a.mov", {"-c:v", "prores_ks", "-c:a", "pcm_s16le"});
  const Error refused = refusal(*processor, prores, "format=mp4,codecs=keep");
  CHECK(refused.code == Errc::unsupported);
  CHECK(refused.message.find("browsers do not play") != std::string::npos);
  const Json made = facts(derived(*processor, prores, "format=mp4"));
  CHECK(stream(made, "video").at("codec_name") == "h264");
  CHECK(stream(made, "audio").at("codec_name") == "aac");
  const auto webm = film("a.webm", {"-c:v", "libvpx", "-c:a", "libopus"});
  CHECK(refusal(*processor, webm, "format=mp4,codecs=keep").code == Errc::unsupported);
}

TEST_CASE("video: a video is encoded for browsers, in 720p, with all that is seen and heard") {
  const auto processor = workers();
  const auto source = film("a.mkv", {"-c:v", "libx264", "-pix_fmt", "yuv422p10le", "-g", "25", "-c:a", "flac", "-ac", "6"},
                           "testsrc2=s=1920x1080:r=25:d=3");
  struct Row {
    const char* transform;
    const char* video;
    const char* audio;
    int width;
    int height;
  };
  for (const Row& row : {Row{"format=mp4", "h264", "aac", 1280, 720}, Row{"format=webm,w=320", "vp9", "opus", 320, 180}}) {
    CAPTURE(row.transform);
    const MemoryReader reader(source);
    DeriveOptions options;
    std::vector<double> progress;
    options.progress = [&](double share) { progress.push_back(share); };
    const auto made = processor->derive(reader, std::vector{*parse_transform(row.transform)}, options);
    if (!made) FAIL(made.error().message);
    const auto content = bytes_of(made->outputs.at(0));
    const Json told = facts(content);
    INFO(told.dump());
    CHECK(stream(told, "video").at("codec_name") == row.video);
    CHECK(stream(told, "audio").at("codec_name") == row.audio);
    CHECK(stream(told, "video").at("width") == row.width);
    CHECK(stream(told, "video").at("height") == row.height);
    CHECK(made->outputs.at(0).width == static_cast<std::uint32_t>(row.width));
    CHECK(made->outputs.at(0).height == static_cast<std::uint32_t>(row.height));
    CHECK(stream(told, "video").at("pix_fmt") == "yuv420p");
    CHECK(stream(told, "video").at("nb_read_frames") == "75");
    CHECK(stream(told, "audio").at("channels") == 2);
    CHECK(stream(told, "audio").at("sample_rate") == "48000");
    CHECK(std::abs(seconds(told) - 3) < 0.1);
    REQUIRE_FALSE(progress.empty());
    CHECK(std::is_sorted(progress.begin(), progress.end()));
    CHECK(progress.back() <= 1);
    CHECK(progress.front() > 0);
    if (std::string_view(row.transform) == "format=mp4") CHECK(find(content, "moov") < find(content, "mdat"));
    // The same source makes the same bytes.
    CHECK(derived(*processor, source, row.transform) == content);
  }
}

TEST_CASE("video: one that is turned is encoded upright, and nothing grows") {
  const auto source = film("a.mp4", {"-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"}, "testsrc2=s=1280x720:r=10:d=1");
  // Turned by the track's matrix, as phones do it: a quarter, clockwise.
  auto turned = source;
  const std::size_t matrix = find(turned, "tkhd") + 4 + 40;
  const auto put = [&](std::size_t entry, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) turned.at(matrix + 4 * entry + i) = static_cast<std::byte>(value >> (24 - 8 * i));
  };
  put(0, 0);
  put(1, 0x10000);
  put(3, 0xFFFF0000);
  put(4, 0);
  REQUIRE(probe(MemoryReader(turned)).value().display_width() == 720);
  const auto processor = workers();
  const auto upright = derived(*processor, turned, "format=mp4");
  const Json told = facts(upright);
  CHECK(stream(told, "video").at("width") == 720);
  CHECK(stream(told, "video").at("height") == 1280);
  CHECK_FALSE(stream(told, "video").contains("side_data_list"));
  // What is seen is what a poster shows.
  const std::vector poster{*parse_transform("w=90,format=png,at=0.5")};
  const auto before = processor->derive(MemoryReader(turned), poster, {});
  const auto after = processor->derive(MemoryReader(upright), poster, {});
  REQUIRE((before && after));
  CHECK(before->outputs.at(0).height == after->outputs.at(0).height);
  REQUIRE((before->appearance.perceptual_hash && after->appearance.perceptual_hash));
  CHECK(std::popcount(before->appearance.perceptual_hash->bits ^ after->appearance.perceptual_hash->bits) <= 6);
  const Json small = facts(derived(*processor, film("a.mp4", kPhone, "testsrc2=s=162x90:r=10:d=1"), "format=mp4,w=1920"));
  CHECK(stream(small, "video").at("width") == 162);
  CHECK(stream(small, "video").at("height") == 90);
}

TEST_CASE("video: GIF and animated WebP become videos, and a picture that stands still does not") {
  const auto processor = workers();
  const auto gif = test::film("a.gif", {"-f", "lavfi", "-i", "testsrc2=s=120x80:r=10:d=2"});
  for (const std::string format : {"mp4", "webm"}) {
    const Json told = facts(derived(*processor, gif, "format=" + format));
    INFO(told.dump());
    CHECK(stream(told, "video").at("width") == 120);
    CHECK(stream(told, "video").at("nb_read_frames") == "20");
    CHECK(std::abs(seconds(told) - 2) < 0.06);
    CHECK(told.at("streams").size() == 1);
  }
  const auto webp = test::film("a.webp", {"-f", "lavfi", "-i", "testsrc2=s=120x80:r=10:d=1", "-c:v", "libwebp_anim", "-loop", "0"});
  CHECK(stream(facts(derived(*processor, webp, "format=mp4")), "video").at("nb_read_frames") == "10");
  CHECK(refusal(*processor, test::gradient_png(64, 48), "format=mp4").code == Errc::unsupported);
  const auto in_process = make_in_process_processor();
  CHECK(refusal(*in_process, gif, "format=mp4").code == Errc::unsupported);
}

TEST_CASE("video: pictures and videos may be asked for together, and come in the order of the question") {
  const auto source = film("a.mp4", kPhone);
  const MemoryReader reader(source);
  const std::vector transforms{*parse_transform("format=mp4,codecs=keep"), *parse_transform("w=80,format=jpeg"),
                               *parse_transform("format=mp4,w=160")};
  const auto made = workers()->derive(reader, transforms, {});
  if (!made) FAIL(made.error().message);
  REQUIRE(made->outputs.size() == 3);
  CHECK(made->outputs[0].content->size() == source.size());
  CHECK(made->outputs[1].content == nullptr);
  CHECK(made->outputs[1].width == 80);
  CHECK(made->outputs[2].width == 160);
  CHECK(made->appearance.known());
}

TEST_CASE("video: encoding keeps to its budget of bytes and of time, and can be stopped") {
  const auto processor = workers();
  const auto source = film("a.mp4", kPhone, "testsrc2=s=640x360:r=25:d=20");
  DeriveOptions few_bytes;
  few_bytes.budget.max_video_bytes = 20'000;
  const Error too_large = refusal(*processor, source, "format=mp4", few_bytes);
  CHECK(too_large.code == Errc::too_large);
  CHECK(too_large.message.find("20000") != std::string::npos);
  DeriveOptions no_time;
  // Enough to start another worker, in the place of the one that was ended, on a machine that has much to do.
  no_time.budget.video_deadline = std::chrono::milliseconds(1'500);
  CHECK(refusal(*processor, source, "format=webm", no_time).code == Errc::too_large);
  DeriveOptions stopped;
  std::stop_source stop;
  stopped.stop = stop.get_token();
  stopped.progress = [&](double) { stop.request_stop(); };
  CHECK(refusal(*processor, source, "format=webm", stopped).code == Errc::cancelled);
  // And goes on working.
  CHECK_FALSE(derived(*processor, film("a.mp4", kPhone), "format=mp4").empty());
}

TEST_CASE("video: bad input is refused, or made of what is there, in bounded time") {
  const auto processor = workers();
  DeriveOptions options;
  options.budget.video_deadline = std::chrono::seconds(20);
  const auto good = film("a.mp4", {"-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags", "faststart"});
  const auto begun = std::chrono::steady_clock::now();
  for (const std::string transform : {"format=mp4", "format=webm,w=160", "format=mp4,codecs=keep"}) {
    CAPTURE(transform);
    const bool encodes = transform.find("codecs") == std::string::npos;
    CHECK(refusal(*processor, {}, transform, options).code == Errc::unsupported);
    // Cut in the middle of its frames: what came is shown.
    auto cut = good;
    cut.resize(good.size() * 2 / 3);
    const MemoryReader reader(cut);
    const auto part = processor->derive(reader, std::vector{*parse_transform(transform)}, options);
    if (encodes) {
      REQUIRE(part.has_value());
      const Json told = facts(bytes_of(part->outputs.at(0)));
      const int of_cut = std::stoi(stream(told, "video").at("nb_read_frames").get<std::string>());
      CHECK(of_cut > 20);
      CHECK(of_cut < 75);
    } else {
      // What is not there cannot be arranged.
      REQUIRE_FALSE(part.has_value());
      CHECK(part.error().code == Errc::corrupt);
    }
    // Cut in the middle of its index.
    auto head = good;
    head.resize(find(good, "moov") + 200);
    CHECK(refusal(*processor, head, transform, options).code != Errc::internal);
    // Sound alone.
    const auto sound = test::film("a.m4a", {"-f", "lavfi", "-i", "sine=d=2", "-c:a", "aac"});
    if (encodes) CHECK(refusal(*processor, sound, transform, options).code == Errc::unsupported);
    // Encrypted.
    const auto locked = film("a.mp4", {"-c:v", "libx264", "-c:a", "aac", "-encryption_scheme", "cenc-aes-ctr", "-encryption_key",
                                       "76a6c65c5ea762046bd749a2e632ccbb", "-encryption_kid", "a7e61c373e219033c21091fa607bf3b8"});
    CHECK(refusal(*processor, locked, transform, options).code == Errc::unsupported);
    // A day in two kilobytes.
    const auto day =
        processor->derive(MemoryReader(test::mp4(64, 48, 86'400'000, 1500)), std::vector{*parse_transform(transform)}, options);
    if (encodes) CHECK_FALSE(day.has_value());
    // Frames in another file.
    auto elsewhere = good;
    elsewhere.at(find(good, "dref") + 4 + 8 + 11) = std::byte{0};
    // The other file is not looked for, and nothing else is shown in its place.
    const Error of_here = refusal(*processor, elsewhere, transform, options);
    CHECK(of_here.code == Errc::unsupported);
    CHECK(of_here.message.find("another file") != std::string::npos);
  }
  // No time goes by between its frames: one is left.
  const auto standing = test::film("a.mkv", {"-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=1", "-vf", "setpts=0", "-vsync", "passthrough",
                                             "-c:v", "libx264", "-bf", "0"});
  const auto of_one = processor->derive(MemoryReader(standing), std::vector{*parse_transform("format=mp4")}, options);
  REQUIRE(of_one.has_value());
  CHECK(stream(facts(bytes_of(of_one->outputs.at(0))), "video").at("nb_read_frames") == "1");
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(90));
}

TEST_CASE("video: the encoders open nothing and connect to nothing") {
  if (test::kSanitized) return;  // the sanitizers look things up themselves
  const test::TempFolder folder;
  const fs::path log = folder / "calls";
  const fs::path script = folder / "traced-worker";
  test::write_file(script, "#!/bin/sh\nexec /usr/bin/strace -f -s 200 -o '" + log.string() + "' '" MEDIA_VIDEO_WORKER_BINARY "' \"$@\"\n");
  fs::permissions(script, fs::perms::owner_all);
  {
    const auto pool = workers(script);
    CHECK_FALSE(derived(*pool, film("a.mp4", kPhone), "format=mp4").empty());
  }
  std::istringstream lines(test::read_text(log));
  bool at_work = false;
  for (std::string line; std::getline(lines, line);) {
    at_work = at_work || line.find("SCM_RIGHTS") != std::string::npos;
    if (!at_work || line.find(" sendto(3, ") != std::string::npos || line.find("\"/proc/self/statm\"") != std::string::npos) continue;
    for (const char* const call : {" open(", " openat(", " creat(", " socket(", " connect(", " execve(", " sendto(", " fork(", " vfork("}) {
      if (line.find(call) != std::string::npos) FAIL_CHECK(line);
    }
  }
  CHECK(at_work);
}

TEST_CASE("video: after a picture that stands for more than ten minutes sound and picture are still together") {
  // Half a second of pictures, a gap to 700 s, and a tone with the first picture behind it.
  const auto source = test::film(
      "a.mkv", {"-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=2", "-f", "lavfi", "-i",
                "aevalsrc='if(between(t,700.5,701),sin(2*PI*1000*t),0)':s=8000:d=702", "-vf", "setpts='if(gt(N,4),PTS+699.5/TB,PTS)'",
                "-vsync", "passthrough", "-c:v", "libx264", "-bf", "0", "-c:a", "pcm_s16le"});
  DeriveOptions options;
  const auto made = workers()->derive(MemoryReader(source), std::vector{*parse_transform("format=mp4")}, options);
  if (!made) FAIL(made.error().message);
  const auto content = bytes_of(made->outputs.at(0));
  const auto pictures = packets(content, "v");
  REQUIRE(pictures.size() == 20);
  // The picture at 0.4 s stands for 600 s; the one of 700 s, and the tone half a second later, come then.
  CHECK(std::abs(pictures.at(5).first - 600.4) < 0.05);
  CHECK(std::abs(first_heard(content) - 600.9) < 0.15);
  CHECK(seconds(facts(content)) < 604);
}

TEST_CASE("video: sound that begins late begins as late, to the sample, and sound before the first picture is left out") {
  const auto processor = workers();
  for (const double offset : {0.02, 0.08, 0.3}) {
    CAPTURE(offset);
    const auto late = test::film("a.mkv", {"-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2", "-itsoffset", std::to_string(offset), "-f",
                                           "lavfi", "-i", "sine=d=1.5", "-c:v", "libx264", "-bf", "0", "-c:a", "pcm_s16le"});
    for (const std::string format : {"mp4", "webm"}) {
      CAPTURE(format);
      CHECK(std::abs(first_heard(derived(*processor, late, "format=" + format)) - offset) < 0.015);
    }
  }
  // Pictures that begin half a second after the sound, whose tone begins with the first of them.
  const auto early =
      test::film("a.mkv", {"-itsoffset", "0.5", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2", "-f", "lavfi", "-i",
                           "aevalsrc='if(gt(t,1),sin(2*PI*1000*t),0)':s=48000:d=2.5", "-c:v", "libx264", "-bf", "0", "-c:a", "pcm_s16le"});
  CHECK(std::abs(first_heard(derived(*processor, early, "format=mp4")) - 0.5) < 0.03);
}

TEST_CASE("video: sound of old cameras is heard, and what cannot be decoded is left out without the video") {
  const auto processor = workers();
  for (const std::string codec : {"pcm_mulaw", "pcm_alaw", "pcm_u8", "mp2", "pcm_s32le"}) {
    CAPTURE(codec);
    const auto source = film("a.mkv", {"-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", codec, "-ar", "44100"});
    CHECK(stream(facts(derived(*processor, source, "format=mp4,w=64")), "audio").at("codec_name") == "aac");
  }
  // Its pictures, and nothing instead of the sound.
  const auto source = film("a.mkv", {"-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "wmav2"});
  for (const std::string format : {"mp4", "webm"}) {
    const Json told = facts(derived(*processor, source, "w=64,format=" + format));
    CHECK(told.at("streams").size() == 1);
    CHECK(stream(told, "video").at("nb_read_frames") == "75");
  }
}

TEST_CASE("video: sound that cannot be decoded is told, and sound that ends early in the source is not") {
  const auto processor = workers();
  const auto lost = [&](const std::vector<std::byte>& source, const std::string& transform) {
    const auto made = processor->derive(MemoryReader(source), std::vector{*parse_transform(transform)}, {});
    if (!made) FAIL(made.error().message);
    const auto content = bytes_of(made->outputs.at(0));
    CHECK(stream(facts(content), "video").at("nb_read_frames") == "80");
    return static_cast<double>(cage::lost_sound_of(made->outputs.at(0).content.get()).count()) / 1000;
  };
  const auto of_sound = [&](const std::string& name, const std::string& codec, const std::string& heard) {
    return test::film(name, {"-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=8", "-f", "lavfi", "-i", "sine=d=" + heard, "-c:v", "libx264",
                             "-pix_fmt", "yuv420p", "-c:a", codec});
  };
  struct Row {
    const char* name;
    const char* codec;
  };
  for (const Row& row : {Row{"a.mp4", "aac"}, Row{"a.mkv", "flac"}}) {
    for (const std::string transform : {"format=mp4", "format=webm"}) {
      CAPTURE(row.name, row.codec, transform);
      const auto whole = of_sound(row.name, row.codec, "8");
      CHECK(lost(whole, transform) == 0);
      CHECK(lost(of_sound(row.name, row.codec, "3"), transform) == 0);
      // From two seconds on nothing is sound any more, in the very same places.
      CHECK(std::abs(lost(without_sound(whole, 2, 9), transform) - 6) < 0.2);
      CHECK(std::abs(lost(without_sound(of_sound(row.name, row.codec, "6"), 2, 9), transform) - 4) < 0.2);
      // Less than two seconds are what honest files differ by.
      CHECK(lost(without_sound(whole, 6.5, 9), transform) == 0);
      CHECK(lost(without_sound(whole, 2, 3.5), transform) == 0);
      // Too little each, and enough together.
      CHECK(std::abs(lost(without_sound(without_sound(whole, 2, 3.5), 6.5, 9), transform) - 3) < 0.3);
      // Where it goes on afterwards, and where it begins late.
      CHECK(std::abs(lost(without_sound(whole, 2, 6), transform) - 4) < 0.2);
      CHECK(std::abs(lost(without_sound(whole, 0, 3), transform) - 3) < 0.2);
      CHECK(std::abs(lost(without_sound(without_sound(whole, 1, 3), 5, 9), transform) - 5) < 0.3);
    }
  }
  // Nothing of it can be decoded: an MP4 has no track for it then, which tells, and a WebM an empty one.
  const auto none = without_sound(of_sound("a.mp4", "aac", "8"), 0, 9);
  const auto mp4 = derived(*processor, none, "format=mp4");
  CHECK(facts(mp4).at("streams").size() == 1);
  CHECK(lost(none, "format=webm") > 7.8);
  // Silence is sound.
  const auto silent = test::film("a.mp4", {"-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=8", "-f", "lavfi", "-i", "anullsrc=d=8", "-c:v",
                                           "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-t", "8"});
  CHECK(lost(silent, "format=mp4") == 0);
}

TEST_CASE("video: a clock that is set back does not end the film") {
  const auto made = derived(*workers(), two_in_one("testsrc2=s=64x48:r=25:d=2", "testsrc2=s=64x48:r=25:d=2"), "format=mp4");
  const auto pictures = packets(made, "v");
  CHECK(pictures.size() >= 98);
  CHECK(pictures.size() <= 100);
  CHECK(std::abs(seconds(facts(made)) - 4) < 0.1);
}

TEST_CASE("video: a slideshow has a key frame wherever two seconds have gone by") {
  const auto source = test::film("a.mkv", {"-f", "lavfi", "-i", "testsrc2=s=64x48:r=1:d=20", "-vf", "setpts=3*PTS", "-vsync", "passthrough",
                                           "-c:v", "libx264", "-bf", "0"});
  for (const std::string format : {"mp4", "webm"}) {
    CAPTURE(format);
    const auto all = packets(derived(*workers(), source, "format=" + format), "v");
    REQUIRE(all.size() == 20);
    CHECK(std::all_of(all.begin(), all.end(), [](const auto& packet) { return packet.second; }));
  }
}

TEST_CASE("video: progress of a film that lies about its length rises to its end") {
  for (const std::uint32_t said : {100U, 86'400'000U}) {
    CAPTURE(said);
    auto source = film("a.mp4", {"-c:v", "libx264", "-pix_fmt", "yuv420p"}, "testsrc2=s=640x360:r=25:d=3");
    for (const char* const box : {"mvhd", "tkhd", "mdhd"}) {
      for (std::size_t at = 0;
           (at = std::string_view(reinterpret_cast<const char*>(source.data()), source.size()).find(box, at)) != std::string::npos; ++at) {
        const std::size_t place = at + 4 + (std::string_view(box) == "tkhd" ? 20 : 16);
        for (std::size_t i = 0; i < 4; ++i) source.at(place + i) = static_cast<std::byte>(said >> (24 - 8 * i));
      }
    }
    DeriveOptions options;
    std::vector<double> progress;
    options.progress = [&](double share) { progress.push_back(share); };
    const auto made = workers()->derive(MemoryReader(source), std::vector{*parse_transform("format=mp4")}, options);
    if (!made) FAIL(made.error().message);
    REQUIRE_FALSE(progress.empty());
    CHECK(std::is_sorted(progress.begin(), progress.end()));
    CHECK(progress.back() == 1);
    CHECK(stream(facts(bytes_of(made->outputs.at(0))), "video").at("nb_read_frames") == "75");
  }
}

TEST_CASE("video: HDR, a size that changes in the middle, and times below zero are encoded") {
  const auto processor = workers();
  const auto hdr = film("a.mkv",
                        {"-c:v", "libx265", "-x265-params", "log-level=none", "-pix_fmt", "yuv420p10le", "-color_primaries", "bt2020",
                         "-color_trc", "smpte2084", "-colorspace", "bt2020nc", "-c:a", "aac"},
                        "testsrc2=s=320x180:r=10:d=1," + test::colours_of("smpte2084"));
  const Json bright = facts(derived(*processor, hdr, "format=mp4"));
  CHECK(stream(bright, "video").at("color_transfer") == "bt709");
  CHECK(stream(bright, "video").at("pix_fmt") == "yuv420p");
  // Two sizes, one after the other: all come out in the first one's.
  const auto changed = two_in_one("testsrc2=s=320x180:r=25:d=1", "testsrc2=s=160x90:r=25:d=1");
  const Json sizes = facts(derived(*processor, changed, "format=mp4"));
  CHECK(stream(sizes, "video").at("width") == 320);
  CHECK(std::stoi(stream(sizes, "video").at("nb_read_frames").get<std::string>()) > 40);
  const auto below =
      test::film("a.mkv", {"-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2", "-f", "lavfi", "-i", "sine=d=2", "-output_ts_offset", "-1",
                           "-avoid_negative_ts", "disabled", "-c:v", "libx264", "-bf", "0", "-c:a", "aac"});
  const Json negative = facts(derived(*processor, below, "format=webm"));
  CHECK(std::abs(seconds(negative) - 2) < 0.15);
}

TEST_CASE("video: of 8K there are posters, clips, sheets and videos within the usual memory") {
  const auto processor = workers();
  const auto source = test::film("a.mp4", {"-f", "lavfi", "-i", "testsrc2=s=7680x4320:r=5:d=1.2", "-c:v", "libx264", "-preset", "ultrafast",
                                           "-g", "3", "-pix_fmt", "yuv420p"});
  const std::vector transforms{*parse_transform("w=800,format=jpeg"), *parse_transform("w=800,format=jpeg,at=0.7"),
                               *parse_transform("w=320,format=webp,frames=clip"), *parse_transform("w=160,format=webp,frames=sheet")};
  for (const Transform& transform : transforms) {
    CAPTURE(to_string(transform));
    const auto made = processor->derive(MemoryReader(source), std::vector{transform}, {});
    if (!made) FAIL(made.error().message);
    CHECK(made->outputs.at(0).width >= transform.width);
    CHECK(made->source.width == 7680);
  }
  CHECK(packets(derived(*processor, source, "format=mp4"), "v").size() == 6);
  // What no budget of pixels allows is refused by its size, before anything is decoded.
  DeriveOptions small;
  small.budget.max_memory_bytes = 256ULL << 20U;
  const Error refused = refusal(*processor, source, "w=800,format=jpeg", small);
  CHECK(refused.code == Errc::too_large);
  CHECK(refused.message.find("the video takes 379 MiB of memory, more than 256 MiB") != std::string::npos);
}

TEST_CASE("video: a film that refers to more frames than memory holds is whole or refused, and never cut short") {
  if (test::kSanitized) return;  // no limit of the address space
  const auto processor = workers();
  constexpr std::size_t kFrames = 17;
  const auto source = test::film("a.mp4", {"-f", "lavfi", "-i", "color=gray:s=7680x4320:r=5:d=3.4", "-c:v", "libx264", "-preset",
                                           "ultrafast", "-x264-params", "ref=16:keyint=100", "-pix_fmt", "yuv420p"});
  for (const std::string transform : {"format=mp4,w=64", "format=webm,w=64", "format=mp4", "format=webm"}) {
    CAPTURE(transform);
    const auto made = processor->derive(MemoryReader(source), std::vector{*parse_transform(transform)}, {});
    if (made) {
      CHECK(packets(bytes_of(made->outputs.at(0)), "v").size() == kFrames);
    } else {
      CHECK(made.error().code == Errc::too_large);
      CHECK(made.error().message.find("memory") != std::string::npos);
    }
  }
  CHECK(refusal(*processor, source, "format=webm").code == Errc::too_large);
  CHECK(packets(derived(*processor, film("a.mp4", kPhone), "format=mp4"), "v").size() == 75);
}

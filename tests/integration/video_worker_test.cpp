// The real media-video-worker: pictures and videos each go to their own worker, and FFmpeg opens nothing and connects to nothing.
#include <signal.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "ffmpeg.hpp"
#include "media/processor.hpp"
#include "media/version.hpp"
#include "pictures.hpp"
#include "sanitized.hpp"
#include "support.hpp"
#include "video_workers.hpp"

using namespace media;
namespace fs = std::filesystem;
using test::workers;

namespace {

std::vector<Transform> to(const std::string& text) { return {*parse_transform(text)}; }

/// What ffmpeg makes of a test picture that moves.
std::vector<std::byte> film(const std::string& name, const std::vector<std::string>& coding) {
  std::vector<std::string> arguments{"-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=2"};
  arguments.insert(arguments.end(), coding.begin(), coding.end());
  return test::film(name, arguments);
}

/// Starts the worker under strace, which writes what it calls into `log`.
fs::path traced_worker(const test::TempFolder& folder, const fs::path& log) {
  const fs::path script = folder / "traced-worker";
  test::write_file(script, "#!/bin/sh\nexec /usr/bin/strace -f -s 200 -o '" + log.string() + "' '" MEDIA_VIDEO_WORKER_BINARY "' \"$@\"\n");
  fs::permissions(script, fs::perms::owner_all);
  return script;
}

/// The calls from the first job on that reach for something outside.
std::vector<std::string> reaches(const std::string& log) {
  std::vector<std::string> found;
  std::istringstream lines(log);
  bool at_work = false;
  for (std::string line; std::getline(lines, line);) {
    // The first descriptor that is handed over is the first stranger's bytes.
    at_work = at_work || line.find("SCM_RIGHTS") != std::string::npos;
    if (!at_work) continue;
    for (const char* const call :
         {" open(", " openat(", " openat2(", " creat(", " socket(", " connect(", " execve(", " execveat(", " sendto(", " bind(", " unlink(",
          " rename(", " mkdir(", " readlink(", " readlinkat(", " clone(", " clone3(", " fork(", " vfork("}) {
      // The library's own sending goes through the socket that is there; its own limits are read from /proc.
      const bool own = line.find("\"/proc/self/statm\"") != std::string::npos || line.find(" sendto(3, ") != std::string::npos;
      if (line.find(call) != std::string::npos && !own) found.push_back(line);
    }
  }
  REQUIRE(at_work);
  return found;
}

}  // namespace

TEST_CASE("worker: pictures go to one worker, videos to the other") {
  const auto pool = workers();
  CHECK(pool->handles(Format::mp4));
  CHECK(pool->handles(Format::webm));
  CHECK(pool->handles(Format::jpeg));
  CHECK_FALSE(pool->handles(Format::svg));
  const auto source = film("a.mp4", {"-c:v", "libx264"});
  const auto derived = pool->derive(MemoryReader(source), to("w=80,format=jpeg,at=1"), {});
  if (!derived) FAIL(derived.error().message);
  CHECK(derived->outputs.at(0).width == 80);
  CHECK(derived->outputs.at(0).height == 60);
  CHECK(derived->source.format == Format::mp4);
  CHECK(derived->source.duration == std::chrono::milliseconds(2000));
  CHECK(derived->appearance.known());
  const auto info = pool->probe(MemoryReader(source), {});
  REQUIRE(info.has_value());
  CHECK(info->width == 160);
  CHECK(pool->derive(MemoryReader(test::gradient_png(64, 64)), to("w=32,format=jpeg"), {}).has_value());
  const auto clip = pool->derive(MemoryReader(source), to("w=80,format=webp,frames=clip"), {});
  CHECK(clip.has_value());
  const auto broken = pool->derive(MemoryReader(test::mp4(64, 48, 1000, 500)), to("w=32,format=jpeg"), {});
  REQUIRE_FALSE(broken.has_value());
  CHECK(broken.error().code == Errc::corrupt);
}

TEST_CASE("worker: without media-video-worker a video is refused with what to do, and pictures are made as ever") {
  const auto in_process = make_in_process_processor();
  CHECK_FALSE(in_process->handles(Format::mp4));
  const auto source = test::mp4(64, 48, 1000, 500);
  const auto refused = in_process->derive(MemoryReader(source), to("w=32,format=jpeg"), {});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::unsupported);
  CHECK(refused.error().message.find("media-video-worker") != std::string::npos);
  CHECK(in_process->probe(MemoryReader(source), {}).error().code == Errc::unsupported);

  // One that was named has to be there.
  WorkerPoolOptions options;
  options.worker_path = MEDIA_WORKER_BINARY;
  options.video_worker_path = "/nowhere/media-video-worker";
  CHECK(make_worker_processor(options).error().code == Errc::not_found);

  const auto version = test::run({MEDIA_VIDEO_WORKER_BINARY, "--version"});
  CHECK(version.exit_code == 0);
  CHECK(version.out == "media-video-worker " MEDIA_VERSION "\n");
  CHECK(test::run({MEDIA_VIDEO_WORKER_BINARY}).exit_code == 64);
}

TEST_CASE("worker: no video makes FFmpeg open a file or a connection") {
  if (test::kSanitized) return;  // the sanitizers look things up themselves
  const test::TempFolder folder;
  test::write_file(folder / "secret.txt", "nobody's business");
  const std::string secret = (folder / "secret.txt").string();
  std::vector<std::vector<std::byte>> sources{film("a.mp4", {"-c:v", "libx264"}), film("b.webm", {"-c:v", "libvpx"}),
                                              film("c.ogv", {"-c:v", "libtheora"})};
  // A data reference that names another file, by a URL and with FFmpeg's own protocols.
  for (const std::string& target : {"file://" + secret, "concat:" + secret, std::string("http://127.0.0.1:9/a.mov")}) {
    auto reference = film("d.mov", {"-c:v", "libx264"});
    const std::string_view all(reinterpret_cast<const char*>(reference.data()), reference.size());
    const auto entry = all.find("dref") + 4 + 8;  // the entry's size, type, version and flags
    const auto moov = all.find("moov") - 4;
    REQUIRE(entry > moov);
    // In place: the flag says that the data is elsewhere, the name is written over what follows.
    reference[entry + 11] = std::byte{0};
    const auto bytes = test::bytes("url ");
    std::copy(bytes.begin(), bytes.end(), reference.begin() + static_cast<std::ptrdiff_t>(entry + 4));
    const auto name = test::bytes(target);
    std::copy(name.begin(), name.end(), reference.begin() + static_cast<std::ptrdiff_t>(entry + 12));
    sources.push_back(std::move(reference));
  }
  // Playlists behind the beginnings of videos.
  const std::string playlist = "\n#EXTM3U\n#EXTINF:1,\nfile://" + secret + "\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n";
  for (const std::string& beginning : {std::string("\0\0\0\x14"
                                                   "ftypisom\0\0\0\0isom",
                                                   20),
                                       std::string("OggS\0\2", 6), std::string("\x1a\x45\xdf\xa3\x87\x42\x82\x84webm", 12)}) {
    sources.push_back(test::bytes(beginning + playlist));
  }
  const fs::path log = folder / "calls";
  {
    const auto pool = workers(traced_worker(folder, log));
    std::size_t served = 0;
    for (const auto& source : sources) {
      for (const char* const text : {"w=32,format=jpeg", "w=32,format=webp,frames=clip", "w=32,format=avif,at=1"}) {
        const auto derived = pool->derive(MemoryReader(source), to(text), {});
        if (derived) ++served;
        if (!derived) CHECK(derived.error().code != Errc::internal);
      }
    }
    CHECK(served >= 9);
  }
  for (const std::string& line : reaches(test::read_text(log))) FAIL_CHECK(line);
}

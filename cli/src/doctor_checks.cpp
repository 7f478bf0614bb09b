#include "doctor_checks.hpp"

#include <sys/timex.h>

#include <chrono>
#include <filesystem>
#include <set>

#include "media/cage.hpp"
#include "media/clock.hpp"
#include "media/doctor.hpp"
#include "media/hashing.hpp"
#include "media/processor.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

std::string rate(double bytes_per_second) { return human_bytes(static_cast<std::uint64_t>(bytes_per_second)) + "/s"; }

/// When this was written: no clock that is right shows less.
constexpr std::chrono::sys_days kNoEarlierThan = std::chrono::year(2025) / 1 / 1;
constexpr std::chrono::sys_days kNoLaterThan = std::chrono::year(2100) / 1 / 1;

}  // namespace

const char* to_string(Check::Status status) noexcept {
  switch (status) {
    case Check::Status::good:
      return "good";
    case Check::Status::advice:
      return "advice";
    case Check::Status::wrong:
      return "wrong";
  }
  return "wrong";
}

Check check_hashing() {
  Check check{.name = "hashing"};
  const media::HashingFacts facts = media::measure_hashing();
  check.facts = Json{{"implementation", facts.implementation},
                     {"lanes", facts.lanes},
                     {"bytes_per_second", static_cast<std::uint64_t>(facts.together_bytes_per_second)},
                     {"openssl_bytes_per_second", static_cast<std::uint64_t>(facts.one_stream_bytes_per_second)}};
  check.message = "SHA-256 by " + facts.implementation + ", " + std::to_string(facts.lanes) +
                  (facts.lanes == 1 ? " content" : " contents") + " at a time: " + rate(facts.together_bytes_per_second) +
                  " on one core; one content by OpenSSL: " + rate(facts.one_stream_bytes_per_second);
  if (facts.lanes == 1)
    check.advise("this processor has no SHA instructions that are used here: ingest and verify take several times as long");
  return check;
}

Check check_pictures() {
  Check check{.name = "pictures"};
  const media::ImageFacts facts = media::image_facts();
  Json codecs = Json::array();
  Json libraries = Json::object();
  std::string reads;
  std::string writes;
  for (const auto& codec : facts.codecs) {
    codecs.push_back(
        Json{{"format", codec.format}, {"writes", codec.writes}, {"encoder", codec.encoder.empty() ? Json() : Json(codec.encoder)}});
    reads += " " + codec.format;
    if (codec.writes) writes += " " + codec.format;
  }
  std::string versions;
  for (const auto& library : facts.libraries) {
    libraries[library.name] = library.version;
    versions += (versions.empty() ? "" : ", ") + library.name + " " + library.version;
  }
  check.facts = Json{{"simd", facts.simd}, {"codecs", codecs}, {"libraries", libraries}};
  check.message = "loops over pixels in " + facts.simd + "; reads" + reads + "; writes" + writes + "; " + versions;
  // Highway's own last resorts: no vectors of this processor are used.
  if (facts.simd == "EMU128" || facts.simd == "SCALAR")
    check.advise("no vector instructions of this processor are used: pictures take several times as long");
  return check;
}

Check check_workers() {
  Check check{.name = "workers"};
  Json workers = Json::array();
  const auto test = [&](const std::filesystem::path& program) {
    const auto report = media::test_cage(program);
    const std::string name = program.filename().string();
    if (!report) {
      check.fault(name + " decodes nothing: " + report.error().message);
      workers.push_back(Json{{"worker", program.string()}, {"holds", false}, {"reason", report.error().message}});
      return;
    }
    std::size_t refused = 0;
    for (const auto& attempt : report->attempts) refused += attempt.refused ? 1 : 0;
    workers.push_back(Json{{"worker", program.string()},
                           {"seccomp", true},
                           {"landlock", report->landlock > 0 ? Json(report->landlock) : Json()},
                           {"libraries", report->libraries.empty() ? Json() : Json(report->libraries)},
                           {"attempts", report->attempts.size()},
                           {"refused", refused},
                           {"holds", report->holds()}});
    check.message += (check.message.empty() ? "" : "; ") + name + ": seccomp, " +
                     (report->landlock > 0 ? "Landlock " + std::to_string(report->landlock) : "no Landlock") + ", " +
                     std::to_string(refused) + " of " + std::to_string(report->attempts.size()) + " attempts refused" +
                     (report->libraries.empty() ? "" : ", by " + report->libraries);
    if (!report->holds()) check.fault(name + " got something that its locks should refuse: see mediactl selftest");
    if (report->landlock == 0) check.advise("this kernel has no Landlock: seccomp and limits do its work alone");
  };
  if (const auto worker = media::find_worker()) {
    test(*worker);
  } else {
    check.fault("no pictures are decoded: " + worker.error().message);
  }
  if (const auto video = media::find_video_worker()) {
    test(*video);
  } else {
    check.advise("videos are stored and not decoded: " + video.error().message);
  }
  check.facts = Json{{"workers", workers}};
  if (check.message.empty()) check.message = "none can be used";
  return check;
}

Check check_clock() {
  Check check{.name = "clock"};
  const auto now = std::chrono::system_clock::now();
  struct timex state{};
  const bool synchronised = ::adjtimex(&state) != TIME_ERROR;
  const auto shown = media::to_rfc3339(media::SystemClock().now());
  check.facts = Json{{"now", shown}, {"synchronised", synchronised}};
  check.message = shown + (synchronised ? ", synchronised" : ", not synchronised by the system");
  if (now < kNoEarlierThan || now > kNoLaterThan) {
    check.fault("the clock is wrong: signed URLs, leases and grace periods go by it");
  } else if (!synchronised) {
    check.advise("nothing keeps the clock right (chrony, systemd-timesyncd): several machines on one catalog must agree");
  }
  return check;
}

Check check_disk(const Globals& globals) {
  Check check{.name = "disk"};
  const auto facts = media::disk_facts(globals.store);
  if (!facts) {
    check.message = facts.error().message;
    check.fault("the store's folder cannot be looked at");
    return check;
  }
  const auto microseconds = facts->sync_time ? std::chrono::duration_cast<std::chrono::microseconds>(*facts->sync_time).count() : 0;
  check.facts = Json{{"file_system", facts->file_system},
                     {"on_network", facts->on_network},
                     {"free_bytes", facts->free_bytes},
                     {"total_bytes", facts->total_bytes},
                     {"free_inodes", facts->total_inodes > 0 ? Json(facts->free_inodes) : Json()},
                     {"total_inodes", facts->total_inodes > 0 ? Json(facts->total_inodes) : Json()},
                     {"writable", facts->sync_time.has_value()},
                     {"sync_microseconds", facts->sync_time ? Json(microseconds) : Json()},
                     {"reflinks", facts->reflinks ? Json(*facts->reflinks) : Json()}};
  check.message = facts->file_system + ", " + human_bytes(facts->free_bytes) + " of " + human_bytes(facts->total_bytes) + " free";
  if (facts->sync_time) {
    check.message += ", a sync takes " + std::to_string(microseconds) + " us, reflinks " + (*facts->reflinks ? "possible" : "not possible");
  } else {
    check.message += ", not writable";
  }
  constexpr std::uint64_t kTooLittle = std::uint64_t{64} << 20U;
  constexpr std::uint64_t kTooFewInodes = 1000;
  if (facts->free_bytes < kTooLittle)
    check.fault("the disk is as good as full: uploads are refused soon");
  else if (facts->free_bytes < facts->total_bytes / 20)
    check.advise("less than a twentieth of the disk is free");
  if (facts->total_inodes > 0 && facts->free_inodes < kTooFewInodes) check.fault("the file system has no inodes left for new files");
  std::error_code none;
  if (facts->on_network && std::filesystem::exists(std::filesystem::path(globals.store) / "catalog.db", none)) {
    check.fault("the catalog lies on a network file system, where SQLite is not safe: use --catalog postgresql://…");
  }
  if (facts->file_system == "tmpfs")
    check.advise("this is memory: nothing in it outlives a restart");
  else if (facts->sync_time && microseconds < 15)
    check.advise("a sync takes no time: does this disk, or the machine below, keep what it says is written?");
  if (microseconds > 20'000)
    check.advise("a sync takes long: durable writes are bound by it (a disk with a protected cache, or an SSD, helps)");
  return check;
}

}  // namespace mediactl

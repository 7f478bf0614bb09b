// The order of system calls, and every one of them failing or being the last: by strace, over blob_store_program.
#include <map>
#include <regex>
#include <set>

#include "blob_store_trace.hpp"

using namespace media;
using test::can_trace;
using test::check_store;
using test::lines_of;
using test::trace_publish;
namespace fs = std::filesystem;

namespace {

std::string hex_of(const std::string& text) { return Digest::of(test::bytes(text)).to_hex(); }

}  // namespace

TEST_CASE("store: a new blob is written, synced, renamed, and its folders are synced, in this order, before it is acknowledged") {
  if (!can_trace()) return;
  for (const std::string buffer : {"0", "100000"}) {
    const test::TempFolder folder;
    const fs::path base = fs::canonical(folder.path()) / "base";
    const fs::path log = folder / "log";
    REQUIRE(trace_publish(
                {"-y", "-s", "200", "-o", log.string(), "-e", "trace=pwrite64,write,fsync,fdatasync,syncfs,sync,renameat,renameat2,rename"},
                base, buffer)
                .exit_code == 0);
    // What is done, with the descriptor's path as strace -y shows it.
    enum class Step { written, synced, renamed, acked };
    std::map<std::string, std::size_t> synced_at;
    std::map<std::string, std::size_t> written_at;
    std::size_t at = 0;
    std::size_t acked = 0;
    const std::regex on_file(R"re((pwrite64|fsync|write)\(\d+<([^>]*)>(, "acked ([0-9a-f]+))?)re");
    const std::regex rename(R"re(renameat\(\d+<([^>]*)>, "([^"]*)", \d+<([^>]*)>, "([^"]*)"\) = 0)re");
    std::map<std::string, std::pair<std::string, std::size_t>> renamed;  // digest -> temp path, when
    std::set<std::string> durable_folders;
    for (const auto& line : lines_of(test::read_text(log))) {
      ++at;
      CHECK(line.find("syncfs") == std::string::npos);
      std::smatch match;
      if (std::regex_search(line, match, rename)) {
        const std::string temp = match[1].str() + "/" + match[2].str();
        REQUIRE(written_at.contains(temp));
        REQUIRE(synced_at.contains(temp));
        CHECK(synced_at[temp] > written_at[temp]);
        renamed[fs::path(match[4].str()).filename().string()] = {temp, at};
      } else if (std::regex_search(line, match, on_file)) {
        const std::string call = match[1].str();
        const std::string path = match[2].str();
        if (call == "fsync") synced_at[path] = at;
        if (call == "pwrite64") written_at[path] = at;
        if (call == "write" && match[4].matched) {
          ++acked;
          const std::string hex = match[4].str().substr(0, 64);
          const std::size_t when = renamed.at(hex).second;
          // The blob's folder, and each parent whose entry is new: in this fresh store, all of them.
          fs::path place = base / hex.substr(0, 2) / hex.substr(2, 2) / hex.substr(4, 2);
          CHECK(synced_at[place.string()] > when);
          while (place != base) {
            if (durable_folders.insert(place.string()).second) CHECK(synced_at[place.parent_path().string()] > when);
            place = place.parent_path();
          }
        }
      }
    }
    CHECK(acked == 3);
    // The base is new as well: the folder that it was made in was synced.
    CHECK(synced_at.contains(base.parent_path().string()));
  }
}

TEST_CASE("store: killed at any call, what was acknowledged is there, what is visible is whole, and temps are swept") {
  if (!can_trace()) return;
  // Everything that changes the disk; openat makes temp files and locks.
  const std::string calls = "openat,mkdir,mkdirat,pwrite64,sync_file_range,fsync,renameat,unlinkat,flock,write";
  for (const std::string buffer : {"0", "100000"}) {
    unsigned kills = 0;
    for (int n = 1;; ++n) {
      const test::TempFolder folder;
      const fs::path base = folder / "base";
      const auto result = trace_publish(
          {"-o", "/dev/null", "-e", "trace=" + calls, "-e", "inject=" + calls + ":signal=KILL:when=" + std::to_string(n)}, base, buffer);
      check_store(base, result.out);
      if (result.exit_code == 0) break;
      // strace ends by the same signal as what it traced.
      REQUIRE(result.exit_code == 128 + 9);
      REQUIRE(++kills < 1'000);
    }
    // At the least each of the three: made, written, synced, renamed, and its folder synced.
    CHECK(kills > 15);
  }
}

TEST_CASE("store: any call that fails once or for ever is never acknowledged as durable, and a fault that ends is survived") {
  if (!can_trace()) return;
  struct Fault {
    std::string call;
    std::string error;
    std::string code;
  };
  const std::vector<Fault> faults = {{"fsync", "EIO", "io"},         {"pwrite64", "ENOSPC", "no_space"}, {"mkdirat", "EDQUOT", "no_space"},
                                     {"mkdirat", "EROFS", "denied"}, {"renameat", "EIO", "io"},          {"sync_file_range", "EIO", "io"}};
  for (const auto& fault : faults) {
    for (const std::string persistent : {"", "+"}) {
      for (int n = 1; n < 100; ++n) {
        const test::TempFolder folder;
        const fs::path base = folder / "base";
        const fs::path log = folder / "log";
        const std::string inject = "inject=" + fault.call + ":error=" + fault.error + ":when=" + std::to_string(n) + persistent;
        INFO(inject);
        const auto result = trace_publish({"-y", "-o", log.string(), "-e", "trace=" + fault.call, "-e", inject}, base, "100000");
        check_store(base, result.out);
        const bool injected = test::read_text(log).find("(INJECTED)") != std::string::npos;
        const auto lines = lines_of(result.out);
        REQUIRE_FALSE(lines.empty());
        if (!injected) {
          CHECK(lines.size() == 3);
          CHECK(result.out.find("failed") == std::string::npos);
          break;
        }
        // The process lived, and said the right thing.
        REQUIRE((result.exit_code == 0 || result.exit_code == 1));
        const auto failed = std::find_if(lines.begin(), lines.end(), [](const std::string& line) { return line.starts_with("failed "); });
        REQUIRE(failed != lines.end());
        CHECK(failed->starts_with("failed " + fault.code + " "));
        if (persistent.empty() && result.exit_code == 0) {
          // One of three failed, whichever it was; the next ones worked.
          CHECK(std::count_if(lines.begin(), lines.end(), [](const std::string& line) { return line.starts_with("acked "); }) == 2);
        }
        if (persistent == "+" && result.exit_code == 0) CHECK(lines.back().starts_with("failed "));
        // A failed fsync is not tried again: the same temp file is never synced twice.
        if (fault.call == "fsync") {
          std::set<std::string> temps;
          const std::regex synced(R"re(fsync\(\d+<([^>]*/temp/[^>]*)>)re");
          for (const auto& line : lines_of(test::read_text(log))) {
            std::smatch match;
            if (std::regex_search(line, match, synced)) CHECK(temps.insert(match[1].str()).second);
          }
        }
      }
    }
  }
}

TEST_CASE("store: an interrupted write goes on") {
  if (!can_trace()) return;
  const test::TempFolder folder;
  const auto result =
      trace_publish({"-o", "/dev/null", "-e", "trace=pwrite64", "-e", "inject=pwrite64:error=EINTR:when=1+2"}, folder / "base", "0");
  check_store(folder / "base", result.out);
  CHECK(result.out == "acked " + hex_of("first") + "\nacked " + hex_of("second") + "\nacked " + hex_of("third") + "\n");
}

/// Running blob_store_program under strace, and what must hold of a store afterwards whatever happened.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "blob_store_contract.hpp"

namespace test {

/// False, said aloud, where this machine cannot trace; a failure in the CI, which must be able to.
inline bool can_trace() {
  std::string reason = "strace is not installed";
  try {
    const auto result = run({"strace", "-qq", "-o", "/dev/null", "true"});
    if (result.exit_code == 0) return true;
    reason = result.err;
  } catch (const std::runtime_error&) {
  }
  if (std::getenv("CI") != nullptr) FAIL("cannot trace: " + reason);
  WARN("skipped: cannot trace: " + reason);
  return false;
}

/// The leak checker of a sanitizer build cannot run under a tracer.
inline const std::vector<std::string> kNoLeakCheck = {"ASAN_OPTIONS=detect_leaks=0"};

inline RunResult trace(const std::vector<std::string>& strace_options, const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {"strace", "-f", "-qq"};
  command.insert(command.end(), strace_options.begin(), strace_options.end());
  command.emplace_back(BLOB_STORE_PROGRAM);
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run(command, kNoLeakCheck);
}

/// Publishes three texts.
inline RunResult trace_publish(const std::vector<std::string>& strace_options, const std::filesystem::path& base,
                               const std::string& buffer_bytes, const std::string& pack_below_bytes = "0") {
  return trace(strace_options, {"publish", base.string(), buffer_bytes, pack_below_bytes, "first", "second", "third"});
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// What must hold whatever happened: acknowledged blobs are there, visible ones are whole, reopening leaves no temp.
inline void check_store(const std::filesystem::path& base, const std::string& output) {
  if (!std::filesystem::exists(base)) {
    CHECK(output.find("acked") == std::string::npos);
    return;
  }
  {
    media::FilesystemStoreOptions options;
    options.base_path = base;
    const auto store = media::open_filesystem_store(options).value();
    for (const auto& line : lines_of(output)) {
      if (line.starts_with("acked ")) CHECK(store->stat(media::Digest::from_hex(line.substr(6)).value()).value().has_value());
    }
    for (const auto& blob : list_all(*store, 100)) {
      REQUIRE(blob.digest);
      CHECK(media::Digest::of(get(*store, *blob.digest)) == blob.digest);
    }
  }
  CHECK(std::filesystem::is_empty(base / "temp"));
}

}  // namespace test

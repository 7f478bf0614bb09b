// A file system of its own kind, in a file that is mounted.
#pragma once

#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "catch.hpp"
#include "support.hpp"

namespace test {

/// An XFS, whose files can share blocks. Where nothing can be mounted (no root, or a container that forbids it) there is nothing to test,
/// and that is said; where anything can be, or under CI, its absence is a failure. A missing mkfs.xfs always is.
class XfsDisk {
 public:
  explicit XfsDisk(const std::filesystem::path& folder) : place_(folder / "xfs") {
    const auto image = folder / "xfs.img";
    std::filesystem::create_directories(place_);
    std::ofstream(image).close();
    std::filesystem::resize_file(image, std::uint64_t{320} << 20U);  // Of holes; XFS takes 300 MiB at least.
    RunResult made;
    try {
      made = run({"mkfs.xfs", "-q", image.string()});
    } catch (const std::runtime_error& error) {
      FAIL("mkfs.xfs (package xfsprogs) is missing: " << error.what());
    }
    INFO(made.err);
    REQUIRE(made.exit_code == 0);
    const auto mounted = run({"mount", "-o", "loop", image.string(), place_.string()});
    made_ = mounted.exit_code == 0;
    if (made_) return;
    if (std::getenv("CI") != nullptr || can_mount_memory()) FAIL("cannot mount a loop device: " << mounted.err);
    WARN("skipped: cannot mount anything here: " << mounted.err);
  }
  ~XfsDisk() {
    if (made_) ::umount2(place_.c_str(), MNT_DETACH);
  }
  XfsDisk(const XfsDisk&) = delete;
  XfsDisk& operator=(const XfsDisk&) = delete;

  [[nodiscard]] bool made() const { return made_; }
  [[nodiscard]] const std::filesystem::path& path() const { return place_; }
  [[nodiscard]] std::filesystem::path operator/(const std::filesystem::path& name) const { return place_ / name; }

 private:
  bool can_mount_memory() const {
    if (::mount("tmpfs", place_.c_str(), "tmpfs", 0, "size=1m") != 0) return false;
    ::umount2(place_.c_str(), MNT_DETACH);
    return true;
  }

  std::filesystem::path place_;
  bool made_ = false;
};

}  // namespace test

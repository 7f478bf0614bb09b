// A file system of its own kind, in a file that is mounted.
#pragma once

#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "catch.hpp"
#include "support.hpp"

namespace test {

/// An XFS, whose files can share blocks. Where it cannot be mounted (no root, a container that forbids it, a kernel without XFS) there is
/// nothing to test, and that is said. A missing mkfs.xfs is a failure.
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
    if (!made_) WARN("skipped: cannot mount an XFS here: " << mounted.err);
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
  std::filesystem::path place_;
  bool made_ = false;
};

}  // namespace test

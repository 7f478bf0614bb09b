#include "repository/network_filesystem.hpp"

#include <sys/statfs.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/errno_error.hpp"

namespace media {

// WAL needs memory that all processes share by mmap, which two machines never do, and POSIX locks that hold between them, which
// these filesystems promise at best. Named here are those that are always on a network. FUSE is not: it has one magic number for
// sshfs and for local disks (NTFS, mergerfs, container roots), and 9p and virtiofs are how virtual machines mount a local folder.
bool is_network_filesystem(unsigned long magic) noexcept {
  constexpr std::array<unsigned long, 6> kNetwork{
      0x6969,      // NFS
      0x517B,      // SMB
      0xFF534D42,  // CIFS
      0xFE534D42,  // SMB2
      0x73757245,  // Coda
      0x5346414F,  // AFS
  };
  return std::find(kNetwork.begin(), kNetwork.end(), magic & 0xFFFFFFFFUL) != kNetwork.end();
}

Result<void> refuse_network_filesystem(const std::filesystem::path& path) {
  struct statfs facts{};
  if (::statfs(path.c_str(), &facts) != 0) {
    const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
    if (::statfs(folder.c_str(), &facts) != 0) return errno_error(errno, "open the catalog's folder " + folder.string());
  }
  // The field is signed on some systems; the numbers are not.
  if (is_network_filesystem(static_cast<unsigned long>(facts.f_type))) {
    return Error{Errc::unsupported, "open catalog " + path.string() + ": it lies on a network filesystem, where SQLite is not safe"};
  }
  return {};
}

}  // namespace media

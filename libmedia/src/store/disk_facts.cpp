#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <string>

#include "core/errno_error.hpp"
#include "core/random.hpp"
#include "core/unique_fd.hpp"
#include "media/doctor.hpp"
#include "store/file_ops.hpp"

namespace media {
namespace {

using store::open_at;

struct Kind {
  unsigned long magic;
  const char* name;
  bool on_network;
};
/// statfs(2), and those that came since.
constexpr std::array kKinds{
    Kind{0xEF53, "ext4", false},         Kind{0x58465342, "xfs", false},     Kind{0x9123683E, "btrfs", false},
    Kind{0x2FC12FC1, "zfs", false},      Kind{0xF2F52010, "f2fs", false},    Kind{0xCA451A4E, "bcachefs", false},
    Kind{0x01021994, "tmpfs", false},    Kind{0x794C7630, "overlay", false}, Kind{0x4D44, "vfat", false},
    Kind{0x2011BAB0, "exfat", false},    Kind{0x5346544E, "ntfs", false},    Kind{0x7366746E, "ntfs3", false},
    Kind{0x52654973, "reiserfs", false}, Kind{0x3153464A, "jfs", false},     Kind{0x65735546, "fuse", false},
    Kind{0x01021997, "9p", false},       Kind{0x6969, "nfs", true},          Kind{0x517B, "smb", true},
    Kind{0xFF534D42, "cifs", true},      Kind{0xFE534D42, "smb2", true},     Kind{0x00C36400, "ceph", true},
    Kind{0x73757245, "coda", true},      Kind{0x5346414F, "afs", true},
};

std::string hexadecimal(unsigned long number) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "0x%lx", number);
  return text.data();
}

/// A file that vanishes with its descriptor.
UniqueFd probe_file(int folder) {
  // O_TMPFILE is not everywhere.
  const std::string name = ".media-doctor-" + random_hex(8);
  UniqueFd file = open_at(folder, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  if (file) ::unlinkat(folder, name.c_str(), 0);
  return file;
}

Result<std::chrono::nanoseconds> measure_sync(int file) {
  using Steady = std::chrono::steady_clock;
  constexpr std::size_t kTimes = 15;
  std::array<std::byte, 4096> block{};
  std::array<Steady::duration, kTimes> times{};
  for (std::size_t i = 0; i < kTimes; ++i) {
    block[0] = static_cast<std::byte>(i);
    const auto start = Steady::now();
    MEDIA_TRY(store::write_all(file, block, i * block.size(), "write a probe"));
    MEDIA_TRY(store::sync_data_once(file, "sync a probe"));
    times.at(i) = Steady::now() - start;
  }
  std::nth_element(times.begin(), times.begin() + kTimes / 2, times.end());
  return std::chrono::duration_cast<std::chrono::nanoseconds>(times.at(kTimes / 2));
}

}  // namespace

Result<DiskFacts> disk_facts(const std::filesystem::path& path) {
  const UniqueFd folder = open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY);
  if (!folder) return errno_error(errno, "open folder " + path.string());
  struct statfs kind{};
  struct statvfs room{};
  if (::fstatfs(folder.get(), &kind) != 0 || ::fstatvfs(folder.get(), &room) != 0) return errno_error(errno, "look at " + path.string());
  DiskFacts facts;
  // The field is signed on some systems; the numbers are not.
  const auto magic = static_cast<unsigned long>(kind.f_type) & 0xFFFFFFFFUL;
  const auto* const known = std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& each) { return each.magic == magic; });
  facts.file_system = known != kKinds.end() ? known->name : hexadecimal(magic);
  facts.on_network = known != kKinds.end() && known->on_network;
  facts.free_bytes = std::uint64_t{room.f_bavail} * room.f_frsize;
  facts.total_bytes = std::uint64_t{room.f_blocks} * room.f_frsize;
  facts.free_inodes = room.f_favail;
  facts.total_inodes = room.f_files;
  const UniqueFd source = probe_file(folder.get());
  const UniqueFd clone = probe_file(folder.get());
  if (!source || !clone) return facts;
  // On a full disk there is nothing to measure, and all the more to tell.
  if (const auto measured = measure_sync(source.get())) facts.sync_time = *measured;
  facts.reflinks = ::ioctl(clone.get(), FICLONE, source.get()) == 0;
  return facts;
}

}  // namespace media

// Files that the store takes in without copying them: blocks that are shared, and files that become blobs.
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "blob_store_contract.hpp"
#include "core/unique_fd.hpp"
#include "loop_disk.hpp"
#include "media/file_sharing.hpp"

using namespace media;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLarge = 3'000'000;

std::unique_ptr<BlobStore> open_store(const fs::path& base) {
  FilesystemStoreOptions options;
  options.base_path = base;
  return open_filesystem_store(options).value();
}

UniqueFd open_source(const fs::path& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(static_cast<bool>(file));
  return file;
}

struct stat stat_of(const fs::path& path) {
  struct stat status{};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status;
}

fs::path place_of(const fs::path& base, const Digest& digest) {
  const std::string hex = digest.to_hex();
  return base / hex.substr(0, 2) / hex.substr(2, 2) / hex.substr(4, 2) / hex;
}

SharedFile share(BlobStore& store, const fs::path& source, FileSharing how) {
  const UniqueFd file = open_source(source);
  return store.file_sharing()->share(file.get(), how).value();
}

/// Where the file's first byte lies on the disk.
std::uint64_t first_block(const fs::path& path) {
  const UniqueFd file = open_source(path);
  REQUIRE(::fsync(file.get()) == 0);
  alignas(fiemap) std::array<std::byte, sizeof(fiemap) + sizeof(fiemap_extent)> buffer{};
  auto* const map = reinterpret_cast<fiemap*>(buffer.data());
  map->fm_length = UINT64_MAX;
  map->fm_extent_count = 1;
  REQUIRE(::ioctl(file.get(), FS_IOC_FIEMAP, map) == 0);
  REQUIRE(map->fm_mapped_extents == 1);
  return map->fm_extents[0].fe_physical;
}

}  // namespace

TEST_CASE("store: a linked file is the blob, read-only under both names, and outlives its removal") {
  const test::TempFolder folder;
  const auto content = test::noise(kLarge);
  const fs::path source = folder / "source";
  test::write_file(source, content);
  fs::permissions(source, fs::perms(0644));
  const auto store = open_store(folder / "base");
  auto shared = share(*store, source, FileSharing::link);
  INFO(shared.reason);
  REQUIRE(shared.staged);
  CHECK(shared.reason.empty());
  CHECK(shared.staged->digest() == Digest::of(content));
  CHECK(shared.staged->size() == kLarge);
  CHECK(read_all(*shared.staged, kLarge).value() == content);
  REQUIRE(test::publish_one(*store, std::move(shared.staged)));
  const fs::path blob = place_of(folder / "base", Digest::of(content));
  CHECK(stat_of(blob).st_ino == stat_of(source).st_ino);
  CHECK((stat_of(source).st_mode & 0777U) == 0444U);
  CHECK(stat_of(source).st_nlink == 2);
  CHECK(test::get(*store, Digest::of(content)) == content);
  CHECK(test::count_files(folder / "base/temp") == 1);  // the lock
  CHECK(store->remove(Digest::of(content)).value());
  CHECK(test::read_file(source) == content);
}

TEST_CASE("store: a file that is linked twice over, or over itself, leaves no second name") {
  const test::TempFolder folder;
  const auto content = test::noise(kLarge);
  test::write_file(folder / "source", content);
  const auto store = open_store(folder / "base");
  for (int round = 0; round < 3; ++round) {
    auto shared = share(*store, folder / "source", FileSharing::link);
    REQUIRE(shared.staged);
    REQUIRE(test::publish_one(*store, std::move(shared.staged)));
    CHECK(stat_of(folder / "source").st_nlink == 2);
    CHECK((stat_of(folder / "source").st_mode & 0222U) == 0U);
    CHECK(test::count_files(folder / "base/temp") == 1);
  }
  CHECK(test::get(*store, Digest::of(content)) == content);
}

TEST_CASE("store: a link that is not published leaves the file as it was") {
  const test::TempFolder folder;
  test::write_file(folder / "source", test::noise(kLarge));
  fs::permissions(folder / "source", fs::perms(0640));
  const auto store = open_store(folder / "base");
  {
    const auto shared = share(*store, folder / "source", FileSharing::link);
    REQUIRE(shared.staged);
    CHECK((stat_of(folder / "source").st_mode & 0777U) == 0440U);
  }
  CHECK((stat_of(folder / "source").st_mode & 0777U) == 0640U);
  CHECK(stat_of(folder / "source").st_nlink == 1);
  CHECK(test::count_files(folder / "base/temp") == 1);
}

TEST_CASE("store: of two links to one file the one that was published keeps it read-only") {
  const test::TempFolder folder;
  test::write_file(folder / "source", test::noise(kLarge));
  fs::permissions(folder / "source", fs::perms(0644));
  const auto store = open_store(folder / "base");
  auto first = share(*store, folder / "source", FileSharing::link);
  auto second = share(*store, folder / "source", FileSharing::link);
  REQUIRE(first.staged);
  REQUIRE(second.staged);
  REQUIRE(test::publish_one(*store, std::move(second.staged)));
  first.staged.reset();
  CHECK((stat_of(folder / "source").st_mode & 0777U) == 0444U);
}

TEST_CASE("store: a file that somebody could change is not linked, and it is said why") {
  const test::TempFolder folder;
  const auto store = open_store(folder / "base");
  const fs::path source = folder / "source";
  test::write_file(source, test::noise(kLarge));
  fs::permissions(source, fs::perms(0644));

  SECTION("open for writing") {
    const UniqueFd writer(::open(source.c_str(), O_WRONLY | O_CLOEXEC));
    const auto refused = share(*store, source, FileSharing::link);
    CHECK_FALSE(refused.staged);
    CHECK_THAT(refused.reason, ContainsSubstring("open for writing"));
  }
  SECTION("mapped for writing, its descriptor closed") {
    UniqueFd writer(::open(source.c_str(), O_RDWR | O_CLOEXEC));
    void* const map = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, writer.get(), 0);
    REQUIRE(map != MAP_FAILED);
    writer.reset();
    const auto refused = share(*store, source, FileSharing::link);
    ::munmap(map, 4096);
    CHECK_FALSE(refused.staged);
    CHECK_THAT(refused.reason, ContainsSubstring("open for writing"));
  }
  SECTION("somebody else's") {
    if (::geteuid() != 0) return;  // Only root can give a file away.
    REQUIRE(::chown(source.c_str(), 65534, 65534) == 0);
    const auto refused = share(*store, source, FileSharing::link);
    CHECK_FALSE(refused.staged);
    CHECK_THAT(refused.reason, ContainsSubstring("another user"));
  }
  CHECK((stat_of(source).st_mode & 0777U) == 0644U);
  CHECK(stat_of(source).st_nlink == 1);
  CHECK(test::count_files(folder / "base/temp") == 1);
}

TEST_CASE("store: who wants to write to a file while it is hashed waits, and then it is not linked") {
  const test::TempFolder folder;
  const auto store = open_store(folder / "base");
  const fs::path source = folder / "source";
  // Large enough that hashing it takes a while.
  test::write_file(source, test::noise(64U << 20U));
  fs::permissions(source, fs::perms(0644));
  std::atomic<bool> stop{false};
  std::atomic<unsigned> opened{0};
  std::thread writer([&] {
    // As root, whom permissions do not keep out.
    while (!stop) {
      const UniqueFd file(::open(source.c_str(), O_WRONLY | O_CLOEXEC));
      if (file) ++opened;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  unsigned refused = 0;
  for (int round = 0; round < 3; ++round) {
    const auto shared = share(*store, source, FileSharing::link);
    if (shared.staged) continue;
    ++refused;
    CHECK_THAT(shared.reason, ContainsSubstring("for writing"));
  }
  stop = true;
  writer.join();
  if (::geteuid() == 0) {
    CHECK(refused == 3);
    CHECK(opened > 0);
  }
  CHECK((stat_of(source).st_mode & 0777U) == 0644U);
}

TEST_CASE("store: small files, and those of another file system, are copied, and a store that is read only takes none") {
  const test::TempFolder folder;
  const auto store = open_store(folder / "base");
  test::write_file(folder / "small", test::noise(1'000));
  for (const FileSharing how : {FileSharing::link, FileSharing::reflink}) {
    CHECK(share(*store, folder / "small", how).reason == "it is small");
    if (fs::exists("/dev/shm") && stat_of("/dev/shm").st_dev != stat_of(folder.path()).st_dev) {
      const fs::path elsewhere = "/dev/shm/media-sharing-" + std::to_string(::getpid());
      test::write_file(elsewhere, test::noise(kLarge));
      const auto refused = share(*store, elsewhere, how);
      fs::remove(elsewhere);
      CHECK_FALSE(refused.staged);
      CHECK_THAT(refused.reason, ContainsSubstring("another file system"));
    }
  }
  FilesystemStoreOptions options;
  options.base_path = folder / "base";
  options.read_only = true;
  const auto reading = open_filesystem_store(options).value();
  const UniqueFd file = open_source(folder / "small");
  CHECK(reading->file_sharing()->share(file.get(), FileSharing::link).error().code == Errc::denied);
  CHECK(make_memory_store()->file_sharing() == nullptr);
}

TEST_CASE("store: a reflinked file shares its blocks, and what becomes of the source is nothing to the blob") {
  const test::TempFolder folder;
  const test::XfsDisk disk(folder.path());
  if (!disk.made()) return;
  const auto content = test::noise(kLarge);
  const fs::path source = disk / "source";
  test::write_file(source, content);
  fs::permissions(source, fs::perms(0644));
  const auto store = open_store(disk / "base");
  auto shared = share(*store, source, FileSharing::reflink);
  INFO(shared.reason);
  REQUIRE(shared.staged);
  CHECK(shared.staged->digest() == Digest::of(content));
  REQUIRE(test::publish_one(*store, std::move(shared.staged)));
  const fs::path blob = place_of(disk / "base", Digest::of(content));
  CHECK(stat_of(blob).st_ino != stat_of(source).st_ino);
  CHECK((stat_of(blob).st_mode & 0777U) == 0444U);
  CHECK((stat_of(source).st_mode & 0777U) == 0644U);
  CHECK(first_block(blob) == first_block(source));
  test::write_file(source, test::noise(kLarge, 2));
  CHECK(test::get(*store, Digest::of(content)) == content);
}

TEST_CASE("store: a file system that cannot share blocks says so, and leaves nothing behind") {
  const test::TempFolder folder;
  const auto store = open_store(folder / "base");
  test::write_file(folder / "source", test::noise(kLarge));
  auto shared = share(*store, folder / "source", FileSharing::reflink);
  // The temp folder's own file system may be one that can.
  if (!shared.staged) CHECK_THAT(shared.reason, ContainsSubstring("cannot share the blocks"));
  shared.staged.reset();
  CHECK(test::count_files(folder / "base/temp") == 1);
}

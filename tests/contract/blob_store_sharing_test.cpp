// Files that the store takes in without copying them, by sharing their blocks.
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

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

TEST_CASE("store: small files, and those of another file system, are copied, and a store that is read only takes none") {
  const test::TempFolder folder;
  const auto store = open_store(folder / "base");
  test::write_file(folder / "small", test::noise(1'000));
  {
    CHECK(share(*store, folder / "small", FileSharing::reflink).reason == "it is small");
    if (fs::exists("/dev/shm") && stat_of("/dev/shm").st_dev != stat_of(folder.path()).st_dev) {
      const fs::path elsewhere = "/dev/shm/media-sharing-" + std::to_string(::getpid());
      test::write_file(elsewhere, test::noise(kLarge));
      const auto refused = share(*store, elsewhere, FileSharing::reflink);
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
  CHECK(reading->file_sharing()->share(file.get(), FileSharing::reflink).error().code == Errc::denied);
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

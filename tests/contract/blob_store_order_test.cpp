// Where blobs lie, as a store tells whoever wants to read them all.
#include <sys/stat.h>

#include <map>

#include "blob_store_contract.hpp"

using namespace media;

namespace {

std::unique_ptr<BlobStore> open_store(const std::filesystem::path& base, std::uint64_t pack_below) {
  FilesystemStoreOptions options;
  options.base_path = base;
  options.pack_below_bytes = pack_below;
  return open_filesystem_store(options).value();
}

}  // namespace

TEST_CASE("store: packed blobs lie in the order in which they were stored, and files by their inodes") {
  const test::TempFolder folder;
  std::vector<Digest> stored;
  {
    const auto store = open_store(folder / "base", 256U << 10U);
    for (std::uint64_t i = 0; i < 50; ++i) stored.push_back(test::put(*store, test::noise(3'000 + i, i)));
    for (std::uint64_t i = 0; i < 5; ++i) test::put(*store, test::noise(400'000, 100 + i));
  }
  for (int opening = 0; opening < 2; ++opening) {
    const auto store = open_store(folder / "base", 0);
    std::map<Digest, ListedBlob> listed;
    for (ListedBlob& blob : test::list_all(*store, 7)) listed[*blob.digest] = blob;
    REQUIRE(listed.size() == 55);
    std::uint64_t before = 0;
    for (const Digest& digest : stored) {
      CHECK(listed[digest].place > before);
      before = listed[digest].place;
    }
    for (const auto& [digest, blob] : listed) {
      if (blob.location.starts_with("segments/")) continue;
      struct stat status{};
      REQUIRE(::stat((folder / "base" / blob.location).c_str(), &status) == 0);
      CHECK(blob.place == status.st_ino);
      CHECK(blob.place < listed[stored.front()].place);
    }
  }
}

// Where blobs lie, as a store tells whoever wants to read them all.
#include <sys/stat.h>

#include <map>

#include "blob_store_contract.hpp"
#include "store/packed_index.hpp"

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

TEST_CASE("segments: the index takes at most 64 bytes of memory a blob") {
  store::PackedIndex index;
  constexpr std::uint64_t kBlobs = 200'000;
  for (std::uint64_t i = 0; i < kBlobs; ++i) index.put(Digest::of(std::as_bytes(std::span(&i, 1))), {0, 64 * (i + 1), 8'000});
  REQUIRE(index.size() == kBlobs);
  CHECK(index.memory_bytes() <= 64 * kBlobs);
  CHECK(index.memory_bytes() >= 44 * kBlobs);
}

TEST_CASE("segments: entries that are put into the index together are what they would be one by one") {
  store::PackedIndex together;
  store::PackedIndex one_by_one;
  std::size_t known_in_all = 0;
  for (std::uint32_t round = 0; round < 5; ++round) {
    std::vector<store::PackedEntry> entries;
    std::uint64_t offset = store::kFirstEntry;
    for (std::uint32_t i = 0; i < 20'000; ++i) {
      // Of three segments; some lie in an earlier one too, some come twice.
      const std::uint64_t name = i % 100 == 7 ? i + 20'000ULL * (round / 2) : i % 250 == 9 ? 3 : i + 20'000ULL * round;
      entries.push_back({Digest::of(std::as_bytes(std::span(&name, 1))), {3 * round + i % 3, offset, i % 3'000}});
      offset += store::entry_span(entries.back().place.length);
    }
    std::vector<bool> known(entries.size());
    for (const std::size_t at : together.put_unknown(entries)) known.at(at) = true;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const auto& [digest, place] = entries[i];
      const bool is_known = one_by_one.find(digest).has_value();
      REQUIRE(known[i] == is_known);
      known_in_all += is_known ? 1U : 0U;
      if (!is_known) one_by_one.put(digest, place);
    }
  }
  CHECK(known_in_all > 100);
  REQUIRE(together.size() == one_by_one.size());
  std::vector<std::pair<Digest, store::PackedPlace>> listed;
  one_by_one.each_from(Digest(), [&](const Digest& digest, const store::PackedPlace& place) {
    listed.emplace_back(digest, place);
    return true;
  });
  std::size_t at = 0;
  together.each_from(Digest(), [&](const Digest& digest, const store::PackedPlace& place) {
    CHECK((listed.at(at).first == digest && listed.at(at).second == place));
    ++at;
    return true;
  });
  CHECK(at == listed.size());
  CHECK(together.put_unknown({}).empty());
}

// What a filesystem store keeps of blobs that were removed, and how nothing is left of them.
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "blob_store_contract.hpp"
#include "catch.hpp"
#include "media/blob_store.hpp"
#include "support.hpp"

using namespace media;
namespace fs = std::filesystem;

namespace {

std::unique_ptr<BlobStore> open_store(const fs::path& base) {
  FilesystemStoreOptions options;
  options.base_path = base;
  return open_filesystem_store(options).value();
}

std::vector<std::byte> content_of(const BlobStore& store, const Digest& digest) {
  const auto reader = store.open(digest);
  REQUIRE(reader);
  return read_all(**reader, 1U << 30U).value();
}

/// Do these bytes lie in any file below the folder? A piece from the middle stands for all of them.
bool lies_anywhere(const fs::path& folder, std::span<const std::byte> content) {
  const auto piece = content.subspan(content.size() / 2, std::min<std::size_t>(content.size() / 2, 24));
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const auto bytes = test::read_file(entry.path());
    if (std::search(bytes.begin(), bytes.end(), piece.begin(), piece.end()) != bytes.end()) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("store: what is wiped lies nowhere any more, in whose segment ever it was, and the rest is whole") {
  const test::TempFolder folder;
  const auto store = open_store(folder.path());
  const auto other = open_store(folder.path());  // appends to a segment of its own, as another process does
  std::vector<std::vector<std::byte>> contents;
  std::vector<Digest> digests;
  for (const std::size_t size : {40U, 3'000U, 5'000U, 70'000U, 200'000U, 400'000U}) {
    for (BlobStore* const into : {store.get(), other.get()}) {
      contents.push_back(test::noise(size, 100 + contents.size()));
      digests.push_back(test::put(*into, contents.back()));
    }
  }
  std::vector<Digest> removed;
  for (std::size_t i = 0; i < digests.size(); i += 3) {
    REQUIRE(store->remove(digests[i]).value());
    removed.push_back(digests[i]);
  }
  // The control: removing alone leaves the small ones where they were.
  CHECK(lies_anywhere(folder.path(), contents[0]));
  REQUIRE(store->wipe(removed, {}));
  const auto check = [&](const BlobStore& checked) {
    for (std::size_t i = 0; i < digests.size(); ++i) {
      CAPTURE(i);
      if (i % 3 == 0) {
        CHECK_FALSE(checked.stat(digests[i]).value());
        CHECK_FALSE(lies_anywhere(folder.path(), contents[i]));
      } else {
        CHECK(content_of(checked, digests[i]) == contents[i]);
      }
    }
  };
  check(*store);
  check(*other);
  // Both go on with the segments that they had.
  for (BlobStore* const into : {store.get(), other.get()}) {
    contents.push_back(test::noise(1'000, 100 + contents.size()));
    digests.push_back(test::put(*into, contents.back()));
    if (digests.size() % 3 == 1) {
      REQUIRE(into->remove(digests.back()).value());
      REQUIRE(into->wipe({}, {}));
    }
  }
  // A start that has no index reads every entry: the zeros are no damage.
  for (const auto& entry : fs::directory_iterator(folder / "segments")) {
    if (!entry.path().string().ends_with(".segment")) fs::remove(entry.path());
  }
  const auto fresh = open_store(folder.path());
  check(*fresh);
  std::set<Digest> listed;
  const auto page = fresh->list({}, 1000).value();
  for (const ListedBlob& blob : page.blobs) {
    REQUIRE(blob.digest);
    listed.insert(*blob.digest);
  }
  std::set<Digest> expected;
  for (std::size_t i = 0; i < digests.size(); ++i) {
    if (i % 3 != 0) expected.insert(digests[i]);
  }
  CHECK(listed == expected);
}

TEST_CASE("store: a blob that was stored again after it was removed is not wiped") {
  const test::TempFolder folder;
  const auto store = open_store(folder.path());
  const auto content = test::noise(2'000, 7);
  const Digest digest = test::put(*store, content);
  REQUIRE(store->remove(digest).value());
  CHECK(test::put(*store, content) == digest);
  const std::vector<Digest> removed{digest};
  REQUIRE(store->wipe(removed, {}));
  CHECK(content_of(*store, digest) == content);
  CHECK(content_of(*open_store(folder.path()), digest) == content);
}

TEST_CASE("store: copies that were set aside go with the blob, and others stay") {
  const test::TempFolder folder;
  const auto store = open_store(folder.path());
  const auto gone = test::put(*store, test::noise(2'000, 1));
  const auto kept = test::put(*store, test::noise(400'000, 2));
  for (const Digest& digest : {gone, kept}) {
    test::damage_blob(folder.path(), digest.to_hex(), 1'500);
    REQUIRE(store->quarantine(digest).value());
  }
  REQUIRE(test::put(*store, test::noise(2'000, 1)) == gone);
  test::damage_blob(folder.path(), gone.to_hex(), 700);
  REQUIRE(store->quarantine(gone).value());
  test::write_file(folder / "quarantine/notes.txt", "why they are here");
  CHECK(test::count_files(folder / "quarantine") == 4);
  const std::vector<Digest> removed{gone};
  REQUIRE(store->wipe(removed, {}));
  CHECK(test::count_files(folder / "quarantine") == 2);
  CHECK(fs::exists(folder / "quarantine" / kept.to_hex()));
  CHECK(fs::exists(folder / "quarantine/notes.txt"));
}

TEST_CASE("store: a wipe that is told to stop says so, and a store that is read only wipes nothing") {
  const test::TempFolder folder;
  const auto store = open_store(folder.path());
  const Digest digest = test::put(*store, test::noise(500, 1));
  REQUIRE(store->remove(digest).value());
  std::stop_source stop;
  stop.request_stop();
  CHECK(store->wipe({}, stop.get_token()).error().code == Errc::cancelled);
  FilesystemStoreOptions options;
  options.base_path = folder.path();
  options.read_only = true;
  CHECK(open_filesystem_store(options).value()->wipe({}, {}).error().code == Errc::denied);
  const auto memory = make_memory_store();
  CHECK(memory->wipe({}, {}));
}

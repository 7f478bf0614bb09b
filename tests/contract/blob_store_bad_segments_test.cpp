// Segments that came back short, and notes beside them that lie: what is lost is what is not there, and nothing else.
#include <openssl/sha.h>

#include <array>
#include <cstring>

#include "blob_store_contract.hpp"
#include "store/segment_format.hpp"

using namespace media;
namespace fs = std::filesystem;

namespace {

std::unique_ptr<BlobStore> open_store(const fs::path& base) {
  FilesystemStoreOptions options;
  options.base_path = base;
  return open_filesystem_store(options).value();
}

fs::path file_of(const fs::path& base, const std::string& suffix) {
  for (const auto& entry : fs::directory_iterator(base / "segments")) {
    if (entry.path().extension() == suffix) return entry.path();
  }
  FAIL("there is no file " << suffix);
  return {};
}

/// Blobs in one segment, and where their entries end.
struct Filled {
  std::vector<std::vector<std::byte>> contents;
  std::vector<std::uint64_t> ends;
};

Filled fill(const fs::path& base, const std::vector<std::size_t>& sizes) {
  Filled filled;
  const auto store = open_store(base);
  std::uint64_t at = store::kFirstEntry;
  for (const std::size_t size : sizes) {
    filled.contents.push_back(test::noise(size, size));
    test::put(*store, filled.contents.back());
    filled.ends.push_back(at += store::entry_span(size));
  }
  return filled;
}

bool holds(const BlobStore& store, const std::vector<std::byte>& content) {
  const auto reader = store.open(Digest::of(content));
  return reader && read_all(**reader, UINT64_MAX).value() == content;
}

}  // namespace

TEST_CASE("segments: one that came back shorter than its index says loses what is gone, serves the rest, and is gone on with") {
  const test::TempFolder folder;
  const Filled filled = fill(folder / "whole", {300, 400, 500, 600});
  for (std::uint64_t size = filled.ends.back() - 1; size >= store::kFirstEntry; size -= std::min<std::uint64_t>(size, 61)) {
    INFO("cut to " << size);
    const fs::path base = folder / std::to_string(size);
    fs::copy(folder / "whole", base, fs::copy_options::recursive);
    fs::resize_file(file_of(base, ".segment"), size);
    for (int opening = 0; opening < 2; ++opening) {
      const auto store = open_store(base);
      std::size_t there = 0;
      for (std::size_t i = 0; i < filled.contents.size(); ++i) {
        const bool whole = filled.ends[i] <= size;
        CHECK(holds(*store, filled.contents[i]) == whole);
        if (!whole && opening == 0) CHECK(store->open(Digest::of(filled.contents[i])).error().code == Errc::not_found);
        there += whole ? 1 : 0;
      }
      CHECK(test::list_all(*store, 10).size() == there + (opening == 0 ? 0 : 1));
      // Behind what is left, not behind what was.
      test::put(*store, test::noise(50, 77));
      CHECK(holds(*store, test::noise(50, 77)));
    }
    fs::remove_all(base);
  }
}

TEST_CASE("segments: a reader whose segment gets shorter says corrupt, and the blobs before the cut are served on") {
  const test::TempFolder folder;
  const Filled filled = fill(folder.path(), {300, 400});
  const auto store = open_store(folder.path());
  const auto reader = store->open(Digest::of(filled.contents[1])).value();
  fs::resize_file(file_of(folder.path(), ".segment"), filled.ends[1] - 200);
  std::vector<std::byte> into(400);
  CHECK(reader->read_at(0, into).error().code == Errc::corrupt);
  CHECK(holds(*store, filled.contents[0]));
}

TEST_CASE("segments: an index from a newer version is not believed, and notes of deaths that lie bury nobody") {
  const test::TempFolder folder;
  const Filled filled = fill(folder.path(), {300, 400, 500});
  const fs::path index = file_of(folder.path(), ".index");
  auto newer = test::read_file(index);
  newer[8] = std::byte{2};
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  ::SHA256(reinterpret_cast<const unsigned char*>(newer.data()), newer.size() - 8, digest.data());
  std::memcpy(newer.data() + newer.size() - 8, digest.data(), 8);
  test::write_file(index, newer);
  REQUIRE(store::decode_segment_index(newer).error().code == Errc::unsupported);
  {
    const auto store = open_store(folder.path());
    for (const auto& content : filled.contents) CHECK(holds(*store, content));
  }
  // Places of the living, of nobody, beyond the end, and half a note.
  fs::path deaths = index;
  deaths.replace_extension(".dead");
  std::vector<std::byte> notes;
  for (const std::uint64_t offset :
       {store::kFirstEntry, filled.ends[0], filled.ends[0] + 64, filled.ends[2], std::uint64_t{1} << 40U, UINT64_MAX}) {
    for (unsigned i = 0; i < 8; ++i) notes.push_back(static_cast<std::byte>(offset >> (8U * i) & 0xffU));
  }
  notes.resize(notes.size() + 3);
  test::write_file(deaths, notes);
  const auto store = open_store(folder.path());
  for (const auto& content : filled.contents) CHECK(holds(*store, content));
  CHECK(test::list_all(*store, 10).size() == 3);
}

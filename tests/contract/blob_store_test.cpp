// The contract on the stores that libmedia has.
#include "blob_store_contract.hpp"

TEST_CASE("store: the memory store keeps the contract of every store") {
  test::blob_store_contract([] { return media::make_memory_store(); });
}

namespace {

/// With segments so small that the suite fills some.
void filesystem_contract(std::uint64_t pack_below_bytes) {
  const test::TempFolder folder;
  test::blob_store_contract([&] {
    media::FilesystemStoreOptions options;
    options.base_path = folder / "base";
    options.pack_below_bytes = pack_below_bytes;
    options.segment_bytes = std::uint64_t{1} << 20U;
    return media::open_filesystem_store(options).value();
  });
  CHECK(test::count_files(folder / "base/temp") == 0);
}

}  // namespace

TEST_CASE("store: the filesystem store keeps the contract of every store") {
  const test::TempFolder folder;
  test::blob_store_contract([&] {
    media::FilesystemStoreOptions options;
    options.base_path = folder / "base";
    return media::open_filesystem_store(options).value();
  });
  CHECK(test::count_files(folder / "base/temp") == 0);
}

TEST_CASE("store: the filesystem store keeps the contract with small segments") { filesystem_contract(256U << 10U); }

TEST_CASE("store: the filesystem store keeps the contract with every blob in a file of its own") { filesystem_contract(0); }

TEST_CASE("store: the filesystem store keeps the contract with some blobs in segments and some in files") { filesystem_contract(5'000); }

TEST_CASE("store: the filesystem store keeps the contract without threads and without a buffer") {
  const test::TempFolder folder;
  test::blob_store_contract([&] {
    media::FilesystemStoreOptions options;
    options.base_path = folder / "base";
    options.sync_threads = 1;
    options.buffer_bytes = 0;
    return media::open_filesystem_store(options).value();
  });
  CHECK(test::count_files(folder / "base/temp") == 0);
}

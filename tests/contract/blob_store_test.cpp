// The contract on the stores that libmedia has.
#include "blob_store_contract.hpp"

TEST_CASE("store: the memory store keeps the contract of every store") {
  test::blob_store_contract([] { return media::make_memory_store(); });
}

TEST_CASE("store: the filesystem store keeps the contract of every store") {
  const test::TempFolder folder;
  test::blob_store_contract([&] {
    media::FilesystemStoreOptions options;
    options.base_path = folder / "base";
    return media::open_filesystem_store(options).value();
  });
  CHECK(test::count_files(folder / "base/temp") == 0);
}

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

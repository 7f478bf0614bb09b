// One gateway for a program of tests; each store in it has a prefix of its own.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "media/s3_store.hpp"
#include "object_store.hpp"

namespace test {

inline ObjectStore& gateway() {
  static ObjectStore store;
  return store;
}

inline media::S3StoreOptions s3_options(const std::string& endpoint = gateway().endpoint()) {
  static std::atomic<int> count{0};
  static const TempFolder temp;
  media::S3StoreOptions options;
  options.endpoint = endpoint;
  options.bucket = "media";
  options.prefix = "test-" + std::to_string(++count);
  options.credentials = {ObjectStore::kAccessKey, ObjectStore::kSecretKey, {}};
  options.temp_path = temp / "spool";
  options.first_pause = std::chrono::milliseconds(10);
  return options;
}

inline std::unique_ptr<media::BlobStore> open_s3(const media::S3StoreOptions& options) { return media::open_s3_store(options).value(); }

}  // namespace test

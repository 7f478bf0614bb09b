// Places for blobs in a gateway that a program of tests starts once.
#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "media/store_location.hpp"
#include "object_store.hpp"

namespace test {

inline ObjectStore& gateway() {
  static ObjectStore store;
  return store;
}

inline std::string new_prefix() {
  static std::atomic<int> count{0};
  return "place-" + std::to_string(++count);
}

inline std::string url_of(const std::string& prefix) {
  return "s3://media/" + prefix + "?endpoint=http%3A%2F%2F127.0.0.1%3A" + std::to_string(gateway().port());
}

/// What the AWS tools read, too.
inline std::vector<std::string> credentials() {
  return {std::string("AWS_ACCESS_KEY_ID=") + ObjectStore::kAccessKey, std::string("AWS_SECRET_ACCESS_KEY=") + ObjectStore::kSecretKey,
          "AWS_SESSION_TOKEN="};
}

inline std::unique_ptr<media::BlobStore> open_place(const std::string& location) {
  if (!media::is_s3_url(location)) return media::open_store_at(location, {}).value();
  auto options = media::s3_options_from_url(location).value();
  options.credentials = {ObjectStore::kAccessKey, ObjectStore::kSecretKey, {}};
  return media::open_s3_store(options).value();
}

/// The digests of a store, each read and found whole.
inline std::set<media::Digest> whole_blobs(const media::BlobStore& store) {
  std::set<media::Digest> found;
  std::string cursor;
  do {
    const auto page = store.list(cursor, 500).value();
    for (const auto& blob : page.blobs) {
      REQUIRE(blob.digest);
      const auto content = media::read_all(*store.open(*blob.digest).value(), UINT64_MAX).value();
      REQUIRE(media::Digest::of(content) == *blob.digest);
      found.insert(*blob.digest);
    }
    cursor = page.next_cursor;
  } while (!cursor.empty());
  return found;
}

inline media::Digest store_one(media::BlobStore& store, const std::vector<std::byte>& content) {
  const auto writer = store.begin(content.size()).value();
  writer->write(content).value();
  std::vector<std::unique_ptr<media::Staged>> group(1);
  group[0] = writer->finish().value();
  store.publish(group).value();
  return media::Digest::of(content);
}

}  // namespace test

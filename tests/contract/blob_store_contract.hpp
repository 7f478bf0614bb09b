// What every BlobStore must do. A store's test calls `blob_store_contract` with a function that makes an empty store.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "media/blob_store.hpp"
#include "support.hpp"

namespace test {

using StoreMaker = std::function<std::unique_ptr<media::BlobStore>()>;

/// Writes a content in pieces of `step` bytes; the staged content is returned, checked.
inline std::unique_ptr<media::Staged> stage(media::BlobStore& store, const std::vector<std::byte>& content, std::size_t step = 65'536,
                                            std::optional<std::uint64_t> expected_size = std::nullopt) {
  auto writer = store.begin(expected_size).value();
  for (std::size_t at = 0; at < content.size(); at += step) {
    writer->write(std::span(content).subspan(at, std::min(step, content.size() - at))).value();
  }
  return writer->finish().value();
}

inline media::Result<void> publish_one(media::BlobStore& store, std::unique_ptr<media::Staged> staged) {
  std::vector<std::unique_ptr<media::Staged>> group;
  group.push_back(std::move(staged));
  return store.publish(group);
}

/// Stages and publishes one content.
inline media::Digest put(media::BlobStore& store, const std::vector<std::byte>& content) {
  publish_one(store, stage(store, content)).value();
  return media::Digest::of(content);
}

inline std::vector<std::byte> get(const media::BlobStore& store, const media::Digest& digest) {
  return media::read_all(*store.open(digest).value(), UINT64_MAX).value();
}

inline std::vector<media::ListedBlob> list_all(const media::BlobStore& store, std::size_t limit) {
  std::vector<media::ListedBlob> found;
  std::string cursor;
  do {
    auto page = store.list(cursor, limit).value();
    CHECK(page.blobs.size() <= limit);
    if (!page.next_cursor.empty()) CHECK(page.blobs.size() == limit);
    std::move(page.blobs.begin(), page.blobs.end(), std::back_inserter(found));
    cursor = page.next_cursor;
  } while (!cursor.empty());
  return found;
}

inline void blob_store_contract(const StoreMaker& make) {
  using namespace media;
  const auto store = make();

  SECTION("contents of every size come back, whole and by range, however they were cut") {
    for (const std::size_t size : {0U, 1U, 4'095U, 262'143U, 262'144U, 262'145U, 1'048'579U}) {
      const auto content = noise(size, size + 1);
      for (const std::size_t step : {7'777U, 262'144U, 2'000'000U}) {
        auto staged = stage(*store, content, step);
        CHECK(staged->digest() == Digest::of(content));
        CHECK(staged->size() == size);
        REQUIRE(publish_one(*store, std::move(staged)));
      }
      const Digest digest = Digest::of(content);
      CHECK(store->stat(digest).value().value().size == size);
      const auto reader = store->open(digest).value();
      CHECK(reader->size() == size);
      CHECK(read_all(*reader, size).value() == content);
      std::vector<std::byte> piece(100);
      CHECK(reader->read_at(size, piece).value() == 0);
      CHECK(reader->read_at(UINT64_MAX, piece).value() == 0);
      if (size > 100) {
        CHECK(reader->read_at(size - 60, piece).value() == 60);
        CHECK(std::equal(piece.begin(), piece.begin() + 60, content.end() - 60));
      }
      if (const auto window = reader->window()) {
        CHECK(window->descriptor >= 0);
        CHECK(window->length == size);
      }
    }
  }

  SECTION("contents that are ended together are what each would be alone") {
    std::vector<std::unique_ptr<BlobWriter>> writers;
    std::vector<std::vector<std::byte>> contents;
    for (const std::size_t size : {0U, 1U, 64U, 5'000U, 70'000U, 131'072U, 131'073U, 300'000U, 9'000U}) {
      contents.push_back(noise(size, size + 7));
      writers.push_back(store->begin().value());
      for (std::size_t at = 0; at < size; at += 50'000) {
        writers.back()->write(std::span(contents.back()).subspan(at, std::min<std::size_t>(50'000, size - at))).value();
      }
    }
    auto ended = store->finish_together(writers);
    REQUIRE(ended.size() == contents.size());
    std::vector<std::unique_ptr<Staged>> group;
    for (std::size_t i = 0; i < ended.size(); ++i) {
      REQUIRE(ended[i]);
      CHECK((*ended[i])->digest() == Digest::of(contents[i]));
      CHECK((*ended[i])->size() == contents[i].size());
      group.push_back(std::move(*ended[i]));
    }
    REQUIRE(store->publish(group));
    for (const auto& content : contents) CHECK(get(*store, Digest::of(content)) == content);
    CHECK(store->finish_together({}).empty());
  }

  SECTION("a hint of the size may be wrong either way") {
    const auto content = noise(300'000);
    for (const std::uint64_t hint : {std::uint64_t{0}, std::uint64_t{10}, std::uint64_t{300'000}, std::uint64_t{1} << 40U}) {
      auto staged = stage(*store, content, 50'000, hint);
      REQUIRE(publish_one(*store, std::move(staged)));
      CHECK(get(*store, Digest::of(content)) == content);
    }
  }

  SECTION("a content that was written ahead is seen once it is published, and never where it is not") {
    for (const std::size_t size : {0U, 10U, 70'000U, 400'000U}) {
      const auto content = noise(size, size + 3);
      const Digest digest = Digest::of(content);
      auto staged = stage(*store, content);
      staged->write_ahead();
      CHECK(read_all(*staged, size).value() == content);
      CHECK_FALSE(store->stat(digest).value().has_value());
      CHECK(store->open(digest).error().code == Errc::not_found);
      staged.reset();
      CHECK_FALSE(store->stat(digest).value().has_value());
      CHECK(list_all(*store, 10).empty());
      staged = stage(*store, content);
      staged->write_ahead();
      REQUIRE(publish_one(*store, std::move(staged)));
      CHECK(get(*store, digest) == content);
      CHECK(store->remove(digest).value());
      CHECK_FALSE(store->stat(digest).value().has_value());
    }
  }

  SECTION("a staged content can be read and cannot be seen") {
    for (const std::size_t size : {10U, 400'000U}) {
      const auto content = noise(size);
      const auto staged = stage(*store, content);
      CHECK(read_all(*staged, size).value() == content);
      std::vector<std::byte> piece(4);
      CHECK(staged->read_at(size - 2, piece).value() == 2);
      CHECK(staged->read_at(size, piece).value() == 0);
      CHECK_FALSE(store->stat(staged->digest()).value().has_value());
      CHECK(store->open(staged->digest()).error().code == Errc::not_found);
      CHECK(store->list("", 10).value().blobs.empty());
    }
  }

  SECTION("an abandoned writer and an abandoned content leave nothing") {
    {
      auto writer = store->begin().value();
      writer->write(noise(400'000)).value();
      const auto staged = stage(*store, noise(500'000, 2));
    }
    CHECK(store->list("", 10).value().blobs.empty());
    CHECK_FALSE(store->stat(Digest::of(noise(500'000, 2))).value().has_value());
  }

  SECTION("a group becomes visible as a whole, the same content twice in it and twice in a row") {
    for (int round = 0; round < 2; ++round) {
      std::vector<std::unique_ptr<Staged>> group;
      for (std::uint64_t i = 0; i < 40; ++i) group.push_back(stage(*store, noise(1'000 + 20'000 * (i % 20), i % 20)));
      REQUIRE(store->publish(group));
    }
    for (std::uint64_t i = 0; i < 20; ++i) {
      const auto content = noise(1'000 + 20'000 * i, i);
      CHECK(get(*store, Digest::of(content)) == content);
    }
    CHECK(list_all(*store, 100).size() == 20);
    CHECK(store->publish({}).has_value());
  }

  SECTION("what another store staged is refused") {
    const auto other = make_memory_store();
    CHECK(publish_one(*store, stage(*other, noise(10))).error().code == Errc::invalid_argument);
    CHECK(publish_one(*store, nullptr).error().code == Errc::invalid_argument);
    CHECK(store->list("", 10).value().blobs.empty());
  }

  SECTION("a removed blob is gone, but not for who reads it, and can come back") {
    const auto content = noise(300'000);
    const Digest digest = put(*store, content);
    const auto reader = store->open(digest).value();
    CHECK(store->remove(digest).value());
    CHECK_FALSE(store->remove(digest).value());
    CHECK_FALSE(store->stat(digest).value().has_value());
    CHECK(store->open(digest).error().code == Errc::not_found);
    CHECK(read_all(*reader, content.size()).value() == content);
    CHECK(put(*store, content) == digest);
    CHECK(get(*store, digest) == content);
  }

  SECTION("a blob that is whole is not quarantined, whoever thinks it damaged") {
    for (const std::size_t size : {0U, 2'000U, 300'000U}) {
      const auto content = noise(size);
      const Digest digest = put(*store, content);
      CHECK_FALSE(store->quarantine(digest).value());
      CHECK(get(*store, digest) == content);
    }
    CHECK_FALSE(store->quarantine(Digest::of(noise(7, 7))).value());
  }

  SECTION("the list is ascending and complete at every page size") {
    CHECK(list_all(*store, 5).empty());
    CHECK(store->list("", 0).error().code == Errc::invalid_argument);
    std::map<Digest, std::size_t> expected;
    std::vector<std::unique_ptr<Staged>> group;
    for (std::size_t i = 0; i < 50; ++i) {
      group.push_back(stage(*store, noise(i * 10, i)));
      expected[group.back()->digest()] = i * 10;
    }
    REQUIRE(store->publish(group));
    for (const std::size_t limit : {1U, 7U, 50U, 1'000U}) {
      const auto found = list_all(*store, limit);
      REQUIRE(found.size() == expected.size());
      auto next = expected.begin();
      for (const auto& blob : found) {
        CHECK(blob.digest == next->first);
        CHECK(blob.size == next->second);
        CHECK_FALSE(blob.location.empty());
        ++next;
      }
    }
  }

  SECTION("a page goes on where the last one ended although its last blob is gone") {
    for (std::uint64_t i = 0; i < 10; ++i) put(*store, noise(10, i));
    const auto page = store->list("", 5).value();
    const auto rest = store->list(page.next_cursor, 10).value();
    CHECK(store->remove(page.blobs.back().digest.value()).value());
    const auto again = store->list(page.next_cursor, 10).value();
    REQUIRE(again.blobs.size() == 5);
    for (std::size_t i = 0; i < 5; ++i) CHECK(again.blobs[i].digest == rest.blobs[i].digest);
  }

  SECTION("the identity of a blob holds until it is stored anew") {
    const auto content = noise(100);
    const Digest digest = put(*store, content);
    const auto first = store->stat(digest).value().value();
    CHECK(store->stat(digest).value().value() == first);
    put(*store, content);
    const auto second = store->stat(digest).value().value();
    if (!first.identity.empty()) CHECK(second.identity != first.identity);
    const auto listed = store->list("", 2).value().blobs;
    REQUIRE(listed.size() == 1);
    if (!listed[0].identity.empty()) CHECK(listed[0].identity == second.identity);
  }

  SECTION("a store that works says so, and the check leaves nothing") {
    CHECK(store->check().has_value());
    CHECK(store->list("", 10).value().blobs.empty());
  }

  SECTION("many threads publish the same and different contents, read, and remove") {
    constexpr std::size_t kThreads = 8;
    constexpr std::uint64_t kRounds = 12;
    std::vector<std::string> failures(kThreads);
    std::vector<std::thread> threads;
    for (std::size_t thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (std::uint64_t i = 0; i < kRounds; ++i) {
          // Half of the contents are everybody's; a size beyond the buffer is among them.
          const bool shared = i % 2 == 0;
          const auto content = noise(i % 6 == 0 ? 300'000 : 5'000, shared ? i : 1'000 * (thread + 1) + i);
          const auto outcome = publish_one(*store, stage(*store, content));
          if (!outcome) failures[thread] = outcome.error().message;
          const auto reader = store->open(Digest::of(content));
          if (!reader || read_all(**reader, UINT64_MAX).value() != content) failures[thread] = "not read back";
          if (!shared && i % 3 == 0 && !store->remove(Digest::of(content)).value()) failures[thread] = "not removed";
        }
      });
    }
    for (auto& thread : threads) thread.join();
    for (const auto& failure : failures) CHECK(failure.empty());
    // 6 shared contents; of the 6 of each thread, those of rounds 3 and 9 were removed.
    CHECK(list_all(*store, 1'000).size() == 6 + kThreads * 4);
  }
}

}  // namespace test

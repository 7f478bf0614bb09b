// What a filesystem store promises of small blobs in segments: durable in the right order, found again after every crash, contained damage.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <regex>
#include <set>

#include "blob_store_trace.hpp"
#include "core/unique_fd.hpp"
#include "store/segment_format.hpp"

using namespace media;
using store::SegmentEntry;
using store::SegmentId;
using test::can_trace;
using test::lines_of;
namespace fs = std::filesystem;

namespace {

FilesystemStoreOptions options_for(const fs::path& base, std::uint64_t segment_bytes = std::uint64_t{256} << 20U) {
  FilesystemStoreOptions options;
  options.base_path = base;
  options.segment_bytes = segment_bytes;
  return options;
}

std::unique_ptr<BlobStore> open_store(const fs::path& base, std::uint64_t segment_bytes = std::uint64_t{256} << 20U) {
  return open_filesystem_store(options_for(base, segment_bytes)).value();
}

std::vector<fs::path> files_of(const fs::path& base, std::string_view suffix) {
  std::vector<fs::path> found;
  if (!fs::exists(base / "segments")) return found;
  for (const auto& entry : fs::directory_iterator(base / "segments")) {
    if (entry.path().string().ends_with(suffix)) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<fs::path> segments_of(const fs::path& base) { return files_of(base, store::kSegmentSuffix); }

/// Blobs in one segment, and where they lie in it. Nothing has the store open afterwards.
struct Filled {
  fs::path segment;
  SegmentId id;
  std::vector<std::vector<std::byte>> contents;
  std::vector<Digest> digests;
  std::vector<std::uint64_t> offsets;
};

Filled fill(const fs::path& base, const std::vector<std::size_t>& sizes) {
  Filled filled;
  {
    const auto store = open_store(base);
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      filled.contents.push_back(test::noise(sizes[i], 1'000 + i));
      filled.digests.push_back(test::put(*store, filled.contents.back()));
    }
  }
  filled.segment = segments_of(base).at(0);
  filled.id = SegmentId::from_hex(filled.segment.stem().string()).value();
  std::uint64_t at = store::kFirstEntry;
  for (const std::size_t size : sizes) {
    filled.offsets.push_back(at);
    at += store::entry_span(size);
  }
  return filled;
}

void overwrite(const fs::path& file, std::uint64_t offset, std::span<const std::byte> bytes) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  REQUIRE(stream.good());
}

void flip(const fs::path& file, std::uint64_t offset) {
  const auto bytes = test::read_file(file);
  const std::byte flipped = bytes.at(static_cast<std::size_t>(offset)) ^ std::byte{0x20};
  overwrite(file, offset, std::span(&flipped, 1));
}

bool holds(const BlobStore& store, const std::vector<std::byte>& content) {
  const auto reader = store.open(Digest::of(content));
  return reader && read_all(**reader, UINT64_MAX).value() == content;
}

void write_index(const fs::path& base, const store::SegmentIndex& index) {
  test::write_file(base / "segments" / (index.id.to_hex() + ".index"), store::encode_segment_index(index));
}

/// What must hold after a crash: reopened, everything listed is whole, and what was said to be stored is there.
void check_segments(const fs::path& base, const std::string& output) {
  test::check_store(base, output);
  // Once more: the first opening may have cut and indexed.
  if (fs::exists(base)) test::check_store(base, output);
}

}  // namespace

TEST_CASE("segments: many blobs lie in one file, which the next opening goes on with") {
  const test::TempFolder folder;
  std::vector<std::vector<std::byte>> contents;
  for (std::uint64_t run = 0; run < 5; ++run) {
    const auto store = open_store(folder.path());
    for (std::uint64_t i = 0; i < 20; ++i) {
      contents.push_back(test::noise(100 * i, 100 * run + i));
      test::put(*store, contents.back());
    }
    for (const auto& content : contents) CHECK(holds(*store, content));
  }
  CHECK(segments_of(folder.path()).size() == 1);
  CHECK(files_of(folder.path(), store::kIndexSuffix).size() == 1);
  const auto store = open_store(folder.path());
  CHECK(store->segmented()->segment_usage().blobs == test::list_all(*store, 7).size());
  // Beyond the limit a blob has a file of its own; exactly at it as well.
  const auto large = test::noise(256U << 10U);
  test::put(*store, large);
  CHECK(test::list_all(*store, 1'000).size() == store->segmented()->segment_usage().blobs + 1);
}

TEST_CASE("segments: a reader's window is the blob's stretch of the file, and outlives the blob") {
  const test::TempFolder folder;
  const auto store = open_store(folder.path());
  test::put(*store, test::noise(999, 1));
  const auto content = test::noise(5'000, 2);
  const auto reader = store->open(test::put(*store, content)).value();
  const FileWindow window = reader->window().value();
  std::vector<std::byte> bytes(static_cast<std::size_t>(window.length));
  REQUIRE(::pread(window.descriptor, bytes.data(), bytes.size(), static_cast<off_t>(window.offset)) == 5'000);
  CHECK(bytes == content);
  CHECK(store->remove(Digest::of(content)).value());
  CHECK(store->remove(Digest::of(test::noise(999, 1))).value());
  CHECK(store->segmented()->compact({}).value().segments == 1);
  CHECK(segments_of(folder.path()).empty());
  CHECK(read_all(*reader, 5'000).value() == content);
}

TEST_CASE("segments: full segments are closed and others begun, by many threads, and everything is found again") {
  const test::TempFolder folder;
  constexpr std::size_t kThreads = 6;
  constexpr std::uint64_t kEach = 60;
  {
    const auto store = open_store(folder.path(), 1U << 20U);
    std::vector<std::thread> threads;
    std::vector<std::string> failures(kThreads);
    for (std::size_t thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (std::uint64_t i = 0; i < kEach; ++i) {
          const auto outcome = test::publish_one(*store, test::stage(*store, test::noise(30'000, 1'000 * thread + i)));
          if (!outcome) failures[thread] = outcome.error().message;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    for (const auto& failure : failures) CHECK(failure.empty());
    CHECK(test::list_all(*store, 50).size() == kThreads * kEach);
  }
  CHECK(segments_of(folder.path()).size() > 8);
  CHECK(segments_of(folder.path()).size() == files_of(folder.path(), store::kIndexSuffix).size());
  // What a process that died left of an index goes; what is being written, and what is not ours, stays.
  const auto old = segments_of(folder.path()).front().stem().string() + ".index.0badf00d";
  for (const std::string& name :
       {old, segments_of(folder.path()).back().stem().string() + ".index.12345678", std::string("notes.index.txt")}) {
    test::write_file(folder / "segments" / name, "x");
  }
  fs::last_write_time(folder / "segments" / old, fs::file_time_type::clock::now() - std::chrono::hours(1));
  open_store(folder.path(), 1U << 20U);
  CHECK_FALSE(fs::exists(folder / "segments" / old));
  CHECK(files_of(folder.path(), ".12345678").size() == 1);
  CHECK(files_of(folder.path(), "notes.index.txt").size() == 1);
  // By the indexes, without them, and by a half of them.
  for (int round = 0; round < 3; ++round) {
    const auto indexes = files_of(folder.path(), store::kIndexSuffix);
    for (std::size_t i = 0; i < indexes.size(); ++i) {
      if (round == 1 || (round == 2 && i % 2 == 0)) fs::remove(indexes[i]);
    }
    const auto store = open_store(folder.path(), 1U << 20U);
    CHECK(test::list_all(*store, 50).size() == kThreads * kEach);
    for (std::size_t thread = 0; thread < kThreads; ++thread) CHECK(holds(*store, test::noise(30'000, 1'000 * thread + 7)));
  }
}

TEST_CASE("segments: two openings see what the other stores, removes and moves") {
  const test::TempFolder folder;
  const auto a = open_store(folder.path());
  const auto b = open_store(folder.path());
  const auto one = test::noise(1'000, 1);
  const auto two = test::noise(2'000, 2);
  test::put(*a, one);
  CHECK(holds(*b, one));
  test::put(*b, two);
  CHECK(holds(*a, two));
  CHECK(segments_of(folder.path()).size() == 2);
  CHECK(a->remove(Digest::of(two)).value());
  CHECK_FALSE(b->remove(Digest::of(two)).value());
  CHECK_FALSE(b->stat(Digest::of(two)).value().has_value());
  // The same content in both: one blob, and gone from both when it is removed.
  test::put(*a, two);
  test::put(*b, two);
  CHECK(test::list_all(*a, 10).size() == 2);
  CHECK(test::list_all(*b, 10).size() == 2);
  CHECK(b->remove(Digest::of(two)).value());
  CHECK_FALSE(a->stat(Digest::of(two)).value().has_value());
  CHECK(a->open(Digest::of(two)).error().code == Errc::not_found);
  // Moved: a third one compacts what the others wrote, once those are gone.
  for (std::uint64_t i = 0; i < 10; ++i) test::put(*a, test::noise(3'000, 50 + i));
  const auto reader = b->open(Digest::of(test::noise(3'000, 50))).value();
  CHECK(b->segmented()->compact({.min_dead_fraction = 0.01}).value().left == 1);  // a appends to it.
  for (std::uint64_t i = 1; i < 10; ++i) CHECK(b->remove(Digest::of(test::noise(3'000, 50 + i))).value());
  CHECK(a->segmented()->compact({.min_dead_fraction = 0.01}).value().blobs_moved == 2);
  CHECK(holds(*b, test::noise(3'000, 50)));
  CHECK(holds(*b, one));
  CHECK(read_all(*reader, 5'000).value() == test::noise(3'000, 50));
  CHECK(test::list_all(*b, 10).size() == 2);
}

TEST_CASE("segments: two processes publish the same contents into one store") {
  const test::TempFolder folder;
  std::array<test::RunResult, 2> results;
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] { result = test::run({BLOB_STORE_PROGRAM, "many", (folder / "base").string(), "262144", "seed", "10"}); });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) {
    CHECK(result.exit_code == 0);
    CHECK(result.out.find("failed") == std::string::npos);
  }
  const auto store = open_store(folder / "base");
  const auto found = test::list_all(*store, 1'000);
  CHECK(found.size() == 80);
  for (const auto& blob : found) CHECK(Digest::of(test::get(*store, blob.digest.value())) == blob.digest);
  for (const auto& blob : found) CHECK(store->remove(*blob.digest).value());
  CHECK(test::list_all(*store, 1'000).empty());
}

TEST_CASE("segments: an end that is torn at any byte is cut there, and nothing before it is lost") {
  const test::TempFolder folder;
  const Filled filled = fill(folder / "whole", {300, 0, 190});
  const auto bytes = test::read_file(filled.segment);
  const auto index = test::read_file(folder / "whole/segments" / (filled.id.to_hex() + ".index"));
  REQUIRE(bytes.size() == filled.offsets[2] + store::entry_span(190));
  for (const bool zeroed : {false, true}) {
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      // Cut off, or there with zeros in place of what did not reach the disk.
      auto torn = bytes;
      torn.resize(cut);
      if (zeroed) torn.resize(bytes.size());
      const fs::path base = folder / "torn";
      fs::remove_all(base);
      test::write_file(base / "segments" / filled.segment.filename(), torn);
      const auto as_it_was = [&](std::uint64_t from, std::uint64_t length) {
        return from + length <= torn.size() &&
               std::equal(torn.begin() + static_cast<std::ptrdiff_t>(from), torn.begin() + static_cast<std::ptrdiff_t>(from + length),
                          bytes.begin() + static_cast<std::ptrdiff_t>(from));
      };
      std::size_t expected = 0;
      for (std::size_t i = 0; i < 3 && as_it_was(0, store::kSegmentBlock); ++i) {
        if (!as_it_was(filled.offsets[i], store::entry_span(filled.contents[i].size()))) break;
        expected = i + 1;
      }
      INFO("cut at " << cut << (zeroed ? ", zeros behind" : ""));
      for (int opening = 0; opening < 2; ++opening) {
        const auto store = open_store(base);
        const auto found = test::list_all(*store, 10);
        std::size_t whole = 0;
        for (const auto& blob : found) {
          if (!blob.digest) continue;
          ++whole;
          REQUIRE(Digest::of(test::get(*store, *blob.digest)) == *blob.digest);
        }
        REQUIRE(whole == expected);
        // It goes on where it was cut.
        if (opening == 0 && cut % 16 == 0) {
          const auto more = test::noise(77, cut);
          test::put(*store, more);
          REQUIRE(holds(*store, more));
          ++expected;
        }
      }
    }
  }
  REQUIRE_FALSE(index.empty());
}

TEST_CASE("segments: a torn entry in the midst of others that no index vouches for is left out, and they are not") {
  const test::TempFolder folder;
  const Filled filled = fill(folder.path(), {500, 5'000, 700});
  fs::remove(folder / "segments" / (filled.id.to_hex() + ".index"));
  const std::vector<std::byte> zeros(4'096);
  overwrite(filled.segment, filled.offsets[1] + 200, zeros);
  for (int opening = 0; opening < 2; ++opening) {
    const auto store = open_store(folder.path());
    CHECK(holds(*store, filled.contents[0]));
    CHECK(store->open(filled.digests[1]).error().code == Errc::not_found);
    CHECK(holds(*store, filled.contents[2]));
  }
}

TEST_CASE("segments: a flipped byte anywhere damages one blob, which is still named") {
  const test::TempFolder folder;
  const Filled filled = fill(folder.path(), {100, 200, 100});
  const auto pristine = test::read_file(filled.segment);
  for (std::uint64_t at = filled.offsets[1]; at < filled.offsets[2]; ++at) {
    INFO("byte " << at - filled.offsets[1]);
    flip(filled.segment, at);
    {
      const auto store = open_filesystem_store([&] {
                           auto options = options_for(folder.path());
                           options.read_only = true;
                           return options;
                         }())
                             .value();
      REQUIRE(holds(*store, filled.contents[0]));
      REQUIRE(holds(*store, filled.contents[2]));
      REQUIRE(test::list_all(*store, 10).size() == 3);
      const auto reader = store->open(filled.digests[1]);
      const std::uint64_t place = at - filled.offsets[1];
      const bool in_content = place >= store::kSegmentBlock && place < store::kSegmentBlock + 200;
      // A header that is damaged costs nothing: the index and the content agree.
      if (!in_content) REQUIRE(holds(*store, filled.contents[1]));
      if (in_content) REQUIRE(Digest::of(read_all(*reader.value(), 1'000).value()) != filled.digests[1]);
    }
    overwrite(filled.segment, 0, pristine);
  }
  // Header and content: called damaged, not absent, and set aside like any other.
  flip(filled.segment, filled.offsets[1] + 20);
  flip(filled.segment, filled.offsets[1] + 100);
  const auto store = open_store(folder.path());
  CHECK(store->open(filled.digests[1]).error().code == Errc::corrupt);
  CHECK(test::list_all(*store, 10).size() == 3);
  CHECK(store->quarantine(filled.digests[1]).value());
  CHECK(test::read_file(folder / "quarantine" / filled.digests[1].to_hex()).size() == 200);
  CHECK(test::list_all(*store, 10).size() == 2);
  test::put(*store, filled.contents[1]);
  CHECK(holds(*store, filled.contents[1]));
}

TEST_CASE("segments: an index that lies is found out, and the blobs are where they were") {
  const test::TempFolder folder;
  const Filled filled = fill(folder.path(), {300, 400, 500, 600});
  const std::uint64_t size = fs::file_size(filled.segment);
  const auto entry = [&](std::size_t digest, std::size_t place) {
    return SegmentEntry{filled.digests[digest], filled.offsets[place], filled.contents[place].size()};
  };
  const std::vector<std::vector<SegmentEntry>> lies = {
      {entry(1, 0), entry(0, 1), entry(2, 2), entry(3, 3)},                                       // exchanged
      {entry(0, 0), {filled.digests[1], filled.offsets[1] + 64, 100}, entry(2, 2), entry(3, 3)},  // into the midst of another
      {entry(0, 0), {filled.digests[1], filled.offsets[1], 390}, entry(2, 2), entry(3, 3)},       // too short
  };
  for (const auto& entries : lies) {
    write_index(folder.path(), {filled.id, size, entries});
    const auto store = open_store(folder.path());
    for (const auto& content : filled.contents) CHECK(holds(*store, content));
    CHECK(test::list_all(*store, 10).size() == 4);
  }
  // Indexes that cannot be: not believed at all.
  auto bytes = store::encode_segment_index({filled.id, size, {entry(0, 0), entry(1, 1), entry(2, 2), entry(3, 3)}});
  const fs::path place = folder / "segments" / (filled.id.to_hex() + ".index");
  for (std::size_t at = 0; at < bytes.size(); at += 5) {
    auto damaged = bytes;
    damaged[at] ^= std::byte{1};
    test::write_file(place, damaged);
    const auto store = open_store(folder.path());
    REQUIRE(test::list_all(*store, 10).size() == 4);
  }
  for (const std::uint64_t covered : {size + 64, std::uint64_t{1} << 40U}) {
    write_index(folder.path(), {filled.id, covered, {entry(0, 0)}});
    CHECK(test::list_all(*open_store(folder.path()), 10).size() == 4);
  }
}

TEST_CASE("segments: a header that claims a terabyte, or another place, is no entry") {
  const test::TempFolder folder;
  const Filled filled = fill(folder.path(), {300, 400, 500});
  for (const auto& claim : {store::encode_entry_header(filled.id, filled.offsets[1], filled.digests[1], std::uint64_t{1} << 40U),
                            store::encode_entry_header(filled.id, filled.offsets[1], filled.digests[1], UINT64_MAX),
                            store::encode_entry_header(filled.id, filled.offsets[1] + 64, filled.digests[1], 400),
                            store::encode_entry_header(SegmentId::make(), filled.offsets[1], filled.digests[1], 400)}) {
    overwrite(filled.segment, filled.offsets[1], claim);
    {
      // The index knows better, and the content proves it.
      const auto store = open_store(folder.path());
      for (const auto& content : filled.contents) CHECK(holds(*store, content));
    }
    fs::remove(folder / "segments" / (filled.id.to_hex() + ".index"));
    const auto store = open_store(folder.path());
    CHECK(holds(*store, filled.contents[0]));
    CHECK(store->open(filled.digests[1]).error().code == Errc::not_found);
    CHECK(holds(*store, filled.contents[2]));
    // For the next round, as it was.
    overwrite(filled.segment, filled.offsets[1],
              store::encode_entry_header(filled.id, filled.offsets[1], filled.digests[1], filled.contents[1].size()));
    write_index(folder.path(), {filled.id,
                                fs::file_size(filled.segment),
                                {{filled.digests[0], filled.offsets[0], 300},
                                 {filled.digests[1], filled.offsets[1], 400},
                                 {filled.digests[2], filled.offsets[2], 500}}});
  }
}

TEST_CASE("segments: one under another name, from a newer version, or of something else is named as a stray, and the rest serves on") {
  const test::TempFolder folder;
  const Filled filled = fill(folder.path(), {300, 400});
  const std::string duplicate = "segments/" + SegmentId::make().to_hex() + ".segment";
  fs::copy_file(filled.segment, folder / duplicate);
  auto newer = store::encode_segment_header(SegmentId::make());
  newer[8] = std::byte{2};
  const std::string from_tomorrow = "segments/" + SegmentId::make().to_hex() + ".segment";
  test::write_file(folder / from_tomorrow, std::vector<std::byte>(newer.begin(), newer.end()));
  const std::string noise = "segments/" + SegmentId::make().to_hex() + ".segment";
  test::write_file(folder / noise, test::noise(5'000));
  const std::string link = "segments/" + SegmentId::make().to_hex() + ".segment";
  fs::create_symlink("/etc/passwd", folder / link);
  const auto store = open_store(folder.path());
  std::set<std::string> strays;
  for (const auto& blob : test::list_all(*store, 2)) {
    if (!blob.digest) strays.insert(blob.location);
  }
  CHECK(strays == std::set<std::string>{duplicate, from_tomorrow, noise, link});
  for (const auto& content : filled.contents) CHECK(holds(*store, content));
  test::put(*store, test::noise(50));
  CHECK(holds(*store, test::noise(50)));
  CHECK(test::read_file(folder / noise) == test::noise(5'000));
}

TEST_CASE("segments: rewriting keeps what lives, gives the rest back, and stops before damage") {
  const test::TempFolder folder;
  const auto base = folder.path();
  std::vector<std::vector<std::byte>> kept;
  {
    const auto store = open_store(base, 1U << 20U);
    for (std::uint64_t i = 0; i < 200; ++i) test::put(*store, test::noise(20'000, i));
    for (std::uint64_t i = 0; i < 200; ++i) {
      if (i % 5 == 0) {
        kept.push_back(test::noise(20'000, i));
      } else {
        CHECK(store->remove(Digest::of(test::noise(20'000, i))).value());
      }
    }
    const auto before = store->segmented()->segment_usage();
    const auto report = store->segmented()->compact({}).value();
    CHECK(report.segments >= 3);
    CHECK(report.blobs_moved > 20);
    const auto after = store->segmented()->segment_usage();
    CHECK(after.bytes < before.bytes / 3);
    CHECK(report.freed_bytes > 2'000'000);
    for (const auto& content : kept) CHECK(holds(*store, content));
    CHECK(store->segmented()->compact({}).value().segments == 0);
    CHECK(test::list_all(*store, 30).size() == kept.size());
  }
  {
    const auto store = open_store(base, 1U << 20U);
    for (const auto& content : kept) CHECK(holds(*store, content));
    CHECK(test::list_all(*store, 30).size() == kept.size());
  }
  // A damaged blob is a person's to see: its segment stays as it is.
  const test::TempFolder other;
  const Filled filled = fill(other.path(), {1'000, 1'000, 1'000});
  flip(filled.segment, filled.offsets[1] + 500);
  const auto store = open_store(other.path());
  CHECK(store->remove(filled.digests[0]).value());
  const auto report = store->segmented()->compact({.min_dead_fraction = 0.1}).value();
  CHECK(report.left == 1);
  CHECK(report.segments == 0);
  CHECK(holds(*store, filled.contents[2]));
  CHECK(test::list_all(*store, 10).size() == 2);
}

TEST_CASE("segments: readers and writers go on while segments are rewritten") {
  const test::TempFolder folder;
  const auto store = open_store(folder.path(), 1U << 20U);
  std::vector<Digest> steady;
  for (std::uint64_t i = 0; i < 50; ++i) steady.push_back(test::put(*store, test::noise(9'000, i)));
  std::atomic<bool> done{false};
  std::array<std::string, 3> failures;
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    for (std::uint64_t i = 0; !done; ++i) {
      const Digest digest = steady[i % steady.size()];
      const auto reader = store->open(digest);
      if (!reader || Digest::of(read_all(**reader, UINT64_MAX).value()) != digest) failures[0] = "not read";
    }
  });
  threads.emplace_back([&] {
    for (std::uint64_t i = 0; !done; ++i) {
      const auto content = test::noise(9'000, 1'000 + i);
      if (!test::publish_one(*store, test::stage(*store, content))) failures[1] = "not stored";
      if (!store->remove(Digest::of(content)).value()) failures[1] = "not removed";
    }
  });
  threads.emplace_back([&] {
    const auto other = open_store(folder.path(), 1U << 20U);
    for (std::uint64_t i = 0; !done; ++i) {
      const Digest digest = steady[i * 7 % steady.size()];
      const auto reader = other->open(digest);
      if (!reader || Digest::of(read_all(**reader, UINT64_MAX).value()) != digest) failures[2] = "not read by another opening";
    }
  });
  std::uint64_t rewritten = 0;
  for (int round = 0; round < 40; ++round) {
    rewritten += store->segmented()->compact({.min_dead_fraction = 0.2}).value().segments;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  done = true;
  for (auto& thread : threads) thread.join();
  for (const auto& failure : failures) CHECK(failure.empty());
  CHECK(rewritten > 0);  // how many depends on how fast the writers are
  // The copy of a blob that died while it was moved stays for the next collection: no more than one for each round, and it can be removed.
  std::size_t left = 0;
  for (const auto& blob : test::list_all(*store, 1'000)) {
    if (std::find(steady.begin(), steady.end(), blob.digest) != steady.end()) continue;
    CHECK(store->remove(blob.digest.value()).value());
    ++left;
  }
  CHECK(left <= 40);
  CHECK(test::list_all(*store, 1'000).size() == steady.size());
}

TEST_CASE("segments: files become segments and segments files, whatever was damaged stays where it is") {
  const test::TempFolder folder;
  auto loose = options_for(folder.path());
  loose.pack_below_bytes = 0;
  std::vector<std::vector<std::byte>> contents;
  {
    const auto store = open_filesystem_store(loose).value();
    for (std::uint64_t i = 0; i < 30; ++i) {
      contents.push_back(test::noise(i == 29 ? 300'000 : 200 * i, i));
      test::put(*store, contents.back());
    }
    CHECK(segments_of(folder.path()).empty());
  }
  const std::string victim = Digest::of(contents[20]).to_hex();
  const fs::path place = folder / victim.substr(0, 2) / victim.substr(2, 2) / victim.substr(4, 2) / victim;
  fs::permissions(place, fs::perms::owner_all);
  flip(place, 10);
  const auto store = open_store(folder.path());
  for (int round = 0; round < 2; ++round) {
    const auto packed = store->segmented()->pack({}).value();
    CHECK(packed.blobs == 28);
    CHECK(packed.damaged == 1);
    CHECK(store->segmented()->segment_usage().blobs == 28);
    CHECK(test::list_all(*store, 4).size() == 30);
    CHECK(store->segmented()->pack({}).value().blobs == 0);
    for (std::size_t i = 0; i < contents.size(); ++i) CHECK(holds(*store, contents[i]) == (i != 20));
    const auto unpacked = store->segmented()->unpack({}).value();
    CHECK(unpacked.blobs == 28);
    CHECK(unpacked.damaged == 0);
    CHECK(segments_of(folder.path()).empty());
    CHECK(test::list_all(*store, 4).size() == 30);
    for (std::size_t i = 0; i < contents.size(); ++i) CHECK(holds(*store, contents[i]) == (i != 20));
  }
  // Stored anew it is read, and listed once; the damaged file beside it is set aside like any.
  test::put(*store, contents[20]);
  CHECK(holds(*store, contents[20]));
  CHECK(test::list_all(*store, 4).size() == 30);
  CHECK(store->quarantine(Digest::of(contents[20])).value());
  CHECK_FALSE(fs::exists(place));
  CHECK(holds(*store, contents[20]));
}

TEST_CASE("segments: a full disk in the midst of a group refuses it, keeps the rest, and recovers") {
  const test::TempFolder folder;
  fs::create_directories(folder / "disk");
  if (::mount("tmpfs", (folder / "disk").c_str(), "tmpfs", 0, "size=3m") != 0) {
    if (std::getenv("CI") != nullptr) FAIL(std::string("cannot mount: ") + std::strerror(errno));
    WARN("skipped: cannot mount");
    return;
  }
  {
    const auto store = open_store(folder / "disk/base");
    std::vector<std::uint64_t> kept;
    unsigned refused = 0;
    for (std::uint64_t i = 0; i < 8; ++i) {
      std::vector<std::unique_ptr<Staged>> group;
      for (std::uint64_t j = 0; j < 8; ++j) group.push_back(test::stage(*store, test::noise(100'000, 8 * i + j)));
      const auto outcome = store->publish(group);
      if (outcome) {
        for (std::uint64_t j = 0; j < 8; ++j) kept.push_back(8 * i + j);
      } else {
        CHECK(outcome.error().code == Errc::no_space);
        ++refused;
      }
    }
    CHECK(refused > 0);
    REQUIRE(kept.size() >= 16);
    CHECK(test::list_all(*store, 100).size() == kept.size());
    for (const auto i : kept) CHECK(holds(*store, test::noise(100'000, i)));
    // A single one may fit where eight did not.
    CHECK(test::publish_one(*store, test::stage(*store, test::noise(1'000))).has_value());
    CHECK(holds(*store, test::noise(1'000)));
    for (const auto i : kept) CHECK(store->remove(Digest::of(test::noise(100'000, i))).value());
    CHECK(store->segmented()->compact({}).value().segments == 1);
    test::put(*store, test::noise(100'000, 900));
  }
  {
    const auto store = open_store(folder / "disk/base");
    CHECK(holds(*store, test::noise(1'000)));
    CHECK(holds(*store, test::noise(100'000, 900)));
    CHECK(test::list_all(*store, 100).size() == 2);
  }
  ::umount2((folder / "disk").c_str(), MNT_DETACH);
}

TEST_CASE("segments: of two copies the whole one is kept, whichever is looked at first") {
  const test::TempFolder folder;
  const auto content = test::noise(1'000, 5);
  const Digest digest = Digest::of(content);
  for (const bool first : {true, false}) {
    fs::remove_all(folder / "base");
    {
      const auto a = open_store(folder / "base");
      const auto b = open_store(folder / "base");
      // Neither knows of the other's when it stores its own.
      test::put(*a, test::noise(10, 1));
      test::put(*b, test::noise(10, 2));
      test::put(*a, content);
      test::put(*b, content);
      const auto segments = segments_of(folder / "base");
      REQUIRE(segments.size() == 2);
      flip(segments[first ? 0 : 1], store::kFirstEntry + store::entry_span(10) + store::kSegmentBlock + 500);
    }
    const auto store = open_store(folder / "base");
    const auto reader = store->open(digest).value();
    const bool damaged = Digest::of(read_all(*reader, 1'000).value()) != digest;
    CHECK(store->quarantine(digest).value());
    CHECK_FALSE(store->quarantine(digest).value());
    CHECK(holds(*store, content));
    // The younger counts: it was the damaged one in one of the rounds.
    CHECK(damaged == !first);
    CHECK(test::list_all(*store, 10).size() == 3);
  }
}

TEST_CASE("segments: of a group that reaches the file in part nothing is acknowledged, and what it has shown is never overwritten") {
  // At the limit of the file's size: the signal that comes with it ends the program, or is ignored and the program goes on.
  for (const std::string ignored : {"", "trap '' XFSZ; "}) {
    const test::TempFolder folder;
    const fs::path base = folder / "base";
    const auto result =
        test::run({"sh", "-c", ignored + "ulimit -f 600; exec \"$0\" many \"$1\" 262144 seed 10", BLOB_STORE_PROGRAM, base.string()});
    CHECK(result.out.find("acked ") != std::string::npos);
    CHECK((result.out.find("failed ") != std::string::npos) == !ignored.empty());
    const auto acked =
        lines_of(result.out).size() - lines_of(result.out.substr(std::min(result.out.size(), result.out.find("failed ")))).size();
    check_segments(base, result.out);
    // What is whole may be seen, acknowledged or not; where the program could, it took that back.
    if (!ignored.empty()) CHECK(test::list_all(*open_store(base), 1'000).size() == acked);
    const auto again = test::run({BLOB_STORE_PROGRAM, "many", base.string(), "262144", "other", "5"});
    CHECK(again.exit_code == 0);
    CHECK(segments_of(base).size() == 1);
    check_segments(base, result.out + again.out);
  }
}

TEST_CASE("segments: a damaged header in what a dead process left does not cost the blobs behind it") {
  const test::TempFolder folder;
  const Filled filled = fill(folder.path(), {100, 200, 300});
  fs::remove(folder / "segments" / (filled.id.to_hex() + ".index"));
  flip(filled.segment, filled.offsets[1] + 20);
  for (int opening = 0; opening < 3; ++opening) {
    const auto store = open_store(folder.path());
    CHECK(holds(*store, filled.contents[0]));
    CHECK(holds(*store, filled.contents[2]));
    // It is gone on with behind them.
    test::put(*store, test::noise(400, 90 + static_cast<std::uint64_t>(opening)));
  }
  // And not rewritten: what lies there without a header is a person's to see.
  const auto store = open_store(folder.path());
  CHECK(store->remove(filled.digests[0]).value());
  CHECK(store->remove(filled.digests[2]).value());
  CHECK(store->segmented()->compact({.min_dead_fraction = 0.01}).value().left == 1);
  CHECK(holds(*store, test::noise(400, 90)));
}

TEST_CASE("segments: an index that leaves a blob out costs nothing when the segment is rewritten") {
  const test::TempFolder folder;
  const Filled filled = fill(folder.path(), {300, 400, 500});
  write_index(folder.path(), {filled.id,
                              fs::file_size(filled.segment),
                              {{filled.digests[0], filled.offsets[0], 300}, {filled.digests[2], filled.offsets[2], 500}}});
  const auto store = open_store(folder.path());
  CHECK(store->remove(filled.digests[0]).value());
  CHECK(store->segmented()->compact({.min_dead_fraction = 0.01}).value().left == 1);
  CHECK(holds(*store, filled.contents[2]));
  fs::remove(folder / "segments" / (filled.id.to_hex() + ".index"));
  CHECK(holds(*open_store(folder.path()), filled.contents[1]));
}

TEST_CASE("segments: one that others filled up meanwhile is not gone on with, since nobody looks there for more") {
  const test::TempFolder folder;
  const auto a = open_store(folder.path(), 1U << 20U);
  const auto b = open_store(folder.path(), 1U << 20U);
  for (std::uint64_t i = 0; i < 3; ++i) test::put(*b, test::noise(200'000, i));
  CHECK(holds(*a, test::noise(200'000, 0)));  // It knows of the segment, not yet full.
  for (std::uint64_t i = 3; i < 6; ++i) test::put(*b, test::noise(200'000, i));
  test::put(*a, test::noise(1'000, 9));
  CHECK(segments_of(folder.path()).size() == 2);
  CHECK(holds(*b, test::noise(1'000, 9)));
  for (std::uint64_t i = 0; i < 6; ++i) CHECK(holds(*a, test::noise(200'000, i)));
}

TEST_CASE("segments: many threads that miss at once all find what another process has stored") {
  const test::TempFolder folder;
  const auto writer = open_store(folder.path());
  const auto reader = open_store(folder.path());
  for (std::uint64_t round = 0; round < 200; ++round) {
    const Digest digest = test::put(*writer, test::noise(50, round));
    std::array<bool, 4> found{};
    std::vector<std::thread> threads;
    for (bool& each : found) threads.emplace_back([&] { each = reader->open(digest).has_value(); });
    for (auto& thread : threads) thread.join();
    REQUIRE(found == std::array<bool, 4>{true, true, true, true});
  }
}

TEST_CASE("segments: a segment that cannot be opened is nobody else's trouble") {
  if (::geteuid() == 0) {
    // Root may open anything: a folder in a segment's place stands in.
    const test::TempFolder folder;
    const Filled filled = fill(folder.path(), {300});
    fs::create_directories(folder / "segments" / (SegmentId::make().to_hex() + ".segment"));
    const auto store = open_store(folder.path());
    CHECK(holds(*store, filled.contents[0]));
    test::put(*store, test::noise(70));
    CHECK(holds(*store, test::noise(70)));
    CHECK(store->open(Digest::of(test::noise(71))).error().code == Errc::not_found);
    return;
  }
  const test::TempFolder folder;
  const Filled filled = fill(folder.path(), {300});
  const fs::path closed = folder / "segments" / (SegmentId::make().to_hex() + ".segment");
  test::write_file(closed, test::noise(500));
  fs::permissions(closed, fs::perms::none);
  const auto store = open_store(folder.path());
  CHECK(holds(*store, filled.contents[0]));
  test::put(*store, test::noise(70));
  CHECK(holds(*store, test::noise(70)));
  CHECK(store->open(Digest::of(test::noise(71))).error().code == Errc::not_found);
}

TEST_CASE("segments: one moves blobs between the forms at a time") {
  const test::TempFolder folder;
  const auto a = open_store(folder.path());
  const auto b = open_store(folder.path());
  for (std::uint64_t i = 0; i < 50; ++i) test::put(*a, test::noise(300, i));
  bool asked = false;
  PackOptions options;
  options.progress = [&](std::uint64_t, std::uint64_t) {
    asked = true;
    CHECK(b->segmented()->pack({}).error().code == Errc::unavailable);
    CHECK(b->segmented()->unpack({}).error().code == Errc::unavailable);
  };
  CHECK(a->segmented()->unpack(options).value().blobs == 50);
  CHECK(asked);
  CHECK(b->segmented()->pack({}).value().blobs == 50);
  for (std::uint64_t i = 0; i < 50; ++i) CHECK(holds(*a, test::noise(300, i)));
}

TEST_CASE("segments: limits that cannot be are refused") {
  const test::TempFolder folder;
  auto options = options_for(folder / "base");
  options.pack_below_bytes = (16U << 20U) + 1;
  CHECK(open_filesystem_store(options).error().code == Errc::invalid_argument);
  options.pack_below_bytes = 0;
  for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{1} << 40U}) {
    options.segment_bytes = bytes;
    CHECK(open_filesystem_store(options).error().code == Errc::invalid_argument);
  }
  CHECK_FALSE(fs::exists(folder / "base"));
}

TEST_CASE("segments: open for reading only, they are read and left as they are") {
  const test::TempFolder folder;
  const Filled filled = fill(folder.path(), {300, 400});
  fs::remove(folder / "segments" / (filled.id.to_hex() + ".index"));
  fs::resize_file(filled.segment, fs::file_size(filled.segment) - 10);
  const auto size = fs::file_size(filled.segment);
  auto options = options_for(folder.path());
  options.read_only = true;
  {
    const auto store = open_filesystem_store(options).value();
    CHECK(holds(*store, filled.contents[0]));
    CHECK(test::list_all(*store, 10).size() == 1);
    CHECK(store->remove(filled.digests[0]).error().code == Errc::denied);
    CHECK(store->segmented()->compact({}).error().code == Errc::denied);
    CHECK(store->segmented()->pack({}).error().code == Errc::denied);
    CHECK(store->segmented()->unpack({}).error().code == Errc::denied);
  }
  CHECK(fs::file_size(filled.segment) == size);
  CHECK(files_of(folder.path(), store::kIndexSuffix).empty());
}

TEST_CASE("segments: what many threads write ahead is there once it is published, and never where it is given up") {
  const test::TempFolder folder;
  std::vector<std::vector<std::byte>> kept;
  std::vector<std::vector<std::byte>> given_up;
  for (std::uint64_t i = 0; i < 240; ++i) (i % 3 == 1 ? given_up : kept).push_back(test::noise(1 + 431 * i, i));
  {
    // Small segments: some are full while contents in them still wait.
    const auto store = open_store(folder.path(), 1U << 20U);
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        std::vector<std::unique_ptr<Staged>> waiting;
        for (std::size_t i = t; i < kept.size(); i += 4) {
          auto content = test::stage(*store, kept[i]);
          if (i % 5 != 0) content->write_ahead();
          content->write_ahead();  // Again: it is there already.
          waiting.push_back(std::move(content));
          if (i / 2 < given_up.size() && i % 2 == 0) test::stage(*store, given_up[i / 2])->write_ahead();
          if (waiting.size() < 1 + t) continue;
          store->publish(waiting).value();
          waiting.clear();
        }
        store->publish(waiting).value();
      });
    }
    for (auto& thread : threads) thread.join();
    for (const auto& content : kept) CHECK(holds(*store, content));
    for (const auto& content : given_up) CHECK_FALSE(store->stat(Digest::of(content)).value());
    CHECK(test::list_all(*store, 50).size() == kept.size());
    // What was given up is dead, and goes when segments are rewritten.
    const auto before = store->segmented()->segment_usage();
    CHECK(before.live_bytes < before.bytes);
    const auto compacted = store->segmented()->compact({.min_dead_fraction = 0.01});
    INFO((compacted ? "" : compacted.error().message));
    REQUIRE(compacted);
    CHECK(store->segmented()->segment_usage().bytes < before.bytes);
    for (const auto& content : kept) CHECK(holds(*store, content));
  }
  for (int opening = 0; opening < 2; ++opening) {
    const auto store = open_store(folder.path(), 1U << 20U);
    CHECK(test::list_all(*store, 50).size() == kept.size());
    for (const auto& content : kept) CHECK(holds(*store, content));
    for (const auto& content : given_up) CHECK_FALSE(store->stat(Digest::of(content)).value());
  }
}

TEST_CASE("segments: of contents that were written ahead a group is durable with one sync") {
  if (!can_trace()) return;
  const test::TempFolder folder;
  const fs::path log = folder / "log";
  REQUIRE(test::trace({"-y", "-s", "200", "-o", log.string(), "-e", "trace=pwritev,write,fdatasync"},
                      {"ahead", (folder / "base").string(), "100000", "100000", "first", "second", "third"})
              .exit_code == 0);
  std::string order;
  for (const auto& line : lines_of(test::read_text(log))) {
    const bool on_segment = line.find(".segment>") != std::string::npos;
    if (on_segment && line.find("pwritev(") != std::string::npos) order += 'w';
    if (on_segment && line.find("fdatasync(") != std::string::npos) order += 's';
    if (line.find("\"acked ") != std::string::npos) order += 'a';
  }
  // The one that is given up, the one that is published, one sync; the closing index is preceded by one more.
  CHECK(order.starts_with("wwsawwsawwsa"));
}

TEST_CASE("segments: what another process has appended and not synced is made durable before an upload relies on it, once") {
  if (!can_trace()) return;
  const test::TempFolder folder;
  const fs::path base = folder / "base";
  const std::vector<std::string> texts = {"first", "second", "third"};
  // Appended ahead of its group, and not published: this process has synced nothing of it.
  const auto living = open_store(base);
  std::vector<std::unique_ptr<Staged>> waiting;
  for (const auto& text : texts) {
    waiting.push_back(test::stage(*living, test::bytes(text)));
    waiting.back()->write_ahead();
  }
  const auto order_of = [&](const std::vector<std::string>& more, std::string& said) {
    const fs::path log = folder / "log";
    std::vector<std::string> options = {"-y", "-o", log.string(), "-e", "trace=fdatasync,write"};
    options.insert(options.end(), more.begin(), more.end());
    const auto result = test::trace(options, {"stat", base.string(), "0", "-", texts[0], texts[1], texts[2]});
    CHECK(result.exit_code == 0);
    said = result.out;
    std::string order;
    for (const auto& line : lines_of(test::read_text(log))) {
      if (line.find("fdatasync(") != std::string::npos && line.find(".segment>") != std::string::npos) order += 's';
      if (line.find("\"held ") != std::string::npos) order += 'h';
      if (line.find("\"absent ") != std::string::npos) order += 'a';
    }
    return order;
  };
  std::string said;
  CHECK(order_of({}, said) == "shhh");
  // What could not be synced is not there for an upload, and no later sync is believed in that.
  CHECK(order_of({"-e", "inject=fdatasync:error=EIO:when=1"}, said) == "saaa");
  living->publish(waiting).value();
  CHECK(holds(*living, test::bytes("third")));
}

TEST_CASE("segments: a blob is appended and synced, and a new segment's name before it, before it is acknowledged") {
  if (!can_trace()) return;
  const test::TempFolder folder;
  const fs::path base = fs::canonical(folder.path()) / "base";
  const fs::path log = folder / "log";
  REQUIRE(test::trace_publish({"-y", "-s", "200", "-o", log.string(), "-e", "trace=pwritev,write,fsync,fdatasync,syncfs,sync"}, base,
                              "100000", "100000")
              .exit_code == 0);
  std::size_t acked = 0;
  bool appended = false;
  bool synced = false;
  bool named = false;
  bool folder_named = false;
  for (const auto& line : lines_of(test::read_text(log))) {
    CHECK(line.find("syncfs") == std::string::npos);
    const bool on_segment = line.find(".segment>") != std::string::npos;
    if (line.find("fsync(") != std::string::npos && line.find("/segments>") != std::string::npos) named = true;
    if (line.find("fsync(") != std::string::npos && line.find("<" + base.string() + ">") != std::string::npos) folder_named = true;
    if (line.find("pwritev(") != std::string::npos && on_segment) {
      appended = true;
      synced = false;
    }
    if (line.find("fdatasync(") != std::string::npos && on_segment && appended) synced = true;
    if (line.find("\"acked ") == std::string::npos) continue;
    ++acked;
    CHECK(appended);
    CHECK(synced);
    CHECK(named);
    CHECK(folder_named);
    appended = false;
  }
  CHECK(acked == 3);
}

TEST_CASE("segments: killed at any call while storing, what was acknowledged is there and what is visible is whole") {
  if (!can_trace()) return;
  const std::string how = GENERATE("publish", "ahead");
  const std::string calls = "openat,mkdirat,pwritev,pwrite64,fdatasync,fsync,ftruncate,renameat,unlinkat,flock,write";
  unsigned kills = 0;
  for (int n = 1;; ++n) {
    const test::TempFolder folder;
    const fs::path base = folder / "base";
    // Into a store that has something already: the last one's segment is gone on with.
    if (n % 2 == 0) test::put(*open_store(base), test::noise(500));
    const auto result =
        test::trace({"-o", "/dev/null", "-e", "trace=" + calls, "-e", "inject=" + calls + ":signal=KILL:when=" + std::to_string(n)},
                    {how, base.string(), "100000", "100000", "first", "second", "third"});
    check_segments(base, result.out);
    if (n % 2 == 0) CHECK(holds(*open_store(base), test::noise(500)));
    if (result.exit_code == 0) break;
    REQUIRE(result.exit_code == 128 + 9);
    REQUIRE(++kills < 1'000);
  }
  CHECK(kills > 15);
}

TEST_CASE("segments: killed at any call while they are rewritten, nothing that lives is lost") {
  if (!can_trace()) return;
  const std::string calls = "openat,pwritev,pwrite64,fdatasync,fsync,ftruncate,renameat,unlinkat,flock,write";
  const test::TempFolder folder;
  {
    const auto store = open_store(folder / "filled", 1U << 20U);
    for (std::uint64_t i = 0; i < 12; ++i) test::put(*store, test::noise(200'000, i));
  }
  unsigned kills = 0;
  for (int n = 1;; ++n) {
    const fs::path base = folder / "base";
    fs::remove_all(base);
    fs::copy(folder / "filled", base, fs::copy_options::recursive);
    const auto result =
        test::trace({"-o", "/dev/null", "-e", "trace=" + calls, "-e", "inject=" + calls + ":signal=KILL:when=" + std::to_string(n)},
                    {"compact", base.string()});
    check_segments(base, result.out);
    if (result.exit_code == 0) {
      INFO(result.out);
      // Six are left; one may be moved again, with a segment that was gone on with and is rewritten in turn.
      CHECK(std::regex_search(result.out, std::regex("moved ([6-9]|1[0-2])\n")));
      break;
    }
    REQUIRE(result.exit_code == 128 + 9);
    REQUIRE(++kills < 1'000);
  }
  CHECK(kills > 15);
}

TEST_CASE("segments: any call that fails once or for ever is never acknowledged as durable, and a fault that ends is survived") {
  if (!can_trace()) return;
  struct Fault {
    std::string call;
    std::string error;
    std::string code;
  };
  const std::vector<Fault> faults = {
      {"fdatasync", "EIO", "io"},        {"fsync", "EIO", "io"},         {"pwritev", "ENOSPC", "no_space"}, {"pwritev", "EIO", "io"},
      {"pwritev", "EDQUOT", "no_space"}, {"mkdirat", "EROFS", "denied"}, {"pwrite64", "ENOSPC", "no_space"}};
  for (const auto& fault : faults) {
    for (const std::string persistent : {"", "+"}) {
      for (int n = 1; n < 100; ++n) {
        const test::TempFolder folder;
        const fs::path base = folder / "base";
        const fs::path log = folder / "log";
        const std::string inject = "inject=" + fault.call + ":error=" + fault.error + ":when=" + std::to_string(n) + persistent;
        INFO(inject);
        const auto result =
            test::trace_publish({"-y", "-o", log.string(), "-e", "trace=" + fault.call, "-e", inject}, base, "100000", "100000");
        check_segments(base, result.out);
        const std::string calls = test::read_text(log);
        const auto lines = lines_of(result.out);
        REQUIRE_FALSE(lines.empty());
        REQUIRE((result.exit_code == 0 || result.exit_code == 1));
        const auto injected = calls.find("(INJECTED)");
        if (injected == std::string::npos) {
          CHECK(lines.size() == 3);
          CHECK(result.out.find("failed") == std::string::npos);
          break;
        }
        // The index beside a segment is a shortcut: that it could not be written is nobody's failure.
        const auto line_start = calls.rfind('\n', injected) + 1;
        const bool of_an_index = calls.substr(line_start, injected - line_start).find(".index") != std::string::npos;
        const auto failed = std::find_if(lines.begin(), lines.end(), [](const std::string& line) { return line.starts_with("failed "); });
        const bool all_stored = lines.size() == 3 && result.out.find("failed") == std::string::npos;
        if (of_an_index || (fault.call == "fdatasync" && all_stored)) {
          CHECK(failed == lines.end());
          continue;
        }
        REQUIRE(failed != lines.end());
        CHECK(failed->starts_with("failed " + fault.code + " "));
        if (persistent.empty() && result.exit_code == 0) {
          CHECK(std::count_if(lines.begin(), lines.end(), [](const std::string& line) { return line.starts_with("acked "); }) == 2);
        }
        if (persistent == "+" && result.exit_code == 0) CHECK(lines.back().starts_with("failed "));
        if (fault.call == "fdatasync" && persistent.empty()) {
          // The segment whose sync failed is not appended to any more: the next sync is another's.
          const std::regex synced(R"re(fdatasync\(\d+<[^>]*/([0-9a-f]+)\.segment>\) *= (\S+))re");
          std::string bad;
          for (const auto& line : lines_of(calls)) {
            std::smatch match;
            if (!std::regex_search(line, match, synced)) continue;
            CHECK(match[1].str() != bad);
            if (match[2].str() == "-1") bad = match[1].str();
          }
          CHECK_FALSE(bad.empty());
        }
      }
    }
  }
}

TEST_CASE("segments: an interrupted or short append goes on") {
  if (!can_trace()) return;
  const test::TempFolder folder;
  const auto result = test::trace_publish({"-o", "/dev/null", "-e", "trace=pwritev", "-e", "inject=pwritev:error=EINTR:when=1+2"},
                                          folder / "base", "100000", "100000");
  check_segments(folder / "base", result.out);
  CHECK(std::regex_search(result.out, std::regex("^acked [0-9a-f]{64}\nacked [0-9a-f]{64}\nacked [0-9a-f]{64}\n$")));
}

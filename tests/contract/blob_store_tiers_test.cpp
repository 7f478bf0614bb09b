// What a store of several stores promises beyond the contract.
#include <atomic>
#include <set>

#include "blob_store_contract.hpp"
#include "media/store_location.hpp"
#include "media/tiers.hpp"

using namespace media;
namespace fs = std::filesystem;

namespace {

/// A store that can be told to answer no more.
class Unsteady final : public BlobStore {
 public:
  explicit Unsteady(std::unique_ptr<BlobStore> inner = make_memory_store()) : inner_(std::move(inner)) {}

  Result<std::unique_ptr<BlobWriter>> begin(std::optional<std::uint64_t> expected_size) override {
    MEDIA_TRY(answer());
    return inner_->begin(expected_size);
  }
  Result<void> publish(std::span<const std::unique_ptr<Staged>> staged) override {
    MEDIA_TRY(answer());
    return inner_->publish(staged);
  }
  Result<std::unique_ptr<ByteReader>> open(const Digest& digest) const override {
    MEDIA_TRY(answer());
    return inner_->open(digest);
  }
  Result<std::optional<BlobStat>> stat(const Digest& digest) const override {
    MEDIA_TRY(answer());
    return inner_->stat(digest);
  }
  Result<bool> remove(const Digest& digest) override {
    MEDIA_TRY(answer());
    return inner_->remove(digest);
  }
  Result<BlobPage> list(const std::string& cursor, std::size_t limit) const override {
    MEDIA_TRY(answer());
    return inner_->list(cursor, limit);
  }
  Result<bool> quarantine(const Digest& digest) override {
    MEDIA_TRY(answer());
    return inner_->quarantine(digest);
  }
  Result<void> wipe(std::span<const Digest> removed, const std::stop_token&) override {
    MEDIA_TRY(answer());
    wiped.insert(removed.begin(), removed.end());
    return {};
  }
  Result<void> check() override { return answer(); }

  std::atomic<bool> down{false};
  std::set<Digest> wiped;

 private:
  Result<void> answer() const {
    if (down) return Error{Errc::unavailable, "nobody answers"};
    return {};
  }
  std::unique_ptr<BlobStore> inner_;
};

/// Three tiers that a test can reach into.
struct Three {
  Three() {
    std::vector<Tier> tiers;
    for (const char* const name : {"hot", "warm", "cold"}) {
      auto unsteady = std::make_unique<Unsteady>();
      each.push_back(unsteady.get());
      tiers.push_back({name, std::move(unsteady), {}});
    }
    store = make_tiered_store(std::move(tiers)).value();
  }
  std::vector<Unsteady*> each;
  std::unique_ptr<BlobStore> store;
};

std::unique_ptr<BlobStore> folder_store(const fs::path& path, std::uint64_t pack_below_bytes) {
  FilesystemStoreOptions options;
  options.base_path = path;
  options.pack_below_bytes = pack_below_bytes;
  return open_filesystem_store(options).value();
}

}  // namespace

TEST_CASE("store: a store of one tier and one of three in memory keep the contract of every store") {
  for (const std::size_t count : {1U, 3U}) {
    test::blob_store_contract([count] {
      std::vector<Tier> tiers;
      for (std::size_t i = 0; i < count; ++i) tiers.push_back({"tier-" + std::to_string(i), make_memory_store(), {}});
      return make_tiered_store(std::move(tiers)).value();
    });
  }
}

TEST_CASE("store: a store of a folder above another one keeps the contract of every store") {
  const test::TempFolder folder;
  test::blob_store_contract([&] {
    std::vector<Tier> tiers;
    tiers.push_back({"hot", folder_store(folder / "hot", 5'000), {}});
    tiers.push_back({"cold", {}, [&]() -> Result<std::unique_ptr<BlobStore>> { return folder_store(folder / "cold", 0); }});
    return make_tiered_store(std::move(tiers)).value();
  });
  CHECK(test::count_files(folder / "hot/temp") == 0);
}

TEST_CASE("store: what is read falls through the tiers, and what is stored goes into the first") {
  Three three;
  const auto cold = test::put(*three.each[2], test::noise(1'000, 1));
  const auto warm = test::put(*three.each[1], test::noise(2'000, 2));
  CHECK(test::get(*three.store, cold) == test::noise(1'000, 1));
  CHECK(three.store->stat(warm).value()->size == 2'000);
  CHECK(three.store->stat(warm).value()->identity.starts_with("warm/"));
  const auto hot = test::put(*three.store, test::noise(3'000, 3));
  CHECK(three.each[0]->stat(hot).value());
  CHECK_FALSE(three.each[1]->stat(hot).value());
  // The hotter copy stands before the colder one.
  test::put(*three.store, test::noise(1'000, 1));
  CHECK(three.store->stat(cold).value()->identity.starts_with("hot/"));
  const TieredStore* const tiers = three.store->tiered();
  REQUIRE(tiers != nullptr);
  CHECK(tiers->tier_count() == 3);
  CHECK(tiers->tier_name(1) == "warm");
  CHECK(make_memory_store()->tiered() == nullptr);
}

TEST_CASE("store: the list of tiers is ascending, complete and without a blob twice, at every page size and with strays in it") {
  const test::TempFolder folder;
  std::set<Digest> expected;
  std::vector<Tier> tiers;
  for (const char* const name : {"hot", "warm", "cold"})
    tiers.push_back({name, folder_store(folder / name, name[0] == 'w' ? 5'000 : 0), {}});
  for (std::uint64_t i = 0; i < 60; ++i) {
    const auto content = test::noise(100 + i, i);
    for (std::size_t tier = 0; tier < 3; ++tier) {
      // Some in one of them, some in two, some in all.
      if (i % 7 == tier || i % 5 == tier + 1 || i % 11 == 0) expected.insert(test::put(*tiers[tier].store, content));
    }
  }
  test::write_file(folder / "hot/00/stray", "x");
  test::write_file(folder / "cold/ff/stray", "x");
  test::write_file(folder / "cold/00/11/stray", "x");
  const auto store = make_tiered_store(std::move(tiers)).value();
  for (const std::size_t limit : {1U, 2U, 3U, 7U, 50U, 1'000U}) {
    std::vector<Digest> found;
    std::size_t strays = 0;
    std::string cursor;
    do {
      const auto page = store->list(cursor, limit).value();
      CHECK(page.blobs.size() <= limit);
      for (const auto& blob : page.blobs) {
        strays += blob.digest ? 0U : 1U;
        if (!blob.digest) continue;
        found.push_back(*blob.digest);
        CHECK(blob.identity == store->stat(*blob.digest).value()->identity);
      }
      cursor = page.next_cursor;
    } while (!cursor.empty());
    CHECK(found == std::vector<Digest>(expected.begin(), expected.end()));
    CHECK(strays == 3);
  }
  for (const char* const wrong : {"x", "-", "1:a", "3:ab--", "--1:", "99999999999999999999:a--", "----"}) {
    CHECK(store->list(wrong, 5).error().code == Errc::invalid_argument);
  }
}

TEST_CASE("store: what is removed, wiped or set aside goes from every tier") {
  Three three;
  const auto content = test::noise(1'000, 1);
  const Digest digest = Digest::of(content);
  for (Unsteady* const each : three.each) test::put(*each, content);
  CHECK(three.store->remove(digest).value());
  for (Unsteady* const each : three.each) CHECK_FALSE(each->stat(digest).value());
  CHECK_FALSE(three.store->remove(digest).value());
  CHECK(three.store->wipe(std::span(&digest, 1), {}));
  for (Unsteady* const each : three.each) CHECK(each->wiped.contains(digest));

  const test::TempFolder folder;
  std::vector<Tier> tiers;
  for (const char* const name : {"hot", "cold"}) {
    tiers.push_back({name, folder_store(folder / name, 0), {}});
    test::put(*tiers.back().store, content);
  }
  const auto store = make_tiered_store(std::move(tiers)).value();
  CHECK_FALSE(store->quarantine(digest).value());
  test::damage_blob(folder / "hot", digest.to_hex(), 5);
  CHECK(store->quarantine(digest).value());
  // The whole copy takes its place.
  CHECK(test::get(*store, digest) == content);
  test::damage_blob(folder / "cold", digest.to_hex(), 5);
  CHECK(store->quarantine(digest).value());
  CHECK(store->open(digest).error().code == Errc::not_found);
}

TEST_CASE("store: with a tier down, what is elsewhere is read, and what might be there is not called lost") {
  Three three;
  const auto cold = test::put(*three.each[2], test::noise(1'000, 1));
  const auto warm = test::put(*three.each[1], test::noise(2'000, 2));
  const auto hot = test::put(*three.each[0], test::noise(3'000, 3));
  const auto nowhere = Digest::of(test::noise(4'000, 4));
  three.each[1]->down = true;
  CHECK(test::get(*three.store, hot) == test::noise(3'000, 3));
  CHECK(test::get(*three.store, cold) == test::noise(1'000, 1));
  for (const Digest& digest : {warm, nowhere}) {
    const auto opened = three.store->open(digest);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::unavailable);
    CHECK(opened.error().message == "the warm tier: nobody answers");
    CHECK(three.store->stat(digest).error().code == Errc::unavailable);
  }
  CHECK(three.store->list("", 10).error().code == Errc::unavailable);
  CHECK(three.store->check().error().code == Errc::unavailable);
  // Stored is stored, and removed only where it is gone from everywhere.
  CHECK(test::put(*three.store, test::noise(5'000, 5)) == Digest::of(test::noise(5'000, 5)));
  CHECK(three.store->remove(cold).error().code == Errc::unavailable);
  CHECK_FALSE(three.each[2]->stat(cold).value());
  CHECK(three.store->wipe(std::span(&cold, 1), {}).error().code == Errc::unavailable);
  three.each[1]->down = false;
  CHECK_FALSE(three.store->remove(cold).value());
  CHECK(test::get(*three.store, warm) == test::noise(2'000, 2));
}

TEST_CASE("store: a tier that cannot be opened is one that is down, and the first must be there") {
  int attempts = 0;
  std::vector<Tier> tiers;
  tiers.push_back({"hot", make_memory_store(), {}});
  tiers.push_back({"cold", {}, [&]() -> Result<std::unique_ptr<BlobStore>> {
                     ++attempts;
                     return Error{Errc::denied, "wrong key"};
                   }});
  const auto store = make_tiered_store(std::move(tiers)).value();
  CHECK(attempts == 0);
  const Digest digest = test::put(*store, test::noise(10));
  CHECK(test::get(*store, digest) == test::noise(10));
  for (int i = 0; i < 3; ++i) {
    const auto stat = store->stat(Digest::of(test::noise(11)));
    CHECK(stat.error().code == Errc::unavailable);
    CHECK(stat.error().message == "the cold tier cannot be opened: wrong key");
  }
  // Not for every reader anew.
  CHECK(attempts == 1);

  CHECK(make_tiered_store({}).error().code == Errc::invalid_argument);
  std::vector<Tier> twice;
  twice.push_back({"hot", make_memory_store(), {}});
  twice.push_back({"hot", make_memory_store(), {}});
  CHECK(make_tiered_store(std::move(twice)).error().code == Errc::invalid_argument);
  std::vector<Tier> none;
  none.push_back({"hot", {}, [] { return Result<std::unique_ptr<BlobStore>>(Error{Errc::io, "broken"}); }});
  CHECK(make_tiered_store(std::move(none)).error().code == Errc::unavailable);
}

TEST_CASE("store: segments of all tiers are compacted") {
  const test::TempFolder folder;
  std::vector<Tier> tiers;
  for (const char* const name : {"hot", "cold"}) {
    FilesystemStoreOptions options;
    options.base_path = folder / name;
    options.segment_bytes = std::uint64_t{1} << 20U;
    tiers.push_back({name, open_filesystem_store(options).value(), {}});
    std::vector<Digest> digests;
    for (std::uint64_t i = 0; i < 40; ++i) digests.push_back(test::put(*tiers.back().store, test::noise(60'000, i)));
    for (const Digest& digest : digests) CHECK(tiers.back().store->remove(digest).value());
  }
  const auto store = make_tiered_store(std::move(tiers)).value();
  REQUIRE(store->segmented() != nullptr);
  const std::uint64_t before = store->segmented()->segment_usage().bytes;
  CHECK(before > 4'000'000);
  const auto report = store->segmented()->compact({}).value();
  CHECK(report.segments >= 2);
  CHECK(store->segmented()->segment_usage().bytes < before / 2);
}

TEST_CASE("store: below a hot tier without segments the others are compacted as well, and one that is down hides none") {
  const test::TempFolder folder;
  std::vector<Tier> tiers;
  tiers.push_back({"hot", make_memory_store(), {}});
  tiers.push_back({"warm", {}, [] { return Result<std::unique_ptr<BlobStore>>(Error{Errc::io, "broken"}); }});
  tiers.push_back({"cold", {}, [&]() -> Result<std::unique_ptr<BlobStore>> { return folder_store(folder / "cold", 100'000); }});
  const auto store = make_tiered_store(std::move(tiers)).value();
  REQUIRE(store->segmented() != nullptr);
  CHECK(store->segmented()->compact({}).error().code == Errc::unavailable);

  std::vector<Tier> answering;
  answering.push_back({"hot", make_memory_store(), {}});
  FilesystemStoreOptions options;
  options.base_path = folder / "segments";
  options.segment_bytes = std::uint64_t{1} << 20U;
  answering.push_back({"cold", open_filesystem_store(options).value(), {}});
  std::vector<Digest> digests;
  for (std::uint64_t i = 0; i < 40; ++i) digests.push_back(test::put(*answering.back().store, test::noise(60'000, i)));
  for (const Digest& digest : digests) CHECK(answering.back().store->remove(digest).value());
  const auto below = make_tiered_store(std::move(answering)).value();
  REQUIRE(below->segmented() != nullptr);
  const std::uint64_t before = below->segmented()->segment_usage().bytes;
  CHECK(below->segmented()->compact({}).value().segments >= 1);
  CHECK(below->segmented()->segment_usage().bytes < before / 2);

  std::vector<Tier> none;
  none.push_back({"hot", make_memory_store(), {}});
  none.push_back({"cold", make_memory_store(), {}});
  CHECK(make_tiered_store(std::move(none)).value()->segmented() == nullptr);
}

TEST_CASE("store: where a library's tiers are is noted beside its catalog, and stays") {
  const test::TempFolder folder;
  const fs::path base = folder / "library";
  const auto hot = [&] { return folder_store(base, 0); };
  CHECK_FALSE(read_tier_note(base).value().any());
  CHECK(open_tiers(hot(), base, {}).value()->tiered() == nullptr);

  OpenTiersOptions options;
  options.places.cold = (folder / "cold/").string();
  auto store = open_tiers(hot(), base, options).value();
  const std::string note = test::read_text(base / "tiers");
  CHECK(note.starts_with("cold " + (folder / "cold").string() + "\nid "));
  // The place knows whose it is.
  CHECK(test::read_text(folder / "cold/tier") == note.substr(note.find("id ") + 3, 32) + " cold\n");
  CHECK(store->tiered()->tier_count() == 2);
  const Digest digest = test::put(**store->tiered()->tier(1), test::noise(100));

  // By the note alone, and with a tier added.
  CHECK(test::get(*open_tiers(hot(), base, {}).value(), digest) == test::noise(100));
  OpenTiersOptions more;
  more.places.warm = (folder / "warm").string();
  CHECK(open_tiers(hot(), base, more).value()->tiered()->tier_count() == 3);
  CHECK(read_tier_note(base).value().warm == (folder / "warm").string());

  options.places.cold = (folder / "elsewhere").string();
  const auto other = open_tiers(hot(), base, options);
  REQUIRE_FALSE(other);
  CHECK(other.error().code == Errc::conflict);
  CHECK_FALSE(fs::exists(folder / "elsewhere"));

  // Not mounted: down, and not made anew.
  fs::rename(folder / "cold", folder / "unmounted");
  const auto without = open_tiers(hot(), base, {}).value();
  CHECK(without->stat(digest).error().code == Errc::unavailable);
  CHECK_FALSE(fs::exists(folder / "cold"));
  // Mounted on an empty folder that stays behind: down as well, and no tier without blobs.
  fs::create_directory(folder / "cold");
  CHECK(open_tiers(hot(), base, {}).value()->stat(digest).error().code == Errc::unavailable);
  CHECK(fs::is_empty(folder / "cold"));
  fs::remove(folder / "cold");
  fs::rename(folder / "unmounted", folder / "cold");
  CHECK(test::get(*open_tiers(hot(), base, {}).value(), digest) == test::noise(100));

  test::write_file(base / "tiers", "lukewarm /x\n");
  CHECK(read_tier_note(base).error().code == Errc::corrupt);
  test::write_file(base / "tiers", "cold /x\ncold /y\n");
  CHECK(open_tiers(hot(), base, {}).error().code == Errc::corrupt);
}

TEST_CASE("store: tiers have places of their own") {
  const test::TempFolder folder;
  const fs::path base = folder / "library";
  const auto refused = [&](const std::string& warm, const std::string& cold) {
    OpenTiersOptions options;
    options.places = {warm, cold};
    const auto opened = open_tiers(folder_store(base, 0), base, options);
    CHECK_FALSE(fs::exists(base / "tiers"));
    return opened ? Errc::internal : opened.error().code;
  };
  CHECK(refused("", base.string()) == Errc::invalid_argument);
  CHECK(refused((folder / "a").string(), (folder / "a/").string()) == Errc::invalid_argument);
  CHECK(refused((folder / "a\nb").string(), "") == Errc::invalid_argument);
  CHECK(refused("s3://bucket?secret=x", "") == Errc::invalid_argument);
  test::write_file(folder / "file", "x");
  CHECK(refused((folder / "file/a").string(), "") != Errc::internal);
  // The same folder by another path, and folders of other libraries.
  fs::create_directory_symlink(base, folder / "alias");
  CHECK(refused("", (folder / "alias").string()) == Errc::invalid_argument);
  for (const char* const name : {"catalog.db", "tiers", "tier", "blobs"}) {
    test::write_file(folder / name / name, "x");
    CHECK(refused("", (folder / name).string()) == Errc::conflict);
  }
}

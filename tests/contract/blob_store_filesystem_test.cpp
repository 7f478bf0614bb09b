// What only a filesystem store promises of blobs in files of their own: its layout, its temp folders, strays, modes, refusals.
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "blob_store_contract.hpp"
#include "core/unique_fd.hpp"
#include "store/early_sync.hpp"
#include "store/write_behind.hpp"

using namespace media;
namespace fs = std::filesystem;

namespace {

FilesystemStoreOptions options_for(const fs::path& base, std::size_t buffer_bytes = 256U << 10U) {
  FilesystemStoreOptions options;
  options.base_path = base;
  options.buffer_bytes = buffer_bytes;
  options.pack_below_bytes = 0;
  return options;
}

fs::path place_of(const fs::path& base, const Digest& digest) {
  const std::string hex = digest.to_hex();
  return base / hex.substr(0, 2) / hex.substr(2, 2) / hex.substr(4, 2) / hex;
}

std::size_t count_entries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

std::vector<std::string> strays_of(const BlobStore& store) {
  std::vector<std::string> strays;
  for (const auto& found : test::list_all(store, 3)) {
    if (!found.digest) strays.push_back(found.location);
  }
  return strays;
}

/// A process that opens a store, holds a half-written content in it, and ends only by `kill`.
class Holder {
 public:
  explicit Holder(const fs::path& base) {
    int ready[2] = {-1, -1};
    REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      const auto store = open_filesystem_store(options_for(base, 0));
      if (!store) ::_exit(1);
      auto writer = (*store)->begin().value();
      if (!writer->write(test::noise(1'000)) || ::write(ready[1], "x", 1) != 1) ::_exit(1);
      while (true) ::pause();
    }
    ::close(ready[1]);
    char byte = 0;
    CHECK(::read(ready[0], &byte, 1) == 1);
    ::close(ready[0]);
  }
  ~Holder() { kill(); }

  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
};

}  // namespace

TEST_CASE("store: a blob lies in the folders of its first three bytes, read-only") {
  const test::TempFolder folder;
  const auto store = open_filesystem_store(options_for(folder / "deep/new/base")).value();
  for (const std::size_t size : {1'000U, 300'000U}) {
    const auto content = test::noise(size);
    const Digest digest = test::put(*store, content);
    const fs::path place = place_of(folder / "deep/new/base", digest);
    CHECK(test::read_file(place) == content);
    struct stat status{};
    REQUIRE(::stat(place.c_str(), &status) == 0);
    CHECK((status.st_mode & 0222U) == 0);
    CHECK((status.st_mode & 0400U) != 0);
    CHECK(status.st_nlink == 1);
    REQUIRE(::stat(place.parent_path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0022U) == 0);
    CHECK(store->list("", 10).value().blobs.back().location.size() == 73);
  }
}

TEST_CASE("store: a tree that lies in this layout already is adopted as it is") {
  const test::TempFolder folder;
  const auto content = test::noise(5'000);
  const Digest digest = Digest::of(content);
  test::write_file(place_of(folder.path(), digest), content);
  const auto store = open_filesystem_store(options_for(folder.path())).value();
  CHECK(test::get(*store, digest) == content);
  CHECK(test::list_all(*store, 10).at(0).digest == digest);
}

TEST_CASE("store: a temp file is there while a large content is written and gone whenever it ends otherwise") {
  const test::TempFolder folder;
  {
    const auto store = open_filesystem_store(options_for(folder.path(), 1'000)).value();
    auto writer = store->begin().value();
    writer->write(test::noise(900)).value();
    CHECK(test::count_files(folder / "temp") == 1);  // The lock alone: what fits the buffer makes no file.
    writer->write(test::noise(900)).value();
    CHECK(test::count_files(folder / "temp") == 2);
    auto staged = writer->finish().value();
    CHECK(test::count_files(folder / "temp") == 2);
    writer.reset();
    staged.reset();
    CHECK(test::count_files(folder / "temp") == 1);
  }
  CHECK(count_entries(folder / "temp") == 0);
}

TEST_CASE("store: a writer and its content may outlive the store object") {
  const test::TempFolder folder;
  auto store = open_filesystem_store(options_for(folder.path(), 0)).value();
  auto staged = test::stage(*store, test::noise(1'000));
  store.reset();
  CHECK(read_all(*staged, 1'000).value() == test::noise(1'000));
  staged.reset();
  CHECK(count_entries(folder / "temp") == 0);
}

TEST_CASE("store: an early sync that fails is the writer's failure, and an abandoned one is nobody's") {
  store::EarlySync thread;
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  {
    // fdatasync(2) of a pipe fails, as that of a broken disk would: once.
    store::EarlySync::File file;
    CHECK(file.settle(thread));
    REQUIRE(file.request(thread, ends[1], 1));
    CHECK_FALSE(file.settle(thread));
    CHECK_FALSE(file.request(thread, ends[1], 1));
    store::EarlySync::File abandoned;
    REQUIRE(abandoned.request(thread, ends[1], 1));
  }
  ::close(ends[0]);
  ::close(ends[1]);
  const test::TempFolder dir;
  UniqueFd good(::open((dir.path() / "file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  REQUIRE(good);
  store::EarlySync::File file;
  for (int i = 0; i < 3; ++i) REQUIRE(file.request(thread, good.get(), 1));
  CHECK(file.settle(thread));
}

TEST_CASE("store: what is synced early leaves the page cache, and what came after it stays") {
  const test::TempFolder folder;
  constexpr std::size_t kBytes = 4U << 20U;
  test::write_file(folder / "file", test::noise(kBytes));
  struct statfs kind{};
  REQUIRE(::statfs(folder.path().c_str(), &kind) == 0);
  if (kind.f_type == TMPFS_MAGIC) return;  // It has no other place for them.
  const UniqueFd file(::open((folder / "file").c_str(), O_RDWR | O_CLOEXEC));
  store::EarlySync thread;
  store::EarlySync::File early;
  REQUIRE(early.request(thread, file.get(), kBytes / 2));
  REQUIRE(early.settle(thread));
  void* const map = ::mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, file.get(), 0);
  REQUIRE(map != MAP_FAILED);
  std::vector<unsigned char> pages(kBytes / 4096);
  REQUIRE(::mincore(map, kBytes, pages.data()) == 0);
  ::munmap(map, kBytes);
  const auto resident = [&](std::size_t from, std::size_t to) {
    return std::count_if(pages.begin() + static_cast<std::ptrdiff_t>(from), pages.begin() + static_cast<std::ptrdiff_t>(to),
                         [](unsigned char page) { return (page & 1U) != 0; });
  };
  CHECK(resident(0, pages.size() / 2 - 64) == 0);  // Large folios may reach over the border.
  CHECK(resident(pages.size() / 2 + 64, pages.size()) > 0);
  CHECK(test::read_file(folder / "file") == test::noise(kBytes));
}

TEST_CASE("store: a large content is whole whatever its pieces, and whatever size was announced") {
  const test::TempFolder folder;
  const auto store = open_filesystem_store(options_for(folder.path())).value();
  constexpr std::size_t kMiB = 1U << 20U;
  const auto content = test::noise(68 * kMiB + 4'321);
  struct Case {
    std::size_t size;
    std::optional<std::uint64_t> announced;
    std::size_t piece;
  };
  for (const Case& each : {Case{content.size(), content.size(), 65'536}, Case{content.size(), std::nullopt, 65'537},
                           Case{content.size() - 1, 1'000, 3 * kMiB + 7}, Case{70'000'000, 4'000'000'000, kMiB},
                           Case{64 * kMiB, 64 * kMiB, 4'095}, Case{300'001, 64 * kMiB, 300'000}}) {
    CAPTURE(each.size, each.piece);
    const std::span<const std::byte> all = std::span(content).first(each.size);
    auto writer = store->begin(each.announced).value();
    for (std::size_t at = 0; at < all.size(); at += each.piece) {
      writer->write(all.subspan(at, std::min(each.piece, all.size() - at))).value();
    }
    auto staged = writer->finish().value();
    CHECK(staged->digest() == Digest::of(all));
    // As it lies there, not as it was hashed on its way.
    CHECK(Digest::of(read_all(*staged, all.size()).value()) == Digest::of(all));
  }
}

TEST_CASE("store: what is written past the page cache is whole, is not in it, and is told of when it fails") {
  const test::TempFolder dir;
  const auto folder = store::TempFolder::open(dir.path()).value();
  store::WriteBehind threads;
  const auto piece = test::noise((3U << 20U) + 77);
  // Behind a place that is not aligned, several at once, and some given up with a write on its way.
  struct statfs kind{};
  REQUIRE(::statfs(dir.path().c_str(), &kind) == 0);
  const bool takes_direct = kind.f_type == EXT4_SUPER_MAGIC || kind.f_type == XFS_SUPER_MAGIC;
  for (const std::uint64_t begin : {0U, 1'234U, 8'192U, 5U, 77U, 4'095U}) {
    CAPTURE(begin);
    const auto temp = store::TempFile::create(folder).value();
    REQUIRE(::ftruncate(temp.descriptor(), static_cast<off_t>(begin)) == 0);
    {
      auto file = store::WriteBehind::File::open(threads, temp, begin).value();
      file.write(piece).value();
      file.finish().value();
    }
    const std::size_t size = static_cast<std::size_t>(begin) + piece.size();
    void* const map = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, temp.descriptor(), 0);
    REQUIRE(map != MAP_FAILED);
    std::vector<unsigned char> pages((size + 4095) / 4096);
    REQUIRE(::mincore(map, size, pages.data()) == 0);
    // But for the ends, which are written the usual way; large folios may reach over the border.
    const auto cached = std::count_if(pages.begin() + 64, pages.begin() + 512, [](unsigned char page) { return (page & 1U) != 0; });
    if (takes_direct) CHECK(cached == 0);
    CHECK(std::equal(piece.begin(), piece.end(), static_cast<const std::byte*>(map) + begin));
    ::munmap(map, size);
    auto given_up = store::WriteBehind::File::open(threads, temp, 8U << 20U).value();
    given_up.write(piece).value();
  }
  struct rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old_action = ::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit least = {1'000'000, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &least) == 0);
  const auto temp = store::TempFile::create(folder).value();
  auto file = store::WriteBehind::File::open(threads, temp, 0).value();
  const auto written = file.write(piece);
  const auto finished = file.finish();
  CHECK(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  ::signal(SIGXFSZ, old_action);
  CHECK((!written || !finished));
}

TEST_CASE("store: opening sweeps the temp folders of dead processes and leaves those of living ones") {
  const test::TempFolder folder;
  const fs::path temp = folder / "temp";
  test::write_file(temp / std::string(32, 'a') / "17", "left by a process that was killed before it had a lock");
  test::write_file(temp / "notes.txt", "not ours");
  test::write_file(temp / "other" / "file", "not ours either");
  Holder living(folder.path());
  Holder dead(folder.path());
  CHECK_FALSE(fs::exists(temp / std::string(32, 'a')));
  CHECK(count_entries(temp) == 4);
  dead.kill();
  {
    const auto store = open_filesystem_store(options_for(folder.path())).value();
    CHECK(count_entries(temp) == 4);  // The living one's, ours, and the two strangers.
    // Two openings in one process are as far apart as two processes.
    const auto second = open_filesystem_store(options_for(folder.path())).value();
    CHECK(count_entries(temp) == 5);
    test::put(*store, test::noise(10));
  }
  CHECK(count_entries(temp) == 3);
  living.kill();
  open_filesystem_store(options_for(folder.path())).value();
  CHECK(count_entries(temp) == 2);
  CHECK(fs::exists(temp / "notes.txt"));
  CHECK(fs::exists(temp / "other/file"));
}

TEST_CASE("store: openings at the same time never sweep each other away") {
  const test::TempFolder folder;
  std::vector<std::string> failures(8);
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < failures.size(); ++thread) {
    threads.emplace_back([&, thread] {
      for (std::uint64_t i = 0; i < 25; ++i) {
        const auto store = open_filesystem_store(options_for(folder.path(), 0));
        if (!store) {
          failures[thread] = store.error().message;
          return;
        }
        const auto outcome = test::publish_one(**store, test::stage(**store, test::noise(64, i)));
        if (!outcome) failures[thread] = outcome.error().message;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& failure : failures) CHECK(failure.empty());
  CHECK(count_entries(folder / "temp") == 0);
  CHECK(test::list_all(*open_filesystem_store(options_for(folder.path())).value(), 10).size() == 25);
}

TEST_CASE("store: two processes publish the same contents into one store") {
  const test::TempFolder folder;
  std::array<test::RunResult, 2> results;
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] { result = test::run({BLOB_STORE_PROGRAM, "many", (folder / "base").string(), "0", "seed", "10"}); });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) {
    CHECK(result.exit_code == 0);
    CHECK(result.out.find("failed") == std::string::npos);
  }
  const auto store = open_filesystem_store(options_for(folder / "base")).value();
  const auto found = test::list_all(*store, 1'000);
  CHECK(found.size() == 80);
  for (const auto& blob : found) CHECK(Digest::of(test::get(*store, blob.digest.value())) == blob.digest);
}

TEST_CASE("store: strays in the fan-out are listed in their place, everything beside it is not") {
  const test::TempFolder folder;
  const auto store = open_filesystem_store(options_for(folder.path())).value();
  const auto content = test::noise(100);
  const Digest digest = test::put(*store, content);
  const std::string hex = digest.to_hex();
  for (const char* beside : {"catalog.db", "catalog.db-wal", "uploads/part", "segments/1.pack", "quarantine/x", "README", "lost+found/x"}) {
    test::write_file(folder / beside, "x");
  }
  CHECK(strays_of(*store).empty());
  const std::string home = hex.substr(0, 2) + "/" + hex.substr(2, 2) + "/" + hex.substr(4, 2) + "/";
  const std::vector<std::string> planted = {"00/file",           "00/11/22/" + std::string(64, 'f'),  // A blob's name in another's folder.
                                            "00/11/22/short",    "00/11/22/" + std::string(64, 'G'),
                                            "00/11/AA/x",  // Its folder "AA" is the stray: upper case is not the layout.
                                            home + hex + ".tmp", "fe"};
  for (const auto& path : planted) test::write_file(folder / path, "stray");
  fs::create_directories(folder / "00/11/22/folder");
  fs::create_symlink("../../../etc/passwd", folder / ("00/11/22/" + std::string(58, '0').insert(0, "001122")));
  std::vector<std::string> expected = {"00/11/22/" + std::string(58, '0').insert(0, "001122"),
                                       "00/11/22/" + std::string(64, 'G'),
                                       "00/11/22/" + std::string(64, 'f'),
                                       "00/11/22/folder",
                                       "00/11/22/short",
                                       "00/11/AA",
                                       "00/file",
                                       home + hex + ".tmp",
                                       "fe"};
  std::sort(expected.begin(), expected.end());
  auto found = strays_of(*store);
  std::sort(found.begin(), found.end());
  CHECK(found == expected);
  // The link has a blob's name and place, and is none.
  const auto link = Digest::from_hex(std::string(58, '0').insert(0, "001122")).value();
  CHECK(store->open(link).error().code == Errc::not_found);
  CHECK_FALSE(store->stat(link).value().has_value());
  const auto all = test::list_all(*store, 1'000);
  CHECK(std::count_if(all.begin(), all.end(), [](const ListedBlob& blob) { return blob.digest.has_value(); }) == 1);
}

TEST_CASE("store: the identity changes when somebody touches the file") {
  const test::TempFolder folder;
  const auto store = open_filesystem_store(options_for(folder.path())).value();
  const Digest digest = test::put(*store, test::noise(100));
  const auto before = store->stat(digest).value().value();
  CHECK(std::count(before.identity.begin(), before.identity.end(), ':') == 2);
  // The kernel's file times move in ticks of some milliseconds.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  REQUIRE(::chmod(place_of(folder.path(), digest).c_str(), 0400) == 0);
  const auto after = store->stat(digest).value().value();
  CHECK(after.size == before.size);
  CHECK(after.identity != before.identity);
}

TEST_CASE("store: a blob that got shorter under a reader is corrupt, not silently short") {
  const test::TempFolder folder;
  const auto store = open_filesystem_store(options_for(folder.path())).value();
  const Digest digest = test::put(*store, test::noise(1'000));
  const auto reader = store->open(digest).value();
  fs::permissions(place_of(folder.path(), digest), fs::perms::owner_all);
  fs::resize_file(place_of(folder.path(), digest), 500);
  std::vector<std::byte> into(1'000);
  CHECK(reader->read_at(0, into).error().code == Errc::corrupt);
}

TEST_CASE("store: quarantine keeps every specimen for a person to look at") {
  const test::TempFolder folder;
  const auto store = open_filesystem_store(options_for(folder.path())).value();
  auto damaged = test::noise(100);
  damaged[50] ^= std::byte{1};
  for (int round = 0; round < 3; ++round) {
    const Digest digest = test::put(*store, test::noise(100));
    CHECK_FALSE(store->quarantine(digest).value());
    test::damage_blob(folder.path(), digest.to_hex(), 50);
    CHECK(store->quarantine(digest).value());
    CHECK_FALSE(store->quarantine(digest).value());
    CHECK_FALSE(store->stat(digest).value().has_value());
    CHECK(test::list_all(*store, 10).empty());
  }
  CHECK(count_entries(folder / "quarantine") == 3);
  CHECK(test::read_file(folder / "quarantine" / Digest::of(test::noise(100)).to_hex()) == damaged);
  // One that got shorter, too.
  const Digest digest = test::put(*store, test::noise(100));
  fs::permissions(place_of(folder.path(), digest), fs::perms::owner_all);
  fs::resize_file(place_of(folder.path(), digest), 0);
  CHECK(store->quarantine(digest).value());
}

TEST_CASE("store: fan-out folders that somebody removed are made again") {
  const test::TempFolder folder;
  const auto store = open_filesystem_store(options_for(folder.path())).value();
  const auto content = test::noise(100);
  const Digest digest = test::put(*store, content);
  fs::remove_all(folder / digest.to_hex().substr(0, 2));
  CHECK(test::put(*store, content) == digest);
  CHECK(test::get(*store, digest) == content);
}

TEST_CASE("store: something else in a fan-out folder's place fails the publishing and leaves no temp") {
  const test::TempFolder folder;
  const auto store = open_filesystem_store(options_for(folder.path(), 10)).value();
  const auto content = test::noise(100);
  test::write_file(folder / Digest::of(content).to_hex().substr(0, 2), "in the way");
  const auto outcome = test::publish_one(*store, test::stage(*store, content));
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::io);
  CHECK(test::count_files(folder / "temp") == 1);
  // Others are not held up by it.
  CHECK(test::publish_one(*store, test::stage(*store, test::noise(50, 7))).has_value());
}

TEST_CASE("store: of a group with one failed content nothing may be believed, and another caller's group stands") {
  const test::TempFolder folder;
  const auto store = open_filesystem_store(options_for(folder.path())).value();
  const auto bad = test::noise(100);
  test::write_file(folder / Digest::of(bad).to_hex().substr(0, 2), "in the way");
  std::vector<std::unique_ptr<Staged>> group;
  for (std::uint64_t i = 2; i < 20; ++i) group.push_back(test::stage(*store, test::noise(100, i)));
  group.push_back(test::stage(*store, bad));
  std::string other;
  std::thread beside([&] {
    for (std::uint64_t i = 100; i < 120; ++i) {
      // Contents that share the blocked folder would fail rightly: leave those out.
      const auto content = test::noise(200, i);
      if (Digest::of(content).bytes()[0] == Digest::of(bad).bytes()[0]) continue;
      const auto outcome = test::publish_one(*store, test::stage(*store, content));
      if (!outcome) other = outcome.error().message;
    }
  });
  const auto outcome = store->publish(group);
  beside.join();
  CHECK_FALSE(outcome);
  CHECK(other.empty());
  CHECK(test::count_files(folder / "temp") == 1);
}

TEST_CASE("store: a removed temp folder is said to be the trouble") {
  const test::TempFolder folder;
  const auto store = open_filesystem_store(options_for(folder.path())).value();
  CHECK(store->check().has_value());
  fs::remove_all(folder / "temp");
  CHECK(store->check().error().code == Errc::unavailable);
  const auto outcome = test::publish_one(*store, test::stage(*store, test::noise(10)));
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::unavailable);
  CHECK_THAT(outcome.error().message, ContainsSubstring("temp folder"));
}

TEST_CASE("store: open for reading only, it reads, writes nothing and makes nothing") {
  const test::TempFolder folder;
  auto options = options_for(folder / "base");
  options.read_only = true;
  CHECK(open_filesystem_store(options).error().code == Errc::not_found);
  CHECK_FALSE(fs::exists(folder / "base"));
  const auto content = test::noise(100);
  const Digest digest = Digest::of(content);
  test::write_file(place_of(folder / "base", digest), content);
  const auto store = open_filesystem_store(options).value();
  CHECK(test::get(*store, digest) == content);
  CHECK(test::list_all(*store, 10).size() == 1);
  CHECK(store->check().has_value());
  CHECK(store->begin().error().code == Errc::denied);
  CHECK(store->publish({}).error().code == Errc::denied);
  CHECK(store->remove(digest).error().code == Errc::denied);
  CHECK(store->quarantine(digest).error().code == Errc::denied);
  CHECK(count_entries(folder / "base") == 1);
}

TEST_CASE("store: paths that cannot be a store are refused in one sentence") {
  const test::TempFolder folder;
  test::write_file(folder / "file", "x");
  CHECK(open_filesystem_store({}).error().code == Errc::invalid_argument);
  CHECK(open_filesystem_store(options_for(folder / "file")).error().code == Errc::invalid_argument);
  CHECK(open_filesystem_store(options_for(folder / "file/below")).error().code == Errc::invalid_argument);
  auto options = options_for(folder / "file");
  options.read_only = true;
  CHECK(open_filesystem_store(options).error().code == Errc::invalid_argument);
  options = options_for(folder / "base");
  options.temp_path = folder / "file";
  CHECK(open_filesystem_store(options).error().code == Errc::invalid_argument);
  CHECK(open_filesystem_store(options_for("/proc/no-such-place/below")).error().code == Errc::io);
}

TEST_CASE("store: a temp path of its own is used, and swept of what is ours alone") {
  const test::TempFolder folder;
  auto options = options_for(folder / "base", 0);
  options.temp_path = folder / "scratch";
  const auto store = open_filesystem_store(options).value();
  const auto staged = test::stage(*store, test::noise(100));
  CHECK(test::count_files(folder / "scratch") == 2);
  CHECK_FALSE(fs::exists(folder / "base/temp"));
  CHECK(test::put(*store, test::noise(200)) == Digest::of(test::noise(200)));
}

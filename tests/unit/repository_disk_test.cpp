#include <sys/mount.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "repository_catalog.hpp"

using namespace media;

namespace {

/// A mounted folder, unmounted at the end.
class Mount {
 public:
  Mount(const char* source, const std::filesystem::path& target, const char* type, unsigned long flags, const char* data = nullptr)
      : target_(target), mounted_(::mount(source, target.c_str(), type, flags, data) == 0) {
    if (mounted_) return;
    const std::string reason = std::strerror(errno);
    // A run that is to prove something may not pass without the proof.
    if (std::getenv("CI") != nullptr) FAIL("mount is not permitted here: " << reason);
    WARN("SKIPPED, for mount is not permitted here: " << reason);
  }
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  ~Mount() {
    if (mounted_) ::umount2(target_.c_str(), MNT_DETACH);
  }

  explicit operator bool() const { return mounted_; }
  bool remount(unsigned long flags, const char* data = nullptr) {
    return ::mount(nullptr, target_.c_str(), nullptr, MS_REMOUNT | flags, data) == 0;
  }

 private:
  std::filesystem::path target_;
  bool mounted_;
};

std::filesystem::path made(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  return folder;
}

}  // namespace

TEST_CASE("repository: a full disk is no_space for writers only, loses nothing, and is over when there is room") {
  const test::TempFolder folder;
  Mount disk("tmpfs", made(folder / "disk"), "tmpfs", 0, "size=2m");
  if (!disk) return;
  const auto path = folder / "disk" / "catalog.db";
  std::set<MediaId> kept;
  {
    const auto repository = test::open(path);
    // By several writers, so that groups fail, too.
    std::vector<std::vector<MediaId>> acknowledged(4);
    std::atomic<int> unexpected = 0;
    std::atomic<int> full = 0;
    std::vector<std::thread> writers;
    for (auto& ids : acknowledged) {
      writers.emplace_back([&] {
        for (int refusals = 0; refusals < 5;) {
          const auto id = test::insert(*repository, test::a_media(std::string(2000, 'x')));
          if (id) {
            ids.push_back(*id);
            continue;
          }
          ++refusals;
          ++(id.error().code == Errc::no_space ? full : unexpected);
        }
      });
    }
    for (auto& thread : writers) thread.join();
    for (const auto& ids : acknowledged) kept.insert(ids.begin(), ids.end());
    CHECK(full == 20);
    CHECK(unexpected == 0);
    CHECK(kept.size() > 100);
    CHECK(test::count_media(*repository) == kept.size());
    REQUIRE(disk.remount(0, "size=16m"));
    const auto id = test::insert(*repository);
    INFO((id ? "" : id.error().message));
    REQUIRE(id.has_value());
    kept.insert(*id);
  }
  const auto again = test::open(path);
  CHECK(test::count_media(*again) == kept.size());
  for (const MediaId id : kept) CHECK(again->find_media(id).value().has_value());
  CHECK(test::ask_sql(path, "PRAGMA integrity_check") == "ok");
}

TEST_CASE("repository: a disk without any room says so at the opening") {
  const test::TempFolder folder;
  Mount disk("tmpfs", made(folder / "disk"), "tmpfs", 0, "size=16k");
  if (!disk) return;
  const auto refused = test::try_open(folder / "disk" / "catalog.db");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::no_space);
}

TEST_CASE("repository: a catalog on a read-only filesystem can be read, and only read") {
  const test::TempFolder folder;
  Mount disk("tmpfs", made(folder / "disk"), "tmpfs", 0, "size=16m");
  if (!disk) return;
  // A name that a URI must not misread.
  const auto path = folder / "disk" / "cat?a=%41#log.db";
  MediaId id = 0;
  const auto left_open = folder / "disk" / "left.db";
  const auto without_index = folder / "disk" / "without.db";
  {
    const auto repository = test::open(path);
    id = test::insert(*repository).value();
    // As a killed process, or a snapshot of a living one, leaves it; and without what makes the log readable.
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::copy_file(path.string() + end, left_open.string() + end);
    for (const char* end : {"", "-wal"}) std::filesystem::copy_file(path.string() + end, without_index.string() + end);
  }
  REQUIRE(disk.remount(MS_RDONLY));
  CHECK(test::try_open(path).error().code == Errc::denied);
  CHECK(test::try_open(folder / "disk" / "new.db").error().code == Errc::denied);
  const auto repository = test::open(path, true);
  CHECK(repository->find_media(id).value().has_value());
  CHECK(repository->check().has_value());
  CHECK(test::insert(*repository).error().code == Errc::denied);
  const auto left = test::try_open(left_open, true);
  INFO((left ? "" : left.error().message));
  REQUIRE(left.has_value());
  CHECK((*left)->find_media(id).value().has_value());
  // What is in the log may be missing in the file: better nothing than half of it.
  const auto half = test::try_open(without_index, true);
  REQUIRE_FALSE(half.has_value());
  CHECK(half.error().code == Errc::denied);
  CHECK_THAT(half.error().message, ContainsSubstring("not closed"));
}

TEST_CASE("repository: a read-only view of a catalog follows a writer that comes by another mount") {
  const test::TempFolder folder;
  Mount disk("tmpfs", made(folder / "disk"), "tmpfs", 0, "size=16m");
  if (!disk) return;
  const auto path = folder / "disk" / "catalog.db";
  REQUIRE(test::insert(*test::open(path)).has_value());
  Mount view((folder / "disk").c_str(), made(folder / "view"), nullptr, MS_BIND);
  REQUIRE(view);
  REQUIRE(view.remount(MS_BIND | MS_RDONLY));
  const auto reader = test::open(folder / "view" / "catalog.db", true);
  CHECK(test::count_media(*reader) == 1);
  auto writer = test::open(path);
  CHECK(test::count_media(*reader) == 1);
  REQUIRE(test::insert(*writer).has_value());
  CHECK(test::count_media(*reader) == 2);
  REQUIRE(test::insert(*writer).has_value());
  CHECK(test::count_media(*reader) == 3);
}

// What every UploadSpool must do, and what only the one of files promises: locks across processes, and lengths after a crash.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "media/upload_spool.hpp"
#include "support.hpp"

using namespace media;
namespace fs = std::filesystem;

namespace {

const std::string kId = "0123456789abcdef0123456789abcdef";

using MakeSpool = std::function<std::unique_ptr<UploadSpool>()>;

/// Runs a part of the contract on every implementation. A new one is one more line here.
void on_each(const std::function<void(UploadSpool&)>& check) {
  SECTION("memory") { check(*make_memory_spool()); }
  SECTION("files") {
    const test::TempFolder folder;
    check(*make_filesystem_spool(folder / "uploads"));
  }
}

template <class T>
Errc code_of(const Result<T>& result) {
  REQUIRE_FALSE(result.has_value());
  return result.error().code;
}

std::vector<std::byte> content_of(const UploadSpool& spool, const std::string& id) {
  const auto content = spool.content(id);
  REQUIRE(content);
  return read_all(**content, 1U << 30U).value();
}

std::vector<std::byte> joined(std::span<const std::byte> a, std::span<const std::byte> b) {
  std::vector<std::byte> all(a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

std::vector<std::string> list_all(const UploadSpool& spool, std::size_t limit) {
  std::vector<std::string> ids;
  std::string cursor;
  do {
    const auto page = spool.list(cursor, limit).value();
    CHECK(page.ids.size() <= limit);
    ids.insert(ids.end(), page.ids.begin(), page.ids.end());
    cursor = page.next_cursor;
  } while (!cursor.empty());
  return ids;
}

}  // namespace

TEST_CASE("upload spool: what was settled counts, in the order in which it was appended") {
  on_each([](UploadSpool& spool) {
    const auto first = test::noise(100'000, 1);
    const auto second = test::noise(5'001, 2);
    {
      const auto upload = spool.create(kId).value();
      CHECK(spool.settled_length(kId).value() == 0U);
      REQUIRE(upload->append(0, first));
      CHECK(upload->length() == first.size());
      CHECK(upload->settled_length() == 0);
      CHECK(spool.settled_length(kId).value() == 0U);
      REQUIRE(upload->settle());
      CHECK(spool.settled_length(kId).value() == first.size());
      CHECK(content_of(spool, kId) == first);
      REQUIRE(upload->append(first.size(), test::noise(7'777, 3)));  // never settled
    }
    const auto upload = spool.open(kId).value();
    CHECK(upload->length() == first.size());
    REQUIRE(upload->append(first.size(), std::span(second).first(5'000)));
    REQUIRE(upload->append(first.size() + 5'000, std::span(second).last(1)));
    REQUIRE(upload->settle());
    REQUIRE(upload->settle());
    CHECK(content_of(spool, kId) == joined(first, second));
  });
}

TEST_CASE("upload spool: bytes are appended at the end alone") {
  on_each([](UploadSpool& spool) {
    const auto upload = spool.create(kId).value();
    REQUIRE(upload->append(0, test::noise(10)));
    CHECK(code_of(upload->append(0, test::noise(10))) == Errc::conflict);
    CHECK(code_of(upload->append(11, test::noise(10))) == Errc::conflict);
    REQUIRE(upload->append(10, test::noise(10)));
    REQUIRE(upload->settle());
    CHECK(spool.settled_length(kId).value() == 20U);
  });
}

TEST_CASE("upload spool: what is discarded leaves the settled bytes as they were") {
  on_each([](UploadSpool& spool) {
    const auto kept = test::noise(1'000, 1);
    const auto upload = spool.create(kId).value();
    REQUIRE(upload->append(0, kept));
    REQUIRE(upload->settle());
    REQUIRE(upload->append(1'000, test::noise(3'000, 2)));
    REQUIRE(upload->discard());
    CHECK(upload->length() == 1'000);
    const auto next = test::noise(10, 3);
    REQUIRE(upload->append(1'000, next));
    REQUIRE(upload->settle());
    CHECK(content_of(spool, kId) == joined(kept, next));
  });
}

TEST_CASE("upload spool: one writer at a time, and readers whenever they like") {
  on_each([](UploadSpool& spool) {
    {
      const auto made = spool.create(kId).value();
      CHECK(code_of(spool.open(kId)) == Errc::unavailable);
      REQUIRE(made->append(0, test::bytes("abc")));
      REQUIRE(made->settle());
      CHECK(spool.settled_length(kId).value() == 3U);
    }
    const auto held = spool.open(kId).value();
    CHECK(code_of(spool.open(kId)) == Errc::unavailable);
    const auto reader = spool.content(kId).value();
    REQUIRE(held->append(3, test::bytes("def")));
    REQUIRE(held->settle());
    CHECK(reader->size() == 3);
    CHECK(read_all(*reader, 100).value() == test::bytes("abc"));
    std::array<std::byte, 4> into{};
    CHECK(reader->read_at(1, into).value() == 2);
    CHECK(reader->read_at(3, into).value() == 0);
    CHECK(content_of(spool, kId) == test::bytes("abcdef"));
  });
}

TEST_CASE("upload spool: ids that exist, are missing or are none") {
  on_each([](UploadSpool& spool) {
    CHECK(code_of(spool.open(kId)) == Errc::not_found);
    CHECK(code_of(spool.content(kId)) == Errc::not_found);
    CHECK_FALSE(spool.settled_length(kId).value().has_value());
    CHECK_FALSE(spool.remove(kId).value());
    CHECK(spool.list("", 10).value().ids.empty());
    REQUIRE(spool.create(kId));
    CHECK(code_of(spool.create(kId)) == Errc::already_exists);
    for (const std::string& id : std::vector<std::string>{"", "..", "../x", "a/b", "A", "a.b", std::string(65, 'a')}) {
      CHECK(code_of(spool.create(id)) == Errc::invalid_argument);
      CHECK(code_of(spool.open(id)) == Errc::not_found);
      CHECK_FALSE(spool.settled_length(id).value().has_value());
      CHECK_FALSE(spool.remove(id).value());
    }
  });
}

TEST_CASE("upload spool: removing one takes it from the list, whoever has it") {
  on_each([](UploadSpool& spool) {
    for (const char* const id : {"c", "a", "e", "b", "d"}) REQUIRE(spool.create(id));
    CHECK(list_all(spool, 2) == std::vector<std::string>{"a", "b", "c", "d", "e"});
    CHECK(list_all(spool, 5) == std::vector<std::string>{"a", "b", "c", "d", "e"});
    CHECK(code_of(spool.list("", 0)) == Errc::invalid_argument);
    const auto held = spool.open("b").value();
    REQUIRE(held->append(0, test::bytes("x")));
    CHECK(spool.remove("b").value());
    CHECK_FALSE(spool.remove("b").value());
    REQUIRE(held->settle());
    CHECK(code_of(spool.open("b")) == Errc::not_found);
    CHECK(list_all(spool, 2) == std::vector<std::string>{"a", "c", "d", "e"});
  });
}

TEST_CASE("upload spool: many threads, each with uploads of its own and all after one") {
  on_each([](UploadSpool& spool) {
    REQUIRE(spool.create("shared"));
    std::atomic<int> appended{0};
    std::atomic<bool> good{true};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 8; ++i) {
          const std::string id = "own" + std::to_string(t) + "x" + std::to_string(i);
          const auto own = spool.create(id);
          if (!own || !(*own)->append(0, test::bytes(id)) || !(*own)->settle()) good = false;
          if (const auto shared = spool.open("shared")) {
            if (!(*shared)->append((*shared)->length(), test::bytes("z")) || !(*shared)->settle()) good = false;
            ++appended;
          }
        }
      });
    }
    for (auto& thread : threads) thread.join();
    CHECK(good);
    CHECK(spool.settled_length("shared").value() == static_cast<std::uint64_t>(appended));
    CHECK(list_all(spool, 10).size() == 65);
  });
}

TEST_CASE("upload spool: a process that is killed leaves its settled bytes and its lock to the next") {
  const test::TempFolder folder;
  const auto spool = make_filesystem_spool(folder / "uploads");
  const auto settled = test::noise(70'000, 1);
  int ready[2] = {-1, -1};
  REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto own = make_filesystem_spool(folder / "uploads");
    const auto upload = own->create(kId);
    if (!upload || !(*upload)->append(0, settled) || !(*upload)->settle()) ::_exit(1);
    if (!(*upload)->append(settled.size(), test::noise(99'999, 2)) || ::write(ready[1], "x", 1) != 1) ::_exit(1);
    while (true) ::pause();
  }
  ::close(ready[1]);
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  ::close(ready[0]);
  CHECK(code_of(spool->open(kId)) == Errc::unavailable);
  CHECK(spool->settled_length(kId).value() == settled.size());
  ::kill(child, SIGKILL);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  // The bytes behind the settled ones are in the file, and nobody promised them.
  CHECK(fs::file_size(folder / "uploads" / kId) > settled.size() + 90'000);
  const auto upload = spool->open(kId).value();
  CHECK(upload->length() == settled.size());
  CHECK(content_of(*spool, kId) == settled);
  const auto rest = test::noise(1'000, 3);
  REQUIRE(upload->append(settled.size(), rest));
  REQUIRE(upload->settle());
  CHECK(content_of(*spool, kId) == joined(settled, rest));
}

TEST_CASE("upload spool: a record that was torn gives way to the one before it") {
  const test::TempFolder folder;
  const auto spool = make_filesystem_spool(folder / "uploads");
  {
    const auto upload = spool->create(kId).value();
    for (int i = 0; i < 3; ++i) {
      REQUIRE(upload->append(upload->length(), test::noise(1'000, static_cast<std::uint64_t>(i))));
      REQUIRE(upload->settle());
    }
  }
  CHECK(spool->settled_length(kId).value() == 3'000U);
  const fs::path file = folder / "uploads" / kId;
  const auto whole = test::read_file(file);
  const auto length_after = [&](const std::function<void(std::vector<std::byte>&)>& spoil) {
    auto spoilt = whole;
    spoil(spoilt);
    test::write_file(file, spoilt);
    return spool->settled_length(kId);
  };
  // Every byte of the newest record, changed: the record before it counts. The third is in the second place.
  for (std::size_t i = 0; i < 24; ++i) {
    CHECK(length_after([&](auto& spoilt) { spoilt[2048 + i] ^= std::byte{1}; }).value() == 2'000U);
  }
  for (std::size_t i = 0; i < 24; ++i) {
    CHECK(length_after([&](auto& spoilt) { spoilt[1024 + i] ^= std::byte{1}; }).value() == 3'000U);
  }
  CHECK(code_of(length_after([](auto& spoilt) { spoilt[1024] = spoilt[2048] = std::byte{77}; })) == Errc::corrupt);
  CHECK(code_of(length_after([](auto& spoilt) { spoilt.resize(4096 + 2'999); })) == Errc::corrupt);
  CHECK(code_of(length_after([](auto& spoilt) { spoilt[0] = std::byte{0}; })) == Errc::corrupt);
  // Made and never finished: as if it had never been.
  CHECK_FALSE(length_after([](auto& spoilt) { spoilt.resize(4'095); }).value().has_value());
  CHECK(code_of(spool->open(kId)) == Errc::not_found);
  CHECK_FALSE(fs::exists(file));
  // Another upload's file under this name is not this upload.
  test::write_file(folder / "uploads" / "other", whole);
  CHECK(code_of(spool->open("other")) == Errc::corrupt);
}

TEST_CASE("upload spool: a folder that cannot be is no fault of whoever uploads") {
  const test::TempFolder folder;
  test::write_file(folder / "uploads", "a file");
  for (const char* const place : {"uploads", "uploads/below"}) {
    INFO(place);
    CHECK(code_of(make_filesystem_spool(folder / place)->create(kId)) == Errc::io);
  }
}

TEST_CASE("upload spool: a full disk fails the write and keeps what was settled") {
  const test::TempFolder folder;
  const auto spool = make_filesystem_spool(folder / "uploads");
  const pid_t child = ::fork();
  if (child == 0) {
    // A limit on the size of files stands in for the disk: it needs no privileges.
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(1);
    const auto upload = spool->create(kId);
    if (!upload || !(*upload)->append(0, test::noise(50'000)) || !(*upload)->settle()) ::_exit(2);
    if ((*upload)->append(50'000, test::noise(60'000))) ::_exit(3);
    if ((*upload)->append(50'000, test::noise(1)) || (*upload)->settle()) ::_exit(4);
    ::_exit((*upload)->settled_length() == 50'000 ? 0 : 5);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(content_of(*spool, kId) == test::noise(50'000));
}

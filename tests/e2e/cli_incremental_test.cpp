// mediactl ingest --incremental: what is not read again, and what must be.
#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <thread>

#include "catch.hpp"
#include "cli_support.hpp"

namespace fs = std::filesystem;
using cli::Json;
using cli::json_lines;
using cli::mediactl;

namespace {

struct Place {
  test::TempFolder folder;
  std::string store = (folder / "store").string();
  fs::path in = folder / "in";

  Json ingest(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"--store", store, "ingest", "--any", "--incremental", "--json", in.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto result = mediactl(arguments);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return json_lines(result.out).summary;
  }
};

/// Until the files' times are old enough to be trusted.
void let_them_settle() { std::this_thread::sleep_for(std::chrono::milliseconds(2200)); }

/// Other bytes of the same length under the same name, inode and time of modification.
void change_in_place(const fs::path& path, const std::vector<std::byte>& content) {
  struct stat before{};
  REQUIRE(::stat(path.c_str(), &before) == 0);
  const int file = ::open(path.c_str(), O_WRONLY);
  REQUIRE(file >= 0);
  REQUIRE(::pwrite(file, content.data(), content.size(), 0) == std::ssize(content));
  const struct timespec times[2] = {before.st_atim, before.st_mtim};
  REQUIRE(::futimens(file, times) == 0);
  REQUIRE(::close(file) == 0);
  struct stat after{};
  REQUIRE(::stat(path.c_str(), &after) == 0);
  REQUIRE(after.st_ino == before.st_ino);
  REQUIRE(after.st_size == before.st_size);
  REQUIRE(after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
}

bool can_trace() {
  try {
    if (test::run({"strace", "-qq", "-o", "/dev/null", "true"}).exit_code == 0) return true;
  } catch (const std::runtime_error&) {
  }
  if (std::getenv("CI") != nullptr) FAIL("cannot trace");
  WARN("skipped: cannot trace");
  return false;
}

}  // namespace

TEST_CASE("cli ingest --incremental: what was taken in is not read again, and whatever changed is") {
  const Place place;
  for (unsigned i = 0; i < 20; ++i) test::write_file(place.in / ("f" + std::to_string(i)), test::noise(5'000 + i, i));
  test::write_file(place.in / "large", test::noise(700'000, 99));
  // Taken in at once: what changed only just before is read once more.
  const Json early = place.ingest();
  CHECK(early.at("stored") == 21);
  CHECK(early.at("unread") == 0);
  CHECK(place.ingest().at("unread") == 0);
  let_them_settle();
  const Json noted = place.ingest();
  CHECK(noted.at("duplicate") == 21);
  CHECK(noted.at("unread") == 0);
  const Json again = place.ingest();
  CHECK(again.at("files") == 21);
  CHECK(again.at("duplicate") == 21);
  CHECK(again.at("unread") == 21);
  CHECK(again.at("bytes") == noted.at("bytes"));

  // The same lines as if they had been read, in another folder too.
  const auto here = fs::current_path();
  fs::current_path(place.folder.path());
  const auto relative = json_lines(mediactl({"--store", place.store, "ingest", "--any", "--incremental", "--json", "in"}).out);
  fs::current_path(here);
  CHECK(relative.summary.at("unread") == 21);
  const Json line = cli::find(relative, "path", "in/f3");
  CHECK(line.at("status") == "duplicate");
  CHECK(line.at("digest").get<std::string>().size() == 64);
  CHECK(line.at("id").get<int>() > 0);

  // Without being asked everything is read.
  const auto plain = json_lines(mediactl({"--store", place.store, "ingest", "--any", "--json", place.in.string()}).out);
  CHECK(plain.summary.at("duplicate") == 21);
  CHECK_FALSE(plain.summary.contains("unread"));

  // Other bytes of the same length, the time of modification put back.
  change_in_place(place.in / "f7", test::noise(5'007, 1'007));
  change_in_place(place.in / "large", test::noise(700'000, 1'099));
  // Another file under the same name, and one that was moved.
  fs::remove(place.in / "f8");
  test::write_file(place.in / "f8", test::noise(5'008, 8));
  fs::rename(place.in / "f9", place.in / "renamed");
  const Json changed = place.ingest();
  CHECK(changed.at("files") == 21);
  CHECK(changed.at("stored") == 2);
  CHECK(changed.at("duplicate") == 19);
  CHECK(changed.at("unread") == 17);

  // Removed from the library meanwhile: it comes in again, and is remembered anew.
  const Json gone = cli::find(relative, "path", "in/f3");
  REQUIRE(mediactl({"--store", place.store, "rm", std::to_string(gone.at("id").get<int>())}).exit_code == 0);
  const Json back = place.ingest();
  CHECK(back.at("stored") == 1);
  CHECK(place.ingest().at("stored") == 0);

  // Somebody else's are somebody else's.
  const Json other = place.ingest({"--owner", "else"});
  CHECK(other.at("stored") == 21);
  CHECK(other.at("unread") == 0);
  CHECK(mediactl({"--store", place.store, "verify"}).exit_code == 0);
}

TEST_CASE("cli ingest --incremental: files are not even opened, and a record that is damaged, or of another store, is none") {
  if (!can_trace()) return;
  const Place place;
  for (unsigned i = 0; i < 5; ++i) test::write_file(place.in / ("f" + std::to_string(i)), test::noise(5'000, i));
  let_them_settle();
  CHECK(place.ingest().at("stored") == 5);
  const auto log = (place.folder / "log").string();
  const auto opened = [&] {
    const auto result = test::run({"strace", "-f", "-qq", "-o", log, "-e", "trace=open,openat", cli::program(), "--store", place.store,
                                   "ingest", "--any", "--incremental", "--json", place.in.string()},
                                  {"ASAN_OPTIONS=detect_leaks=0"});
    REQUIRE(result.exit_code == 0);
    const std::string text = test::read_text(log);
    unsigned files = 0;
    for (unsigned i = 0; i < 5; ++i)
      files += text.find((place.in / ("f" + std::to_string(i))).string() + "\"") != std::string::npos ? 1U : 0U;
    return files;
  };
  CHECK(opened() == 0);

  const fs::path record = fs::path(place.store) / "ingest-record";
  const auto good = test::read_file(record);
  REQUIRE(good.size() > 100);
  // Every byte of it counts.
  for (std::size_t at = 0; at < good.size(); at += 37) {
    auto bad = good;
    bad[at] ^= std::byte{1};
    test::write_file(record, bad);
    const auto result = mediactl({"--store", place.store, "ingest", "--any", "--incremental", "--json", place.in.string()});
    REQUIRE(result.exit_code == 0);
    CHECK(json_lines(result.out).summary.at("unread") == 0);
  }
  test::write_file(record, std::span(good).first(good.size() / 2));
  CHECK(opened() == 5);
  CHECK(opened() == 0);

  // Another store under the same record: its ids are other media's.
  const std::string second = (place.folder / "second").string();
  test::write_file(place.folder / "stranger", test::noise(900, 77));
  REQUIRE(mediactl({"--store", second, "ingest", "--any", (place.folder / "stranger").string()}).exit_code == 0);
  fs::copy_file(record, fs::path(second) / "ingest-record");
  const auto moved = json_lines(mediactl({"--store", second, "ingest", "--any", "--incremental", "--json", place.in.string()}).out);
  CHECK(moved.summary.at("stored") == 5);
  CHECK(moved.summary.at("unread") == 0);
  CHECK(mediactl({"--store", second, "verify"}).exit_code == 0);

  // Nothing of it outlives an erasure.
  REQUIRE(mediactl({"--store", place.store, "erase", "--owner", "local", "--receipt", (place.folder / "receipt").string()}).exit_code == 0);
  CHECK_FALSE(fs::exists(record));
}

TEST_CASE("cli ingest --incremental: what was taken in unjudged is read where it is to be judged") {
  const Place place;
  test::write_file(place.in / "text", "no picture");
  test::write_file(place.in / "one.png", cli::png(20, 20));
  let_them_settle();
  place.ingest();
  CHECK(place.ingest().at("unread") == 2);
  const auto judged = mediactl({"--store", place.store, "ingest", "--incremental", "--json", place.in.string()});
  CHECK(judged.exit_code == 1);
  const auto lines = json_lines(judged.out);
  CHECK(lines.summary.at("unread") == 0);
  CHECK(lines.summary.at("refused") == 1);
  CHECK(lines.summary.at("stored") == 1);
  // The record has the newer media now, which answers both.
  CHECK(json_lines(mediactl({"--store", place.store, "ingest", "--incremental", "--json", place.in.string()}).out).summary.at("unread") ==
        1);
}

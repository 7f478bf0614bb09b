// mediactl ingest --link and --reflink: what is not copied, and what has to be.
#include <sys/stat.h>
#include <unistd.h>

#include "catch.hpp"
#include "cli_support.hpp"
#include "loop_disk.hpp"

namespace fs = std::filesystem;
using cli::Json;
using cli::json_lines;
using cli::mediactl;

namespace {

struct stat stat_of(const fs::path& path) {
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status;
}

}  // namespace

TEST_CASE("cli ingest --link: large files become blobs, small ones are copied, and the report says which") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  test::write_file(folder / "in/large", test::noise(900'000, 1));
  test::write_file(folder / "in/small", test::noise(900, 2));
  const auto result = mediactl({"--store", store, "ingest", "--any", "--link", "--json", (folder / "in").string()});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const auto lines = json_lines(result.out);
  CHECK(cli::find(lines, "path", (folder / "in/large").string()).at("shared") == "link");
  CHECK(cli::find(lines, "path", (folder / "in/small").string()).at("shared").is_null());
  CHECK(lines.summary.at("shared") == 1);
  CHECK(lines.summary.at("shared_bytes") == 900'000);
  CHECK(lines.summary.at("copied") == 1);
  CHECK(lines.summary.at("copied_because").at("it is small") == 1);
  CHECK_THAT(result.err, ContainsSubstring("copied 1 file instead: it is small"));
  CHECK(stat_of(folder / "in/large").st_nlink == 2);
  CHECK((stat_of(folder / "in/large").st_mode & 0222U) == 0U);
  CHECK(stat_of(folder / "in/small").st_nlink == 1);
  CHECK((stat_of(folder / "in/small").st_mode & 0200U) != 0U);
  CHECK(mediactl({"--store", store, "verify"}).exit_code == 0);

  // What is there already is linked by nobody; a file that is refused keeps its permissions.
  test::write_file(folder / "twin/large", test::noise(900'000, 1));
  const auto twin = json_lines(mediactl({"--store", store, "ingest", "--any", "--link", "--json", (folder / "twin").string()}).out);
  CHECK(twin.summary.at("duplicate") == 1);
  CHECK(twin.summary.at("shared") == 0);
  CHECK((stat_of(folder / "twin/large").st_mode & 0200U) != 0U);
  test::write_file(folder / "bad/page.jpg", std::string(400'000, 'x'));
  CHECK(mediactl({"--store", store, "ingest", "--link", (folder / "bad").string()}).exit_code == 1);
  CHECK((stat_of(folder / "bad/page.jpg").st_mode & 0200U) != 0U);

  // Its owner changes it all the same: found out, named, and not handed out.
  REQUIRE(::chmod((folder / "in/large").c_str(), 0644) == 0);
  test::write_file(folder / "in/large", test::noise(900'000, 3));
  const auto damaged = mediactl({"--store", store, "verify", "--json"});
  CHECK(damaged.exit_code == 1);
  CHECK(json_lines(damaged.out).summary.at("damaged") == 1);
  const Json line = cli::find(lines, "path", (folder / "in/large").string());
  CHECK(mediactl({"--store", store, "cat", std::to_string(line.at("id").get<int>())}).exit_code == 9);
  CHECK(mediactl({"--store", store, "ingest", "--link", "--reflink", (folder / "in").string()}).exit_code == 2);
}

TEST_CASE("cli ingest --reflink: blocks are shared on a file system that can, else bytes are copied, and it is said") {
  const test::TempFolder folder;
  const test::XfsDisk disk(folder.path());
  if (!disk.made()) return;
  test::write_file(disk / "in/large", test::noise(5'000'000, 1));
  test::write_file(folder / "elsewhere", test::noise(700'000, 2));
  const std::string store = (disk / "store").string();
  const auto result =
      mediactl({"--store", store, "ingest", "--any", "--reflink", "--json", (disk / "in").string(), (folder / "elsewhere").string()});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const auto lines = json_lines(result.out);
  CHECK(cli::find(lines, "path", (disk / "in/large").string()).at("shared") == "reflink");
  CHECK(cli::find(lines, "path", (folder / "elsewhere").string()).at("shared").is_null());
  CHECK(lines.summary.at("copied_because").at("it is on another file system than the store") == 1);
  CHECK((stat_of(disk / "in/large").st_mode & 0200U) != 0U);
  test::write_file(disk / "in/large", test::noise(5'000'000, 3));
  CHECK(mediactl({"--store", store, "verify"}).exit_code == 0);
  const auto doctor = json_lines(mediactl({"--store", store, "doctor", "--json"}).out);
  CHECK(cli::find(doctor, "check", "disk").at("facts").at("reflinks") == true);
}

// mediactl ingest --reflink: what is not copied, and what has to be.
#include <sys/stat.h>

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

TEST_CASE("cli ingest --reflink: blocks are shared on a file system that can, else bytes are copied, and it is said") {
  const test::TempFolder folder;
  const test::XfsDisk disk(folder.path());
  if (!disk.made()) return;
  test::write_file(disk / "in/large", test::noise(5'000'000, 1));
  test::write_file(disk / "in/small", test::noise(900, 4));
  test::write_file(folder / "elsewhere", test::noise(700'000, 2));
  const std::string store = (disk / "store").string();
  const auto result =
      mediactl({"--store", store, "ingest", "--any", "--reflink", "--json", (disk / "in").string(), (folder / "elsewhere").string()});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const auto lines = json_lines(result.out);
  CHECK(cli::find(lines, "path", (disk / "in/large").string()).at("shared") == "reflink");
  CHECK(cli::find(lines, "path", (folder / "elsewhere").string()).at("shared").is_null());
  CHECK(lines.summary.at("copied_because").at("it is small") == 1);
  CHECK(lines.summary.at("copied_because").at("it is on another file system than the store") == 1);
  CHECK((stat_of(disk / "in/large").st_mode & 0200U) != 0U);
  test::write_file(disk / "in/large", test::noise(5'000'000, 3));
  CHECK(mediactl({"--store", store, "verify"}).exit_code == 0);
  const auto doctor = json_lines(mediactl({"--store", store, "doctor", "--json"}).out);
  CHECK(cli::find(doctor, "check", "disk").at("facts").at("reflinks") == true);
}

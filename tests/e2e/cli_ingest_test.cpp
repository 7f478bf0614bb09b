// mediactl ingest: folders, results a file, and every kind of bad input.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include <cstdlib>
#include <map>

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

  test::RunResult ingest(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"--store", store, "ingest", "--json", in.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return mediactl(arguments);
  }
  [[nodiscard]] Json status_of(const cli::Lines& lines, const std::string& name) const {
    return cli::find(lines, "path", (in / name).string());
  }
};

}  // namespace

TEST_CASE("cli ingest: a folder is walked, each file gets one line, a second time all are duplicates") {
  const Place place;
  test::write_file(place.in / "b/two.png", cli::png(32, 24, 2));
  test::write_file(place.in / "a/one.png", cli::png(48, 36, 1));
  test::write_file(place.in / ".hidden.png", cli::png(16, 16, 3));
  const auto first = place.ingest();
  INFO(first.err);
  REQUIRE(first.exit_code == 0);
  CHECK(first.err.empty());
  const auto lines = json_lines(first.out);
  REQUIRE(lines.objects.size() == 3);
  const Json one = place.status_of(lines, "a/one.png");
  CHECK(one.at("status") == "stored");
  CHECK(one.at("id").get<int>() > 0);
  CHECK(one.at("digest").get<std::string>().size() == 64);
  CHECK(one.at("media_type") == "image/png");
  CHECK(one.at("width") == 48);
  CHECK(one.at("height") == 36);
  CHECK(one.at("reason").is_null());
  CHECK(one.size() == 8);
  CHECK(lines.summary.at("stored") == 3);
  CHECK(lines.summary.at("files") == 3);

  const auto again = json_lines(place.ingest().out);
  CHECK(again.summary.at("duplicate") == 3);
  CHECK(again.summary.at("stored") == 0);
  CHECK(place.status_of(again, "a/one.png").at("id") == one.at("id"));
  CHECK(place.status_of(again, "a/one.png").at("status") == "duplicate");
  CHECK(json_lines(mediactl({"--store", place.store, "ls", "--json"}).out).objects.size() == 3);
}

TEST_CASE("cli ingest: text mode says one line a file and a summary") {
  const Place place;
  test::write_file(place.in / "one.png", cli::png(20, 20));
  test::write_file(place.in / "page.jpg", "<html>no</html>");
  const auto result = mediactl({"ingest", place.in.string(), "--store", place.store});
  CHECK(result.exit_code == 1);
  const auto lines = cli::text_lines(result.out);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].starts_with("stored"));
  CHECK_THAT(lines[1], ContainsSubstring("1 stored, 0 duplicate, 1 refused, 0 failed"));
  CHECK(result.err.starts_with("mediactl: refused '" + (place.in / "page.jpg").string() + "': "));
  CHECK(cli::text_lines(result.err).size() == 1);
  const auto quiet = mediactl({"ingest", place.in.string(), "--store", place.store, "--quiet"});
  CHECK(quiet.exit_code == 1);
  CHECK(quiet.out.empty());
  CHECK(cli::text_lines(quiet.err).size() == 1);
}

TEST_CASE("cli ingest: each kind of bad file ends in its own line and stops none of the others") {
  const Place place;
  const auto jpeg = cli::jpeg(200, 150);
  test::write_file(place.in / "good.png", cli::png(32, 32));
  test::write_file(place.in / "empty.jpg", "");
  test::write_file(place.in / "png-named.jpg", cli::png(32, 32, 5));
  test::write_file(place.in / "html-named.jpg", "<!doctype html><html><body>hello</body></html>");
  test::write_file(place.in / "truncated.jpg", std::span(jpeg).first(jpeg.size() / 2));
  test::write_file(place.in / "bomb.png", cli::hollow_png(30'000, 30'000, 100'000));
  test::write_file(place.in / std::string("latin-\xE9.png"), cli::png(24, 24, 6));
  REQUIRE(::mkfifo((place.in / "fifo.jpg").c_str(), 0600) == 0);
  fs::create_directories(place.in / "folder.jpg");
  const int big = ::open((place.in / "sparse.jpg").c_str(), O_WRONLY | O_CREAT, 0600);
  REQUIRE(big >= 0);
  REQUIRE(::pwrite(big, jpeg.data(), jpeg.size(), 0) == static_cast<ssize_t>(jpeg.size()));
  REQUIRE(::ftruncate(big, 5LL << 30) == 0);
  REQUIRE(::close(big) == 0);

  const auto result = place.ingest({(place.folder / "vanished.png").string(), "--jobs", "2"});
  CHECK(result.exit_code == 1);
  const auto lines = json_lines(result.out);
  CHECK(place.status_of(lines, "good.png").at("status") == "stored");
  for (const char* name : {"empty.jpg", "png-named.jpg", "html-named.jpg", "bomb.png", "sparse.jpg"}) {
    INFO(name);
    const Json line = place.status_of(lines, name);
    CHECK(line.at("status") == "refused");
    CHECK(line.at("id").is_null());
    CHECK_FALSE(line.at("reason").get<std::string>().empty());
    CHECK_THAT(result.err, ContainsSubstring((place.in / name).string()));
  }
  // Where the header ends early it is refused, where only the pixels do, decoding fails.
  const Json cut = place.status_of(lines, "truncated.jpg");
  CHECK((cut.at("status") == "refused" || cut.at("status") == "failed"));
  CHECK_FALSE(cut.at("reason").get<std::string>().empty());
  CHECK(place.status_of(lines, "fifo.jpg").at("status") == "failed");
  CHECK_THAT(place.status_of(lines, "fifo.jpg").at("reason").get<std::string>(), ContainsSubstring("FIFO"));
  const Json vanished = cli::find(lines, "path", (place.folder / "vanished.png").string());
  CHECK(vanished.at("status") == "failed");
  CHECK(vanished.at("reason") == "No such file or directory");
  // The name is no UTF-8: JSON shows a replacement, the file comes in all the same.
  const Json latin = place.status_of(lines, "latin-\xEF\xBF\xBD.png");
  REQUIRE(latin.is_object());
  CHECK(latin.at("status") == "stored");
  CHECK(lines.summary.at("files") == lines.objects.size());
  CHECK(cli::text_lines(result.err).size() ==
        lines.summary.at("refused").get<std::size_t>() + lines.summary.at("failed").get<std::size_t>());

  // Nothing half-done stays: what is in the store is whole and catalogued, and no temp file is left.
  CHECK(mediactl({"--store", place.store, "verify"}).exit_code == 0);
  CHECK(test::count_files(fs::path(place.store) / "temp") <= 1);  // a lock, if anything
}

TEST_CASE("cli ingest: an unreadable file fails alone") {
  const Place place;
  fs::permissions(place.folder.path(), fs::perms(0755));
  test::write_file(place.in / "good.png", cli::png(32, 32));
  test::write_file(place.in / "secret.png", cli::png(16, 16, 2));
  fs::permissions(place.in / "secret.png", fs::perms::none);
  fs::create_directory(place.in / "locked");
  fs::permissions(place.in / "locked", fs::perms::none);
  fs::create_directory(place.store);
  fs::permissions(place.store, fs::perms(0777));
  const auto result = cli::mediactl_as_nobody({"--store", place.store, "--json", "ingest", "--isolation", "none", place.in.string()});
  if (!result) {
    WARN("not tested: another user cannot run the binary here");
    return;
  }
  CHECK(result->exit_code == 1);
  const auto lines = json_lines(result->out);
  CHECK(place.status_of(lines, "good.png").at("status") == "stored");
  for (const char* name : {"secret.png", "locked"}) {
    CHECK(place.status_of(lines, name).at("status") == "failed");
    CHECK(place.status_of(lines, name).at("reason") == "Permission denied");
    CHECK_THAT(result->err, ContainsSubstring("mediactl: failed '" + (place.in / name).string() + "': Permission denied"));
  }
}

TEST_CASE("cli: a store without the permission to write it is one clear sentence and exit code 4") {
  const Place place;
  fs::permissions(place.folder.path(), fs::perms(0755));
  for (unsigned i = 0; i < 20; ++i) test::write_file(place.in / (std::to_string(i) + ".bin"), test::noise(100, i));
  REQUIRE(place.ingest({"--any"}).exit_code == 0);
  fs::permissions(place.store, fs::perms(0555));
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"ingest", "--any", place.in.string()}, {"ls"}, {"verify"}, {"rm", "1"}, {"gc"}}) {
    auto arguments = command;
    arguments.insert(arguments.begin(), {"--store", place.store});
    const auto result = cli::mediactl_as_nobody(arguments);
    if (!result) {
      WARN("not tested: another user cannot run the binary here");
      return;
    }
    INFO(command.front() << ": " << result->err);
    CHECK(result->exit_code == 4);
    CHECK(cli::text_lines(result->err).size() == 1);
    CHECK(result->out.empty());
  }
}

TEST_CASE("cli: a store on a read-only filesystem is read and verified, and takes nothing in") {
  const Place place;
  test::write_file(place.in / "one.png", cli::png(20, 20));
  REQUIRE(place.ingest().exit_code == 0);
  const auto run = [&](std::vector<std::string> command) {
    const std::string script = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" || exit 77; shift; exec \"$@\"";
    command.insert(command.begin(), {"unshare", "-m", "sh", "-c", script, "sh", place.store, cli::program(), "--store", place.store});
    return test::run(command);
  };
  const auto list = run({"ls", "--json"});
  if (list.exit_code == 77 || list.err.starts_with("unshare:")) {
    WARN("not tested: no filesystem may be mounted here");
    return;
  }
  INFO(list.err);
  REQUIRE(list.exit_code == 0);
  CHECK(json_lines(list.out).objects.size() == 1);
  const auto verified = run({"verify"});
  INFO(verified.err);
  CHECK(verified.exit_code == 0);
  CHECK(test::bytes(run({"cat", "1"}).out) == test::read_file(place.in / "one.png"));
  test::write_file(place.in / "two.png", cli::png(20, 20, 2));
  const auto refused = run({"ingest", place.in.string()});
  INFO(refused.err);
  CHECK(refused.exit_code == 4);
  CHECK(cli::text_lines(refused.err).size() == 1);
}

TEST_CASE("cli ingest: a full disk stops the run with one sentence and exit code 5") {
  const Place place;
  for (unsigned i = 0; i < 300; ++i) test::write_file(place.in / (std::to_string(i) + ".bin"), test::noise(60'000, i));
  fs::create_directories(place.store);
  const std::string script = "mount -t tmpfs -o size=6m none \"$1\" || exit 77; shift; exec \"$@\"";
  const auto result = test::run({"unshare", "-m", "sh", "-c", script, "sh", place.store, cli::program(), "--store", place.store, "--json",
                                 "ingest", "--any", place.in.string()});
  if (result.exit_code == 77 || result.err.starts_with("unshare:")) {
    WARN("not tested: no filesystem may be mounted here");
    return;
  }
  CHECK(result.exit_code == 5);
  INFO(result.err);
  CHECK(cli::text_lines(result.err).size() == 1);
  // Bytes or catalog, whichever meets the end first.
  const bool said = result.err.find("No space left") != std::string::npos || result.err.find("disk is full") != std::string::npos;
  CHECK(said);
  const auto lines = json_lines(result.out);
  CHECK(lines.summary.at("code") == "no_space");
  CHECK(lines.summary.at("files").get<int>() <= 300);
}

TEST_CASE("cli ingest: a catalog from a newer version is refused with exit code 7 and left alone") {
  const Place place;
  test::write_file(place.in / "one.png", cli::png(20, 20));
  REQUIRE(place.ingest().exit_code == 0);
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open((place.store + "/catalog.db").c_str(), &database) == SQLITE_OK);
  // Every column of the newest migration's row is kept, but for its number.
  const char* newer =
      "INSERT INTO schema_migration (number, name, checksum) SELECT 9999, name, checksum FROM schema_migration ORDER BY number DESC LIMIT "
      "1";
  char* message = nullptr;
  const int done = sqlite3_exec(database, newer, nullptr, nullptr, &message);
  INFO((message != nullptr ? message : ""));
  sqlite3_free(message);
  sqlite3_close(database);
  REQUIRE(done == SQLITE_OK);
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{{"ls"}, {"verify"}, {"ingest", place.in.string()}}) {
    auto arguments = command;
    arguments.insert(arguments.begin(), {"--store", place.store});
    const auto result = mediactl(arguments);
    INFO(command.front() << ": " << result.err);
    CHECK(result.exit_code == 7);
    CHECK(cli::text_lines(result.err).size() == 1);
  }
}

TEST_CASE("cli ingest: links inside folders are skipped, links on the command line are followed, loops end") {
  const Place place;
  test::write_file(place.in / "real.png", cli::png(20, 20));
  fs::create_directory_symlink(place.in, place.in / "loop");
  fs::create_symlink("real.png", place.in / "also.png");
  const auto walked = place.ingest();
  CHECK(walked.exit_code == 0);
  CHECK(json_lines(walked.out).objects.size() == 1);
  CHECK(json_lines(walked.out).summary.at("skipped") == 2);
  CHECK(cli::text_lines(walked.err).size() == 2);
  const auto named = mediactl({"--store", place.store, "--json", "ingest", (place.in / "also.png").string()});
  CHECK(json_lines(named.out).summary.at("duplicate") == 1);
}

TEST_CASE("cli ingest: the store's own folder is not taken in") {
  const Place place;
  test::write_file(place.in / "one.png", cli::png(20, 20));
  const std::string inside = (place.in / "store").string();
  for (int i = 0; i < 2; ++i) {
    const auto result = mediactl({"--store", inside, "--json", "ingest", "--any", place.in.string()});
    CHECK(result.exit_code == 0);
    CHECK(json_lines(result.out).objects.size() == 1);
    CHECK_THAT(result.err, ContainsSubstring("the store itself"));
  }
}

TEST_CASE("cli ingest: names that a command line parser could take for something else") {
  const Place place;
  test::write_file(place.in / "ls", cli::png(20, 20, 1));
  test::write_file(place.in / "[a,b]", cli::png(20, 20, 2));
  test::write_file(place.in / "-x.png", cli::png(20, 20, 3));
  const auto result = test::run({"sh", "-c", "cd \"$1\" && exec \"$0\" --store \"$2\" --json ingest ls '[a,b]' -- -x.png '' ",
                                 cli::program(), place.in.string(), place.store});
  INFO(result.err);
  CHECK(result.exit_code == 1);
  const auto lines = json_lines(result.out);
  CHECK(lines.summary.at("stored") == 3);
  CHECK(cli::find(lines, "path", "").at("status") == "failed");
}

TEST_CASE("cli ingest: --any takes everything and makes no renditions") {
  const Place place;
  test::write_file(place.in / "page.html", "<html></html>");
  test::write_file(place.in / "empty.bin", "");
  test::write_file(place.in / "one.png", cli::png(20, 20));
  const auto result = place.ingest({"--any"});
  INFO(result.err);
  CHECK(result.exit_code == 0);
  CHECK(json_lines(result.out).summary.at("stored") == 3);
  for (const Json& media : json_lines(mediactl({"--store", place.store, "ls", "--json"}).out).objects)
    CHECK(media.at("renditions").empty());
}

TEST_CASE("cli ingest: --no-renditions leaves the work queued, a second ingest does it") {
  const Place place;
  test::write_file(place.in / "one.png", cli::png(20, 20));
  CHECK(place.ingest({"--no-renditions"}).exit_code == 0);
  const auto queued = json_lines(mediactl({"--store", place.store, "info", "1", "--json"}).out).objects.at(0);
  CHECK(queued.at("processing_status") == "Processing");
  CHECK(queued.at("renditions").empty());
  const auto again = json_lines(place.ingest().out);
  CHECK(again.summary.at("duplicate") == 1);
  const auto done = json_lines(mediactl({"--store", place.store, "info", "1", "--json"}).out).objects.at(0);
  CHECK(done.at("processing_status") == "Complete");
  CHECK(done.at("renditions").size() == 9);
}

TEST_CASE("cli ingest: owner and visibility are kept") {
  const Place place;
  test::write_file(place.in / "one.png", cli::png(20, 20));
  REQUIRE(place.ingest({"--owner", "ann", "--visibility", "public"}).exit_code == 0);
  const auto media = json_lines(mediactl({"--store", place.store, "ls", "--json", "--owner", "ann"}).out).objects.at(0);
  CHECK(media.at("owner_id") == "ann");
  CHECK(media.at("visibility") == "public");
}

TEST_CASE("cli ingest: many small files with several jobs all come in, once each") {
  const Place place;
  for (unsigned i = 0; i < 1500; ++i)
    test::write_file(place.in / std::to_string(i % 7) / (std::to_string(i) + ".bin"), test::noise(500 + i, i));
  const auto result = place.ingest({"--any", "--jobs", "4"});
  CHECK(result.exit_code == 0);
  const auto lines = json_lines(result.out);
  CHECK(lines.objects.size() == 1500);
  CHECK(lines.summary.at("stored") == 1500);
  const auto verified = json_lines(mediactl({"--store", place.store, "verify", "--json"}).out);
  CHECK(verified.summary.at("blobs") == 1500);
  CHECK(verified.summary.at("intact") == true);
}

TEST_CASE("cli ingest: equal files within one run are stored once") {
  const Place place;
  for (unsigned i = 0; i < 40; ++i) test::write_file(place.in / (std::to_string(i) + ".png"), cli::png(20, 20, i % 4));
  const auto lines = json_lines(place.ingest({"--jobs", "2"}).out);
  CHECK(lines.summary.at("stored") == 4);
  CHECK(lines.summary.at("duplicate") == 36);
}

TEST_CASE("cli ingest: the whole shared corpus keeps to its manifest") {
  const auto shared = test::shared_folder();
  if (!shared || std::getenv("MEDIA_TEST_CORPUS") == nullptr) return;  // minutes long: for the closing note
  const Place place;
  const auto result = test::run({cli::program(), "--store", place.store, "--json", "ingest", (*shared / "corpus").string()}, {}, 1800);
  CHECK(result.exit_code == 1);
  std::map<std::string, std::string> status;
  for (const Json& line : json_lines(result.out).objects) status[line.at("path")] = line.at("status");
  const auto manifest = cli::text_lines(test::read_text(*shared / "corpus/MANIFEST.tsv"));
  for (std::size_t i = 1; i < manifest.size(); ++i) {
    std::vector<std::string> fields;
    std::string rest = manifest[i];
    for (std::size_t tab = 0; (tab = rest.find('\t')) != std::string::npos; rest.erase(0, tab + 1)) fields.push_back(rest.substr(0, tab));
    if (!fields.at(3).starts_with("image/")) continue;
    const std::string got = status[(*shared / "corpus" / fields.at(0)).string()];
    INFO(fields.at(0) << ": " << got);
    if (fields.at(7) == "accept") CHECK((got == "stored" || got == "duplicate"));
    if (fields.at(7) == "reject") CHECK((got == "refused" || got == "failed"));
  }
}

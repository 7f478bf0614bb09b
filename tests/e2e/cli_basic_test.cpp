// Every command on good input, and what scripts rely on: exit codes, JSON, streams.
#include <sys/stat.h>

#include "catch.hpp"
#include "cli_support.hpp"
#include "sanitized.hpp"

namespace fs = std::filesystem;
using cli::json_lines;
using cli::mediactl;

namespace {

/// A store with two PNGs and some bytes of no kind: media 1 to 3.
struct Filled {
  test::TempFolder folder;
  std::string store = (folder / "store").string();
  std::vector<std::byte> first = cli::png(40, 30, 1);

  Filled() {
    test::write_file(folder / "in/a.png", first);
    test::write_file(folder / "in/b.png", cli::png(64, 48, 2));
    REQUIRE(mediactl({"--store", store, "ingest", "--jobs", "1", (folder / "in/a.png").string()}).exit_code == 0);
    REQUIRE(mediactl({"--store", store, "ingest", "--jobs", "1", (folder / "in/b.png").string()}).exit_code == 0);
    test::write_file(folder / "in/notes.bin", "no picture at all");
    REQUIRE(mediactl({"--store", store, "ingest", "--any", (folder / "in/notes.bin").string()}).exit_code == 0);
  }
};

}  // namespace

TEST_CASE("cli: --version and --help go to standard output and succeed") {
  const auto version = mediactl({"--version"});
  CHECK(version.exit_code == 0);
  CHECK(version.out.starts_with("mediactl "));
  CHECK(version.err.empty());
  const auto help = mediactl({"--help"});
  CHECK(help.exit_code == 0);
  for (const char* name : {"init", "ingest", "ls", "info", "cat", "derive", "renditions", "verify", "gc", "rm"}) {
    CHECK_THAT(help.out, ContainsSubstring(std::string("  ") + name));
    const auto own = mediactl({name, "--help"});
    CHECK(own.exit_code == 0);
    CHECK_THAT(own.out, ContainsSubstring("Options of every command"));
    CHECK(own.err.empty());
  }
}

TEST_CASE("cli: the exit codes of --help are those of docs/cli.md") {
  const std::string page = test::read_text(MEDIA_SOURCE_DIR "/docs/cli.md");
  const auto help = mediactl({"--help"}).out;
  std::size_t codes = 0;
  bool in_table = false;
  for (const std::string& line : cli::text_lines(help)) {
    if (in_table && line.starts_with("  ")) {
      const std::size_t end = line.find(' ', 2);
      const std::size_t meaning = line.find_first_not_of(' ', end);
      const std::string row = "| " + line.substr(2, end - 2) + " | " + line.substr(meaning) + " |";
      INFO(row);
      CHECK(page.find(row) != std::string::npos);
      ++codes;
    }
    in_table = in_table || line == "Exit codes:";
  }
  CHECK(codes == 14);
}

TEST_CASE("cli: a wrong command line exits with 2, says why, and touches nothing") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"frobnicate"},
      {"--store", store, "ingest"},
      {"--store", store, "ingest", "--jobs", "0", "x"},
      {"--store", store, "ingest", "--visibility", "secret", "x"},
      {"--store", store, "info", "seven"},
      {"--store", store, "info", "0"},
      {"--store", store, "rm", "1", "two"},
      {"--store", store, "gc", "--grace", "soon"},
      {"--store", store, "ls", "--status", "Lost"},
      {"--store", store, "ls", "--no-such-option"},
      {"ls"},  // no store at all
  };
  for (const auto& arguments : wrong) {
    std::string shown;
    for (const auto& argument : arguments) shown += argument + " ";
    INFO(shown);
    const auto result = mediactl(arguments, {"MEDIA_STORE="});
    CHECK(result.exit_code == 2);
    CHECK(result.err.starts_with("mediactl: "));
    CHECK(result.out.empty());
  }
  CHECK_FALSE(fs::exists(store));
}

TEST_CASE("cli: init makes a store once and says so") {
  const test::TempFolder folder;
  const std::string store = (folder / "deep/store").string();
  const auto made = mediactl({"init", "--store", store, "--json"});
  REQUIRE(made.exit_code == 0);
  CHECK(json_lines(made.out).summary.at("created") == true);
  CHECK(fs::exists(store + "/catalog.db"));
  const auto again = mediactl({"--store", store, "--json", "init"});
  CHECK(again.exit_code == 0);
  CHECK(json_lines(again.out).summary.at("created") == false);
}

TEST_CASE("cli: commands but ingest and init do not make a store") {
  const test::TempFolder folder;
  const std::string store = (folder / "none").string();
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"ls"}, {"info", "1"}, {"cat", "1"}, {"verify"}, {"gc"}, {"rm", "1"}, {"similar", "1"}, {"describe"}}) {
    auto arguments = command;
    arguments.insert(arguments.end(), {"--store", store});
    INFO(command.front());
    const auto result = mediactl(arguments);
    CHECK(result.exit_code == 3);
    CHECK_THAT(result.err, ContainsSubstring("cannot open store '" + store + "'"));
    CHECK(cli::text_lines(result.err).size() == 1);
    CHECK_FALSE(fs::exists(store));
    arguments.emplace_back("--json");
    if (command.front() == "cat") continue;  // its JSON needs -o
    const auto lines = json_lines(mediactl(arguments).out);
    CHECK(lines.summary.at("code") == "not_found");
  }
}

TEST_CASE("cli: MEDIA_STORE names the store, --store wins, before and after the command") {
  const Filled filled;
  CHECK(json_lines(mediactl({"ls", "--json"}, {"MEDIA_STORE=" + filled.store}).out).objects.size() == 3);
  CHECK(json_lines(mediactl({"ls", "--json", "--store", filled.store}, {"MEDIA_STORE=/nonexistent"}).out).objects.size() == 3);
  CHECK(json_lines(mediactl({"--json", "--store", filled.store, "ls"}, {"MEDIA_STORE=/nonexistent"}).out).objects.size() == 3);
}

TEST_CASE("cli: ls lists media objects of the HTTP contract, page by page and by filters") {
  const Filled filled;
  const auto all = json_lines(mediactl({"--store", filled.store, "ls", "--json"}).out);
  REQUIRE(all.objects.size() == 3);
  CHECK(all.summary.at("count") == 3);
  CHECK(all.summary.at("next_after").is_null());
  const auto& media = all.objects[0];
  CHECK(media.at("id") == 1);
  CHECK(media.at("original_filename") == "a.png");
  CHECK(media.at("media_type") == "image/png");
  CHECK(media.at("file_size") == filled.first.size());
  CHECK(media.at("processing_status") == "Complete");
  CHECK(media.at("visibility") == "private");
  CHECK(media.at("owner_id") == "local");
  CHECK(media.at("width") == 40);
  CHECK(media.at("height") == 30);
  CHECK(media.at("duration_ms").is_null());
  CHECK(media.at("placeholder").get<std::string>().starts_with("#"));
  const std::string digest = media.at("content_hash");
  CHECK(digest.size() == 64);
  CHECK(media.at("media_path") == digest.substr(0, 2) + "/" + digest.substr(2, 2) + "/" + digest.substr(4, 2) + "/" + digest);
  CHECK(test::find_blob(filled.store, digest));
  CHECK(media.at("uploaded_at").get<std::string>().ends_with("Z"));
  CHECK(media.at("updated_at").get<std::string>().ends_with("Z"));
  REQUIRE(media.at("renditions").size() == 9);  // three presets, three formats
  CHECK(media.at("renditions")[0].at("preset").is_string());
  CHECK(media.at("renditions")[0].at("size").get<std::uint64_t>() > 0);

  const auto page = json_lines(mediactl({"--store", filled.store, "ls", "--json", "--limit", "2"}).out);
  CHECK(page.objects.size() == 2);
  CHECK(page.summary.at("next_after") == 2);
  const auto rest = json_lines(mediactl({"--store", filled.store, "ls", "--json", "--limit", "2", "--after", "2"}).out);
  REQUIRE(rest.objects.size() == 1);
  CHECK(rest.objects[0].at("id") == 3);
  CHECK(rest.objects[0].at("media_type") == "application/octet-stream");
  CHECK(rest.objects[0].at("width").is_null());
  CHECK(json_lines(mediactl({"--store", filled.store, "ls", "--json", "--type", "image/"}).out).objects.size() == 2);
  CHECK(json_lines(mediactl({"--store", filled.store, "ls", "--json", "--name", "B.P"}).out).objects.size() == 1);
  CHECK(json_lines(mediactl({"--store", filled.store, "ls", "--json", "--owner", "somebody"}).out).objects.empty());
  CHECK(json_lines(mediactl({"--store", filled.store, "ls", "--json", "--status", "Failed"}).out).objects.empty());
  const auto newest = json_lines(mediactl({"--store", filled.store, "ls", "--json", "--reverse", "--limit", "1"}).out);
  CHECK(newest.objects.at(0).at("id") == 3);

  const auto text = mediactl({"--store", filled.store, "ls"});
  CHECK(cli::text_lines(text.out).size() == 3);
  CHECK_THAT(text.out, ContainsSubstring("a.png"));
  CHECK(mediactl({"--store", filled.store, "ls", "--quiet"}).out.empty());
}

TEST_CASE("cli: info shows one media, and exits with 3 where there is none") {
  const Filled filled;
  const auto lines = json_lines(mediactl({"--store", filled.store, "info", "2", "--json"}).out);
  REQUIRE(lines.objects.size() == 1);
  CHECK(lines.objects[0].at("original_filename") == "b.png");
  const auto text = mediactl({"--store", filled.store, "info", "2"});
  CHECK_THAT(text.out, ContainsSubstring("64x48"));
  const auto none = mediactl({"--store", filled.store, "info", "99"});
  CHECK(none.exit_code == 3);
  CHECK(none.err == "mediactl: no media 99 in the store\n");
}

TEST_CASE("cli: cat gives the original back, byte for byte") {
  const Filled filled;
  const std::string id = "1";
  const auto shown = mediactl({"--store", filled.store, "cat", id});
  CHECK(shown.exit_code == 0);
  CHECK(test::bytes(shown.out) == filled.first);
  const std::string copy = (filled.folder / "copy.png").string();
  const auto written = mediactl({"--store", filled.store, "cat", id, "-o", copy, "--json"});
  CHECK(written.exit_code == 0);
  CHECK(json_lines(written.out).summary.at("bytes") == filled.first.size());
  CHECK(test::read_file(copy) == filled.first);
  CHECK(mediactl({"--store", filled.store, "cat", "77"}).exit_code == 3);
  CHECK(mediactl({"--store", filled.store, "cat", id, "--json"}).exit_code == 2);
  const auto nowhere = mediactl({"--store", filled.store, "cat", id, "-o", (filled.folder / "no/such/x").string()});
  CHECK(nowhere.exit_code == 3);
  CHECK(cli::text_lines(nowhere.err).size() == 1);
}

TEST_CASE("cli: cat -o writes a device straight, and never over it") {
  const Filled filled;
  CHECK(mediactl({"--store", filled.store, "cat", "1", "-o", "/dev/null"}).exit_code == 0);
  struct stat status{};
  REQUIRE(::stat("/dev/null", &status) == 0);
  CHECK(S_ISCHR(status.st_mode));
}

TEST_CASE("cli: a full standard output is an error, not a short list") {
  const Filled filled;
  const auto result = test::run({"sh", "-c", "exec \"$0\" --store \"$1\" ls > /dev/full", cli::program(), filled.store});
  CHECK(result.exit_code == 5);
  CHECK_THAT(result.err, ContainsSubstring("standard output"));
}

TEST_CASE("cli: rm and gc remove a media and then its bytes") {
  const Filled filled;
  const std::string digest = json_lines(mediactl({"--store", filled.store, "info", "1", "--json"}).out).objects[0].at("content_hash");
  const auto removed = mediactl({"--store", filled.store, "rm", "1", "--json"});
  CHECK(removed.exit_code == 0);
  CHECK(json_lines(removed.out).objects.at(0).at("status") == "removed");
  const auto some = mediactl({"--store", filled.store, "rm", "1", "2", "--json"});
  CHECK(some.exit_code == 1);
  const auto lines = json_lines(some.out);
  CHECK(lines.objects.at(0).at("status") == "not_found");
  CHECK(lines.objects.at(1).at("status") == "removed");
  CHECK(lines.summary.at("removed") == 1);
  CHECK(lines.summary.at("failed") == 1);

  // Nothing goes before the grace period is over.
  const auto kept = json_lines(mediactl({"--store", filled.store, "gc", "--json"}).out).summary;
  CHECK(kept.at("removed") == 0);
  CHECK(test::find_blob(filled.store, digest));
  std::uint64_t gone = 0;
  for (int i = 0; i < 2; ++i)
    gone += json_lines(mediactl({"--store", filled.store, "gc", "--grace", "0s", "--json"}).out).summary.at("removed").get<std::uint64_t>();
  CHECK(gone >= 2);  // both originals, and what was derived from them
  CHECK_FALSE(test::find_blob(filled.store, digest));
  CHECK(mediactl({"--store", filled.store, "verify"}).exit_code == 0);
}

TEST_CASE("cli: file names cannot speak to the terminal") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  test::write_file(folder / "in/evil\033[2J\nstored 1.png", cli::png(8, 8));
  const auto result = mediactl({"--store", store, "ingest", (folder / "in").string()});
  CHECK(result.exit_code == 0);
  CHECK(result.out.find('\033') == std::string::npos);
  CHECK_THAT(result.out, ContainsSubstring("evil\\x1b[2J\\x0astored 1.png"));
  CHECK(cli::text_lines(result.out).size() == 2);  // the file and the summary
}

TEST_CASE("cli: selftest shows that a worker can do nothing but decode") {
  if (test::kSanitized) return;
  const auto told = mediactl({"selftest"});
  CHECK(told.exit_code == 0);
  CHECK_THAT(told.out, ContainsSubstring("media-worker: refused  read a file (EPERM)\n"));
  CHECK_THAT(told.out, ContainsSubstring("media-video-worker: refused  read a file (EPERM)\n"));
  CHECK_THAT(told.out, ContainsSubstring("locks: seccomp"));
  const auto report = json_lines(mediactl({"--json", "selftest"}).out);
  CHECK(report.summary["holds"] == true);
  CHECK(report.summary["refused"] == report.objects.size());
  CHECK(report.summary["attempts"] == report.objects.size());
  CHECK(report.objects.size() > 15);
  for (const auto& attempt : report.objects) {
    CAPTURE(attempt.dump());
    CHECK(attempt["refused"] == true);
    CHECK(attempt["reason"].is_string());
  }
  // A program that is no worker gives no good report.
  const auto other = mediactl({"selftest"}, {"MEDIA_WORKER=/bin/true"});
  CHECK(other.exit_code == 10);
  CHECK_THAT(other.err, ContainsSubstring("self-test"));
}

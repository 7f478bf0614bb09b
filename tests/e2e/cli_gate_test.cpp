// mediactl quota, ban and quarantine, and what ingest says of them.
#include "catch.hpp"
#include "clamd.hpp"
#include "cli_support.hpp"
#include "pictures.hpp"

using cli::Json;
using cli::json_lines;
using cli::mediactl;

namespace {

struct Store {
  test::RunResult run(std::vector<std::string> arguments, const std::vector<std::string>& environment = {}) {
    arguments.insert(arguments.begin(), {"--store", path, "--json"});
    return mediactl(std::move(arguments), environment);
  }
  std::string file(const std::string& name, unsigned seed) {
    test::write_file(folder / name, cli::png(60, 40, seed));
    return (folder / name).string();
  }

  test::TempFolder folder;
  std::string path = (folder / "store").string();
};

std::string digest_of(const std::string& path) { return test::run({"sha256sum", path}).out.substr(0, 64); }

/// A disc before a ground: what a perceptual hash can tell apart.
std::vector<std::byte> disc(std::uint32_t side, double x, double y) {
  return test::png(side, side, [=](std::uint32_t column, std::uint32_t row) {
    const double dx = column / static_cast<double>(side) - x;
    const double dy = row / static_cast<double>(side) - y;
    return dx * dx + dy * dy < 0.06 ? test::Rgba{250, 240, 200, 255} : test::Rgba{20, static_cast<std::uint8_t>(row * 200 / side), 60, 255};
  });
}

}  // namespace

TEST_CASE("cli quota: shown, set and cleared, and kept by ingest") {
  Store store;
  const std::string one = store.file("one.png", 1);
  const std::string two = store.file("two.png", 2);
  REQUIRE(store.run({"init"}).exit_code == 0);
  CHECK(store.run({"quota", "set", "ada"}).exit_code == 2);
  CHECK(store.run({"quota", "set", "ada", "--media", "many"}).exit_code == 2);
  CHECK(store.run({"quota", "set", "", "--media", "1"}).exit_code == 2);
  REQUIRE(store.run({"quota", "set", "ada", "--media", "1"}).exit_code == 0);
  CHECK(store.run({"ingest", "--no-renditions", "--owner", "ada", one}).exit_code == 0);
  const auto refused = store.run({"ingest", "--no-renditions", "--owner", "ada", one, two});
  CHECK(refused.exit_code == 1);
  const auto lines = json_lines(refused.out);
  CHECK(cli::find(lines, "path", one)["status"] == "duplicate");
  CHECK(cli::find(lines, "path", two)["status"] == "refused");
  CHECK(cli::find(lines, "path", two)["reason"].get<std::string>().starts_with("quota: its owner has 1 media"));

  const auto shown = json_lines(store.run({"quota", "show"}).out);
  REQUIRE(shown.objects.size() == 1);
  CHECK(shown.objects[0]["owner"] == "ada");
  CHECK(shown.objects[0]["own"] == true);
  CHECK(shown.objects[0]["max_media"] == 1);
  CHECK(shown.objects[0]["media"] == 1);
  CHECK(store.run({"quota", "clear", "ada"}).exit_code == 0);
  CHECK(store.run({"quota", "clear", "ada"}).exit_code == 1);
  // The default of all, by the variable that mediad reads too.
  CHECK(store.run({"ingest", "--no-renditions", "--owner", "ada", two}, {"MEDIA_SERVICE_QUOTA_MEDIA=1"}).exit_code == 1);
  CHECK(store.run({"ingest", "--no-renditions", "--owner", "ada", "--quota-bytes", "100", two}).exit_code == 1);
  CHECK(store.run({"ingest", "--no-renditions", "--owner", "ada", two}).exit_code == 0);
  CHECK(json_lines(store.run({"quota", "show", "ada"}).out).objects[0]["own"] == false);
}

TEST_CASE("cli ban: by bytes and by looks, with what is there already told") {
  Store store;
  test::write_file(store.folder / "one.png", disc(200, 0.3, 0.3));
  test::write_file(store.folder / "two.png", disc(200, 0.7, 0.8));
  const std::string one = (store.folder / "one.png").string();
  const std::string two = (store.folder / "two.png").string();
  REQUIRE(store.run({"ingest", one}).exit_code == 0);
  CHECK(store.run({"ban", "add"}).exit_code == 2);
  CHECK(store.run({"ban", "add", "--hash", "xyz"}).exit_code == 2);
  CHECK(store.run({"ban", "add", "--content", "nonsense"}).exit_code == 2);
  CHECK(store.run({"ban", "add", "--like", "99"}).exit_code == 3);
  const auto added = store.run({"ban", "add", "--content", digest_of(one), "--reason", "no"});
  REQUIRE(added.exit_code == 0);
  CHECK(json_lines(added.out).summary["stored"] == 1);
  REQUIRE(json_lines(added.out).objects.size() == 2);
  CHECK(json_lines(added.out).objects[1]["media"] == 1);
  CHECK(json_lines(added.out).objects[1]["status"] == "stored");
  CHECK(store.run({"ban", "add", "--content", digest_of(two)}).exit_code == 0);
  const auto refused = store.run({"ingest", two});
  CHECK(refused.exit_code == 1);
  CHECK(json_lines(refused.out).objects[0]["reason"] == "The file is banned here.");
  CHECK(store.run({"ban", "remove", "1", "2"}).exit_code == 0);
  CHECK(store.run({"ban", "remove", "1"}).exit_code == 1);

  const auto alike = store.run({"ban", "add", "--like", "1", "--reason", "looks bad"});
  REQUIRE(alike.exit_code == 0);
  const auto bans = json_lines(store.run({"ban", "list"}).out);
  REQUIRE(bans.objects.size() == 1);
  CHECK(bans.objects[0]["perceptual_hash"].get<std::string>().size() == 16);
  CHECK(bans.objects[0]["distance"] == 6);
  // The same picture made smaller: other bytes, the same looks.
  test::write_file(store.folder / "copy.png", disc(120, 0.3, 0.3));
  const auto taken = store.run({"ingest", (store.folder / "copy.png").string()});
  CHECK(taken.exit_code == 1);
  CHECK(json_lines(taken.out).objects[0]["status"] == "failed");
  CHECK(json_lines(taken.out).objects[0]["reason"] == "banned");
  const auto kept = json_lines(store.run({"quarantine", "ls"}).out);
  REQUIRE(kept.objects.size() == 1);
  CHECK(kept.objects[0]["reason"] == "banned");
  CHECK(kept.objects[0]["detail"] == "looks bad");
  CHECK(kept.objects[0]["media"].size() == 1);
  CHECK(store.run({"ingest", two}).exit_code == 0);
}

TEST_CASE("cli quarantine: listed, released and purged") {
  Store store;
  const std::string one = store.file("one.png", 1);
  // By a program that does it for a living: an archive appended to a picture.
  const std::string both = store.file("both.png", 2);
  REQUIRE(test::run({"python3", "-c",
                     "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'a') as z: z.writestr('evil.txt', 'x' * 1000)", both})
              .exit_code == 0);
  const auto refused = store.run({"ingest", one, both});
  CHECK(refused.exit_code == 1);
  CHECK(cli::find(json_lines(refused.out), "path", both)["reason"] == "The PNG is a ZIP archive as well, which is not accepted here.");
  const auto held = store.run({"ingest", "--polyglots", "hold", both});
  CHECK(held.exit_code == 0);
  CHECK(json_lines(held.out).objects[0]["reason"] == "kept back: polyglot");
  const auto id = json_lines(held.out).objects[0]["id"].get<int>();
  CHECK(store.run({"cat", std::to_string(id), "-o", (store.folder / "out").string()}).exit_code == 4);
  CHECK(store.run({"quarantine", "release", std::to_string(id)}).exit_code == 1);
  CHECK(store.run({"quarantine", "release", std::to_string(id), "--polyglots", "hold", "--note", "fine"}).exit_code == 0);
  CHECK(store.run({"cat", std::to_string(id), "-o", (store.folder / "out").string()}).exit_code == 0);
  const auto released = json_lines(store.run({"quarantine", "ls", "--released"}).out);
  REQUIRE(released.objects.size() == 1);
  CHECK(released.objects[0]["released_by"] == "fine");
  CHECK(released.objects[0]["forced"] == false);

  CHECK(store.run({"quarantine", "purge", std::to_string(id)}).exit_code == 1);
  REQUIRE(store.run({"quarantine", "put", digest_of(both), "--reason", "infected", "--detail", "by hand"}).exit_code == 0);
  CHECK(mediactl({"--store", store.path, "quarantine", "ls"}).out.find("infected") != std::string::npos);
  const auto purged = store.run({"quarantine", "purge", digest_of(both)});
  REQUIRE(purged.exit_code == 0);
  CHECK(json_lines(purged.out).objects[0]["media"] == Json::array({id}));
  CHECK(json_lines(store.run({"quarantine", "ls"}).out).objects.empty());
  CHECK(store.run({"info", std::to_string(id)}).exit_code == 3);
  CHECK(store.run({"verify"}).exit_code == 0);
  CHECK(store.run({"quarantine", "put", "99"}).exit_code == 3);
  CHECK(store.run({"quarantine", "release"}).exit_code == 2);
}

TEST_CASE("cli ingest: clamd sees everything, and what it could not see is let go once it has") {
  const test::TempFolder folder;
  test::Clamd clamd(folder.path());
  Store store;
  const std::string one = store.file("one.png", 1);
  const std::string two = store.file("two.png", 2);
  test::write_file(store.folder / "bad.bin", std::string("bytes ") + test::kMalware);
  const std::string bad = (store.folder / "bad.bin").string();
  const auto taken = store.run({"ingest", "--any", "--clamd", clamd.unix_address(), one, bad});
  CHECK(taken.exit_code == 1);
  CHECK(cli::find(json_lines(taken.out), "path", one)["status"] == "stored");
  CHECK(cli::find(json_lines(taken.out), "path", bad)["reason"] == "The file is infected (Test.Malware.UNOFFICIAL).");
  CHECK(store.run({"ingest", "--clamd", "localhost:3310", two}).exit_code == 2);
  clamd.kill();
  CHECK(store.run({"ingest", "--clamd", clamd.unix_address(), two}).exit_code == 8);
  CHECK(store.run({"ingest", "--any", "--clamd", clamd.unix_address(), "--unscanned", "hold", two, bad}).exit_code == 0);
  CHECK(json_lines(store.run({"quarantine", "ls"}).out).objects.size() == 2);
  CHECK(store.run({"quarantine", "release", "--unscanned"}).exit_code == 1);
  clamd.start();
  const auto released = store.run({"quarantine", "release", "--unscanned", "--clamd", clamd.unix_address()});
  CHECK(released.exit_code == 1);
  CHECK(json_lines(released.out).summary["released"] == 1);
  CHECK(json_lines(released.out).summary["failed"] == 1);
  CHECK(json_lines(store.run({"quarantine", "ls"}).out).objects[0]["digest"] == digest_of(bad));
}

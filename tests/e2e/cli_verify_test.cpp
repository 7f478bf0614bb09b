// mediactl verify: exactly the damaged blobs, by name.
#include <set>

#include "catch.hpp"
#include "cli_support.hpp"

namespace fs = std::filesystem;
using cli::Json;
using cli::json_lines;
using cli::mediactl;

TEST_CASE("cli verify: one flipped byte among a thousand blobs is named, and only that one") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  for (unsigned i = 0; i < 1000; ++i) test::write_file(folder / "in" / (std::to_string(i) + ".bin"), test::noise(2000 + i, i));
  const auto stored = json_lines(mediactl({"--store", store, "--json", "ingest", "--any", (folder / "in").string()}).out);
  REQUIRE(stored.summary.at("stored") == 1000);
  const auto sound = mediactl({"--store", store, "verify", "--json", "--jobs", "2"});
  CHECK(sound.exit_code == 0);
  CHECK(json_lines(sound.out).objects.empty());
  CHECK(json_lines(sound.out).summary.at("blobs") == 1000);

  const std::string digest = stored.objects.at(417).at("digest");
  test::damage_blob(store, digest, 1234);
  const auto found = mediactl({"--store", store, "verify", "--json", "--jobs", "2"});
  CHECK(found.exit_code == 1);
  const auto lines = json_lines(found.out);
  REQUIRE(lines.objects.size() == 1);
  CHECK(lines.objects[0].at("digest") == digest);
  CHECK(lines.objects[0].at("problem") == "damaged");
  CHECK(lines.summary.at("damaged") == 1);
  CHECK(lines.summary.at("intact") == false);
}

TEST_CASE("cli verify: damaged, missing and stray are told apart, in JSON and in text") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  for (unsigned i = 0; i < 5; ++i) test::write_file(folder / "in" / (std::to_string(i) + ".bin"), test::noise(3000, i));
  const auto stored = json_lines(mediactl({"--store", store, "--json", "ingest", "--any", (folder / "in").string()}).out);
  const auto digest_of = [&](std::size_t i) { return stored.objects.at(i).at("digest").get<std::string>(); };
  test::damage_blob(store, digest_of(0), 0);
  test::damage_blob(store, digest_of(1), 2'999);
  test::lose_blob(store, digest_of(2));
  const std::string stray(64, 'a');
  test::write_file(fs::path(store) / "aa/aa/aa" / stray, "nobody's");
  const auto text = mediactl({"--store", store, "verify"});
  CHECK(text.exit_code == 1);
  CHECK_THAT(text.out, ContainsSubstring("missing"));
  const auto lines = json_lines(mediactl({"--store", store, "verify", "--json"}).out);
  std::map<std::string, std::string> problems;
  for (const Json& fault : lines.objects)
    problems[fault.at("digest").is_null() ? "" : fault.at("digest").get<std::string>()] = fault.at("problem");
  CHECK(problems.size() == 4);
  CHECK(problems[stored.objects.at(0).at("digest")] == "damaged");
  CHECK(problems[stored.objects.at(1).at("digest")] == "damaged");
  CHECK(problems[stored.objects.at(2).at("digest")] == "missing");
  CHECK(problems[stray] == "stray");
}

TEST_CASE("cli: a damaged original is not handed out") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  test::write_file(folder / "in/a.bin", test::noise(5000, 1));
  const auto stored = json_lines(mediactl({"--store", store, "--json", "ingest", "--any", (folder / "in").string()}).out);
  const std::string digest = stored.objects.at(0).at("digest");
  test::damage_blob(store, digest, 77);
  const auto shown = mediactl({"--store", store, "cat", stored.objects.at(0).at("id").dump(), "-o", (folder / "copy").string()});
  CHECK(shown.exit_code == 9);
  CHECK(cli::text_lines(shown.err).size() == 1);
  CHECK_FALSE(fs::exists(folder / "copy"));
}

TEST_CASE("cli pack and unpack: blobs move between segments and files, and are all there") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  for (unsigned i = 0; i < 40; ++i) test::write_file(folder / "in" / (std::to_string(i) + ".bin"), test::noise(1'000 * (i + 1), i));
  test::write_file(folder / "in/large.bin", test::noise(300'000));
  const auto stored =
      json_lines(mediactl({"--store", store, "--json", "ingest", "--any", "--pack-below", "0", (folder / "in").string()}).out);
  REQUIRE(stored.summary.at("stored") == 41);
  CHECK_FALSE(fs::exists(folder / "store/segments"));

  const auto packed = json_lines(mediactl({"--store", store, "pack", "--json"}).out).summary;
  CHECK(packed.at("blobs") == 40);
  CHECK(packed.at("packed_blobs") == 40);
  CHECK(packed.at("segments") == 1);
  const std::string digest = stored.objects.at(7).at("digest");
  CHECK(test::find_blob(store, digest)->in_segment);
  CHECK(mediactl({"--store", store, "verify"}).exit_code == 0);
  CHECK(json_lines(mediactl({"--store", store, "pack", "--json"}).out).summary.at("blobs") == 0);

  const auto unpacked = mediactl({"--store", store, "unpack", "--json"}, {"MEDIA_PACK_BELOW=0"});
  CHECK(json_lines(unpacked.out).summary.at("blobs") == 40);
  CHECK(json_lines(unpacked.out).summary.at("segments") == 0);
  CHECK_FALSE(test::find_blob(store, digest)->in_segment);
  CHECK(mediactl({"--store", store, "verify"}).exit_code == 0);

  // What is damaged stays where it is, and is said.
  test::damage_blob(store, digest, 3);
  const auto with_damage = mediactl({"--store", store, "pack", "--json"});
  CHECK(with_damage.exit_code == 1);
  CHECK(json_lines(with_damage.out).summary.at("damaged") == 1);
  CHECK(json_lines(with_damage.out).summary.at("blobs") == 39);
  CHECK(mediactl({"--store", (folder / "none").string(), "pack"}).exit_code != 0);
  CHECK(mediactl({"--store", store, "--pack-below", "17000000", "ls"}).exit_code == 2);
}

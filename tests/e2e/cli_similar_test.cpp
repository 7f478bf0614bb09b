// mediactl similar and describe.
#include <SQLiteCpp/SQLiteCpp.h>

#include <cmath>
#include <string>
#include <vector>

#include "catch.hpp"
#include "cli_support.hpp"
#include "pictures.hpp"

using cli::Json;
using cli::json_lines;
using cli::mediactl;

namespace {

/// A few discs before a gradient: another picture for each seed, the same one in every size.
std::vector<std::byte> discs(unsigned width, unsigned height, unsigned seed, std::string_view comment = {}) {
  return test::png(
      width, height,
      [=](std::uint32_t x, std::uint32_t y) {
        const double u = (x + 0.5) / width;
        const double v = (y + 0.5) / height;
        unsigned state = seed * 2654435761U + 1;
        const auto next = [&] { return (state = state * 1664525U + 1013904223U) >> 8U & 255U; };
        test::Rgba colour{static_cast<std::uint8_t>(60 + 60 * v), 90, 120, 255};
        for (int i = 0; i < 9; ++i) {
          const double across = u - next() / 255.0;
          const double down = v - next() / 255.0;
          const double radius = 0.06 + next() / 1200.0;
          const test::Rgba own{static_cast<std::uint8_t>(next()), static_cast<std::uint8_t>(next()), static_cast<std::uint8_t>(next()),
                               255};
          if (std::hypot(across, down) < radius) colour = own;
        }
        return colour;
      },
      false, comment);
}

struct Gallery {
  Gallery() {
    test::write_file(folder / "in/1-large.png", discs(400, 300, 1));
    test::write_file(folder / "in/2-small.png", discs(200, 150, 1));
    test::write_file(folder / "in/3-other.png", discs(400, 300, 2));
    const auto result = mediactl({"--store", store, "ingest", "-j", "1", (folder / "in").string()});
    REQUIRE(result.exit_code == 0);
    // Nothing is to be seen of it; in process nobody looks.
    test::write_file(folder / "in/4-film.mp4", test::mp4(64, 48, 1000, 500));
    REQUIRE(mediactl({"--store", store, "ingest", "--isolation", "none", (folder / "in/4-film.mp4").string()}).exit_code == 0);
  }
  [[nodiscard]] Json info(int id) const {
    return json_lines(mediactl({"--store", store, "info", std::to_string(id), "--json"}).out).objects.at(0);
  }

  test::TempFolder folder;
  std::string store = (folder / "store").string();
};

std::vector<int> ids_of(const cli::Lines& lines) {
  std::vector<int> ids;
  for (const Json& object : lines.objects) ids.push_back(object.at("id").get<int>());
  return ids;
}

}  // namespace

TEST_CASE("cli: info says how a picture looks") {
  const Gallery gallery;
  const Json picture = gallery.info(1);
  CHECK(picture.at("dominant_color").get<std::string>().starts_with("#"));
  CHECK(picture.at("dominant_color").get<std::string>().size() == 7);
  CHECK(picture.at("thumbhash").get<std::string>().size() % 4 == 0);
  CHECK(picture.at("thumbhash").get<std::string>().size() >= 24);
  CHECK(picture.at("perceptual_hash").get<std::string>().size() == 16);
  CHECK_THAT(mediactl({"--store", gallery.store, "info", "1"}).out, ContainsSubstring(picture.at("thumbhash").get<std::string>()));
  const Json film = gallery.info(4);
  for (const char* key : {"dominant_color", "thumbhash", "perceptual_hash"}) CHECK(film.at(key).is_null());
}

TEST_CASE("cli similar: a media finds its copies and not others, in text and JSON") {
  const Gallery gallery;
  const auto result = mediactl({"--store", gallery.store, "similar", "1", "--json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const auto lines = json_lines(result.out);
  CHECK(ids_of(lines) == std::vector<int>{2});
  CHECK(lines.objects.at(0).at("distance").get<int>() <= 10);
  CHECK(lines.objects.at(0).at("original_filename") == "2-small.png");
  CHECK(lines.objects.at(0).at("renditions").size() == 9);
  CHECK(lines.summary.at("count") == 1);
  CHECK(lines.summary.at("perceptual_hash") == gallery.info(1).at("perceptual_hash"));
  const auto text = mediactl({"--store", gallery.store, "similar", "1"});
  CHECK(text.exit_code == 0);
  CHECK(cli::text_lines(text.out).size() == 1);
  CHECK_THAT(text.out, ContainsSubstring("200x150") && ContainsSubstring("2-small.png"));

  // As far as it goes, all pictures but itself; the nearest first.
  const auto far = json_lines(mediactl({"--store", gallery.store, "similar", "2", "--distance", "32", "--json"}).out);
  CHECK(far.objects.at(0).at("id") == 1);
  CHECK(json_lines(mediactl({"--store", gallery.store, "similar", "2", "--distance", "32", "--limit", "1", "--json"}).out).objects.size() ==
        1);
  CHECK(json_lines(mediactl({"--store", gallery.store, "similar", "1", "--owner", "nobody", "--json"}).out).objects.empty());
}

TEST_CASE("cli similar: a file finds media that look like it") {
  const Gallery gallery;
  test::write_file(gallery.folder / "elsewhere.png", discs(320, 240, 2));
  const auto lines = json_lines(mediactl({"--store", gallery.store, "similar", (gallery.folder / "elsewhere.png").string(), "--json"}).out);
  CHECK(ids_of(lines) == std::vector<int>{3});
  const auto in_process =
      mediactl({"--store", gallery.store, "similar", (gallery.folder / "in/1-large.png").string(), "--isolation", "none", "--json"});
  CHECK(ids_of(json_lines(in_process.out)) == std::vector<int>{1, 2});
}

TEST_CASE("cli similar: what has no hash finds nothing, and wrong operands say what is wrong") {
  const Gallery gallery;
  const auto film = mediactl({"--store", gallery.store, "similar", "4", "--json"});
  CHECK(film.exit_code == 0);
  CHECK(json_lines(film.out).objects.empty());
  CHECK(json_lines(film.out).summary.at("perceptual_hash").is_null());
  CHECK_THAT(film.err, ContainsSubstring("4 has no perceptual hash"));
  CHECK(mediactl({"--store", gallery.store, "similar", "99"}).exit_code == 3);
  CHECK(mediactl({"--store", gallery.store, "similar", (gallery.folder / "none.png").string()}).exit_code == 3);
  test::write_file(gallery.folder / "text.png", "no picture");
  const auto text = mediactl({"--store", gallery.store, "similar", (gallery.folder / "text.png").string()});
  CHECK(text.exit_code == 7);
  CHECK_THAT(text.err, ContainsSubstring("cannot look at '"));
  CHECK(mediactl({"--store", gallery.store, "similar", "1", "--distance", "33"}).exit_code == 2);
  CHECK(mediactl({"--store", gallery.store, "similar", "1", "--limit", "0"}).exit_code == 2);
  CHECK(mediactl({"--store", gallery.store, "similar"}).exit_code == 2);
}

TEST_CASE("cli describe: a store from before learns how its pictures look") {
  const Gallery gallery;
  const Json before = gallery.info(1);
  {
    // The catalog as the version before left it.
    SQLite::Database database(gallery.store + "/catalog.db", SQLite::OPEN_READWRITE, 1000);
    for (const char* event : {"insert", "delete", "update"}) database.exec(std::string("DROP TRIGGER media_usage_of_") + event);
    for (const char* table : {"video_order", "quarantine", "ban", "owner_usage", "quota", "blob_read"})
      database.exec(std::string("DROP TABLE ") + table);
    for (int number = 0; number < 4; ++number) database.exec("DROP INDEX media_by_hash_quarter_" + std::to_string(number));
    database.exec("DROP INDEX resumable_upload_by_owner");
    database.exec("ALTER TABLE media DROP COLUMN held");
    database.exec("CREATE INDEX media_by_digest ON media (digest, owner) WHERE digest IS NOT NULL");
    for (const char* column : {"thumbhash", "dominant_colour", "perceptual_hash"})
      database.exec(std::string("ALTER TABLE media DROP COLUMN ") + column);
    database.exec("DROP INDEX rendition_by_use");
    for (const char* column : {"on_demand", "used_at"}) database.exec(std::string("ALTER TABLE rendition DROP COLUMN ") + column);
    database.exec("DELETE FROM schema_migration WHERE number >= 7");
  }
  CHECK(gallery.info(1).at("thumbhash").is_null());
  const auto described = mediactl({"--store", gallery.store, "describe", "--json"});
  INFO(described.err);
  CHECK(described.exit_code == 0);
  CHECK(json_lines(described.out).summary.at("looked_at") == 3);
  const Json after = gallery.info(1);
  CHECK(after.at("thumbhash").is_string());
  CHECK(after.at("dominant_color").is_string());
  CHECK(ids_of(json_lines(mediactl({"--store", gallery.store, "similar", "1", "--json"}).out)) == std::vector<int>{2});
  CHECK(json_lines(mediactl({"--store", gallery.store, "describe", "--json"}).out).summary.at("looked_at") == 0);
  CHECK(mediactl({"--store", (gallery.folder / "nowhere").string(), "describe"}).exit_code == 3);
}

// Stores by their names, and the note of where a library's blobs are.
#include "media/store_location.hpp"
#include "catch.hpp"
#include "support.hpp"

using namespace media;

TEST_CASE("store location: a URL says all that it takes to find a bucket") {
  const auto options = s3_options_from_url(
                           "s3://photos/a%20b/c?endpoint=https%3A%2F%2Fhost%3A9000&region=eu-west-1&path_style=false&ca_file=%2Fca.pem"
                           "&credentials_file=%2Fkeys&profile=p&public_endpoint=https%3A%2F%2Fout")
                           .value();
  CHECK(options.bucket == "photos");
  CHECK(options.prefix == "a b/c");
  CHECK(options.endpoint == "https://host:9000");
  CHECK(options.public_endpoint == "https://out");
  CHECK(options.region == "eu-west-1");
  CHECK_FALSE(options.path_style);
  CHECK(options.ca_file == "/ca.pem");
  CHECK(options.credentials_file == "/keys");
  CHECK(options.profile == "p");
  CHECK(s3_url(options) == "s3://photos/a%20b/c?region=eu-west-1&endpoint=https%3A%2F%2Fhost%3A9000&path_style=false");
  CHECK(s3_url(s3_options_from_url(s3_url(options)).value()) == s3_url(options));
  CHECK(s3_url(s3_options_from_url("s3://b/p/").value()) == "s3://b/p?region=us-east-1");
  CHECK(s3_options_from_url("s3://bucket").value().prefix.empty());
}

TEST_CASE("store location: what is no URL of a bucket is refused, and is not repeated") {
  for (const char* const wrong : {"", "s3:/bucket", "http://bucket", "s3://", "s3:///a", "s3://key:hunter2@bucket", "s3://b?secret=hunter2",
                                  "s3://b?hunter2", "s3://b?path_style=1"}) {
    CAPTURE(wrong);
    const auto parsed = s3_options_from_url(wrong);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == Errc::invalid_argument);
    CHECK(parsed.error().message.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("store location: a folder is a store by its path") {
  const test::TempFolder folder;
  CHECK(open_store_at("", {}).error().code == Errc::invalid_argument);
  StoreAtOptions options;
  options.create = false;
  CHECK(open_store_at((folder / "a").string(), options).error().code == Errc::not_found);
  options.create = true;
  CHECK(open_store_at((folder / "a").string(), options));
  options.create = false;
  options.read_only = true;
  CHECK(open_store_at((folder / "a").string(), options).value()->begin().error().code == Errc::denied);
}

TEST_CASE("store location: the note of a library stays what it is") {
  const test::TempFolder folder;
  const auto base = folder / "not/there/yet";
  CHECK_FALSE(read_store_note(base).value());
  const std::string place = "s3://photos/a?region=us-east-1";
  REQUIRE(note_store(base, place));
  CHECK(read_store_note(base).value() == place);
  CHECK(note_store(base, place));
  const auto other = note_store(base, "s3://other?region=us-east-1");
  REQUIRE_FALSE(other);
  CHECK(other.error().code == Errc::conflict);
  CHECK(read_store_note(base).value() == place);
  CHECK(test::count_files(base) == 1);
  for (const std::string text : {"", "elsewhere", "s3://", "s3://a\ns3://b?x"}) {
    test::write_file(base / "blobs", text);
    CHECK(read_store_note(base).error().code == Errc::corrupt);
    CHECK(note_store(base, place).error().code == Errc::corrupt);
  }
  test::write_file(base / "blobs", std::string(10'000, 'x'));
  CHECK(read_store_note(base).error().code == Errc::corrupt);
}

TEST_CASE("store location: bytes that belong to another catalog are not given to the one beside them") {
  const test::TempFolder folder;
  const auto base = folder / "base";
  CHECK_FALSE(read_catalog_note(base).value());
  CHECK(require_own_catalog(base));
  REQUIRE(note_catalog(base, "postgresql, schema media"));
  CHECK(note_catalog(base, "postgresql, schema media"));
  CHECK(read_catalog_note(base).value() == "postgresql, schema media");
  const auto other = note_catalog(base, "postgresql, schema another");
  REQUIRE_FALSE(other);
  CHECK(other.error().code == Errc::conflict);
  CHECK(require_own_catalog(base).error().code == Errc::conflict);
  CHECK(read_catalog_note(base).value() == "postgresql, schema media");
  std::filesystem::remove(base / "catalog");
  CHECK(require_own_catalog(base));
  // Nor the other way round: to an empty catalog in a database all that this one knows would be leftovers.
  test::write_file(base / "catalog.db", std::string("a catalog"));
  const auto known = note_catalog(base, "postgresql, schema media");
  REQUIRE_FALSE(known);
  CHECK(known.error().code == Errc::conflict);
  CHECK_FALSE(read_catalog_note(base).value());
}

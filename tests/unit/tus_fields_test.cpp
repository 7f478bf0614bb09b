// Header fields of tus that strangers write.
#include "tus_fields.hpp"

#include "base64.hpp"
#include "catch.hpp"
#include "support.hpp"
#include "upload_rules.hpp"

using namespace media;
using namespace media::server;

TEST_CASE("tus: metadata is pairs of a key and a value in Base64") {
  const auto good = parse_upload_metadata("filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential").value();
  REQUIRE(good.entries.size() == 2);
  CHECK(good.value_of("filename") == "world_domination_plan.pdf");
  CHECK(good.entries[1].first == "is_confidential");
  CHECK(good.value_of("is_confidential").empty());
  CHECK(good.value_of("other").empty());
  CHECK(parse_upload_metadata("").value().entries.empty());
  CHECK(parse_upload_metadata("  ").value().entries.empty());
  // Some clients write spaces around the commas, or one behind a key without a value.
  CHECK(parse_upload_metadata("a YQ==, b Yg== , c ").value().value_of("b") == "b");
  CHECK(parse_upload_metadata("filename w7zDqA==").value().value_of("filename") == "\u00fc\u00e8");
  for (const std::string& bad : {std::string(","), std::string("a YQ==,"), std::string(",a YQ=="), std::string("a YQ==,,b YQ=="),
                                 std::string("a !"), std::string("a YQ==,a YQ=="), std::string("a Y"), std::string("a YQ== YQ=="),
                                 std::string("k\x01y YQ=="), std::string("\xc3\xbc YQ=="), "a " + std::string(4096, 'Y')}) {
    INFO(bad);
    CHECK(parse_upload_metadata(bad).error().code == Errc::invalid_argument);
  }
}

TEST_CASE("tus: a checksum names an algorithm that is offered and a digest of its length") {
  const auto sha1 = parse_upload_checksum("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=").value();
  CHECK(sha1.algorithm == ChecksumAlgorithm::sha1);
  const auto sha256 = parse_upload_checksum("sha256 " + base64_encode(std::string(32, 'x'))).value();
  CHECK(sha256.algorithm == ChecksumAlgorithm::sha256);
  CHECK(sha256.digest == std::string(32, 'x'));
  RunningChecksum running(ChecksumAlgorithm::sha1);
  running.update(test::bytes("hello "));
  running.update(test::bytes("world"));
  CHECK(running.finish() == sha1.digest);
  RunningChecksum other(ChecksumAlgorithm::sha256);
  other.update(test::bytes("abc"));
  const Digest digest = Digest::of(test::bytes("abc"));
  CHECK(other.finish() == std::string(reinterpret_cast<const char*>(digest.bytes().data()), Digest::kSize));
  for (const char* const bad : {"", "sha1", "sha1 ", "md5 XrY7u+Ae7tCTyyK7j1rNww==", "SHA1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
                                "sha256 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu", "sha1 !", "sha1Kq5s"}) {
    INFO(bad);
    CHECK(parse_upload_checksum(bad).error().code == Errc::invalid_argument);
  }
}

TEST_CASE("tus: a concatenation names its parts by their URLs here") {
  const std::string path = "/api/uploads";
  CHECK_FALSE(parse_upload_concat("partial", path).value().is_final);
  const auto final = parse_upload_concat("final;/api/uploads/a1 http://host:80/prefix/api/uploads/b2/  /api/uploads/a1?x=1", path).value();
  CHECK(final.is_final);
  CHECK(final.parts == std::vector<std::string>{"a1", "b2", "a1"});
  CHECK(parse_upload_concat("final; /api/uploads/a1", path).value().parts.size() == 1);
  std::string many = "final;";
  for (int i = 0; i < 256; ++i) many += "/api/uploads/a ";
  CHECK(parse_upload_concat(many, path).value().parts.size() == 256);
  for (const std::string& bad :
       {std::string(""), std::string("Partial"), std::string("partial;"), std::string("final"), std::string("final;"),
        std::string("final; "), std::string("final;/other/a1"), std::string("final;a1"), std::string("final;/api/uploads/"),
        std::string("final;/api/uploads/../x"), std::string("final;/api/uploads/A1"), std::string("final;/api/uploads/%61"),
        many + "/api/uploads/a", "final;/api/uploads/" + std::string(65, 'a')}) {
    INFO(bad);
    CHECK(parse_upload_concat(bad, path).error().code == Errc::invalid_argument);
  }
}

TEST_CASE("server: what is announced for upload is judged by name, type and size") {
  const std::vector<std::string> blocked = {".exe", ".js"};
  CHECK(without_path("C:\\photos\\a.png") == "a.png");
  CHECK(without_path("../../a.png") == "a.png");
  for (const char* const good : {"a.png", "a", ".png", "exe", "a.exes.png", "a.json"}) {
    INFO(good);
    CHECK_FALSE(refuse_filename(good, blocked));
  }
  for (const std::string& bad : {std::string(), std::string(256, 'a'), std::string("a\nb.png"), std::string("a.EXE"),
                                 std::string("a.exe.jpg"), std::string("a.js "), std::string("a.exe::$DATA"), std::string("a.exe.")}) {
    INFO(bad);
    CHECK(refuse_filename(bad, blocked));
  }
  AdmissionPolicy policy;
  Config config;
  CHECK_FALSE(refuse_type("image/png", policy));
  CHECK(refuse_type("image/bmp", policy).value().find("image/png") != std::string::npos);
  CHECK(refuse_type("", policy));
  CHECK_FALSE(refuse_mismatch("a.png", "image/png"));
  CHECK_FALSE(refuse_mismatch("a.data", "image/png"));
  CHECK(refuse_mismatch("a.PNG", "image/jpeg"));
  // One family of files under many names.
  for (const char* const type :
       {"video/mp4", "video/quicktime", "video/x-m4v", "video/3gpp", "video/3gpp2", "application/mp4", "Video/MP4"}) {
    INFO(type);
    CHECK_FALSE(refuse_type(type, policy));
    for (const char* const name : {"a.mp4", "a.m4v", "a.mov", "a.MOV", "a.qt", "a.3gp", "a"}) CHECK_FALSE(refuse_mismatch(name, type));
    for (const char* const name : {"a.webm", "a.png"}) CHECK(refuse_mismatch(name, type));
    CHECK(upload_limit(type, policy, config) == policy.max_video_bytes);
  }
  CHECK_FALSE(refuse_type("image/apng", policy));
  CHECK_FALSE(refuse_mismatch("a.png", "image/apng"));
  CHECK_FALSE(refuse_type("video/x-matroska", policy));  // A WebM is one.
  CHECK_FALSE(refuse_mismatch("a.webm", "video/x-matroska"));
  CHECK_FALSE(refuse_mismatch("a.mkv", "video/webm"));
  AdmissionPolicy pictures;
  pictures.allowed = {Format::jpeg};
  CHECK(refuse_type("video/3gpp", pictures));
  CHECK(refuse_type("image/apng", pictures));
  CHECK(upload_limit("image/png", policy, config) == policy.max_image_bytes);
  CHECK(upload_limit("video/mp4", policy, config) == policy.max_video_bytes);
  CHECK(upload_limit("", policy, config) == policy.max_bytes());
  config.max_upload_bytes = 1000;
  CHECK(upload_limit("video/mp4", policy, config) == 1000);
}

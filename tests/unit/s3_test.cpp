// The spellings of S3: signatures, answers, dates. Nothing here needs a network.
#include "catch.hpp"
#include "media/clock.hpp"
#include "store/s3_answer.hpp"
#include "store/s3_credentials.hpp"
#include "store/s3_sign.hpp"
#include "store/s3_text.hpp"
#include "store/s3_transport.hpp"
#include "store/s3_xml.hpp"

using namespace media;
using namespace media::store::s3;

namespace {

// The worked examples of Amazon's API reference ("Signature Calculations for the Authorization Header", "Authenticating Requests:
// Using Query Parameters").
const S3Credentials kExample{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", {}};
constexpr const char* kHost = "examplebucket.s3.amazonaws.com";

std::string signature(std::string_view method, std::string_view path, const Fields& query, Fields headers, std::string_view payload_hash) {
  headers.emplace_back("host", kHost);
  headers.emplace_back("x-amz-content-sha256", payload_hash);
  headers.emplace_back("x-amz-date", "20130524T000000Z");
  const Timestamp time = from_rfc3339("2013-05-24T00:00:00Z").value();
  const std::string value = authorization({method, path, query, headers, payload_hash}, {kExample, "us-east-1", time});
  return value.substr(value.rfind('=') + 1);
}

}  // namespace

TEST_CASE("s3: signatures are those of Amazon's examples") {
  CHECK(signature("GET", "/test.txt", {}, {{"range", "bytes=0-9"}}, kEmptyHash) ==
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  CHECK(signature("PUT", "/" + percent_encode("test$file.text"), {},
                  {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                  "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072") ==
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  CHECK(signature("GET", "/", {{"lifecycle", ""}}, {}, kEmptyHash) == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  CHECK(signature("GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {}, kEmptyHash) ==
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST_CASE("s3: the header names its key, its scope and what it signs") {
  const Timestamp time = from_rfc3339("2013-05-24T00:00:00Z").value();
  const Fields headers = {
      {"range", "bytes=0-9"}, {"host", kHost}, {"x-amz-date", "20130524T000000Z"}, {"x-amz-content-sha256", std::string(kEmptyHash)}};
  CHECK(authorization({"GET", "/test.txt", {}, headers, kEmptyHash}, {kExample, "us-east-1", time}) ==
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST_CASE("s3: a presigned query is that of Amazon's example") {
  const Timestamp time = from_rfc3339("2013-05-24T00:00:00Z").value();
  CHECK(presigned_query("GET", "/test.txt", {}, kHost, std::chrono::seconds(86'400), {kExample, "us-east-1", time}) ==
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
  const S3Credentials temporary{"A", "B", "to/ken"};
  CHECK(presigned_query("GET", "/", {}, kHost, std::chrono::seconds(1), {temporary, "us-east-1", time})
            .find("X-Amz-Security-Token=to%2Fken") != std::string::npos);
}

TEST_CASE("s3: text is encoded as it is signed") {
  CHECK(percent_encode("a b+c/~*\xc3\xbc") == "a%20b%2Bc%2F~%2A%C3%BC");
  CHECK(percent_encode("a/b", true) == "a/b");
  CHECK(percent_decode("a%20b%2Fc+%zz%2") == "a b/c+%zz%2");
  CHECK(query_text({{"b", "2"}, {"a", "x y"}, {"a-b", ""}}) == "a=x%20y&a-b=&b=2");
}

TEST_CASE("s3: ranges and dates of answers") {
  const auto range = parse_content_range("bytes 5-9/100").value();
  CHECK(range.first == 5);
  CHECK(range.last == 9);
  CHECK(range.total == 100);
  for (const char* const wrong : {"", "bytes", "bytes 5-9", "bytes 9-5/100", "bytes 0-100/100", "bytes */100", "bytes 1-2/*",
                                  "bytes -1-2/3", "bytes 0-1/99999999999999999999", "items 0-1/2", "bytes 0-1/2 "}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_content_range(wrong));
  }
  CHECK(time_of_http_date("Fri, 24 May 2013 00:00:00 GMT").value() == from_rfc3339("2013-05-24T00:00:00Z").value());
  CHECK_FALSE(time_of_http_date("yesterday"));
  CHECK(basic_time(from_rfc3339("2013-05-24T01:02:03.999Z").value()) == "20130524T010203Z");
}

TEST_CASE("s3: lists are read, and nothing that only looks like one") {
  const std::string list =
      "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>true</IsTruncated>"
      "<Contents><Key>p/a%20b</Key><LastModified>2026-12-01T10:00:00.123Z</LastModified><ETag>&quot;x&quot;</ETag><Size>12</Size></"
      "Contents>"
      "<Contents><Key>p/c</Key><Size>0</Size></Contents></ListBucketResult>";
  const auto page = parse_objects(list).value();
  CHECK(page.more);
  REQUIRE(page.objects.size() == 2);
  CHECK(page.objects[0].key == "p/a b");
  CHECK(page.objects[0].size == 12);
  CHECK(to_rfc3339(page.objects[0].modified) == "2026-12-01T10:00:00.123Z");
  CHECK(page.objects[1].size == 0);
  CHECK_FALSE(parse_objects(list.substr(0, list.size() - 10)));
  CHECK_FALSE(parse_objects(""));
  CHECK_FALSE(parse_objects("<html></html>"));
  CHECK_FALSE(parse_objects("<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>"));
  CHECK_FALSE(parse_objects("<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>"));
  CHECK_FALSE(parse_objects("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"));
  CHECK_FALSE(parse_objects("<!DOCTYPE a [<!ENTITY b \"c\">]><ListBucketResult></ListBucketResult>"));
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "<a>";
  CHECK_FALSE(parse_objects(deep));
  CHECK_FALSE(parse_objects("<ListBucketResult><Prefix>" + std::string(100'000, 'x') + "</Prefix></ListBucketResult>"));

  const auto uploads =
      parse_uploads(
          "<ListMultipartUploadsResult><NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>i</NextUploadIdMarker>"
          "<IsTruncated>false</IsTruncated><Upload><Key>a</Key><UploadId>u</UploadId><Initiated>2026-01-01T00:00:00Z</Initiated>"
          "<Owner><ID>o</ID></Owner></Upload></ListMultipartUploadsResult>")
          .value();
  REQUIRE(uploads.uploads.size() == 1);
  CHECK(uploads.uploads[0].id == "u");
  CHECK(uploads.next_key == "k");
  CHECK_FALSE(uploads.more);
  CHECK(parse_upload_id("<InitiateMultipartUploadResult><UploadId>2~x</UploadId></InitiateMultipartUploadResult>").value() == "2~x");
  CHECK_FALSE(parse_upload_id("<InitiateMultipartUploadResult/>"));
  CHECK(xml_escape("\"a<b>&") == "&quot;a&lt;b&gt;&amp;");
}

TEST_CASE("s3: refusals become errors that say what to do and repeat nothing that was sent") {
  const Place place{"https://host", "photos", "us-east-1"};
  const Timestamp now = from_rfc3339("2026-12-01T12:00:00Z").value();
  const auto error = [&](long status, const std::string& xml, std::map<std::string, std::string> headers = {}) {
    HttpAnswer answer;
    answer.status = status;
    answer.text = xml;
    answer.headers = std::move(headers);
    return error_of(answer, place, "put", now);
  };
  CHECK(error(503, "<Error><Code>SlowDown</Code></Error>") ==
        Error{Errc::unavailable, "put: the object store is overloaded or unwell (503 SlowDown)"});
  CHECK(error(403, "") == Error{Errc::denied, "put: the credentials do not open bucket 'photos' for it (403)"});
  CHECK(error(403, "", {{"date", "Tue, 01 Dec 2026 11:40:00 GMT"}}).message ==
        "put: this machine's clock is 20 minutes ahead of the object store's");
  CHECK(error(301, "", {{"x-amz-bucket-region", "eu-west-1"}}).message ==
        "put: bucket 'photos' is in region 'eu-west-1', not in 'us-east-1'");
  CHECK(error(400, "<Error><Code>Bad\nCode</Code></Error>").message == "put: the object store answered 400");
  CHECK(error(400, "<Error><Code>InvalidArgument</Code><Message>the secret is x</Message></Error>").message ==
        "put: the object store answered 400 InvalidArgument");
  CHECK(error(404, "<Error><Code>NoSuchBucket</Code></Error>").code == Errc::io);
  CHECK(error(404, "<Error><Code>NoSuchKey</Code></Error>").code == Errc::not_found);
  CHECK(error(507, "").code == Errc::no_space);
  CHECK(error(412, "").code == Errc::conflict);
  CHECK(error(403, "<Error><Code>ExpiredToken</Code></Error>").code == Errc::denied);
}

TEST_CASE("s3: endpoints") {
  CHECK(parse_endpoint("https://host:443").value().authority == "host");
  CHECK(parse_endpoint("http://host:80/").value().authority == "host");
  CHECK(parse_endpoint("http://[::1]:9000").value().authority == "[::1]:9000");
  CHECK(parse_endpoint("http://[::1]").value().host == "[::1]");
  for (const char* const wrong :
       {"", "host", "http://", "http://:80", "https://a@b", "http://a/b", "http://a?b", "http://a:b", "http://a b"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_endpoint(wrong));
  }
  CHECK(is_loopback_host("media.localhost"));
  CHECK_FALSE(is_loopback_host("localhost.example"));
}

TEST_CASE("s3: credentials in the form of the AWS tools' file") {
  const auto found =
      parse_credentials("[a]\naws_access_key_id=K\naws_secret_access_key = S=x\n[profile b]\naws_access_key_id=L\n", "a").value();
  CHECK(found.access_key_id == "K");
  CHECK(found.secret_access_key == "S=x");
  CHECK_FALSE(parse_credentials("[a]\naws_access_key_id=K\n", "a"));
  CHECK_FALSE(parse_credentials("[profile b]\naws_access_key_id=L\n", "b"));
  CHECK_FALSE(parse_credentials("", "default"));
  CHECK_FALSE(parse_credentials("[", "default"));
}

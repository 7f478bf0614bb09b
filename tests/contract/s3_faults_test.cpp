// The S3 store behind a network in which things go wrong.
#include "blob_store_contract.hpp"
#include "s3_fixture.hpp"

using namespace media;
using namespace std::chrono_literals;
using Kind = test::ProxyFault::Kind;

namespace {

/// The same fault for the first `times` requests that `when` picks.
test::FaultProxy::Judge first_of(int times, test::ProxyFault fault, std::function<bool(const test::ProxiedRequest&)> when) {
  auto left = std::make_shared<int>(times);
  return [=](const test::ProxiedRequest& request) {
    if (!when(request) || *left == 0) return test::ProxyFault{};
    --*left;
    return fault;
  };
}

test::ProxyFault fault_of(Kind kind) {
  test::ProxyFault fault;
  fault.kind = kind;
  return fault;
}

bool is_blob(const test::ProxiedRequest& request) {
  const auto path = request.target.substr(0, request.target.find('?'));
  return path.size() > 64 && path.find_first_not_of("0123456789abcdef", path.size() - 64) == std::string::npos;
}
bool is_put(const test::ProxiedRequest& request) { return request.method == "PUT" && is_blob(request); }
bool is_get(const test::ProxiedRequest& request) { return request.method == "GET" && is_blob(request); }

S3StoreOptions behind(const test::FaultProxy& proxy) {
  auto options = test::s3_options(proxy.endpoint());
  options.attempt_timeout = 2s;
  options.stall_timeout = 1s;
  options.part_bytes = 5U << 20U;
  return options;
}

/// The same store without the proxy.
std::unique_ptr<BlobStore> direct(S3StoreOptions options) {
  options.endpoint = test::gateway().endpoint();
  return test::open_s3(options);
}

std::size_t count(const test::FaultProxy& proxy, bool (*when)(const test::ProxiedRequest&)) {
  const auto seen = proxy.seen();
  return static_cast<std::size_t>(std::count_if(seen.begin(), seen.end(), when));
}

}  // namespace

TEST_CASE("store: an upload that fails on the way is made again, and what is there is whole") {
  const auto kind =
      GENERATE(Kind::reset, Kind::reset_mid_upload, Kind::reset_after_commit, Kind::silent_after_commit, Kind::corrupt_upload);
  for (const std::size_t size : {std::size_t{3'000}, std::size_t{11} << 20U}) {
    test::FaultProxy proxy(test::gateway().port(), first_of(2, fault_of(kind), is_put));
    const auto options = behind(proxy);
    const auto store = test::open_s3(options);
    const auto content = test::noise(size, size);
    REQUIRE(test::publish_one(*store, test::stage(*store, content)));
    CHECK(count(proxy, is_put) == (size > 5'000 ? 3U : 1U) + 2U);
    CHECK(test::get(*direct(options), Digest::of(content)) == content);
    CHECK(test::list_all(*direct(options), 10).size() == 1);
  }
}

TEST_CASE("store: a store that says 503 is asked again, and given up when it goes on") {
  const auto slow_down = test::s3_error(503, "SlowDown");
  const auto content = test::noise(4'000);
  {
    test::FaultProxy proxy(test::gateway().port(), first_of(3, slow_down, is_put));
    const auto options = behind(proxy);
    const auto store = test::open_s3(options);
    REQUIRE(test::publish_one(*store, test::stage(*store, content)));
    CHECK(test::get(*store, Digest::of(content)) == content);
  }
  test::FaultProxy proxy(test::gateway().port(), first_of(-1, slow_down, is_put));
  const auto store = test::open_s3(behind(proxy));
  const auto failed = test::publish_one(*store, test::stage(*store, content));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Errc::unavailable);
  CHECK(failed.error().message.find("503 SlowDown") != std::string::npos);
  CHECK(count(proxy, is_put) == 5);
  CHECK_FALSE(store->stat(Digest::of(content)).value());
}

TEST_CASE("store: what is wrong for good is not tried again") {
  const auto refusal = GENERATE(as<std::string>(), "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "QuotaExceeded");
  test::FaultProxy proxy(test::gateway().port(), first_of(-1, test::s3_error(403, refusal), is_put));
  const auto store = test::open_s3(behind(proxy));
  const auto failed = test::publish_one(*store, test::stage(*store, test::noise(10)));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == (refusal == "QuotaExceeded" ? Errc::no_space : Errc::denied));
  CHECK(count(proxy, is_put) == 1);
}

TEST_CASE("store: an upload that was ended although nobody heard of it counts") {
  const auto is_end = [](const test::ProxiedRequest& request) {
    return request.method == "POST" && request.target.find("uploadId=") != std::string::npos;
  };
  for (const Kind kind : {Kind::reset_after_commit, Kind::silent_after_commit, Kind::reset}) {
    test::FaultProxy proxy(test::gateway().port(), first_of(1, fault_of(kind), is_end));
    const auto options = behind(proxy);
    const auto store = test::open_s3(options);
    const auto content = test::noise(12U << 20U, static_cast<std::uint64_t>(kind));
    REQUIRE(test::publish_one(*store, test::stage(*store, content)));
    CHECK(test::get(*direct(options), Digest::of(content)) == content);
  }
}

TEST_CASE("store: parts that cannot be sent leave neither an object nor an upload") {
  const auto is_second_part = [](const test::ProxiedRequest& request) { return request.target.find("partNumber=2&") != std::string::npos; };
  test::FaultProxy proxy(test::gateway().port(), first_of(-1, test::s3_error(500, "InternalError"), is_second_part));
  const auto options = behind(proxy);
  const auto store = test::open_s3(options);
  const auto content = test::noise(17U << 20U);
  const auto failed = test::publish_one(*store, test::stage(*store, content));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Errc::unavailable);
  CHECK_FALSE(direct(options)->stat(Digest::of(content)).value());
  const auto seen = proxy.seen();
  CHECK(std::any_of(seen.begin(), seen.end(), [](const auto& request) {
    return request.method == "DELETE" && request.target.find("uploadId=") != std::string::npos;
  }));
}

TEST_CASE("store: an end of an upload that says 200 and fails is no success") {
  const auto is_end = [](const test::ProxiedRequest& request) {
    return request.method == "POST" && request.target.find("uploadId=") != std::string::npos;
  };
  auto lie = test::s3_error(200, "InternalError");
  test::FaultProxy proxy(test::gateway().port(), first_of(-1, lie, is_end));
  const auto options = behind(proxy);
  const auto store = test::open_s3(options);
  const auto content = test::noise(12U << 20U, 77);
  const auto failed = test::publish_one(*store, test::stage(*store, content));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Errc::unavailable);
  CHECK_FALSE(direct(options)->stat(Digest::of(content)).value());
}

TEST_CASE("store: a download that breaks off is fetched again") {
  const auto kind = GENERATE(Kind::reset, Kind::truncate, Kind::reset_after_commit, Kind::silent_after_commit);
  test::FaultProxy proxy(test::gateway().port(), first_of(3, fault_of(kind), is_get));
  const auto options = behind(proxy);
  const auto content = test::noise(9U << 20U, 4);
  const Digest digest = test::put(*direct(options), content);
  const auto store = test::open_s3(options);
  CHECK(test::get(*store, digest) == content);
}

TEST_CASE("store: wrong bytes of the right length are not handed out as the blob") {
  for (const std::size_t size : {std::size_t{2'000}, std::size_t{9} << 20U}) {
    test::FaultProxy proxy(test::gateway().port(), first_of(1, fault_of(Kind::corrupt_answer), is_get));
    const auto options = behind(proxy);
    const auto content = test::noise(size, 9);
    const Digest digest = test::put(*direct(options), content);
    const auto store = test::open_s3(options);
    const auto reader = store->open(digest).value();
    const auto read = read_all(*reader, size);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::corrupt);
    // The blob itself is whole: it stays, and comes the next time, to this reader too.
    CHECK(read_all(*reader, size).value() == content);
    CHECK_FALSE(store->quarantine(digest).value());
    CHECK(test::get(*store, digest) == content);
  }
}

TEST_CASE("store: a blob that goes away while it is read is not read as something else") {
  const auto options = test::s3_options();
  const auto store = test::open_s3(options);
  const auto content = test::noise(16U << 20U, 6);
  const Digest digest = test::put(*store, content);
  const auto reader = store->open(digest).value();
  std::vector<std::byte> piece(1'000);
  REQUIRE(reader->read_at(0, piece));
  REQUIRE(store->remove(digest).value());
  const auto failed = reader->read_at(15U << 20U, piece);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Errc::unavailable);
}

TEST_CASE("store: a black hole costs no more than the time that is given to it") {
  test::FaultProxy proxy(test::gateway().port(), [&](const test::ProxiedRequest& request) {
    return request.method == "GET" && request.target.find("list-type") != std::string::npos ? test::ProxyFault{}
                                                                                            : fault_of(Kind::black_hole);
  });
  auto options = behind(proxy);
  options.attempts = 2;
  const auto store = test::open_s3(options);
  auto began = std::chrono::steady_clock::now();
  const auto failed = store->stat(Digest::of(test::noise(1)));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Errc::unavailable);
  CHECK(std::chrono::steady_clock::now() - began < 6s);
  began = std::chrono::steady_clock::now();
  CHECK(store->check().error().code == Errc::unavailable);
  CHECK(std::chrono::steady_clock::now() - began < 3s);
}

TEST_CASE("store: an absence is believed only of a bucket that is there") {
  test::FaultProxy proxy(test::gateway().port(), [&](const test::ProxiedRequest& request) {
    return is_blob(request) ? test::s3_error(404, "NoSuchBucket") : test::ProxyFault{};
  });
  const auto store = test::open_s3(behind(proxy));
  const Digest digest = Digest::of(test::noise(1));
  CHECK(store->stat(digest).error().code == Errc::io);
  CHECK(store->open(digest).error().code == Errc::io);
  CHECK(store->remove(digest).error().code == Errc::io);
  CHECK(test::publish_one(*store, test::stage(*store, test::noise(1))).error().code == Errc::io);
}

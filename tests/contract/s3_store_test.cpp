// The S3 store on a real engine.
#include "blob_store_contract.hpp"
#include "media/tiers.hpp"
#include "s3_fixture.hpp"
#include "store/blob_layout.hpp"
#include "store/s3_client.hpp"
#include "store/s3_listing.hpp"
#include "store/s3_upload.hpp"
#include "store/s3_xml.hpp"

using namespace media;
using namespace std::chrono_literals;

namespace {

/// Puts any bytes at a key behind the store's back.
void put_raw(const S3StoreOptions& options, const std::string& key, const std::vector<std::byte>& content) {
  const auto client = store::s3::Client::make(options).value();
  const MemoryReader reader{std::span(content)};
  store::s3::Call call;
  call.what = "put";
  call.method = "PUT";
  call.key = options.prefix + '/' + key;
  call.body = {&reader, 0, content.size()};
  call.payload_hash = Digest::of(content).to_hex();
  client->perform(call).value();
}

std::vector<store::s3::PendingUpload> pending_uploads(const S3StoreOptions& options) {
  const auto client = store::s3::Client::make(options).value();
  store::s3::Call call;
  call.what = "list";
  call.method = "GET";
  call.query = {{"uploads", ""}, {"prefix", options.prefix}};
  return store::s3::parse_uploads(client->perform(call).value().text).value().uploads;
}

void begin_upload(const S3StoreOptions& options, const std::string& key) {
  const auto client = store::s3::Client::make(options).value();
  store::s3::Call call;
  call.what = "begin";
  call.method = "POST";
  call.key = options.prefix + '/' + key;
  call.query = {{"uploads", ""}};
  client->perform(call).value();
}

}  // namespace

TEST_CASE("store: the S3 store keeps the contract of every store on a Ceph gateway") {
  test::blob_store_contract([] { return test::open_s3(test::s3_options()); });
}

TEST_CASE("store: the S3 store keeps the contract without a buffer and with one connection") {
  test::blob_store_contract([] {
    auto options = test::s3_options();
    options.buffer_bytes = 0;
    options.max_connections = 1;
    options.upload_threads = 1;
    options.read_ahead_bytes = 1U << 20U;
    return test::open_s3(options);
  });
}

TEST_CASE("store: a bucket above another place keeps the contract, and so does one below a folder") {
  const test::TempFolder folder;
  const bool bucket_first = GENERATE(true, false);
  test::blob_store_contract([&] {
    std::vector<Tier> tiers(2);
    tiers[bucket_first ? 0 : 1].store = test::open_s3(test::s3_options());
    tiers[bucket_first ? 1 : 0].store = open_filesystem_store({.base_path = folder / "base"}).value();
    tiers[0].name = "hot";
    tiers[1].name = "cold";
    return make_tiered_store(std::move(tiers)).value();
  });
}

TEST_CASE("store: a bucket in the host's name is found as one in the path is") {
  auto options = test::s3_options();
  options.endpoint = "http://localhost:" + std::to_string(test::gateway().port());
  const auto by_path = test::open_s3(options);
  const auto content = test::noise(1'000);
  const Digest digest = test::put(*by_path, content);
  options.path_style = false;
  CHECK(test::get(*test::open_s3(options), digest) == content);
}

TEST_CASE("store: large contents go up in parts and come back whole and by range") {
  auto options = test::s3_options();
  options.part_bytes = 5U << 20U;
  const auto store = test::open_s3(options);
  for (const std::size_t size : {(10U << 20U) + 1U, 10U << 20U, (5U << 20U) + 7U, 23'456'789U}) {
    const auto content = test::noise(size, size);
    const Digest digest = test::put(*store, content);
    CHECK(store->stat(digest).value().value().size == size);
    const auto reader = store->open(digest).value();
    CHECK(read_all(*reader, size).value() == content);
    std::vector<std::byte> piece(1'234);
    for (const std::size_t at : {std::size_t{0}, std::size_t{4'999'999}, (std::size_t{5} << 20U) - 3, size - 1'234}) {
      const std::size_t count = std::min(piece.size(), size - at);
      CHECK(reader->read_at(at, piece).value() == count);
      CHECK(
          std::equal(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(count), content.begin() + static_cast<std::ptrdiff_t>(at)));
    }
  }
  CHECK(pending_uploads(options).empty());
}

TEST_CASE("store: one reader serves many who read at places of their own") {
  const auto options = test::s3_options();
  const auto store = test::open_s3(options);
  const auto content = test::noise(12U << 20U, 5);
  const Digest digest = test::put(*store, content);
  const auto reader = store->open(digest).value();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < 12; ++thread) {
    threads.emplace_back([&, thread] {
      std::vector<std::byte> piece(70'000);
      for (std::size_t at = thread * 900'000; at < content.size(); at += piece.size()) {
        const auto got = reader->read_at(at, piece);
        if (!got || !std::equal(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(*got),
                                content.begin() + static_cast<std::ptrdiff_t>(at))) {
          ++wrong;
          return;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("store: an object that somebody changed is not handed out whole, and is set aside within the bucket") {
  const auto options = test::s3_options();
  const auto store = test::open_s3(options);
  Digest last;
  for (const std::size_t size : {std::size_t{0}, std::size_t{5'000}, std::size_t{9} << 20U}) {
    const auto content = test::noise(size, size + 3);
    const Digest digest = test::put(*store, content);
    last = digest;
    auto other = content;
    if (other.empty()) {
      other = test::bytes("x");
    } else {
      other.back() ^= std::byte{1};
    }
    put_raw(options, store::blob_path(digest), other);
    const auto reader = store->open(digest).value();
    const auto read = read_all(*reader, size + 1);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::corrupt);
    CHECK(store->quarantine(digest).value());
    CHECK_FALSE(store->stat(digest).value());
    CHECK_FALSE(store->quarantine(digest).value());
    CHECK(test::put(*store, content) == digest);
    CHECK(test::get(*store, digest) == content);
    // A second specimen does not take the first one's place.
    put_raw(options, store::blob_path(digest), other);
    CHECK(store->quarantine(digest).value());
  }
  const auto client = store::s3::Client::make(options).value();
  store::s3::Call call;
  call.what = "list";
  call.method = "GET";
  call.query = {{"list-type", "2"}, {"prefix", options.prefix + "/quarantine/"}};
  CHECK(store::s3::parse_objects(client->perform(call).value().text).value().objects.size() == 6);
  // Of a blob that is wiped nothing is left, and of others nothing is taken.
  REQUIRE(store->wipe(std::vector{last}, {}));
  CHECK(store::s3::parse_objects(client->perform(call).value().text).value().objects.size() == 4);
}

TEST_CASE("store: strays in a bucket are listed among the blobs, and what lies beside them is not") {
  const auto options = test::s3_options();
  const auto store = test::open_s3(options);
  const Digest digest = test::put(*store, test::noise(10));
  const std::string path = store::blob_path(digest);
  for (const std::string key : {"00/note <&> \xc3\xbc.txt", "ff/ff/ff/short", "catalog.db", "zz/later", "fg/no"})
    put_raw(options, key, test::noise(3));
  put_raw(options, path + ".copy", test::noise(4));
  const auto found = test::list_all(*store, 2);
  std::vector<std::string> strays;
  for (const auto& blob : found) {
    if (!blob.digest) strays.push_back(blob.location);
  }
  CHECK(found.size() == 4);
  std::vector<std::string> expected = {"00/note <&> \xc3\xbc.txt", "ff/ff/ff/short", path + ".copy"};
  std::sort(expected.begin(), expected.end());
  CHECK(strays == expected);
}

TEST_CASE("store: more blobs than one answer of the engine lists") {
  const auto options = test::s3_options();
  const auto store = test::open_s3(options);
  std::vector<std::unique_ptr<Staged>> group;
  for (std::uint64_t i = 0; i < 1'050; ++i) group.push_back(test::stage(*store, test::noise(8, i)));
  REQUIRE(store->publish(group));
  CHECK(test::list_all(*store, 5'000).size() == 1'050);
  CHECK(test::list_all(*store, 1'000).size() == 1'050);
}

TEST_CASE("store: uploads and temp objects that nobody ended are swept, young ones are not") {
  auto options = test::s3_options();
  begin_upload(options, store::blob_path(Digest::of(test::noise(5))));
  begin_upload(options, "backups/database.tar");  // somebody else's
  put_raw(options, "temp/check-1", test::noise(3));
  {
    const auto store = test::open_s3(options);
  }
  CHECK(pending_uploads(options).size() == 2);
  options.stale_upload_age = 0s;
  {
    const auto store = test::open_s3(options);
  }
  CHECK(pending_uploads(options).size() == 1);
}

TEST_CASE("store: a store that is open for reading only reads") {
  auto options = test::s3_options();
  const Digest digest = test::put(*test::open_s3(options), test::noise(100));
  options.read_only = true;
  const auto store = test::open_s3(options);
  CHECK(test::get(*store, digest) == test::noise(100));
  CHECK(store->begin().error().code == Errc::denied);
  CHECK(store->remove(digest).error().code == Errc::denied);
  CHECK(store->quarantine(digest).error().code == Errc::denied);
  CHECK(store->check().error().code == Errc::denied);
  CHECK(store->publish({}).error().code == Errc::denied);
}

TEST_CASE("store: two stores on one bucket see what the other did") {
  const auto options = test::s3_options();
  const auto a = test::open_s3(options);
  const auto b = test::open_s3(options);
  const Digest digest = test::put(*a, test::noise(1'000));
  CHECK(test::get(*b, digest) == test::noise(1'000));
  CHECK(b->remove(digest).value());
  CHECK_FALSE(a->stat(digest).value());
}

TEST_CASE("store: a presigned URL fetches one blob, says what it was told to say, and expires") {
  const auto options = test::s3_options();
  const auto store = test::open_s3(options);
  const auto content = test::noise(100'000);
  const Digest digest = test::put(*store, content);
  REQUIRE(store->presigning() != nullptr);
  PresignOptions wanted;
  wanted.content_type = "image/png";
  wanted.content_disposition = "attachment; filename=\"a b+c.png\"";
  const std::string url = store->presigning()->presign_get(digest, wanted).value();
  const test::TempFolder folder;
  const auto fetch = [&](const std::string& what) {
    return test::run(
        {"curl", "-sS", "--noproxy", "*", "-D", (folder / "head").string(), "-o", (folder / "body").string(), "-w", "%{http_code}", what});
  };
  CHECK(fetch(url).out == "200");
  CHECK(test::read_file(folder / "body") == content);
  const std::string head = test::read_text(folder / "head");
  CHECK(head.find("image/png") != std::string::npos);
  CHECK(head.find("attachment; filename=\"a b+c.png\"") != std::string::npos);
  CHECK(url.find(test::ObjectStore::kSecretKey) == std::string::npos);

  std::string forged = url;
  forged.replace(forged.find("image%2Fpng"), 11, "text%2Fhtml");
  CHECK(fetch(forged).out == "403");
  wanted.lifetime = 1s;
  const std::string brief = store->presigning()->presign_get(digest, wanted).value();
  std::this_thread::sleep_for(2'100ms);
  CHECK(fetch(brief).out == "403");

  wanted.lifetime = 0s;
  CHECK(store->presigning()->presign_get(digest, wanted).error().code == Errc::invalid_argument);
  wanted.lifetime = std::chrono::hours(24 * 8);
  CHECK(store->presigning()->presign_get(digest, wanted).error().code == Errc::invalid_argument);
  wanted = {};
  wanted.content_type = "a\r\nb";
  CHECK(store->presigning()->presign_get(digest, wanted).error().code == Errc::invalid_argument);
  CHECK(test::open_s3(options)->presigning() != nullptr);
}

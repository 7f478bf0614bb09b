// What an operator is told: credentials, buckets, regions, clocks and certificates that are wrong.
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "blob_store_contract.hpp"
#include "s3_fixture.hpp"

using namespace media;
using namespace std::chrono_literals;

namespace {

/// One clear sentence without a secret.
void check_message(const Error& error, const std::string& part) {
  CAPTURE(error.message);
  CHECK(error.message.find(part) != std::string::npos);
  CHECK(error.message.find('\n') == std::string::npos);
  CHECK(error.message.size() < 300);
  for (const char* const secret : {test::ObjectStore::kSecretKey, "wrong-secret", "owner-secre", "a-session-token"}) {
    CHECK(error.message.find(secret) == std::string::npos);
  }
}

Error refusal(const S3StoreOptions& options) {
  const auto opened = open_s3_store(options);
  REQUIRE_FALSE(opened);
  return opened.error();
}

class LateClock final : public Clock {
 public:
  explicit LateClock(std::chrono::minutes by) : by_(by) {}
  [[nodiscard]] Timestamp now() const override { return SystemClock().now() + by_; }

 private:
  std::chrono::minutes by_;
};

/// A certificate for 127.0.0.1 that signs itself, with its key behind it.
void write_certificate(const std::filesystem::path& path, std::chrono::seconds from, std::chrono::seconds to) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), from.count());
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), to.count());
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* const name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("127.0.0.1"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> names(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1"), &X509_EXTENSION_free);
  X509_add_ext(certificate.get(), names.get(), -1);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  const auto close = [](std::FILE* open) { std::fclose(open); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "w"), close);
  REQUIRE(PEM_write_X509(file.get(), certificate.get()) == 1);
  REQUIRE(PEM_write_PrivateKey(file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
}

}  // namespace

TEST_CASE("store: wrong credentials are told apart in one sentence each") {
  auto options = test::s3_options();
  options.credentials.secret_access_key = "wrong-secret";
  CHECK(refusal(options).code == Errc::denied);
  check_message(refusal(options), "the secret key does not fit the access key");
  options.credentials.access_key_id = "NOBODY";
  CHECK(refusal(options).code == Errc::denied);
  check_message(refusal(options), "does not know the access key");
  options.credentials = {test::ObjectStore::kGuestAccessKey, test::ObjectStore::kGuestSecretKey, {}};
  CHECK(refusal(options).code == Errc::denied);
  check_message(refusal(options), "do not open bucket 'media'");
  options.credentials.secret_access_key.clear();
  CHECK(refusal(options).code == Errc::denied);
}

TEST_CASE("store: a bucket that is not there, and one of another region") {
  auto options = test::s3_options();
  options.bucket = "no-such-bucket";
  CHECK(refusal(options).code == Errc::not_found);
  check_message(refusal(options), "there is no such bucket");

  test::FaultProxy proxy(test::gateway().port(), [](const test::ProxiedRequest& request) {
    if (request.target.find("moved") != std::string::npos) {
      return test::s3_error(301, "PermanentRedirect", "", "x-amz-bucket-region: eu-west-1\r\n");
    }
    return test::s3_error(400, "AuthorizationHeaderMalformed", "<Region>eu-central-1</Region>");
  });
  options.endpoint = proxy.endpoint();
  options.bucket = "moved";
  CHECK(refusal(options).code == Errc::invalid_argument);
  check_message(refusal(options), "bucket 'moved' is in region 'eu-west-1', not in 'us-east-1'");
  options.bucket = "elsewhere";
  check_message(refusal(options), "bucket 'elsewhere' is in region 'eu-central-1', not in 'us-east-1'");
  CHECK(proxy.seen().size() == 3);
}

TEST_CASE("store: a clock that is 20 minutes off is named as the reason") {
  auto options = test::s3_options();
  options.clock = std::make_shared<LateClock>(20min);
  CHECK(refusal(options).code == Errc::denied);
  check_message(refusal(options), "this machine's clock is 20 minutes ahead of the object store's");
  options.clock = std::make_shared<LateClock>(-20min);
  check_message(refusal(options), "this machine's clock is 20 minutes behind the object store's");
  options.clock = std::make_shared<LateClock>(2min);
  CHECK(open_s3_store(options));
}

TEST_CASE("store: certificates are checked, and a file may say whom to trust") {
  const test::TempFolder folder;
  write_certificate(folder / "good.pem", -3600s, 3600s);
  write_certificate(folder / "expired.pem", -7200s, -3600s);
  {
    test::ObjectStore::Options wanted;
    wanted.tls_certificate = folder / "good.pem";
    const test::ObjectStore engine(wanted);
    auto options = test::s3_options("https://127.0.0.1:" + std::to_string(engine.tls_port()));
    CHECK(refusal(options).code == Errc::denied);
    check_message(refusal(options), "is not to be trusted");
    options.ca_file = folder / "good.pem";
    const auto store = test::open_s3(options);
    const auto content = test::noise(700'000);
    CHECK(test::get(*store, test::put(*store, content)) == content);
    options.ca_file = folder / "nothing.pem";
    CHECK(refusal(options).code == Errc::invalid_argument);
  }
  const std::uint16_t port = test::free_port();
  const test::Daemon server({"openssl", "s_server", "-accept", "127.0.0.1:" + std::to_string(port), "-cert",
                             (folder / "expired.pem").string(), "-key", (folder / "expired.pem").string(), "-www", "-quiet"},
                            {}, folder / "output");
  auto options = test::s3_options("https://127.0.0.1:" + std::to_string(port));
  options.ca_file = folder / "expired.pem";
  options.attempts = 20;
  options.first_pause = 100ms;
  CHECK(refusal(options).code == Errc::denied);
  check_message(refusal(options), "has expired");
}

TEST_CASE("store: credentials come from a file, which is read again when it changes") {
  const test::TempFolder folder;
  const auto file = folder / "credentials";
  const auto write = [&](const std::string& secret) {
    test::write_file(folder / "new",
                     "# ours\n[default]\naws_access_key_id=NOBODY\naws_secret_access_key=x\n\n[ media ]\r\naws_access_key_id = " +
                         std::string(test::ObjectStore::kAccessKey) + "\r\naws_secret_access_key = " + secret + "\r\n");
    std::filesystem::rename(folder / "new", file);
  };
  auto options = test::s3_options();
  options.credentials = {};
  options.credentials_file = file;
  options.profile = "media";
  CHECK(refusal(options).code == Errc::denied);
  check_message(refusal(options), file.string());
  write(test::ObjectStore::kSecretKey);
  const auto store = test::open_s3(options);
  const Digest digest = test::put(*store, test::noise(10));
  write("wrong-secret");
  const auto refused = store->stat(digest);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::denied);
  write(test::ObjectStore::kSecretKey);
  CHECK(store->stat(digest).value());
  test::write_file(file, "half a fi");  // being written: what was read before goes on
  CHECK(store->stat(digest).value());
  options.profile = "absent";
  write(test::ObjectStore::kSecretKey);
  check_message(refusal(options), "[absent]");
}

TEST_CASE("store: options that cannot be meant are refused before anything is asked") {
  const auto wrong = [](const std::function<void(S3StoreOptions&)>& change) {
    auto options = test::s3_options("http://127.0.0.1:1");
    options.attempts = 1;
    change(options);
    const auto error = refusal(options);
    check_message(error, "open an S3 store: ");
    return error.code;
  };
  CHECK(wrong([](auto& o) { o.endpoint = "ftp://host"; }) == Errc::invalid_argument);
  CHECK(wrong([](auto& o) { o.endpoint = "http://user:a-session-token@host"; }) == Errc::invalid_argument);
  CHECK(wrong([](auto& o) { o.endpoint = "http://host/path"; }) == Errc::invalid_argument);
  CHECK(wrong([](auto& o) { o.endpoint = "http://host:port"; }) == Errc::invalid_argument);
  CHECK(wrong([](auto& o) { o.public_endpoint = "host"; }) == Errc::invalid_argument);
  CHECK(wrong([](auto& o) { o.bucket = "a/b"; }) == Errc::invalid_argument);
  CHECK(wrong([](auto& o) { o.bucket = ""; }) == Errc::invalid_argument);
  CHECK(wrong([](auto& o) { o.region = "eu west"; }) == Errc::invalid_argument);
  CHECK(wrong([](auto& o) { o.prefix = "/a"; }) == Errc::invalid_argument);
  CHECK(wrong([](auto& o) { o.prefix = "a//b"; }) == Errc::invalid_argument);
  CHECK(wrong([](auto& o) { o.part_bytes = 1; }) == Errc::invalid_argument);
  CHECK(wrong([](auto& o) { o.upload_threads = 0; }) == Errc::invalid_argument);

  auto options = test::s3_options("http://127.0.0.1:1");
  options.attempts = 1;
  CHECK(refusal(options).code == Errc::unavailable);
  check_message(refusal(options), "no connection to 127.0.0.1:1");
}

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base64.hpp"
#include "catch.hpp"
#include "config.hpp"
#include "cursor.hpp"
#include "errors.hpp"
#include "health.hpp"
#include "negotiate.hpp"
#include "support.hpp"
#include "telemetry/log.hpp"

using namespace media;
using namespace media::server;

namespace {

LoadedConfig load(Environment environment, bool in_container = false) {
  const test::TempFolder folder;
  return load_config(std::move(environment), folder.path(), in_container);
}

}  // namespace

TEST_CASE("server: without any variable the configuration is good and local") {
  const auto loaded = load({});
  CHECK(loaded.faults.empty());
  CHECK(loaded.config.run_mode == RunMode::local);
  CHECK(loaded.config.host == "127.0.0.1");
  CHECK(loaded.config.port == 3000);
  CHECK(loaded.config.base_path == "./media");
  CHECK(loaded.config.log_format == LogFormat::pretty);
  CHECK(loaded.config.policy.max_video_bytes == 524'288'000);
}

TEST_CASE("server: production listens everywhere, logs JSON and wants authentication spoken of") {
  const auto silent = load({}, true);
  CHECK(silent.config.run_mode == RunMode::production);
  REQUIRE(silent.faults.size() == 3);
  CHECK_THAT(silent.faults[0], ContainsSubstring("UPLOAD_URL_SECRET"));
  CHECK_THAT(silent.faults[1], ContainsSubstring("MEDIA_SERVICE_MIDDLEWARE_AUTH_ENABLED"));
  CHECK_THAT(silent.faults[2], ContainsSubstring("RUN_MODE"));
  CHECK(load({{"RUN_MODE", "production"}}, true).faults.size() == 2);
  const auto told = load({{"RUN_MODE", "production"},
                          {"MEDIA_SERVICE_MIDDLEWARE_AUTH_ENABLED", "false"},
                          {"UPLOAD_URL_SECRET", "6f1ed002ab5595859014ebf0951522d9"}});
  CHECK(told.faults.empty());
  CHECK(told.config.host == "0.0.0.0");
  CHECK(told.config.log_format == LogFormat::json);
  CHECK(load({{"RUN_MODE", "local"}}, true).config.run_mode == RunMode::local);
}

TEST_CASE("server: secrets come from the environment or a file, long enough, and in production drawn by chance") {
  const test::TempFolder folder;
  test::write_file(folder / "key", test::bytes("6f1ed002ab5595859014ebf0951522d9\n"));
  const auto by_file = load({{"UPLOAD_URL_SECRET_FILE", (folder / "key").string()}, {"UPLOAD_URL_SECRET_PREVIOUS", std::string(40, 'p')}});
  CHECK(by_file.faults.empty());
  REQUIRE(by_file.config.url_secrets.size() == 2);
  CHECK(by_file.config.url_secrets[0] == "6f1ed002ab5595859014ebf0951522d9");
  CHECK(print_config(by_file.config).find("6f1ed002") == std::string::npos);
  CHECK(print_config(by_file.config).find("UPLOAD_URL_SECRET_PREVIOUS=********\n") != std::string::npos);

  const auto faults = [](Environment environment) { return load(std::move(environment)).faults; };
  CHECK(faults({{"UPLOAD_URL_SECRET", "short"}}).size() == 1);
  CHECK(faults({{"UPLOAD_URL_SECRET_FILE", "/no/such/file"}}).size() == 1);
  CHECK(faults({{"UPLOAD_URL_SECRET", std::string(40, 'p')}, {"UPLOAD_URL_SECRET_FILE", (folder / "key").string()}}).size() == 1);
  CHECK(faults({{"UPLOAD_URL_SECRET_PREVIOUS", std::string(40, 'p')}}).size() == 1);
  CHECK(faults({{"UPLOAD_URL_SECRET", std::string(40, 'p')}, {"UPLOAD_URL_SECRET_PREVIOUS", std::string(40, 'p')}}).size() == 1);
  for (const char* const weak :
       {"your-secret-key-here-0123456789-abcdef", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "CHANGE_ME_0123456789_0123456789_01"}) {
    INFO(weak);
    CHECK(faults({{"RUN_MODE", "production"}, {"MEDIA_SERVICE_MIDDLEWARE_AUTH_ENABLED", "false"}, {"UPLOAD_URL_SECRET", weak}}).size() ==
          1);
  }
}

TEST_CASE("server: authentication is on where there is a way to authenticate, and off only where that is said") {
  const std::string secret = "6f1ed002ab5595859014ebf0951522d9";
  const std::string url_secret = "0a91c7d2ab5595859014ebf0951522d9";
  CHECK_FALSE(load({}).config.auth_enabled);
  const auto by_secret = load({{"JWT_SECRET", secret}});
  CHECK(by_secret.faults.empty());
  CHECK(by_secret.config.auth_enabled);
  CHECK(by_secret.config.jwt_secret == secret);
  CHECK(print_config(by_secret.config).find(secret) == std::string::npos);
  CHECK(print_config(by_secret.config).find("JWT_SECRET=********\n") != std::string::npos);
  CHECK(load({{"MEDIA_SERVICE_AUTH_JWKS_FILE", "/keys"}}).config.auth_enabled);
  CHECK_FALSE(load({{"JWT_SECRET", secret}, {"MEDIA_SERVICE_MIDDLEWARE_AUTH_ENABLED", "false"}}).config.auth_enabled);
  CHECK(load({{"MEDIA_SERVICE_MIDDLEWARE_AUTH_ENABLED", "true"}}).config.auth_enabled);

  const auto production = [&](Environment more) {
    more.emplace("RUN_MODE", "production");
    more.emplace("UPLOAD_URL_SECRET", url_secret);
    return load(std::move(more)).faults;
  };
  CHECK(production({}).size() == 1);
  CHECK(production({{"JWT_SECRET", secret}}).empty());
  CHECK(production({{"MEDIA_SERVICE_AUTH_JWKS_FILE", "/keys"}}).empty());
  CHECK(production({{"MEDIA_SERVICE_MIDDLEWARE_AUTH_ENABLED", "true"}}).empty());
  CHECK(production({{"JWT_SECRET", "your-secret-key-here-0123456789-abcdef"}}).size() == 1);
  CHECK(production({{"JWT_SECRET", "short"}}).size() == 1);
  CHECK(production({{"JWT_SECRET", url_secret}}).size() == 1);
}

TEST_CASE("server: introspection wants all of its settings, and production wants https") {
  const Environment good = {{"OAUTH2_SERVICE_ENABLED", "true"},
                            {"OAUTH2_INTROSPECTION_ENABLED", "true"},
                            {"OAUTH2_SERVICE_BASE_URL", "https://id.example/api/"},
                            {"OAUTH2_CLIENT_ID", "media"},
                            {"OAUTH2_CLIENT_SECRET", "b7d4e09c1f5a2836"}};
  const auto loaded = load(good);
  CHECK(loaded.faults.empty());
  CHECK(loaded.config.auth_enabled);
  CHECK(loaded.config.oauth2_base_url == "https://id.example/api");
  CHECK(print_config(loaded.config).find("b7d4e09c1f5a2836") == std::string::npos);
  for (const auto& [name, value] : good) {
    Environment without = good;
    without.erase(name);
    INFO(name);
    CHECK(load(without).faults.size() == 1);
  }
  Environment production = good;
  production["RUN_MODE"] = "production";
  production["UPLOAD_URL_SECRET"] = "0a91c7d2ab5595859014ebf0951522d9";
  CHECK(load(production).faults.empty());
  const auto with = [&](const std::string& name, const std::string& value) {
    Environment changed = production;
    changed[name] = value;
    return load(changed).faults.size();
  };
  CHECK(with("OAUTH2_SERVICE_BASE_URL", "http://id.example/api") == 1);
  CHECK(with("OAUTH2_SERVICE_BASE_URL", "http://127.0.0.1:8080") == 0);
  CHECK(with("OAUTH2_SERVICE_BASE_URL", "http://127.evil.example") == 1);
  CHECK(with("OAUTH2_SERVICE_BASE_URL", "http://localhost.evil.example") == 1);
  CHECK(with("OAUTH2_SERVICE_BASE_URL", "http://127.0.0.1@evil.example") == 2);
  CHECK(with("OAUTH2_CLIENT_SECRET", "short") == 1);
  CHECK(with("OAUTH2_CLIENT_SECRET", "your-client-secret-here") == 1);
  CHECK(with("OAUTH2_TOKEN_CACHE_TTL_SECONDS", "-1") == 1);
  CHECK(with("MEDIA_SERVICE_AUTH_JWKS_URL", "http://id.example/keys") == 1);
  CHECK(with("MEDIA_SERVICE_AUTH_JWKS_URL", "https://id.example/keys?v=1") == 0);
  CHECK(with("MEDIA_SERVICE_AUTH_JWKS_URL", "file:///keys") == 1);
  CHECK(load({{"MEDIA_SERVICE_AUTH_JWKS_URL", "http://id.example/keys"}}).faults.empty());
  CHECK(load({{"MEDIA_SERVICE_AUTH_JWKS_URL", "https://id.example/keys"}, {"MEDIA_SERVICE_AUTH_JWKS_FILE", "/keys"}}).faults.size() == 1);
  CHECK(load({{"OAUTH2_SERVICE_ENABLED", "true"}}).faults.size() == 1);
  CHECK(load({{"OAUTH2_SERVICE_ENABLED", "true"}, {"JWT_SECRET", "6f1ed002ab5595859014ebf0951522d9"}}).faults.empty());
}

TEST_CASE("server: a scope map reads back, and two names may mean the same") {
  const auto loaded =
      load({{"MEDIA_SERVICE_AUTH_SCOPE_MAP", "recipe:read=media:read, recipe:all=media:read,recipe:all=media:write,a=b=media:admin"}});
  CHECK(loaded.faults.empty());
  REQUIRE(loaded.config.claim_rules.scope_map.size() == 4);
  CHECK(loaded.config.claim_rules.scope_map[3] == std::pair<std::string, Scope>("a=b", Scope::admin));
  for (const char* const bad : {"=media:read", "recipe:read", "recipe:read=read", "a=media:read,,b=media:read"}) {
    CHECK(load({{"MEDIA_SERVICE_AUTH_SCOPE_MAP", bad}}).faults.size() == 1);
  }
}

TEST_CASE("server: every wrong variable gets a line of its own that says what it accepts") {
  const auto loaded = load({{"RUN_MODE", "test"},
                            {"MEDIA_SERVICE_SERVER_PORT", "99999"},
                            {"MEDIA_SERVICE_LOGGING_LEVEL", "loud"},
                            {"MEDIA_SERVICE_SERVER_PUBLIC_URL", "ftp://x"},
                            {"MEDIA_SERVICE_MIDDLEWARE_VALIDATION_ALLOWED_FILE_TYPES", "image/jpeg,text/html"},
                            {"MEDIA_SERVICE_NO_SUCH_THING", "1"},
                            {"MEDIA_SERVICE_MIDDLEWARE_AUTH_ENABLED", "maybe"},
                            {"MEDIA_SERVICE_AUTH_SCOPE_MAP", "recipe:read=media:everything"},
                            {"MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_TRUST_FORWARDED_HEADERS", "true"},
                            {"MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_UPLOAD_PER_MINUTE", "-1"},
                            {"MEDIA_SERVICE_SERVER_TRUSTED_PROXIES", "10.0.0.1/8"},
                            {"MEDIA_SERVICE_MIDDLEWARE_CORS_ALLOWED_ORIGINS", "https://app.example/"},
                            {"MEDIA_SERVICE_MIDDLEWARE_SECURITY_CSP", "a\nb"},
                            {"POSTGRES_PORT", "0"},
                            {"OAUTH2_SERVICE_ENABLED", "perhaps"},
                            {"PATH", "/bin"}});
  CHECK(loaded.faults.size() == 15);
  for (const auto& fault : loaded.faults) CHECK(fault.find(": ") != std::string::npos);
}

TEST_CASE("server: the database is read by the names that deployments set, its password from a file too, and never printed") {
  const test::TempFolder folder;
  test::write_file(folder / "password", std::string_view("from-a-file\n"));
  const auto loaded = load({{"POSTGRES_HOST", "db"},
                            {"POSTGRES_PORT", "5433"},
                            {"POSTGRES_DB", "media"},
                            {"POSTGRES_SCHEMA", "gallery"},
                            {"POSTGRES_MAX_CONNECTIONS", "7"},
                            {"POSTGRES_MIN_CONNECTIONS", "0"},
                            {"POSTGRES_ACQUIRE_TIMEOUT_SECONDS", "3"},
                            {"MEDIA_MANAGEMENT_DB_USER", "cook"},
                            {"MEDIA_MANAGEMENT_DB_PASSWORD_FILE", (folder / "password").string()}});
  CHECK(loaded.faults.empty());
  const auto& postgres = loaded.config.postgres;
  CHECK(postgres.host == "db");
  CHECK(postgres.port == 5433);
  CHECK(postgres.database == "media");
  CHECK(postgres.schema == "gallery");
  CHECK(postgres.max_connections == 7);
  CHECK(postgres.min_connections == 0);
  CHECK(postgres.acquire_timeout == std::chrono::seconds(3));
  CHECK(postgres.user == "cook");
  CHECK(postgres.password == "from-a-file");
  CHECK(print_config(loaded.config).find("from-a-file") == std::string::npos);
  CHECK(load({{"POSTGRES_HOST", "db"}, {"POSTGRES_USER", "a"}, {"MEDIA_MANAGEMENT_DB_USER", "a"}}).faults.empty());
  CHECK(load({{"POSTGRES_HOST", "db"}, {"POSTGRES_USER", "a"}, {"MEDIA_MANAGEMENT_DB_USER", "b"}}).faults.size() == 1);
  CHECK(load({{"POSTGRES_HOST", "db"}, {"POSTGRES_PASSWORD", "a"}, {"MEDIA_MANAGEMENT_DB_PASSWORD", "b"}}).faults.size() == 1);
  // Whoever forgot the host would get an empty catalog over a full store.
  for (const char* const name : {"POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD", "MEDIA_MANAGEMENT_DB_PASSWORD"}) {
    CAPTURE(name);
    const auto lost = load({{name, "a"}});
    REQUIRE(lost.faults.size() == 1);
    CHECK_THAT(lost.faults.front(), ContainsSubstring("POSTGRES_HOST"));
  }
  CHECK(load({{"POSTGRES_MIN_CONNECTIONS", "11"}}).faults.size() == 1);
  CHECK(load({}).config.postgres.host.empty());
}

TEST_CASE("server: limits, proxies and origins are read and printed, and production limits by itself") {
  const auto loaded = load({{"MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_BURST", "7"},
                            {"MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_DELIVERY_PER_MINUTE", "9"},
                            {"MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_TRUST_FORWARDED_HEADERS", "true"},
                            {"MEDIA_SERVICE_SERVER_TRUSTED_PROXIES", "10.0.0.0/8, ::1"},
                            {"MEDIA_SERVICE_MIDDLEWARE_CORS_ALLOWED_ORIGINS", "https://a.example, http://localhost:5173"},
                            {"MEDIA_SERVICE_MIDDLEWARE_SECURITY_FRAME_OPTIONS", "none"}});
  CHECK(loaded.faults.empty());
  CHECK_FALSE(loaded.config.rate_limits.enabled);
  CHECK(loaded.config.rate_limits[RateTier::delivery].per_minute == 9);
  CHECK(loaded.config.rate_limits[RateTier::delivery].capacity() == 7);
  CHECK(contains(loaded.config.trusted_proxies, "10.3.4.5"));
  CHECK(loaded.config.cors_origins.size() == 2);
  CHECK(loaded.config.security_headers.frame_options.empty());
  const std::string trust = "MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_TRUST_FORWARDED_HEADERS";
  CHECK(load({{trust, "false"}, {"MEDIA_SERVICE_SERVER_TRUSTED_PROXIES", "10.0.0.0/8"}}).faults.size() == 1);
  CHECK(load({{trust, "false"}}).faults.empty());
  const std::string metrics = "MEDIA_SERVICE_MIDDLEWARE_METRICS_";
  CHECK(load({{metrics + "PORT", "9100"}, {metrics + "PATH", "/internal/num-bers_1.0"}}).faults.empty());
  CHECK(load({{metrics + "PORT", "3000"}}).faults.size() == 1);
  for (const char* const path : {"", "/", "metrics", "/a//b", "/a/", "/../a", "/.a", "/{id}", "/a b", "/a?b", "/media", "/uploads/x"}) {
    CHECK(load({{metrics + "PATH", path}}).faults.size() == 1);
  }
  const auto printed = print_config(loaded.config);
  CHECK(printed.find("MEDIA_SERVICE_SERVER_TRUSTED_PROXIES=10.0.0.0/8, ::1\n") != std::string::npos);
  CHECK(printed.find("MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_PUBLIC_PER_MINUTE=100\n") != std::string::npos);
  const auto production = load({{"RUN_MODE", "production"}});
  CHECK(production.config.rate_limits.enabled);
  CHECK(production.config.security_headers.hsts_max_age_seconds == 31'536'000);
}

TEST_CASE("server: a file fills what the environment leaves open, in local mode only") {
  const test::TempFolder folder;
  test::write_file(
      folder / ".env.local",
      "# comment\nMEDIA_SERVICE_SERVER_PORT=4000\n export MEDIA_SERVICE_LOGGING_LEVEL='warn'\n\nMEDIA_SERVICE_SERVER_HOST=\"::1\"\n");
  const auto loaded = load_config({{"MEDIA_SERVICE_SERVER_PORT", "5000"}}, folder.path(), false);
  CHECK(loaded.faults.empty());
  CHECK(loaded.config.port == 5000);
  CHECK(loaded.config.log_level == "warn");
  CHECK(loaded.config.host == "::1");
  const auto production = load_config({{"MEDIA_SERVICE_MIDDLEWARE_AUTH_ENABLED", "false"}}, folder.path(), true);
  CHECK(production.config.port == 3000);
  test::write_file(folder / ".env.local", "no equals sign\n");
  CHECK(load_config({}, folder.path(), false).faults.size() == 1);
}

TEST_CASE("server: what is printed reads back as the same configuration") {
  auto loaded = load({{"MEDIA_SERVICE_SERVER_PORT", "0"},
                      {"MEDIA_SERVICE_SERVER_PUBLIC_URL", "https://media.example/"},
                      {"MEDIA_SERVICE_STORAGE_BASE_PATH", "/srv/media"},
                      {"MEDIA_SERVICE_STORAGE_S3_BUCKET", "photos"},
                      {"MEDIA_SERVICE_STORAGE_S3_PATH_STYLE", "false"},
                      {"MEDIA_SERVICE_MIDDLEWARE_VALIDATION_ALLOWED_FILE_TYPES", "image/jpeg, png,image/jpg"},
                      {"MEDIA_SERVICE_MIDDLEWARE_VALIDATION_MAX_FILE_SIZE_MB", "7"}});
  REQUIRE(loaded.faults.empty());
  CHECK(loaded.config.policy.allowed == std::vector<Format>{Format::jpeg, Format::png});
  CHECK(loaded.config.policy.max_image_bytes == 7U << 20U);
  std::vector<std::string> faults;
  const auto again = load(parse_env_file(print_config(loaded.config), faults));
  CHECK(faults.empty());
  CHECK(again.faults.empty());
  CHECK(print_config(again.config) == print_config(loaded.config));
}

TEST_CASE("server: files are handed to trusted proxies only, by a name that is percent-encoded") {
  const Environment header = {{"MEDIA_SERVICE_SERVER_SENDFILE_HEADER", "X-Accel-Redirect"}};
  CHECK(load(header).faults.size() == 1);
  auto with = [&](Environment more) {
    more.insert(header.begin(), header.end());
    more.emplace("MEDIA_SERVICE_SERVER_TRUSTED_PROXIES", "127.0.0.1");
    return load(more);
  };
  const auto accel = with({});
  REQUIRE(accel.faults.empty());
  CHECK(accel.config.sendfile_target("ab/cd/ef/abcdef") == "/media-blobs/ab/cd/ef/abcdef");
  const auto moved = with({{"MEDIA_SERVICE_SERVER_SENDFILE_PREFIX", "/a b/"}});
  REQUIRE(moved.faults.empty());
  CHECK(moved.config.sendfile_target("ab") == "/a%20b/ab");
  const auto sendfile =
      with({{"MEDIA_SERVICE_SERVER_SENDFILE_HEADER", "X-Sendfile"}, {"MEDIA_SERVICE_STORAGE_BASE_PATH", "/srv/50% of it/"}});
  REQUIRE(sendfile.faults.empty());
  CHECK(sendfile.config.sendfile_target("ab/cd") == "/srv/50%25%20of%20it/ab/cd");
  CHECK(with({{"MEDIA_SERVICE_STORAGE_S3_BUCKET", "photos"}}).faults.size() == 1);
  CHECK(with({{"MEDIA_SERVICE_STORAGE_WARM", "/srv/warm"}}).faults.size() == 1);
  CHECK(with({{"MEDIA_SERVICE_SERVER_SENDFILE_PREFIX", "blobs"}}).faults.size() == 1);
  CHECK(with({{"MEDIA_SERVICE_SERVER_SENDFILE_HEADER", "Location"}}).faults.size() == 1);
}

TEST_CASE("server: the cache of small contents is as configured, or as the place of the blobs has it") {
  CHECK_FALSE(load({}).config.read_cache_bytes);
  CHECK(load({{"MEDIA_SERVICE_STORAGE_READ_CACHE", "0"}}).config.read_cache_bytes == 0U);
  CHECK(load({{"MEDIA_SERVICE_STORAGE_READ_CACHE", "1048576"}}).config.read_cache_bytes == 1048576U);
  CHECK(load({{"MEDIA_SERVICE_STORAGE_READ_CACHE", "much"}}).faults.size() == 1);
}

TEST_CASE("server: what is printed of the defaults reads back without a fault") {
  std::vector<std::string> faults;
  const auto usual = load({{"MEDIA_SERVICE_SERVER_PUBLIC_URL", "https://media.example"}});
  CHECK(load(parse_env_file(print_config(usual.config), faults)).faults.empty());
  CHECK(faults.empty());
}

TEST_CASE("server: a failure says what a client can do about it, and nothing of this machine's files") {
  http::Request request;
  request.request_id = "one";
  Log log{"off", false};
  const auto told = [&](Errc code, const std::string& message) {
    const http::Response response = error_response(Error{code, message}, request, log);
    CHECK(response.status == status_of(code));
    return response.pieces.at(0).text;
  };
  for (const Errc code : {Errc::invalid_argument, Errc::not_found, Errc::already_exists, Errc::conflict, Errc::too_large, Errc::unsupported,
                          Errc::expired, Errc::io, Errc::unavailable, Errc::internal, Errc::corrupt, Errc::denied, Errc::no_space}) {
    for (const char* const message : {"/srv/media/uploads is not a folder", "open /srv/media/x: No such file or directory",
                                      "read \"/srv/media/x\"", "worker:/srv/media/libexec/media-worker"}) {
      INFO(message << " as " << to_string(code));
      CHECK_THAT(told(code, message), !ContainsSubstring("srv"));
    }
  }
  for (const char* const message : {"Content-Type: accepts image/png, image/jpeg", "w / h: 1 to 2", "there is no media 7"}) {
    CHECK_THAT(told(Errc::invalid_argument, message), ContainsSubstring(message));
  }
}

TEST_CASE("server: base64 answers the vectors of RFC 4648 both ways") {
  const std::vector<std::pair<std::string, std::string>> vectors = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : vectors) {
    CHECK(base64_encode(plain) == coded);
    CHECK(base64_decode(coded) == plain);
  }
  CHECK(base64_decode("_-8") == base64_decode("/+8="));
  CHECK_FALSE(base64_decode("A"));
  CHECK_FALSE(base64_decode("Zm9v\n"));
}

TEST_CASE("server: cursors read back, as does a plain integer, and nothing else") {
  for (const Cursor cursor : {Cursor{1, false}, Cursor{kMaxMediaId, true}, Cursor{0, false}, Cursor{kMaxMediaId + 1, true}})
    CHECK(parse_cursor(to_string(cursor)).value() == cursor);
  CHECK(parse_cursor("eyJpZCI6MTI0fQ==").value() == Cursor{124, false});
  CHECK(parse_cursor(base64_encode("77")).value() == Cursor{77, false});
  for (const std::string bad : {"", "0", "x", "{}", "{\"id\":00}", "{\"id\":-1}", "{\"id\":1.5}", "{\"id\":\"1\"}",
                                "{\"id\":9007199254740993}", "{\"id\":1,\"dir\":\"up\"}", "[1]", "-5", "{\"id\":1"}) {
    CHECK_FALSE(parse_cursor(base64_encode(bad)));
  }
  CHECK_FALSE(parse_cursor("%%%"));
  CHECK_FALSE(parse_cursor(std::string(4000, 'A')));
}

TEST_CASE("server: a media id is digits between 1 and 2^53 - 1") {
  CHECK(parse_media_id("9007199254740991").value() == kMaxMediaId);
  for (const char* bad : {"", "0", "-1", "+1", "1x", " 1", "9007199254740992", "99999999999999999999", "0x1"})
    CHECK_FALSE(parse_media_id(bad));
}

TEST_CASE("server: the format is what the client names, AVIF first, and what everybody shows otherwise") {
  const std::vector<Format> all{Format::avif, Format::webp, Format::jpeg};
  CHECK(negotiate("image/avif,image/webp,image/apng,*/*;q=0.8", all, false) == Format::avif);
  CHECK(negotiate("image/webp,*/*", all, true) == Format::webp);
  CHECK(negotiate("image/avif;q=0, image/webp", all, false) == Format::webp);
  CHECK(negotiate("IMAGE/AVIF", all, false) == Format::avif);
  // A field that came in several lines is one list.
  http::Request request;
  CHECK_FALSE(accepted_by(request));
  request.headers.add("Accept", "image/jpeg");
  request.headers.add("accept", "image/avif, */*");
  CHECK(accepted_by(request) == "image/jpeg, image/avif, */*");
  CHECK(negotiate(accepted_by(request), all, false) == Format::avif);
  CHECK(negotiate("*/*", all, false) == Format::jpeg);
  CHECK(negotiate("*/*", all, true) == Format::png);
  CHECK(negotiate(std::nullopt, all, true) == Format::png);
  CHECK(negotiate("image/jpeg", all, true) == Format::jpeg);
  CHECK(negotiate("text/html", all, false) == Format::jpeg);
  CHECK(negotiate("image/avif", {Format::jpeg}, false) == Format::jpeg);
  CHECK(negotiate(",;,q=,;;", all, false) == Format::jpeg);
}

TEST_CASE("server: file names survive a Content-Disposition without breaking it") {
  CHECK(content_disposition("attachment", "a b.jpg") == "attachment; filename=\"a b.jpg\"");
  CHECK(content_disposition("inline", "") == "inline");
  CHECK(content_disposition("attachment", "na\u00efve.jpg") == "attachment; filename=\"na_ve.jpg\"; filename*=UTF-8''na%C3%AFve.jpg");
  CHECK(content_disposition("attachment", "a\"\r\nX: y\\.jpg") ==
        "attachment; filename=\"a___X: y_.jpg\"; filename*=UTF-8''a%22%0D%0AX%3A%20y%5C.jpg");
  CHECK(content_disposition("attachment", "\xFF.jpg") == "attachment; filename=\"_.jpg\"; filename*=UTF-8''%EF%BF%BD.jpg");
  for (int byte = 0; byte < 256; ++byte) {
    const std::string field = content_disposition("attachment", std::string(1, static_cast<char>(byte)));
    for (const char c : field) CHECK((c >= 0x20 && c < 0x7F));
  }
}

TEST_CASE("server: a check that hangs reports a timeout and the others their answer") {
  std::mutex mutex;
  std::condition_variable released;
  bool release = false;
  std::atomic<int> asked{0};
  HealthChecks checks({{"quick", [] { return Result<void>{}; }},
                       {"broken", [] { return Result<void>(Error{Errc::io, "no"}); }},
                       {"stuck",
                        [&] {
                          ++asked;
                          std::unique_lock lock(mutex);
                          released.wait(lock, [&] { return release; });
                          return Result<void>{};
                        }}},
                      std::chrono::milliseconds(100));
  const auto first = checks.run();
  REQUIRE(first.size() == 3);
  CHECK(first[0].status == Check::Status::healthy);
  CHECK(first[1].status == Check::Status::unhealthy);
  CHECK(first[2].status == Check::Status::timeout);
  CHECK(first[2].response_time >= std::chrono::milliseconds(90));
  CHECK(checks.run()[2].status == Check::Status::timeout);
  CHECK(asked == 1);  // the second caller shares the check under way
  {
    const std::lock_guard lock(mutex);
    release = true;
  }
  released.notify_all();
  for (int i = 0; i < 100 && checks.run()[2].status != Check::Status::healthy; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(checks.run()[2].status == Check::Status::healthy);
}

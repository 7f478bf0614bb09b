// Issuers over HTTP: their keys, their answers about tokens, their absence. The issuer is a server of ours on loopback.
#include <atomic>
#include <mutex>
#include <thread>

#include "auth/authenticator.hpp"
#include "auth/introspection.hpp"
#include "base64.hpp"
#include "catch.hpp"
#include "http/http.hpp"
#include "tokens.hpp"
#include "web_client.hpp"

using namespace media;
using namespace media::server;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t kNow = 1'800'000'000;
const std::string kSecret = "0123456789abcdef-&=+ %";

struct StillClock final : Clock {
  [[nodiscard]] Timestamp now() const override { return Timestamp(std::chrono::seconds(kNow)); }
};

/// Serves a key set and answers introspection; remembers what it was asked.
class Issuer {
 public:
  Issuer() { start(); }

  void start() {
    http::Router router;
    router.add("GET", "/keys", [this](http::Request&) { return answer(keys); });
    router.add("GET", "/moved", [this](http::Request&) { return http::Response::empty(302).with("Location", url("/keys")); });
    router.add("GET", "/slow", [](http::Request&) {
      std::this_thread::sleep_for(600ms);
      return http::Response::text(200, "late");
    });
    router.add("POST", "/oauth2/introspect",
               [this](http::Request& request) {
                 std::string form;
                 std::array<std::byte, 4096> piece{};
                 for (;;) {
                   const auto got = request.body->read(piece);
                   if (!got || *got == 0) break;
                   form.append(reinterpret_cast<const char*>(piece.data()), *got);
                 }
                 const std::lock_guard lock(mutex);
                 ++asked;
                 last_form = form;
                 last_authorization = request.header("Authorization").value_or("");
                 return http::Response::text(status, introspection, "application/json");
               },
               {.accepts_body = true});
    http::ServerOptions options;
    options.port = port;
    server = http::Server::start(options, std::move(router)).value();
    port = server->port();
  }
  void stop() { server.reset(); }
  [[nodiscard]] std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port) + path; }
  void set(std::string& what, std::string text) {
    const std::lock_guard lock(mutex);
    what = std::move(text);
  }
  http::Response answer(const std::string& text) {
    const std::lock_guard lock(mutex);
    ++asked;
    return http::Response::text(status, text, "application/json");
  }

  std::mutex mutex;
  std::string keys;
  std::string introspection = R"({"active":false})";
  std::atomic<int> status{200};
  std::atomic<int> asked{0};
  std::string last_form;
  std::string last_authorization;
  std::uint16_t port = 0;
  std::unique_ptr<http::Server> server;
};

std::unique_ptr<Library> memory_library() {
  LibraryOptions options;
  options.store = make_memory_store();
  options.repository = make_memory_repository();
  options.isolation = Isolation::none;
  return Library::open(std::move(options)).value();
}

/// An authenticator as mediad has it.
struct Front {
  explicit Front(const Config& config) : authenticator(Authenticator::open(config, *library, clock, log).value()) {}

  Result<Caller> ask(const std::string& token) const {
    http::Request request;
    request.headers.add("Authorization", "Bearer " + token);
    return authenticator->authenticate(request);
  }
  std::optional<Errc> failure(const std::string& token) const {
    const auto caller = ask(token);
    return caller ? std::nullopt : std::optional(caller.error().code);
  }

  std::unique_ptr<Library> library = memory_library();
  StillClock clock;
  Log log{"off", false};
  std::unique_ptr<Authenticator> authenticator;
};

Config introspecting(const Issuer& issuer) {
  Config config;
  config.auth_enabled = config.oauth2_enabled = config.introspection_enabled = true;
  config.oauth2_base_url = issuer.url("");
  config.oauth2_client_id = "media:service";
  config.oauth2_client_secret = kSecret;
  return config;
}

std::string active(const std::string& more = "") { return R"({"active":true,"sub":"ann")" + more + "}"; }

/// An introspection over a function, with time held still.
struct Asked {
  explicit Asked(Introspection::Options options = {}) {
    options.now = [this] { return time; };
    introspection = std::make_unique<Introspection>(
        [this](std::string_view token) -> Result<std::string> {
          ++count;
          if (!reachable) return Error{Errc::unavailable, "no route"};
          return token.starts_with("good") ? answer : std::string(R"({"active":false})");
        },
        ClaimRules{}, options);
  }
  Result<Bearer> verify(const std::string& token) { return introspection->verify(token, clock.now()); }
  Errc failure(const std::string& token) { return verify(token).error().code; }

  StillClock clock;
  std::chrono::steady_clock::time_point time{};
  std::string answer = active();
  bool reachable = true;
  std::atomic<int> count{0};
  std::unique_ptr<Introspection> introspection;
};

}  // namespace

TEST_CASE("auth: keys come by URL, roll over, and outlive the issuer") {
  Issuer issuer;
  const auto first = test::IssuerKey::ec();
  issuer.keys = test::key_set({first.jwk("one")});
  Config config;
  config.auth_enabled = true;
  config.jwks_url = issuer.url("/keys");
  config.jwks_refresh = 2s;
  const Front front(config);
  CHECK(issuer.asked == 1);
  const std::string claims = R"({"sub":"ann","exp":)" + std::to_string(kNow + 60) + "}";
  const auto token = test::make_token(R"({"alg":"ES256","kid":"one"})", claims, [&](std::string_view text) { return first.sign(text); });
  for (int i = 0; i < 50; ++i) REQUIRE(front.ask(token));
  CHECK(front.ask(token)->owner == "ann");
  CHECK(issuer.asked == 1);
  // Another key in its place, under another name.
  const auto second = test::IssuerKey::ec();
  const auto next = test::make_token(R"({"alg":"ES256","kid":"two"})", claims, [&](std::string_view text) { return second.sign(text); });
  CHECK(front.failure(next) == Errc::denied);
  issuer.set(issuer.keys, test::key_set({second.jwk("two")}));
  std::this_thread::sleep_for(2100ms);
  CHECK(front.ask(next));
  CHECK(front.failure(token) == Errc::denied);
  CHECK(issuer.asked == 2);
  issuer.stop();
  std::this_thread::sleep_for(2100ms);
  CHECK(front.ask(next));
  CHECK(front.failure(token) == Errc::unavailable);  // who knows whether it is one of a key to come

  // An authenticator that starts without its issuer lets nobody in, and serves once it is there.
  const Front early(config);
  CHECK(early.failure(next) == Errc::unavailable);
}

TEST_CASE("auth: introspection decides by the issuer's word, asked once a token") {
  Issuer issuer;
  issuer.introspection = active(R"(,"scope":"media:read","exp":)" + std::to_string(kNow + 60));
  const Front front(introspecting(issuer));
  const auto caller = front.ask("opaque-token_1~+/=");
  REQUIRE(caller);
  CHECK(caller->owner == "ann");
  CHECK(caller->scopes == Scopes().with(Scope::read));
  CHECK(issuer.last_form == "token=opaque-token_1~%2B%2F%3D&token_type_hint=access_token");
  CHECK(issuer.last_authorization == "Basic " + base64_encode("media%3Aservice:0123456789abcdef-%26%3D%2B%20%25"));
  for (int i = 0; i < 20; ++i) CHECK(front.ask("opaque-token_1~+/="));
  CHECK(issuer.asked == 1);

  issuer.set(issuer.introspection, R"({"active":false,"sub":"ann"})");
  CHECK(front.failure("other") == Errc::denied);
  CHECK(front.failure("other") == Errc::denied);
  CHECK(issuer.asked == 2);
  // What is no token is not sent anywhere.
  for (const std::string& odd :
       {std::string("a b"), std::string("a\tb"), std::string("\xFF"), std::string("a&active=true"), std::string(9000, 'a')}) {
    CHECK(front.failure(odd) == Errc::denied);
  }
  CHECK(issuer.asked == 2);
}

TEST_CASE("auth: an issuer that is down, refuses us or talks nonsense lets nobody in") {
  Issuer issuer;
  const auto failure = [&](const std::string& token) { return Front(introspecting(issuer)).failure(token); };
  for (const char* const nonsense :
       {"", "yes", "{}", "[true]", R"({"active":"true"})", R"({"active":1})", R"({"active":false,"active":true})"}) {
    INFO(nonsense);
    issuer.set(issuer.introspection, nonsense);
    CHECK(failure("x") == Errc::unavailable);
  }
  issuer.set(issuer.introspection, active());
  for (const int status : {201, 302, 400, 401, 403, 404, 500, 503}) {
    INFO(status);
    issuer.status = status;
    CHECK(failure("x") == Errc::unavailable);
  }
  issuer.status = 200;
  CHECK_FALSE(failure("x"));
  issuer.set(issuer.introspection, active(R"(,"exp":)" + std::to_string(kNow - 100)));
  CHECK(failure("x") == Errc::denied);
  issuer.set(issuer.introspection, R"({"active":true})");
  CHECK(failure("x") == Errc::denied);
  issuer.stop();
  CHECK(failure("x") == Errc::unavailable);
}

TEST_CASE("auth: what an issuer said is remembered for a while, and never beyond the token's end") {
  Asked asked;
  CHECK(asked.verify("good"));
  asked.time += 59s;
  CHECK(asked.verify("good"));
  CHECK(asked.count == 1);
  asked.time += 1s;
  CHECK(asked.verify("good"));
  CHECK(asked.count == 2);
  asked.answer = active(R"(,"exp":)" + std::to_string(kNow + 5));
  CHECK(asked.verify("good5"));
  asked.time += 5s;
  CHECK(asked.verify("good5"));
  CHECK(asked.count == 4);
  CHECK(asked.failure("bad") == Errc::denied);
  asked.time += 9s;
  CHECK(asked.failure("bad") == Errc::denied);
  CHECK(asked.count == 5);
  asked.time += 1s;
  CHECK(asked.failure("bad") == Errc::denied);
  CHECK(asked.count == 6);
}

TEST_CASE("auth: an issuer that does not answer is not asked again by everybody") {
  Asked asked;
  CHECK(asked.verify("good"));
  asked.reachable = false;
  CHECK(asked.failure("good2") == Errc::unavailable);
  for (int i = 0; i < 10; ++i) CHECK(asked.failure("good" + std::to_string(i + 3)) == Errc::unavailable);
  CHECK(asked.count == 2);
  CHECK(asked.verify("good"));  // remembered
  asked.time += 1s;
  asked.reachable = true;
  CHECK(asked.verify("good2"));
}

TEST_CASE("auth: made-up tokens drive out neither good ones nor memory") {
  Asked asked({.capacity = 10});
  CHECK(asked.verify("good"));
  for (int i = 0; i < 100; ++i) CHECK(asked.failure("bad" + std::to_string(i)) == Errc::denied);
  CHECK(asked.count == 101);
  CHECK(asked.verify("good"));
  CHECK(asked.count == 101);
  for (int i = 0; i < 10; ++i) CHECK(asked.verify("good" + std::to_string(i)));
  CHECK(asked.verify("good"));
  CHECK(asked.count == 112);  // driven out by ten newer ones
}

TEST_CASE("auth: only so many threads wait for an issuer") {
  std::atomic<int> inside{0};
  std::atomic<bool> release{false};
  Introspection introspection(
      [&](std::string_view) -> Result<std::string> {
        ++inside;
        while (!release) std::this_thread::sleep_for(1ms);
        return active();
      },
      {}, {.most_asking = 2});
  const Timestamp now(std::chrono::seconds{kNow});
  std::atomic<int> judged{0};
  std::vector<std::jthread> threads;
  for (const char* const token : {"a", "b"}) {
    threads.emplace_back([&, token] { judged += introspection.verify(token, now) ? 1 : 0; });
  }
  while (inside < 2) std::this_thread::sleep_for(1ms);
  CHECK(introspection.verify("c", now).error().code == Errc::unavailable);
  release = true;
  threads.clear();
  CHECK(judged == 2);
  CHECK(introspection.verify("c", now));
}

TEST_CASE("auth: the web client follows nobody, waits for nobody and swallows nothing large") {
  Issuer issuer;
  issuer.keys = std::string(5000, 'k');
  WebClient web;
  CHECK(web.ask({.url = issuer.url("/keys")})->body == issuer.keys);
  CHECK(web.ask({.url = issuer.url("/keys"), .max_bytes = 5000})->body.size() == 5000);
  CHECK(web.ask({.url = issuer.url("/keys"), .max_bytes = 4999}).error().code == Errc::unavailable);
  CHECK(web.ask({.url = issuer.url("/moved")})->status == 302);
  CHECK(web.ask({.url = issuer.url("/none")})->status == 404);
  CHECK(web.ask({.url = issuer.url("/slow"), .timeout = 100ms}).error().code == Errc::unavailable);
  CHECK(web.ask({.url = "file:///etc/passwd"}).error().code == Errc::unavailable);
  CHECK(web.ask({.url = "ftp://127.0.0.1/"}).error().code == Errc::unavailable);
  CHECK(web.ask({.url = "https://127.0.0.1:" + std::to_string(issuer.port) + "/keys"}).error().code == Errc::unavailable);
  // The same handle afterwards: no password of the question before, and a body again.
  CHECK(web.ask({.url = issuer.url("/oauth2/introspect"), .body = "token=x", .user = "u", .password = "p"})->status == 200);
  CHECK(issuer.last_authorization == "Basic dTpw");
  CHECK(web.ask({.url = issuer.url("/oauth2/introspect"), .body = "token=y"})->status == 200);
  CHECK(issuer.last_authorization.empty());
  CHECK(issuer.last_form == "token=y");
}

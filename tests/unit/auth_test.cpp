// Tokens, their keys and their claims: above all, those that must not be believed.
#include <atomic>
#include <thread>

#include "auth/jwks.hpp"
#include "auth/jwt.hpp"
#include "base64.hpp"
#include "catch.hpp"
#include "tokens.hpp"

using namespace media;
using namespace media::server;
using namespace std::chrono_literals;
using test::make_token;

namespace {

constexpr std::int64_t kNow = 1'800'000'000;
const std::string kSecret = "6f1ed002ab5595859014ebf0951522d9";
const std::string kHs256 = R"({"alg":"HS256","typ":"JWT"})";

Timestamp now() { return Timestamp(std::chrono::seconds(kNow)); }

/// Claims that are good; `more` is further members with a comma before them.
std::string claims(const std::string& more = "") { return R"({"sub":"ann","exp":)" + std::to_string(kNow + 300) + more + "}"; }

std::string by_secret(std::string_view text) { return test::hs256(kSecret, text); }
test::Signer by(const test::IssuerKey& key) {
  return [&key](std::string_view text) { return key.sign(text); };
}

/// Drawn once: RSA keys take their time.
struct Keys {
  test::IssuerKey rsa = test::IssuerKey::rsa();
  test::IssuerKey other_rsa = test::IssuerKey::rsa();
  test::IssuerKey ec = test::IssuerKey::ec();
  test::IssuerKey p384 = test::IssuerKey::ec("P-384");
};
const Keys& keys() {
  static const Keys kKeys;
  return kKeys;
}

/// A verifier with a ring over a text that a test may change.
struct Issuer {
  explicit Issuer(std::string document, std::string secret = kSecret, ClaimRules rules = {})
      : text(std::move(document)), verifier(std::move(secret), &ring, std::move(rules)) {}

  Result<Bearer> verify(const std::string& token) const { return verifier.verify(token, now()); }
  bool refuses(const std::string& token) const {
    const auto bearer = verify(token);
    return !bearer && bearer.error().code == Errc::denied;
  }

  std::string text;
  bool reachable = true;
  int asked = 0;
  std::chrono::steady_clock::time_point time{};
  KeyRing ring{[this]() -> Result<std::string> {
                 ++asked;
                 if (!reachable) return Error{Errc::unavailable, "no route"};
                 return text;
               },
               KeyRing::Options{.now = [this] { return time; }}};
  JwtVerifier verifier;
};

std::string both_keys() { return test::key_set({keys().rsa.jwk("r"), keys().ec.jwk("e")}); }

bool takes(const std::string& json, const ClaimRules& rules = {}) { return judge_claims(json, rules, now(), true).has_value(); }

}  // namespace

TEST_CASE("auth: a token of each algorithm is believed") {
  const Issuer issuer(both_keys());
  const std::string secret = make_token(kHs256, claims(), by_secret);
  const std::string rsa = make_token(R"({"alg":"RS256","kid":"r"})", claims(), by(keys().rsa));
  const std::string ec = make_token(R"({"alg":"ES256","kid":"e","typ":"at+jwt"})", claims(), by(keys().ec));
  const std::string nameless = make_token(R"({"alg":"ES256"})", claims(), by(keys().ec));
  for (const std::string& token : {secret, rsa, ec, nameless}) {
    const auto bearer = issuer.verify(token);
    REQUIRE(bearer);
    CHECK(bearer->caller.owner == "ann");
    CHECK(bearer->caller.kind == CallerKind::token);
    CHECK(bearer->caller.scopes == Scopes::usual());
    CHECK(bearer->expires_at == now() + 300s);
  }
}

TEST_CASE("auth: the published vectors of RFC 7515 verify") {
  // Appendix A.1: HS256 with its octet key. Its claims expired in 2011.
  const std::string token =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
      "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  const std::string secret = *base64url_decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  const auto jwt = Jwt::parse(token);
  REQUIRE(jwt);
  CHECK(verify_hs256(secret, jwt->signed_text, jwt->signature));
  CHECK_FALSE(verify_hs256(kSecret, jwt->signed_text, jwt->signature));
  // Appendix A.3: ES256.
  const auto es256 = Jwt::parse(
      "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
      "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
  REQUIRE(es256);
  const auto key = PublicKey::p256(*base64url_decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
                                   *base64url_decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"));
  REQUIRE(key);
  CHECK(key->verify(es256->signed_text, es256->signature));
}

TEST_CASE("auth: no algorithm, another algorithm and no signature are refused") {
  const Issuer issuer(both_keys());
  const auto nothing = [](std::string_view) { return std::string(); };
  for (const char* const name :
       {"none", "None", "NONE", "nOnE", "HS384", "HS512", "RS384", "PS256", "ES384", "ES256K", "EdDSA", "hs256", ""}) {
    INFO(name);
    const std::string header = std::string(R"({"alg":")") + name + "\"}";
    CHECK(issuer.refuses(make_token(header, claims(), nothing)));
    CHECK(issuer.refuses(make_token(header, claims(), by_secret)));
    CHECK(issuer.refuses(make_token(header, claims(), by(keys().rsa))));
  }
  for (const char* const header : {"{}", R"({"alg":null})", R"({"alg":["HS256"]})", R"({"alg":256})", "[]", "\"HS256\"", "", "{"}) {
    INFO(header);
    CHECK(issuer.refuses(make_token(header, claims(), by_secret)));
  }
  const std::string good = make_token(kHs256, claims(), by_secret);
  const auto dot = good.rfind('.');
  CHECK(issuer.refuses(good.substr(0, dot)));
  CHECK(issuer.refuses(good.substr(0, dot + 1)));
  CHECK(issuer.refuses(good + "."));
  CHECK(issuer.refuses(good + ".AA.AA"));
  CHECK(issuer.refuses(good.substr(0, good.size() - 4)));
}

TEST_CASE("auth: a public key is never taken for a shared secret") {
  for (const std::string& secret : {std::string(), kSecret}) {
    const Issuer issuer(test::key_set({keys().rsa.jwk("k"), keys().ec.jwk("e")}), secret);
    const std::string pem = keys().rsa.public_pem();
    const std::vector<std::string> guesses = {
        pem, pem.substr(0, pem.size() - 1), keys().rsa.jwk("k"), issuer.text, keys().ec.jwk("e"), std::string(), "k"};
    for (const std::string& guess : guesses) {
      const auto sign = [&](std::string_view text) { return test::hs256(guess, text); };
      CHECK(issuer.refuses(make_token(R"({"alg":"HS256","kid":"k"})", claims(), sign)));
      CHECK(issuer.refuses(make_token(R"({"alg":"HS256"})", claims(), sign)));
      CHECK(issuer.refuses(make_token(R"({"alg":"RS256","kid":"k"})", claims(), sign)));
    }
  }
  // Without a shared secret the empty one is none.
  const Issuer keyless(both_keys(), "");
  CHECK(keyless.refuses(make_token(kHs256, claims(), [](std::string_view text) { return test::hs256("", text); })));
  CHECK(keyless.refuses(make_token(kHs256, claims(), by_secret)));
}

TEST_CASE("auth: a symmetric key in a key set is never used") {
  const std::string oct = R"({"kty":"oct","kid":"o","alg":"HS256","k":")" + test::base64url(kSecret) + "\"}";
  const Issuer issuer(test::key_set({oct, keys().rsa.jwk("r")}), "");
  CHECK(issuer.refuses(make_token(R"({"alg":"HS256","kid":"o"})", claims(), by_secret)));
  CHECK_FALSE(KeySet::parse(test::key_set({oct})));
}

TEST_CASE("auth: the key's type and not the token decides the algorithm") {
  const Issuer issuer(both_keys());
  // ES256 under the RSA key's name and the other way round, signed by either.
  for (const auto* const key : {&keys().rsa, &keys().ec}) {
    CHECK(issuer.refuses(make_token(R"({"alg":"ES256","kid":"r"})", claims(), by(*key))));
    CHECK(issuer.refuses(make_token(R"({"alg":"RS256","kid":"e"})", claims(), by(*key))));
  }
  // Right algorithm, right name, somebody else's key.
  CHECK(issuer.refuses(make_token(R"({"alg":"RS256","kid":"r"})", claims(), by(keys().other_rsa))));
  CHECK(issuer.refuses(make_token(R"({"alg":"ES256","kid":"e"})", claims(), by(keys().p384))));
  // A key that comes with the token is nobody's.
  CHECK(issuer.refuses(make_token(R"({"alg":"RS256","kid":"r","jwk":)" + keys().other_rsa.jwk("r") + "}", claims(), by(keys().other_rsa))));
  CHECK(issuer.refuses(make_token(R"({"alg":"RS256","jku":"http://127.0.0.1/keys"})", claims(), by(keys().other_rsa))));
  // The name of another key.
  CHECK(issuer.refuses(make_token(R"({"alg":"RS256","kid":"no such"})", claims(), by(keys().rsa))));
  CHECK(issuer.refuses(make_token(R"({"alg":"RS256","kid":7})", claims(), by(keys().rsa))));
  CHECK(issuer.refuses(make_token(R"({"alg":"RS256","kid":")" + std::string(256, 'k') + "\"}", claims(), by(keys().rsa))));
}

TEST_CASE("auth: ES256 signatures are r and s of 32 bytes, neither zero") {
  const Issuer issuer(both_keys());
  const std::string header = R"({"alg":"ES256","kid":"e"})";
  for (const std::string& signature : {std::string(64, '\0'), std::string(64, '\xFF'), std::string(63, 'x'), std::string(65, 'x'),
                                       std::string(96, 'x'), std::string(31, '\0') + "\x01" + std::string(32, '\0')}) {
    CHECK(issuer.refuses(make_token(header, claims(), [&](std::string_view) { return signature; })));
  }
  CHECK(issuer.refuses(make_token(header, claims(), [](std::string_view text) { return keys().ec.sign(text) + '\0'; })));
}

TEST_CASE("auth: extensions, other uses and doubled names in the header are refused") {
  const Issuer issuer(both_keys());
  for (const char* const header :
       {R"({"alg":"HS256","crit":["exp"],"exp":1})", R"({"alg":"HS256","crit":[]})", R"({"alg":"HS256","b64":false,"crit":["b64"]})",
        R"({"alg":"HS256","b64":true})", R"({"alg":"HS256","typ":"logout+jwt"})", R"({"alg":"HS256","typ":"dpop+jwt"})",
        R"({"alg":"HS256","typ":7})", R"({"alg":"none","alg":"HS256"})", R"({"alg":"HS256","alg":"HS256"})",
        R"({"alg":"HS256","kid":"a","kid":"b"})", R"({"alg":"HS256",})", R"({"alg":"HS256"}x)", R"({"alg":"HS256"}{})",
        "{\"alg\":\"HS256\",\"x\":\"\xFF\"}"}) {
    INFO(header);
    CHECK(issuer.refuses(make_token(header, claims(), by_secret)));
  }
  CHECK_FALSE(issuer.refuses(make_token(R"({"typ":"jwt","alg":"HS256","cty":"x"})", claims(), by_secret)));
}

TEST_CASE("auth: claims are believed in one reading only") {
  const Issuer issuer(both_keys());
  CHECK(issuer.refuses(make_token(kHs256, claims(R"(,"sub":"bob")"), by_secret)));
  CHECK(issuer.refuses(make_token(kHs256, claims(R"(,"s\u0075b":"bob")"), by_secret)));
  CHECK(issuer.refuses(make_token(kHs256, claims(R"(,"x":{"y":1,"y":2})"), by_secret)));
  CHECK(issuer.refuses(make_token(kHs256, claims() + "x", by_secret)));
  CHECK(issuer.refuses(make_token(kHs256, "[]", by_secret)));
  CHECK(issuer.refuses(make_token(kHs256, "", by_secret)));
  CHECK(issuer.refuses(make_token(kHs256, claims(R"(,"x":)" + std::string(200, '[') + std::string(200, ']')), by_secret)));
  CHECK_FALSE(issuer.refuses(make_token(kHs256, claims(R"(,"x":{"y":1},"z":{"y":1})"), by_secret)));
}

TEST_CASE("auth: base64 with padding, of the other alphabet or with spare bits is refused") {
  const Issuer issuer(both_keys());
  const std::string good = make_token(kHs256, claims(), by_secret);
  REQUIRE(issuer.verify(good));
  CHECK(issuer.refuses(good + "="));
  CHECK(issuer.refuses(good + "\n"));
  CHECK(issuer.refuses(" " + good));
  CHECK(issuer.refuses(good.substr(0, good.size() - 1) + "+"));
  // 32 bytes are 43 digits; the last one has two bits that mean nothing.
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const auto last = kAlphabet.find(good.back());
  REQUIRE(last % 4 == 0);
  for (std::size_t bits = 1; bits < 4; ++bits) CHECK(issuer.refuses(good.substr(0, good.size() - 1) + kAlphabet[last + bits]));
  CHECK_FALSE(base64url_decode("Zg=="));
  CHECK_FALSE(base64url_decode("Zh"));
  CHECK_FALSE(base64url_decode("Zm9"));
  CHECK_FALSE(base64url_decode("/w"));
  CHECK(base64url_decode("_w") == "\xFF");
  CHECK(base64url_decode("").value().empty());
}

TEST_CASE("auth: every change of one byte breaks a token") {
  const Issuer issuer(both_keys());
  const std::string good = make_token(R"({"alg":"ES256","kid":"e"})", claims(), by(keys().ec));
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    INFO(i);
    CHECK_FALSE(issuer.verify(bad));
  }
}

TEST_CASE("auth: huge tokens are refused unread") {
  const Issuer issuer(both_keys());
  CHECK(issuer.refuses(make_token(kHs256, claims(R"(,"x":")" + std::string(Jwt::kMaxBytes, 'x') + "\""), by_secret)));
  CHECK(issuer.refuses(std::string(1 << 20, '.')));
  CHECK(issuer.refuses(std::string(Jwt::kMaxBytes, 'A')));
  CHECK(issuer.refuses(""));
  CHECK(issuer.refuses(".."));
}

TEST_CASE("auth: times are numbers with a minute of leeway") {
  const auto at = [](const std::string& exp) { return R"({"sub":"ann","exp":)" + exp + "}"; };
  CHECK(takes(at(std::to_string(kNow + 1))));
  CHECK(takes(at(std::to_string(kNow - 59))));
  CHECK(takes(at(std::to_string(kNow) + ".5")));
  CHECK_FALSE(takes(at(std::to_string(kNow - 60))));
  for (const char* const exp :
       {"0", "-1", "-99999999999999999999", "1e300", "9223372036854775807", "18446744073709551615", "253402300800",
        "99999999999999999999999999", "1e400", "\"1900000000\"", "true", "null", "[1900000000]", "{}", "\"never\""}) {
    INFO(exp);
    CHECK_FALSE(takes(at(exp)));
  }
  CHECK_FALSE(takes(R"({"sub":"ann"})"));
  CHECK(judge_claims(R"({"sub":"ann"})", {}, now(), false));
  const auto from = [&](const std::string& nbf) { return claims(R"(,"nbf":)" + nbf); };
  CHECK(takes(from(std::to_string(kNow + 60))));
  CHECK_FALSE(takes(from(std::to_string(kNow + 61))));
  CHECK_FALSE(takes(from("\"0\"")));
  CHECK_FALSE(takes(claims(R"(,"iat":"yesterday")")));
}

TEST_CASE("auth: issuer and audience are asked for where they are configured") {
  ClaimRules rules;
  rules.issuer = "https://id.example";
  rules.audience = "media";
  CHECK(takes(claims(R"(,"iss":"https://id.example","aud":"media")"), rules));
  CHECK(takes(claims(R"(,"iss":"https://id.example","aud":["other","media"])"), rules));
  for (const char* const more : {"", R"(,"iss":"https://id.example")", R"(,"aud":"media")", R"(,"iss":"https://id.example/","aud":"media")",
                                 R"(,"iss":["https://id.example"],"aud":"media")", R"(,"iss":"https://id.example","aud":"Media")",
                                 R"(,"iss":"https://id.example","aud":[])", R"(,"iss":"https://id.example","aud":[["media"]])",
                                 R"(,"iss":"https://id.example","aud":{"media":1})", R"(,"iss":null,"aud":"media")"}) {
    INFO(more);
    CHECK_FALSE(takes(claims(more), rules));
  }
}

TEST_CASE("auth: the owner is user_id, else sub, and never nobody") {
  const auto owner = [](const std::string& members) {
    const auto bearer = judge_claims("{\"exp\":" + std::to_string(kNow + 9) + members + "}", {}, now(), true);
    return bearer ? bearer->caller.owner : "refused";
  };
  CHECK(owner(R"(,"sub":"ann")") == "ann");
  CHECK(owner(R"(,"sub":"ann","user_id":"7")") == "7");
  CHECK(owner(R"(,"sub":"ann","user_id":7)") == "7");
  CHECK(owner(R"(,"sub":"ann","user_id":null)") == "ann");
  CHECK(owner(R"(,"user_id":18446744073709551615)") == "18446744073709551615");
  CHECK(owner(R"(,"user_id":-7)") == "-7");
  CHECK(owner(R"(,"sub":")" + std::string(255, 'x') + "\"") == std::string(255, 'x'));
  for (const std::string& members :
       {std::string(), std::string(R"(,"sub":"")"), std::string(R"(,"sub":7)"), std::string(R"(,"sub":null)"),
        std::string(R"(,"sub":"ann","user_id":"")"), std::string(R"(,"user_id":null)"), std::string(R"(,"sub":null,"user_id":null)"),
        std::string(R"(,"sub":"ann","user_id":7.5)"), std::string(R"(,"sub":"ann","user_id":1e3)"), std::string(R"(,"sub":"a\u0000b")"),
        std::string(R"(,"sub":"a\nb")"), R"(,"sub":")" + std::string(256, 'x') + "\""}) {
    INFO(members);
    CHECK(owner(members) == "refused");
  }
}

TEST_CASE("auth: scopes are ours, or mapped to ours, and without any a token may read and write") {
  ClaimRules rules;
  rules.scope_map = {{"recipe:read", Scope::read}, {"recipe:all", Scope::read}, {"recipe:all", Scope::write}};
  const auto scopes = [&](const std::string& members) {
    const auto bearer = judge_claims(claims(members), rules, now(), true);
    REQUIRE(bearer);
    return bearer->caller.scopes;
  };
  CHECK(scopes("") == Scopes::usual());
  CHECK(scopes(R"(,"scope":"")") == Scopes());
  CHECK(scopes(R"(,"scope":"openid media:read")") == Scopes().with(Scope::read));
  CHECK(scopes(R"(,"scope":"media:write")") == Scopes().with(Scope::write));
  CHECK(scopes(R"(,"scp":["media:admin"])").has(Scope::write));
  CHECK(scopes(R"(,"scopes":["recipe:read"])") == Scopes().with(Scope::read));
  CHECK(scopes(R"(,"scope":"recipe:all")") == Scopes::usual());
  CHECK(scopes(R"(,"scope":"media:readx MEDIA:READ recipe")") == Scopes());
  rules.require_scopes = true;
  CHECK(scopes("") == Scopes());
  for (const char* const bad : {R"(,"scope":7)", R"(,"scp":[7])", R"(,"scopes":{"media:admin":true})", R"(,"scope":null)"}) {
    CHECK_FALSE(takes(claims(bad)));
  }
}

TEST_CASE("auth: a key set takes what verifies and passes over the rest") {
  const std::string wrong_curve = keys().p384.jwk("p");
  // A P-256 label on another curve's point, a point off the curve, and coordinates of another length.
  std::string mislabelled = wrong_curve;
  mislabelled.replace(mislabelled.find("P-384"), 5, "P-256");
  const std::string off_curve = R"({"kty":"EC","crv":"P-256","x":")" + test::base64url(std::string(32, '\x01')) + R"(","y":")" +
                                test::base64url(std::string(32, '\x02')) + "\"}";
  const std::string infinity = R"({"kty":"EC","crv":"P-256","x":"","y":""})";
  const std::string small = test::IssuerKey::rsa(1024).jwk("s");
  const std::string even = R"({"kty":"RSA","n":")" + test::base64url(std::string(256, '\xFE')) + R"(","e":"AQAB"})";
  const std::string exponent_one = R"({"kty":"RSA","n":")" + test::base64url(std::string(256, '\xFF')) + R"(","e":"AQ"})";
  const std::string vast = R"({"kty":"RSA","n":")" + test::base64url(std::string(2000, '\xFF')) + R"(","e":"AQAB"})";
  for (const std::string& useless :
       {wrong_curve, mislabelled, off_curve, infinity, small, even, exponent_one, vast, keys().rsa.jwk("r", R"("use":"enc")"),
        keys().rsa.jwk("r", R"("alg":"RS512")"), keys().ec.jwk("e", R"("alg":"RS256")"), keys().rsa.jwk("r", R"("key_ops":["sign"])"),
        keys().rsa.jwk("r", R"("key_ops":"verify")"), std::string("7"), std::string("{}"), std::string(R"({"kty":"RSA"})")}) {
    INFO(useless);
    const auto alone = KeySet::parse(test::key_set({useless}));
    REQUIRE_FALSE(alone);
    CHECK(alone.error().code == Errc::not_found);
    const auto beside = KeySet::parse(test::key_set({useless, keys().ec.jwk("good", R"("use":"sig","alg":"ES256","key_ops":["verify"])")}));
    REQUIRE(beside);
    CHECK(beside->size() == 1);
  }
  for (const std::string& bad : {std::string(), std::string("{}"), std::string(R"({"keys":{}})"), std::string("[]"),
                                 std::string(R"({"keys":[],"keys":[]})"), std::string(300'000, ' ')}) {
    CHECK(KeySet::parse(bad).error().code == Errc::invalid_argument);
  }
}

TEST_CASE("auth: a token of a new key makes the ring ask once, and the old key goes when the issuer says so") {
  Issuer issuer(test::key_set({keys().rsa.jwk("old")}));
  const std::string old_token = make_token(R"({"alg":"RS256","kid":"old"})", claims(), by(keys().rsa));
  const std::string new_token = make_token(R"({"alg":"RS256","kid":"new"})", claims(), by(keys().other_rsa));
  CHECK(issuer.verify(old_token));
  CHECK(issuer.asked == 1);
  issuer.text = test::key_set({keys().other_rsa.jwk("new")});
  // Asked a moment ago: whoever makes names up cannot make us ask without end.
  CHECK(issuer.refuses(new_token));
  CHECK(issuer.asked == 1);
  issuer.time += 11s;
  CHECK(issuer.verify(new_token));
  CHECK(issuer.asked == 2);
  CHECK(issuer.refuses(old_token));
  for (int i = 0; i < 100; ++i)
    CHECK(issuer.refuses(make_token(R"({"alg":"RS256","kid":"x)" + std::to_string(i) + "\"}", claims(), by(keys().rsa))));
  CHECK(issuer.asked == 2);
}

TEST_CASE("auth: keys roll over without names, and under one name") {
  const bool named = GENERATE(false, true);
  const auto jwk_of = [&](const test::IssuerKey& key) { return key.jwk(named ? "k" : ""); };
  const std::string header = named ? R"({"alg":"RS256","kid":"k"})" : R"({"alg":"RS256"})";
  Issuer issuer(test::key_set({jwk_of(keys().rsa)}));
  const std::string old_token = make_token(header, claims(), by(keys().rsa));
  const std::string new_token = make_token(header, claims(), by(keys().other_rsa));
  CHECK(issuer.verify(old_token));
  issuer.text = test::key_set({jwk_of(keys().other_rsa)});
  // As often as anybody makes signatures up, it is asked once in a while.
  for (int i = 0; i < 20; ++i) CHECK(issuer.refuses(new_token));
  CHECK(issuer.asked == 1);
  issuer.time += 11s;
  CHECK(issuer.verify(new_token));
  CHECK(issuer.asked == 2);
  for (int i = 0; i < 20; ++i) CHECK(issuer.refuses(old_token));
  CHECK(issuer.asked == 2);
  CHECK(issuer.verify(new_token));
  // A wrong signature is one, whether the issuer can be asked or not.
  issuer.reachable = false;
  issuer.time += 11s;
  CHECK(issuer.refuses(old_token));
  CHECK(issuer.asked == 3);
}

TEST_CASE("auth: the old keys serve while the issuer is out of reach, and nobody is let in unknown") {
  Issuer issuer(test::key_set({keys().rsa.jwk("k")}));
  const std::string token = make_token(R"({"alg":"RS256","kid":"k"})", claims(), by(keys().rsa));
  issuer.reachable = false;
  REQUIRE_FALSE(issuer.verify(token));
  CHECK(issuer.verify(token).error().code == Errc::unavailable);
  CHECK(issuer.asked == 1);  // it was asked a moment ago
  issuer.reachable = true;
  issuer.time += 11s;
  CHECK(issuer.verify(token));
  issuer.reachable = false;
  issuer.time += 1h;
  CHECK(issuer.verify(token));
  CHECK(issuer.asked == 3);
  const auto unknown = issuer.verify(make_token(R"({"alg":"RS256","kid":"other"})", claims(), by(keys().other_rsa)));
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Errc::unavailable);
  // A set that is damaged, or has lost its keys, does not replace a good one.
  issuer.reachable = true;
  for (const char* const damaged : {"{", "{\"keys\":[]}", ""}) {
    issuer.text = damaged;
    issuer.time += 1h;
    CHECK(issuer.verify(token));
  }
}

TEST_CASE("auth: many callers at once ask an issuer once") {
  std::atomic<int> asked{0};
  KeyRing ring(
      [&]() -> Result<std::string> {
        ++asked;
        std::this_thread::sleep_for(50ms);
        return test::key_set({keys().ec.jwk(asked == 1 ? "old" : "new")});
      },
      {.least_pause = 0ms});
  REQUIRE(ring.refresh());
  const auto seen = ring.current().value();
  std::atomic<int> found{0};
  std::atomic<int> busy{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&] {
        const auto newer = ring.newer_than(seen);
        if (!newer) ++busy;
        if (newer && *newer && !(*newer)->find("new", Algorithm::es256).empty()) ++found;
      });
    }
  }
  CHECK(asked == 2);
  CHECK(found >= 1);
  CHECK(found + busy == 16);
}

// Any bytes as a token, as claims and as a key set: no crash, and nothing is believed that its rules forbid.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "auth/claims.hpp"
#include "auth/jwks.hpp"
#include "auth/jwt.hpp"
#include "base64.hpp"

using namespace media;
using namespace media::server;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_token(std::string_view token) {
  const auto jwt = Jwt::parse(token);
  if (!jwt) return;
  require(token.size() <= Jwt::kMaxBytes && token.starts_with(jwt->signed_text + "."));
  require(!jwt->signature.empty());
  // One value, one spelling: what was read is written back as it came.
  const auto again = base64_encode(jwt->signature);
  require(base64_decode(token.substr(jwt->signed_text.size() + 1)) == jwt->signature && !again.empty());
  const auto bearer = judge_claims(jwt->claims, {}, Timestamp(std::chrono::seconds(1'800'000'000)), true);
  require(!bearer || (!bearer->caller.owner.empty() && bearer->caller.owner.size() <= 255 && bearer->expires_at));
}

void check_claims(std::string_view json) {
  ClaimRules rules;
  rules.issuer = "i";
  rules.audience = "a";
  rules.scope_map = {{"x", Scope::admin}};
  const Timestamp now(std::chrono::seconds(1'800'000'000));
  for (const bool must_expire : {true, false}) {
    const auto bearer = judge_claims(json, rules, now, must_expire);
    if (!bearer) continue;
    require(!bearer->caller.is_anonymous() && !bearer->caller.owner.empty() && bearer->caller.owner.size() <= 255);
    require(!must_expire || bearer->expires_at);
    require(!bearer->expires_at || *bearer->expires_at + std::chrono::seconds(60) > now);
    require(json.find("\"a\"") != std::string_view::npos || json.find("\\u") != std::string_view::npos);
  }
  static_cast<void>(is_active(json));
}

void check_keys(std::string_view json) {
  const auto keys = KeySet::parse(json);
  if (!keys) return;
  require(keys->size() > 0 && keys->size() <= 64);
  require(keys->find(std::nullopt, Algorithm::hs256).empty());
  for (const Algorithm algorithm : {Algorithm::rs256, Algorithm::es256}) {
    for (const PublicKey* const key : keys->find(std::nullopt, algorithm)) {
      require(key->algorithm() == algorithm && !key->verify("text", "signature") && !key->verify("text", std::string(64, '\1')));
    }
  }
}

}  // namespace

/// The first byte chooses what the rest is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 't':
      check_token(rest);
      break;
    case 'c':
      check_claims(rest);
      break;
    case 'k':
      check_keys(rest);
      break;
    default:
      // A header and claims, signed by nobody, reach deeper than text that must be base64 by itself.
      const auto cut = std::min(rest.find('\n'), rest.size());
      auto url = [](std::string text) {
        for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
        return text.substr(0, text.find('='));
      };
      check_token(url(base64_encode(rest.substr(0, cut))) + "." + url(base64_encode(rest.substr(std::min(cut + 1, rest.size())))) +
                  ".AAAA");
  }
  return 0;
}

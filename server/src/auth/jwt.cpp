#include "auth/jwt.hpp"

#include <algorithm>
#include <array>

#include "auth/strict_json.hpp"
#include "base64.hpp"
#include "http/fields.hpp"

namespace media::server {
namespace {

constexpr std::size_t kMaxKeyIdBytes = 255;

Error denied(const char* why) { return Error{Errc::denied, std::string("token: ") + why}; }

std::optional<Algorithm> algorithm_from(std::string_view name) {
  if (name == "HS256") return Algorithm::hs256;
  if (name == "RS256") return Algorithm::rs256;
  if (name == "ES256") return Algorithm::es256;
  return std::nullopt;
}

bool is_access_token_type(std::string_view type) {
  constexpr std::array<std::string_view, 3> kTypes = {"JWT", "at+jwt", "application/at+jwt"};
  return std::any_of(kTypes.begin(), kTypes.end(), [&](std::string_view known) { return http::equal_ignoring_case(known, type); });
}

Result<void> read_header(std::string_view json, Jwt& jwt) {
  const auto header = parse_strict_object(json);
  if (!header) return denied("its header is no object with each name once");
  if (header->contains("crit") || header->contains("b64")) return denied("it wants an extension");
  const auto algorithm = header->find("alg");
  if (algorithm == header->end() || !algorithm->is_string()) return denied("it names no algorithm");
  const auto known = algorithm_from(algorithm->get_ref<const std::string&>());
  if (!known) return denied("its algorithm is not one of HS256, RS256 and ES256");
  jwt.algorithm = *known;
  if (const auto type = header->find("typ"); type != header->end()) {
    if (!type->is_string() || !is_access_token_type(type->get_ref<const std::string&>())) return denied("it is for another use");
  }
  if (const auto id = header->find("kid"); id != header->end()) {
    if (!id->is_string() || id->get_ref<const std::string&>().size() > kMaxKeyIdBytes) return denied("its key's name is no short text");
    jwt.key_id = id->get<std::string>();
  }
  return {};
}

bool is_signed_by_any(const Jwt& jwt, const std::vector<const PublicKey*>& keys) {
  return std::any_of(keys.begin(), keys.end(), [&](const PublicKey* key) { return key->verify(jwt.signed_text, jwt.signature); });
}

}  // namespace

Result<Jwt> Jwt::parse(std::string_view token) {
  if (token.size() > kMaxBytes) return denied("longer than 8 KiB");
  const auto first = token.find('.');
  const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return denied("not of three parts");
  const auto header = base64url_decode(token.substr(0, first));
  auto claims = base64url_decode(token.substr(first + 1, second - first - 1));
  auto signature = base64url_decode(token.substr(second + 1));
  if (!header || !claims || !signature || signature->empty()) return denied("a part is no base64url, or there is no signature");
  Jwt jwt;
  MEDIA_TRY(read_header(*header, jwt));
  jwt.signed_text = token.substr(0, second);
  jwt.claims = std::move(*claims);
  jwt.signature = std::move(*signature);
  return jwt;
}

Result<void> JwtVerifier::verify_signature(const Jwt& jwt) const {
  const Error wrong = denied("its signature is wrong");
  if (jwt.algorithm == Algorithm::hs256) {
    if (secret_.empty()) return denied("HS256 without a shared secret");
    if (!verify_hs256(secret_, jwt.signed_text, jwt.signature)) return wrong;
    return {};
  }
  if (ring_ == nullptr) return denied("its algorithm has no keys here");
  MEDIA_TRY_ASSIGN(auto set, ring_->current());
  auto keys = set->find(jwt.key_id, jwt.algorithm);
  std::shared_ptr<const KeySet> newer;  // outlives the pointers into it
  if (keys.empty()) {
    MEDIA_TRY_ASSIGN(newer, ring_->newer_than(set));
    if (newer) keys = newer->find(jwt.key_id, jwt.algorithm);
  }
  if (is_signed_by_any(jwt, keys)) return {};
  if (newer || keys.empty()) return wrong;
  // The issuer may have another key under the old one's name by now, or give its keys no names.
  const auto asked = ring_->newer_than(set);
  if (!asked || !*asked || !is_signed_by_any(jwt, (*asked)->find(jwt.key_id, jwt.algorithm))) return wrong;
  return {};
}

Result<Bearer> JwtVerifier::verify(std::string_view token, Timestamp now) const {
  MEDIA_TRY_ASSIGN(const Jwt jwt, Jwt::parse(token));
  MEDIA_TRY(verify_signature(jwt));
  return judge_claims(jwt.claims, rules_, now, true);
}

}  // namespace media::server

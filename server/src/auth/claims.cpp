#include "auth/claims.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "auth/strict_json.hpp"

namespace media::server {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxOwnerBytes = 255;
/// The last second of the year 9999: what is beyond is no date, and arithmetic with it would overflow.
constexpr double kLastSecond = 253'402'300'799.0;

Error denied(const char* why) { return Error{Errc::denied, std::string("token: ") + why}; }

/// A NumericDate (RFC 7519, section 2); nothing where the claim is absent.
Result<std::optional<Timestamp>> read_time(const Json& claims, const char* name) {
  const auto found = claims.find(name);
  if (found == claims.end()) return std::optional<Timestamp>();
  if (!found->is_number()) return denied("a time that is no number");
  const auto seconds = found->get<double>();
  if (!std::isfinite(seconds) || seconds > kLastSecond || seconds < 0) return denied("a time that is out of range");
  return std::optional<Timestamp>(Timestamp(std::chrono::seconds(static_cast<std::int64_t>(std::floor(seconds)))));
}

bool is_meant_for(const Json& claims, const std::string& audience) {
  const auto found = claims.find("aud");
  if (found == claims.end()) return false;
  if (found->is_string()) return found->get_ref<const std::string&>() == audience;
  return found->is_array() && std::any_of(found->begin(), found->end(), [&](const Json& one) { return one == audience; });
}

Result<std::string> read_owner(const Json& claims) {
  std::string owner;
  if (const auto user = claims.find("user_id"); user != claims.end() && !user->is_null()) {
    if (user->is_string()) {
      owner = user->get<std::string>();
    } else if (user->is_number_integer()) {
      owner = user->dump();
    } else {
      return denied("user_id is neither text nor an integer");
    }
  } else if (const auto subject = claims.find("sub"); subject != claims.end() && subject->is_string()) {
    owner = subject->get<std::string>();
  } else {
    return denied("it says of nobody whose it is");
  }
  const bool plain = std::none_of(owner.begin(), owner.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  if (owner.empty() || owner.size() > kMaxOwnerBytes || !plain)
    return denied("an owner has 1 to 255 bytes, none of them a control character");
  return owner;
}

void add_scope(const std::string& name, const ClaimRules& rules, Scopes& scopes) {
  if (const auto own = scope_from(name)) scopes = scopes.with(*own);
  for (const auto& [theirs, ours] : rules.scope_map) {
    if (theirs == name) scopes = scopes.with(ours);
  }
}

Result<Scopes> read_scopes(const Json& claims, const ClaimRules& rules) {
  Scopes scopes;
  bool said = false;
  for (const char* const name : {"scope", "scp", "scopes"}) {
    const auto found = claims.find(name);
    if (found == claims.end()) continue;
    said = true;
    if (found->is_string()) {
      std::istringstream words(found->get<std::string>());
      for (std::string word; words >> word;) add_scope(word, rules, scopes);
    } else if (found->is_array()) {
      for (const Json& word : *found) {
        if (!word.is_string()) return denied("a scope that is no text");
        add_scope(word.get<std::string>(), rules, scopes);
      }
    } else {
      return denied("scopes are neither text nor a list");
    }
  }
  return said || rules.require_scopes ? scopes : Scopes::usual();
}

}  // namespace

std::optional<Scope> scope_from(std::string_view name) {
  for (const Scope scope : {Scope::read, Scope::write, Scope::admin}) {
    if (to_string(scope) == name) return scope;
  }
  return std::nullopt;
}

std::string_view to_string(Scope scope) noexcept {
  switch (scope) {
    case Scope::read:
      return "media:read";
    case Scope::write:
      return "media:write";
    case Scope::admin:
      return "media:admin";
  }
  return "";
}

Result<Bearer> judge_claims(std::string_view json, const ClaimRules& rules, Timestamp now, bool must_expire) {
  const auto claims = parse_strict_object(json);
  if (!claims) return denied("its claims are no object with each name once");
  MEDIA_TRY_ASSIGN(const auto expires_at, read_time(*claims, "exp"));
  MEDIA_TRY_ASSIGN(const auto not_before, read_time(*claims, "nbf"));
  MEDIA_TRY(read_time(*claims, "iat"));
  if (must_expire && !expires_at) return denied("it never expires");
  if (expires_at && now >= *expires_at + rules.leeway) return denied("it has expired");
  if (not_before && now + rules.leeway < *not_before) return denied("it is not valid yet");
  if (!rules.issuer.empty() && (!claims->contains("iss") || claims->at("iss") != rules.issuer)) return denied("it is another issuer's");
  if (!rules.audience.empty() && !is_meant_for(*claims, rules.audience)) return denied("it is for another audience");
  Bearer bearer;
  bearer.expires_at = expires_at;
  bearer.caller.kind = CallerKind::token;
  MEDIA_TRY_ASSIGN(bearer.caller.owner, read_owner(*claims));
  MEDIA_TRY_ASSIGN(bearer.caller.scopes, read_scopes(*claims, rules));
  return bearer;
}

Result<bool> is_active(std::string_view json) {
  const auto answer = parse_strict_object(json);
  if (!answer || !answer->contains("active") || !answer->at("active").is_boolean()) {
    return Error{Errc::corrupt, "introspection: the answer says neither active nor not"};
  }
  return answer->at("active").get<bool>();
}

}  // namespace media::server

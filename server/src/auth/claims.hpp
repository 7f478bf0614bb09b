/// What a token says of its bearer.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/caller.hpp"
#include "media/clock.hpp"
#include "media/result.hpp"

namespace media::server {

/// Which tokens are for us, and what their words mean here.
struct ClaimRules {
  std::string issuer{};    ///< Empty: any.
  std::string audience{};  ///< Empty: any.
  bool require_scopes = false;
  /// From the scopes that existing tokens carry to ours.
  std::vector<std::pair<std::string, Scope>> scope_map{};
  std::chrono::seconds leeway{60};
};

std::optional<Scope> scope_from(std::string_view name);
std::string_view to_string(Scope scope) noexcept;

/// A bearer, and until when he is one.
struct Bearer {
  Caller caller{};
  std::optional<Timestamp> expires_at{};
};

/// Reads claims (RFC 7519, section 4; RFC 7662, section 2.2) and judges them: `exp`, `nbf`, `iss`, `aud` and whose token it is. A name
/// that stands twice, or a claim of a wrong type, makes all of it worthless: two readers would see two tokens.
/// `denied` where it is not, or no longer, a token for us; the message is for a log.
Result<Bearer> judge_claims(std::string_view json, const ClaimRules& rules, Timestamp now, bool must_expire);

/// Of an introspection's answer: whether the token is active. `corrupt` where it says neither that nor the opposite.
Result<bool> is_active(std::string_view json);

}  // namespace media::server

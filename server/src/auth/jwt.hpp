/// Signed tokens (RFC 7519) in compact form, with the one use that we have for them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/claims.hpp"
#include "auth/jwks.hpp"
#include "auth/public_key.hpp"

namespace media::server {

/// A token taken apart. Nothing in it is to be believed yet.
struct Jwt {
  static constexpr std::size_t kMaxBytes = 8 * 1024;

  Algorithm algorithm = Algorithm::hs256;
  std::optional<std::string> key_id{};
  std::string signed_text{};  ///< Header and claims as they came.
  std::string claims{};       ///< JSON.
  std::string signature{};

  /// `denied` for everything that is no token of ours: other algorithms (`none` among them), a `crit` header (RFC 7515, 4.1.11), a
  /// `typ` of another use (RFC 8725, 3.11), base64 that another reader would spell differently.
  static Result<Jwt> parse(std::string_view token);
};

/// Verifies tokens. Each algorithm has keys of its own: HS256 the shared secret, RS256 and ES256 those of the ring, so that a public
/// key is never tried as a secret (RFC 8725, 3.1).
///
/// Thread-safety: may be used concurrently; only the ring changes, and has its own mutex.
class JwtVerifier {
 public:
  /// Without a secret there is no HS256, without a ring no RS256 and ES256. The ring outlives the verifier.
  JwtVerifier(std::string secret, KeyRing* ring, ClaimRules rules) : secret_(std::move(secret)), ring_(ring), rules_(std::move(rules)) {}

  /// `denied` for a bad token, `unavailable` where the keys cannot be had.
  [[nodiscard]] Result<Bearer> verify(std::string_view token, Timestamp now) const;

 private:
  [[nodiscard]] Result<void> verify_signature(const Jwt& jwt) const;

  std::string secret_;
  KeyRing* ring_;
  ClaimRules rules_;
};

}  // namespace media::server

/// What the verification of tokens needs of OpenSSL, and nothing else of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "media/result.hpp"

namespace media::server {

/// The signatures that a token may have (RFC 7518). There is no `none`.
enum class Algorithm : std::uint8_t { hs256, rs256, es256 };

/// A key that verifies one algorithm: what a token says of itself never decides how a key is used.
///
/// Thread-safety: may be used concurrently; a key does not change, and OpenSSL only counts references to it.
class PublicKey {
 public:
  /// Modulus and exponent, big-endian. `invalid_argument` for fewer than 2048 or more than 8192 bits, or an exponent that is even, 1 or
  /// long.
  static Result<PublicKey> rsa(std::string_view modulus, std::string_view exponent);
  /// A point on P-256 by its coordinates of 32 bytes each. `invalid_argument` for one that is not on the curve.
  static Result<PublicKey> p256(std::string_view x, std::string_view y);

  [[nodiscard]] Algorithm algorithm() const noexcept { return algorithm_; }
  /// The signature as a token carries it: for ES256 r and s, 32 bytes each.
  [[nodiscard]] bool verify(std::string_view text, std::string_view signature) const;

 private:
  PublicKey(Algorithm algorithm, std::shared_ptr<void> key) : algorithm_(algorithm), key_(std::move(key)) {}

  Algorithm algorithm_;
  std::shared_ptr<void> key_;  ///< An EVP_PKEY.
};

/// Compares in a time that does not depend on where the first difference is.
bool verify_hs256(std::string_view secret, std::string_view text, std::string_view signature);
/// As above, of any two texts; their lengths are no secret.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace media::server

// Keys and tokens as an issuer makes them, right and wrong.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace test {

std::string base64url(std::string_view bytes);
/// HMAC-SHA-256.
std::string hs256(std::string_view secret, std::string_view text);

/// A key pair, drawn anew.
class IssuerKey {
 public:
  static IssuerKey rsa(unsigned bits = 2048);
  /// "P-256", "P-384".
  static IssuerKey ec(const char* curve = "P-256");

  /// The public half as a JWK; `more` is further members ("\"use\":\"sig\"").
  [[nodiscard]] std::string jwk(const std::string& id, const std::string& more = "") const;
  [[nodiscard]] std::string public_pem() const;
  /// As a token carries it: RSA's bytes, or r and s at the curve's length.
  [[nodiscard]] std::string sign(std::string_view text) const;

 private:
  IssuerKey(std::shared_ptr<void> key, bool is_rsa, std::string curve) : key_(std::move(key)), is_rsa_(is_rsa), curve_(std::move(curve)) {}
  [[nodiscard]] std::string number(const char* name, std::size_t size) const;

  std::shared_ptr<void> key_;
  bool is_rsa_;
  std::string curve_;
};

/// {"keys":[…]} of JWKs.
std::string key_set(const std::initializer_list<std::string>& jwks);

using Signer = std::function<std::string(std::string_view)>;
/// The compact form of header and claims, which are JSON (or not).
std::string make_token(std::string_view header, std::string_view claims, const Signer& sign);

}  // namespace test

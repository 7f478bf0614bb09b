#include "tokens.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <stdexcept>
#include <vector>

namespace test {
namespace {

void require(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("test keys: ") + what);
}

EVP_PKEY* pkey(const std::shared_ptr<void>& key) { return static_cast<EVP_PKEY*>(key.get()); }

std::shared_ptr<void> own(EVP_PKEY* key) {
  require(key != nullptr, "generation");
  return {key, [](void* made) { EVP_PKEY_free(static_cast<EVP_PKEY*>(made)); }};
}

const unsigned char* octets(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string bytes_of(const BIGNUM* number, std::size_t size) {
  std::vector<unsigned char> bytes(size == 0 ? static_cast<std::size_t>(BN_num_bytes(number)) : size);
  require(BN_bn2binpad(number, bytes.data(), static_cast<int>(bytes.size())) >= 0, "number");
  return {bytes.begin(), bytes.end()};
}

}  // namespace

std::string base64url(std::string_view bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  unsigned group = 0;
  unsigned bits = 0;
  for (const char c : bytes) {
    group = (group << 8U | static_cast<unsigned char>(c)) & 0xFFFFU;
    for (bits += 8; bits >= 6; bits -= 6) out += kAlphabet[group >> (bits - 6) & 63U];
  }
  if (bits > 0) out += kAlphabet[group << (6 - bits) & 63U];
  return out;
}

std::string hs256(std::string_view secret, std::string_view text) {
  unsigned char code[32];
  unsigned size = 0;
  require(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), octets(text), text.size(), code, &size) != nullptr, "HMAC");
  return {reinterpret_cast<const char*>(code), size};
}

IssuerKey IssuerKey::rsa(unsigned bits) { return {own(EVP_RSA_gen(bits)), true, ""}; }
IssuerKey IssuerKey::ec(const char* curve) { return {own(EVP_EC_gen(curve)), false, curve}; }

std::string IssuerKey::number(const char* name, std::size_t size) const {
  BIGNUM* found = nullptr;
  require(EVP_PKEY_get_bn_param(pkey(key_), name, &found) == 1, name);
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> owned(found, BN_free);
  return bytes_of(found, size);
}

std::string IssuerKey::jwk(const std::string& id, const std::string& more) const {
  std::string text = "{";
  if (!id.empty()) text += R"("kid":")" + id + R"(",)";
  if (!more.empty()) text += more + ",";
  if (is_rsa_) {
    return text + R"("kty":"RSA","n":")" + base64url(number(OSSL_PKEY_PARAM_RSA_N, 0)) + R"(","e":")" +
           base64url(number(OSSL_PKEY_PARAM_RSA_E, 0)) + R"("})";
  }
  const std::size_t size = curve_ == "P-384" ? 48 : 32;
  return text + R"("kty":"EC","crv":")" + curve_ + R"(","x":")" + base64url(number(OSSL_PKEY_PARAM_EC_PUB_X, size)) + R"(","y":")" +
         base64url(number(OSSL_PKEY_PARAM_EC_PUB_Y, size)) + R"("})";
}

std::string IssuerKey::public_pem() const {
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
  require(memory && PEM_write_bio_PUBKEY(memory.get(), pkey(key_)) == 1, "PEM");
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string IssuerKey::sign(std::string_view text) const {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  require(context && EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, pkey(key_)) == 1, "signing");
  std::size_t size = 0;
  require(EVP_DigestSign(context.get(), nullptr, &size, octets(text), text.size()) == 1, "signing");
  std::string signature(size, '\0');
  require(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, octets(text), text.size()) == 1,
          "signing");
  signature.resize(size);
  if (is_rsa_) return signature;
  const unsigned char* der = octets(signature);
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(size)), ECDSA_SIG_free);
  require(pair != nullptr, "signature");
  const std::size_t part = curve_ == "P-384" ? 48 : 32;
  return bytes_of(ECDSA_SIG_get0_r(pair.get()), part) + bytes_of(ECDSA_SIG_get0_s(pair.get()), part);
}

std::string key_set(const std::initializer_list<std::string>& jwks) {
  std::string text;
  for (const std::string& jwk : jwks) text += (text.empty() ? "" : ",") + jwk;
  return "{\"keys\":[" + text + "]}";
}

std::string make_token(std::string_view header, std::string_view claims, const Signer& sign) {
  const std::string text = base64url(header) + "." + base64url(claims);
  return text + "." + base64url(sign(text));
}

}  // namespace test

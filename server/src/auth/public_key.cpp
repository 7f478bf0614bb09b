#include "auth/public_key.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>

#include <array>

namespace media::server {
namespace {

constexpr std::size_t kCoordinateBytes = 32;
constexpr int kLeastModulusBits = 2048;
constexpr int kMostModulusBits = 8192;  // verifying takes time that grows with the square
constexpr std::size_t kMostExponentBytes = 8;

struct FreeOpenSsl {
  void operator()(BIGNUM* number) const noexcept { BN_free(number); }
  void operator()(ECDSA_SIG* signature) const noexcept { ECDSA_SIG_free(signature); }
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  void operator()(EVP_PKEY_CTX* context) const noexcept { EVP_PKEY_CTX_free(context); }
  void operator()(OSSL_PARAM_BLD* builder) const noexcept { OSSL_PARAM_BLD_free(builder); }
  void operator()(OSSL_PARAM* parameters) const noexcept { OSSL_PARAM_free(parameters); }
  void operator()(unsigned char* text) const noexcept { OPENSSL_free(text); }
};
template <class T>
using Handle = std::unique_ptr<T, FreeOpenSsl>;

const unsigned char* octets(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

Handle<BIGNUM> number_of(std::string_view bytes) {
  return Handle<BIGNUM>(BN_bin2bn(octets(bytes), static_cast<int>(bytes.size()), nullptr));
}

std::shared_ptr<void> make_key(const char* type, OSSL_PARAM_BLD* builder) {
  const Handle<OSSL_PARAM> parameters(OSSL_PARAM_BLD_to_param(builder));
  const Handle<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return nullptr;
  }
  return {key, [](void* made) { EVP_PKEY_free(static_cast<EVP_PKEY*>(made)); }};
}

/// r and s, 32 bytes each, in the form that OpenSSL reads.
std::string der_of(std::string_view signature) {
  const Handle<ECDSA_SIG> pair(ECDSA_SIG_new());
  auto r = number_of(signature.substr(0, kCoordinateBytes));
  auto s = number_of(signature.substr(kCoordinateBytes));
  if (!pair || !r || !s || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return {};
  static_cast<void>(r.release());  // the pair's now
  static_cast<void>(s.release());
  unsigned char* text = nullptr;
  const int size = i2d_ECDSA_SIG(pair.get(), &text);
  const Handle<unsigned char> owned(text);
  return size <= 0 ? std::string() : std::string(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
}

}  // namespace

Result<PublicKey> PublicKey::rsa(std::string_view modulus, std::string_view exponent) {
  if (modulus.size() > kMostModulusBits / 8 || exponent.empty() || exponent.size() > kMostExponentBytes) {
    return Error{Errc::invalid_argument, "RSA key: modulus or exponent of a wrong length"};
  }
  const auto n = number_of(modulus);
  const auto e = number_of(exponent);
  if (!n || !e || BN_num_bits(n.get()) < kLeastModulusBits || BN_is_odd(n.get()) == 0 || BN_is_odd(e.get()) == 0 ||
      BN_is_one(e.get()) != 0) {
    return Error{Errc::invalid_argument, "RSA key: modulus or exponent out of range"};
  }
  const Handle<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return Error{Errc::internal, "RSA key: cannot be built"};
  }
  auto key = make_key("RSA", builder.get());
  if (!key) return Error{Errc::invalid_argument, "RSA key: refused by OpenSSL"};
  return PublicKey(Algorithm::rs256, std::move(key));
}

Result<PublicKey> PublicKey::p256(std::string_view x, std::string_view y) {
  if (x.size() != kCoordinateBytes || y.size() != kCoordinateBytes) {
    return Error{Errc::invalid_argument, "P-256 key: coordinates have 32 bytes"};
  }
  const std::string point = std::string("\x04") + std::string(x) + std::string(y);  // uncompressed
  const Handle<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  if (!builder || OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1) {
    return Error{Errc::internal, "P-256 key: cannot be built"};
  }
  auto key = make_key("EC", builder.get());
  if (!key) return Error{Errc::invalid_argument, "P-256 key: refused by OpenSSL"};
  const Handle<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_pkey(nullptr, static_cast<EVP_PKEY*>(key.get()), nullptr));
  if (!context || EVP_PKEY_public_check(context.get()) != 1) return Error{Errc::invalid_argument, "P-256 key: not on the curve"};
  return PublicKey(Algorithm::es256, std::move(key));
}

bool PublicKey::verify(std::string_view text, std::string_view signature) const {
  std::string der;
  if (algorithm_ == Algorithm::es256) {
    if (signature.size() != 2 * kCoordinateBytes) return false;
    der = der_of(signature);
    if (der.empty()) return false;
    signature = der;
  }
  const Handle<EVP_MD_CTX> context(EVP_MD_CTX_new());
  return context && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, static_cast<EVP_PKEY*>(key_.get())) == 1 &&
         EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(text), text.size()) == 1;
}

bool verify_hs256(std::string_view secret, std::string_view text, std::string_view signature) {
  std::array<unsigned char, 32> code{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), octets(text), text.size(), code.data(), &size) == nullptr)
    return false;
  return equal_in_constant_time({reinterpret_cast<const char*>(code.data()), size}, signature);
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace media::server

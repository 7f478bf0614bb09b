#include "media/digest.hpp"

#include <openssl/evp.h>

#include <new>

namespace media {
namespace {

int nibble(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

struct ContextDeleter {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

/// Fetched once: an implicit fetch at each start costs more than hashing a small file.
const EVP_MD* algorithm() {
  static const EVP_MD* const kSha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return kSha256 != nullptr ? kSha256 : EVP_sha256();
}

}  // namespace

struct Sha256::State {
  std::unique_ptr<EVP_MD_CTX, ContextDeleter> context{EVP_MD_CTX_new()};

  State() {
    // The only ways to fail are memory and a broken OpenSSL installation, which no caller can mend.
    if (!context || EVP_DigestInit_ex2(context.get(), algorithm(), nullptr) != 1) throw std::bad_alloc();
  }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> piece) {
  if (EVP_DigestUpdate(state_->context.get(), piece.data(), piece.size()) != 1) throw std::bad_alloc();
}

Digest Sha256::finish() {
  std::array<std::uint8_t, Digest::kSize> out{};
  unsigned length = 0;
  if (EVP_DigestFinal_ex(state_->context.get(), out.data(), &length) != 1 ||
      EVP_DigestInit_ex2(state_->context.get(), algorithm(), nullptr) != 1) {
    throw std::bad_alloc();
  }
  return Digest(out);
}

Result<Digest> Digest::from_hex(std::string_view hex) {
  if (hex.size() != 2 * kSize) return Error{Errc::invalid_argument, "a digest has 64 hexadecimal digits"};
  std::array<std::uint8_t, kSize> out{};
  for (std::size_t i = 0; i < kSize; ++i) {
    const int high = nibble(hex[2 * i]);
    const int low = nibble(hex[2 * i + 1]);
    if (high < 0 || low < 0) return Error{Errc::invalid_argument, "a digest has 64 hexadecimal digits"};
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return Digest(out);
}

Digest Digest::of(std::span<const std::byte> content) {
  Sha256 hasher;
  hasher.update(content);
  return hasher.finish();
}

std::string Digest::to_hex() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out(2 * kSize, '0');
  for (std::size_t i = 0; i < kSize; ++i) {
    out[2 * i] = kDigits[bytes_[i] >> 4U];
    out[2 * i + 1] = kDigits[bytes_[i] & 15U];
  }
  return out;
}

}  // namespace media

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <new>

#include "media/digest.hpp"
#include "media/sign.hpp"

namespace media {
namespace {

constexpr std::size_t kKeyIdDigits = 10;

void append(std::string& message, std::string_view field) {
  for (int shift = 56; shift >= 0; shift -= 8) message += static_cast<char>(static_cast<std::uint64_t>(field.size()) >> shift & 0xffU);
  message += field;
}

std::string hmac_hex(std::string_view secret, std::string_view message) {
  std::array<std::uint8_t, Digest::kSize> code{};
  unsigned length = 0;
  const auto* const made = HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                                reinterpret_cast<const unsigned char*>(message.data()), message.size(), code.data(), &length);
  // HMAC over memory fails for lack of memory only.
  if (made == nullptr || length != code.size()) throw std::bad_alloc();
  return Digest(code).to_hex();
}

std::string message_of(std::string_view purpose, std::span<const std::string_view> fields) {
  std::string message;
  append(message, purpose);
  for (const std::string_view field : fields) append(message, field);
  return message;
}

}  // namespace

struct SigningKeys::Key {
  std::string id;
  std::string secret;
};

SigningKeys::SigningKeys(std::vector<Key> keys) : keys_(std::move(keys)) {}
SigningKeys::SigningKeys(SigningKeys&&) noexcept = default;
SigningKeys& SigningKeys::operator=(SigningKeys&&) noexcept = default;
SigningKeys::~SigningKeys() {
  for (Key& key : keys_) OPENSSL_cleanse(key.secret.data(), key.secret.size());
}

Result<SigningKeys> SigningKeys::open(std::vector<std::string> secrets) {
  if (secrets.empty()) return Error{Errc::invalid_argument, "signing keys: there is none"};
  std::vector<Key> keys;
  for (std::string& secret : secrets) {
    if (secret.size() < kMinSecretBytes || secret.size() > 4096) {
      return Error{Errc::invalid_argument, "signing keys: a secret has " + std::to_string(kMinSecretBytes) + " to 4096 bytes"};
    }
    // A code under a label of its own: the identifier tells nothing of the secret, and is no signature of anything.
    std::string id = hmac_hex(secret, message_of("libmedia key id", {})).substr(0, kKeyIdDigits);
    if (std::any_of(keys.begin(), keys.end(), [&](const Key& key) { return key.id == id; })) {
      return Error{Errc::invalid_argument, "signing keys: one of the secrets is there twice"};
    }
    keys.push_back({std::move(id), std::move(secret)});
  }
  return SigningKeys(std::move(keys));
}

const std::string& SigningKeys::key_id() const noexcept { return keys_.front().id; }

std::string SigningKeys::sign(std::string_view purpose, std::span<const std::string_view> fields) const {
  return sign_as(key_id(), purpose, fields);
}

const SigningKeys::Key& SigningKeys::key_of(std::string_view key_id, bool& known) const noexcept {
  // All of them, each to its end: how long it takes does not tell which names there are.
  const Key* found = nullptr;
  for (const Key& key : keys_) {
    if (key.id.size() == key_id.size() && CRYPTO_memcmp(key.id.data(), key_id.data(), key_id.size()) == 0) found = &key;
  }
  known = found != nullptr;
  return known ? *found : keys_.front();
}

bool SigningKeys::knows(std::string_view key_id) const noexcept {
  bool known = false;
  static_cast<void>(key_of(key_id, known));
  return known;
}

std::string SigningKeys::sign_as(std::string_view key_id, std::string_view purpose, std::span<const std::string_view> fields) const {
  bool known = false;
  return hmac_hex(key_of(key_id, known).secret, message_of(purpose, fields));
}

bool SigningKeys::verify(std::string_view key_id, std::string_view purpose, std::span<const std::string_view> fields,
                         std::string_view signature) const {
  bool known = false;
  const std::string right = hmac_hex(key_of(key_id, known).secret, message_of(purpose, fields));
  // The length is no secret; the comparison of equal lengths takes the same time wherever they differ.
  const bool same = signature.size() == right.size() && CRYPTO_memcmp(signature.data(), right.data(), right.size()) == 0;
  return same && known;
}

}  // namespace media

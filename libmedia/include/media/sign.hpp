/// Signatures over what a URL promises.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "media/clock.hpp"
#include "media/export.hpp"
#include "media/result.hpp"

namespace media {

/// Keys for HMAC-SHA-256 (RFC 2104): the newest signs, all verify, so that a key can be replaced while URLs signed by the old one live.
///
/// A signature covers a purpose and fields, each with its length before it: no two lists of fields have the same signature, and what was
/// signed for one purpose means nothing for another. The order of the fields is part of what is signed; a caller whose fields may come
/// in any order sorts them.
///
/// Thread-safety: every method may be called concurrently; nothing changes after `open`.
class MEDIA_EXPORT SigningKeys {
 public:
  /// Shorter secrets can be guessed.
  static constexpr std::size_t kMinSecretBytes = 32;

  /// The first of the secrets signs. `invalid_argument` where there is none, one is too short or one occurs twice.
  static Result<SigningKeys> open(std::vector<std::string> secrets);
  SigningKeys(SigningKeys&&) noexcept;
  SigningKeys& operator=(SigningKeys&&) noexcept;
  ~SigningKeys();

  /// Names the key that signs, in ten lower-case hexadecimal digits, without giving it away.
  [[nodiscard]] const std::string& key_id() const noexcept;
  /// Is there a key of that name?
  [[nodiscard]] bool knows(std::string_view key_id) const noexcept;
  /// 64 lower-case hexadecimal digits.
  [[nodiscard]] std::string sign(std::string_view purpose, std::span<const std::string_view> fields) const;
  /// By the key of that name, where there is one; else by the one that signs.
  [[nodiscard]] std::string sign_as(std::string_view key_id, std::string_view purpose, std::span<const std::string_view> fields) const;
  /// Takes as long for a wrong signature as for a right one, and for an unknown key as for a known one.
  [[nodiscard]] bool verify(std::string_view key_id, std::string_view purpose, std::span<const std::string_view> fields,
                            std::string_view signature) const;

 private:
  struct Key;
  explicit SigningKeys(std::vector<Key> keys);
  /// The key of that name; the one that signs where there is none.
  [[nodiscard]] const Key& key_of(std::string_view key_id, bool& known) const noexcept;
  std::vector<Key> keys_;
};

/// The key kept in a file, readable by its owner alone; drawn by chance and made where there is none, so that URLs outlive a restart.
/// Several processes that start at once agree on one. A server keeps it as `<base path>/url-signing.key`.
/// Errors: `io`, `corrupt` (the file holds no key).
MEDIA_EXPORT Result<SigningKeys> open_signing_key_file(const std::filesystem::path& path);

/// One parameter of a URL's query, decoded.
struct QueryParameter {
  std::string name;
  std::string value;
};

/// Everything but RFC 3986's unreserved characters as %XX.
MEDIA_EXPORT std::string percent_encode(std::string_view text);

/// `path` with a query by which anybody may GET (and HEAD) it until it expires: "/media/7/download?expires=…&key=…&signature=…", with
/// `parameters` before that. `path` begins below the API's base. The signature covers path and parameters by their decoded values, so that
/// another order or encoding of them is the same URL, and any other value is none.
MEDIA_EXPORT std::string sign_delivery(const SigningKeys& keys, std::string_view path, std::vector<QueryParameter> parameters,
                                       Timestamp expires_at);
/// Is `signature` the one over these parameters, of which none is "signature"? Looks at no clock: "expires" is the caller's to compare.
MEDIA_EXPORT bool verify_delivery(const SigningKeys& keys, std::string_view path, std::vector<QueryParameter> parameters,
                                  std::string_view signature);

}  // namespace media

// Credentials of programs: a random secret each, of which only the digest is kept.

#include <algorithm>
#include <array>

#include "core/random.hpp"
#include "library/library_impl.hpp"

namespace media {
namespace {

constexpr std::string_view kPrefix = "mk_";
constexpr std::size_t kIdBytes = 8;
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kMaxTextBytes = 255;
constexpr std::array<std::string_view, 3> kScopes = {"media:read", "media:write", "media:admin"};

Result<std::string> check_request(const ApiKeyRequest& request) {
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7F; };
  if (request.owner.empty() || request.owner.size() > kMaxTextBytes ||
      std::any_of(request.owner.begin(), request.owner.end(), is_control)) {
    return Error{Errc::invalid_argument, "API key: an owner has 1 to 255 bytes, none of them a control character"};
  }
  if (request.label.size() > kMaxTextBytes) return Error{Errc::invalid_argument, "API key: a label has at most 255 bytes"};
  if (request.lifetime && (request.lifetime->count() <= 0 || *request.lifetime > std::chrono::years(1000))) {
    return Error{Errc::invalid_argument, "API key: a lifetime of at least 1 second and at most 1000 years"};
  }
  std::string scopes;
  for (const std::string_view known : kScopes) {
    if (std::find(request.scopes.begin(), request.scopes.end(), known) != request.scopes.end()) {
      scopes += (scopes.empty() ? "" : " ") + std::string(known);
    }
  }
  const bool all_known = std::all_of(request.scopes.begin(), request.scopes.end(), [](const std::string& scope) {
    return std::find(kScopes.begin(), kScopes.end(), scope) != kScopes.end();
  });
  if (scopes.empty() || !all_known) return Error{Errc::invalid_argument, "API key: scopes are media:read, media:write and media:admin"};
  return scopes;
}

Digest digest_of(std::string_view secret) { return Digest::of(std::as_bytes(std::span(secret))); }

bool equal_in_constant_time(const Digest& a, const Digest& b) {
  unsigned difference = 0;
  for (std::size_t i = 0; i < Digest::kSize; ++i) difference |= static_cast<unsigned>(a.bytes()[i] ^ b.bytes()[i]);
  return difference == 0;
}

struct Token {
  std::string id;
  std::string_view secret;
};

std::optional<Token> parse_token(std::string_view token) {
  constexpr std::size_t kIdDigits = 2 * kIdBytes;
  constexpr std::size_t kSecretDigits = 2 * kSecretBytes;
  if (token.size() != kPrefix.size() + kIdDigits + 1 + kSecretDigits || !token.starts_with(kPrefix)) return std::nullopt;
  token.remove_prefix(kPrefix.size());
  if (token[kIdDigits] != '_') return std::nullopt;
  return Token{std::string(token.substr(0, kIdDigits)), token.substr(kIdDigits + 1)};
}

}  // namespace

Result<NewApiKey> LibraryImpl::create_api_key(const ApiKeyRequest& request) {
  if (options_.read_only) return Error{Errc::denied, "API key: the library is open for reading only"};
  NewApiKey made;
  ApiKey& key = made.key;
  MEDIA_TRY_ASSIGN(key.scopes, check_request(request));
  const std::string secret = random_hex(kSecretBytes);
  key.id = random_hex(kIdBytes);
  key.secret_digest = digest_of(secret);
  key.owner = request.owner;
  key.label = request.label;
  key.created_at = clock_->now();
  if (request.lifetime) key.expires_at = key.created_at + *request.lifetime;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) { return transaction.insert_api_key(key); }));
  made.token = std::string(kPrefix) + key.id + "_" + secret;
  return made;
}

Result<bool> LibraryImpl::revoke_api_key(const std::string& id) {
  if (options_.read_only) return Error{Errc::denied, "API key: the library is open for reading only"};
  bool revoked = false;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(revoked, transaction.revoke_api_key(id, clock_->now()));
    return {};
  }));
  return revoked;
}

Result<std::optional<ApiKey>> LibraryImpl::find_api_key(std::string_view token) const {
  const auto parsed = parse_token(token);
  if (!parsed) return std::optional<ApiKey>();
  MEDIA_TRY_ASSIGN(auto key, repository_->find_api_key(parsed->id));
  if (!key || !equal_in_constant_time(digest_of(parsed->secret), key->secret_digest)) return std::optional<ApiKey>();
  if (key->revoked_at || (key->expires_at && clock_->now() >= *key->expires_at)) return std::optional<ApiKey>();
  return key;
}

}  // namespace media

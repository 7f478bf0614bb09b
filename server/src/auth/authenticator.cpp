#include "auth/authenticator.hpp"

#include <algorithm>
#include <sstream>

#include "http/fields.hpp"
#include "media/sign.hpp"
#include "url.hpp"

namespace media::server {
namespace {

/// A file is read again at most so often; the same text costs no parsing.
constexpr std::chrono::seconds kFileRefresh{1};

Error denied(const char* why) { return Error{Errc::denied, why}; }

constexpr std::string_view kApiKeyField = "X-API-Key";
/// What every API key begins with, and no JWT: those begin as base64 of a brace.
constexpr std::string_view kApiKeyPrefix = "mk_";

/// The one credential of a request; nothing where there is none.
Result<std::optional<std::string_view>> find_credential(const http::Request& request) {
  const auto fields = request.headers.all("Authorization");
  const auto keys = request.headers.all(kApiKeyField);
  if (fields.empty() && keys.empty()) return std::optional<std::string_view>();
  if (fields.size() + keys.size() > 1) return denied("more than one credential");
  if (!keys.empty()) {
    if (!keys.front().starts_with(kApiKeyPrefix)) return denied("not an API key");
    return std::optional<std::string_view>(keys.front());
  }
  constexpr std::string_view kScheme = "Bearer ";
  std::string_view token = fields.front();
  if (!http::equal_ignoring_case(token.substr(0, kScheme.size()), kScheme)) return denied("another scheme than Bearer");
  token.remove_prefix(kScheme.size());
  token.remove_prefix(std::min(token.find_first_not_of(' '), token.size()));
  if (token.empty()) return denied("an empty token");
  return std::optional<std::string_view>(token);
}

/// The body of a 200; everything else is no answer.
Result<std::string> body_of(Result<WebReply> reply, const std::string& url) {
  if (!reply) return std::move(reply).error();
  if (reply->status != 200) {
    return Error{Errc::unavailable, std::string(host_of_url(url)) + " answers with status " + std::to_string(reply->status)};
  }
  return std::move(reply->body);
}

KeyRing::Fetch fetch_keys(WebClient& web, const std::string& url) {
  return [&web, url] { return body_of(web.ask({.url = url, .max_bytes = KeySet::kMaxBytes}), url); };
}

Introspection::Ask ask_issuer(WebClient& web, const Config& config) {
  WebRequest request{.url = config.oauth2_base_url + config.introspection_path};
  // Encoded before they become HTTP Basic (RFC 6749, section 2.3.1).
  request.user = percent_encode(config.oauth2_client_id);
  request.password = percent_encode(config.oauth2_client_secret);
  return [&web, request](std::string_view token) {
    WebRequest one = request;
    one.body = "token=" + percent_encode(token) + "&token_type_hint=access_token";
    return body_of(web.ask(one), one.url);
  };
}

/// Half of them: the other half goes on serving what needs no issuer.
int waiting_threads(const Config& config) { return static_cast<int>(std::max<std::size_t>(1, config.reader_threads / 2)); }

}  // namespace

Result<std::unique_ptr<Authenticator>> Authenticator::open(const Config& config, const Library& library, const Clock& clock, Log& log) {
  auto made = std::unique_ptr<Authenticator>(new Authenticator(library, clock));
  if (config.introspection_enabled || !config.jwks_url.empty()) made->web_ = std::make_unique<WebClient>();
  if (config.introspection_enabled) {
    made->introspection_ = std::make_unique<Introspection>(
        ask_issuer(*made->web_, config), config.claim_rules,
        Introspection::Options{.lifetime = config.token_cache_lifetime, .most_asking = waiting_threads(config)});
    if (!config.jwt_secret.empty() || !config.jwks_file.empty() || !config.jwks_url.empty()) {
      log.write(LogLevel::warn, "tokens are judged by introspection; JWT_SECRET and key sets are not used");
    }
    return made;
  }
  if (!config.jwks_file.empty()) {
    made->keys_ = std::make_unique<KeyRing>([path = config.jwks_file] { return read_key_file(path); },
                                            KeyRing::Options{.refresh = kFileRefresh, .least_pause = kFileRefresh});
    MEDIA_TRY(made->keys_->refresh());
  } else if (!config.jwks_url.empty()) {
    made->keys_ = std::make_unique<KeyRing>(fetch_keys(*made->web_, config.jwks_url), KeyRing::Options{.refresh = config.jwks_refresh});
    // Both may be starting at once: tokens are answered with 503 until the issuer is there.
    if (const auto fetched = made->keys_->refresh(); !fetched) {
      log.write(LogLevel::warn, "the issuer's keys cannot be had yet", {{"reason", fetched.error().message}});
    }
  }
  if (!config.jwt_secret.empty() || made->keys_) {
    made->tokens_ = std::make_unique<JwtVerifier>(config.jwt_secret, made->keys_.get(), config.claim_rules);
    if (config.claim_rules.audience.empty()) {
      log.write(LogLevel::warn, "tokens for any audience are taken; MEDIA_SERVICE_AUTH_AUDIENCE narrows that");
    }
  }
  return made;
}

Result<Caller> Authenticator::authenticate(const http::Request& request) const {
  MEDIA_TRY_ASSIGN(const auto credential, find_credential(request));
  if (!credential) return Caller{};
  return credential->starts_with(kApiKeyPrefix) ? judge_api_key(*credential) : judge_token(*credential);
}

Result<Caller> Authenticator::judge_token(std::string_view token) const {
  if (introspection_) {
    MEDIA_TRY_ASSIGN(auto introspected, introspection_->verify(token, clock_.now()));
    return std::move(introspected.caller);
  }
  if (!tokens_) return denied("no tokens are configured");
  MEDIA_TRY_ASSIGN(auto bearer, tokens_->verify(token, clock_.now()));
  return std::move(bearer.caller);
}

Result<Caller> Authenticator::judge_api_key(std::string_view token) const {
  auto key = library_.find_api_key(token);
  if (!key) return Error{Errc::unavailable, key.error().message};
  if (!*key) return denied("no API key in force");
  Caller caller{(*key)->owner, {}, CallerKind::api_key};
  std::istringstream words((*key)->scopes);
  for (std::string word; words >> word;) {
    if (const auto scope = scope_from(word)) caller.scopes = caller.scopes.with(*scope);
  }
  return caller;
}

}  // namespace media::server

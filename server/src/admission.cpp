#include "admission.hpp"

#include <algorithm>

#include "auth/refusal.hpp"
#include "edge/compression.hpp"
#include "errors.hpp"

namespace media::server {
namespace {

/// A signed URL is a credential of its own: what else the client sends along by habit decides nothing, and cannot make the URL fail.
bool ignores_credentials(const http::Request& request, Access access) {
  return access == Access::open || access == Access::by_signature || request.query_count("signature") > 0;
}

std::optional<Scope> needed_scope(const http::Request& request, Access access) {
  if (access != Access::by_method || request.method == "OPTIONS") return std::nullopt;
  return request.method == "GET" || request.method == "HEAD" ? Scope::read : Scope::write;
}

std::optional<http::Response> check_scope(const http::Request& request, Access access, const Caller& caller) {
  const auto needed = needed_scope(request, access);
  if (!needed) return std::nullopt;
  if (caller.is_anonymous()) return refuse_anonymous(request);
  if (!caller.scopes.has(*needed)) return refuse_scope(request, *needed);
  return std::nullopt;
}

/// Whoever has an IPv6 address has the 2^64 beside it too.
std::string bucket_of_address(const std::string& address) {
  auto bytes = parse_address(address);
  if (!bytes || address.find(':') == std::string::npos) return address;
  std::fill(bytes->begin() + 8, bytes->end(), std::uint8_t{0});
  return to_string(*bytes);
}

RateTier rate_tier(Tier tier, const Caller& caller) {
  switch (tier) {
    case Tier::health:
      return RateTier::health;
    case Tier::upload:
      return RateTier::upload;
    case Tier::delivery:
      return RateTier::delivery;
    case Tier::by_caller:
      break;
  }
  if (caller.is_anonymous()) return RateTier::anonymous;
  return caller.kind != CallerKind::local && caller.scopes.has(Scope::admin) ? RateTier::admin : RateTier::authenticated;
}

}  // namespace

std::optional<http::Response> Admission::operator()(http::Request& request, const http::Route& route) const {
  Admitted admitted;
  admitted.origin = find_origin(request, config_.trusted_proxies);
  admitted.asked_for_gzip_tag = strip_gzip_tags(request);
  const Access access = access_of(route);
  auto refusal = authenticate(request, access, admitted);
  // A refused credential counts too, against its sender's address: guessing must not be free.
  auto slow_down = limit_rate(request, route, admitted);
  if (!slow_down && !refusal) refusal = check_scope(request, access, admitted.caller);
  request.admitted = std::move(admitted);
  return slow_down ? std::move(slow_down) : std::move(refusal);
}

std::optional<http::Response> Admission::authenticate(http::Request& request, Access access, Admitted& admitted) const {
  if (authenticator_ == nullptr) {
    admitted.caller = Caller::local_user();
    return std::nullopt;
  }
  if (ignores_credentials(request, access)) return std::nullopt;
  auto caller = authenticator_->authenticate(request);
  if (!caller || !caller->is_anonymous()) metrics_.count_auth_attempt();
  if (!caller) {
    const bool denied = caller.error().code == Errc::denied;
    metrics_.count_auth_failure(denied ? AuthFailure::refused : AuthFailure::unavailable);
    log_.write(denied ? LogLevel::debug : LogLevel::error, denied ? "credential refused" : "credentials cannot be checked",
               {{"request_id", request.request_id}, {"reason", caller.error().message}, {"remote", admitted.origin.address}});
    return denied ? refuse_credential(request) : cannot_authenticate(request);
  }
  admitted.caller = std::move(caller).value();
  return std::nullopt;
}

std::optional<http::Response> Admission::limit_rate(const http::Request& request, const http::Route& route, Admitted& admitted) const {
  if (!config_.rate_limits.enabled) return std::nullopt;
  const RateTier tier = rate_tier(tier_of(route), admitted.caller);
  const RateLimit& limit = config_.rate_limits[tier];
  if (limit.per_minute == 0) return std::nullopt;
  std::string key(1, static_cast<char>('0' + static_cast<int>(tier)));
  const bool by_owner = admitted.caller.kind == CallerKind::token || admitted.caller.kind == CallerKind::api_key;
  key += by_owner ? "o" + admitted.caller.owner : "a" + bucket_of_address(admitted.origin.address);
  admitted.rate = limiter_.take(key, limit);
  if (admitted.rate->allowed) return std::nullopt;
  metrics_.count_rate_limited(tier);
  return error_response(429, "too many requests: " + std::to_string(limit.per_minute) + " a minute are let through", request)
      .with("Retry-After", std::to_string(admitted.rate->retry_in.count()));
}

const Admitted* admitted_of(const http::Request& request) { return std::any_cast<Admitted>(&request.admitted); }

const Caller& caller_of(const http::Request& request) {
  static const Caller kNobody;
  const auto* const admitted = admitted_of(request);
  return admitted == nullptr ? kNobody : admitted->caller;
}

}  // namespace media::server

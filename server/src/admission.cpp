#include "admission.hpp"

#include "auth/refusal.hpp"
#include "routes.hpp"

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

std::optional<http::Response> check_scope(const http::Request& request, Access access) {
  const auto needed = needed_scope(request, access);
  if (!needed) return std::nullopt;
  const Caller& caller = caller_of(request);
  if (caller.is_anonymous()) return refuse_anonymous(request);
  if (!caller.scopes.has(*needed)) return refuse_scope(request, *needed);
  return std::nullopt;
}

}  // namespace

std::optional<http::Response> Admission::operator()(http::Request& request, const http::Route& route) const {
  auto refusal = authenticate(request, route);
  if (refusal) return with_tus_fields(std::move(*refusal), request);
  return std::nullopt;
}

std::optional<http::Response> Admission::authenticate(http::Request& request, const http::Route& route) const {
  const Access access = access_of(route);
  if (authenticator_ == nullptr) {
    request.caller = Caller::local_user();
    return std::nullopt;
  }
  request.caller = Caller{};
  if (!ignores_credentials(request, access)) {
    auto caller = authenticator_->authenticate(request);
    if (!caller) {
      const bool denied = caller.error().code == Errc::denied;
      log_.write(denied ? LogLevel::debug : LogLevel::error, denied ? "credential refused" : "credentials cannot be checked",
                 {{"request_id", request.request_id}, {"reason", caller.error().message}, {"remote", request.remote_address}});
      return denied ? refuse_credential(request) : cannot_authenticate(request);
    }
    request.caller = std::move(caller).value();
  }
  return check_scope(request, access);
}

const Caller& caller_of(const http::Request& request) {
  static const Caller kNobody;
  const auto* const caller = std::any_cast<Caller>(&request.caller);
  return caller == nullptr ? kNobody : *caller;
}

}  // namespace media::server

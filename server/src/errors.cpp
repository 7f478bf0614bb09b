#include "errors.hpp"

#include <nlohmann/json.hpp>

#include "telemetry/log.hpp"

namespace media::server {
namespace {

/// True where a message may name a file of this machine: a slash that begins a word. The slash of a media type is within one.
bool may_hold_a_path(std::string_view message) {
  for (auto at = message.find('/'); at != std::string_view::npos; at = message.find('/', at + 1)) {
    const bool begins = at == 0 || std::string_view(" \t\"'(:=,").find(message[at - 1]) != std::string_view::npos;
    if (begins && at + 1 < message.size() && message[at + 1] != ' ') return true;
  }
  return false;
}

}  // namespace

http::Response error_response(int status, std::string_view message, const http::Request& request, const FieldFault& fault) {
  nlohmann::ordered_json body;
  body["error"] = http::reason_phrase(status);
  body["message"] = message;
  if (!fault.field.empty()) {
    body["details"]["field"] = fault.field;
    if (!fault.limit.empty()) body["details"]["accepts"] = fault.limit;
  }
  body["request_id"] = request.request_id;
  return http::Response::text(status, body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace), "application/json")
      .with("Cache-Control", "no-store");
}

int status_of(Errc code) noexcept {
  switch (code) {
    case Errc::invalid_argument:
      return 400;
    case Errc::expired:
      return 408;  // of a body that came too slowly; expired signatures are their route's business
    case Errc::not_found:
      return 404;
    case Errc::already_exists:
    case Errc::conflict:
      return 409;
    case Errc::too_large:
      return 413;
    case Errc::unsupported:
      return 415;
    case Errc::no_space:
      return 507;
    case Errc::denied:
    case Errc::unavailable:
    case Errc::cancelled:
      return 503;
    case Errc::corrupt:
    case Errc::io:
    case Errc::internal:
      return 500;
  }
  return 500;
}

int status_of(Refusal refusal) noexcept {
  switch (refusal) {
    case Refusal::none:
      return 200;
    case Refusal::empty:
      return 400;
    case Refusal::not_media:
    case Refusal::type_not_allowed:
      return 415;
    case Refusal::too_many_bytes:
    case Refusal::over_quota:  // not 507: it is the caller's own limit, which no retry helps and no operator has to be woken for
      return 413;
    case Refusal::type_mismatch:
    case Refusal::too_many_pixels:
    case Refusal::side_too_long:
    case Refusal::too_many_frames:
    case Refusal::malformed:
    case Refusal::polyglot:
    case Refusal::banned:
    case Refusal::infected:
    case Refusal::unscannable:
      return 422;
  }
  return 422;
}

http::Response error_response(const Error& error, const http::Request& request, Log& log) {
  const int status = status_of(error.code);
  if (status < 500 && !may_hold_a_path(error.message)) return error_response(status, error.message, request);
  log.write(LogLevel::error, "request failed",
            {{"request_id", request.request_id},
             {"code", to_string(error.code)},
             {"reason", error.message},
             {"path", loggable_path(request.path)}});
  std::string_view message = "Something went wrong on the server; the request id finds it in the log.";
  if (error.code == Errc::no_space) message = "The storage is full; nothing was kept.";
  if (error.code == Errc::denied) message = "The storage cannot be written to at present; nothing was changed.";
  if (error.code == Errc::unavailable || error.code == Errc::cancelled) message = "The service is busy or stopping; try again shortly.";
  if (error.code == Errc::corrupt) message = "The stored content is damaged and is not served.";
  if (status < 500) message = "The request cannot be carried out; the request id finds the reason in the log.";
  auto response = error_response(status, message, request);
  if (status == 503) response.headers.set("Retry-After", "1");
  return response;
}

}  // namespace media::server

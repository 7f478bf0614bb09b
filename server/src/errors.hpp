/// Failures over HTTP: the one table of statuses and the one shape of bodies.
#pragma once

#include <string>
#include <string_view>

#include "http/message.hpp"
#include "media/inspect.hpp"
#include "media/result.hpp"

namespace media::server {

class Log;

/// A thing that went wrong with one field, for `details`.
struct FieldFault {
  std::string field;
  std::string limit;  ///< What it accepts; may be empty.
};

/// `{"error": …, "message": …, "details": {…}, "request_id": …}`.
http::Response error_response(int status, std::string_view message, const http::Request& request, const FieldFault& fault = {});

int status_of(Errc code) noexcept;
int status_of(Refusal refusal) noexcept;

/// A library error as an answer. What only an operator should read (paths, the system's words) goes to the log under the
/// request's id, and the client gets a sentence without it.
http::Response error_response(const Error& error, const http::Request& request, Log& log);

}  // namespace media::server

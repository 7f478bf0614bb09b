/// What a handler is given and what it gives back. Written for routes: no word of the library underneath is in it.
#pragma once

#include <any>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/fields.hpp"
#include "media/io.hpp"
#include "media/result.hpp"

namespace media::http {

/// How long a client may take to send a body.
struct BodyPace {
  std::chrono::milliseconds total{std::chrono::hours(1)};
  /// Every `window` spent waiting for the client must bring `bytes_per_second` times its length; 0 turns that off.
  std::uint64_t bytes_per_second = 1024;
  std::chrono::milliseconds window{std::chrono::seconds(10)};
};

/// The body of one request, read once and in order, decoded from chunks where the client sent chunks.
///
/// `read` errors: `too_large` (the limit), `invalid_argument` (the body is shorter than announced, or its chunks are malformed),
/// `expired` (too slow), `io` (the client is gone), `cancelled` (the server stops, or `cancel` was called). After an error the connection
/// is closed, and if the handler then answers with a failure, the server answers in its place with the status that belongs to the error
/// (413, 400, 408 or the route's `slow_body_status`): a route needs no table for them. What a handler does not read is never taken for
/// the next request.
///
/// Thread-safety: none, for it has a position; `cancel` alone may be called from any thread while the handler runs.
class Body : public ByteSource {
 public:
  /// Says how many bytes the route takes at most, before chunks are decoded away or after: it is payload that counts. `too_large` at once
  /// where the client announced more, so a route calls it before it reads and before the client is told to continue.
  /// Until then the limit is `ServerOptions::default_body_limit`.
  virtual Result<void> limit(std::uint64_t bytes) = 0;
  /// Replaces the pace of `ServerOptions`.
  virtual void pace(const BodyPace& pace) = 0;
  /// Ends a `read` that waits for the client, and every later one, with `cancelled`; a failure is answered with 409.
  virtual void cancel() noexcept = 0;
  /// Payload bytes handed out so far.
  [[nodiscard]] virtual std::uint64_t received() const noexcept = 0;
};

/// One decoded name and value, of a query or of a path's captures.
struct Parameter {
  std::string name;
  std::string value;
};

/// A request whose head was complete and well-formed. Everything is decoded; nothing is trusted further than its syntax.
struct Request {
  std::string method;                           ///< Upper case; empty where the head could not be read (in the error hook only).
  std::string path;                             ///< Percent-decoded UTF-8, no "." or ".." segments, no encoded slash, no trailing slash.
  std::vector<Parameter> captures;              ///< The `{name}` segments of the route's pattern.
  std::vector<Parameter> query;                 ///< In order, duplicates kept; valid UTF-8; "+" means a space.
  Fields headers;                               ///< Values as sent, surrounding whitespace removed; never percent-decoded.
  std::string remote_address;                   ///< Of the socket: no header can change it. Empty for none.
  std::uint16_t remote_port = 0;                ///< 0 for none.
  std::string request_id;                       ///< The client's X-Request-Id where it is short and plain, else made here.
  std::optional<std::uint64_t> content_length;  ///< As announced; absent for chunks.
  bool has_body = false;                        ///< Chunked, or a Content-Length above 0.
  Body* body = nullptr;                         ///< Never null in a handler; ends at once where there is no body.
  std::chrono::steady_clock::time_point begun;  ///< When the head was complete.
  bool may_wait = false;                        ///< Whether `Response::wait_for` may be answered to this call.
  std::any kept;      ///< For a handler that answers `Response::wait_for`, until it is asked again; goes with the client.
  std::any admitted;  ///< What `Hooks::admit` found out, for handlers; nothing here looks inside.

  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const noexcept { return headers.find(name); }
  /// The value of a `{name}` segment; empty for a name that the pattern does not have.
  [[nodiscard]] std::string_view capture(std::string_view name) const noexcept;
  /// The first value of a query parameter. Whoever must refuse duplicates looks at `query_count`.
  [[nodiscard]] std::optional<std::string_view> query_value(std::string_view name) const noexcept;
  [[nodiscard]] std::size_t query_count(std::string_view name) const noexcept;
};

/// A stretch of an answer's body: text, or bytes of a content.
struct Piece {
  std::string text;
  std::shared_ptr<const ByteReader> reader;  ///< Null for text. Read by pool threads only, in order.
  std::uint64_t offset = 0;
  std::uint64_t length = 0;

  [[nodiscard]] std::uint64_t size() const noexcept { return reader ? length : text.size(); }
};

/// An answer. The server adds Date, Server, Content-Length, Connection and X-Request-Id itself, sends no body for HEAD, 204 and 304,
/// and answers 500 instead where a field has a name that is no token or a value with control characters (line breaks above all).
struct Response {
  int status = 200;
  Fields headers;
  std::vector<Piece> pieces;
  bool close = false;  ///< Close the connection after this answer.
  /// Not empty: there is no answer yet. The connection is parked, without a thread, and the handler is asked again once
  /// `Server::wake(wait_for)` is called, and now and then (`ServerOptions::wait_tick`) without that. For requests that `may_wait` only.
  std::string wait_for;

  /// No answer yet: see `wait_for`.
  static Response later(std::string key);
  /// An answer without a body.
  static Response empty(int status);
  static Response text(int status, std::string body, std::string_view media_type = "text/plain; charset=utf-8");
  [[nodiscard]] std::uint64_t body_size() const noexcept;
  /// Sets a field and hands the answer on, for chains.
  Response& with(std::string_view name, std::string value) & {
    headers.set(name, std::move(value));
    return *this;
  }
  Response&& with(std::string_view name, std::string value) && {
    headers.set(name, std::move(value));
    return std::move(*this);
  }
};

/// "Not Found" for 404; "Status 299" for one without a registered phrase.
std::string_view reason_phrase(int status) noexcept;

/// True where a field may go out (or come in) as it is: a token for a name, no control character but tab in the value.
bool is_valid_field(std::string_view name, std::string_view value) noexcept;

}  // namespace media::http

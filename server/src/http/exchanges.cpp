// From a parsed head to the end of its answer.
#include <sys/socket.h>

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include "http/loop.hpp"
#include "http/random_id.hpp"

namespace media::http {
namespace {

using State = Connection::State;
using std::chrono::steady_clock;

constexpr std::uint64_t kSlice = std::uint64_t{4} * 1024 * 1024;
constexpr std::chrono::seconds kLinger{3};

/// The client's own name for the request where it is fit for logs and headers, else a new one.
std::string request_id_of(const Fields& headers) {
  const auto given = headers.find("X-Request-Id");
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  if (given && !given->empty() && given->size() <= 64 && std::all_of(given->begin(), given->end(), plain)) return std::string(*given);
  return random_id();
}

bool may_have_a_body_without_length(std::string_view method) { return method == "POST" || method == "PUT" || method == "PATCH"; }

}  // namespace

void Server::Loop::start_exchange(Connection& connection, Head head) {
  connection.exchange = std::make_unique<Exchange>(RequestBody::Connection{connection.socket.get(), connection.inbox, cut_},
                                                   std::move(head), options_.default_body_limit, options_.body_pace);
  Exchange& exchange = *connection.exchange;
  Request& request = exchange.request;
  request.method = exchange.head.method;
  request.path = std::move(exchange.head.path);
  request.query = std::move(exchange.head.query);
  request.headers = std::move(exchange.head.fields);
  request.remote_address = connection.remote_address;
  request.remote_port = connection.remote_port;
  request.request_id = request_id_of(request.headers);
  request.begun = exchange.begun;
  request.content_length = exchange.head.content_length;
  request.has_body = exchange.head.has_body();
  request.body = &exchange.body;
  if (!request.method.empty()) {
    ++requests_;
    exchange.match = router_.match(request.method, request.path);
    request.captures = std::move(exchange.match.captures);
  }
}

void Server::Loop::refuse(Connection& connection, const HeadFailure& failure) {
  if (failure.status == 503 || failure.status == 429) ++refused_;
  if (!connection.exchange) start_exchange(connection, Head());
  // What the client still sends is no request, so nothing must wait in the inbox for one.
  connection.exchange->linger = true;
  connection.exchange->head.keep_alive = false;
  send_answer(connection, engine_, failure_response(failure.status, failure.message, connection.exchange->request));
}

void Server::Loop::run_exchange(Connection& connection, Engine& engine) {
  Exchange& exchange = *connection.exchange;
  const std::uint64_t wakes = wake_count_;
  // Who waits for something that is being made may go on to wait while the server drains, until shortly before the time for that is over.
  const bool may_still_wait = may_wait_on(exchange);
  exchange.request.may_wait = may_still_wait && table_.count(State::waiting) < options_.max_waiting;
  Response response = answer(exchange);
  if (!response.wait_for.empty()) {
    if (exchange.request.may_wait) return wait(connection, response.wait_for, wakes);
    if (hooks_.fault) hooks_.fault("an answer that may not wait was put off", exchange.request);
    response = failure_response(503, "the answer is not there yet", exchange.request);
  }
  if (const auto& failure = exchange.body.failure()) {
    if (failure->status == 0) return finish(connection, false);
    // A handler that succeeds without the whole body may say so; any failure of its own is the consequence of this one.
    if (response.status >= 400) {
      const int status = failure->status == 408 ? exchange.slow_body_status() : failure->status;
      response = failure_response(status, "request body: " + failure->message, exchange.request);
    }
  }
  send_answer(connection, engine, std::move(response));
}

bool Server::Loop::may_wait_on(const Exchange& exchange) const { return !stopping_ || (exchange.request.kept.has_value() && !last_call_); }

void Server::Loop::wait(Connection& connection, const std::string& key, std::uint64_t wakes) {
  connection.exchange->wait_key = key;
  // Woken since the handler looked: it may have looked too early.
  if (wake_count_ != wakes || !may_wait_on(*connection.exchange)) return ask_again(connection);
  if (!table_.park(connection, State::waiting, steady_clock::now() + options_.wait_tick)) return finish(connection, false);
  // From here on it is the loop's. Who woke between the two lines above may have seen nobody wait.
  if (wake_count_ != wakes) wake_waiting(key);
}

Response Server::Loop::answer(Exchange& exchange) {
  const Request& request = exchange.request;
  const Route* route = exchange.match.route;
  if (route == nullptr) {
    const std::string& allowed = exchange.match.allowed;
    if (request.method == "OPTIONS" && request.path == "*") return Response::empty(204);
    if (allowed.empty()) return failure_response(404, "there is nothing at this path", request);
    if (request.method == "OPTIONS") return Response::empty(204).with("Allow", allowed);
    return failure_response(405, request.method + " is not offered here; " + allowed + " are", request).with("Allow", allowed);
  }
  if (!route->options.accepts_body) {
    exchange.body.hide();
  } else if (!route->options.body_optional && may_have_a_body_without_length(request.method) && !request.content_length &&
             !exchange.head.chunked) {
    return failure_response(411, "a Content-Length or a chunked body is needed", request);
  }
  return call_handler(exchange);
}

Response Server::Loop::call_handler(Exchange& exchange) {
  std::string_view fault = "an exception of an unknown kind";
  std::string what;
  try {
    if (hooks_.admit && !std::exchange(exchange.admitted, true)) {
      if (auto refusal = hooks_.admit(exchange.request, *exchange.match.route)) return std::move(*refusal);
    }
    if (hooks_.handle) return hooks_.handle(exchange.request, *exchange.match.route);
    return exchange.match.route->handler(exchange.request);
  } catch (const std::bad_alloc&) {
    if (hooks_.fault) hooks_.fault("out of memory", exchange.request);
    return failure_response(503, "not enough memory for this request", exchange.request);
  } catch (const std::exception& error) {
    what = error.what();
    fault = what;
  } catch (...) {
    // Handled below like the others.
  }
  if (hooks_.fault) hooks_.fault(fault, exchange.request);
  return failure_response(500, "an internal error", exchange.request);
}

Response Server::Loop::failure_response(int status, std::string message, const Request& request) {
  Response response;
  bool made = false;
  if (hooks_.error) {
    try {
      response = hooks_.error(status, message, request);
      made = true;
    } catch (const std::exception& error) {
      if (hooks_.fault) hooks_.fault(error.what(), request);
    }
  }
  if (!made) {
    response = Response::text(status, std::to_string(status) + " " + std::string(reason_phrase(status)) + ": " + message + "\n");
  }
  response.status = status;
  if ((status == 503 || status == 429) && !response.headers.find("Retry-After")) {
    response.headers.set("Retry-After", std::to_string(options_.retry_after.count()));
  }
  return response;
}

Response Server::Loop::presentable(Response response, const Request& request) {
  const bool valid = response.status >= 200 && response.status <= 599 &&
                     std::all_of(response.headers.begin(), response.headers.end(),
                                 [](const Field& field) { return is_valid_field(field.name, field.value); });
  if (!valid) {
    if (hooks_.fault) hooks_.fault("an answer with a malformed field or status was held back", request);
    response = Response::text(500, "500 Internal Server Error\n");
    if (hooks_.error) {
      Response other = hooks_.error(500, "an internal error", request);
      const bool other_valid = std::all_of(other.headers.begin(), other.headers.end(),
                                           [](const Field& field) { return is_valid_field(field.name, field.value); });
      if (other_valid) response = std::move(other);
      response.status = 500;
    }
    return response;
  }
  if (response.status >= 400 && response.pieces.empty()) {
    Response full = failure_response(response.status, std::string(reason_phrase(response.status)), request);
    // Of what both say the answer itself is right; but a body has the type that it has.
    response.headers.remove("Content-Type");
    for (const Field& field : response.headers) full.headers.remove(field.name);
    for (const Field& field : response.headers) full.headers.add(field.name, field.value);
    full.close = full.close || response.close;
    return full;
  }
  return response;
}

Response Server::Loop::dressed(Response response, const Exchange& exchange) {
  try {
    hooks_.dress(exchange.request, exchange.match.route, response);
  } catch (const std::exception& error) {
    if (hooks_.fault) hooks_.fault(error.what(), exchange.request);
  }
  const auto malformed = [](const Field& field) { return !is_valid_field(field.name, field.value); };
  if (std::any_of(response.headers.begin(), response.headers.end(), malformed)) {
    if (hooks_.fault) hooks_.fault("a malformed field was added to an answer", exchange.request);
    response.headers.remove_if(malformed);
  }
  return response;
}

void Server::Loop::send_answer(Connection& connection, Engine& engine, Response response) {
  Exchange& exchange = *connection.exchange;
  response = presentable(std::move(response), exchange.request);
  if (hooks_.dress) response = dressed(std::move(response), exchange);
  exchange.status = response.status;
  const bool body_is_over = !exchange.linger && exchange.body.drop_buffered();
  exchange.linger = !body_is_over;
  exchange.keep_alive = exchange.head.keep_alive && body_is_over && !response.close && !stopping_;
  const Envelope envelope{exchange.request.method == "HEAD", exchange.request.request_id, options_.name, !exchange.keep_alive,
                          exchange.head.http_1_0};
  exchange.head_bytes = engine.compose(envelope, std::move(response), connection.output);
  if (exchange.head_bytes == 0) return finish(connection, false);
  go_on_writing(connection);
}

void Server::Loop::go_on_writing(Connection& connection) {
  switch (connection.output.pump(connection.socket.get(), kSlice)) {
    case Output::Outcome::done:
      return finish(connection, true);
    case Output::Outcome::failed:
      return finish(connection, false);
    case Output::Outcome::blocked:
      break;
  }
  connection.mark = delivered(connection);
  if (!table_.park(connection, State::writing, steady_clock::now() + options_.write_window)) finish(connection, false);
}

void Server::Loop::finish(Connection& connection, bool complete) {
  report(connection, complete);
  if (!complete) return table_.close(connection, true);
  const bool keep_alive = connection.exchange->keep_alive;
  const bool linger = connection.exchange->linger || !connection.inbox.empty();
  connection.exchange.reset();
  connection.output.clear();
  if (keep_alive && connection.inbox.empty()) {
    if (!table_.park(connection, State::idle, steady_clock::now() + options_.idle_timeout)) table_.close(connection, true);
  } else if (keep_alive) {
    {
      const std::lock_guard lock(returned_mutex_);
      returned_.push_back(&connection);
    }
    wake();
  } else if (linger && ::shutdown(connection.socket.get(), SHUT_WR) == 0) {
    connection.inbox.consume(connection.inbox.view().size());
    if (!table_.park(connection, State::lingering, steady_clock::now() + kLinger)) table_.close(connection, false);
  } else {
    table_.close(connection, false);
  }
}

void Server::Loop::report(const Connection& connection, bool complete) {
  if (!hooks_.access || !connection.exchange) return;
  const Exchange& exchange = *connection.exchange;
  AccessRecord record;
  record.method = exchange.request.method;
  record.path = exchange.request.path;
  if (exchange.match.route != nullptr) record.route = exchange.match.route->pattern;
  record.status = exchange.status;
  record.complete = complete;
  record.body_bytes_sent = connection.output.sent() - std::min<std::uint64_t>(connection.output.sent(), exchange.head_bytes);
  record.body_bytes_received = exchange.body.received();
  record.duration = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - exchange.begun);
  record.request_id = exchange.request.request_id;
  record.remote_address = exchange.request.remote_address;
  record.request = &exchange.request;
  hooks_.access(record);
}

}  // namespace media::http

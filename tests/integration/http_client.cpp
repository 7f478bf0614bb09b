#include "http_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

#include "media/digest.hpp"

namespace test {

using namespace media;
using std::chrono::steady_clock;

std::optional<std::string> Reply::field(std::string_view name) const {
  std::size_t at = head.find("\r\n");
  while (at != std::string::npos && at + 2 < head.size()) {
    const std::size_t end = head.find("\r\n", at + 2);
    const std::string_view line = std::string_view(head).substr(at + 2, end - at - 2);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && http::equal_ignoring_case(line.substr(0, colon), name)) {
      return std::string(line.substr(colon + 2));
    }
    at = end;
  }
  return std::nullopt;
}

std::size_t Reply::count(std::string_view name) const {
  std::size_t found = 0;
  for (std::size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at + 2)) {
    const std::size_t colon = head.find(':', at);
    if (colon != std::string::npos && http::equal_ignoring_case(std::string_view(head).substr(at + 2, colon - at - 2), name)) ++found;
  }
  return found;
}

Client::Client(std::uint16_t port, int receive_buffer) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (!socket_) throw std::runtime_error("socket failed");
  if (receive_buffer > 0) ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("connect failed");
}

bool Client::send(std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool Client::receive(steady_clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady_clock::now());
  pollfd wait{socket_.get(), POLLIN, 0};
  if (left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) <= 0)
    throw std::runtime_error("the server said nothing in time");
  std::array<char, 65536> piece;
  const ssize_t got = ::recv(socket_.get(), piece.data(), piece.size(), 0);
  if (got < 0) was_reset_ = true;
  if (got <= 0) return false;
  buffer_.append(piece.data(), static_cast<std::size_t>(got));
  return true;
}

Reply Client::read_reply(bool head_only, std::chrono::milliseconds limit) {
  const auto until = steady_clock::now() + limit;
  Reply reply;
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!receive(until)) return reply;
  }
  reply.head = buffer_.substr(0, end + 2);
  buffer_.erase(0, end + 4);
  reply.status = std::stoi(reply.head.substr(9, 3));
  const auto length = reply.field("Content-Length");
  const std::size_t wanted = head_only || !length ? 0 : std::stoull(*length);
  bool more = true;
  while (buffer_.size() < wanted && more) more = receive(until);
  reply.body = buffer_.substr(0, wanted);
  reply.complete = reply.body.size() == wanted;
  buffer_.erase(0, reply.body.size());
  return reply;
}

std::string Client::read_to_end(std::chrono::milliseconds limit) {
  const auto until = steady_clock::now() + limit;
  while (receive(until)) {
  }
  return std::exchange(buffer_, {});
}

bool Client::closed_within(std::chrono::milliseconds limit) {
  try {
    read_to_end(limit);
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

void Client::finish_sending() { ::shutdown(socket_.get(), SHUT_WR); }

void Client::vanish() {
  const linger hard{1, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  socket_.reset();
}

std::string get(std::string_view path, std::string_view fields, std::string_view method) {
  return std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: test\r\n" + std::string(fields) + "\r\n";
}

std::string put(std::string_view path, std::string_view body, std::string_view fields, std::string_view method) {
  return get(path, "Content-Length: " + std::to_string(body.size()) + "\r\n" + std::string(fields), method) + std::string(body);
}

namespace {

http::Response read_everything(http::Request& request) {
  if (!request.body->limit(1'000'000)) return http::Response::empty(413);
  Sha256 hasher;
  std::vector<std::byte> buffer(10'000);
  while (true) {
    const auto got = request.body->read(buffer);
    if (!got) return http::Response::empty(422);  // the server knows better
    if (*got == 0) break;
    hasher.update(std::span(buffer).first(*got));
  }
  return http::Response::text(200, std::to_string(request.body->received()) + " " + hasher.finish().to_hex());
}

void add_routes(http::Router& router) {
  router.add("GET", "/hello", [](http::Request&) { return http::Response::text(200, "hello"); });
  router.add("GET", "/describe/{name}", [](http::Request& request) {
    std::string out =
        "name=" + std::string(request.capture("name")) + "\nfrom=" + request.remote_address + "\nid=" + request.request_id + "\n";
    for (const auto& parameter : request.query) out += "?" + parameter.name + "=" + parameter.value + "\n";
    for (const auto& field : request.headers) out += field.name + ": " + field.value + "\n";
    return http::Response::text(200, out);
  });
  router.add("GET", "/nothing", [](http::Request&) { return http::Response::empty(204); });
  router.add("GET", "/missing", [](http::Request&) { return http::Response::empty(404).with("X-Why", "test"); });
  router.add("GET", "/throw", [](http::Request&) -> http::Response { throw std::runtime_error("secret of the house"); });
  router.add("GET", "/memory", [](http::Request&) -> http::Response { throw std::bad_alloc(); });
  router.add("GET", "/inject", [](http::Request& request) {
    return http::Response::text(200, "x").with("X-Echo", std::string(request.query_value("v").value_or("")));
  });
  router.add("GET", "/sleep/{ms}", [](http::Request& request) {
    std::this_thread::sleep_for(std::chrono::milliseconds(std::stoi(std::string(request.capture("ms")))));
    return http::Response::text(200, "slept");
  });
  router.add("PUT", "/body", read_everything, {.accepts_body = true});
  router.add("POST", "/body", read_everything, {.accepts_body = true});
  router.add("PATCH", "/body", read_everything, {.accepts_body = true, .slow_body_status = 503});
  router.add("POST", "/unread", [](http::Request&) { return http::Response::text(200, "unread"); }, {.accepts_body = true});
  router.add("POST", "/no-body", [](http::Request& request) {
    std::vector<std::byte> buffer(10);
    return http::Response::text(200, std::to_string(request.body->read(buffer).value()));
  });
  router.add("DELETE", "/hello", [](http::Request&) { return http::Response::empty(204); });
}

}  // namespace

TestServer::TestServer(http::ServerOptions options, const std::function<void(http::Router&)>& more) {
  http::Router router;
  add_routes(router);
  if (more) more(router);
  http::Hooks hooks;
  hooks.error = [](int status, std::string message, const http::Request& request) {
    return http::Response::text(status, "{\"message\": \"" + message + "\", \"request_id\": \"" + request.request_id + "\"}",
                                "application/json");
  };
  hooks.access = [this](const http::AccessRecord& record) {
    const std::lock_guard lock(mutex_);
    accesses_.push_back({std::string(record.method), std::string(record.path), std::string(record.route), record.status, record.complete,
                         record.body_bytes_sent, record.body_bytes_received});
  };
  hooks.fault = [this](std::string_view what, const http::Request&) {
    const std::lock_guard lock(mutex_);
    faults_.emplace_back(what);
  };
  server_ = http::Server::start(std::move(options), std::move(router), std::move(hooks)).value();
}

TestServer::~TestServer() { server_->stop(0ms); }

std::vector<Access> TestServer::accesses() {
  const std::lock_guard lock(mutex_);
  return accesses_;
}

std::vector<std::string> TestServer::faults() {
  const std::lock_guard lock(mutex_);
  return faults_;
}

std::vector<Access> TestServer::wait_for_accesses(std::size_t count) {
  eventually([&] { return accesses().size() >= count; });
  return accesses();
}

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
  const auto until = steady_clock::now() + limit;
  while (!condition()) {
    if (steady_clock::now() > until) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::size_t open_descriptors() {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
}

}  // namespace test

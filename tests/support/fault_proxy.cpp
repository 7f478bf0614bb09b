#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "object_store.hpp"
#include "sockets.hpp"

namespace test {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// Head and body of one request; empty where the client goes first.
std::string receive_request(int client, std::size_t& head_bytes, ProxiedRequest& request) {
  std::string bytes;
  std::size_t end = 0;
  while ((end = bytes.find("\r\n\r\n")) == std::string::npos) {
    if (!receive_some(client, bytes)) return {};
  }
  head_bytes = end + 4;
  std::size_t at = bytes.find("\r\n");
  const std::string line = bytes.substr(0, at);
  request.method = line.substr(0, line.find(' '));
  request.target = line.substr(request.method.size() + 1, line.rfind(' ') - request.method.size() - 1);
  for (at += 2; at < end + 2;) {
    const std::size_t stop = bytes.find("\r\n", at);
    const std::string field = bytes.substr(at, stop - at);
    at = stop + 2;
    const std::size_t colon = field.find(':');
    std::string name = field.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (colon != std::string::npos) request.headers[name] = field.substr(std::min(field.find_first_not_of(' ', colon + 1), field.size()));
  }
  const auto length = request.headers.find("content-length");
  request.body_bytes = length == request.headers.end() ? 0 : std::stoul(length->second);
  while (bytes.size() < head_bytes + request.body_bytes) {
    if (!receive_some(client, bytes)) return {};
  }
  return bytes;
}

}  // namespace

int listen_locally(std::uint16_t& port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (listener < 0 || ::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 128) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("cannot listen on 127.0.0.1");
  }
  port = ntohs(address.sin_port);
  return listener;
}

int connect_locally(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return socket;
  ::close(socket);
  return -1;
}

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool receive_some(int socket, std::string& into) {
  char piece[65'536];
  ssize_t got = 0;
  do {
    got = ::recv(socket, piece, sizeof piece, 0);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return false;
  into.append(piece, static_cast<std::size_t>(got));
  return true;
}

void reset_socket(int socket) {
  const linger now{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

std::uint16_t free_port() {
  std::uint16_t port = 0;
  ::close(listen_locally(port));
  return port;
}

ProxyFault s3_error(int status, const std::string& code, const std::string& more_xml, const std::string& more_headers) {
  ProxyFault fault;
  fault.kind = ProxyFault::Kind::answer;
  fault.head = "HTTP/1.1 " + std::to_string(status) + " Refused\r\nContent-Type: application/xml\r\n" + more_headers;
  fault.body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>" + code + "</Code><Message>no</Message>" + more_xml + "</Error>";
  return fault;
}

FaultProxy::FaultProxy(std::uint16_t engine_port, Judge judge) : engine_port_(engine_port), judge_(std::move(judge)) {
  listener_ = listen_locally(port_);
  acceptor_ = std::thread([this] {
    while (!stopping_) {
      pollfd waiting{listener_, POLLIN, 0};
      if (::poll(&waiting, 1, 50) <= 0) continue;
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) continue;
      const std::lock_guard lock(mutex_);
      clients_.push_back(client);
      threads_.emplace_back([this, client] { serve(client); });
    }
  });
}

FaultProxy::~FaultProxy() {
  stopping_ = true;
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int client : clients_) ::shutdown(client, SHUT_RDWR);
  }
  for (auto& thread : threads_) thread.join();
  for (const int client : clients_) ::close(client);
  ::close(listener_);
}

std::vector<ProxiedRequest> FaultProxy::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

void FaultProxy::serve(int client) {
  ProxiedRequest request;
  std::size_t head_bytes = 0;
  std::string bytes = receive_request(client, head_bytes, request);
  if (!bytes.empty()) {
    ProxyFault fault;
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(request);
      fault = judge_(request);
    }
    using Kind = ProxyFault::Kind;
    if (fault.kind == Kind::corrupt_upload && request.body_bytes > 0) bytes[head_bytes + request.body_bytes / 2] ^= 1;
    if (fault.kind == Kind::reset_mid_upload) bytes.resize(head_bytes + request.body_bytes / 2);
    bytes.insert(head_bytes - 2, "Connection: close\r\n");
    if (fault.kind == Kind::answer) {
      const std::string body = request.method == "HEAD" ? std::string() : fault.body;
      send_all(client, fault.head + "Connection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    } else if (fault.kind == Kind::reset) {
      reset_socket(client);
    } else if (fault.kind == Kind::black_hole) {
      std::string ignored;
      while (receive_some(client, ignored)) {
      }
    } else {
      relay(client, bytes, fault, request.method == "HEAD");
    }
  }
  const std::lock_guard lock(mutex_);
  const auto mine = std::find(clients_.begin(), clients_.end(), client);
  if (mine == clients_.end()) return;
  clients_.erase(mine);
  ::close(client);
}

void FaultProxy::relay(int client, const std::string& request, const ProxyFault& fault, bool is_head) {
  using Kind = ProxyFault::Kind;
  const int engine = connect_locally(engine_port_);
  if (engine < 0) return;
  send_all(engine, request);
  if (fault.kind == Kind::reset_mid_upload) {
    reset_socket(engine);
    reset_socket(client);
    ::close(engine);
    return;
  }
  std::string answer;
  while (receive_some(engine, answer)) {
    // Without a fault it is passed on as it comes: of large answers nothing is kept.
    if (fault.kind != Kind::none && fault.kind != Kind::corrupt_upload) continue;
    if (!send_all(client, answer)) break;
    answer.clear();
  }
  ::close(engine);
  const std::size_t body = std::min(answer.find("\r\n\r\n") + 4, answer.size());
  const std::size_t middle = body + (answer.size() - body) / 2;
  switch (fault.kind) {
    case Kind::reset_after_commit:
      reset_socket(client);
      return;
    case Kind::silent_after_commit: {
      std::string ignored;
      while (receive_some(client, ignored)) {
      }
      return;
    }
    case Kind::truncate:
      if (!is_head) answer.resize(middle);
      break;
    case Kind::corrupt_answer:
      if (!is_head && middle < answer.size()) answer[middle] ^= 1;
      break;
    default:
      return;
  }
  send_all(client, answer);
}

}  // namespace test

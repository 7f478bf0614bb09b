#include "postgres_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string_view>

namespace test {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// False where the connection is at its end.
bool pass(int from, int to, std::string_view& seen, std::array<char, 65536>& buffer) {
  const ssize_t got = ::recv(from, buffer.data(), buffer.size(), 0);
  if (got <= 0) return false;
  seen = {buffer.data(), static_cast<std::size_t>(got)};
  return to < 0 || ::send(to, buffer.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) == got;
}

}  // namespace

PostgresProxy::PostgresProxy(std::uint16_t server_port) : server_port_(server_port) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("the proxy has no port");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

PostgresProxy::~PostgresProxy() {
  stopping_ = true;
  acceptor_.join();
  for (std::thread& carrier : carriers_) carrier.join();
  ::close(listener_);
}

void PostgresProxy::accept_all() {
  while (!stopping_) {
    pollfd entry{listener_, POLLIN, 0};
    if (::poll(&entry, 1, 20) <= 0) continue;
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client >= 0 && vanished_) {
      ::close(client);
      continue;
    }
    if (client >= 0) carriers_.emplace_back([this, client] { carry(client); });
  }
}

void PostgresProxy::carry(int client) {
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(server_port_);
  bool open = ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  std::array<char, 65536> buffer{};
  std::string_view seen;
  // "Q", its length, "COMMIT", NUL.
  constexpr std::string_view kCommit(
      "Q\0\0\0\x0B"
      "COMMIT\0",
      12);
  while (open && !stopping_) {
    std::array<pollfd, 2> entries{{{client, POLLIN, 0}, {server, POLLIN, 0}}};
    if (::poll(entries.data(), entries.size(), 20) <= 0) continue;
    if (entries[1].revents != 0) open = pass(server, client, seen, buffer);
    if (!open || entries[0].revents == 0) continue;
    open = pass(client, -1, seen, buffer);
    if (!open) break;
    const Fault fault = seen == kCommit ? fault_.exchange(Fault::none) : Fault::none;
    if (fault == Fault::cut_before_commit) break;
    open = ::send(server, seen.data(), seen.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(seen.size());
    if (fault == Fault::vanish_after_commit) vanished_ = true;
    if (fault == Fault::cut_after_commit || fault == Fault::vanish_after_commit) {
      static_cast<void>(pass(server, -1, seen, buffer));
      break;
    }
  }
  ::close(server);
  ::close(client);
}

}  // namespace test

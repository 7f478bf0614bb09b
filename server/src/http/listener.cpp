#include "http/listener.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

namespace media::http {
namespace {

constexpr int kUnsentBytes = 64 * 1024;

struct FreeAddresses {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

Error socket_error(int number, const std::string& what) {
  Errc code = Errc::io;
  if (number == EADDRINUSE) code = Errc::already_exists;
  if (number == EACCES || number == EPERM) code = Errc::denied;
  if (number == EADDRNOTAVAIL) code = Errc::invalid_argument;
  return {code, what + ": " + std::generic_category().message(number)};
}

Result<Listener> listen_on(const addrinfo& address, const std::string& what) {
  Listener listener;
  listener.socket.reset(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener.socket) return socket_error(errno, what);
  const int on = 1;
  ::setsockopt(listener.socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener.socket.get(), address.ai_addr, address.ai_addrlen) != 0 || ::listen(listener.socket.get(), SOMAXCONN) != 0) {
    return socket_error(errno, what);
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(listener.socket.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) return socket_error(errno, what);
  in_port_t port = 0;
  if (bound.ss_family == AF_INET6) {
    sockaddr_in6 six{};
    std::memcpy(&six, &bound, sizeof six);
    port = six.sin6_port;
  } else {
    sockaddr_in four{};
    std::memcpy(&four, &bound, sizeof four);
    port = four.sin_port;
  }
  listener.port = ntohs(port);
  return listener;
}

Peer peer_of(const sockaddr_storage& from) {
  Peer peer;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (from.ss_family == AF_INET6) {
    sockaddr_in6 six{};
    std::memcpy(&six, &from, sizeof six);
    peer.port = ntohs(six.sin6_port);
    const bool mapped = IN6_IS_ADDR_V4MAPPED(&six.sin6_addr);
    const void* bytes = mapped ? static_cast<const void*>(&six.sin6_addr.s6_addr[12]) : &six.sin6_addr;
    if (::inet_ntop(mapped ? AF_INET : AF_INET6, bytes, text.data(), text.size()) != nullptr) peer.address = text.data();
  } else {
    sockaddr_in four{};
    std::memcpy(&four, &from, sizeof four);
    peer.port = ntohs(four.sin_port);
    if (::inet_ntop(AF_INET, &four.sin_addr, text.data(), text.size()) != nullptr) peer.address = text.data();
  }
  return peer;
}

}  // namespace

Result<Listener> listen_on(const std::string& host, std::uint16_t port) {
  const std::string what = "listen on " + host + " port " + std::to_string(port);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  if (const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list); failed != 0) {
    return Error{Errc::invalid_argument, what + ": " + ::gai_strerror(failed)};
  }
  const std::unique_ptr<addrinfo, FreeAddresses> addresses(list);
  Result<Listener> last = Error{Errc::invalid_argument, what + ": no address"};
  for (const addrinfo* address = list; address != nullptr; address = address->ai_next) {
    last = listen_on(*address, what);
    if (last) break;
  }
  return last;
}

Descriptor accept_from(const Listener& listener, Peer& peer) {
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  Descriptor socket(::accept4(listener.socket.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) return socket;
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // What lies in the socket beyond what the network takes at the moment has left the processor's cache when its turn comes, and is memory
  // for each slow client: ten megabytes to 64 clients go two to three times as fast so (tests/bench/serve.sh).
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes, sizeof kUnsentBytes);
  peer = peer_of(from);
  return socket;
}

}  // namespace media::http

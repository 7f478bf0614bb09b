// The socket that clients connect to.
#pragma once

#include <cstdint>
#include <string>

#include "http/descriptor.hpp"
#include "media/result.hpp"

namespace media::http {

struct Listener {
  Descriptor socket;  ///< Non-blocking, listening.
  std::uint16_t port = 0;
};

/// Binds with SO_REUSEADDR and without SO_REUSEPORT, so that a second server on the port is told. Errors: those of Server::start.
Result<Listener> listen_on(const std::string& host, std::uint16_t port);

/// A connection's other end, in numbers; an IPv4 client of an IPv6 socket as IPv4.
struct Peer {
  std::string address;
  std::uint16_t port = 0;
};
/// Accepts one connection, non-blocking and without delay for small packets. A failure leaves `peer` alone and errno set.
Descriptor accept_from(const Listener& listener, Peer& peer);

}  // namespace media::http

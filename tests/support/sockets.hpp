// Sockets of 127.0.0.1 for what tests serve themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace test {

/// A listening socket on a port of its own; throws where there is none.
int listen_locally(std::uint16_t& port);
/// -1 where nobody listens.
int connect_locally(std::uint16_t port);
/// False where the other side is gone.
bool send_all(int socket, std::string_view bytes);
/// Appends what comes next; false at the end.
bool receive_some(int socket, std::string& into);
/// Closes so that the other side sees a reset.
void reset_socket(int socket);

}  // namespace test

/// Networks of addresses, as an operator writes them: "10.0.0.0/8", "fd00::/8", "127.0.0.1".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace media::server {

/// An address as 16 bytes; one of IPv4 in its IPv6 mapping (::ffff:a.b.c.d), so that both spellings are the same address.
using AddressBytes = std::array<std::uint8_t, 16>;

/// Reads "192.0.2.1", "2001:db8::1" and "[2001:db8::1]"; a zone ("%eth0") is no part of it.
std::optional<AddressBytes> parse_address(std::string_view text);

/// The address in its usual spelling.
std::string to_string(const AddressBytes& address);

class Network {
 public:
  /// An address alone is a network of one. Nothing for what is neither, and for bits set beyond the prefix: "10.1.0.0/8" is a mistake.
  static std::optional<Network> parse(std::string_view text);

  [[nodiscard]] bool contains(const AddressBytes& address) const noexcept;

 private:
  AddressBytes prefix_{};
  unsigned bits_ = 0;
};

/// Where each may be on its own.
bool contains(const std::vector<Network>& networks, std::string_view address);

}  // namespace media::server

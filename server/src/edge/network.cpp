#include "edge/network.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace media::server {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_mapped(const AddressBytes& address) { return std::equal(kMapped.begin(), kMapped.end(), address.begin()); }

}  // namespace

std::optional<AddressBytes> parse_address(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  const std::string terminated(text);
  if (terminated.size() > 45 || terminated.find('\0') != std::string::npos) return std::nullopt;
  AddressBytes address{};
  if (::inet_pton(AF_INET6, terminated.c_str(), address.data()) == 1) return address;
  std::copy(kMapped.begin(), kMapped.end(), address.begin());
  if (::inet_pton(AF_INET, terminated.c_str(), address.data() + kMapped.size()) == 1) return address;
  return std::nullopt;
}

std::string to_string(const AddressBytes& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool four = is_mapped(address);
  const void* const from = four ? address.data() + kMapped.size() : address.data();
  return ::inet_ntop(four ? AF_INET : AF_INET6, from, text.data(), text.size()) == nullptr ? std::string() : std::string(text.data());
}

std::optional<Network> Network::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  const unsigned offset = is_mapped(*address) ? 96 : 0;
  Network network;
  network.prefix_ = *address;
  network.bits_ = 128;
  if (slash != std::string_view::npos) {
    const std::string_view length = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), network.bits_);
    if (error != std::errc{} || end != length.data() + length.size() || network.bits_ > 128 - offset) return std::nullopt;
    network.bits_ += offset;
  }
  for (unsigned bit = network.bits_; bit < 128; ++bit) {
    if ((network.prefix_[bit / 8] & (0x80U >> (bit % 8))) != 0) return std::nullopt;
  }
  return network;
}

bool Network::contains(const AddressBytes& address) const noexcept {
  const unsigned whole = bits_ / 8;
  if (!std::equal(prefix_.begin(), prefix_.begin() + whole, address.begin())) return false;
  if (bits_ % 8 == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff00U >> (bits_ % 8));
  return ((prefix_[whole] ^ address[whole]) & mask) == 0;
}

bool contains(const std::vector<Network>& networks, std::string_view address) {
  if (networks.empty()) return false;
  const auto bytes = parse_address(address);
  return bytes && std::any_of(networks.begin(), networks.end(), [&](const Network& network) { return network.contains(*bytes); });
}

}  // namespace media::server

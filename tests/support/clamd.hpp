// A clamd of the test's own, with signatures that the test wrote.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "daemon.hpp"

namespace test {

/// What the one signature, "Test.Malware", looks for.
inline constexpr const char* kMalware = "libmedia-test-malware-4711";

/// Debian's clamd in a folder of its own, on a socket file and a port of 127.0.0.1. Fails the test where it does not come up.
class Clamd {
 public:
  static constexpr std::uint64_t kStreamMaxLength = 1U << 20U;

  /// `folder` is there, short enough for a socket's path, and outlives it.
  explicit Clamd(const std::filesystem::path& folder);

  [[nodiscard]] std::string unix_address() const { return "unix:" + socket_.string(); }
  [[nodiscard]] std::string tcp_address() const { return "127.0.0.1:" + std::to_string(port_); }
  void start();
  /// At once, whatever it is doing.
  void kill();

 private:
  std::filesystem::path folder_;
  std::filesystem::path socket_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Daemon> daemon_;
};

}  // namespace test

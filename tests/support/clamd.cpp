#include "clamd.hpp"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>
#include <iterator>
#include <string_view>
#include <thread>

#include "catch.hpp"

namespace test {
namespace {

/// One that was free a moment ago: clamd takes no port 0.
std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  ::close(fd);
  return ntohs(address.sin_port);
}

std::string hex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    out += kDigits[static_cast<unsigned char>(c) >> 4U];
    out += kDigits[static_cast<unsigned char>(c) & 15U];
  }
  return out;
}

/// Not that it listens alone: on a busy machine it takes a while from there to its first answer.
bool answers(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  timeval patience{5, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  constexpr std::string_view kPing("zPING\0", 6);
  std::array<char, 5> pong{};
  const bool answered = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                        ::send(fd, kPing.data(), kPing.size(), MSG_NOSIGNAL) == std::ssize(kPing) &&
                        ::recv(fd, pong.data(), pong.size(), MSG_WAITALL) == std::ssize(pong) && std::string_view(pong.data(), 4) == "PONG";
  ::close(fd);
  return answered;
}

}  // namespace

Clamd::Clamd(const std::filesystem::path& folder) : folder_(folder), socket_(folder / "clamd.sock"), port_(free_port()) {
  std::filesystem::create_directories(folder_ / "db");
  std::ofstream(folder_ / "db" / "test.ndb") << "Test.Malware:0:*:" << hex(kMalware) << "\n";
  std::ofstream(folder_ / "clamd.conf") << "User root\nForeground true\nDatabaseDirectory " << (folder_ / "db").string() << "\nLogFile "
                                        << (folder_ / "clamd.log").string() << "\nLocalSocket " << socket_.string()
                                        << "\nFixStaleSocket true\nTCPAddr 127.0.0.1\nTCPSocket " << port_ << "\nStreamMaxLength "
                                        << kStreamMaxLength << "\nMaxThreads 4\nCommandReadTimeout 1\nIdleTimeout 1\nSelfCheck 0\n";
  start();
}

void Clamd::start() {
  REQUIRE(std::filesystem::exists("/usr/sbin/clamd"));  // package clamav-daemon
  daemon_ = std::make_unique<Daemon>(std::vector<std::string>{"/usr/sbin/clamd", "--config-file=" + (folder_ / "clamd.conf").string()},
                                     std::vector<std::string>{}, folder_ / "output");
  for (int i = 0; i < 400 && !(answers(port_) && std::filesystem::exists(socket_)); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  REQUIRE(answers(port_));
}

void Clamd::kill() {
  daemon_->signal(SIGKILL);
  static_cast<void>(daemon_->wait(10));
}

}  // namespace test

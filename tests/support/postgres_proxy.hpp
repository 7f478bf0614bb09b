// Stands between a client and its PostgreSQL server, and cuts the connection at a commit.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace test {

class PostgresProxy {
 public:
  enum class Fault : std::uint8_t {
    none,
    cut_before_commit,    ///< The next COMMIT does not reach the server.
    cut_after_commit,     ///< The next COMMIT is carried out, and its answer does not reach the client.
    vanish_after_commit,  ///< The same, and from then on no connection comes about.
  };

  /// Listens on a free port of 127.0.0.1.
  explicit PostgresProxy(std::uint16_t server_port);
  ~PostgresProxy();
  PostgresProxy(const PostgresProxy&) = delete;
  PostgresProxy& operator=(const PostgresProxy&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  void arm(Fault fault) noexcept { fault_ = fault; }
  /// True where the fault has happened.
  [[nodiscard]] bool has_struck() const noexcept { return fault_ == Fault::none; }

 private:
  void accept_all();
  void carry(int client);

  std::uint16_t server_port_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::atomic<Fault> fault_ = Fault::none;
  std::atomic<bool> vanished_ = false;
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> carriers_;
  std::thread acceptor_;
};

}  // namespace test

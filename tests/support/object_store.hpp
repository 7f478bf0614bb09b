// A real S3 engine beside the test (Ceph's gateway), and a proxy in front of it that lets go wrong what goes wrong in networks.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "daemon.hpp"
#include "support.hpp"

namespace test {

/// A port of 127.0.0.1 that nobody listens on at this moment.
std::uint16_t free_port();

/// Started in a few seconds, stopped at the end with everything it started. Throws where it cannot start: a test that needs it fails.
class ObjectStore {
 public:
  struct Options {
    std::vector<std::string> buckets{"media"};
    std::filesystem::path tls_certificate{};  ///< PEM with its key: it answers by https as well.
    std::uint64_t bytes = std::uint64_t{2} << 30U;
  };
  ObjectStore() : ObjectStore(Options()) {}
  explicit ObjectStore(const Options& options);
  ~ObjectStore();

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::uint16_t tls_port() const noexcept { return tls_port_; }

  static constexpr const char* kAccessKey = "OWNERKEY";
  static constexpr const char* kSecretKey = "owner-secret";
  static constexpr const char* kGuestAccessKey = "GUESTKEY";
  static constexpr const char* kGuestSecretKey = "guest-secret";

 private:
  TempFolder folder_;
  std::uint16_t port_ = 0;
  std::uint16_t tls_port_ = 0;
  std::unique_ptr<Daemon> daemon_;
};

struct ProxiedRequest {
  std::string method;
  std::string target;                          ///< Path and query.
  std::map<std::string, std::string> headers;  ///< Names in lower case.
  std::size_t body_bytes = 0;
};

struct ProxyFault {
  enum class Kind {
    none,
    reset,                ///< Before anything is passed on.
    reset_mid_upload,     ///< After half of the body was passed on.
    reset_after_commit,   ///< The engine did it, and nobody hears of it.
    silent_after_commit,  ///< Likewise, and the connection stays open.
    answer,               ///< Nothing is passed on: `head` and `body` are the answer.
    truncate,             ///< Half of the answer's body.
    corrupt_answer,       ///< One bit of it.
    corrupt_upload,       ///< One bit of the request's body.
    black_hole,           ///< Nothing comes back, ever.
  };
  Kind kind = Kind::none;
  std::string head{};  ///< "HTTP/1.1 503 Slow Down\r\nName: value\r\n"; the length is added.
  std::string body{};
};

/// An answer as S3 writes its errors.
ProxyFault s3_error(int status, const std::string& code, const std::string& more_xml = "", const std::string& more_headers = "");

/// Each request on a connection of its own. `judge` is called from the proxy's threads, one at a time.
class FaultProxy {
 public:
  using Judge = std::function<ProxyFault(const ProxiedRequest&)>;
  FaultProxy(std::uint16_t engine_port, Judge judge);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  [[nodiscard]] std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::vector<ProxiedRequest> seen() const;

 private:
  void serve(int client);
  void relay(int client, const std::string& request, const ProxyFault& fault, bool is_head);

  const std::uint16_t engine_port_;
  const Judge judge_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  mutable std::mutex mutex_;
  std::vector<ProxiedRequest> seen_;
  std::list<std::thread> threads_;
  std::vector<int> clients_;
  std::atomic<bool> stopping_{false};
  std::thread acceptor_;
};

}  // namespace test

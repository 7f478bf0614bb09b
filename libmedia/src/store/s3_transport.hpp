/// HTTP for the S3 store: one request, one answer, over connections that are kept. The only file of the library that knows libcurl.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "media/io.hpp"
#include "media/result.hpp"
#include "store/s3_text.hpp"

namespace media::store::s3 {

/// A stretch of a content that is sent. The reader outlives the request.
struct Body {
  const ByteReader* reader = nullptr;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

struct HttpRequest {
  std::string method{};
  std::string url{};
  Fields headers{};
  Body body{};                  ///< Of PUT and POST.
  std::span<std::byte> into{};  ///< Takes the body of an answer with status 2xx; where it is empty, `HttpAnswer::text` does.
  std::chrono::milliseconds timeout{};
  /// True once nobody wants the answer any more; may be absent.
  const std::atomic<bool>* abandoned = nullptr;
  bool may_be_silent = false;  ///< The time-out is the only limit.
};

struct HttpAnswer {
  long status = 0;
  std::map<std::string, std::string> headers{};  ///< Names in lower case.
  std::string text{};                            ///< The body of any other answer, at most 8 MiB.
  std::size_t received = 0;                      ///< Bytes in `into`.

  /// Empty where there is none.
  [[nodiscard]] const std::string& header(const std::string& name) const;
};

struct TransportOptions {
  unsigned max_connections = 32;
  std::chrono::milliseconds connect_timeout{};
  std::chrono::seconds stall_timeout{};
  std::filesystem::path ca_file{};
};

/// Thread-safety: `perform` may be called concurrently; a mutex guards the idle connections, and each belongs to one request at a time.
class Transport {
 public:
  explicit Transport(TransportOptions options);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  /// Errors: `unavailable` (the network, a time-out, no connection free within the request's time), `denied` (a certificate),
  /// `invalid_argument` (the URL, the CA file), `io` (more came than was asked for), `cancelled` (abandoned), those of the body's reader.
  Result<HttpAnswer> perform(const HttpRequest& request);

 private:
  struct Connection;
  struct Lease;
  Result<std::unique_ptr<Connection>> take(std::chrono::milliseconds patience);
  void give_back(std::unique_ptr<Connection> connection) noexcept;

  const TransportOptions options_;
  std::mutex mutex_;
  std::condition_variable given_back_;
  std::vector<std::unique_ptr<Connection>> idle_;
  unsigned in_use_ = 0;
};

/// "https://host:port" taken apart.
struct Endpoint {
  std::string scheme{};
  std::string host{};       ///< IPv6 in brackets.
  std::string authority{};  ///< Host, and port where it is not the scheme's.
};
/// Errors: `invalid_argument` (another scheme, a path, a user, a query).
Result<Endpoint> parse_endpoint(const std::string& url);
/// A proxy's loopback is another.
bool is_loopback_host(std::string_view host);

}  // namespace media::store::s3

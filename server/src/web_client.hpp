/// Questions to other services over HTTP. The implementation is the one file that knows libcurl.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "media/result.hpp"

namespace media::server {

struct WebRequest {
  std::string url;
  std::string body{};  ///< Posted; empty: a GET.
  std::string body_type = "application/x-www-form-urlencoded";
  std::vector<std::string> fields{};  ///< "Name: value", without line breaks.
  std::string user{};                 ///< With the password as HTTP Basic; empty: none.
  std::string password{};
  std::size_t max_bytes = 256 * 1024;  ///< Of the answer.
  std::chrono::milliseconds timeout{std::chrono::seconds(3)};
  bool direct = false;  ///< Past any proxy that the environment names. Questions to loopback always are.
};

struct WebReply {
  int status = 0;
  std::string body;
};

/// Keeps connections for the next question. Certificates are checked against the system's; redirects are answers like others, for the
/// password must not travel to where a service points.
///
/// Thread-safety: `ask` may be called concurrently; a transfer has its handle to itself, and the idle ones are behind a mutex.
class WebClient {
 public:
  WebClient();
  ~WebClient();
  WebClient(const WebClient&) = delete;
  WebClient& operator=(const WebClient&) = delete;

  /// An answer of whatever status. `unavailable` where there is none in time, or it is too large; the message names the host and no more.
  Result<WebReply> ask(const WebRequest& request);

 private:
  struct Transfer;
  std::unique_ptr<Transfer> take();
  void give_back(std::unique_ptr<Transfer> transfer);

  std::mutex mutex_;
  std::vector<std::unique_ptr<Transfer>> idle_;
};

}  // namespace media::server

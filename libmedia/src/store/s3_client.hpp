/// Requests to one bucket: signed, and made again where that may help.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "media/s3_store.hpp"
#include "store/s3_answer.hpp"
#include "store/s3_credentials.hpp"
#include "store/s3_transport.hpp"

namespace media::store::s3 {

struct Call {
  std::string what{};  ///< Operation and object, for messages.
  std::string method{};
  std::string key{};  ///< Prefix and all; empty: the bucket itself.
  Fields query{};
  Fields headers{};  ///< In lower case.
  Body body{};
  std::string payload_hash{};  ///< 64 hex; empty: of no payload.
  std::span<std::byte> into{};
  /// Statuses that are an answer too, beside 2xx. For an object a 404 that says that the bucket is gone is an error all the same.
  std::vector<long> answers{};
  std::optional<std::chrono::steady_clock::time_point> deadline{};
  const std::atomic<bool>* abandoned = nullptr;
  /// The engine puts a large object together before it answers, which may take minutes of silence.
  bool answers_slowly = false;
};

/// Thread-safety: every method may be called concurrently, because the parts that change have locks of their own.
class Client {
 public:
  /// Errors: `invalid_argument`.
  static Result<std::shared_ptr<Client>> make(const S3StoreOptions& options);

  /// Errors: those of Transport::perform and `error_of`.
  Result<HttpAnswer> perform(const Call& call);
  /// A URL that is a credential. Errors: those of CredentialSource.
  Result<std::string> presign(const std::string& key, const Fields& query, std::chrono::seconds lifetime);

  [[nodiscard]] const Place& place() const noexcept { return place_; }
  [[nodiscard]] Timestamp now() const { return clock_->now(); }

 private:
  explicit Client(const S3StoreOptions& options);
  [[nodiscard]] std::string host_at(const Endpoint& endpoint) const;
  [[nodiscard]] std::string path_of(const std::string& key) const;
  Result<HttpAnswer> attempt(const Call& call, std::chrono::milliseconds timeout);

  S3StoreOptions options_;
  Place place_;
  Endpoint endpoint_;
  Endpoint public_endpoint_;
  std::shared_ptr<const Clock> clock_;
  CredentialSource credentials_;
  Transport transport_;
};

}  // namespace media::store::s3

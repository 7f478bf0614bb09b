/// Tokens judged by whoever issued them (RFC 7662), and remembered for a while.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "auth/claims.hpp"
#include "media/digest.hpp"
#include "media/result.hpp"

namespace media::server {

/// Never lets anybody in because the issuer is silent: then nobody whose answer is not remembered gets in.
///
/// Thread-safety: `verify` may be called concurrently; the issuer is asked without the mutex.
class Introspection {
 public:
  /// Sends a token to the issuer and answers the JSON of its reply. May block for seconds.
  using Ask = std::function<Result<std::string>(std::string_view token)>;
  using Now = std::function<std::chrono::steady_clock::time_point()>;

  struct Options {
    std::chrono::milliseconds lifetime{std::chrono::minutes(1)};  ///< Of what is remembered; never beyond the token's own end.
    std::chrono::milliseconds refused_lifetime{std::chrono::seconds(10)};
    std::size_t capacity = 10'000;  ///< Tokens remembered, of either kind.
    /// Threads that may wait for the issuer: those that serve health and public media must not all end up there.
    int most_asking = 8;
    /// After the issuer did not answer, nobody waits for it for so long.
    std::chrono::milliseconds pause{std::chrono::seconds(1)};
    Now now = [] { return std::chrono::steady_clock::now(); };
  };

  Introspection(Ask ask, ClaimRules rules, Options options)
      : ask_(std::move(ask)), rules_(std::move(rules)), options_(std::move(options)) {}

  /// `denied` for a token that is not active or not for us, `unavailable` where the issuer cannot say.
  Result<Bearer> verify(std::string_view token, Timestamp now);

 private:
  using Time = std::chrono::steady_clock::time_point;
  /// What is known of a token; no bearer: it was refused.
  struct Entry {
    std::optional<Bearer> bearer;
    Time until;
  };
  /// The oldest goes where there is no room. Tokens are known by their digest: the memory of this process holds none.
  struct Memory {
    std::map<Digest, Entry> entries;
    std::deque<Digest> order;
    void put(const Digest& token, Entry entry, std::size_t capacity);
  };

  [[nodiscard]] std::optional<Entry> find(const Digest& token) const;
  Result<Bearer> ask_issuer(std::string_view token, Timestamp now) const;
  void remember(const Digest& token, const Result<Bearer>& judged, Timestamp now);

  Ask ask_;
  ClaimRules rules_;
  Options options_;
  mutable std::mutex mutex_;
  Memory taken_;
  Memory refused_;  ///< Apart, so that made-up tokens do not drive out good ones.
  int asking_ = 0;
  std::optional<Time> failed_at_;
};

}  // namespace media::server

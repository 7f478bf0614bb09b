/// The issuer's public keys (RFC 7517), kept fresh.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/public_key.hpp"
#include "media/result.hpp"

namespace media::server {

/// A JWK set. Thread-safety: may be used concurrently; it does not change.
class KeySet {
 public:
  static constexpr std::size_t kMaxBytes = 256 * 1024;

  /// Takes RSA keys and P-256 keys that are for signatures and passes over the rest: encryption keys, other curves, and symmetric keys
  /// above all. `invalid_argument` for what is no JWK set, `not_found` where none of its keys is of use.
  static Result<KeySet> parse(std::string_view json);

  /// Those that may have made a signature: of this algorithm, and of this name where both the token and the key have one.
  [[nodiscard]] std::vector<const PublicKey*> find(const std::optional<std::string>& id, Algorithm algorithm) const;
  [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }

 private:
  struct Named {
    std::string id;  ///< Empty: it has none.
    PublicKey key;
  };
  std::vector<Named> keys_;
};

/// The newest key set of a source that changes. The old set serves while the source cannot be reached.
///
/// Thread-safety: every method may be called concurrently; one caller at a time asks the source, without the mutex.
class KeyRing {
 public:
  /// Reads the whole source. May block for seconds.
  using Fetch = std::function<Result<std::string>()>;
  using Now = std::function<std::chrono::steady_clock::time_point()>;

  struct Options {
    std::chrono::milliseconds refresh{std::chrono::minutes(5)};
    /// Between two questions to the source, at least: unknown key names come from anybody.
    std::chrono::milliseconds least_pause{std::chrono::seconds(10)};
    /// Callers that wait for another's question, at most; further ones are told `unavailable`.
    int most_waiting = 4;
    Now now = [] { return std::chrono::steady_clock::now(); };
  };

  KeyRing(Fetch fetch, Options options) : fetch_(std::move(fetch)), options_(std::move(options)) {}

  /// Asks the source now. Errors: those of the source and of `KeySet::parse`.
  Result<void> refresh();
  /// The set in force, refreshed where it is old. `unavailable` where there never was one.
  Result<std::shared_ptr<const KeySet>> current();
  /// After the set in `seen` had no key that a token could be of: a newer one, where asking again is due and finds one; null where
  /// there is none. `unavailable` where the source did not answer when it was asked last.
  Result<std::shared_ptr<const KeySet>> newer_than(const std::shared_ptr<const KeySet>& seen);

 private:
  using Lock = std::unique_lock<std::mutex>;
  struct Asking;
  struct Unlocked;
  /// No set where the text is the same as before.
  struct Answer {
    std::string text;
    std::shared_ptr<const KeySet> set;
  };
  Result<void> ask(Lock& lock);
  [[nodiscard]] Result<Answer> fetch_new(const std::string& before) const;
  [[nodiscard]] bool may_ask() const { return !asked_at_ || options_.now() - *asked_at_ >= options_.least_pause; }

  Fetch fetch_;
  Options options_;
  std::mutex mutex_;
  std::condition_variable answered_;
  std::shared_ptr<const KeySet> set_;
  std::string text_;  ///< Of `set_`: the same text is not parsed again.
  std::optional<std::chrono::steady_clock::time_point> asked_at_;
  bool asking_ = false;
  int waiting_ = 0;
  bool failed_ = false;  ///< The last question.
};

/// Reads a JWKS file, at most `KeySet::kMaxBytes` of it. `io`, `too_large`.
Result<std::string> read_key_file(const std::string& path);

}  // namespace media::server

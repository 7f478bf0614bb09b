/// How often one caller may ask.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace media::server {

/// A token bucket: `burst` requests at once, refilled at `per_minute`. 0 a minute: no limit.
struct RateLimit {
  std::uint32_t per_minute = 0;
  std::uint32_t burst = 0;  ///< 0: a minute's worth.

  [[nodiscard]] std::uint32_t capacity() const noexcept { return burst == 0 ? per_minute : burst; }
};

/// Requests of a kind count together.
enum class RateTier : std::uint8_t { health, anonymous, authenticated, upload, admin, delivery };

struct RateLimits {
  bool enabled = false;
  /// By RateTier. A page with a hundred pictures asks for them all at once.
  std::array<RateLimit, 6> tiers = {{{600}, {100}, {600}, {300}, {300}, {3000}}};

  [[nodiscard]] const RateLimit& operator[](RateTier tier) const { return tiers.at(static_cast<std::size_t>(tier)); }
  [[nodiscard]] RateLimit& operator[](RateTier tier) { return tiers.at(static_cast<std::size_t>(tier)); }
};

struct RateDecision {
  bool allowed = true;
  std::uint32_t limit = 0;      ///< The bucket's capacity.
  std::uint32_t remaining = 0;  ///< Requests that would be let through now.
  std::chrono::seconds full_in{0};
  std::chrono::seconds retry_in{0};  ///< At least 1 where it is not allowed.
};

/// Buckets by key, kept as the one time at which each is full again (the generic cell rate algorithm): no timers, and a bucket that is
/// full is no bucket at all. Beyond `max_keys` full ones are dropped, then any: memory is bounded before anything else.
///
/// Thread-safety: may be called concurrently.
class RateLimiter {
 public:
  using Clock = std::chrono::steady_clock;

  explicit RateLimiter(std::size_t max_keys = 262'144);

  RateDecision take(std::string_view key, const RateLimit& limit, Clock::time_point now = Clock::now());
  [[nodiscard]] std::size_t size() const;

 private:
  static constexpr std::size_t kShards = 16;
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::string, Clock::time_point> full_at;
    Clock::time_point cleaned{};
  };
  static void make_room(Shard& shard, std::size_t most, Clock::time_point now);

  std::size_t max_keys_of_shard_;
  std::array<Shard, kShards> shards_;
};

}  // namespace media::server

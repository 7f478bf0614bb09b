#include "edge/rate_limiter.hpp"

#include <algorithm>
#include <functional>

namespace media::server {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;
using std::chrono::seconds;

RateLimiter::RateLimiter(std::size_t max_keys) : max_keys_of_shard_(std::max<std::size_t>(max_keys / kShards, 1)) {}

void RateLimiter::make_room(Shard& shard, std::size_t most, Clock::time_point now) {
  if (shard.full_at.size() < most) return;
  // Not at every call: whoever comes with ever new keys must not make each of his requests walk through all of them.
  if (now - shard.cleaned >= seconds(1)) {
    shard.cleaned = now;
    std::erase_if(shard.full_at, [now](const auto& entry) { return entry.second <= now; });
  }
  if (shard.full_at.size() >= most) shard.full_at.erase(shard.full_at.begin());
}

RateDecision RateLimiter::take(std::string_view key, const RateLimit& limit, Clock::time_point now) {
  RateDecision decision;
  if (limit.per_minute == 0) return decision;
  const std::uint32_t capacity = limit.capacity();
  const nanoseconds each = duration_cast<nanoseconds>(std::chrono::minutes(1)) / limit.per_minute;
  const nanoseconds whole = each * capacity;
  std::string name(key);
  Shard& shard = shards_[std::hash<std::string>{}(name) % kShards];
  const std::lock_guard lock(shard.mutex);
  auto found = shard.full_at.find(name);
  Clock::time_point full_at = found == shard.full_at.end() ? now : std::max(found->second, now);
  decision.limit = capacity;
  decision.allowed = full_at - now + each <= whole;
  if (decision.allowed) {
    full_at += each;
    if (found == shard.full_at.end()) {
      make_room(shard, max_keys_of_shard_, now);
      shard.full_at.emplace(std::move(name), full_at);
    } else {
      found->second = full_at;
    }
  } else {
    decision.retry_in = std::max(std::chrono::ceil<seconds>(full_at - now + each - whole), seconds(1));
  }
  decision.remaining = static_cast<std::uint32_t>((whole - (full_at - now)) / each);
  decision.full_in = std::chrono::ceil<seconds>(full_at - now);
  return decision;
}

std::size_t RateLimiter::size() const {
  std::size_t total = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    total += shard.full_at.size();
  }
  return total;
}

}  // namespace media::server

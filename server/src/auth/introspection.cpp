#include "auth/introspection.hpp"

#include <algorithm>
#include <memory>

namespace media::server {
namespace {

constexpr std::size_t kMaxTokenBytes = 8 * 1024;

/// What RFC 6750 (section 2.1) lets a token consist of; the issuer is not asked about the rest.
bool is_token_text(std::string_view token) {
  return !token.empty() && token.size() <= kMaxTokenBytes && std::all_of(token.begin(), token.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~+/=").find(c) != std::string_view::npos;
  });
}

}  // namespace

void Introspection::Memory::put(const Digest& token, Entry entry, std::size_t capacity) {
  const bool is_new = entries.insert_or_assign(token, std::move(entry)).second;
  if (!is_new) return;
  order.push_back(token);
  while (order.size() > capacity) {
    entries.erase(order.front());
    order.pop_front();
  }
}

std::optional<Introspection::Entry> Introspection::find(const Digest& token) const {
  for (const Memory* const memory : {&taken_, &refused_}) {
    const auto found = memory->entries.find(token);
    if (found != memory->entries.end() && options_.now() < found->second.until) return found->second;
  }
  return std::nullopt;
}

Result<Bearer> Introspection::ask_issuer(std::string_view token, Timestamp now) const {
  auto answer = ask_(token);
  if (!answer) return std::move(answer).error();
  const auto active = is_active(*answer);
  if (!active) return Error{Errc::unavailable, active.error().message};
  if (!*active) return Error{Errc::denied, "token: not active"};
  return judge_claims(*answer, rules_, now, false);
}

void Introspection::remember(const Digest& token, const Result<Bearer>& judged, Timestamp now) {
  const auto time = options_.now();
  if (!judged) {
    refused_.put(token, {std::nullopt, time + options_.refused_lifetime}, options_.capacity);
    return;
  }
  auto lifetime = options_.lifetime;
  if (judged->expires_at) lifetime = std::min(lifetime, std::max(*judged->expires_at - now, std::chrono::milliseconds{0}));
  taken_.put(token, {*judged, time + lifetime}, options_.capacity);
}

Result<Bearer> Introspection::verify(std::string_view token, Timestamp now) {
  if (!is_token_text(token)) return Error{Errc::denied, "token: longer than 8 KiB, or of other characters"};
  const Digest digest = Digest::of(std::as_bytes(std::span(token)));
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = find(digest)) {
      if (known->bearer) return *known->bearer;
      return Error{Errc::denied, "token: refused a moment ago"};
    }
    if (failed_at_ && options_.now() - *failed_at_ < options_.pause)
      return Error{Errc::unavailable, "introspection: no answer a moment ago"};
    if (asking_ >= options_.most_asking) return Error{Errc::unavailable, "introspection: too many wait for the issuer"};
    ++asking_;
  }
  const auto leave = [this](int*) {
    const std::lock_guard lock(mutex_);
    --asking_;
  };
  auto place = std::unique_ptr<int, decltype(leave)>(&asking_, leave);  // given up even where memory ends
  auto judged = ask_issuer(token, now);
  place.reset();
  const std::lock_guard lock(mutex_);
  if (!judged && judged.error().code != Errc::denied) {
    failed_at_ = options_.now();
    return Error{Errc::unavailable, judged.error().message};
  }
  remember(digest, judged, now);
  return judged;
}

}  // namespace media::server

#include "media/trace.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

namespace media {
namespace {

thread_local Tracing t_tracing;

/// Ids are drawn for several spans at once: the system call is most of an id's cost.
void draw(std::uint8_t* into, std::size_t size) {
  struct Drawn {
    std::array<std::uint8_t, 256> bytes{};
    std::size_t used = bytes.size();
  };
  thread_local Drawn drawn;
  if (drawn.bytes.size() - drawn.used < size) {
    // 256 bytes come whole or not at all; a system without randomness has nothing safe to go on with.
    while (::getrandom(drawn.bytes.data(), drawn.bytes.size(), 0) != std::ssize(drawn.bytes)) {
      if (errno != EINTR) std::abort();
    }
    drawn.used = 0;
  }
  std::memcpy(into, drawn.bytes.data() + drawn.used, size);
  drawn.used += size;
}

template <class Id>
Id new_id() {
  Id id{};
  while (id == Id{}) draw(id.data(), id.size());  // all zeros means none
  return id;
}

template <class Id>
void append_hex(std::string& out, const Id& id) {
  for (const std::uint8_t byte : id) {
    out += "0123456789abcdef"[byte >> 4U];
    out += "0123456789abcdef"[byte & 15U];
  }
}

/// Lower case only, as the specification has it.
int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

template <class Id>
bool read_hex(std::string_view text, Id& id) {
  for (std::size_t i = 0; i < id.size(); ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    id[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return true;
}

}  // namespace

std::string to_traceparent(const TraceContext& context) {
  std::string out = "00-";
  out.reserve(55);
  append_hex(out, context.trace_id);
  out += '-';
  append_hex(out, context.span_id);
  out += context.sampled ? "-01" : "-00";
  return out;
}

std::optional<TraceContext> from_traceparent(std::string_view text) {
  if (text.size() != 55 || !text.starts_with("00-") || text[35] != '-' || text[52] != '-') return std::nullopt;
  TraceContext context;
  std::array<std::uint8_t, 1> flags{};
  if (!read_hex(text.substr(3, 32), context.trace_id) || !read_hex(text.substr(36, 16), context.span_id) ||
      !read_hex(text.substr(53, 2), flags)) {
    return std::nullopt;
  }
  if (context.trace_id == TraceId{} || context.span_id == SpanId{}) return std::nullopt;
  context.sampled = (flags[0] & 1U) != 0;
  return context;
}

Tracer::~Tracer() = default;

TraceScope::TraceScope(const Tracing& tracing) noexcept : before_(t_tracing) { t_tracing = tracing; }
TraceScope::~TraceScope() { t_tracing = before_; }
Tracing TraceScope::current() noexcept { return t_tracing; }

Span::Span(std::string_view name) : before_(t_tracing) {
  if (before_.tracer == nullptr || !before_.parent) return;
  begin(before_.parent);
  if (recorded_) span_.name = name;
}

Span::Span(std::string name, SpanKind kind, const std::optional<TraceContext>& parent) : before_(t_tracing) {
  if (before_.tracer == nullptr) return;
  begin(parent);
  span_.name = std::move(name);
  span_.kind = kind;
}

Span::Span(std::string name, SpanKind kind, const Suspended& from) : before_(t_tracing) {
  if (before_.tracer == nullptr) return;
  context_ = t_tracing.parent = from.context;
  recorded_ = from.context.sampled;
  span_.name = std::move(name);
  span_.kind = kind;
  span_.parent = from.parent;
  span_.begun = from.begun;
}

Span::Suspended Span::suspend() noexcept {
  recorded_ = false;
  return {*context_, span_.parent, span_.begun};
}

void Span::begin(const std::optional<TraceContext>& parent) {
  TraceContext& own = context_.emplace();
  if (parent) {
    own = *parent;
    span_.parent = parent->span_id;
  } else {
    own.trace_id = new_id<TraceId>();
    own.sampled = before_.tracer->samples(own.trace_id);
  }
  own.span_id = new_id<SpanId>();
  t_tracing.parent = own;
  recorded_ = own.sampled;
  span_.begun = std::chrono::system_clock::now();
}

Span::~Span() {
  if (!context_) return;
  t_tracing = before_;
  if (!recorded_) return;
  span_.context = *context_;
  span_.ended = std::max(std::chrono::system_clock::now(), span_.begun);
  before_.tracer->record(std::move(span_));
}

void Span::set(std::string_view name, std::int64_t value) {
  if (recorded_) span_.attributes.emplace_back(name, value);
}

void Span::set(std::string_view name, std::string value) {
  if (recorded_) span_.attributes.emplace_back(name, std::move(value));
}

}  // namespace media

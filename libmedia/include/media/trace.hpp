/// What took how long: spans, handed to whoever traces. Ids and their text are those of W3C Trace Context, so that a trace that began in
/// another service goes on in this one.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "media/export.hpp"

namespace media {

using TraceId = std::array<std::uint8_t, 16>;
using SpanId = std::array<std::uint8_t, 8>;

/// Where in which trace.
struct TraceContext {
  TraceId trace_id{};
  SpanId span_id{};
  bool sampled = false;  ///< Whether the trace is recorded; decided where it begins, and kept to by all.

  friend bool operator==(const TraceContext&, const TraceContext&) = default;
};

/// "00-<32 hex>-<16 hex>-<2 hex>".
MEDIA_EXPORT std::string to_traceparent(const TraceContext& context);
/// Nothing where the text is no `traceparent` of version 00, or an id is all zeros.
MEDIA_EXPORT std::optional<TraceContext> from_traceparent(std::string_view text);

enum class SpanKind : std::uint8_t {
  internal,  ///< A step of what its parent does.
  server,    ///< Begins what this process does for a request.
  consumer,  ///< Begins what this process does for a queued job.
};

/// A name that lives as long as the program, and its value.
using SpanAttribute = std::pair<std::string_view, std::variant<std::int64_t, std::string>>;

/// A step that has ended.
struct FinishedSpan {
  TraceContext context{};
  SpanId parent{};  ///< All zeros: none.
  std::string name{};
  SpanKind kind = SpanKind::internal;
  std::chrono::system_clock::time_point begun{};
  std::chrono::system_clock::time_point ended{};
  bool failed = false;
  std::vector<SpanAttribute> attributes{};
};

/// Where spans go.
///
/// Thread-safety: both functions are called from many threads at once. They must be quick: whoever is traced waits for them.
class MEDIA_EXPORT Tracer {
 public:
  virtual ~Tracer();
  /// Of a trace that begins here: is it to be recorded?
  [[nodiscard]] virtual bool samples(const TraceId& trace) const noexcept = 0;
  /// Takes a span of a sampled trace, or drops it.
  virtual void record(FinishedSpan span) noexcept = 0;

 protected:
  Tracer() = default;
  Tracer(const Tracer&) = default;
  Tracer& operator=(const Tracer&) = default;
};

/// What spans that begin on a thread belong to. Copied to carry a trace to another thread.
struct Tracing {
  Tracer* tracer = nullptr;  ///< Null: nobody traces.
  std::optional<TraceContext> parent{};
};

/// Makes spans that begin on this thread belong to `tracing` for as long as it lives. The tracer outlives the library too: what is made in
/// the background goes on being traced.
class MEDIA_EXPORT TraceScope {
 public:
  explicit TraceScope(const Tracing& tracing) noexcept;
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;
  ~TraceScope();

  /// This thread's.
  [[nodiscard]] static Tracing current() noexcept;

 private:
  Tracing before_;
};

/// A step, from its construction to its destruction on the same thread; spans in between are its children. Without a tracer, or in a trace
/// that is not sampled, it costs some nanoseconds and records nothing.
class MEDIA_EXPORT Span {
 public:
  /// A step of what this thread does. Outside of any trace it is none.
  explicit Span(std::string_view name);
  /// The first step of this process for a request or a job: goes on with `parent`, or begins a trace. It alone says whether the trace is
  /// recorded, where there is no parent.
  Span(std::string name, SpanKind kind, const std::optional<TraceContext>& parent);
  /// What is left of a span between its thread's letting go of it and another one's going on with it.
  struct Suspended {
    TraceContext context{};
    SpanId parent{};
    std::chrono::system_clock::time_point begun{};
  };
  Span(std::string name, SpanKind kind, const Suspended& from);
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;
  ~Span();

  /// Absent where nobody traces. The `sampled` of a context that is there may be false.
  [[nodiscard]] const std::optional<TraceContext>& context() const noexcept { return context_; }
  void set(std::string_view name, std::int64_t value);
  void set(std::string_view name, std::string value);
  void fail() noexcept { span_.failed = true; }
  /// Fails it where the result is an error, and hands the result on.
  template <class Outcome>
  Outcome check(Outcome outcome) {
    if (!outcome) fail();
    return outcome;
  }
  /// Ends it for this thread, unrecorded and without what was set. Needs a `context`.
  Suspended suspend() noexcept;

 private:
  void begin(const std::optional<TraceContext>& parent);

  Tracing before_;
  std::optional<TraceContext> context_;
  bool recorded_ = false;
  FinishedSpan span_;
};

}  // namespace media

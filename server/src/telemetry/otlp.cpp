#include "telemetry/otlp.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "media/version.hpp"

namespace media::server {
namespace {

using Json = nlohmann::ordered_json;

/// Of one post; with some hundred bytes each, well below what collectors accept.
constexpr std::size_t kBatch = 512;
constexpr unsigned kTries = 3;
constexpr std::chrono::milliseconds kFirstPause{500};
constexpr std::chrono::minutes kComplainAgain{1};
/// For what is sent while the process stops.
constexpr std::chrono::milliseconds kLastTimeout{2000};

template <class Id>
std::string hex(const Id& id) {
  std::string out;
  out.reserve(2 * id.size());
  for (const std::uint8_t byte : id) {
    out += "0123456789abcdef"[byte >> 4U];
    out += "0123456789abcdef"[byte & 15U];
  }
  return out;
}

int kind_of(SpanKind kind) {
  switch (kind) {
    case SpanKind::internal:
      return 1;
    case SpanKind::server:
      return 2;
    case SpanKind::consumer:
      return 5;
  }
  return 0;
}

/// 64-bit numbers are texts there.
std::string nanoseconds(std::chrono::system_clock::time_point time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

Json attribute(std::string_view name, const std::variant<std::int64_t, std::string>& value) {
  Json out;
  out["key"] = name;
  if (const auto* const number = std::get_if<std::int64_t>(&value)) {
    out["value"]["intValue"] = std::to_string(*number);
  } else {
    out["value"]["stringValue"] = std::get<std::string>(value);
  }
  return out;
}

Json span_json(const FinishedSpan& span) {
  Json out;
  out["traceId"] = hex(span.context.trace_id);
  out["spanId"] = hex(span.context.span_id);
  if (span.parent != SpanId{}) out["parentSpanId"] = hex(span.parent);
  out["name"] = span.name;
  out["kind"] = kind_of(span.kind);
  out["startTimeUnixNano"] = nanoseconds(span.begun);
  out["endTimeUnixNano"] = nanoseconds(span.ended);
  if (!span.attributes.empty()) {
    Json& attributes = out["attributes"] = Json::array();
    for (const auto& [name, value] : span.attributes) attributes.push_back(attribute(name, value));
  }
  if (span.failed) out["status"]["code"] = 2;
  return out;
}

bool is_worth_another_try(int status) { return status == 429 || status == 502 || status == 503 || status == 504; }

}  // namespace

std::string otlp_body(std::span<const FinishedSpan> spans, const std::string& service_name) {
  Json scope;
  scope["scope"]["name"] = "libmedia";
  scope["scope"]["version"] = MEDIA_VERSION;
  Json& list = scope["spans"] = Json::array();
  for (const FinishedSpan& span : spans) list.push_back(span_json(span));
  Json resource;
  resource["resource"]["attributes"] = Json::array({attribute("service.name", service_name), attribute("service.version", MEDIA_VERSION)});
  resource["scopeSpans"] = Json::array({std::move(scope)});
  Json body;
  body["resourceSpans"] = Json::array({std::move(resource)});
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

OtlpExporter::OtlpExporter(Options options, Log& log)
    : options_(std::move(options)), log_(log), thread_([this](const std::stop_token& stop) { run(stop); }) {}

OtlpExporter::~OtlpExporter() {
  thread_.request_stop();
  thread_.join();
}

bool OtlpExporter::samples(const TraceId& trace) const noexcept {
  // By the trace's own random bits, so that services with the same ratio choose the same traces.
  std::uint64_t low = 0;
  for (std::size_t i = 8; i < trace.size(); ++i) low = low << 8U | trace[i];
  constexpr double kRange = 9007199254740992.0;  // 2^53: what a double tells apart
  return static_cast<double>(low >> 11U) < options_.sample_ratio * kRange;
}

void OtlpExporter::record(FinishedSpan span) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() < kQueueLimit) {
      waiting_.push_back(std::move(span));
      if (waiting_.size() == kBatch) filled_.notify_one();
      return;
    }
  } catch (const std::bad_alloc&) {
    // Dropped like what there is no room for.
  }
  ++dropped_;
}

void OtlpExporter::run(const std::stop_token& stop) {
  std::vector<FinishedSpan> batch;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      filled_.wait_for(lock, stop, options_.interval, [this] { return waiting_.size() >= kBatch; });
      batch.swap(waiting_);
    }
    const bool last = stop.stop_requested();
    std::span<const FinishedSpan> rest(batch);
    while (!rest.empty()) {
      const auto spans = rest.first(std::min(kBatch, rest.size()));
      const bool sent = send(spans, stop);
      rest = rest.subspan(spans.size());
      if (sent || !stop.stop_requested()) continue;
      // Whoever stops the process does not wait for one collector batch by batch.
      dropped_ += rest.size();
      break;
    }
    batch.clear();
    if (last) return;
  }
}

/// False where they were dropped.
bool OtlpExporter::send(std::span<const FinishedSpan> spans, const std::stop_token& stop) {
  auto pause = kFirstPause;
  for (unsigned tries = 1;; ++tries) {
    const Outcome outcome = post(spans, stop.stop_requested() ? std::min(options_.timeout, kLastTimeout) : options_.timeout);
    if (outcome == Outcome::taken) return true;
    if (outcome == Outcome::refused || tries == kTries || stop.stop_requested()) break;
    std::unique_lock lock(mutex_);
    filled_.wait_for(lock, stop, pause, [] { return false; });
    pause *= 2;
  }
  dropped_ += spans.size();
  return false;
}

OtlpExporter::Outcome OtlpExporter::post(std::span<const FinishedSpan> spans, std::chrono::milliseconds timeout) {
  WebRequest request;
  request.url = options_.endpoint + (options_.endpoint.ends_with('/') ? "v1/traces" : "/v1/traces");
  request.body_type = "application/json";
  request.timeout = timeout;
  Result<WebReply> reply = Error{Errc::unavailable, "out of memory"};
  try {
    request.body = otlp_body(spans, options_.service_name);
    reply = web_.ask(request);
  } catch (const std::bad_alloc&) {
    // Told below.
  }
  if (reply && reply->status >= 200 && reply->status < 300) {
    sent_ += spans.size();
    return Outcome::taken;
  }
  complain(reply ? "the collector answered " + std::to_string(reply->status) : reply.error().message);
  return !reply || is_worth_another_try(reply->status) ? Outcome::unreached : Outcome::refused;
}

void OtlpExporter::complain(const std::string& reason) {
  const auto now = std::chrono::steady_clock::now();
  if (complained_ != std::chrono::steady_clock::time_point() && now - complained_ < kComplainAgain) return;
  complained_ = now;
  log_.write(LogLevel::warn, "traces do not get through", {{"reason", reason}, {"dropped", static_cast<std::int64_t>(dropped_.load())}});
}

}  // namespace media::server

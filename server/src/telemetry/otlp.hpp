/// Spans to an OpenTelemetry collector, over OTLP/HTTP in JSON.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "media/trace.hpp"
#include "telemetry/log.hpp"
#include "web_client.hpp"

namespace media::server {

/// The body of an export, as the OTLP specification 1.x has it in JSON.
std::string otlp_body(std::span<const FinishedSpan> spans, const std::string& service_name);

/// Collects spans and posts them to `<endpoint>/v1/traces` from a thread of its own. Nobody who is traced waits for it: where the collector
/// does not keep up, spans are dropped and counted.
///
/// Thread-safety: all functions may be called concurrently.
class OtlpExporter final : public Tracer {
 public:
  struct Options {
    std::string endpoint;  ///< http or https, with or without a slash at its end.
    std::string service_name = "mediad";
    double sample_ratio = 1;  ///< Of traces that begin here.
    std::chrono::milliseconds interval{1000};
    std::chrono::milliseconds timeout{5000};
  };
  struct Stats {
    std::uint64_t sent = 0;
    std::uint64_t dropped = 0;  ///< There was no room, or the collector refused them, or did not answer in time and again.
  };
  /// Spans that wait at most; each takes some hundred bytes.
  static constexpr std::size_t kQueueLimit = 8192;

  /// The log outlives it.
  OtlpExporter(Options options, Log& log);
  OtlpExporter(const OtlpExporter&) = delete;
  OtlpExporter& operator=(const OtlpExporter&) = delete;
  /// Sends what waits, unless the collector does not answer: some seconds at most.
  ~OtlpExporter() override;

  [[nodiscard]] bool samples(const TraceId& trace) const noexcept override;
  void record(FinishedSpan span) noexcept override;
  [[nodiscard]] Stats stats() const noexcept { return {sent_, dropped_}; }

 private:
  void run(const std::stop_token& stop);
  enum class Outcome : std::uint8_t { taken, unreached, refused };
  bool send(std::span<const FinishedSpan> spans, const std::stop_token& stop);
  Outcome post(std::span<const FinishedSpan> spans, std::chrono::milliseconds timeout);
  /// At most once a minute.
  void complain(const std::string& reason);

  const Options options_;
  Log& log_;
  WebClient web_;
  std::atomic<std::uint64_t> sent_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::chrono::steady_clock::time_point complained_{};  ///< The thread's own.
  std::mutex mutex_;
  std::condition_variable_any filled_;
  std::vector<FinishedSpan> waiting_;
  std::jthread thread_;  // Last: stopped before what it uses goes.
};

}  // namespace media::server

/// Histograms that are counted into without a lock.
#pragma once

#include <prometheus/metric_family.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace media::server {

/// How often a value lay below which bound. prometheus-cpp's own takes a mutex for each value, which every thread that answers a request
/// would wait for twice.
///
/// Thread-safety: `observe` and `collect` may be called concurrently, for they only add to and read atomics; a collection may see a value
/// in the count and not yet in the sum.
class Distribution {
 public:
  /// Ascending, in the unit of the values times `per_unit`: values are whole numbers (microseconds, bytes), bounds may not be (seconds).
  Distribution(const std::vector<double>& bounds, double per_unit);
  void observe(std::uint64_t value) noexcept;
  [[nodiscard]] prometheus::ClientMetric collect() const;

 private:
  const std::vector<double>& bounds_;
  const double per_unit_;
  std::vector<std::uint64_t> limits_;  ///< The bounds as values.
  std::unique_ptr<std::atomic<std::uint64_t>[]> counts_;
  std::atomic<std::uint64_t> sum_{0};
};

/// The distributions of one name, by their labels. They live as long as this.
///
/// Thread-safety: all of it; the mutex guards the table.
class DistributionFamily {
 public:
  using Labels = std::map<std::string, std::string>;
  /// `bounds` outlives this.
  DistributionFamily(std::string name, std::string help, const std::vector<double>& bounds, double per_unit)
      : name_(std::move(name)), help_(std::move(help)), bounds_(bounds), per_unit_(per_unit) {}
  Distribution& add(const Labels& labels);
  [[nodiscard]] prometheus::MetricFamily collect() const;

 private:
  const std::string name_;
  const std::string help_;
  const std::vector<double>& bounds_;
  const double per_unit_;
  mutable std::mutex mutex_;
  std::map<Labels, std::unique_ptr<Distribution>> by_labels_;
};

}  // namespace media::server

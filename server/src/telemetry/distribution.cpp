#include "telemetry/distribution.hpp"

#include <algorithm>
#include <cmath>

namespace media::server {

Distribution::Distribution(const std::vector<double>& bounds, double per_unit)
    : bounds_(bounds), per_unit_(per_unit), counts_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds.size() + 1)) {
  for (const double bound : bounds) limits_.push_back(static_cast<std::uint64_t>(std::llround(bound * per_unit)));
}

void Distribution::observe(std::uint64_t value) noexcept {
  const auto bucket = std::lower_bound(limits_.begin(), limits_.end(), value) - limits_.begin();  // a bound is within its bucket
  counts_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

prometheus::ClientMetric Distribution::collect() const {
  prometheus::ClientMetric metric;
  auto& histogram = metric.histogram;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i <= bounds_.size(); ++i) {
    count += counts_[i].load(std::memory_order_relaxed);
    prometheus::ClientMetric::Bucket bucket;
    bucket.cumulative_count = count;
    bucket.upper_bound = i < bounds_.size() ? bounds_[i] : INFINITY;
    histogram.bucket.push_back(bucket);
  }
  histogram.sample_count = count;
  histogram.sample_sum = static_cast<double>(sum_.load(std::memory_order_relaxed)) / per_unit_;
  return metric;
}

Distribution& DistributionFamily::add(const Labels& labels) {
  const std::lock_guard lock(mutex_);
  auto& made = by_labels_[labels];
  if (!made) made = std::make_unique<Distribution>(bounds_, per_unit_);
  return *made;
}

prometheus::MetricFamily DistributionFamily::collect() const {
  prometheus::MetricFamily family;
  family.name = name_;
  family.help = help_;
  family.type = prometheus::MetricType::Histogram;
  const std::lock_guard lock(mutex_);
  for (const auto& [labels, distribution] : by_labels_) {
    auto metric = distribution->collect();
    for (const auto& [name, value] : labels) metric.label.push_back({name, value});
    family.metric.push_back(std::move(metric));
  }
  return family;
}

}  // namespace media::server

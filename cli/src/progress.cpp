#include "progress.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "text.hpp"

namespace mediactl {

Progress::Progress(Console& console, std::string noun) : console_(console), noun_(std::move(noun)) {
  if (!console_.shows_status()) return;
  thread_ = std::jthread([this](const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, stop, std::chrono::milliseconds(200), [] { return false; }) && !stop.stop_requested()) draw();
  });
}

Progress::~Progress() {
  thread_ = {};
  console_.status({});
}

void Progress::add(std::uint64_t items, std::uint64_t bytes) noexcept {
  items_.fetch_add(items, std::memory_order_relaxed);
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

void Progress::set(std::uint64_t items, std::uint64_t bytes) noexcept {
  items_.store(items, std::memory_order_relaxed);
  bytes_.store(bytes, std::memory_order_relaxed);
}

void Progress::set_total(std::uint64_t items, std::uint64_t bytes) noexcept {
  total_items_.store(items, std::memory_order_relaxed);
  total_bytes_.store(bytes, std::memory_order_relaxed);
}

void Progress::draw() {
  const std::uint64_t items = items_.load(std::memory_order_relaxed);
  const std::uint64_t bytes = bytes_.load(std::memory_order_relaxed);
  const std::uint64_t total_items = total_items_.load(std::memory_order_relaxed);
  const std::uint64_t total_bytes = total_bytes_.load(std::memory_order_relaxed);
  const double seconds = std::max(elapsed().count(), 0.001);
  std::array<char, 48> rate{};
  std::snprintf(rate.data(), rate.size(), "%.0f %s/s", static_cast<double>(items) / seconds, noun_.c_str());
  std::string line;
  if (total_items > 0) {
    // Files and bytes cost time both: the share is their mean, so that one huge file neither hides nor is all of it.
    double done = static_cast<double>(items) / static_cast<double>(total_items);
    if (total_bytes > 0) done = (done + static_cast<double>(bytes) / static_cast<double>(total_bytes)) / 2;
    done = std::clamp(done, 0.0, 1.0);
    constexpr std::size_t kWidth = 24;
    const auto filled = static_cast<std::size_t>(done * kWidth);
    line = "[" + std::string(filled, '#') + std::string(kWidth - filled, '.') + "] " + std::to_string(static_cast<int>(done * 100)) +
           "%  " + std::to_string(items) + "/" + std::to_string(total_items) + " " + noun_;
    line += "  " + human_bytes(static_cast<std::uint64_t>(static_cast<double>(bytes) / seconds)) + "/s  " + rate.data();
    if (done > 0.01) line += "  ETA " + human_duration(std::chrono::seconds(static_cast<long long>(seconds * (1 - done) / done + 0.5)));
  } else {
    line = std::to_string(items) + " " + noun_ + "  " + human_bytes(bytes) + "  " +
           human_bytes(static_cast<std::uint64_t>(static_cast<double>(bytes) / seconds)) + "/s  " + rate.data();
  }
  console_.status(line);
}

}  // namespace mediactl

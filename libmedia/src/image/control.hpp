/// When to stop: deadline, stop token, budget.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "image/pixels.hpp"
#include "media/processor.hpp"
#include "media/result.hpp"

namespace media::image {

/// Who may read a stranger's bytes.
enum class Decoders : std::uint8_t {
  established,  ///< Only libraries that the world uses.
  own,          ///< Also decoders of our own: for a process in which nothing can be lost.
};

/// One call's limits, made when it starts.
///
/// Thread-safety: none; it belongs to one call.
class Control {
 public:
  /// `since`: when the call began.
  explicit Control(const DeriveOptions& options, Decoders decoders = Decoders::established,
                   std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now())
      : options_(options), decoders_(decoders), since_(since), until_(since_ + options.budget.deadline) {}

  [[nodiscard]] const ProcessingBudget& budget() const noexcept { return options_.budget; }
  [[nodiscard]] bool own_decoders() const noexcept { return decoders_ == Decoders::own; }
  /// For callbacks of C libraries, through which nothing may be thrown and no string be built.
  [[nodiscard]] bool must_stop() const noexcept;
  /// `cancelled` or `too_large` (deadline).
  [[nodiscard]] Result<void> check() const;
  /// `too_large` where a picture of this size passes the pixel budget; `what` names it.
  [[nodiscard]] Result<void> check_pixels(Size size, std::string_view what) const;
  /// `too_large` where an animation of so many frames of this size passes the budget.
  [[nodiscard]] Result<void> check_frames(std::uint64_t frames, Size size, std::string_view what) const;
  /// `too_large` where so much memory at one time passes the budget.
  [[nodiscard]] Result<void> check_memory(std::uint64_t bytes, std::string_view what) const;
  /// `too_large` where an encoded picture has more bytes than the budget allows, or than a transform does (0: any).
  [[nodiscard]] Result<void> check_output(std::uint64_t bytes, std::uint64_t max_bytes, Format format) const;
  /// True once the options' time for finding a quality has passed.
  [[nodiscard]] bool search_is_over() const noexcept {
    return options_.search_time && std::chrono::steady_clock::now() - since_ >= *options_.search_time;
  }
  void report(double share_done) const;

 private:
  const DeriveOptions& options_;
  Decoders decoders_;
  std::chrono::steady_clock::time_point since_;
  std::chrono::steady_clock::time_point until_;
};

}  // namespace media::image

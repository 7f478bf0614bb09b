/// Who makes which picture when: a bounded queue of those that are asked for, each made once however many ask.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "media/library.hpp"

namespace media {

/// Makings take places, of which there are as many as processors: more would only take turns at them, and each holds the memory of a
/// decoded picture. Callers' makings take them in the order in which they were asked for, on threads of the queue's own, so that a caller
/// may wait without a thread. Jobs ask for places too, on their own threads. Callers go first, for somebody looks at an empty frame; after
/// `kTurns` of theirs a job that waits has one, so that what was taken in gets done however many ask.
///
/// A making that began goes on to its end, whoever leaves: else clients of little patience could keep a slow picture from ever being made,
/// each throwing away what the last one waited for.
///
/// Thread-safety: may be called concurrently, because one mutex guards everything; it is never held while a picture is made.
class DerivationQueue {
  struct Flight;

 public:
  struct Limits {
    unsigned at_once = 1;
    std::size_t waiting = 256;  ///< Makings that wait for a place.
    /// How long a caller waits for a making to begin; it may take as long again.
    std::chrono::milliseconds patience{30'000};
  };
  static constexpr unsigned kTurns = 4;

  /// The right to make one picture now. Given back at its end, or before it, once what is left to do is no computing.
  class Place {
   public:
    Place(Place&& other) noexcept : queue_(std::exchange(other.queue_, nullptr)), held_(other.held_), since_(other.since_) {}
    Place& operator=(Place&& other) noexcept {
      if (this == &other) return *this;
      release();
      queue_ = std::exchange(other.queue_, nullptr);
      held_ = other.held_;
      since_ = other.since_;
      return *this;
    }
    ~Place() { release(); }
    void release() noexcept;

   private:
    friend class DerivationQueue;
    Place(DerivationQueue& queue, unsigned& held) : queue_(&queue), held_(&held), since_(std::chrono::steady_clock::now()) {}
    DerivationQueue* queue_;
    unsigned* held_;  ///< Which of the queue's counts it is part of.
    std::chrono::steady_clock::time_point since_;
  };

  /// One picture being made, as whoever makes it sees it.
  class Making {
   public:
    /// Requested when the queue ends.
    [[nodiscard]] const std::stop_token& stop() const noexcept { return stop_; }
    /// The place goes to the next one; what is left to do is no computing.
    void give_up_place() noexcept { place_.release(); }
    /// Gives the picture to those who poll, before the work returns; once.
    void hand_out(const Picture& picture);

   private:
    friend class DerivationQueue;
    Making(DerivationQueue& queue, Flight& flight, std::stop_token stop, Place& place)
        : queue_(queue), flight_(flight), stop_(std::move(stop)), place_(place) {}
    DerivationQueue& queue_;
    Flight& flight_;
    std::stop_token stop_;
    Place& place_;
  };

  /// Makes a picture.
  using Work = std::function<Result<Picture>(Making& making)>;

  explicit DerivationQueue(Limits limits);
  /// Stops what is being made. Nobody may wait any more.
  ~DerivationQueue();
  DerivationQueue(const DerivationQueue&) = delete;
  DerivationQueue& operator=(const DerivationQueue&) = delete;

  /// Has the work done under this name, or shares in what was asked for under it before. `on_ready` (may be empty) is called once, from
  /// any thread, unless the answer is destroyed first; as long as it runs that destructor waits, so it must be quick, and must not call
  /// the queue. `unavailable` where too many wait.
  Result<std::unique_ptr<PendingPicture>> join(const std::string& name, Work work, std::function<void()> on_ready);
  /// A place for a job. Absent where it was told to stop, or got none in time.
  std::optional<Place> enter_background(const std::stop_token& stop, std::chrono::milliseconds patience);
  [[nodiscard]] DerivationStats stats() const;

 private:
  class Passenger;

  // All under the mutex.
  [[nodiscard]] unsigned free_places() const noexcept;
  [[nodiscard]] bool may_depart() const noexcept;
  [[nodiscard]] bool background_may_enter() const noexcept;
  void start_thread_where_needed();
  void tell(Flight& flight, const Result<Picture>& result);
  void land(const std::shared_ptr<Flight>& flight, Result<Picture> result);

  void run();
  Result<Picture> make(Flight& flight, Place& place);
  void leave(Passenger& passenger) noexcept;

  const Limits limits_;
  mutable std::mutex mutex_;
  std::condition_variable departures_;      ///< For the threads.
  std::condition_variable_any background_;  ///< For the jobs.
  std::condition_variable_any arrivals_;    ///< For callers that block.
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;
  std::list<std::shared_ptr<Flight>> waiting_;
  unsigned running_ = 0;
  unsigned background_running_ = 0;
  unsigned background_waiting_ = 0;
  unsigned turns_ = 0;  ///< Of callers, since a job had one that it waited for.
  std::size_t idle_threads_ = 0;
  std::chrono::duration<double> usual_time_{0};
  DerivationStats counts_;
  bool stopping_ = false;
  std::vector<std::jthread> threads_;  // ended before what they use goes
};

}  // namespace media

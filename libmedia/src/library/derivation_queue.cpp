#include "library/derivation_queue.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <system_error>
#include <utility>

#include "core/out_of_memory.hpp"

namespace media {
namespace {

using std::chrono::steady_clock;

/// So that a clock can be added to it.
constexpr std::chrono::milliseconds kLongestPatience = std::chrono::hours(24);

Error waited_too_long() {
  return Error{Errc::unavailable, "derive: too many pictures are asked for; this one's turn did not come in time"};
}

/// tl::expected ends the process where a copy throws that it makes itself.
Result<Picture> copy_of(const Result<Picture>& result) {
  if (!result) return Error(result.error());
  return Picture(*result);
}

}  // namespace

/// One making, and all who wait for it.
struct DerivationQueue::Flight {
  enum class State : std::uint8_t { waiting, running, landed };

  std::string name;
  Work work;
  std::stop_source stop;
  State state = State::waiting;
  bool told = false;                      ///< It counts as made or failed.
  std::optional<Result<Picture>> early;   ///< Handed out before it was kept.
  std::optional<Result<Picture>> result;  ///< Of the whole work, which may have failed to keep what was handed out.
  std::list<Passenger*> passengers;
  std::list<std::shared_ptr<Flight>>::iterator place_in_line;  ///< While it waits.
};

class DerivationQueue::Passenger final : public PendingPicture {
 public:
  Passenger(DerivationQueue& queue, std::shared_ptr<Flight> flight, std::function<void()> on_ready)
      : queue_(queue), flight_(std::move(flight)), on_ready_(std::move(on_ready)) {}
  ~Passenger() override { queue_.leave(*this); }
  Passenger(const Passenger&) = delete;
  Passenger& operator=(const Passenger&) = delete;

  std::optional<Result<Picture>> poll() override {
    const std::lock_guard lock(queue_.mutex_);
    if (flight_->early) return copy_of(*flight_->early);
    if (flight_->result) return copy_of(*flight_->result);
    if (flight_->state == Flight::State::waiting && steady_clock::now() - joined_ > queue_.limits_.patience) return waited_too_long();
    return std::nullopt;
  }

  Result<Picture> wait(std::stop_token stop) override {
    const auto patience = queue_.limits_.patience;
    std::unique_lock lock(queue_.mutex_);
    const auto departed = [&] { return flight_->state != Flight::State::waiting; };
    const auto landed = [&] { return flight_->result.has_value(); };
    if (!queue_.arrivals_.wait_until(lock, stop, joined_ + patience, departed) && !stop.stop_requested()) return waited_too_long();
    // Who makes it has a deadline; what comes after (a disk, a catalog that is locked) has limits too, which are added up here.
    constexpr std::chrono::seconds kAfterwards{60};
    if (!stop.stop_requested() && !queue_.arrivals_.wait_for(lock, stop, patience + kAfterwards, landed) && !stop.stop_requested()) {
      return Error{Errc::unavailable, "derive: the picture is still being made"};
    }
    if (landed()) return copy_of(*flight_->result);
    return Error{Errc::cancelled, "derive: stopped by the caller"};
  }

 private:
  friend class DerivationQueue;
  DerivationQueue& queue_;
  const std::shared_ptr<Flight> flight_;
  std::function<void()> on_ready_;  ///< Empty once it was called.
  const steady_clock::time_point joined_ = steady_clock::now();
  std::optional<std::list<Passenger*>::iterator> seat_;
};

DerivationQueue::DerivationQueue(Limits limits)
    : limits_{std::max(limits.at_once, 1U), limits.waiting, std::min(limits.patience, kLongestPatience)} {}

DerivationQueue::~DerivationQueue() {
  std::unordered_map<std::string, std::shared_ptr<Flight>> flying;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    flying.swap(flights_);  // and not copied: nothing here may need memory
  }
  for (const auto& [name, flight] : flying) flight->stop.request_stop();
  departures_.notify_all();
  threads_.clear();
}

void DerivationQueue::Place::release() noexcept {
  DerivationQueue* const queue = std::exchange(queue_, nullptr);
  if (queue == nullptr) return;
  {
    const std::lock_guard lock(queue->mutex_);
    --*held_;
    const std::chrono::duration<double> took = steady_clock::now() - since_;
    // The last dozen or so; enough to tell a client when to come back.
    if (held_ == &queue->running_) queue->usual_time_ += (took - queue->usual_time_) / (queue->usual_time_.count() == 0 ? 1 : 8);
  }
  queue->departures_.notify_one();
  queue->background_.notify_all();
}

unsigned DerivationQueue::free_places() const noexcept {
  return limits_.at_once - std::min(limits_.at_once, running_ + background_running_);
}

bool DerivationQueue::may_depart() const noexcept {
  const bool job_is_due = background_waiting_ > 0 && turns_ >= kTurns;
  return !waiting_.empty() && free_places() > 0 && !job_is_due;
}

bool DerivationQueue::background_may_enter() const noexcept { return free_places() > 0 && (waiting_.empty() || turns_ >= kTurns); }

void DerivationQueue::start_thread_where_needed() {
  // Twice the places: while one picture is being written to the disk the next is made.
  if (idle_threads_ > waiting_.size() || threads_.size() >= std::size_t{limits_.at_once} * 2) return;
  threads_.emplace_back([this] { run(); });
}

Result<std::unique_ptr<PendingPicture>> DerivationQueue::join(const std::string& name, Work work, std::function<void()> on_ready) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Flight> flight;
  if (const auto found = flights_.find(name); found != flights_.end()) flight = found->second;
  const bool is_new = flight == nullptr;
  if (is_new) {
    // What a place is free for does not wait, so it does not count.
    if (waiting_.size() >= limits_.waiting + free_places()) {
      ++counts_.refused;
      return Error{Errc::unavailable, "derive: " + std::to_string(waiting_.size()) + " pictures wait to be made already"};
    }
    flight = std::make_shared<Flight>();
    flight->name = name;
    flight->work = std::move(work);
  }
  auto passenger = std::make_unique<Passenger>(*this, flight, std::move(on_ready));
  if (is_new) {
    try {
      start_thread_where_needed();
    } catch (const std::system_error& error) {
      // Those that run will get to it.
      if (threads_.empty()) return Error{Errc::unavailable, std::string("derive: start a thread: ") + error.what()};
    }
    // All three or none, where there is no memory for one of them.
    std::list<std::shared_ptr<Flight>> entering{flight};
    std::list<Passenger*> boarding{passenger.get()};
    flights_.emplace(name, flight);
    flight->place_in_line = entering.begin();
    waiting_.splice(waiting_.end(), entering);
    passenger->seat_ = boarding.begin();
    flight->passengers.splice(flight->passengers.end(), boarding);
  } else {
    passenger->seat_ = flight->passengers.insert(flight->passengers.end(), passenger.get());
    ++counts_.shared;
  }
  if (is_new) departures_.notify_one();
  return std::unique_ptr<PendingPicture>(std::move(passenger));
}

void DerivationQueue::leave(Passenger& passenger) noexcept {
  if (!passenger.seat_) return;  // It never got so far.
  {
    const std::lock_guard lock(mutex_);
    Flight& flight = *passenger.flight_;
    flight.passengers.erase(*passenger.seat_);
    if (!flight.passengers.empty() || flight.state != Flight::State::waiting) return;
    ++counts_.abandoned;
    flights_.erase(flight.name);  // Whoever asks from now on stands in line anew.
    flight.state = Flight::State::landed;
    waiting_.erase(flight.place_in_line);
  }
  background_.notify_all();
}

void DerivationQueue::tell(Flight& flight, const Result<Picture>& result) {
  if (!flight.told) ++(result ? counts_.made : counts_.failed);
  flight.told = true;
  for (Passenger* passenger : flight.passengers) {
    if (const auto on_ready = std::exchange(passenger->on_ready_, nullptr)) on_ready();
  }
}

void DerivationQueue::Making::hand_out(const Picture& picture) {
  const std::lock_guard lock(queue_.mutex_);
  flight_.early = picture;
  queue_.tell(flight_, *flight_.early);
}

void DerivationQueue::land(const std::shared_ptr<Flight>& flight, Result<Picture> result) {
  flight->result = std::move(result);
  flight->state = Flight::State::landed;
  flights_.erase(flight->name);
  tell(*flight, *flight->result);
  arrivals_.notify_all();
}

Result<Picture> DerivationQueue::make(Flight& flight, Place& place) {
  return unless_out_of_memory([&] {
    Making making(*this, flight, flight.stop.get_token(), place);
    return flight.work(making);
  });
}

void DerivationQueue::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_threads_;
    departures_.wait(lock, [this] { return stopping_ || may_depart(); });
    --idle_threads_;
    if (stopping_) return;
    const std::shared_ptr<Flight> flight = std::move(waiting_.front());
    waiting_.pop_front();
    flight->state = Flight::State::running;
    ++running_;
    turns_ = background_waiting_ > 0 ? turns_ + 1 : 0;
    Place place(*this, running_);
    const bool job_may_enter = background_waiting_ > 0 && background_may_enter();
    const bool next = may_depart();
    lock.unlock();
    arrivals_.notify_all();
    if (next) departures_.notify_one();
    if (job_may_enter) background_.notify_all();
    auto result = make(*flight, place);
    place.release();
    flight->work = nullptr;  // with all that it holds, before anybody waits for the queue's end
    lock.lock();
    land(flight, std::move(result));
  }
}

std::optional<DerivationQueue::Place> DerivationQueue::enter_background(const std::stop_token& stop, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  ++background_waiting_;
  const bool entered = background_.wait_for(lock, stop, patience, [this] { return background_may_enter(); });
  --background_waiting_;
  if (!entered) {
    lock.unlock();
    departures_.notify_one();  // A turn that was kept for this job is anybody's again.
    return std::nullopt;
  }
  turns_ = 0;
  ++background_running_;
  const bool next = may_depart();
  lock.unlock();
  if (next) departures_.notify_one();
  return Place(*this, background_running_);
}

DerivationStats DerivationQueue::stats() const {
  const std::lock_guard lock(mutex_);
  DerivationStats stats = counts_;
  stats.running = running_;
  stats.background = background_running_;
  stats.waiting = waiting_.size();
  const double rounds = static_cast<double>(waiting_.size() + 1) / limits_.at_once;
  stats.expected_wait = std::chrono::milliseconds(std::llround(rounds * usual_time_.count() * 1000));
  return stats;
}

}  // namespace media

#include "library/entrance.hpp"

#include <array>

#include "library/library_impl.hpp"

namespace media {

void Entrance::enter(Entering& entering, const std::function<void(std::span<Entering* const>)>& enter_all) {
  Waiting mine{&entering};
  std::unique_lock lock(mutex_);
  *last_link_ = &mine;
  last_link_ = &mine.next;
  mine.changed.wait(lock, [&] { return mine.done || (leaders_ < kLeaders && first_ == &mine); });
  if (mine.done) return;

  // The first who waits leads, so that nobody is passed over.
  std::array<Entering*, kGroup> group{};
  std::size_t count = 0;
  Waiting* taken = first_;
  while (first_ != nullptr && count < kGroup) {
    group[count++] = first_->entering;
    first_ = first_->next;
  }
  if (first_ == nullptr) last_link_ = &first_;
  ++leaders_;
  if (first_ != nullptr && leaders_ < kLeaders) first_->changed.notify_one();
  lock.unlock();
  try {
    enter_all(std::span(group).first(count));
  } catch (...) {
    // A leader that threw would leave the others waiting for ever. The text is short enough to need no memory.
    for (std::size_t i = 0; i < count; ++i) group[i]->outcome = Error{Errc::unavailable, "out of memory"};
  }
  lock.lock();
  --leaders_;
  for (; count > 0; --count) {
    Waiting& each = *taken;
    taken = taken->next;  // Read first: who is told may be gone at once.
    each.done = true;
    each.changed.notify_one();
  }
  if (first_ != nullptr) first_->changed.notify_one();
}

}  // namespace media

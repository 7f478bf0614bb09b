#include "library/entrance.hpp"

#include <array>
#include <new>
#include <utility>

#include "core/out_of_memory.hpp"
#include "library/library_impl.hpp"

namespace media {

/// Of all who wait.
void Entrance::turn_away(const Error& error) noexcept {
  Waiting* each = nullptr;
  {
    const std::lock_guard lock(mutex_);
    each = std::exchange(first_, nullptr);
    last_link_ = &first_;
  }
  while (each != nullptr) {
    Waiting* const told = each;
    each = each->next;  // Read first: who is told may be gone at once.
    try {
      told->entering->outcome = error;
    } catch (const std::bad_alloc&) {
      told->entering->outcome = out_of_memory();
    }
    told->word.say(kDone);
  }
}

void Entrance::enter(Entering& entering, const EnterAll& enter_all) {
  Waiting mine{&entering};
  std::unique_lock lock(mutex_);
  *last_link_ = &mine;
  last_link_ = &mine.next;
  if (led_) {
    lock.unlock();
    if (mine.word.wait() == kDone) return;
    lock.lock();
  }
  led_ = true;

  // The first who waits leads, so that nobody is passed over.
  std::array<Entering*, kGroup> group{};
  std::size_t count = 0;
  while (first_ != nullptr && count < kGroup) {
    group[count++] = first_->entering;
    first_ = first_->next;
  }
  if (first_ == nullptr) last_link_ = &first_;
  lock.unlock();
  try {
    if (const auto entered = enter_all(std::span(group).first(count)); !entered) turn_away(entered.error());
  } catch (...) {
    // A leader that threw would leave the others waiting for ever.
    for (std::size_t i = 0; i < count; ++i) group[i]->outcome = out_of_memory();
  }
  lock.lock();
  Waiting* const next = first_;
  led_ = next != nullptr;
  lock.unlock();
  if (next != nullptr) next->word.say(kLead);
  Waiting* each = mine.next;
  for (std::size_t i = 1; i < count; ++i) {
    Waiting* const told = each;
    each = each->next;  // Read first: who is told may be gone at once.
    told->word.say(kDone);
  }
}

}  // namespace media

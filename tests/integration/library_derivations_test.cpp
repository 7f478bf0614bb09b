// Many who want pictures at once: each picture made once, in order, never more at a time than there are places, and a line with an end.
#include <algorithm>
#include <condition_variable>
#include <set>

#include "library/derivation_queue.hpp"
#include "library_fixture.hpp"

using namespace media;
using namespace std::chrono_literals;
using test::LibraryFixture;
using test::png;
using Steady = std::chrono::steady_clock;

namespace {

/// Makings that wait at a door, and who was let in.
class Door {
 public:
  /// For ScriptedProcessor::before: true once it is open, or told to stop.
  Result<void> pass(const DeriveOptions& options) {
    std::unique_lock lock(mutex_);
    ++inside_;
    most_ = std::max(most_, inside_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, options.stop, [this] { return tickets_ > 0; });
    const bool stopped = options.stop.stop_requested();
    if (!stopped && tickets_ != kOpen) --tickets_;
    --inside_;
    changed_.notify_all();
    if (stopped) return Error{Errc::cancelled, "stopped"};
    return {};
  }
  void open() { let_in(kOpen); }
  void let_in(int count) {
    const std::lock_guard lock(mutex_);
    tickets_ = count == kOpen ? kOpen : tickets_ + count;
    changed_.notify_all();
  }
  /// Waits until so many have come to it in all.
  bool wait_for(int arrived, std::chrono::milliseconds patience = 20s) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return arrived_ >= arrived; });
  }
  int most() {
    const std::lock_guard lock(mutex_);
    return most_;
  }
  int arrived() {
    const std::lock_guard lock(mutex_);
    return arrived_;
  }

 private:
  static constexpr int kOpen = 1'000'000;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  int tickets_ = 0;
  int inside_ = 0;
  int most_ = 0;
  int arrived_ = 0;
};

Transform wide(std::uint32_t width) { return Transform{.width = width, .format = Format::webp}; }

bool eventually(const std::function<bool()>& condition) {
  const auto end = Steady::now() + 20s;
  while (!condition()) {
    if (Steady::now() > end) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

/// A queue whose makings note their names in order.
struct Named {
  explicit Named(DerivationQueue::Limits limits) : queue(limits) {}
  std::unique_ptr<PendingPicture> ask(const std::string& name) {
    auto joined = queue.join(name,
                             [this, name](DerivationQueue::Making& making) -> Result<Picture> {
                               {
                                 const std::lock_guard lock(mutex);
                                 order.push_back(name);
                               }
                               DeriveOptions options;
                               options.stop = making.stop();
                               if (auto passed = door.pass(options); !passed) return passed.error();
                               std::this_thread::sleep_for(pace);
                               Picture picture;
                               picture.rendition.transform = name;
                               return picture;
                             },
                             {});
    REQUIRE(joined);
    return std::move(joined).value();
  }
  std::vector<std::string> begun() {
    const std::lock_guard lock(mutex);
    return order;
  }

  Door door;
  std::chrono::milliseconds pace{0};
  std::mutex mutex;
  std::vector<std::string> order;
  DerivationQueue queue;  // last: its threads use the others
};

}  // namespace

TEST_CASE("library: pictures are made in the order of the calls, so many at a time, and beyond the queue a call is refused") {
  LibraryFixture f;
  f.derivations_at_once = 2;
  f.derivation_queue = 3;
  f.open();
  Door door;
  f.processor->before = [&](const DeriveOptions& options) { return door.pass(options); };
  const auto media = f.ingest(png(1), {.filename = "a.png"}).media;

  std::vector<std::unique_ptr<PendingPicture>> pending;
  std::atomic<int> ready{0};
  const auto begin = [&](std::uint32_t width) { return f.library->begin_derive(media, wide(width), [&] { ++ready; }); };
  for (std::uint32_t width = 101; width <= 105; ++width) {
    auto begun = begin(width);
    REQUIRE(begun);
    CHECK_FALSE(begun->picture);
    pending.push_back(std::move(begun->pending));
    // So that the two places are taken before anybody has to wait.
    if (width <= 102) REQUIRE(door.wait_for(static_cast<int>(width) - 100));
  }
  CHECK(begin(106).error().code == Errc::unavailable);
  CHECK(is_retryable(begin(106).error().code));
  // Who asks for what waits already needs no place of his own, and neither does what is stored.
  auto again = begin(105);
  REQUIRE(again);
  for (const auto& each : pending) CHECK_FALSE(each->poll());
  auto stats = f.library->derivation_stats();
  CHECK(stats.running == 2);
  CHECK(stats.waiting == 3);
  CHECK(stats.refused == 2);
  CHECK(stats.shared == 1);

  door.open();
  for (std::size_t i = 0; i < pending.size(); ++i) {
    const auto picture = pending[i]->wait({});
    REQUIRE(picture);
    CHECK(picture->rendition.transform == to_string(wide(101 + static_cast<std::uint32_t>(i))));
    CHECK(picture->content->size() == picture->rendition.size_bytes);
    CHECK(pending[i]->poll().value().value().rendition == picture->rendition);
  }
  CHECK(again->pending->wait({}).value().rendition.transform == to_string(wide(105)));
  CHECK(door.most() == 2);
  CHECK(f.processor->calls == 5);
  CHECK(ready == 6);
  CHECK(begin(101)->picture);
  stats = f.library->derivation_stats();
  CHECK(stats.made == 5);
  CHECK(stats.running == 0);
  CHECK(stats.waiting == 0);
}

TEST_CASE("library: however many ask for a picture, one is made") {
  LibraryFixture f;
  Door door;
  f.processor->before = [&](const DeriveOptions& options) { return door.pass(options); };
  const auto media = f.ingest(png(1), {.filename = "a.png"}).media;
  std::vector<std::unique_ptr<PendingPicture>> pending;
  std::atomic<int> ready{0};
  for (int i = 0; i < 100; ++i) pending.push_back(f.library->begin_derive(media, wide(77), [&] { ++ready; }).value().pending);
  std::atomic<int> blocking{0};
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 8; ++i) callers.emplace_back([&] { blocking += f.library->derive(media.id, wide(77)) ? 1 : 0; });
    REQUIRE(eventually([&] { return f.library->derivation_stats().shared >= 107; }));
    door.open();
  }
  CHECK(blocking == 8);
  for (const auto& each : pending) CHECK(each->wait({}).has_value());
  CHECK(f.processor->calls == 1);
  CHECK(ready == 100);
  CHECK(f.library->derivation_stats().made == 1);
  // What cannot be made is told to all who share it, and tried again for the next.
  f.processor->before = [](const DeriveOptions&) -> Result<void> { return Error{Errc::corrupt, "no picture"}; };
  CHECK(f.library->derive(media.id, wide(78)).error().code == Errc::corrupt);
  CHECK(f.library->derive(media.id, wide(78)).error().code == Errc::corrupt);
  CHECK(f.processor->calls == 3);
  CHECK(f.library->derivation_stats().failed == 2);
}

TEST_CASE("library: what nobody waits for any more leaves the queue, and what has begun is made all the same") {
  Named f({.at_once = 1});
  auto first = f.ask("first");
  REQUIRE(f.door.wait_for(1));
  auto second = f.ask("second");
  auto third = f.ask("third");
  second.reset();  // It never began.
  CHECK(f.queue.stats().waiting == 1);
  CHECK(f.queue.stats().abandoned == 1);
  first.reset();
  std::this_thread::sleep_for(20ms);
  CHECK(f.queue.stats().running == 1);
  CHECK(f.door.arrived() == 1);
  // Asked for again, it is the making that goes on.
  auto again = f.ask("first");
  CHECK(f.queue.stats().shared == 1);
  f.door.open();
  CHECK(again->wait({}).has_value());
  CHECK(third->wait({}).has_value());
  CHECK(f.begun() == std::vector<std::string>{"first", "third"});
  CHECK(f.queue.stats().abandoned == 1);
  CHECK(f.queue.stats().made == 2);
  // The one that left is made anew.
  CHECK(f.ask("second")->wait({}).has_value());
  CHECK(f.queue.stats().made == 3);
}

TEST_CASE("library: however impatient those are who ask for a slow picture, it is there in the end") {
  LibraryFixture f;
  f.derivations_at_once = 1;
  f.open();
  Door door;
  f.processor->before = [&](const DeriveOptions& options) { return door.pass(options); };
  const auto media = f.ingest(png(1), {.filename = "a.png"}).media;
  for (int i = 0; i < 5; ++i) {
    const auto pending = f.library->begin_derive(media, wide(70), {}).value().pending;
    REQUIRE(pending);
    REQUIRE(door.wait_for(1));
  }
  CHECK(f.processor->calls == 1);
  door.open();
  REQUIRE(eventually([&] { return f.library->begin_derive(media, wide(70), {}).value().picture.has_value(); }));
  CHECK(f.processor->calls == 1);
}

TEST_CASE("library: a small picture is handed out before it is stored, and who wants it stored waits") {
  DerivationQueue queue({.at_once = 1});
  Door disk;
  std::atomic<int> ready{0};
  const auto ask = [&] {
    return queue
        .join(
            "picture",
            [&](DerivationQueue::Making& making) -> Result<Picture> {
              making.give_up_place();
              Picture picture;
              picture.rendition.transform = "made";
              making.hand_out(picture);
              if (auto kept = disk.pass({}); !kept) return kept.error();
              return Error{Errc::no_space, "the disk is full"};
            },
            [&] { ++ready; })
        .value();
  };
  const auto first = ask();
  REQUIRE(disk.wait_for(1));
  CHECK(ready == 1);
  REQUIRE(first->poll());
  CHECK(first->poll()->value().rendition.transform == "made");
  CHECK(queue.stats().running == 0);  // Its place is another's.
  const auto late = ask();
  CHECK(late->poll()->value().rendition.transform == "made");
  CHECK(queue.stats().shared == 1);
  std::atomic<bool> returned{false};
  std::optional<Result<Picture>> stored;
  std::jthread patient([&] {
    stored = late->wait({});
    returned = true;
  });
  std::this_thread::sleep_for(30ms);
  CHECK_FALSE(returned);
  disk.open();
  patient.join();
  REQUIRE(stored);
  CHECK(stored->error().code == Errc::no_space);
  // Who was given the picture has it, whatever became of it.
  CHECK(first->poll()->value().rendition.transform == "made");
  CHECK(ready == 2);
  CHECK(queue.stats().made == 1);
  CHECK(queue.stats().failed == 0);
}

TEST_CASE("library: a caller that is told to stop returns at once, in the queue or at work") {
  LibraryFixture f;
  f.derivations_at_once = 1;
  f.open();
  Door door;
  f.processor->before = [&](const DeriveOptions& options) { return door.pass(options); };
  const auto media = f.ingest(png(1), {.filename = "a.png"}).media;
  std::stop_source stop;
  std::atomic<int> cancelled{0};
  {
    std::vector<std::jthread> callers;
    for (std::uint32_t width : {50U, 51U, 52U}) {
      callers.emplace_back([&, width] {
        const auto picture = f.library->derive(media.id, wide(width), stop.get_token());
        if (!picture && picture.error().code == Errc::cancelled) ++cancelled;
      });
    }
    REQUIRE(eventually([&] { return f.library->derivation_stats().waiting == 2; }));
    stop.request_stop();
  }
  CHECK(cancelled == 3);
  CHECK(f.library->derivation_stats().waiting == 0);
  CHECK(f.library->derivation_stats().abandoned == 2);
  CHECK(f.library->derivation_stats().running == 1);
  // At its end the library waits for nothing that has begun.
  f.library.reset();
  CHECK(door.arrived() == 1);
}

TEST_CASE("library: who waits for his turn longer than the deadline is told to come back") {
  LibraryFixture f;
  f.derivations_at_once = 1;
  f.deadline = 100ms;
  f.open();
  Door door;
  f.processor->before = [&](const DeriveOptions& options) { return door.pass(options); };
  const auto media = f.ingest(png(1), {.filename = "a.png"}).media;
  auto slow = f.library->begin_derive(media, wide(60), {}).value().pending;
  REQUIRE(door.wait_for(1));
  const auto begun = Steady::now();
  auto parked = f.library->begin_derive(media, wide(61), {}).value().pending;
  CHECK_FALSE(parked->poll());
  const auto blocked = f.library->derive(media.id, wide(62));
  REQUIRE_FALSE(blocked);
  CHECK(blocked.error().code == Errc::unavailable);
  CHECK(Steady::now() - begun >= 100ms);
  CHECK(Steady::now() - begun < 15s);
  REQUIRE(parked->poll());
  CHECK(parked->poll()->error().code == Errc::unavailable);
  parked.reset();
  door.open();
  CHECK(slow->wait({}).has_value());  // Who has begun is not held to it: the making has a deadline of its own.
}

TEST_CASE("library: a job has every fifth turn while callers keep coming, and callers the rest") {
  Named f({.at_once = 1});
  f.pace = 5ms;
  auto first = f.ask("caller 0");
  REQUIRE(f.door.wait_for(1));
  std::vector<std::unique_ptr<PendingPicture>> callers;
  for (int i = 1; i <= 20; ++i) callers.push_back(f.ask("caller " + std::to_string(i)));
  std::jthread jobs([&] {
    for (int i = 0; i < 3; ++i) {
      const auto place = f.queue.enter_background({}, 20s);
      const std::lock_guard lock(f.mutex);
      f.order.push_back(place ? "job" : "no place");
    }
  });
  std::this_thread::sleep_for(50ms);
  f.door.open();
  for (const auto& each : callers) REQUIRE(each->wait({}).has_value());
  jobs.join();
  const auto order = f.begun();
  REQUIRE(order.size() == 24);
  CHECK(std::count(order.begin(), order.end(), "job") == 3);
  // The first one waited for at most four turns of those that stood in line when it came; all had their turns before the callers were
  // through.
  const auto at = std::find(order.begin(), order.end(), "job") - order.begin();
  CHECK(at >= 1);
  CHECK(at <= 6);
  CHECK(order.back() != "job");
  std::vector<std::string> line = order;
  std::erase(line, "job");
  for (int i = 0; i <= 20; ++i) CHECK(line[static_cast<std::size_t>(i)] == "caller " + std::to_string(i));
}

TEST_CASE("library: jobs take every place while nobody else wants one, and give up waiting when told") {
  DerivationQueue queue({.at_once = 3});
  std::vector<DerivationQueue::Place> places;
  for (int i = 0; i < 3; ++i) {
    auto place = queue.enter_background({}, 1s);
    REQUIRE(place);
    places.push_back(std::move(*place));
  }
  CHECK(queue.stats().background == 3);
  CHECK_FALSE(queue.enter_background({}, 20ms));
  std::stop_source stop;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(20ms);
    stop.request_stop();
  });
  const auto begun = Steady::now();
  CHECK_FALSE(queue.enter_background(stop.get_token(), 60s));
  CHECK(Steady::now() - begun < 20s);
  places.pop_back();
  CHECK(queue.stats().background == 2);
  CHECK(queue.enter_background({}, 1s).has_value());
  places.clear();
  CHECK(queue.stats().background == 0);
}

TEST_CASE("library: nobody is told of a picture that he gave up") {
  Named f({.at_once = 2, .waiting = 1000});
  f.door.open();
  for (int round = 0; round < 300; ++round) {
    auto told = std::make_unique<std::atomic<int>>(0);
    auto joined = f.queue.join(
        "picture " + std::to_string(round), [](DerivationQueue::Making&) -> Result<Picture> { return Picture{}; },
        [counter = told.get()] { ++*counter; });
    REQUIRE(joined);
    if (round % 2 == 0) std::this_thread::yield();
    joined.value().reset();
    const int before = *told;
    CHECK(before <= 1);
    told.reset();  // A call from now on would be found by AddressSanitizer.
  }
}

TEST_CASE("library: jobs and callers together never make more pictures at a time than there are places") {
  LibraryFixture f;
  f.derivations_at_once = 2;
  f.open();
  Door door;
  door.open();
  f.processor->before = [&](const DeriveOptions& options) {
    std::this_thread::sleep_for(1ms);
    return door.pass(options);
  };
  constexpr int kMedia = 10;
  std::vector<Media> media;
  for (int i = 0; i < kMedia; ++i) media.push_back(f.ingest(png(static_cast<std::uint64_t>(i)), {.filename = "a.png"}).media);
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t) threads.emplace_back([&] { good += f.library->run_jobs({}).has_value() ? 1 : 0; });
    for (int t = 0; t < 6; ++t) {
      threads.emplace_back([&, t] {
        for (const Media& each : media) good += f.library->derive(each.id, wide(static_cast<std::uint32_t>(200 + t / 2))) ? 1 : 0;
      });
    }
  }
  CHECK(good == 3 + 6 * kMedia);
  CHECK(door.most() <= 2);
  CHECK(f.processor->calls == kMedia * (1 + 3));
  for (const Media& each : media) {
    CHECK(f.library->find(each.id).value()->status == MediaStatus::complete);
    CHECK(f.library->renditions(each.id).value().size() == 9 + 3);
  }
}

#include <atomic>
#include <chrono>
#include <latch>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "http/thread_pool.hpp"

using media::http::Engine;
using media::http::ThreadPool;
using namespace std::chrono_literals;

namespace {

/// As the server's loop does it, until `done` or ten seconds have passed.
template <class Done>
bool nudge_until(ThreadPool& pool, Done done) {
  for (int i = 0; i < 10'000 && !done(); ++i) {
    pool.nudge();
    std::this_thread::sleep_for(1ms);
  }
  return done();
}

}  // namespace

TEST_CASE("http: threads that are held up do not hold up the work behind them") {
  ThreadPool pool(4, 100, 2);
  std::latch release(1);
  std::atomic<int> held{0};
  std::atomic<int> passed{0};
  for (int i = 0; i < 3; ++i) {
    REQUIRE(pool.submit([&](Engine&) {
      ++held;
      release.wait();
    }));
  }
  for (int i = 0; i < 20; ++i) REQUIRE(pool.submit([&](Engine&) { ++passed; }));
  CHECK(nudge_until(pool, [&] { return passed == 20; }));
  CHECK(held == 3);
  CHECK(pool.queued() == 0);
  CHECK_FALSE(pool.nudge());
  release.count_down();
}

TEST_CASE("http: no more threads than are lively work as long as work gets on") {
  ThreadPool pool(8, 10'000, 2);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::atomic<int> done{0};
  for (int i = 0; i < 200; ++i) {
    REQUIRE(pool.submit([&](Engine&) {
      const int now = ++inside;
      int seen = most;
      while (now > seen && !most.compare_exchange_weak(seen, now)) {
      }
      std::this_thread::sleep_for(50us);
      --inside;
      ++done;
    }));
  }
  while (done < 200) std::this_thread::sleep_for(1ms);  // nobody nudges
  CHECK(most <= 2);
}

TEST_CASE("http: a pool refuses what would wait too long, takes continuations, and ends its queue before it stops") {
  std::atomic<int> done{0};
  std::latch release(1);
  {
    ThreadPool pool(1, 2, 1);
    std::atomic<bool> begun{false};
    REQUIRE(pool.submit([&](Engine&) {
      begun = true;
      release.wait();
      ++done;
    }));
    while (!begun) std::this_thread::sleep_for(1ms);
    CHECK(pool.submit([&](Engine&) { ++done; }));
    CHECK(pool.submit([&](Engine&) { ++done; }));
    CHECK_FALSE(pool.submit([&](Engine&) { ++done; }));
    CHECK(pool.submit_continuation([&](Engine&) { ++done; }));
    release.count_down();
    pool.stop();
    CHECK_FALSE(pool.submit([&](Engine&) { ++done; }));
  }
  CHECK(done == 4);
}

TEST_CASE("http: work that comes now and then finds a sleeping thread each time") {
  ThreadPool pool(4, 10, 2);
  std::atomic<int> done{0};
  for (int i = 0; i < 300; ++i) {
    REQUIRE(pool.submit([&](Engine&) { ++done; }));
    for (int wait = 0; done <= i && wait < 5000; ++wait) std::this_thread::sleep_for(1ms);
    REQUIRE(done == i + 1);
  }
}

TEST_CASE("http: what is submitted in a batch is begun at its end") {
  ThreadPool pool(4, 100, 2);
  std::atomic<int> done{0};
  // Threads that have started go on to sleep.
  for (int i = 0; i < 2; ++i) REQUIRE(pool.submit([&](Engine&) { ++done; }));
  while (done < 2) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(20ms);
  pool.begin_batch();
  for (int i = 0; i < 10; ++i) REQUIRE(pool.submit([&](Engine&) { ++done; }));
  std::this_thread::sleep_for(20ms);
  CHECK(done == 2);
  pool.end_batch();
  for (int i = 0; i < 5'000 && done < 12; ++i) std::this_thread::sleep_for(1ms);  // nobody nudges
  CHECK(done == 12);
  REQUIRE(pool.submit([&](Engine&) { ++done; }));  // one by one again
  for (int i = 0; i < 5'000 && done < 13; ++i) std::this_thread::sleep_for(1ms);
  CHECK(done == 13);
}

TEST_CASE("http: what others submit while a batch begins and ends wakes somebody") {
  ThreadPool pool(4, 100'000, 4);
  std::atomic<int> done{0};
  constexpr int kEach = 2'000;
  std::atomic<bool> over{false};
  std::jthread loop([&] {
    while (!over) {
      pool.begin_batch();
      std::this_thread::yield();
      pool.end_batch();
    }
  });
  {
    std::vector<std::jthread> handlers;
    for (int t = 0; t < 2; ++t) {
      handlers.emplace_back([&] {
        for (int i = 0; i < kEach; ++i) {
          while (!pool.submit_continuation([&](Engine&) { ++done; })) std::this_thread::yield();
          if (i % 16 == 0) std::this_thread::sleep_for(100us);
        }
      });
    }
  }
  over = true;
  loop.join();
  for (int i = 0; i < 5'000 && done < 2 * kEach; ++i) std::this_thread::sleep_for(1ms);
  CHECK(done == 2 * kEach);
}

// What the cage costs: cage_bench [-n RUNS] FILE TRANSFORM…
//
// Makes the TRANSFORMs of FILE in this process and by one warm worker, in turns, RUNS times, and prints for both the best and the
// median wall time, and the processor time of a run (of both processes together). The ratios are what performance.md bounds.
#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include "media/io.hpp"
#include "media/processor.hpp"
#include "media/transform.hpp"

namespace {

int fail(const std::string& what) {
  std::fprintf(stderr, "cage_bench: %s\n", what.c_str());
  return 1;
}

double cpu_ms(clockid_t clock) {
  timespec now{};
  if (clock_gettime(clock, &now) != 0) return 0;
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

/// This process and its living children.
double family_cpu_ms() {
  double sum = cpu_ms(CLOCK_PROCESS_CPUTIME_ID);
  std::ifstream children("/proc/thread-self/children");
  for (pid_t child = 0; children >> child;) {
    clockid_t clock = 0;
    if (clock_getcpuclockid(child, &clock) == 0) sum += cpu_ms(clock);
  }
  return sum;
}

struct Series {
  std::vector<double> wall;
  std::vector<double> cpu;

  static double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  }
  static double best(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }
  void print(const char* name) const {
    std::printf("%-12s wall best %8.2f ms  median %8.2f ms   cpu best %8.2f ms  median %8.2f ms\n", name, best(wall), median(wall),
                best(cpu), median(cpu));
  }
};

bool measure(media::Processor& processor, const media::ByteReader& source, const std::vector<media::Transform>& transforms, Series& into) {
  const double cpu = family_cpu_ms();
  const auto start = std::chrono::steady_clock::now();
  const auto derived = processor.derive(source, transforms, {});
  into.wall.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  into.cpu.push_back(family_cpu_ms() - cpu);
  if (!derived) std::fprintf(stderr, "cage_bench: %s\n", derived.error().message.c_str());
  return derived.has_value();
}

}  // namespace

int main(int argc, char** argv) {
  int runs = 20;
  std::vector<std::string> rest;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "-n" && i + 1 < argc) {
      runs = std::max(1, std::atoi(argv[++i]));
    } else {
      rest.emplace_back(argv[i]);
    }
  }
  if (rest.empty()) return fail("usage: cage_bench [-n RUNS] FILE TRANSFORM...");
  const auto source = media::FileReader::open(rest.front());
  if (!source) return fail(source.error().message);
  std::vector<media::Transform> transforms;
  for (std::size_t i = 1; i < rest.size(); ++i) {
    auto transform = media::parse_transform(rest[i]);
    if (!transform) return fail(transform.error().message);
    transforms.push_back(*transform);
  }
  const auto in_process = media::make_in_process_processor();
  auto pool = media::make_worker_processor({{}, 1, 1'000'000});
  if (!pool) return fail(pool.error().message);

  Series cold;
  Series ours;
  Series caged;
  if (!measure(**pool, **source, transforms, cold) || !measure(*in_process, **source, transforms, ours)) return 1;
  ours = {};
  for (int run = 0; run < runs; ++run) {
    if (!measure(*in_process, **source, transforms, ours) || !measure(**pool, **source, transforms, caged)) return 1;
  }
  cold.print("cold worker");
  ours.print("in process");
  caged.print("warm worker");
  std::printf("ratio        wall best %8.3f     median %8.3f      cpu best %8.3f     median %8.3f\n",
              Series::best(caged.wall) / Series::best(ours.wall), Series::median(caged.wall) / Series::median(ours.wall),
              Series::best(caged.cpu) / Series::best(ours.cpu), Series::median(caged.cpu) / Series::median(ours.cpu));
  return 0;
}

// What one derivation costs: image_bench [-n RUNS] [-o PREFIX] [--established] FILE TRANSFORM…
//
// Reads FILE, makes all TRANSFORMs (as in media/transform.hpp) from one decode, RUNS times, and prints the CPU time of the
// best run, that of the process, and its peak memory. With -o, writes the outputs to PREFIX0.jpg and so on. With --established, only
// libraries read the source, as outside the cage.
// One run of it is the whole-process figure that vipsthumbnail is compared with.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "image/pipeline.hpp"

namespace {

double cpu_ms(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

int fail(const std::string& what) {
  std::fprintf(stderr, "image_bench: %s\n", what.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  int runs = 1;
  std::string prefix;
  auto decoders = media::image::Decoders::own;
  std::vector<std::string> rest;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "-n" && i + 1 < argc) {
      runs = std::max(1, std::atoi(argv[++i]));
    } else if (argument == "-o" && i + 1 < argc) {
      prefix = argv[++i];
    } else if (argument == "--established") {
      decoders = media::image::Decoders::established;
    } else {
      rest.push_back(argument);
    }
  }
  if (rest.empty()) return fail("usage: image_bench [-n RUNS] [-o PREFIX] [--established] FILE TRANSFORM...");

  auto source = media::FileReader::open(rest.front());
  if (!source) return fail(source.error().message);
  std::vector<media::Transform> transforms;
  for (std::size_t i = 1; i < rest.size(); ++i) {
    auto transform = media::parse_transform(rest[i]);
    if (!transform) return fail(transform.error().message);
    transforms.push_back(*transform);
  }

  double best = std::numeric_limits<double>::infinity();
  for (int run = 0; run < runs; ++run) {
    const double begin = cpu_ms(CLOCK_PROCESS_CPUTIME_ID);
    auto derived = media::image::derive(**source, transforms, {}, decoders);
    best = std::min(best, cpu_ms(CLOCK_PROCESS_CPUTIME_ID) - begin);
    if (!derived) return fail(derived.error().message);
    if (run > 0) continue;
    std::printf("source %s %ux%u orientation %u frames %u alpha %d, placeholder %s\n",
                std::string(to_string(derived->source.format)).c_str(), derived->source.width, derived->source.height,
                unsigned{derived->source.orientation}, derived->source.frames, derived->source.has_alpha ? 1 : 0,
                derived->placeholder.c_str());
    for (std::size_t i = 0; i < derived->outputs.size(); ++i) {
      const media::Encoded& output = derived->outputs[i];
      std::printf("  %s: %ux%u, %zu bytes\n", to_string(output.transform).c_str(), output.width, output.height, output.bytes.size());
      if (prefix.empty()) continue;
      std::ofstream file(prefix + std::to_string(i) + "." + std::string(file_extension(output.transform.format)), std::ios::binary);
      file.write(reinterpret_cast<const char*>(output.bytes.data()), static_cast<std::streamsize>(output.bytes.size()));
    }
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("best %.1f ms CPU, process %.1f ms, peak %.1f MiB\n", best, cpu_ms(CLOCK_PROCESS_CPUTIME_ID),
              static_cast<double>(usage.ru_maxrss) / 1024.0);
  return 0;
}

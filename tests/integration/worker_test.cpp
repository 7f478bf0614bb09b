// The real media-worker on real pictures: the same bytes and the same refusals as in this process.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "media/processor.hpp"
#include "media/version.hpp"
#include "pictures.hpp"
#include "support.hpp"

using namespace media;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

Transform to(Format format, std::uint32_t width = 320) {
  Transform transform;
  transform.width = width;
  transform.format = format;
  return transform;
}

std::unique_ptr<Processor> workers(unsigned count = 1) {
  auto pool = make_worker_processor({MEDIA_WORKER_BINARY, count, 500});
  REQUIRE(pool.has_value());
  return std::move(*pool);
}

/// A photograph as cameras write them, by our own encoder.
std::vector<std::byte> jpeg(std::uint32_t width, std::uint32_t height) {
  const MemoryReader source(test::gradient_png(width, height));
  auto derived = make_in_process_processor()->derive(source, std::vector{to(Format::jpeg, width)}, {});
  REQUIRE(derived.has_value());
  return std::move(derived->outputs.at(0).bytes);
}

void check_same(const Result<Derived>& ours, const Result<Derived>& workers) {
  REQUIRE(ours.has_value() == workers.has_value());
  if (!ours) {
    CHECK(ours.error().code == workers.error().code);
    return;
  }
  CHECK(ours->source == workers->source);
  CHECK(ours->placeholder == workers->placeholder);
  CHECK(ours->appearance == workers->appearance);
  REQUIRE(ours->outputs.size() == workers->outputs.size());
  for (std::size_t i = 0; i < ours->outputs.size(); ++i) {
    CHECK(ours->outputs[i].transform == workers->outputs[i].transform);
    CHECK(ours->outputs[i].width == workers->outputs[i].width);
    CHECK(ours->outputs[i].height == workers->outputs[i].height);
    CHECK(ours->outputs[i].bytes == workers->outputs[i].bytes);
  }
}

}  // namespace

TEST_CASE("worker: makes the same bytes as this process does") {
  const MemoryReader source(jpeg(1200, 900));
  std::vector<Transform> transforms{to(Format::jpeg), to(Format::webp), to(Format::png, 64), to(Format::jpeg, 800)};
  if (encoder_version(Format::avif)) transforms.push_back(to(Format::avif));
  const auto in_process = make_in_process_processor();
  const auto pool = workers();
  const auto ours = in_process->derive(source, transforms, {});
  REQUIRE(ours.has_value());
  check_same(ours, pool->derive(source, transforms, {}));
  const auto info = pool->probe(source, {});
  REQUIRE(info.has_value());
  CHECK(*info == in_process->probe(source, {}).value());
  CHECK(info->width == 1200);
}

TEST_CASE("worker: refuses what this process refuses, with the same codes, and lives on") {
  const auto in_process = make_in_process_processor();
  const auto pool = workers();
  const auto whole = jpeg(300, 200);
  std::vector<std::vector<std::byte>> sources{{}, test::bytes("no picture at all"), test::noise(5000)};
  for (const std::size_t part : {2U, 3U, 10U})
    sources.emplace_back(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(whole.size() / part));
  for (const auto& bytes : sources) {
    CAPTURE(bytes.size());
    const MemoryReader source(bytes);
    check_same(in_process->derive(source, std::vector{to(Format::jpeg)}, {}), pool->derive(source, std::vector{to(Format::jpeg)}, {}));
    CHECK(in_process->probe(source, {}).has_value() == pool->probe(source, {}).has_value());
  }
  DeriveOptions narrow;
  narrow.budget.max_pixels = 1000;
  const auto refused = pool->derive(MemoryReader(whole), std::vector{to(Format::jpeg)}, narrow);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::too_large);
  DeriveOptions small;
  small.budget.max_output_bytes = 100;
  const auto too_big = pool->derive(MemoryReader(whole), std::vector{to(Format::jpeg)}, small);
  REQUIRE_FALSE(too_big.has_value());
  CHECK(too_big.error().code == Errc::too_large);
  CHECK(pool->derive(MemoryReader(whole), std::vector{to(Format::jpeg)}, {}).has_value());
}

TEST_CASE("worker: a deadline and a stop end work in the middle of it") {
  const MemoryReader source(test::gradient_png(4000, 3000));
  const std::vector<Transform> slow(20, to(Format::webp, 3000));
  const auto pool = workers();
  // A warm worker: on a busy machine a start may take longer than this deadline.
  REQUIRE(pool->derive(MemoryReader(test::gradient_png(16, 16)), {}, {}).has_value());
  DeriveOptions options;
  options.budget.deadline = 300ms;
  auto start = steady_clock::now();
  const auto late = pool->derive(source, slow, options);
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error().code == Errc::too_large);
  CHECK(steady_clock::now() - start < 10s);

  std::stop_source stop;
  options = {};
  options.stop = stop.get_token();
  const std::jthread stopper([&] {
    std::this_thread::sleep_for(200ms);
    stop.request_stop();
  });
  start = steady_clock::now();
  const auto stopped = pool->derive(source, slow, options);
  REQUIRE_FALSE(stopped.has_value());
  CHECK(stopped.error().code == Errc::cancelled);
  CHECK(steady_clock::now() - start < 10s);
}

TEST_CASE("worker: progress rises to the whole") {
  std::vector<double> shares;
  DeriveOptions options;
  options.progress = [&](double share) { shares.push_back(share); };
  REQUIRE(workers()->derive(MemoryReader(jpeg(2000, 1500)), std::vector{to(Format::jpeg), to(Format::webp)}, options).has_value());
  REQUIRE_FALSE(shares.empty());
  CHECK(shares.back() == 1);
  CHECK(std::is_sorted(shares.begin(), shares.end()));
}

TEST_CASE("worker: many threads share a pool and each gets its own picture") {
  const auto pool = workers(2);
  const auto in_process = make_in_process_processor();
  std::vector<std::vector<std::byte>> sources;
  std::vector<std::vector<std::byte>> expected;
  for (std::uint32_t i = 0; i < 4; ++i) {
    sources.push_back(jpeg(200 + i * 50, 150));
    expected.push_back(
        in_process->derive(MemoryReader(sources.back()), std::vector{to(Format::jpeg, 100)}, {}).value().outputs.at(0).bytes);
  }
  std::vector<int> good(4, 0);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        for (int job = 0; job < 25; ++job) {
          const auto derived = pool->derive(MemoryReader(sources[i]), std::vector{to(Format::jpeg, 100)}, {});
          if (derived && derived->outputs.at(0).bytes == expected[i]) ++good[i];
        }
      });
    }
  }
  CHECK(good == std::vector<int>(4, 25));
}

TEST_CASE("worker: is found beside the running program") {
  const auto found = find_worker();
  REQUIRE(found.has_value());
  CHECK(std::filesystem::equivalent(*found, MEDIA_WORKER_BINARY));
}

TEST_CASE("worker: started by hand it says what it is and does nothing") {
  const auto version = test::run({MEDIA_WORKER_BINARY, "--version"});
  CHECK(version.exit_code == 0);
  CHECK(version.out == "media-worker " MEDIA_VERSION "\n");
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{}, {"1000000"}, {"-1"}, {"--selftest"}, {"many", "words"}}) {
    std::vector<std::string> command{MEDIA_WORKER_BINARY};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const auto result = test::run(command);
    CHECK(result.exit_code == 64);
    CHECK_THAT(result.err, ContainsSubstring("does nothing when started by hand"));
  }
}

TEST_CASE("worker: no file of the shared corpus kills a worker") {
  const auto shared = test::shared_folder();
  if (!shared) {
    WARN("no shared folder beside the project: nothing to try");
    return;
  }
  const auto pool = workers(1);
  DeriveOptions options;
  options.budget.deadline = 20s;
  std::size_t tried = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(*shared / "corpus")) {
    if (!entry.is_regular_file()) continue;
    const auto reader = FileReader::open(entry.path());
    REQUIRE(reader.has_value());
    CAPTURE(entry.path().string());
    const auto derived = pool->derive(**reader, std::vector{to(Format::jpeg, 64)}, options);
    ++tried;
    if (derived) {
      CHECK(derived->outputs.at(0).bytes.size() > 100);
    } else {
      const Errc code = derived.error().code;
      CAPTURE(derived.error().message);
      CHECK((code == Errc::unsupported || code == Errc::corrupt || code == Errc::too_large));
    }
  }
  CHECK(tried > 1000);
}

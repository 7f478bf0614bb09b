// Durable ingest into a filesystem store, alone: what the store costs without catalog, inspection or HTTP.
//
//   store_bench FOLDER files [COUNT] [SYNC_THREADS] [GROUP] [PUBLISHERS]   new files of 4-64 KiB, log-uniform
//   store_bench FOLDER copy SYNC_THREADS FILE…                            large files, each on a thread of its own
//
// FOLDER must be on the disk to be measured; a store is made in it and removed again outside the measured time.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "media/blob_store.hpp"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

template <class T>
T must(media::Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "store_bench: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

std::vector<std::size_t> sizes_of(std::size_t count) {
  std::mt19937_64 engine(1);
  std::uniform_real_distribution<double> exponent(std::log(4096.0), std::log(65536.0));
  std::vector<std::size_t> sizes(count);
  for (auto& size : sizes) size = static_cast<std::size_t>(std::exp(exponent(engine)));
  return sizes;
}

void ingest_files(media::BlobStore& store, std::size_t count, std::size_t group, unsigned publishers) {
  const auto sizes = sizes_of(count);
  std::mt19937_64 engine(std::random_device{}());
  std::vector<std::byte> noise(std::size_t{1} << 20U);
  for (std::size_t i = 0; i < noise.size(); i += 8) {
    const auto value = engine();
    std::memcpy(noise.data() + i, &value, 8);
  }
  std::uint64_t total = 0;
  for (const auto size : sizes) total += size;
  std::atomic<std::size_t> next{0};
  const auto start = Clock::now();
  const auto ingest = [&] {
    while (true) {
      const std::size_t from = next.fetch_add(group);
      if (from >= count) return;
      std::vector<std::unique_ptr<media::Staged>> staged;
      for (std::size_t i = from; i < std::min(count, from + group); ++i) {
        auto writer = must(store.begin(sizes[i]));
        const auto name = std::as_bytes(std::span(&i, 1));
        must(writer->write(name));
        must(writer->write(std::span(noise).subspan(i * 997 % (noise.size() - 65536), sizes[i] - name.size())));
        staged.push_back(must(writer->finish()));
      }
      must(store.publish(staged));
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < publishers; ++i) threads.emplace_back(ingest);
  for (auto& thread : threads) thread.join();
  const double seconds = seconds_since(start);
  std::printf("files=%zu group=%zu publishers=%u seconds=%.2f files/s=%.0f MB/s=%.0f\n", count, group, publishers, seconds,
              static_cast<double>(count) / seconds, static_cast<double>(total) / 1e6 / seconds);
}

void copy_files(media::BlobStore& store, const std::vector<std::string>& paths) {
  std::atomic<std::uint64_t> total{0};
  const auto start = Clock::now();
  std::vector<std::thread> threads;
  for (const auto& path : paths) {
    threads.emplace_back([&] {
      const auto reader = must(media::FileReader::open(path));
      auto writer = must(store.begin(reader->size()));
      std::vector<std::byte> piece(std::size_t{1} << 20U);
      for (std::uint64_t at = 0;;) {
        const std::size_t got = must(reader->read_at(at, piece));
        if (got == 0) break;
        must(writer->write(std::span(piece).first(got)));
        at += got;
      }
      std::vector<std::unique_ptr<media::Staged>> staged;
      staged.push_back(must(writer->finish()));
      must(store.publish(staged));
      total += reader->size();
    });
  }
  for (auto& thread : threads) thread.join();
  const double seconds = seconds_since(start);
  std::printf("files=%zu seconds=%.2f MB/s=%.0f\n", paths.size(), seconds, static_cast<double>(total) / 1e6 / seconds);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 2) {
    std::fprintf(stderr,
                 "usage: store_bench FOLDER files [COUNT] [SYNC_THREADS] [GROUP] [PUBLISHERS] | FOLDER copy SYNC_THREADS FILE...\n");
    return 2;
  }
  const auto number = [&](std::size_t index, unsigned long otherwise) {
    return arguments.size() > index ? std::strtoul(arguments[index].c_str(), nullptr, 10) : otherwise;
  };
  media::FilesystemStoreOptions options;
  options.base_path = std::filesystem::path(arguments[0]) / ("store-bench-" + std::to_string(::getpid()));
  const bool copying = arguments[1] == "copy";
  options.sync_threads = static_cast<unsigned>(number(copying ? 2 : 3, 32));
  {
    const auto store = must(media::open_filesystem_store(options));
    if (copying) {
      copy_files(*store, std::vector<std::string>(arguments.begin() + std::min<std::ptrdiff_t>(3, std::ssize(arguments)), arguments.end()));
    } else {
      ingest_files(*store, number(2, 20'000), number(4, 512), static_cast<unsigned>(number(5, 1)));
    }
  }
  // BENCH_KEEP: removing a tree makes the next run's journal commits slower (online discard).
  if (std::getenv("BENCH_KEEP") == nullptr) std::filesystem::remove_all(options.base_path);
  return 0;
}

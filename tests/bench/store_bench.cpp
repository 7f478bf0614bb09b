// Durable ingest into a filesystem store, alone: what the store costs without catalog, inspection or HTTP.
//
//   store_bench FOLDER files [COUNT] [SYNC_THREADS] [GROUP] [PUBLISHERS]   new files of 4-64 KiB, log-uniform
//   store_bench FOLDER many [COUNT] [BYTES]                                so many small blobs: what they cost on the disk, at the start,
//   in memory store_bench FOLDER copy SYNC_THREADS FILE…                            large files, each on a thread of its own
//
// FOLDER must be on the disk to be measured; a store is made in it and removed again outside the measured time.
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
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

std::uint64_t resident_bytes() {
  std::ifstream status("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  status >> total >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// Opens the store and finds one blob in it; seconds, and how much memory that took.
void time_opening(const media::FilesystemStoreOptions& options, const media::Digest& digest, std::size_t count, const char* after) {
  ::malloc_trim(0);  // what was freed would hide what is taken
  const std::uint64_t before = resident_bytes();
  const auto start = Clock::now();
  const auto store = must(media::open_filesystem_store(options));
  if (!must(store->stat(digest))) std::exit(1);
  const double seconds = seconds_since(start);
  std::printf("open after %s: %.2f s, %.1f bytes of memory a blob\n", after, seconds,
              static_cast<double>(resident_bytes() - before) / static_cast<double>(count));
}

void store_many(const media::FilesystemStoreOptions& options, std::size_t count, std::size_t bytes) {
  constexpr std::size_t kGroup = 512;
  std::vector<std::byte> content(std::max<std::size_t>(bytes, 16));
  media::Digest last;
  {
    const auto store = must(media::open_filesystem_store(options));
    const auto start = Clock::now();
    for (std::size_t from = 0; from < count; from += kGroup) {
      std::vector<std::unique_ptr<media::Staged>> staged;
      for (std::size_t i = from; i < std::min(count, from + kGroup); ++i) {
        std::memcpy(content.data(), &i, sizeof i);
        auto writer = must(store->begin(content.size()));
        must(writer->write(content));
        staged.push_back(must(writer->finish()));
        last = staged.back()->digest();
      }
      must(store->publish(staged));
    }
    const double seconds = seconds_since(start);
    std::printf("stored %zu blobs of %zu bytes: %.1f s, %.0f/s\n", count, content.size(), seconds, static_cast<double>(count) / seconds);
  }
  std::size_t inodes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(options.base_path)) inodes += entry.exists() ? 1U : 0U;
  std::printf("inodes: %zu\n", inodes);
  time_opening(options, last, count, "a clean stop");
  // The worst that a kill can leave: the newest segment without an index.
  std::filesystem::path newest;
  for (const auto& entry : std::filesystem::directory_iterator(options.base_path / "segments")) {
    if (entry.path().extension() == ".index" && entry.path() > newest) newest = entry.path();
  }
  std::filesystem::remove(newest);
  time_opening(options, last, count, "a kill");
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 2) {
    std::fprintf(stderr,
                 "usage: store_bench FOLDER files [COUNT] [SYNC_THREADS] [GROUP] [PUBLISHERS] | FOLDER many [COUNT] [BYTES] | "
                 "FOLDER copy SYNC_THREADS FILE...\n");
    return 2;
  }
  const auto number = [&](std::size_t index, unsigned long otherwise) {
    return arguments.size() > index ? std::strtoul(arguments[index].c_str(), nullptr, 10) : otherwise;
  };
  media::FilesystemStoreOptions options;
  options.base_path = std::filesystem::path(arguments[0]) / ("store-bench-" + std::to_string(::getpid()));
  const bool copying = arguments[1] == "copy";
  options.sync_threads = static_cast<unsigned>(number(copying ? 2 : 3, 32));
  if (arguments[1] == "many") {
    store_many(options, number(2, 1'000'000), number(3, 8192));
  } else {
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

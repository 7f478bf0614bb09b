// repository_bench [FOLDER]: what the SQLite catalog does in a second on the disk that holds FOLDER (default: the system's temp folder).
#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "media/repository.hpp"

using namespace media;

namespace {

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Of this thread.
double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

Media a_media(std::size_t number, const std::string& owner) {
  Media media;
  media.owner = owner;
  media.filename = "IMG_" + std::to_string(number) + ".jpg";
  media.media_type = "image/jpeg";
  media.size_bytes = 3'000'000 + number;
  media.status = number % 3 == 0 ? MediaStatus::complete : MediaStatus::processing;
  const std::string name = std::to_string(number);
  media.digest = Digest::of(std::as_bytes(std::span(name)));
  PerceptualHash hash;
  for (std::size_t i = 0; i < 8; ++i) hash.bits = hash.bits << 8U | media.digest->bytes()[i];
  media.appearance.perceptual_hash = hash;
  return media;
}

/// What an ingest does: a blob, a media, a job.
Result<void> insert(Transaction& transaction, std::size_t number, const std::string& owner) {
  const Media media = a_media(number, owner);
  Blob blob;
  blob.digest = *media.digest;
  blob.size_bytes = media.size_bytes;
  MEDIA_TRY(transaction.put_blob(blob));
  MEDIA_TRY_ASSIGN(const MediaId id, transaction.insert_media(media));
  Job job;
  job.kind = "derive";
  job.media_id = id;
  MEDIA_TRY(transaction.insert_job(job));
  return {};
}

void must(const Result<void>& outcome) {
  if (outcome) return;
  std::fprintf(stderr, "repository_bench: %s\n", outcome.error().message.c_str());
  std::exit(1);
}

void run(const std::filesystem::path& folder) {
  SqliteRepositoryOptions options;
  options.path = folder / "catalog.db";
  auto opened = open_sqlite_repository(options);
  if (!opened) must(opened.error());
  Repository& repository = **opened;
  std::size_t number = 0;

  constexpr std::size_t kSerial = 1000;
  const double serial = seconds_of([&] {
    for (std::size_t i = 0; i < kSerial; ++i) {
      const std::size_t mine = number++;
      must(repository.write([&](Transaction& transaction) { return insert(transaction, mine, "serial"); }));
    }
  });
  std::printf("1 thread, one ingest a commit        %8.0f /s\n", kSerial / serial);

  for (const std::size_t threads : {std::size_t{16}, std::size_t{64}}) {
    constexpr std::size_t kEach = 250;
    const double grouped = seconds_of([&] {
      std::vector<std::thread> writers;
      for (std::size_t t = 0; t < threads; ++t) {
        writers.emplace_back([&, first = number + t * kEach] {
          for (std::size_t i = 0; i < kEach; ++i) {
            must(repository.write([&](Transaction& transaction) { return insert(transaction, first + i, "grouped"); }));
          }
        });
      }
      for (auto& writer : writers) writer.join();
    });
    number += threads * kEach;
    const double rate = static_cast<double>(threads * kEach) / grouped;
    std::printf("%zu threads, one ingest a closure     %8.0f /s   %.1f x serial\n", threads, rate, rate / (kSerial / serial));
  }

  constexpr std::size_t kRows = 512;
  constexpr std::size_t kClosures = 170;
  const double batched = seconds_of([&] {
    for (std::size_t closure = 0; closure < kClosures; ++closure) {
      const std::size_t first = number;
      number += kRows;
      must(repository.write([&](Transaction& transaction) -> Result<void> {
        for (std::size_t i = 0; i < kRows; ++i) MEDIA_TRY(insert(transaction, first + i, "owner-" + std::to_string(i % 4)));
        return {};
      }));
    }
  });
  std::printf("1 thread, closures of 512 ingests    %8.0f ingests/s (blob, media and job each)\n", kRows * kClosures / batched);

  std::vector<double> micros;
  for (std::size_t i = 0; i < 2000; ++i) {
    MediaQuery query;
    query.owner = "owner-" + std::to_string(i % 4);
    query.after = static_cast<MediaId>(i * 7919 % number);
    micros.push_back(1e6 * seconds_of([&] {
                       const auto page = repository.list_media(query);
                       if (!page) must(page.error());
                     }));
  }
  std::sort(micros.begin(), micros.end());
  std::printf("a random page of 50 of %zu media: p50 %.0f us, p99 %.0f us\n", number, micros[micros.size() / 2],
              micros[micros.size() * 99 / 100]);

  for (const unsigned farthest : {0U, 5U, 10U, 15U, 16U, 24U, 32U}) {
    micros.clear();
    std::size_t found = 0;
    for (std::size_t i = 0; i < 100; ++i) {
      SimilarQuery query;
      query.perceptual_hash = *a_media(i * 7919 % number, "").appearance.perceptual_hash;
      query.max_distance = farthest;
      query.owner = "owner-" + std::to_string(i % 4);
      const double start = cpu_seconds();
      const auto similar = repository.list_similar_media(query);
      micros.push_back(1e6 * (cpu_seconds() - start));
      if (!similar) must(similar.error());
      found += similar->size();
    }
    std::sort(micros.begin(), micros.end());
    std::printf("one owner's media within %2u bits, of %zu: CPU p50 %.0f us, p99 %.0f us (%zu found)\n", farthest, number, micros[50],
                micros[98], found);
  }

  std::size_t done = 0;
  const double worked = seconds_of([&] {
    for (bool more = true; more && done < 50'000;) {
      must(repository.write([&](Transaction& transaction) -> Result<void> {
        const Timestamp now{std::chrono::milliseconds(1)};
        MEDIA_TRY_ASSIGN(const auto jobs, transaction.claim_jobs("derive", now, "bench", now + std::chrono::hours(1), 50, 0));
        for (const Job& job : jobs) MEDIA_TRY(transaction.finish_job(job.id, "bench"));
        more = !jobs.empty();
        done += jobs.size();
        return {};
      }));
    }
  });
  std::printf("jobs claimed and finished 50 at a time %6.0f /s\n", static_cast<double>(done) / worked);
}

}  // namespace

int main(int argc, char** argv) {
  const std::filesystem::path parent = argc > 1 ? argv[1] : std::filesystem::temp_directory_path();
  std::string folder = (parent / "bench-repository-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) {
    std::perror("repository_bench: mkdtemp");
    return 1;
  }
  run(folder);
  std::filesystem::remove_all(folder);
  return 0;
}

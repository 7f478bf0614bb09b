/// A Processor that has its work done by media-worker processes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <stop_token>
#include <vector>

#include "cage/channel.hpp"
#include "cage/child.hpp"
#include "cage/deaths.hpp"
#include "cage/wire.hpp"
#include "media/processor.hpp"

namespace media::cage {

class NamelessFile;

/// WorkerPoolOptions with the path found, and what tests set besides.
struct PoolOptions {
  std::filesystem::path worker_path;
  unsigned workers = 2;
  unsigned jobs_per_worker = 500;
  /// Where sources lie that are too large for memory.
  std::filesystem::path spool_folder;
  std::uint64_t max_memory_source = 0;
};

/// Thread-safety: as Processor's. The mutex guards the list of idle workers and the count, never a conversation:
/// a worker that is not in the list belongs to the one thread that took it.
class WorkerPool final : public Processor {
 public:
  explicit WorkerPool(PoolOptions options);

  Result<MediaInfo> probe(const ByteReader& source, const DeriveOptions& options) override;
  Result<Derived> derive(const ByteReader& source, std::span<const Transform> transforms, const DeriveOptions& options) override;
  /// Encodes a video (`encodes_video`) within the budget's time and bytes for videos. The output's `content` is a file without a name.
  Result<Derived> encode(const ByteReader& source, const Transform& transform, const DeriveOptions& options);
  [[nodiscard]] WorkerDeaths deaths() const noexcept { return deaths_.sums(); }

 private:
  struct Worker {
    Child child;
    std::uint64_t memory_limit = 0;
    unsigned jobs = 0;
  };
  /// One call's state: what it asked for, until when, and what can stop it.
  struct Call;

  template <class Answer, class Take>
  Result<Answer> run(MessageKind kind, const ByteReader& source, std::span<const Transform> transforms, const DeriveOptions& options,
                     const Take& take, NamelessFile* video);
  template <class Answer, class Take>
  Result<Answer> converse(Worker& worker, const Call& call, MessageKind kind, int source, const Take& take, bool& in_step);

  Result<std::unique_ptr<Worker>> acquire(const Call& call);
  void give_back(std::unique_ptr<Worker> worker);
  /// An idle one that is gone, or says what nobody asked for; ends it.
  void count_disturbed(Worker& worker);
  /// As `launch`, counted where it fails by the worker.
  Result<std::unique_ptr<Worker>> start(const Call& call);
  Result<std::unique_ptr<Worker>> launch(const Call& call) const;
  /// Makes the error of a conversation that broke off; ends the worker.
  Error broken(Worker& worker, const Call& call, Trouble trouble);

  const PoolOptions options_;
  DeathCount deaths_;
  std::mutex mutex_;
  std::condition_variable_any freed_;
  /// Last in, first out: the warmest is taken first, and in a quiet time the others age unused.
  std::vector<std::unique_ptr<Worker>> idle_;
  unsigned living_ = 0;
};

}  // namespace media::cage

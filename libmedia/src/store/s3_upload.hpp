/// Contents into the bucket: in one request, or in parts.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "store/s3_client.hpp"
#include "store/s3_staged.hpp"
#include "store/sync_pool.hpp"

namespace media::store::s3 {

/// One content and the key that it gets.
struct Upload {
  const S3Staged* content = nullptr;
  std::string key{};
};

/// The header by which one object at a key is told from the next with the same bytes: drawn by chance for each.
inline constexpr const char* kGenerationHeader = "x-amz-meta-generation";

/// Thread-safety: `run` may be called concurrently, because the pool is shared by design and the time of the last sweep has a mutex.
class Uploader {
 public:
  Uploader(std::shared_ptr<Client> client, unsigned threads, std::string prefix, std::chrono::seconds stale_age)
      : client_(std::move(client)), pool_(threads), prefix_(std::move(prefix)), stale_age_(stale_age) {}

  /// All or an error: then what went up in parts is aborted, and what was whole already stays. Errors: those of Client::perform.
  Result<void> run(std::span<const Upload> uploads);
  /// Aborts multipart uploads below the prefix that nobody ended. Best effort: the right to list them may be missing.
  void sweep();

 private:
  struct Multipart;
  Result<void> put(const Upload& upload);
  Result<void> begin(Multipart& multipart);
  Result<void> send_part(Multipart& multipart, std::size_t index);
  Result<void> complete(Multipart& multipart);
  void abort(const std::string& key, const std::string& id);

  std::shared_ptr<Client> client_;
  SyncPool pool_;
  const std::string prefix_;
  const std::chrono::seconds stale_age_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point swept_{};
};

}  // namespace media::store::s3

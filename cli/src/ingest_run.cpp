#include "ingest_run.hpp"

#include <algorithm>
#include <filesystem>
#include <thread>

#include "ingest_report.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

/// A batch shares one group of syncs and one commit. More files share better; more bytes would only be held longer, for small files
/// wait for their batch in memory.
constexpr std::size_t kBatchFiles = 256;
constexpr std::uint64_t kBatchBytes = 16ULL << 20U;
/// Names that the walker may be ahead.
constexpr std::size_t kFoundAhead = 4096;
/// Batches that may wait for a committing thread, and those threads: enough that reading never waits for an idle disk.
constexpr std::size_t kBatchesAhead = 1;
constexpr unsigned kCommitters = 2;

template <class T>
T pop_front(std::deque<T>& queue) {
  T front = std::move(queue.front());
  queue.pop_front();
  return front;
}

/// The same for the same file, from whatever folder the command was called.
std::string absolute_path(const std::string& path) {
  std::error_code failure;
  const auto absolute = std::filesystem::absolute(path, failure);
  return (failure ? std::filesystem::path(path) : absolute).lexically_normal().string();
}

}  // namespace

IngestRun::IngestRun(media::Library& library, Console& console, Progress& progress, IngestPlan plan, IngestRecord* record)
    : library_(library), console_(console), progress_(progress), plan_(std::move(plan)), record_(record) {}

IngestTotals IngestRun::run(std::stop_token stop) {
  const std::stop_callback pass_on(stop, [this] {
    stop_.request_stop();
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  });
  {
    std::vector<std::jthread> threads;
    threads.emplace_back([this] { walk_paths(); });
    for (unsigned i = 0; i < plan_.jobs; ++i) threads.emplace_back([this] { read_loop(); });
    for (unsigned i = 0; i < kCommitters; ++i) threads.emplace_back([this] { commit_loop(); });
  }
  return totals_;
}

void IngestRun::walk_paths() {
  walk(plan_.paths, FolderId::of(plan_.store), [this](Found found) {
    switch (found.kind) {
      case Found::Kind::file: {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return found_.size() < kFoundAhead || stopping(); });
        found_.push_back(std::move(found.path));
        // Readers wait for a whole batch; waking them for each name would cost more than the name.
        if (found_.size() % kBatchFiles == 0) changed_.notify_all();
        break;
      }
      case Found::Kind::unusable: {
        Report failure;
        failure.path = std::move(found.path);
        failure.reason = std::move(found.reason);
        report(failure);
        break;
      }
      case Found::Kind::skipped_link:
      case Found::Kind::skipped_store: {
        const bool link = found.kind == Found::Kind::skipped_link;
        console_.note("skipped '" + printable(found.path) + "': " + (link ? "a symbolic link inside a folder" : "the store itself"));
        const std::lock_guard lock(totals_mutex_);
        ++totals_.skipped;
        break;
      }
    }
    return !stopping();
  });
  const std::lock_guard lock(mutex_);
  walked_ = true;
  changed_.notify_all();
}

bool IngestRun::all_done_locked() const noexcept {
  return all_read_locked() && batches_.empty() && committing_ == 0 && to_process_.empty() && to_process_last_.empty();
}

void IngestRun::read_loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    if (stopping()) found_.clear();
    if (!to_process_.empty()) {
      Catalogued item = pop_front(to_process_);
      lock.unlock();
      process(std::move(item));
      lock.lock();
    } else if (found_.size() >= kBatchFiles || (walked_ && !found_.empty())) {
      // At the end of the walk the rest is shared: one thread must not sit on the last photos while the others idle.
      const std::size_t share = walked_ ? (found_.size() + plan_.jobs - 1) / plan_.jobs : kBatchFiles;
      const std::size_t count = std::min({kBatchFiles, found_.size(), share});
      std::vector<std::string> paths(std::make_move_iterator(found_.begin()),
                                     std::make_move_iterator(found_.begin() + static_cast<std::ptrdiff_t>(count)));
      found_.erase(found_.begin(), found_.begin() + static_cast<std::ptrdiff_t>(count));
      ++preparing_;
      changed_.notify_all();
      lock.unlock();
      prepare(std::move(paths));
      lock.lock();
      --preparing_;
      changed_.notify_all();
    } else if (all_read_locked() && batches_.empty() && committing_ == 0 && !to_process_last_.empty()) {
      Catalogued item = pop_front(to_process_last_);
      lock.unlock();
      process(std::move(item));
      lock.lock();
    } else if (all_done_locked()) {
      changed_.notify_all();
      return;
    } else {
      changed_.wait(lock);
    }
  }
}

void IngestRun::commit_loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return !batches_.empty() || all_read_locked(); });
    if (batches_.empty()) return;
    Batch batch = pop_front(batches_);
    ++committing_;
    changed_.notify_all();
    lock.unlock();
    commit(std::move(batch));
    lock.lock();
    --committing_;
    changed_.notify_all();
  }
}

void IngestRun::prepare(std::vector<std::string> paths) {
  Batch batch;
  std::uint64_t batch_bytes = 0;
  for (std::string& path : paths) {
    // What is in flight is finished after a stop; what was not begun is not.
    if (stopping()) break;
    if (auto known = recall(path)) {
      conclude({std::move(path), std::move(*known)}, true);
      continue;
    }
    auto input = InputFile::open(path);
    if (!input) {
      report_failure(path, input.error());
      continue;
    }
    media::IngestRequest request;
    request.owner = plan_.owner;
    request.filename = std::filesystem::path(path).filename().string();
    request.visibility = plan_.visibility;
    request.any_content = plan_.any_content;
    request.reuse_existing = true;
    request.sharing = plan_.sharing;
    const std::uint64_t size = (*input)->size();
    auto pending = library_.prepare(**input, std::move(request));
    if (!pending) {
      if (is_fatal(pending.error(), (*input)->failed())) {
        stop_for(pending.error());
        report_silently(std::move(path), pending.error());
        break;
      }
      report_failure(path, pending.error());
      continue;
    }
    auto looked = record_ != nullptr ? (*input)->unchanged() : std::nullopt;
    (*input)->let_go();
    batch.push_back({std::move(path), std::move(*input), std::move(*pending), std::move(looked)});
    batch_bytes += size;
    if (batch_bytes >= kBatchBytes) {
      hand_over(std::exchange(batch, {}));
      batch_bytes = 0;
    }
  }
  if (!batch.empty()) hand_over(std::move(batch));
  if (record_ != nullptr) console_.flush();
}

std::optional<media::IngestOutcome> IngestRun::recall(const std::string& path) {
  if (record_ == nullptr) return std::nullopt;
  const auto state = state_of(path);
  if (!state) return std::nullopt;
  const auto recorded = record_->find(plan_.owner, absolute_path(path), *state);
  if (!recorded) return std::nullopt;
  // It may have been removed since, and the id given to another one by a catalog that was restored.
  auto media = library_.find(recorded->id);
  if (!media || !*media || (*media)->owner != plan_.owner || (*media)->digest != recorded->digest) return std::nullopt;
  // What came in unjudged is no answer to somebody who wants it judged.
  if (!plan_.any_content && (*media)->info.format == media::Format::unknown) return std::nullopt;
  media::IngestOutcome outcome;
  outcome.status = media::IngestStatus::duplicate;
  outcome.digest = recorded->digest;
  outcome.size_bytes = state->size;
  outcome.deduplicated = true;
  outcome.media = std::move(**media);
  const std::lock_guard lock(totals_mutex_);
  ++totals_.unread;
  return outcome;
}

void IngestRun::hand_over(Batch batch) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return batches_.size() < kBatchesAhead; });
  batches_.push_back(std::move(batch));
  changed_.notify_all();
}

void IngestRun::commit(Batch batch) {
  std::vector<std::unique_ptr<media::Ingest>> pending;
  pending.reserve(batch.size());
  for (Prepared& file : batch) pending.push_back(std::move(file.pending));
  auto outcomes = library_.finish(pending);
  pending.clear();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    auto& outcome = outcomes[i];
    if (outcome) {
      if (batch[i].looked && outcome->status != media::IngestStatus::refused) {
        record_->note(plan_.owner, absolute_path(batch[i].path), *batch[i].looked, {outcome->media.id, outcome->digest});
      }
      conclude({std::move(batch[i].path), std::move(*outcome)}, true);
    } else if (is_fatal(outcome.error(), batch[i].input->failed())) {
      stop_for(outcome.error());
      report_silently(std::move(batch[i].path), outcome.error());
    } else {
      report_failure(batch[i].path, outcome.error());
    }
  }
  // A line that says "stored" is worth something to a reader of a pipe as soon as it is true.
  console_.flush();
}

void IngestRun::conclude(Catalogued item, bool may_process) {
  const media::IngestOutcome& outcome = item.outcome;
  const bool unfinished = outcome.status != media::IngestStatus::refused && outcome.media.status == media::MediaStatus::processing;
  if (may_process && unfinished && plan_.renditions) {
    const std::lock_guard lock(mutex_);
    // A duplicate may be in the hands of another process, dead or alive, whose lease has to run out first.
    (outcome.status == media::IngestStatus::stored ? to_process_ : to_process_last_).push_back(std::move(item));
    changed_.notify_all();
    return;
  }
  Report line;
  line.path = std::move(item.path);
  line.bytes = outcome.size_bytes;
  if (outcome.status == media::IngestStatus::refused) {
    line.status = Report::Status::refused;
    line.reason = outcome.verdict.message;
    line.info = outcome.verdict.info;
    if (outcome.digest != media::Digest{}) line.digest = outcome.digest;
    if (line.info.format != media::Format::unknown) line.media_type = media::mime_type(line.info.format);
    report(line);
    return;
  }
  line.status = outcome.status == media::IngestStatus::stored ? Report::Status::stored : Report::Status::duplicate;
  line.id = outcome.media.id;
  line.digest = outcome.digest;
  line.media_type = outcome.media.media_type;
  line.info = outcome.media.info;
  line.shared = outcome.shared;
  line.copied_because = outcome.copied_because;
  if (outcome.media.status == media::MediaStatus::failed) {
    line.status = Report::Status::failed;
    line.reason = outcome.media.error_message;
  } else if (outcome.media.held != media::Hold::none) {
    line.reason = "kept back: " + std::string(media::to_string(outcome.media.held));
  } else if (unfinished && plan_.renditions) {
    line.reason = "stopped before its renditions were made; they stay queued";
  }
  report(line);
}

void IngestRun::process(Catalogued item) {
  if (!stopping()) {
    auto media = library_.process(item.outcome.media.id, stop_.get_token());
    if (media) {
      item.outcome.media = std::move(*media);
    } else if (media.error().code != media::Errc::cancelled) {
      if (is_fatal(media.error(), false)) stop_for(media.error());
      item.outcome.media.status = media::MediaStatus::failed;
      item.outcome.media.error_message = media.error().message;
    }
  }
  conclude(std::move(item), false);
  console_.flush();
}

}  // namespace mediactl

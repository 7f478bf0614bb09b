#include "ingest_run.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <thread>

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

Json number_or_null(std::uint64_t number) { return number > 0 ? Json(number) : Json(); }

}  // namespace

struct IngestRun::Report {
  enum class Status : std::uint8_t { stored, duplicate, refused, failed };
  Status status = Status::failed;
  std::string path;
  media::MediaId id = 0;  ///< 0: none.
  std::optional<media::Digest> digest;
  std::string media_type;
  media::MediaInfo info;
  std::uint64_t bytes = 0;
  std::string reason;
  /// False where one sentence was said for many files.
  bool complain = true;
};

IngestRun::IngestRun(media::Library& library, Console& console, Progress& progress, IngestPlan plan)
    : library_(library), console_(console), progress_(progress), plan_(std::move(plan)) {}

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
    (*input)->let_go();
    batch.push_back({std::move(path), std::move(*input), std::move(*pending)});
    batch_bytes += size;
    if (batch_bytes >= kBatchBytes) {
      hand_over(std::exchange(batch, {}));
      batch_bytes = 0;
    }
  }
  if (!batch.empty()) hand_over(std::move(batch));
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

void IngestRun::report(const Report& line) {
  constexpr std::array kNames = {"stored", "duplicate", "refused", "failed"};
  const char* const name = kNames.at(static_cast<std::size_t>(line.status));
  const bool kept = line.status == Report::Status::stored || line.status == Report::Status::duplicate;
  {
    const std::lock_guard lock(totals_mutex_);
    ++totals_.files;
    if (kept) totals_.bytes += line.bytes;
    if (line.status == Report::Status::stored) ++totals_.stored;
    if (line.status == Report::Status::duplicate) ++totals_.duplicate;
    if (line.status == Report::Status::refused) ++totals_.refused;
    if (line.status == Report::Status::failed) ++totals_.failed;
  }
  progress_.add(1, line.bytes);
  if (console_.json()) {
    console_.record(Json{{"path", line.path},
                         {"status", name},
                         {"id", line.id > 0 ? Json(line.id) : Json()},
                         {"digest", line.digest ? Json(line.digest->to_hex()) : Json()},
                         {"media_type", line.media_type.empty() ? Json() : Json(line.media_type)},
                         {"width", number_or_null(line.info.display_width())},
                         {"height", number_or_null(line.info.display_height())},
                         {"reason", line.reason.empty() ? Json() : Json(line.reason)}});
  } else if (kept && !console_.quiet() && !console_.shows_status_instead_of_lines()) {
    std::string text(name);
    text.resize(10, ' ');
    const std::string id = std::to_string(line.id);
    if (id.size() < 8) text.append(8 - id.size(), ' ');
    text += id + "  " + printable(line.path);
    if (!line.reason.empty()) text += "  (" + printable(line.reason) + ")";
    console_.text(text);
  }
  if (!kept && line.complain) console_.problem(name, line.path, line.reason);
}

void IngestRun::report_failure(const std::string& path, const media::Error& error) {
  Report failure;
  failure.path = path;
  failure.reason = reason_of(error, path);
  // The policy's word too, only spoken before or while the bytes were read.
  if (error.code == media::Errc::too_large || error.code == media::Errc::unsupported) failure.status = Report::Status::refused;
  report(failure);
}

void IngestRun::report_silently(std::string path, const media::Error& error) {
  Report failure;
  failure.path = std::move(path);
  failure.reason = error.message;
  failure.complain = false;
  report(failure);
}

bool IngestRun::is_fatal(const media::Error& error, bool input_failed) const noexcept {
  if (input_failed) return false;
  switch (error.code) {
    case media::Errc::no_space:
    case media::Errc::denied:
    case media::Errc::io:
    case media::Errc::unavailable:
    case media::Errc::corrupt:
    case media::Errc::internal:
      return true;
    default:
      return false;
  }
}

void IngestRun::stop_for(const media::Error& error) {
  {
    const std::lock_guard lock(totals_mutex_);
    if (totals_.stopped_by) return;
    totals_.stopped_by = error;
  }
  console_.complain("stopped: " + error.message);
  stop_.request_stop();
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

}  // namespace mediactl

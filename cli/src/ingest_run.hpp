/// Taking in many files at once.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "console.hpp"
#include "ingest_record.hpp"
#include "input_file.hpp"
#include "media/library.hpp"
#include "progress.hpp"
#include "walk.hpp"

namespace mediactl {

struct IngestPlan {
  std::vector<std::string> paths;
  unsigned jobs = 1;
  bool any_content = false;
  bool renditions = true;  ///< See each image through to its renditions.
  std::string owner = "local";
  media::Visibility visibility = media::Visibility::is_private;
  std::string store;  ///< Its own folder is not walked into.
  media::FileSharing sharing = media::FileSharing::none;
  bool incremental = false;
};

struct IngestTotals {
  std::uint64_t files = 0;  ///< All but the skipped.
  std::uint64_t stored = 0;
  std::uint64_t duplicate = 0;
  std::uint64_t refused = 0;
  std::uint64_t failed = 0;
  std::uint64_t skipped = 0;
  std::uint64_t bytes = 0;   ///< Of stored and duplicate files.
  std::uint64_t unread = 0;  ///< Of the duplicate files: those that the record told of.
  std::uint64_t shared = 0;  ///< Of the stored files: those whose bytes were not copied.
  std::uint64_t shared_bytes = 0;
  /// Why files were copied that were not to be, and how many for each reason.
  std::map<std::string, std::uint64_t> copied{};
  /// What made going on pointless: a full disk, a catalog that does not answer.
  std::optional<media::Error> stopped_by;
};

/// One ingest, from the walk to the last line of output.
///
/// Files flow through three stages: a walker names them, `jobs` threads read and hash them into batches, two threads make
/// batches durable (one group of syncs and one transaction each) while the next ones are being read. Images then go back to the `jobs`
/// threads for their renditions, which come before new batches, so that what is in flight stays bounded. A file is reported when its last
/// stage ends.
///
/// Thread-safety: `run` is called once; its threads share the state below under one mutex, held for moments only.
class IngestRun {
 public:
  /// `record` may be null, and outlives the run.
  IngestRun(media::Library& library, Console& console, Progress& progress, IngestPlan plan, IngestRecord* record);

  IngestTotals run(std::stop_token stop);

 private:
  /// A file whose bytes were read. `input` outlives `pending`, which may read it again.
  struct Prepared {
    std::string path;
    std::unique_ptr<InputFile> input;
    std::unique_ptr<media::Ingest> pending;
    std::optional<Looked> looked;  ///< Absent where the file is not to be recorded.
  };
  using Batch = std::vector<Prepared>;
  /// A catalogued image that waits for its renditions.
  struct Catalogued {
    std::string path;
    media::IngestOutcome outcome;
  };
  /// What a line of output says.
  struct Report;

  void walk_paths();
  void read_loop();
  void commit_loop();
  void prepare(std::vector<std::string> paths);
  /// The media that the record has for this file, where it is still there; such a file is not read.
  std::optional<media::IngestOutcome> recall(const std::string& path);
  void hand_over(Batch batch);
  void commit(Batch batch);
  void conclude(Catalogued item, bool may_process);
  void process(Catalogued item);

  void report(const Report& report);
  void report_failure(const std::string& path, const media::Error& error);
  /// For one of many files that failed for the reason that `stop_for` gave.
  void report_silently(std::string path, const media::Error& error);
  /// True where the store is at fault and not the file: the next ones would only fail alike.
  bool is_fatal(const media::Error& error, bool input_failed) const noexcept;
  /// Says once why going on is pointless, and stops.
  void stop_for(const media::Error& error);
  [[nodiscard]] bool stopping() const noexcept { return stop_.stop_requested(); }
  [[nodiscard]] bool all_read_locked() const noexcept { return walked_ && found_.empty() && preparing_ == 0; }
  [[nodiscard]] bool all_done_locked() const noexcept;

  media::Library& library_;
  Console& console_;
  Progress& progress_;
  const IngestPlan plan_;
  IngestRecord* const record_;
  std::stop_source stop_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> found_;
  std::deque<Batch> batches_;
  std::deque<Catalogued> to_process_;
  std::deque<Catalogued> to_process_last_;  ///< Perhaps another process's work: not waited for while there is own work.
  bool walked_ = false;
  unsigned preparing_ = 0;
  unsigned committing_ = 0;

  std::mutex totals_mutex_;
  IngestTotals totals_;
};

}  // namespace mediactl

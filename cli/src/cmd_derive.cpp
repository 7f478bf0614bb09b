#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <thread>

#include "command.hpp"
#include "derive_plan.hpp"
#include "interrupt.hpp"
#include "media/inspect.hpp"
#include "media/video.hpp"
#include "media_id.hpp"
#include "open_store.hpp"
#include "output_file.hpp"
#include "progress.hpp"
#include "text.hpp"
#include "walk.hpp"

namespace mediactl {
namespace {

struct DeriveOptions {
  std::vector<std::string> operands;
  DeriveText text;
  unsigned jobs = 1;
  std::string isolation = "process";
  double search_seconds = 0;  ///< 0: no limit.
  std::string index;          ///< Where a sheet's index goes; empty: nowhere.
};

constexpr std::size_t kPieceBytes = 1U << 20U;

/// One picture or video that is ready: stored before, or just made.
struct Picture {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::span<const std::byte> bytes;
  unsigned quality = 0;                                ///< 0: not known, or there is none.
  double score = 0;                                    ///< 0: nobody asked for it.
  bool searched = false;                               ///< The quality was not given, but found.
  std::shared_ptr<const media::ByteReader> content{};  ///< Instead of `bytes`, where those are not in memory.

  [[nodiscard]] std::uint64_t size() const noexcept { return content ? content->size() : bytes.size(); }
  /// Hands over the bytes in their order.
  template <class Take>
  media::Result<void> for_each_piece(const Take& take) const {
    if (!content) return take(bytes);
    std::vector<std::byte> piece(static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, content->size())));
    for (std::uint64_t at = 0; at < content->size();) {
      MEDIA_TRY_ASSIGN(const std::size_t got, content->read_at(at, piece));
      if (got == 0) return media::Error{media::Errc::corrupt, "the content got shorter while it was read"};
      MEDIA_TRY(take(std::span<const std::byte>(piece).first(got)));
      at += got;
    }
    return {};
  }
};

/// What a search found, for people.
std::string chosen(const Picture& picture) {
  if (!picture.searched) return {};
  std::string text = "  q " + std::to_string(picture.quality);
  if (picture.score == 0) return text;
  const auto tenths = static_cast<unsigned>(std::lround(picture.score * 10));
  return text + ", score " + std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

/// A file name as it stands in a URL: what is not plainly allowed there is escaped (RFC 3986, section 2.3).
std::string url_path(const std::string& name) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string text;
  for (const char c : name) {
    if (kPlain.find(c) != std::string_view::npos) {
      text += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      text += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
    }
  }
  return text;
}

bool is_same_path(const std::string& left, const std::string& right) {
  std::error_code failure;
  const auto whole_left = std::filesystem::weakly_canonical(left, failure);
  const auto whole_right = std::filesystem::weakly_canonical(right, failure);
  return !failure && whole_left == whole_right;
}

bool same_file(const std::string& left, const std::string& right) {
  struct stat a{};
  struct stat b{};
  return ::stat(left.c_str(), &a) == 0 && ::stat(right.c_str(), &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// All operands, worked on by a few threads.
///
/// Thread-safety: `work` runs on each of them; they share counters, which are atomic, and objects that are safe to share.
class DeriveRun {
 public:
  DeriveRun(Console& console, Progress& progress, const DeriveOptions& options, std::vector<PlannedOutput> outputs, media::Library* library,
            media::Processor& processor, std::stop_token stop)
      : console_(console),
        progress_(progress),
        options_(options),
        outputs_(std::move(outputs)),
        library_(library),
        processor_(processor),
        stop_(std::move(stop)) {
    for (const PlannedOutput& output : outputs_) transforms_.push_back(output.transform);
  }

  void run() {
    // Names are given out before any work is done, in the operands' order: who keeps a contested name must not depend on speed.
    for (const std::string& operand : options_.operands) work_list_.push_back(assign(operand));
    const std::size_t count = std::min<std::size_t>(options_.jobs, work_list_.size());
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < count; ++i) threads.emplace_back([this] { work(); });
    work();
  }

  [[nodiscard]] std::uint64_t derived() const noexcept { return derived_.load(); }
  [[nodiscard]] std::uint64_t failed() const noexcept { return failed_.load(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_.load(); }

 private:
  struct Work {
    std::string operand;
    std::optional<media::MediaId> id;
    std::vector<std::string> paths;  ///< One for each output.
    std::string refusal;             ///< Not empty: these paths may not be written.
  };

  Work assign(const std::string& operand) {
    Work work;
    work.operand = operand;
    work.id = parse_media_id(operand);
    for (const PlannedOutput& output : outputs_) {
      std::string path = options_.text.output;
      if (path.empty()) path = (std::filesystem::path(options_.text.out_dir) / (stem_of(operand) + output.suffix)).string();
      if (path == "-") {
        work.paths.push_back(path);
        continue;
      }
      if (const auto owner = claims_.claim(path, operand); owner && work.refusal.empty()) {
        work.refusal = "'" + path + "' would overwrite the picture of '" + *owner + "': use another --out-dir";
      }
      if (!work.id && same_file(path, operand)) work.refusal = "'" + path + "' is the source itself";
      work.paths.push_back(std::move(path));
    }
    if (!options_.index.empty() &&
        ((!work.id && same_file(options_.index, operand)) || is_same_path(options_.index, options_.text.output))) {
      work.refusal = "--index: '" + options_.index + "' is the source or the sheet itself";
    }
    return work;
  }

  void work() {
    while (!stop_.stop_requested()) {
      const std::size_t index = next_.fetch_add(1);
      if (index >= work_list_.size()) return;
      const Work& work = work_list_[index];
      auto done = one(work);
      if (!done) fail(work, done.error());
      progress_.add(1, 0);
    }
  }

  media::Result<void> one(const Work& work) {
    if (!work.refusal.empty()) return media::Error{media::Errc::already_exists, work.refusal};
    if (work.id) return from_media(work);
    MEDIA_TRY_ASSIGN(const auto file, media::FileReader::open(work.operand));
    MEDIA_TRY(from_content(work, *file, transforms_, work.paths));
    return options_.index.empty() ? media::Result<void>{} : keep_index(work, *file);
  }

  media::Result<void> from_media(const Work& work) {
    auto content = library_->read(*work.id);
    if (!content && content.error().code == media::Errc::not_found) return no_such_media(*work.id);
    if (!content) return std::move(content).error();
    MEDIA_TRY_ASSIGN(const auto stored, library_->renditions(*work.id));
    std::vector<media::Transform> missing;
    std::vector<std::string> missing_paths;
    for (std::size_t i = 0; i < transforms_.size(); ++i) {
      MEDIA_TRY_ASSIGN(const std::string encoder, media::encoder_version(transforms_[i].format));
      const std::string spelling = media::to_string(transforms_[i]);
      const bool is_stored = std::any_of(stored.begin(), stored.end(), [&](const media::Rendition& each) {
        return each.transform == spelling && each.encoder == encoder;
      });
      if (!is_stored) {
        missing.push_back(transforms_[i]);
        missing_paths.push_back(work.paths[i]);
        continue;
      }
      auto found = library_->derive(*work.id, transforms_[i], stop_);
      if (!found && found.error().code == media::Errc::not_found) {
        // A video that was encoded for another media of the same bytes.
        missing.push_back(transforms_[i]);
        missing_paths.push_back(work.paths[i]);
        continue;
      }
      if (!found) return std::move(found).error();
      const media::Picture picture = std::move(*found);
      Picture stored_one{picture.rendition.width, picture.rendition.height, {}};
      stored_one.content = picture.content;
      MEDIA_TRY(keep(work, work.paths[i], transforms_[i].format, stored_one));
    }
    if (!missing.empty()) MEDIA_TRY(from_content(work, **content, missing, missing_paths));
    return options_.index.empty() ? media::Result<void>{} : keep_index(work, **content);
  }

  /// The index of the one sheet that was made. It names the sheet by its file name: both are meant to lie in one folder.
  media::Result<void> keep_index(const Work& work, const media::ByteReader& content) {
    MEDIA_TRY_ASSIGN(const media::MediaInfo info, media::probe(content));
    MEDIA_TRY_ASSIGN(const media::SheetLayout layout, media::sheet_layout(info));
    const std::string name = std::filesystem::path(work.paths.front()).filename().string();
    MEDIA_TRY_ASSIGN(const std::string text, media::sheet_index(layout, sheet_.width, sheet_.height, url_path(name)));
    MEDIA_TRY_ASSIGN(OutputFile file, OutputFile::open(options_.index));
    MEDIA_TRY(file.write(std::as_bytes(std::span(text))));
    return file.commit();
  }

  /// One decode, every picture.
  media::Result<void> from_content(const Work& work, const media::ByteReader& content, std::span<const media::Transform> transforms,
                                   std::span<const std::string> paths) {
    media::DeriveOptions options;
    options.budget = budget_;
    options.stop = stop_;
    if (options_.search_seconds > 0) options.search_time = std::chrono::milliseconds(std::llround(options_.search_seconds * 1000));
    MEDIA_TRY_ASSIGN(const media::Derived derived, processor_.derive(content, transforms, options));
    for (std::size_t i = 0; i < derived.outputs.size(); ++i) {
      const media::Encoded& output = derived.outputs[i];
      const bool searched = output.quality != 0 && (output.transform.score != 0 || output.transform.max_bytes != 0);
      MEDIA_TRY(keep(work, paths[i], output.transform.format,
                     {output.width, output.height, output.bytes, output.quality, output.score, searched, output.content}));
    }
    return {};
  }

  media::Result<void> keep(const Work& work, const std::string& path, media::Format format, const Picture& picture) {
    sheet_ = {picture.width, picture.height};
    if (path == "-") {
      MEDIA_TRY(picture.for_each_piece([&](std::span<const std::byte> bytes) { return console_.content(bytes); }));
    } else {
      MEDIA_TRY_ASSIGN(OutputFile file, OutputFile::open(path));
      MEDIA_TRY(picture.for_each_piece([&](std::span<const std::byte> bytes) { return file.write(bytes); }));
      MEDIA_TRY(file.commit());
    }
    derived_.fetch_add(1);
    bytes_.fetch_add(picture.size());
    if (path == "-") return {};
    console_.record(Json{{"path", work.operand},
                         {"status", "derived"},
                         {"output", path},
                         {"format", std::string(media::to_string(format))},
                         {"width", picture.width},
                         {"height", picture.height},
                         {"size", picture.size()},
                         {"quality", picture.quality == 0 ? Json(nullptr) : Json(picture.quality)},
                         {"score", picture.score == 0 ? Json(nullptr) : Json(picture.score)},
                         {"reason", nullptr}});
    if (!console_.shows_status_instead_of_lines()) {
      console_.text(printable(path) + "  " + std::to_string(picture.width) + "x" + std::to_string(picture.height) + "  " +
                    human_bytes(picture.size()) + chosen(picture));
    }
    return {};
  }

  void fail(const Work& work, const media::Error& error) {
    if (error.code == media::Errc::cancelled && stop_.stop_requested()) return;
    failed_.fetch_add(1);
    const std::string reason = reason_of(error, work.operand);
    console_.problem("cannot derive from", work.operand, reason);
    console_.record(Json{{"path", work.operand},
                         {"status", "failed"},
                         {"output", nullptr},
                         {"format", nullptr},
                         {"width", nullptr},
                         {"height", nullptr},
                         {"size", nullptr},
                         {"reason", reason}});
  }

  Console& console_;
  Progress& progress_;
  const DeriveOptions& options_;
  const std::vector<PlannedOutput> outputs_;
  media::Library* const library_;  ///< Null where no operand is an id.
  media::Processor& processor_;
  const std::stop_token stop_;
  const media::ProcessingBudget budget_;
  std::vector<media::Transform> transforms_;
  struct {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
  } sheet_;  ///< The last picture that was made; asked for where there is one picture alone.
  OutputClaims claims_;
  std::vector<Work> work_list_;
  std::atomic<std::size_t> next_{0};
  std::atomic<std::uint64_t> derived_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::uint64_t> bytes_{0};
};

media::Result<std::unique_ptr<media::Processor>> make_processor(const DeriveOptions& options) {
  if (isolation_from(options.isolation) == media::Isolation::none) return media::make_in_process_processor();
  MEDIA_TRY(check_worker());
  media::WorkerPoolOptions pool;
  pool.workers = static_cast<unsigned>(std::min<std::size_t>(options.jobs, options.operands.size()));
  pool.encoding_workers = pool.workers;
  return media::make_worker_processor(pool);
}

media::Result<void> check_targets(const DeriveText& text, std::size_t operands, bool json) {
  using media::Errc;
  using media::Error;
  if (text.output.empty() == text.out_dir.empty())
    return Error{Errc::invalid_argument, "say where to: -o FILE for one picture, or --out-dir DIR"};
  if (!text.output.empty() && operands != 1) return Error{Errc::invalid_argument, "-o takes one source: use --out-dir"};
  if (text.output == "-" && json) return Error{Errc::invalid_argument, "--json and -o - both want standard output"};
  return {};
}

Exit run(Console& console, const Globals& globals, const DeriveOptions& options) {
  if (auto checked = check_targets(options.text, options.operands.size(), console.json()); !checked) return console.fail(checked.error());
  auto outputs = plan_outputs(options.text);
  if (!outputs) return console.fail(outputs.error());
  if (!options.index.empty() && (options.text.output.empty() || options.text.output == "-" || options.text.frames != "sheet")) {
    return console.fail({media::Errc::invalid_argument, "--index goes with --frames sheet and -o FILE"});
  }

  const Interrupt interrupt;
  std::unique_ptr<media::Library> library;
  if (std::any_of(options.operands.begin(), options.operands.end(),
                  [](const std::string& each) { return parse_media_id(each).has_value(); })) {
    // It only hands out what is stored; what is made is made by our own processor.
    auto opened = open_store(globals, {});
    if (!opened) return console.fail(opened.error());
    library = std::move(*opened);
  }
  auto processor = make_processor(options);
  if (!processor) return console.fail(processor.error());
  if (!options.text.out_dir.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options.text.out_dir, error);
    if (error) return console.fail({media::Errc::io, "cannot make folder '" + printable(options.text.out_dir) + "': " + error.message()});
  }

  Progress progress(console, "files");
  progress.set_total(options.operands.size(), 0);
  DeriveRun derive(console, progress, options, std::move(*outputs), library.get(), **processor, interrupt.token());
  derive.run();
  console.summary(Json{{"files", options.operands.size()},
                       {"derived", derive.derived()},
                       {"failed", derive.failed()},
                       {"bytes", derive.bytes()},
                       {"seconds", progress.elapsed().count()}},
                  {});
  if (interrupt.signal_number() != 0) return exit_for_signal(interrupt.signal_number());
  return derive.failed() == 0 ? Exit::ok : Exit::findings;
}

}  // namespace

void add_derive(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("derive", "Make pictures and videos of other sizes and formats; a file needs no store");
  auto options = std::make_shared<DeriveOptions>();
  options->jobs = default_jobs();
  DeriveText& text = options->text;
  command->add_option("ID|FILE", options->operands, "Media ids (digits alone), pictures or videos (./12 for a file called 12)")->required();
  // A list is one argument: without this the option would take the files that follow it, too.
  command->add_option("-w,--width", text.widths, "Widths in pixels: 320,800 (default: by the height, or the source's own)")
      ->allow_extra_args(false);
  command->add_option("--height", text.height, "Height in pixels");
  command
      ->add_option("--format", text.formats,
                   "avif (default), jpeg, webp, png, gif; mp4 or webm: a video (720p unless -w or --height); a list makes each")
      ->allow_extra_args(false);
  command->add_option("-q,--quality", text.quality, "1 to 100 (default: the format's own)");
  command->add_option("--fit", text.fit, "How to meet width and height: inside (default), contain, cover, fill, none, pad");
  command->add_flag("--enlarge", text.enlarge, "Make more pixels than the source has, where asked for");
  command->add_option("--bg,--background", text.background, "Colour behind transparent parts, and about what --fit pad pads: ffffff");
  for (KeyOption& edit : text.edits) command->add_option(edit.option, edit.value, edit.about);
  command->add_option(
      "--frames", text.frames,
      "Of an animation: first (default) or all, where the format can: avif, webp, gif. Of a video: first, clip (3 s, in the same "
      "formats) or sheet (tiles from all over it)");
  command->add_option("--index", options->index, "With --frames sheet and -o: write the WebVTT index of its tiles to this file");
  command->add_option("--preset", text.presets, "thumb, medium or large, in AVIF, WebP and JPEG unless --format says else")
      ->allow_extra_args(false);
  command->add_option("-o,--output", text.output, "Write the one picture to this file, or to standard output (-)");
  command->add_option("--out-dir", text.out_dir, "Write <name>-<width>.<extension> into this folder");
  add_jobs_option(*command, options->jobs);
  command
      ->add_option("--deadline", options->search_seconds,
                   "Try no further quality for --score or --max-bytes after so many seconds (default: until the best is found)")
      ->check(CLI::Range(0.001, 3600.0));
  add_isolation_option(*command, options->isolation);
  command->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return run(console, globals, *options); };
  });
}

}  // namespace mediactl

// An ingest: its lines of output, its totals, and what ends it early.
#include "ingest_report.hpp"

#include <array>

#include "text.hpp"

namespace mediactl {
namespace {

Json number_or_null(std::uint64_t number) { return number > 0 ? Json(number) : Json(); }

}  // namespace

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
    if (line.shared != media::FileSharing::none) {
      ++totals_.shared;
      totals_.shared_bytes += line.bytes;
    }
    if (!line.copied_because.empty()) ++totals_.copied[line.copied_because];
  }
  progress_.add(1, line.bytes);
  if (console_.json()) {
    Json object{{"path", line.path},
                {"status", name},
                {"id", line.id > 0 ? Json(line.id) : Json()},
                {"digest", line.digest ? Json(line.digest->to_hex()) : Json()},
                {"media_type", line.media_type.empty() ? Json() : Json(line.media_type)},
                {"width", number_or_null(line.info.display_width())},
                {"height", number_or_null(line.info.display_height())},
                {"reason", line.reason.empty() ? Json() : Json(line.reason)}};
    if (plan_.sharing != media::FileSharing::none) {
      object["shared"] = line.shared != media::FileSharing::none ? Json(media::to_string(line.shared)) : Json();
    }
    console_.record(object);
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

#include <array>
#include <memory>
#include <vector>

#include "command.hpp"
#include "open_store.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

struct ListOptions {
  std::string state;
  std::size_t limit = 1000;
};

struct RetryOptions {
  std::vector<std::int64_t> ids;
  bool all = false;
};

constexpr std::array<std::string_view, 3> kStates = {"queued", "running", "dead"};

std::string_view name_of(media::JobState state) noexcept { return kStates.at(static_cast<std::size_t>(state)); }

std::optional<media::JobState> state_from(const std::string& text) {
  for (const auto state : {media::JobState::queued, media::JobState::running, media::JobState::dead}) {
    if (name_of(state) == text) return state;
  }
  return std::nullopt;
}

Json job_object(const media::Job& job) {
  return Json{{"id", job.id},
              {"kind", job.kind},
              {"media_id", job.media_id == 0 ? Json() : Json(job.media_id)},
              {"state", name_of(job.state)},
              {"attempts", job.attempts},
              {"progress", job.progress},
              {"created_at", media::to_rfc3339(job.created_at)},
              {"run_after", media::to_rfc3339(job.run_after)},
              {"lease_until", job.lease_until ? Json(media::to_rfc3339(*job.lease_until)) : Json()},
              {"last_error", job.last_error.empty() ? Json() : Json(printable(job.last_error))}};
}

std::string line_for(const media::Job& job) {
  std::string line = std::to_string(job.id) + "  " + std::string(name_of(job.state)) + "  " + job.kind + "  " +
                     media::to_rfc3339(job.created_at) + "  attempts " + std::to_string(job.attempts);
  if (job.media_id != 0) line += "  media " + std::to_string(job.media_id);
  if (!job.last_error.empty()) line += "  " + printable(job.last_error);
  return line;
}

Exit list(Console& console, const Globals& globals, const ListOptions& options) {
  auto library = open_store(globals, {});
  if (!library) return console.fail(library.error());
  const auto jobs = (*library)->list_jobs(state_from(options.state), options.limit);
  if (!jobs) return console.fail(jobs.error());
  for (const media::Job& job : *jobs) {
    console.record(job_object(job));
    console.text(line_for(job));
  }
  console.summary(Json{{"count", jobs->size()}}, {});
  return Exit::ok;
}

Exit retry(Console& console, const Globals& globals, RetryOptions options) {
  if (options.ids.empty() != options.all) {
    return console.fail({media::Errc::invalid_argument, "jobs retry: either the ids of dead jobs are wanted, or --all"});
  }
  auto library = open_store(globals, {.access = Access::write});
  if (!library) return console.fail(library.error());
  if (options.all) {
    const auto dead = (*library)->list_jobs(media::JobState::dead, SIZE_MAX);
    if (!dead) return console.fail(dead.error());
    for (const media::Job& job : *dead) options.ids.push_back(job.id);
  }
  std::uint64_t retried = 0;
  std::uint64_t failed = 0;
  for (const std::int64_t id : options.ids) {
    const auto done = (*library)->retry_job(id);
    if (!done) return console.fail(done.error());
    ++(*done ? retried : failed);
    console.record(Json{{"id", id}, {"status", *done ? "queued" : "not_found"}});
    if (*done) {
      console.text("queued " + std::to_string(id));
    } else {
      console.complain("there is no dead job " + std::to_string(id));
    }
  }
  console.summary(Json{{"queued", retried}, {"failed", failed}}, {});
  return failed == 0 ? Exit::ok : Exit::findings;
}

}  // namespace

void add_jobs(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("jobs", "List queued work, and queue again what was given up");
  command->require_subcommand(1);

  CLI::App* listing = add_action(*command, "list", "What waits, runs, or was given up (dead), with the last error");
  auto wanted = std::make_shared<ListOptions>();
  listing->add_option("--state", wanted->state, "queued, running or dead (default: all)")
      ->check(CLI::IsMember({"queued", "running", "dead"}));
  listing->add_option("--limit", wanted->limit, "The first so many (default 1000)")->check(CLI::Range(1, 1'000'000))->type_name("N");
  listing->callback([&invocation, wanted] {
    invocation.run = [wanted](Console& console, const Globals& globals) { return list(console, globals, *wanted); };
  });

  CLI::App* retrying = add_action(*command, "retry", "Queue dead jobs again, as if they had never been tried");
  auto options = std::make_shared<RetryOptions>();
  retrying->add_option("ID", options->ids, "Which");
  retrying->add_flag("--all", options->all, "Every dead one");
  retrying->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return retry(console, globals, *options); };
  });
}

}  // namespace mediactl

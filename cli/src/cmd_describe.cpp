#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "command.hpp"
#include "interrupt.hpp"
#include "open_store.hpp"

namespace mediactl {
namespace {

struct DescribeOptions {
  unsigned jobs = 1;
  std::string isolation = "process";
};

Exit run(Console& console, const Globals& globals, const DescribeOptions& options) {
  const Interrupt interrupt;
  auto library = open_store(globals, {Access::write, isolation_from(options.isolation), options.jobs});
  if (!library) return console.fail(library.error());
  media::RunJobsOptions work;
  work.stop = interrupt.token();
  std::atomic<std::uint64_t> looked_at{0};
  std::mutex mutex;
  std::optional<media::Error> failure;
  const auto look = [&] {
    const auto ended = (*library)->describe_old_media(work);
    if (ended) {
      looked_at += *ended;
      return;
    }
    const std::lock_guard lock(mutex);
    failure = ended.error();
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < options.jobs; ++i) threads.emplace_back(look);
    look();
  }
  if (failure && interrupt.signal_number() == 0) return console.fail(*failure);
  console.summary(Json{{"looked_at", looked_at.load()}}, "looked at " + std::to_string(looked_at.load()) + " media");
  if (interrupt.signal_number() != 0) return exit_for_signal(interrupt.signal_number());
  return Exit::ok;
}

}  // namespace

void add_describe(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("describe", "Find out how media look that an older version took in");
  auto options = std::make_shared<DescribeOptions>();
  options->jobs = default_jobs();
  add_jobs_option(*command, options->jobs);
  add_isolation_option(*command, options->isolation);
  command->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return run(console, globals, *options); };
  });
}

}  // namespace mediactl

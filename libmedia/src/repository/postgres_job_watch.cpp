#include "repository/postgres_job_watch.hpp"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "repository/postgres_dialect.hpp"
#include "repository/postgres_writer.hpp"

namespace media::postgres {
namespace {

constexpr int kFirstPause = 100;
constexpr int kLongestPause = 5000;
/// How often a silent connection is asked whether it is still there.
constexpr int kProveEvery = 30'000;

}  // namespace

JobWatch::JobWatch(PostgresRepositoryOptions options, std::function<void()> wake)
    : options_(std::move(options)), wake_(std::move(wake)), stop_(::eventfd(0, EFD_CLOEXEC)) {
  // Signals are for the program's own threads; the new one inherits the mask.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

JobWatch::~JobWatch() {
  const std::uint64_t one = 1;
  while (::write(stop_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
  thread_.join();
}

bool JobWatch::pause(int milliseconds) {
  pollfd entry{stop_.get(), POLLIN, 0};
  return ::poll(&entry, 1, milliseconds) <= 0;
}

void JobWatch::run() {
  int wait = kFirstPause;
  do {
    auto connection = Connection::open(options_, std::chrono::steady_clock::now() + options_.connect_timeout);
    if (!connection) {
      wait = std::min(wait * 2, kLongestPause);
      continue;
    }
    wait = kFirstPause;
    const auto listened = guarded(**connection, "listen for jobs", [&]() -> Result<void> {
      listen(**connection);
      return {};
    });
    static_cast<void>(listened);  // Lost: another one is made.
  } while (pause(wait));
}

void JobWatch::listen(Connection& connection) {
  const auto limit = [&] { connection.wait_until(std::chrono::steady_clock::now() + options_.statement_timeout); };
  limit();
  connection.run_script("LISTEN " + quoted_identifier(job_channel(options_.schema)));
  wake_();  // What was told while nobody listened.
  for (;;) {
    std::array<pollfd, 2> entries{{{stop_.get(), POLLIN, 0}, {connection.socket(), POLLIN, 0}}};
    const int ready = ::poll(entries.data(), entries.size(), kProveEvery);
    if (ready > 0 && entries[0].revents != 0) return;
    if (ready == 0) {
      limit();
      connection.run_script("SELECT 1");
    }
    if (connection.take_notifications()) wake_();
    if (connection.lost()) return;
  }
}

}  // namespace media::postgres

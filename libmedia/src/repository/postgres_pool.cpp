#include "repository/postgres_pool.hpp"

#include <algorithm>
#include <thread>

namespace media::postgres {
namespace {

constexpr std::chrono::milliseconds kFirstPause{50};
constexpr std::chrono::milliseconds kLongestPause{1000};
/// So that what a long session gathers (memory, a host that is not the main one any more) goes in the end.
constexpr std::chrono::hours kLongestLife{1};

}  // namespace

Lease::~Lease() {
  if (borrowed_) pool_->give_back(std::move(borrowed_));
}

Pool::Pool(PostgresRepositoryOptions options) : options_(std::move(options)) { free_.reserve(options_.max_connections); }

Result<Lease> Pool::acquire(Deadline deadline, Outage outage) {
  const auto by = std::min(deadline, std::chrono::steady_clock::now() + options_.acquire_timeout);
  MEDIA_TRY_ASSIGN(auto connection, take(by));
  if (!connection) {
    auto opened = connect(deadline, outage);
    if (!opened) {
      give_back(nullptr);
      return std::move(opened).error();
    }
    connection = std::move(opened).value();
  }
  connection->wait_until(deadline);
  connection->forget_failure();
  return Lease(*this, std::move(connection));
}

Result<std::unique_ptr<Connection>> Pool::take(Deadline deadline) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (!freed_.wait_until(lock, deadline, [&] { return !free_.empty() || open_ < options_.max_connections; })) {
      return Error{Errc::unavailable, "use the catalog: every connection to the database is in use"};
    }
    if (free_.empty()) break;
    auto connection = std::move(free_.back());
    free_.pop_back();
    if (!connection->is_stale() && connection->opened_at() + kLongestLife > std::chrono::steady_clock::now()) return connection;
    --open_;
  }
  ++open_;
  return std::unique_ptr<Connection>();
}

Result<std::unique_ptr<Connection>> Pool::connect(Deadline deadline, Outage outage) {
  const auto patience = outage == Outage::tell ? deadline : std::min(deadline, std::chrono::steady_clock::now() + options_.outage_patience);
  for (;;) {
    Deadline attempt;
    {
      const std::lock_guard lock(mutex_);
      attempt = next_attempt_;
    }
    if (outage == Outage::wait && attempt < patience) std::this_thread::sleep_until(attempt);
    auto opened = Connection::open(options_, patience);
    if (opened) {
      const std::lock_guard lock(mutex_);
      pause_ = {};
      next_attempt_ = {};
      return opened;
    }
    note_outage();
    const auto now = std::chrono::steady_clock::now();
    if (outage == Outage::tell || opened.error().code != Errc::unavailable || now + kFirstPause >= patience) return opened;
  }
}

void Pool::note_outage() {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (next_attempt_ > now) return;  // Another one noted it.
  pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
  next_attempt_ = now + pause_;
}

void Pool::give_back(std::unique_ptr<Connection> connection) noexcept {
  {
    const std::lock_guard lock(mutex_);
    const bool is_good = connection && !connection->lost() && connection->opened_at() + kLongestLife > std::chrono::steady_clock::now();
    if (is_good) {
      free_.push_back(std::move(connection));  // Room was reserved.
    } else {
      --open_;
    }
  }
  freed_.notify_one();
}

}  // namespace media::postgres

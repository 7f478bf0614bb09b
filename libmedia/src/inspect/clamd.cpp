// A pool of sessions with clamd, and what its answers mean.
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "inspect/clamd_session.hpp"
#include "media/scanner.hpp"

namespace media {
namespace {

using inspect::ClamdReply;
using inspect::ClamdSession;
using Steady = std::chrono::steady_clock;

class ClamdScanner final : public Scanner {
 public:
  ClamdScanner(ClamdOptions options, inspect::ClamdAddress address) : options_(std::move(options)), address_(std::move(address)) {}

  Result<Scan> scan(const ByteReader& content) override {
    if (options_.max_bytes != 0 && content.size() > options_.max_bytes) return Scan{Scan::Finding::too_large, {}};
    const auto deadline = Steady::now() + options_.scan_timeout;
    bool broke = false;
    for (int attempt = 0;; ++attempt) {
      MEDIA_TRY_ASSIGN(auto turn, take_turn(deadline, attempt > 0));
      const auto reply = turn.session->scan(content, deadline);
      if (reply) return conclude(std::move(turn), *reply);
      if (reply.error().code == Errc::corrupt && !is_of_content(reply.error())) return unavailable(reply.error());
      if (reply.error().code != Errc::unavailable) return reply.error();
      const bool breaks_again = turn.session->broke_while_sending() && broke;
      broke = turn.session->broke_while_sending();
      // One that was idle may have been closed at this moment. One that broke twice at the same content, by a clamd that is there, has had
      // enough of it.
      if (breaks_again && check()) return Scan{Scan::Finding::too_large, {}};
      if (attempt > 0 || (!turn.was_idle && !broke) || Steady::now() >= deadline) return reply.error();
    }
  }

  Result<void> check() override {
    const auto deadline = Steady::now() + options_.connect_timeout;
    MEDIA_TRY_ASSIGN(const auto session, ClamdSession::open(address_, deadline));
    const auto reply = session->ping(deadline);
    if (!reply) return unavailable(reply.error());
    if (reply->kind != ClamdReply::Kind::pong) return Error{Errc::unavailable, "clamd: it does not answer PING with PONG"};
    return {};
  }

 private:
  /// A session for one scan; its end makes room for the next one.
  struct Turn {
    Turn(ClamdScanner& of, std::unique_ptr<ClamdSession> taken, bool idle) : scanner(&of), session(std::move(taken)), was_idle(idle) {}
    Turn(Turn&& other) noexcept
        : scanner(std::exchange(other.scanner, nullptr)), session(std::move(other.session)), was_idle(other.was_idle) {}
    Turn& operator=(Turn&&) = delete;
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      if (scanner != nullptr) scanner->give_back(nullptr);
    }
    ClamdScanner* scanner;
    std::unique_ptr<ClamdSession> session;
    bool was_idle;
  };

  static bool is_of_content(const Error& error) { return !error.message.starts_with("clamd: "); }
  static Error unavailable(const Error& error) { return {Errc::unavailable, error.message}; }

  Result<Turn> take_turn(Steady::time_point deadline, bool fresh) {
    {
      std::unique_lock lock(mutex_);
      if (!freed_.wait_until(lock, deadline, [this] { return in_use_ < options_.max_connections; })) {
        return Error{Errc::unavailable, "clamd: too many scans at one time"};
      }
      ++in_use_;
      while (!fresh && !idle_.empty()) {
        auto session = std::move(idle_.back());
        idle_.pop_back();
        if (!session->is_stale()) return Turn(*this, std::move(session), true);
      }
    }
    Turn turn(*this, nullptr, false);
    MEDIA_TRY_ASSIGN(turn.session, ClamdSession::open(address_, std::min(deadline, Steady::now() + options_.connect_timeout)));
    return turn;
  }

  void give_back(std::unique_ptr<ClamdSession> session) {
    const std::lock_guard lock(mutex_);
    --in_use_;
    if (session && !session->is_stale() && idle_.size() < options_.max_connections) idle_.push_back(std::move(session));
    freed_.notify_one();
  }

  Result<Scan> conclude(Turn turn, const ClamdReply& reply) {
    const auto keep = [&] { std::exchange(turn.scanner, nullptr)->give_back(std::move(turn.session)); };
    switch (reply.kind) {
      case ClamdReply::Kind::clean:
        keep();
        return Scan{};
      case ClamdReply::Kind::infected:
        keep();
        return Scan{Scan::Finding::infected, reply.text};
      case ClamdReply::Kind::size_limit:
        return Scan{Scan::Finding::too_large, {}};
      case ClamdReply::Kind::pong:
      case ClamdReply::Kind::error:
        break;
    }
    return Error{Errc::unavailable, "clamd: it cannot scan: " + (reply.text.empty() ? "PONG" : reply.text)};
  }

  const ClamdOptions options_;
  const inspect::ClamdAddress address_;
  std::mutex mutex_;
  std::condition_variable freed_;
  unsigned in_use_ = 0;
  std::vector<std::unique_ptr<ClamdSession>> idle_;
};

}  // namespace

Result<std::unique_ptr<Scanner>> open_clamd_scanner(const ClamdOptions& options) {
  if (options.max_connections == 0) return Error{Errc::invalid_argument, "the scanner takes one connection at least"};
  MEDIA_TRY_ASSIGN(auto address, inspect::parse_clamd_address(options.address));
  return std::unique_ptr<Scanner>(std::make_unique<ClamdScanner>(options, std::move(address)));
}

}  // namespace media

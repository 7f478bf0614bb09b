/// Malware scanning of what comes in.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "media/export.hpp"
#include "media/io.hpp"
#include "media/result.hpp"

namespace media {

/// What a scanner says of one content.
struct Scan {
  enum class Finding : std::uint8_t {
    clean,
    infected,
    too_large,  ///< The scanner does not take so much: it says nothing of these bytes, least of all that they are clean.
  };
  Finding finding = Finding::clean;
  std::string signature{};  ///< Its name, where infected.

  friend bool operator==(const Scan&, const Scan&) = default;
};

/// Looks for malware.
///
/// Thread-safety: every method may be called concurrently.
class MEDIA_EXPORT Scanner {
 public:
  virtual ~Scanner() = default;
  Scanner(const Scanner&) = delete;
  Scanner& operator=(const Scanner&) = delete;

  /// Reads the whole content, or as much as it takes. Errors: `unavailable` (it is down, does not answer in time, or its answer is none),
  /// and those of the content.
  virtual Result<Scan> scan(const ByteReader& content) = 0;
  /// Does it answer? Errors: `unavailable`.
  virtual Result<void> check() = 0;

 protected:
  Scanner() = default;
};

/// Where clamd listens, and how long it is waited for.
struct ClamdOptions {
  /// "unix:/run/clamav/clamd.ctl", or "127.0.0.1:3310": what comes in goes to it in the clear, so a name or an address beyond this machine
  /// is refused.
  std::string address{};
  std::chrono::milliseconds connect_timeout{2'000};
  /// Of a whole scan, from the first byte that is sent to the answer.
  std::chrono::milliseconds scan_timeout{60'000};
  /// Scans at one time; a further one waits for its turn, up to `scan_timeout`. Idle connections are kept for the next ones.
  unsigned max_connections = 8;
  /// Contents beyond it are not sent; 0: clamd decides (StreamMaxLength).
  std::uint64_t max_bytes = 0;
};

/// clamd by INSTREAM within sessions (clamd(8)). Does not connect before the first scan. Errors: `invalid_argument` (the address).
MEDIA_EXPORT Result<std::unique_ptr<Scanner>> open_clamd_scanner(const ClamdOptions& options);

}  // namespace media

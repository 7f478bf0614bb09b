// media-worker: decodes strangers' bytes for libmedia, which starts it with one end of a socket as descriptor 3 and the
// address space that it may ever take, in bytes, as its argument. With --selftest instead it closes its locks, tries what a worker that
// was taken over would try, and says what came of it.
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>

#include "attempts.hpp"
#include "cage/child.hpp"
#include "cage/confine.hpp"
#include "cage/self_test.hpp"
#include "cage/serve.hpp"
#include "core/sanitized.hpp"
#include "image/format.hpp"
#include "image/pipeline.hpp"
#include "locks.hpp"
#include "media/version.hpp"

namespace {

using media::cage::Child;

constexpr int kExitUsage = 64;
constexpr int kExitNotConfined = 70;
/// What the self-test leaves itself.
constexpr std::uint64_t kSelfTestBytes = 256ULL << 20U;

bool is_socket(int descriptor) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

/// Everything that has to be loaded first is loaded by then. Says which Landlock the kernel has.
media::Result<int> confine(std::uint64_t memory_bytes) {
  media::image::load_codecs();
  MEDIA_TRY(media::cage::confine_process(memory_bytes));
  if (media::kSanitized) return media::cage::kNoLandlock;
  MEDIA_TRY_ASSIGN(const int landlock, media::cage::lock_file_system());
  MEDIA_TRY(media::cage::lock_system_calls());
  return landlock;
}

/// Told over the socket, for where nothing may be written to a file.
int self_test() {
  const auto landlock = confine(kSelfTestBytes);
  std::string report = landlock ? media::cage::write_self_test_head(*landlock) : media::cage::write_self_test_failure(landlock.error());
  if (landlock) {
    for (const auto& attempt : media::cage::attempts()) report += media::cage::write_self_test_line(attempt.what, attempt.make());
  }
  const auto told = ::write(Child::kSocket, report.data(), report.size());
  return told == static_cast<ssize_t>(report.size()) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::puts("media-worker " MEDIA_VERSION);
    return 0;
  }
  const bool is_started_by_libmedia = is_socket(Child::kSocket);
  if (argc == 2 && std::strcmp(argv[1], "--selftest") == 0 && is_started_by_libmedia) return self_test();
  std::uint64_t memory_bytes = 0;
  const char* const end = argc == 2 ? argv[1] + std::strlen(argv[1]) : nullptr;
  const bool understood = argc == 2 && std::from_chars(argv[1], end, memory_bytes).ptr == end && memory_bytes > 0;
  if (!understood || !is_started_by_libmedia) {
    std::fputs("media-worker decodes media for libmedia, which starts it; it does nothing when started by hand.\n", stderr);
    return kExitUsage;
  }
  // Without its limits and locks it must not see a stranger's byte.
  if (!media::cage::end_with_peer(Child::kSocket) || !confine(memory_bytes)) return kExitNotConfined;
  const auto derive = [](const media::ByteReader& source, std::span<const media::Transform> transforms,
                         const media::DeriveOptions& options) {
    return media::image::derive(source, transforms, options, media::image::Decoders::own);
  };
  return media::cage::serve(Child::kSocket, {media::image::probe, derive, media::cage::limit_job});
}

// A worker decodes strangers' bytes for libmedia, which starts it with one end of a socket as descriptor 3 and the
// address space that it may ever take, in bytes, as its argument. With --selftest instead it closes its locks, tries what a worker that
// was taken over would try, and says what came of it.
#include "run.hpp"

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
#include "core/sanitized.hpp"
#include "locks.hpp"
#include "media/version.hpp"

namespace media::worker {
namespace {

using cage::Child;

constexpr int kExitUsage = 64;
constexpr int kExitNotConfined = 70;
/// What the self-test leaves itself.
constexpr std::uint64_t kSelfTestBytes = 256ULL << 20U;

bool is_socket(int descriptor) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

/// Says which Landlock the kernel has.
Result<int> confine(const Program& program, std::uint64_t memory_bytes) {
  if (program.get_ready != nullptr) program.get_ready();
  MEDIA_TRY(cage::confine_process(memory_bytes));
  if (kSanitized) return cage::kNoLandlock;
  MEDIA_TRY_ASSIGN(const int landlock, cage::lock_file_system());
  MEDIA_TRY(cage::lock_system_calls());
  return landlock;
}

/// Told over the socket, for where nothing may be written to a file.
int self_test(const Program& program) {
  const auto landlock = confine(program, kSelfTestBytes);
  std::string report = landlock ? cage::write_self_test_head(*landlock) : cage::write_self_test_failure(landlock.error());
  if (landlock && program.libraries != nullptr) report += cage::write_self_test_libraries(program.libraries());
  if (landlock) {
    for (const auto& attempt : cage::attempts()) report += cage::write_self_test_line(attempt.what, attempt.make());
  }
  const auto told = ::write(Child::kSocket, report.data(), report.size());
  return told == static_cast<ssize_t>(report.size()) ? 0 : 1;
}

}  // namespace

int run(int argc, char** argv, Program program) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::printf("%s %s\n", program.name, MEDIA_VERSION);
    return 0;
  }
  const bool is_started_by_libmedia = is_socket(Child::kSocket);
  if (argc == 2 && std::strcmp(argv[1], "--selftest") == 0 && is_started_by_libmedia) return self_test(program);
  std::uint64_t memory_bytes = 0;
  const char* const end = argc == 2 ? argv[1] + std::strlen(argv[1]) : nullptr;
  const bool understood = argc == 2 && std::from_chars(argv[1], end, memory_bytes).ptr == end && memory_bytes > 0;
  if (!understood || !is_started_by_libmedia) {
    std::fprintf(stderr, "%s decodes media for libmedia, which starts it; it does nothing when started by hand.\n", program.name);
    return kExitUsage;
  }
  // Without its limits and locks it must not see a stranger's byte.
  if (!cage::end_with_peer(Child::kSocket) || !confine(program, memory_bytes)) return kExitNotConfined;
  program.work.prepare = cage::limit_job;
  return cage::serve(Child::kSocket, program.work);
}

}  // namespace media::worker

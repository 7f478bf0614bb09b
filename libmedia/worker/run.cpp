// A worker decodes strangers' bytes for libmedia, which starts it with one end of a socket as descriptor 3 and the
// address space that it may ever take, in bytes, as its argument.
#include "run.hpp"

#include <sys/socket.h>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "cage/child.hpp"
#include "cage/confine.hpp"
#include "media/version.hpp"

namespace {

constexpr int kExitUsage = 64;
constexpr int kExitNotConfined = 70;

bool is_socket(int descriptor) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

}  // namespace

namespace media::worker {

int run(int argc, char** argv, Program program) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::printf("%s %s\n", program.name, MEDIA_VERSION);
    return 0;
  }
  std::uint64_t memory_bytes = 0;
  const char* const end = argc == 2 ? argv[1] + std::strlen(argv[1]) : nullptr;
  const bool understood = argc == 2 && std::from_chars(argv[1], end, memory_bytes).ptr == end && memory_bytes > 0;
  if (!understood || !is_socket(cage::Child::kSocket)) {
    std::fprintf(stderr, "%s decodes media for libmedia, which starts it; it does nothing when started by hand.\n", program.name);
    return kExitUsage;
  }
  if (program.get_ready != nullptr) program.get_ready();
  const auto confined = cage::confine_process(memory_bytes);
  const auto watching = cage::end_with_peer(cage::Child::kSocket);
  // Without its limits it must not see a stranger's byte.
  if (!confined || !watching) return kExitNotConfined;
  program.work.prepare = cage::limit_job;
  return cage::serve(cage::Child::kSocket, program.work);
}

}  // namespace media::worker

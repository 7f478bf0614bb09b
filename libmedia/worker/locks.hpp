/// The kernel's locks on a worker process: what the code that decodes a stranger's bytes could not do even if the stranger owned it.
#pragma once

#include "media/result.hpp"

namespace media::cage {

/// The first Landlock that is asked for nothing: this kernel has none.
inline constexpr int kNoLandlock = 0;

/// Takes away, by Landlock, every file that has a name, and with newer kernels network ports, other processes' abstract sockets and signals
/// to them. Descriptors that are open stay. For good, for all threads to come. Says which version the kernel knows; `kNoLandlock` is no
/// error, for `lock_system_calls` takes away the same by another way. Errors: `io`.
Result<int> lock_file_system();

/// Takes away, by seccomp, every system call but the few that decoding needs: no files are opened, no sockets or processes made, no memory
/// becomes code. What is refused fails with EPERM and does not kill, so that a codec that asks for something idle goes on. Libraries must
/// have been loaded before. For good, for all threads to come. Errors: `io`, `unsupported` (a kernel or container without seccomp).
Result<void> lock_system_calls();

}  // namespace media::cage

// The system calls that fault_injector counts, and where each names what it works on.
#pragma once

#include <fcntl.h>
#include <seccomp.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace torture {

/// Where in its arguments a call says what it is about.
enum class Target : std::uint8_t {
  descriptor,  ///< `first` is a descriptor.
  path,        ///< `first` is a path.
  at,          ///< `first` is a folder's descriptor, the next one a path.
  two_paths,   ///< `first` and the next one are paths.
  two_at,      ///< Two pairs of a folder's descriptor and a path.
  nothing,     ///< It makes a descriptor out of nothing.
};

/// What a call of which a part is done answers: which argument says how much there is to do.
enum class Amount : std::uint8_t { none, bytes, vectors };

struct Call {
  std::string_view name;
  Target target = Target::descriptor;
  unsigned first = 0;
  Amount amount = Amount::none;  ///< Always the third argument.
};

// Whatever changes a filesystem or tells somebody something. openat counts where it may make or cut a file, unless all opens are asked for.
inline constexpr std::array kCalls = {
    Call{"write", Target::descriptor, 0, Amount::bytes},
    Call{"pwrite64", Target::descriptor, 0, Amount::bytes},
    Call{"writev", Target::descriptor, 0, Amount::vectors},
    Call{"pwritev", Target::descriptor, 0, Amount::vectors},
    Call{"pwritev2", Target::descriptor, 0, Amount::vectors},
    Call{"sendto", Target::descriptor, 0, Amount::bytes},
    Call{"sendmsg", Target::descriptor, 0},
    Call{"sendfile", Target::descriptor, 0},
    Call{"splice", Target::descriptor, 2},
    Call{"copy_file_range", Target::descriptor, 2},
    Call{"ftruncate", Target::descriptor, 0},
    Call{"fallocate", Target::descriptor, 0},
    Call{"sync_file_range", Target::descriptor, 0},
    Call{"fsync", Target::descriptor, 0},
    Call{"fdatasync", Target::descriptor, 0},
    Call{"syncfs", Target::descriptor, 0},
    Call{"flock", Target::descriptor, 0},
    Call{"fchmod", Target::descriptor, 0},
    Call{"openat", Target::at, 0},
    Call{"open", Target::path, 0},
    Call{"mkdir", Target::path, 0},
    Call{"mkdirat", Target::at, 0},
    Call{"unlink", Target::path, 0},
    Call{"unlinkat", Target::at, 0},
    Call{"rmdir", Target::path, 0},
    Call{"truncate", Target::path, 0},
    Call{"rename", Target::two_paths, 0},
    Call{"renameat", Target::two_at, 0},
    Call{"renameat2", Target::two_at, 0},
    Call{"link", Target::two_paths, 0},
    Call{"linkat", Target::two_at, 0},
    // Only where they are asked for by name: what a process without a descriptor left cannot have.
    Call{"socket", Target::nothing, 0},
    Call{"accept4", Target::nothing, 0},
    Call{"pipe2", Target::nothing, 0},
    Call{"dup", Target::nothing, 0},
    Call{"eventfd2", Target::nothing, 0},
    Call{"epoll_create1", Target::nothing, 0},
    Call{"memfd_create", Target::nothing, 0},
};

inline bool is_open(const Call& call) noexcept { return call.name == "openat" || call.name == "open"; }

/// Of `openat` and `open`: would it change anything?
inline bool opens_to_change(std::uint64_t flags) noexcept { return (flags & (O_CREAT | O_TRUNC)) != 0 || (flags & O_TMPFILE) == O_TMPFILE; }

/// Nothing where this architecture lacks the call.
inline int number_of(const Call& call) noexcept { return seccomp_syscall_resolve_name(call.name.data()); }

}  // namespace torture

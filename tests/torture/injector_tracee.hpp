// What fault_injector reads of a stopped thread, and changes in it.
#pragma once

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "injector_calls.hpp"

namespace torture {

// What of a stopped thread may be changed. Everything else comes from PTRACE_GET_SYSCALL_INFO, which is the same everywhere.
#if defined(__x86_64__)
inline void with_registers(pid_t thread, auto change) {
  user_regs_struct registers{};
  if (::ptrace(PTRACE_GETREGS, thread, nullptr, &registers) != 0) return;
  change(registers);
  ::ptrace(PTRACE_SETREGS, thread, nullptr, &registers);
}
inline void skip_call(pid_t thread) {
  with_registers(thread, [](user_regs_struct& registers) { registers.orig_rax = static_cast<unsigned long long>(-1); });
}
inline void set_third_argument(pid_t thread, std::uint64_t value) {
  with_registers(thread, [&](user_regs_struct& registers) { registers.rdx = value; });
}
inline void set_outcome(pid_t thread, std::int64_t value) {
  with_registers(thread, [&](user_regs_struct& registers) { registers.rax = static_cast<unsigned long long>(value); });
}
#elif defined(__aarch64__)
inline void with_registers(pid_t thread, auto change) {
  user_regs_struct registers{};
  iovec place{&registers, sizeof registers};
  if (::ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &place) != 0) return;
  change(registers);
  ::ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &place);
}
inline void skip_call(pid_t thread) {
  int number = -1;
  iovec place{&number, sizeof number};
  ::ptrace(PTRACE_SETREGSET, thread, NT_ARM_SYSTEM_CALL, &place);
}
inline void set_third_argument(pid_t thread, std::uint64_t value) {
  with_registers(thread, [&](user_regs_struct& registers) { registers.regs[2] = value; });
}
inline void set_outcome(pid_t thread, std::int64_t value) {
  with_registers(thread, [&](user_regs_struct& registers) { registers.regs[0] = static_cast<std::uint64_t>(value); });
}
#else
#error "fault_injector knows x86-64 and arm64 only"
#endif

/// What a call is about, as far as the log needs it.
struct Subject {
  std::string first;
  std::string second;
  std::string bytes;   ///< The beginning of what standard output and sockets are told.
  bool makes = false;  ///< An open that makes the file.
  bool is_output = false;
};

class Reader {
 public:
  explicit Reader(pid_t thread) : thread_(thread) {}

  [[nodiscard]] std::string memory(std::uint64_t address, std::size_t size) const {
    std::string bytes(size, '\0');
    const iovec here{bytes.data(), bytes.size()};
    const iovec there{reinterpret_cast<void*>(address), size};
    const ssize_t got = ::process_vm_readv(thread_, &here, 1, &there, 1, 0);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }
  [[nodiscard]] std::string path(std::uint64_t address) const {
    std::string text;
    // Piece by piece up to the end of each page: the next one may not be there.
    while (text.size() < 4096) {
      const std::string piece = memory(address + text.size(), 256 - (address + text.size()) % 256);
      const std::size_t end = piece.find('\0');
      text += piece.substr(0, end);
      if (piece.empty() || end != std::string::npos) break;
    }
    return text;
  }
  [[nodiscard]] std::string descriptor(int number) const {
    const std::string link = number == AT_FDCWD ? "cwd" : "fd/" + std::to_string(number);
    std::error_code ignored;
    return std::filesystem::read_symlink("/proc/" + std::to_string(thread_) + "/" + link, ignored).string();
  }
  [[nodiscard]] std::string at(int folder, std::uint64_t address) const {
    std::filesystem::path named = path(address);
    if (named.is_relative()) named = std::filesystem::path(descriptor(folder)) / named;
    return named.lexically_normal().string();
  }

 private:
  pid_t thread_;
};

inline Subject subject_of(const Call& call, pid_t thread, const std::uint64_t* arguments) {
  const Reader reader(thread);
  const std::uint64_t* const from = arguments + call.first;
  Subject subject;
  switch (call.target) {
    case Target::descriptor: {
      subject.first = reader.descriptor(static_cast<int>(from[0]));
      subject.is_output = from[0] == 1 || subject.first.starts_with("socket:");
      if (from[0] == 1) subject.first = "stdout";
      if (subject.is_output && call.amount == Amount::bytes)
        subject.bytes = reader.memory(arguments[1], std::min<std::size_t>(arguments[2], 4096));
      break;
    }
    case Target::path:
      subject.first = reader.at(AT_FDCWD, from[0]);
      break;
    case Target::at:
      subject.first = reader.at(static_cast<int>(from[0]), from[1]);
      break;
    case Target::two_paths:
      subject.first = reader.at(AT_FDCWD, from[0]);
      subject.second = reader.at(AT_FDCWD, from[1]);
      break;
    case Target::two_at:
      subject.first = reader.at(static_cast<int>(from[0]), from[1]);
      subject.second = reader.at(static_cast<int>(from[2]), from[3]);
      break;
    case Target::nothing:
      break;
  }
  if (is_open(call)) subject.makes = ::access(subject.first.c_str(), F_OK) != 0;
  return subject;
}

}  // namespace torture

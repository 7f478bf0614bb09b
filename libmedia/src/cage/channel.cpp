#include "cage/channel.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "core/errno_error.hpp"

namespace media::cage {
namespace {

using std::chrono::steady_clock;

/// What is left until then, as poll(2) takes it; rounded up, so that a wait never ends early and spins.
int poll_timeout(steady_clock::time_point until) {
  if (until == steady_clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

/// Descriptors that a message carried. Only one is ever expected; more are closed.
UniqueFd take_descriptor(const msghdr& header) {
  UniqueFd first;
  for (const cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(const_cast<msghdr*>(&header), const_cast<cmsghdr*>(control))) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(control) + i * sizeof(int), sizeof descriptor);
      UniqueFd owned(descriptor);
      if (!first) first = std::move(owned);
    }
  }
  return first;
}

}  // namespace

void StopSignal::Wake::operator()() const noexcept {
  const std::uint64_t one = 1;
  // Cannot fail in a way that matters: the counter of a fresh eventfd has room for one.
  [[maybe_unused]] const ssize_t written = ::write(descriptor, &one, sizeof one);
}

Result<StopSignal> StopSignal::open(const std::stop_token& stop) {
  StopSignal signal;
  if (!stop.stop_possible()) return signal;
  signal.descriptor_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!signal.descriptor_) return errno_error(errno, "make an eventfd");
  signal.callback_ = std::make_unique<std::stop_callback<Wake>>(stop, Wake{signal.descriptor_.get()});
  return signal;
}

Received<void> Channel::send(MessageKind kind, std::span<const std::byte> payload, int descriptor) const {
  const auto head = write_head({kind, static_cast<std::uint32_t>(payload.size())});
  std::vector<std::byte> bytes(head.begin(), head.end());
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  if (descriptor < 0) return send_raw(bytes);

  // The descriptor travels with the first byte, which alone is sure to be taken at once.
  iovec piece{bytes.data(), 1};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(socket_, &header, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent != 1) return tl::unexpected(errno == EPIPE || errno == ECONNRESET ? Trouble::closed : Trouble::failed);
  return send_raw(std::span(bytes).subspan(1));
}

Received<void> Channel::send_raw(std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return tl::unexpected(errno == EPIPE || errno == ECONNRESET ? Trouble::closed : Trouble::failed);
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return {};
}

Received<void> Channel::wait_readable(const Patience& patience) const {
  for (;;) {
    std::array<pollfd, 2> watched{{{socket_, POLLIN, 0}, {patience.stop_descriptor, POLLIN, 0}}};
    // A negative descriptor is one that poll(2) passes over.
    const int ready = ::poll(watched.data(), watched.size(), poll_timeout(patience.until));
    if (ready < 0 && errno != EINTR) return tl::unexpected(Trouble::failed);
    // Both are asked before the socket: a worker that talks without end must not outlive its time.
    if (ready > 0 && watched[1].revents != 0) return tl::unexpected(Trouble::stopped);
    if (steady_clock::now() >= patience.until) return tl::unexpected(Trouble::late);
    if (ready > 0 && watched[0].revents != 0) return {};
  }
}

Received<void> Channel::receive_bytes(std::span<std::byte> into, const Patience& patience, UniqueFd* descriptor) const {
  while (!into.empty()) {
    if (auto ready = wait_readable(patience); !ready) return ready;
    iovec piece{into.data(), into.size()};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    if (descriptor != nullptr) {
      header.msg_control = control.data();
      header.msg_controllen = control.size();
    }
    const ssize_t got = ::recvmsg(socket_, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return tl::unexpected(errno == ECONNRESET ? Trouble::closed : Trouble::failed);
    if (descriptor != nullptr && header.msg_controllen > 0) {
      if (UniqueFd came = take_descriptor(header)) *descriptor = std::move(came);
    }
    if (got == 0) return tl::unexpected(Trouble::closed);
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

Received<Message> Channel::receive(const Patience& patience, UniqueFd* descriptor) const {
  Message message;
  std::array<std::byte, kHeadBytes> head_bytes{};
  if (auto got = receive_bytes(head_bytes, patience, descriptor); !got) return tl::unexpected(got.error());
  const auto head = parse_head(head_bytes);
  if (!head) return tl::unexpected(Trouble::failed);
  message.kind = head->kind;
  message.payload.resize(head->length);
  if (auto got = receive_bytes(message.payload, patience, nullptr); !got) return tl::unexpected(got.error());
  return message;
}

Received<void> Channel::receive_raw(std::span<std::byte> into, const Patience& patience) const {
  return receive_bytes(into, patience, nullptr);
}

bool Channel::disturbed() const {
  pollfd watched{socket_, POLLIN | POLLRDHUP, 0};
  return ::poll(&watched, 1, 0) != 0;
}

}  // namespace media::cage

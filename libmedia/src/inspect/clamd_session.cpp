#include "inspect/clamd_session.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

#include "core/errno_error.hpp"

namespace media::inspect {
namespace {

/// An answer is a file's name and a signature's.
constexpr std::size_t kLongestReply = 4096;
constexpr std::size_t kPiece = 128U << 10U;
constexpr std::size_t kLengthBytes = 4;

Error down(const std::string& what) { return {Errc::unavailable, "clamd: " + what}; }
Error down(const std::string& what, int error_number) { return down(errno_error(error_number, what).message); }

/// The events that came before the deadline; 0 after it.
int wait_for(int fd, short events, ClamdSession::Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    struct pollfd waiting{fd, events, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::clamp<long long>(left, 0, 60'000)));
    if (ready > 0) return waiting.revents;
    if (ready < 0 && errno != EINTR) return POLLERR;
    if (ready == 0 && left <= 0) return 0;
  }
}

/// An address of this machine, as the system takes it; a length of 0 where it is none.
socklen_t write_address(const ClamdAddress& address, sockaddr_storage& storage) {
  std::memset(&storage, 0, sizeof storage);
  if (!address.path.empty()) {
    auto& unix_address = reinterpret_cast<sockaddr_un&>(storage);
    unix_address.sun_family = AF_UNIX;
    if (address.path.size() >= sizeof unix_address.sun_path) return 0;
    std::memcpy(unix_address.sun_path, address.path.c_str(), address.path.size() + 1);
    return sizeof unix_address;
  }
  auto& four = reinterpret_cast<sockaddr_in&>(storage);
  if (::inet_pton(AF_INET, address.host.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(address.port);
    return ntohl(four.sin_addr.s_addr) >> 24U == 127 ? sizeof four : 0;
  }
  auto& six = reinterpret_cast<sockaddr_in6&>(storage);
  if (::inet_pton(AF_INET6, address.host.c_str(), &six.sin6_addr) != 1 || !IN6_IS_ADDR_LOOPBACK(&six.sin6_addr)) return 0;
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(address.port);
  return sizeof six;
}

}  // namespace

Result<ClamdAddress> parse_clamd_address(std::string_view text) {
  const Error wrong{Errc::invalid_argument, "the scanner's address is unix:/PATH, or 127.0.0.1:PORT or [::1]:PORT on this machine, not '" +
                                                std::string(text) + "'"};
  ClamdAddress address;
  sockaddr_storage storage;
  if (text.starts_with("unix:/")) {
    address.path = text.substr(5);
    return write_address(address, storage) > 0 && address.path.find('\0') == std::string::npos ? Result<ClamdAddress>(address)
                                                                                               : Result<ClamdAddress>(wrong);
  }
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  address.host = host;
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  const bool is_port = error == std::errc() && end == port.data() + port.size() && address.port != 0;
  return is_port && write_address(address, storage) > 0 ? Result<ClamdAddress>(address) : Result<ClamdAddress>(wrong);
}

Result<std::unique_ptr<ClamdSession>> ClamdSession::open(const ClamdAddress& address, Deadline deadline) {
  sockaddr_storage storage;
  const socklen_t length = write_address(address, storage);
  UniqueFd fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return down("no socket", errno);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) {
    // A socket file whose queue is full says EAGAIN, and there is nothing to wait for.
    if (errno != EINPROGRESS) return down("connect", errno);
    if (wait_for(fd.get(), POLLOUT, deadline) == 0) return down("no connection in time");
    int failure = 0;
    socklen_t size = sizeof failure;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &size) != 0 || failure != 0) return down("connect", failure);
  }
  std::unique_ptr<ClamdSession> session(new ClamdSession(std::move(fd)));
  static constexpr std::string_view kBegin("zIDSESSION\0", 11);
  MEDIA_TRY_ASSIGN(const Sent sent, session->send(std::as_bytes(std::span(kBegin)), deadline));
  if (sent != Sent::all) return down("it closed the connection");
  return session;
}

bool ClamdSession::is_stale() const noexcept {
  if (spoilt_) return true;
  std::byte ignored{};
  return ::recv(fd_.get(), &ignored, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

Result<ClamdSession::Sent> ClamdSession::send(std::span<const std::byte> bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (wrote >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(wrote));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EPIPE || errno == ECONNRESET) return Sent::broken;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return down("send", errno);
    const int events = wait_for(fd_.get(), POLLOUT | POLLIN, deadline);
    if (events == 0) return down("it does not take the content in time");
    // It speaks before it was asked to: it will not read on.
    if ((events & POLLIN) != 0) return Sent::answered;
  }
  return Sent::all;
}

Result<ClamdSession::Sent> ClamdSession::send_content(const ByteReader& content, Deadline deadline) {
  std::vector<std::byte> buffer(kLengthBytes + kPiece);
  const auto send_piece = [&](std::size_t count) {
    for (std::size_t i = 0; i < kLengthBytes; ++i) buffer[i] = static_cast<std::byte>(count >> (24U - 8U * i));
    return send(std::span(buffer).first(kLengthBytes + count), deadline);
  };
  for (std::uint64_t at = 0; at < content.size();) {
    MEDIA_TRY_ASSIGN(const std::size_t got, content.read_at(at, std::span(buffer).subspan(kLengthBytes)));
    if (got == 0) return Error{Errc::corrupt, "the content ended early"};
    MEDIA_TRY_ASSIGN(const Sent sent, send_piece(got));
    if (sent != Sent::all) return sent;
    at += got;
  }
  return send_piece(0);
}

Result<ClamdReply> ClamdSession::receive(Deadline deadline) {
  std::string line;
  for (;;) {
    std::array<char, 512> piece{};
    const ssize_t got = ::recv(fd_.get(), piece.data(), piece.size(), 0);
    if (got == 0) return down("it closed the connection without an answer");
    if (got > 0) {
      line.append(piece.data(), static_cast<std::size_t>(got));
      const auto end = line.find('\0');
      if (end == std::string::npos && line.size() > kLongestReply) return down("its answer has no end");
      if (end == std::string::npos) continue;
      MEDIA_TRY_ASSIGN(auto reply, parse_clamd_reply(std::string_view(line).substr(0, end)));
      // An answer to another question must not pass for one to this.
      const bool is_whole = end + 1 == line.size() && (reply.command == 0 || reply.command == commands_);
      if (!is_whole) return Error{Errc::corrupt, "clamd: it answers what was not asked"};
      return reply;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return down("receive", errno);
    if (wait_for(fd_.get(), POLLIN, deadline) == 0) return down("no answer in time");
  }
}

Result<ClamdReply> ClamdSession::ping(Deadline deadline) {
  static constexpr std::string_view kPing("zPING\0", 6);
  ++commands_;
  MEDIA_TRY_ASSIGN(const Sent sent, send(std::as_bytes(std::span(kPing)), deadline));
  if (sent == Sent::broken) return down("it closed the connection");
  return receive(deadline);
}

Result<ClamdReply> ClamdSession::scan(const ByteReader& content, Deadline deadline) {
  static constexpr std::string_view kStream("zINSTREAM\0", 10);
  ++commands_;
  broke_while_sending_ = false;
  MEDIA_TRY_ASSIGN(Sent sent, send(std::as_bytes(std::span(kStream)), deadline));
  if (sent == Sent::all) {
    MEDIA_TRY_ASSIGN(sent, send_content(content, deadline));
  }
  spoilt_ = sent != Sent::all;
  auto reply = receive(deadline);
  broke_while_sending_ = !reply && spoilt_;
  if (reply && spoilt_ && reply->kind == ClamdReply::Kind::clean) {
    return Error{Errc::corrupt, "clamd: it calls clean what it has not seen whole"};
  }
  return reply;
}

}  // namespace media::inspect

#include "http/server.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "http/loop.hpp"

namespace media::http {

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Router router, Hooks hooks) {
  MEDIA_TRY_ASSIGN(Listener listener, listen_on(options.host, options.port));
  Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  Descriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll || !wake) return Error{Errc::unavailable, "start the server: no more descriptors"};
  auto loop = std::make_unique<Loop>(std::move(options), std::move(router), std::move(hooks), std::move(listener), std::move(epoll),
                                     std::move(wake));
  MEDIA_TRY(loop->begin());
  return std::unique_ptr<Server>(new Server(std::move(loop)));
}

Server::Server(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
Server::~Server() = default;
std::uint16_t Server::port() const noexcept { return loop_->port(); }
Server::Stats Server::stats() const { return loop_->stats(); }
void Server::wake(std::string_view key) { loop_->wake_waiting(key); }
void Server::stop(std::chrono::milliseconds grace) { loop_->stop(grace); }

}  // namespace media::http

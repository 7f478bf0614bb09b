#include "object_store.hpp"

#include <signal.h>

#include <stdexcept>

#include "sockets.hpp"

namespace test {

ObjectStore::ObjectStore(const Options& options) {
  constexpr int kAttempts = 3;
  // Somebody else may take a port between its choice and its use.
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto folder = folder_ / std::to_string(attempt);
    std::filesystem::create_directories(folder);
    port_ = free_port();
    std::vector<std::string> arguments = {std::string(MEDIA_SUPPORT_DIR) + "/ceph_gateway.sh", folder.string(), std::to_string(port_),
                                          std::to_string(free_port())};
    arguments.insert(arguments.end(), options.buckets.begin(), options.buckets.end());
    std::vector<std::string> environment = {"GATEWAY_BYTES=" + std::to_string(options.bytes)};
    if (!options.tls_certificate.empty()) {
      tls_port_ = free_port();
      environment.push_back("GATEWAY_TLS_PORT=" + std::to_string(tls_port_));
      environment.push_back("GATEWAY_CERTIFICATE=" + options.tls_certificate.string());
    }
    daemon_ = std::make_unique<Daemon>(arguments, environment, folder / "script");
    for (int tenths = 0; tenths < 600; ++tenths) {
      if (std::filesystem::exists(folder / "ready")) return;
      if (daemon_->wait(0)) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    if (attempt == kAttempts - 1) throw std::runtime_error("the object store does not start:\n" + read_text(folder / "script"));
    daemon_.reset();
  }
}

ObjectStore::~ObjectStore() {
  if (!daemon_) return;
  daemon_->signal(SIGTERM);
  daemon_->wait(20);
}

}  // namespace test

// A server with nothing behind it, to be measured from outside with wrk. tests/bench/http_bench.sh runs the lot.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "http/http.hpp"
#include "media/digest.hpp"

using namespace media;

namespace {

std::shared_ptr<const ByteReader> file_of(const std::filesystem::path& folder, std::size_t size) {
  const auto path = folder / std::to_string(size);
  std::ofstream(path, std::ios::binary) << std::string(size, 'x');
  return FileReader::open(path).value();
}

http::Response store(http::Request& request) {
  auto& body = *request.body;
  if (!body.limit(std::uint64_t{4} << 30U)) return http::Response::empty(413);
  Sha256 hasher;
  std::vector<std::byte> buffer(128 * 1024);
  while (true) {
    const auto got = body.read(buffer);
    if (!got) return http::Response::empty(400);
    if (*got == 0) break;
    hasher.update(std::span(buffer).first(*got));
  }
  return http::Response::text(200, hasher.finish().to_hex());
}

}  // namespace

int main() {
  char pattern[] = "/tmp/libmedia-bench-XXXXXX";
  const char* made = ::mkdtemp(pattern);
  if (made == nullptr) return 1;
  const std::filesystem::path folder = made;
  const auto small = file_of(folder, 1024);
  const auto middle = file_of(folder, 100 * 1000);
  const auto large = file_of(folder, 10 * 1024 * 1024);

  http::Router router;
  const auto serve = [](const std::shared_ptr<const ByteReader>& reader) {
    return [reader](http::Request& request) { return http::serve_content(request, {reader, "application/octet-stream", "\"e\"", {}, {}}); };
  };
  router.add("GET", "/1k", serve(small));
  router.add("GET", "/100k", serve(middle));
  router.add("GET", "/10m", serve(large));
  router.add("PUT", "/store", store, {.accepts_body = true});
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  auto server = http::Server::start({}, std::move(router)).value();
  std::printf("%u\n", server->port());
  std::fflush(stdout);
  int signal = 0;
  ::sigwait(&signals, &signal);
  server->stop(std::chrono::seconds(2));
  std::filesystem::remove_all(folder);
  return 0;
}

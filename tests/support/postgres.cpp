#include "postgres.hpp"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support.hpp"

namespace test {
namespace {

namespace fs = std::filesystem;

/// Of the newest version that is installed.
fs::path find_programs() {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    if (fs::exists(entry.path() / "bin/postgres")) found.push_back(entry.path() / "bin");
  }
  if (found.empty()) throw std::runtime_error("PostgreSQL is missing: install the package postgresql (packaging/deps/test.txt)");
  return *std::max_element(found.begin(), found.end());
}

/// Taken from the system and given back: nobody else is likely to get it before the server does.
std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(socket, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no free port");
  }
  ::close(socket);
  return ntohs(address.sin_port);
}

/// Before a command: as a user that PostgreSQL accepts, and ended with the test.
std::vector<std::string> as_unprivileged(std::vector<std::string> command) {
  std::vector<std::string> prefix{"setpriv", "--pdeathsig=QUIT"};
  if (::geteuid() == 0) prefix.insert(prefix.end(), {"--reuid=postgres", "--regid=postgres", "--clear-groups"});
  prefix.insert(prefix.end(), command.begin(), command.end());
  return prefix;
}

void give_to_postgres(const fs::path& path) {
  if (::geteuid() != 0) return;
  const passwd* const user = ::getpwnam("postgres");
  if (user == nullptr || ::chown(path.c_str(), user->pw_uid, user->pw_gid) != 0) {
    throw std::runtime_error("there is no user postgres to run a server as");
  }
}

}  // namespace

PostgresServer& PostgresServer::shared() {
  static PostgresServer server;
  return server;
}

PostgresServer::PostgresServer() : programs_(find_programs()), port_(free_port()) {
  std::string name = (fs::temp_directory_path() / "libmedia-postgres-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temp folder for PostgreSQL");
  folder_ = name;
  give_to_postgres(folder_);
  write_file(folder_ / "password", std::string_view(kPassword));
  give_to_postgres(folder_ / "password");
  const RunResult made =
      run(as_unprivileged({(programs_ / "initdb").string(), "-D", (folder_ / "data").string(), "-U", kUser, "-A", "scram-sha-256",
                           "--pwfile", (folder_ / "password").string(), "-E", "UTF8", "--locale=C", "--no-sync"}));
  if (made.exit_code != 0) throw std::runtime_error("initdb: " + made.err);
  start();
}

PostgresServer::~PostgresServer() {
  try {
    stop_immediately();
  } catch (const std::exception&) {
  }
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void PostgresServer::start() {
  server_ = std::make_unique<Daemon>(as_unprivileged({(programs_ / "postgres").string(), "-D", (folder_ / "data").string(), "-p",
                                                      std::to_string(port_), "-k", folder_.string(), "-c", "listen_addresses=127.0.0.1",
                                                      "-c", "fsync=on", "-c", "shared_buffers=64MB", "-c", "max_connections=100"}),
                                     std::vector<std::string>{}, folder_ / "log");
  const std::string address = "host=127.0.0.1 port=" + std::to_string(port_) + " connect_timeout=2";
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (PQping(address.c_str()) != PQPING_OK) {
    if (std::chrono::steady_clock::now() > deadline || server_->wait(0)) {
      throw std::runtime_error("PostgreSQL did not start: " + read_text(folder_ / "log"));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void PostgresServer::stop_immediately() {
  if (!server_) return;
  server_->signal(SIGQUIT);
  const bool ended = server_->wait(30).has_value();
  server_.reset();
  if (!ended) throw std::runtime_error("PostgreSQL did not stop");
}

void PostgresServer::signal_all(int number) const {
  // The processes of connections are the server's children, in its session.
  const std::string pid = std::to_string(server_->pid());
  std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
  for (pid_t child = 0; children >> child;) ::kill(child, number);
  server_->signal(number);
}

void PostgresServer::freeze() {
  server_->signal(SIGSTOP);
  // Again and again: while one of them ends, the kernel's list may leave out another.
  for (int i = 0; i < 10; ++i) {
    signal_all(SIGSTOP);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void PostgresServer::thaw() { signal_all(SIGCONT); }

media::PostgresRepositoryOptions PostgresServer::fresh_catalog() {
  media::PostgresRepositoryOptions options;
  options.host = "127.0.0.1";
  options.port = port_;
  options.database = kDatabase;
  options.user = kUser;
  options.password = kPassword;
  options.schema = "catalog_" + std::to_string(++schemas_);
  return options;
}

std::string PostgresServer::ask(const std::string& sql, const std::string& user, const std::string& password) {
  const std::string address = "host=127.0.0.1 port=" + std::to_string(port_) + " dbname=" + kDatabase + " user=" + user +
                              " password=" + password + " connect_timeout=5";
  const std::unique_ptr<PGconn, void (*)(PGconn*)> connection(PQconnectdb(address.c_str()), PQfinish);
  const std::unique_ptr<PGresult, void (*)(PGresult*)> result(PQexec(connection.get(), sql.c_str()), PQclear);
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) throw std::runtime_error(sql + ": " + PQerrorMessage(connection.get()));
  return status == PGRES_TUPLES_OK && PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : std::string();
}

}  // namespace test

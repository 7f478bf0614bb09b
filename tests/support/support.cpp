#include "support.hpp"

#include <algorithm>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>

extern char** environ;

namespace test {

TempFolder::TempFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "libmedia-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::byte> bytes(std::string_view text) {
  std::vector<std::byte> out(text.size());
  if (!text.empty()) std::memcpy(out.data(), text.data(), text.size());
  return out;
}

std::vector<std::byte> noise(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::vector<std::byte> out(count);
  for (std::size_t i = 0; i < count; i += 8) {
    const std::uint64_t value = engine();
    std::memcpy(out.data() + i, &value, std::min<std::size_t>(8, count - i));
  }
  return out;
}

void write_file(const std::filesystem::path& path, std::span<const std::byte> content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

void write_file(const std::filesystem::path& path, std::string_view content) { write_file(path, std::as_bytes(std::span(content))); }

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::byte> read_file(const std::filesystem::path& path) { return bytes(read_text(path)); }

std::size_t count_files(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder)) return 0;
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) count += entry.is_regular_file() ? 1U : 0U;
  return count;
}

std::optional<BlobPlace> find_blob(const std::filesystem::path& store, const std::string& hex) {
  const auto own = store / hex.substr(0, 2) / hex.substr(2, 2) / hex.substr(4, 2) / hex;
  if (std::filesystem::exists(own)) return BlobPlace{own, 0, false};
  if (!std::filesystem::exists(store / "segments")) return std::nullopt;
  // An entry: "MBLB", state, zeros, length 8, digest 32, check 8, zeros up to 64, content.
  std::vector<std::byte> digest;
  for (std::size_t i = 0; i < hex.size(); i += 2) digest.push_back(static_cast<std::byte>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  for (const auto& file : std::filesystem::directory_iterator(store / "segments")) {
    if (file.path().extension() != ".segment") continue;
    const auto content = read_file(file.path());
    for (auto at = content.begin();; ++at) {
      at = std::search(at, content.end(), digest.begin(), digest.end());
      if (at == content.end()) break;
      const auto offset = static_cast<std::uint64_t>(at - content.begin());
      if (offset < 16 || offset % 64 != 16 || content[offset - 12] != std::byte{0}) continue;
      return BlobPlace{file.path(), offset + 48, true};
    }
  }
  return std::nullopt;
}

namespace {

void change_byte(const std::filesystem::path& path, std::uint64_t at, std::byte mask) {
  std::filesystem::permissions(path, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(static_cast<std::byte>(byte) ^ mask));
  if (byte < 0 || !file.flush()) throw std::runtime_error("cannot change " + path.string());
}

}  // namespace

void damage_blob(const std::filesystem::path& store, const std::string& hex, std::uint64_t at) {
  const auto place = find_blob(store, hex);
  if (!place) throw std::runtime_error("there is no blob " + hex);
  change_byte(place->path, place->offset + at, std::byte{1});
}

void lose_blob(const std::filesystem::path& store, const std::string& hex) {
  const auto place = find_blob(store, hex);
  if (!place) throw std::runtime_error("there is no blob " + hex);
  if (place->in_segment) {
    change_byte(place->path, place->offset - 60, std::byte{0xff});  // marked dead
  } else {
    std::filesystem::remove(place->path);
  }
}

std::optional<std::filesystem::path> shared_folder() {
  const std::filesystem::path path = MEDIA_SHARED_DIR;
  if (!std::filesystem::exists(path / "corpus" / "MANIFEST.tsv")) return std::nullopt;
  return std::filesystem::canonical(path);
}

RunResult run(const std::vector<std::string>& arguments, const std::vector<std::string>& environment, int timeout_seconds) {
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(err.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  ::posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  std::vector<char*> env;
  for (const auto& variable : environment) env.push_back(const_cast<char*>(variable.c_str()));
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view name(*entry, std::strcspn(*entry, "="));
    bool replaced = false;
    for (const auto& variable : environment) replaced = replaced || variable.starts_with(std::string(name) + "=");
    if (!replaced) env.push_back(*entry);
  }
  env.push_back(nullptr);
  pid_t pid = 0;
  const int spawned = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), env.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(out[1]);
  ::close(err[1]);
  if (spawned != 0) {
    ::close(out[0]);
    ::close(err[0]);
    throw std::runtime_error("cannot run " + arguments.at(0) + ": " + std::strerror(spawned));
  }
  RunResult result;
  std::array<pollfd, 2> fds{pollfd{out[0], POLLIN, 0}, pollfd{err[0], POLLIN, 0}};
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(timeout_seconds);
  bool killed = false;
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    if (left <= 0 && !killed) {
      ::kill(pid, SIGKILL);
      killed = true;
    }
    if (::poll(fds.data(), fds.size(), killed ? 1000 : static_cast<int>(std::min<long long>(left, 1000))) < 0) continue;
    for (std::size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      std::array<char, 65536> buffer{};
      const ssize_t got = ::read(fds[i].fd, buffer.data(), buffer.size());
      if (got > 0) {
        (i == 0 ? result.out : result.err).append(buffer.data(), static_cast<std::size_t>(got));
      } else {
        fds[i].fd = -1;
      }
    }
  }
  ::close(out[0]);
  ::close(err[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace test

#include "cli_support.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace cli {
namespace {

void append_u32(std::vector<std::byte>& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::byte>(value >> static_cast<unsigned>(shift)));
}

std::uint32_t crc32(std::span<const std::byte> bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::byte byte : bytes) {
    crc ^= static_cast<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

void append_chunk(std::vector<std::byte>& out, std::string_view type, std::span<const std::byte> data) {
  append_u32(out, static_cast<std::uint32_t>(data.size()));
  const std::size_t start = out.size();
  for (const char letter : type) out.push_back(static_cast<std::byte>(letter));
  out.insert(out.end(), data.begin(), data.end());
  append_u32(out, crc32(std::span(out).subspan(start)));
}

std::vector<std::byte> png_start(unsigned width, unsigned height) {
  std::vector<std::byte> out = test::bytes("\x89PNG\r\n\x1a\n");
  std::vector<std::byte> header;
  append_u32(header, width);
  append_u32(header, height);
  for (const unsigned field : {8U, 2U, 0U, 0U, 0U}) header.push_back(static_cast<std::byte>(field));  // 8-bit RGB
  append_chunk(out, "IHDR", header);
  return out;
}

/// A zlib stream of stored blocks: as good as any to a decoder, and needs no compressor here.
std::vector<std::byte> stored_zlib(std::span<const std::byte> raw) {
  std::vector<std::byte> out = {std::byte{0x78}, std::byte{0x01}};
  std::uint32_t low = 1;
  std::uint32_t high = 0;
  for (const std::byte byte : raw) {
    low = (low + static_cast<std::uint32_t>(byte)) % 65521;
    high = (high + low) % 65521;
  }
  for (std::size_t at = 0; at < raw.size();) {
    const std::size_t count = std::min<std::size_t>(65535, raw.size() - at);
    out.push_back(static_cast<std::byte>(at + count == raw.size() ? 1 : 0));
    for (const std::size_t field : {count, ~count}) {
      out.push_back(static_cast<std::byte>(field & 0xFFU));
      out.push_back(static_cast<std::byte>((field >> 8U) & 0xFFU));
    }
    out.insert(out.end(), raw.begin() + static_cast<std::ptrdiff_t>(at), raw.begin() + static_cast<std::ptrdiff_t>(at + count));
    at += count;
  }
  append_u32(out, high << 16U | low);
  return out;
}

}  // namespace

std::string program() { return MEDIA_BINARY_DIR "/bin/mediactl"; }

test::RunResult mediactl(std::vector<std::string> arguments, const std::vector<std::string>& environment) {
  arguments.insert(arguments.begin(), program());
  return test::run(arguments, environment);
}

std::optional<test::RunResult> mediactl_as_nobody(std::vector<std::string> arguments) {
  std::vector<std::string> command;
  if (::geteuid() == 0) command = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
  command.push_back(program());
  std::vector<std::string> probe = command;
  probe.emplace_back("--version");
  try {
    if (test::run(probe).exit_code != 0) return std::nullopt;
  } catch (const std::runtime_error&) {
    return std::nullopt;  // no setpriv
  }
  command.insert(command.end(), arguments.begin(), arguments.end());
  return test::run(command);
}

Lines json_lines(const std::string& output) {
  Lines lines;
  for (const std::string& line : text_lines(output)) {
    Json object = Json::parse(line);
    if (!lines.summary.is_null()) throw std::runtime_error("a line after the summary: " + line);
    if (object.contains("summary")) {
      lines.summary = object.at("summary");
    } else {
      lines.objects.push_back(std::move(object));
    }
  }
  if (lines.summary.is_null()) throw std::runtime_error("no summary in: " + output);
  return lines;
}

Json find(const Lines& lines, const std::string& key, const Json& value) {
  for (const Json& object : lines.objects) {
    if (object.at(key) == value) return object;
  }
  return {};
}

std::vector<std::string> text_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    if (end == std::string::npos) break;
    at = end + 1;
  }
  return lines;
}

std::vector<std::byte> png(unsigned width, unsigned height, unsigned seed) {
  std::vector<std::byte> raw;
  for (unsigned y = 0; y < height; ++y) {
    raw.push_back(std::byte{0});  // no filter
    for (unsigned x = 0; x < width; ++x) {
      raw.push_back(static_cast<std::byte>(x * 255U / std::max(1U, width - 1)));
      raw.push_back(static_cast<std::byte>(y * 255U / std::max(1U, height - 1)));
      raw.push_back(static_cast<std::byte>(seed * 37U & 0xFFU));
    }
  }
  std::vector<std::byte> out = png_start(width, height);
  // The colours repeat after 256 seeds; this makes the bytes differ for ever.
  append_chunk(out, "tEXt", test::bytes("seed" + std::string(1, '\0') + std::to_string(seed)));
  append_chunk(out, "IDAT", stored_zlib(raw));
  append_chunk(out, "IEND", {});
  return out;
}

std::vector<std::byte> hollow_png(unsigned width, unsigned height, std::size_t bytes) {
  std::vector<std::byte> out = png_start(width, height);
  append_chunk(out, "IDAT", stored_zlib(std::vector<std::byte>(bytes)));
  append_chunk(out, "IEND", {});
  return out;
}

std::vector<std::byte> jpeg(unsigned width, unsigned height, unsigned seed) {
  const test::TempFolder folder;
  test::write_file(folder / "in.png", png(width, height, seed));
  const auto made = mediactl({"derive", (folder / "in.png").string(), "-o", (folder / "out.jpg").string(), "-q", "90"});
  if (made.exit_code != 0) throw std::runtime_error("cannot make a JPEG: " + made.err);
  return test::read_file(folder / "out.jpg");
}

Background::Background(const std::vector<std::string>& arguments, const std::filesystem::path& output,
                       const std::filesystem::path& errors) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ::posix_spawn_file_actions_addopen(&actions, 2, errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const std::string name = program();
  std::vector<char*> argv = {const_cast<char*>(name.c_str())};
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int spawned = ::posix_spawn(&pid_, name.c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (spawned != 0) throw std::runtime_error("cannot run " + name + ": " + std::strerror(spawned));
}

Background::~Background() {
  if (ended_ || pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  wait();
}

void Background::signal(int number) const {
  if (!ended_) ::kill(pid_, number);
}

int Background::wait() {
  if (!ended_) {
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    ended_ = true;
  }
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

bool Background::running() {
  if (!ended_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
  return !ended_;
}

bool wait_for_output(const std::filesystem::path& file) {
  for (int i = 0; i < 3000; ++i) {
    if (std::filesystem::exists(file) && test::read_text(file).find('\n') != std::string::npos) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace cli

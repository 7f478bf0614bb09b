// A media-worker whose work does what its source says, good and bad: what the tests of the pool run. Under another name it is
// odd from the start: cage_old_worker has another version, cage_mute_worker never says a word.
#include <dirent.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "cage/channel.hpp"
#include "cage/child.hpp"
#include "cage/confine.hpp"
#include "cage/serve.hpp"
#include "cage/wire.hpp"
#include "sanitized.hpp"
#include "video_script.hpp"

using namespace media;
using namespace media::cage;

namespace {

constexpr int kSocket = Child::kSocket;

/// What the test reads from the message: errors carry text through every layer.
Error says(std::string text) { return Error{Errc::unsupported, std::move(text)}; }

std::string open_descriptors() {
  std::string found;
  for (int descriptor = 0; descriptor < 1024; ++descriptor) {
    struct stat status{};
    if (::fstat(descriptor, &status) != 0) continue;
    found += std::to_string(descriptor) + (S_ISSOCK(status.st_mode)  ? "s"
                                           : S_ISCHR(status.st_mode) ? "c"
                                           : S_ISREG(status.st_mode) ? "f"
                                                                     : "?");
    found += status.st_nlink == 0 || !S_ISREG(status.st_mode) ? " " : "! ";
  }
  return found;
}

rlim_t hard_limit(__rlimit_resource resource) {
  rlimit limit{};
  ::getrlimit(resource, &limit);
  return limit.rlim_max;
}

std::string state_of_process() {
  std::string text = "cwd=" + std::filesystem::current_path().string();
  text += " environment=" + std::string(environ == nullptr || *environ == nullptr ? "empty" : *environ);
  text += " core=" + std::to_string(hard_limit(RLIMIT_CORE)) + " files=" + std::to_string(hard_limit(RLIMIT_NOFILE));
  text += " fsize=" + std::to_string(hard_limit(RLIMIT_FSIZE));
  text += std::string(" space=") + (hard_limit(RLIMIT_AS) == RLIM_INFINITY ? "free" : "bounded");
  text += " session=" + std::string(::getsid(0) == ::getpid() ? "own" : "shared");
  text += " nice=" + std::to_string(::getpriority(PRIO_PROCESS, 0));
  return text;
}

void send_bytes(std::string_view text) { static_cast<void>(Channel(kSocket).send_raw(std::as_bytes(std::span(text)))); }

void send_derived_head(std::size_t outputs, std::size_t bytes_each) {
  Derived derived;
  derived.outputs.resize(outputs, Encoded{{}, 1, 1, std::vector<std::byte>(bytes_each)});
  static_cast<void>(Channel(kSocket).send(MessageKind::derived, write_derived(derived)));
}

[[noreturn]] void wait_for_ever() {
  for (;;) ::pause();
}

Result<std::string> text_of(const ByteReader& source) {
  MEDIA_TRY_ASSIGN(const auto bytes, read_all(source, source.size()));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

/// Does the thing of that name; returns where the name is not one of a misdeed.
Result<void> misbehave(std::string_view what, const DeriveOptions& options) {
  if (what == "crash") {
    // A sanitizer would turn the signal into an exit.
    ::signal(SIGSEGV, SIG_DFL);
    ::raise(SIGSEGV);
  }
  if (what == "exit") ::_exit(7);
  if (what == "hang") wait_for_ever();
  if (what == "spin") {
    for (;;) {
      std::atomic_signal_fence(std::memory_order_seq_cst);
      // ThreadSanitizer puts a signal's handler off until the program calls something of libc: pure work would never be interrupted.
      if (test::kSanitized) ::poll(nullptr, 0, 0);
    }
  }
  if (what == "hog") {
    std::vector<std::unique_ptr<std::byte[]>> hoard;
    for (int i = 0; i < 4096; ++i) hoard.push_back(std::make_unique_for_overwrite<std::byte[]>(16U << 20U));
    return says("64 GiB were to be had");
  }
  if (what == "throw") throw std::runtime_error("thrown on purpose");
  if (what == "garbage") send_bytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  if (what == "long") {
    auto head = write_head({MessageKind::derived, 0});
    std::fill(head.end() - 4, head.end(), std::byte{0xff});
    static_cast<void>(Channel(kSocket).send_raw(head));
  }
  if (what == "wrong kind") static_cast<void>(Channel(kSocket).send(MessageKind::info, write_info({})));
  if (what == "too many") send_derived_head(2, 1);
  if (what == "too few") send_derived_head(0, 1);
  if (what == "too big") send_derived_head(1, options.budget.max_output_bytes + 1);
  if (what == "nothing") send_derived_head(1, 0);
  if (what == "cut") {
    send_derived_head(1, 1000);
    send_bytes("only the beginning");
    ::_exit(0);
  }
  if (what == "close") {
    ::close(kSocket);
    wait_for_ever();
  }
  if (what == "chatter") {
    for (;;) static_cast<void>(Channel(kSocket).send(MessageKind::progress, write_progress(0.5)));
  }
  if (what == "odd progress") static_cast<void>(Channel(kSocket).send(MessageKind::progress, write_progress(1.5)));
  if (what == "gifts") {
    for (int i = 0; i < 100; ++i) static_cast<void>(Channel(kSocket).send(MessageKind::progress, write_progress(0.5), STDIN_FILENO));
  }
  if (what == "twice") {
    send_derived_head(1, 1);
    send_bytes("x");
  }
  return {};
}

Result<MediaInfo> probe(const ByteReader& source, const DeriveOptions& options) {
  MEDIA_TRY_ASSIGN(const std::string what, text_of(source));
  MEDIA_TRY(misbehave(what, options));
  if (what == "not a picture") return Error{Errc::corrupt, "not a picture\n\x1b[31m"};
  return MediaInfo{Format::webp, 640, static_cast<std::uint32_t>(source.size()), 7, 6, true, std::chrono::milliseconds(1234)};
}

Result<Derived> derive(const ByteReader& source, std::span<const Transform> transforms, const DeriveOptions& options) {
  MEDIA_TRY_ASSIGN(const std::string what, text_of(source));
  MEDIA_TRY(misbehave(what, options));
  if (what == "pid") return says(std::to_string(::getpid()));
  if (what == "state") return says(state_of_process());
  if (what == "descriptors") return says(open_descriptors());
  if (what == "budget") {
    const ProcessingBudget& budget = options.budget;
    return says(std::to_string(budget.max_pixels) + " " + std::to_string(budget.max_memory_bytes) + " " +
                (budget.deadline.count() > 0 && budget.deadline <= std::chrono::seconds(30) ? "in time" : "no time"));
  }
  if (what == "progress") {
    for (const double share : {0.25, 0.5, 0.4, 0.75}) {
      options.progress(share);
      ::usleep(60'000);
    }
  }
  std::size_t bytes = 0;
  if (what.starts_with("make ")) std::from_chars(what.data() + 5, what.data() + what.size(), bytes);
  Derived derived{{Format::jpeg, 3, 2, 1, 1, false, std::nullopt}, "#0a1b2c", {}, {}};
  for (const Transform& transform : transforms) {
    std::string text = "made " + std::string(to_string(transform.format)) + " of " + std::string(what.substr(0, 100));
    text.resize(std::max(text.size(), bytes), '.');
    const auto view = std::as_bytes(std::span(text));
    derived.outputs.push_back(Encoded{{}, 3, 2, {view.begin(), view.end()}});
  }
  return derived;
}

/// Sends the video that its source carries, whatever was ordered.
Result<EncodedHead> encode(const ByteReader& source, const Transform&, const DeriveOptions&, const PutPiece& put) {
  MEDIA_TRY_ASSIGN(const std::string text, text_of(source));
  const auto script = test::Script::from(text);
  if (!script) return Error{Errc::unsupported, "nothing is said of what to send"};
  for (const auto& [offset, bytes] : script->pieces()) MEDIA_TRY(put(offset, bytes));
  return EncodedHead{{Format::mp4, 64, 48, 1, 1, false, std::chrono::milliseconds(1000)}, script->width(), script->height()};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = std::filesystem::path(argv[0]).filename().string();
  if (name == "cage_mute_worker") wait_for_ever();
  if (name == "cage_old_worker") {
    static_cast<void>(Channel(kSocket).send(MessageKind::hello, write_hello({kProtocol, "0.0.1-old"})));
    wait_for_ever();
  }
  std::uint64_t memory_bytes = 0;
  if (argc != 2) return 64;
  std::from_chars(argv[1], argv[1] + std::strlen(argv[1]), memory_bytes);
  if (!confine_process(memory_bytes) || !end_with_peer(kSocket)) return 70;
  return serve(kSocket, {probe, derive, encode, limit_job});
}

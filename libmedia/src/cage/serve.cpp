#include "cage/serve.hpp"

#include <malloc.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <chrono>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "cage/channel.hpp"
#include "cage/saturating.hpp"
#include "cage/wire.hpp"
#include "media/version.hpp"

namespace media::cage {
namespace {

/// libaom's and lcms2's tables, thread stacks, the allocator's slack.
constexpr std::uint64_t kCodecBytes = 256ULL << 20U;
/// Freed memory that stays with a warm worker; more goes back to the system after the job.
constexpr std::size_t kKeptFreeBytes = 32U << 20U;
/// Progress is for people: more often than this only costs.
constexpr auto kProgressInterval = std::chrono::milliseconds(50);

/// The source's file in memory, without a copy: it is sealed, or has no name and no other writer.
class Mapping {
 public:
  static std::optional<Mapping> open(int descriptor, std::uint64_t size) {
    struct stat status{};
    if (::fstat(descriptor, &status) != 0 || status.st_size < 0 || static_cast<std::uint64_t>(status.st_size) != size) return std::nullopt;
    if (size == 0) return Mapping({});
    void* start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (start == MAP_FAILED) return std::nullopt;
    return Mapping({static_cast<const std::byte*>(start), static_cast<std::size_t>(size)});
  }
  Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Mapping& operator=(Mapping&&) = delete;
  ~Mapping() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit Mapping(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

/// Runs the work and makes an error of whatever it throws.
template <class Call>
auto guarded(const Call& call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return Error{Errc::too_large, "the work needs more memory than its budget allows"};
  } catch (const std::exception& exception) {
    return Error{Errc::internal, std::string("the work failed: ") + exception.what()};
  }
}

DeriveOptions options_of(const Request& request, const Channel& channel) {
  DeriveOptions options;
  options.budget = request.budget;
  options.progress = [&channel, last = std::chrono::steady_clock::time_point{}](double share) mutable {
    const auto now = std::chrono::steady_clock::now();
    if (now - last < kProgressInterval || !(share >= 0 && share <= 1)) return;
    last = now;
    // A failure shows when the answer is sent.
    static_cast<void>(channel.send(MessageKind::progress, write_progress(share)));
  };
  return options;
}

Received<void> answer_probe(const Channel& channel, const Work& work, const MemoryReader& source, const DeriveOptions& options) {
  const Result<MediaInfo> info = guarded([&] { return work.probe(source, options); });
  return info ? channel.send(MessageKind::info, write_info(*info)) : channel.send(MessageKind::failed, write_error(info.error()));
}

Received<void> answer_derive(const Channel& channel, const Work& work, const MemoryReader& source, const Request& request,
                             const DeriveOptions& options) {
  const Result<Derived> derived = guarded([&] { return work.derive(source, request.transforms, options); });
  if (!derived) return channel.send(MessageKind::failed, write_error(derived.error()));
  if (auto sent = channel.send(MessageKind::derived, write_derived(*derived)); !sent) return sent;
  for (const Encoded& output : derived->outputs) {
    if (auto sent = channel.send_raw(output.bytes); !sent) return sent;
  }
  return {};
}

Received<void> answer(const Channel& channel, const Work& work, MessageKind kind, const Request& request, UniqueFd descriptor) {
  if (work.prepare) {
    const auto memory = job_memory_bytes(request.budget, request.source_bytes, request.transforms.size());
    const auto prepared = work.prepare(memory, static_cast<std::uint64_t>(request.budget.deadline.count()));
    if (!prepared) return channel.send(MessageKind::failed, write_error(prepared.error()));
  }
  const auto mapping = Mapping::open(descriptor.get(), request.source_bytes);
  if (!mapping)
    return channel.send(MessageKind::failed, write_error({Errc::too_large, "the source does not fit into the worker's memory"}));
  // The mapping keeps the bytes; while the work runs there is no descriptor but the socket.
  descriptor.reset();
  const MemoryReader source(mapping->bytes());
  const DeriveOptions options = options_of(request, channel);
  return kind == MessageKind::probe ? answer_probe(channel, work, source, options) : answer_derive(channel, work, source, request, options);
}

}  // namespace

std::uint64_t job_memory_bytes(const ProcessingBudget& budget, std::uint64_t source_bytes, std::size_t outputs) {
  // Twice the source: mapped, and once more for a codec that wants it in a buffer of its own.
  const std::uint64_t pixels_and_source = saturating_add(budget.max_memory_bytes, saturating_multiply(source_bytes, 2));
  const std::uint64_t outputs_and_codecs = saturating_add(saturating_multiply(budget.max_output_bytes, outputs), kCodecBytes);
  return saturating_add(pixels_and_source, outputs_and_codecs);
}

int serve(int socket, const Work& work) {
  const Channel channel(socket);
  if (!channel.send(MessageKind::hello, write_hello({kProtocol, MEDIA_VERSION}))) return 0;
  for (;;) {
    UniqueFd descriptor;
    const auto message = channel.receive({}, &descriptor);
    if (!message) return message.error() == Trouble::closed ? 0 : 1;
    if (message->kind != MessageKind::probe && message->kind != MessageKind::derive) return 1;
    const auto request = parse_request(message->payload);
    if (!request || !descriptor) return 1;
    if (const auto sent = answer(channel, work, message->kind, *request, std::move(descriptor)); !sent) {
      return sent.error() == Trouble::closed ? 0 : 1;
    }
    if (::mallinfo2().fordblks > kKeptFreeBytes) ::malloc_trim(0);
  }
}

}  // namespace media::cage

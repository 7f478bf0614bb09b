#include <algorithm>
#include <memory>
#include <vector>

#include "command.hpp"
#include "interrupt.hpp"
#include "media/digest.hpp"
#include "media/hashing.hpp"
#include "media/io.hpp"
#include "progress.hpp"
#include "text.hpp"
#include "walk.hpp"

namespace mediactl {
namespace {

/// Files up to this size are read whole and hashed together.
constexpr std::uint64_t kTogetherBytes = 128U << 10U;
/// More at once would no longer stay in a core's cache until they are hashed.
constexpr std::size_t kHeldBytes = 1U << 20U;

/// Hashes files in the order in which they come, small ones several at a time.
class HashRun {
 public:
  HashRun(Console& console, Progress& progress) : console_(console), progress_(progress), held_(kHeldBytes) {}

  void add(const std::string& path) {
    const auto file = media::FileReader::open(path);
    if (!file) return fail(path, file.error());
    const std::uint64_t size = (*file)->size();
    if (size > kTogetherBytes) {
      hash_gathered();
      return hash_large(path, **file);
    }
    if (used_ + size > held_.size()) hash_gathered();
    const auto into = std::span(held_).subspan(used_, static_cast<std::size_t>(size));
    const auto got = (*file)->read_at(0, into);
    if (!got) return fail(path, got.error());
    used_ += *got;
    paths_.push_back(path);
    contents_.push_back(into.first(*got));
  }

  void fail(const std::string& path, const media::Error& error) {
    hash_gathered();
    ++failed_;
    const std::string reason = reason_of(error, path);
    console_.record(Json{{"path", path}, {"status", "failed"}, {"digest", nullptr}, {"size", nullptr}, {"reason", reason}});
    console_.problem("failed", path, reason);
  }

  Exit conclude(int signal_number) {
    hash_gathered();
    console_.summary(Json{{"files", files_}, {"failed", failed_}, {"bytes", bytes_}, {"seconds", progress_.elapsed().count()}}, {});
    if (signal_number != 0) return exit_for_signal(signal_number);
    return failed_ == 0 ? Exit::ok : Exit::findings;
  }

 private:
  void hash_gathered() {
    std::vector<media::Digest> digests(contents_.size());
    media::hash_together(contents_, digests);
    for (std::size_t i = 0; i < digests.size(); ++i) tell(paths_[i], digests[i], contents_[i].size());
    contents_.clear();
    paths_.clear();
    used_ = 0;
  }

  void hash_large(const std::string& path, const media::ByteReader& file) {
    media::Sha256 hasher;
    const auto piece = std::span(held_).first(std::size_t{256} << 10U);
    for (std::uint64_t at = 0; at < file.size();) {
      const auto got = file.read_at(at, piece);
      if (!got) return fail(path, got.error());
      hasher.update(piece.first(*got));
      at += *got;
    }
    tell(path, hasher.finish(), file.size());
  }

  void tell(const std::string& path, const media::Digest& digest, std::uint64_t size) {
    ++files_;
    bytes_ += size;
    progress_.add(1, size);
    const std::string hex = digest.to_hex();
    if (console_.json()) {
      console_.record(Json{{"path", path}, {"status", "hashed"}, {"digest", hex}, {"size", size}, {"reason", nullptr}});
    } else {
      console_.text(hex + "  " + printable(path));
    }
  }

  Console& console_;
  Progress& progress_;
  std::vector<std::byte> held_;
  std::size_t used_ = 0;
  std::vector<std::string> paths_;
  std::vector<std::span<const std::byte>> contents_;
  std::uint64_t files_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t bytes_ = 0;
};

Exit run(Console& console, const std::vector<std::string>& paths) {
  const Interrupt interrupt;
  Progress progress(console, "files");
  HashRun hashing(console, progress);
  walk(paths, std::nullopt, [&](const Found& found) {
    if (found.kind == Found::Kind::file) hashing.add(found.path);
    if (found.kind == Found::Kind::unusable) hashing.fail(found.path, {media::Errc::invalid_argument, found.reason});
    return interrupt.signal_number() == 0;
  });
  return hashing.conclude(interrupt.signal_number());
}

}  // namespace

void add_hash(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("hash", "Print the SHA-256 of files: the names that their bytes have in a store");
  auto paths = std::make_shared<std::vector<std::string>>();
  command->add_option("PATH", *paths, "Files, and folders to walk (symbolic links inside folders are skipped)")->required();
  command->callback([&invocation, paths] { invocation.run = [paths](Console& console, const Globals&) { return run(console, *paths); }; });
}

}  // namespace mediactl

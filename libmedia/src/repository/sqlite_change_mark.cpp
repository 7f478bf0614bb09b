#include "repository/sqlite_change_mark.hpp"

namespace media::sqlite {
namespace {

constexpr int kRegionBytes = 32 * 1024;  // SQLite's own unit

}  // namespace

std::unique_ptr<ChangeWatch> ChangeWatch::open(const std::filesystem::path& path) {
  auto opened = Connection::open(path, Access::read);
  if (!opened) return nullptr;
  auto connection = std::move(opened).value();
  const volatile std::uint32_t* const header = connection->wal_index(kRegionBytes);
  if (header == nullptr) return nullptr;
  return std::unique_ptr<ChangeWatch>(new ChangeWatch(std::move(connection), header));
}

// Others write it meanwhile, as it is meant: every word is looked at as it is, and a mark that is half of one and half of another is no
// mark that was ever kept. Told to the sanitizer, which cannot know.
__attribute__((no_sanitize("thread"))) ChangeMark ChangeWatch::look() const noexcept {
  ChangeMark mark;
  for (std::size_t i = 0; i < mark.size(); ++i) mark[i] = header_[i];
  __atomic_thread_fence(__ATOMIC_ACQUIRE);
  return mark;
}

}  // namespace media::sqlite

// What many tests need: temp folders, bytes, files, the shared corpus.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace test {

/// A folder of its own below the system's temp folder, removed with everything in it at the end.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// Text as bytes.
std::vector<std::byte> bytes(std::string_view text);
/// Bytes that look random, the same ones for the same seed.
std::vector<std::byte> noise(std::size_t count, std::uint64_t seed = 1);
void write_file(const std::filesystem::path& path, std::span<const std::byte> content);
void write_file(const std::filesystem::path& path, std::string_view content);
std::vector<std::byte> read_file(const std::filesystem::path& path);
std::string read_text(const std::filesystem::path& path);
/// Regular files below a folder.
std::size_t count_files(const std::filesystem::path& folder);

/// Where a filesystem store keeps the bytes of a blob: in a file of its own, or in the midst of a segment. Found by looking, not by asking
/// the store.
struct BlobPlace {
  std::filesystem::path path;
  std::uint64_t offset = 0;
  bool in_segment = false;
};
/// `hex` is the blob's digest. Absent where no live blob of that name is there.
std::optional<BlobPlace> find_blob(const std::filesystem::path& store, const std::string& hex);
/// Changes one bit of a blob's content; throws where the store lacks the blob.
void damage_blob(const std::filesystem::path& store, const std::string& hex, std::uint64_t at);
/// Takes a blob away behind the store's back.
void lose_blob(const std::filesystem::path& store, const std::string& hex);

/// ../shared beside the project; absent where a build has none.
std::optional<std::filesystem::path> shared_folder();

/// What a program printed and how it ended.
struct RunResult {
  int exit_code = -1;  ///< 128 + signal where a signal ended it.
  std::string out;
  std::string err;
};
/// Runs a program to its end with extra environment variables ("NAME=value"); kills it after `timeout_seconds`.
RunResult run(const std::vector<std::string>& arguments, const std::vector<std::string>& environment = {}, int timeout_seconds = 120);

}  // namespace test

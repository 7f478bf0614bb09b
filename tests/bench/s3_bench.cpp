// s3_bench put ENDPOINT BUCKET FILE         a file into the store: what was taken from where to where, how fast, in how much memory
// s3_bench get ENDPOINT BUCKET HEX FILE     and back
// Credentials come from the environment. tests/bench/s3_bench.sh starts a gateway and compares with other clients.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "media/s3_store.hpp"

using namespace media;

namespace {

constexpr std::size_t kPiece = 256U << 10U;

/// Of /proc/self/status, in MiB.
double peak_mebibytes() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

Result<Digest> put(BlobStore& store, const char* path) {
  MEDIA_TRY_ASSIGN(const auto file, FileReader::open(path));
  MEDIA_TRY_ASSIGN(const auto writer, store.begin(file->size()));
  std::vector<std::byte> piece(kPiece);
  for (std::uint64_t at = 0; at < file->size();) {
    MEDIA_TRY_ASSIGN(const std::size_t got, file->read_at(at, piece));
    MEDIA_TRY(writer->write(std::span(piece).first(got)));
    at += got;
  }
  std::vector<std::unique_ptr<Staged>> group(1);
  MEDIA_TRY_ASSIGN(group[0], writer->finish());
  const Digest digest = group[0]->digest();
  MEDIA_TRY(store.publish(group));
  return digest;
}

Result<void> get(const BlobStore& store, const Digest& digest, const char* path) {
  MEDIA_TRY_ASSIGN(const auto reader, store.open(digest));
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  std::vector<std::byte> piece(kPiece);
  for (std::uint64_t at = 0; at < reader->size();) {
    MEDIA_TRY_ASSIGN(const std::size_t got, reader->read_at(at, piece));
    if (!file.write(reinterpret_cast<const char*>(piece.data()), static_cast<std::streamsize>(got))) return Error{Errc::io, "write"};
    at += got;
  }
  if (!file.flush()) return Error{Errc::io, "write"};
  return {};
}

int fail(const Error& error) {
  std::fprintf(stderr, "s3_bench: %s\n", error.message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string action = argc > 1 ? argv[1] : "";
  if (!(action == "put" && argc == 5) && !(action == "get" && argc == 6)) return 2;
  S3StoreOptions options;
  options.endpoint = argv[2];
  options.bucket = argv[3];
  const auto store = open_s3_store(options);
  if (!store) return fail(store.error());
  const auto began = std::chrono::steady_clock::now();
  std::string hex = action == "get" ? argv[4] : "";
  if (action == "put") {
    const auto digest = put(**store, argv[4]);
    if (!digest) return fail(digest.error());
    hex = digest->to_hex();
  } else {
    const auto digest = Digest::from_hex(hex);
    if (!digest) return fail(digest.error());
    if (const auto got = get(**store, *digest, argv[5]); !got) return fail(got.error());
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("%s %s %.2f s, peak %.1f MiB\n", action.c_str(), hex.c_str(), took.count(), peak_mebibytes());
  return 0;
}

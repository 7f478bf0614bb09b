// blob_store_program publish BASE BUFFER_BYTES PACK_BELOW TEXT…   publishes each text and says "acked HEX" once it may be believed,
//                                                                 "failed CODE MESSAGE" otherwise
// blob_store_program ahead …                                      likewise, written ahead, each behind one that is given up
// blob_store_program stat BASE PAUSE_MS - TEXT…                   "held HEX" for each that the store says it has, "absent HEX" otherwise;
//                                                                 the pause before each leaves room for others
// blob_store_program many BASE PACK_BELOW SEED COUNT              the same contents for the same seed, in groups of 8
// blob_store_program check BASE                                   reads digests, one a line, and says "lost HEX" for each that is not there
// or
//                                                                 not whole, "torn HEX" for what else is not what its name says
// blob_store_program compact BASE                                 removes every second blob, and rewrites the segments: "acked HEX" for
// what stays Syncs run on the one thread of the program, so that a trace of it has one order and a fault hits one call.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "media/blob_store.hpp"

using namespace media;

namespace {

Result<std::unique_ptr<Staged>> stage(BlobStore& store, const std::string& text) {
  MEDIA_TRY_ASSIGN(const auto writer, store.begin(text.size()));
  MEDIA_TRY(writer->write(std::as_bytes(std::span(text))));
  return writer->finish();
}

void say(const Result<void>& outcome, const Digest& digest) {
  if (outcome) {
    std::printf("acked %s\n", digest.to_hex().c_str());
  } else {
    std::printf("failed %s %s\n", std::string(to_string(outcome.error().code)).c_str(), outcome.error().message.c_str());
  }
  std::fflush(stdout);
}

Result<void> publish_group(BlobStore& store, const std::vector<std::string>& texts, bool ahead = false) {
  std::vector<std::unique_ptr<Staged>> group;
  for (const auto& text : texts) {
    MEDIA_TRY_ASSIGN(auto staged, stage(store, text));
    if (ahead) staged->write_ahead();
    group.push_back(std::move(staged));
  }
  return store.publish(group);
}

/// Half of what is there dies, in segments that all have some of it.
Result<void> compact(BlobStore& store) {
  MEDIA_TRY_ASSIGN(const auto page, store.list("", 1'000));
  for (std::size_t i = 0; i < page.blobs.size(); ++i) {
    if (i % 2 == 0) {
      say({}, *page.blobs[i].digest);
    } else {
      MEDIA_TRY(store.remove(*page.blobs[i].digest));
    }
  }
  MEDIA_TRY_ASSIGN(const auto report, store.segmented()->compact({.min_dead_fraction = 0.1}));
  std::printf("moved %llu\n", static_cast<unsigned long long>(report.blobs_moved));
  return {};
}

/// `absent`: what to say of one that is not there.
Result<bool> is_whole(const BlobStore& store, const Digest& digest, bool absent) {
  const auto reader = store.open(digest);
  if (!reader && reader.error().code == Errc::not_found) return absent;
  if (!reader) return reader.error();
  MEDIA_TRY_ASSIGN(const auto content, read_all(**reader, UINT64_MAX));
  return Digest::of(content) == digest;
}

/// How many are lost or torn.
Result<unsigned> check(const BlobStore& store) {
  unsigned faults = 0;
  for (std::string line; std::getline(std::cin, line);) {
    MEDIA_TRY_ASSIGN(const Digest digest, Digest::from_hex(line));
    MEDIA_TRY_ASSIGN(const bool whole, is_whole(store, digest, false));
    if (whole) continue;
    std::printf("lost %s\n", line.c_str());
    ++faults;
  }
  std::string cursor;
  do {
    MEDIA_TRY_ASSIGN(const auto page, store.list(cursor, 1'000));
    for (const ListedBlob& blob : page.blobs) {
      if (!blob.digest) continue;
      // One that was removed when the power went may be listed until somebody asks for it.
      MEDIA_TRY_ASSIGN(const bool whole, is_whole(store, *blob.digest, true));
      if (whole) continue;
      std::printf("torn %s\n", blob.digest->to_hex().c_str());
      ++faults;
    }
    cursor = page.next_cursor;
  } while (!cursor.empty());
  return faults;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 2 || (arguments[0] != "compact" && arguments[0] != "check" && arguments.size() < 5)) return 2;
  const auto number = [&](std::size_t at) { return std::strtoull(arguments[at].c_str(), nullptr, 10); };
  FilesystemStoreOptions options;
  options.base_path = arguments[1];
  options.sync_threads = 1;
  const bool ahead = arguments[0] == "ahead";
  if (arguments[0] == "publish" || ahead) options.buffer_bytes = number(2);
  if (arguments[0] == "publish" || ahead) options.pack_below_bytes = number(3);
  if (arguments[0] == "many") options.pack_below_bytes = number(2);
  const auto store = open_filesystem_store(options);
  if (!store) {
    std::printf("failed %s %s\n", std::string(to_string(store.error().code)).c_str(), store.error().message.c_str());
    return 1;
  }
  if (arguments[0] == "publish" || ahead) {
    for (const auto& text : std::span(arguments).subspan(4)) {
      // Somebody else's, who gives up.
      const auto abandoned = ahead ? stage(**store, text + " not") : Result<std::unique_ptr<Staged>>(std::unique_ptr<Staged>());
      if (abandoned && *abandoned) (*abandoned)->write_ahead();
      say(publish_group(**store, {text}, ahead), Digest::of(std::as_bytes(std::span(text))));
    }
    return 0;
  }
  if (arguments[0] == "stat") {
    for (const auto& text : std::span(arguments).subspan(4)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(number(2)));
      const Digest digest = Digest::of(std::as_bytes(std::span(text)));
      const auto stat = (*store)->stat(digest);
      std::printf("%s %s\n", stat && *stat ? "held" : "absent", digest.to_hex().c_str());
      std::fflush(stdout);
    }
    return 0;
  }
  if (arguments[0] == "compact") return compact(**store) ? 0 : 1;
  if (arguments[0] == "check") {
    const auto faults = check(**store);
    return faults && *faults == 0 ? 0 : 1;
  }
  for (unsigned long i = 0; i < number(4); ++i) {
    std::vector<std::string> texts;
    for (unsigned long j = 0; j < 8; ++j) texts.push_back(arguments[3] + "/" + std::to_string(8 * i + j) + std::string(j * j * 500, 'x'));
    const auto outcome = publish_group(**store, texts);
    for (const auto& text : texts) say(outcome, Digest::of(std::as_bytes(std::span(text))));
  }
  return 0;
}

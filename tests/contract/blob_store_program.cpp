// blob_store_program publish BASE BUFFER_BYTES TEXT…   publishes each text and says "acked HEX" once it may be believed,
//                                                      "failed CODE MESSAGE" otherwise
// blob_store_program many BASE SEED COUNT              the same contents for the same seed, in groups of 8
// Syncs run on the one thread of the program, so that a trace of it has one order and a fault hits one call.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
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

Result<void> publish_group(BlobStore& store, const std::vector<std::string>& texts) {
  std::vector<std::unique_ptr<Staged>> group;
  for (const auto& text : texts) {
    MEDIA_TRY_ASSIGN(auto staged, stage(store, text));
    group.push_back(std::move(staged));
  }
  return store.publish(group);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 4) return 2;
  FilesystemStoreOptions options;
  options.base_path = arguments[1];
  options.sync_threads = 1;
  if (arguments[0] == "publish") options.buffer_bytes = std::strtoul(arguments[2].c_str(), nullptr, 10);
  const auto store = open_filesystem_store(options);
  if (!store) {
    std::printf("failed %s %s\n", std::string(to_string(store.error().code)).c_str(), store.error().message.c_str());
    return 1;
  }
  if (arguments[0] == "publish") {
    for (const auto& text : std::span(arguments).subspan(3))
      say(publish_group(**store, {text}), Digest::of(std::as_bytes(std::span(text))));
    return 0;
  }
  for (unsigned long i = 0; i < std::strtoul(arguments[3].c_str(), nullptr, 10); ++i) {
    std::vector<std::string> texts;
    for (unsigned long j = 0; j < 8; ++j) texts.push_back(arguments[2] + "/" + std::to_string(8 * i + j));
    const auto outcome = publish_group(**store, texts);
    for (const auto& text : texts) say(outcome, Digest::of(std::as_bytes(std::span(text))));
  }
  return 0;
}

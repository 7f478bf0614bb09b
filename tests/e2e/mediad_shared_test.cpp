// Two mediads on one store: what many clients send to both at once is kept once, and counted exactly.
// MEDIA_TEST_ROUNDS=100 runs it at full length.
#include <atomic>
#include <barrier>
#include <cstdlib>
#include <map>
#include <set>

#include "mediad_fixture.hpp"

using namespace test;
using Json = nlohmann::json;

namespace {

constexpr std::size_t kContents = 100;
constexpr std::size_t kClients = 16;  // of each mediad

std::size_t rounds() {
  const char* const wanted = std::getenv("MEDIA_TEST_ROUNDS");
  return wanted == nullptr ? 2 : static_cast<std::size_t>(std::max(1, std::atoi(wanted)));
}

/// Two processes, one base path. No job threads: pictures are not what is counted here.
struct Pair {
  static std::vector<std::string> environment(const std::vector<std::string>& more = {}) {
    std::vector<std::string> all = {"MEDIA_SERVICE_PROCESSING_JOB_THREADS=0", "MEDIA_SERVICE_SERVER_BODY_THREADS=32",
                                    "MEDIA_SERVICE_LOGGING_LEVEL=warn"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  [[nodiscard]] int port_of(std::size_t client) const { return client % 2 == 0 ? first.port : second.port; }

  Mediad first{environment()};
  Mediad second{environment({"MEDIA_SERVICE_STORAGE_BASE_PATH=" + first.store().string()})};
};

struct Sent {
  std::atomic<int> failures{0};
  std::atomic<int> differing{0};
};

/// Every media of the list, by its content.
std::map<std::string, std::set<std::string>> names_by_content(Client& client) {
  std::map<std::string, std::set<std::string>> names;
  std::string cursor;
  do {
    const auto answer = client.get("/media?limit=100" + (cursor.empty() ? "" : "&cursor=" + cursor));
    REQUIRE(answer);
    REQUIRE(answer->status == 200);
    const Json page = Json::parse(answer->body);
    for (const Json& media : page["data"]) {
      INFO(media.dump());
      CHECK(names[media["content_hash"]].insert(media["original_filename"]).second);
    }
    cursor = page["pagination"]["has_next"] == true ? page["pagination"]["next_cursor"].get<std::string>() : std::string();
  } while (!cursor.empty());
  return names;
}

/// Every blob in the store, proven, and every one of them in the catalog.
std::size_t blobs_in(const std::filesystem::path& store) {
  const auto verified = test::run({Mediad::mediactl(), "--store", store.string(), "verify", "--json"});
  CHECK(verified.exit_code == 0);
  const auto last = verified.out.rfind('\n', verified.out.size() - 2) + 1;
  return Json::parse(verified.out.substr(last == std::string::npos + 1 ? 0 : last))["summary"]["blobs"];
}

std::vector<std::string> contents() {
  std::vector<std::string> made;
  for (std::size_t i = 0; i < kContents; ++i) {
    made.push_back(text_of(png(
        4, 4, [&](std::uint32_t x, std::uint32_t) { return Rgba{static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(x), 0, 255}; })));
  }
  return made;
}

template <class Run>
void on_every_client(Run run) {
  std::vector<std::thread> threads;
  for (std::size_t client = 0; client < 2 * kClients; ++client) threads.emplace_back(run, client);
  for (auto& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("mediad: two on one store take the same contents from many clients, one blob a content, every row there") {
  const Pair pair;
  const auto sent = contents();
  Sent outcome;
  const auto began = std::chrono::steady_clock::now();
  on_every_client([&](std::size_t number) {
    Client client(pair.port_of(number));
    for (std::size_t round = 0; round < rounds(); ++round) {
      for (std::size_t i = 0; i < kContents; ++i) {
        // Each begins elsewhere, so that first sights of one content meet.
        const std::size_t which = (i + number * 7) % kContents;
        const std::string name = std::to_string(number) + "-" + std::to_string(round) + "-" + std::to_string(which) + ".png";
        const auto answer = client.post_raw(sent[which], "image/png", name);
        if (!answer || answer->status != 200) ++outcome.failures;
      }
    }
  });
  const std::size_t uploads = 2 * kClients * rounds() * kContents;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::printf("%zu uploads to two mediads in %.1f s (%.0f/s)\n", uploads, seconds, static_cast<double>(uploads) / seconds);
  CHECK(outcome.failures == 0);
  Client client(pair.second.port);
  const auto names = names_by_content(client);
  CHECK(names.size() == kContents);
  for (const auto& [hash, each] : names) CHECK(each.size() == uploads / kContents);
  CHECK(blobs_in(pair.first.store()) == kContents);
  CHECK(pair.first.temps() == 0);
}

TEST_CASE("mediad: two on one store that get one content under one name at once make one media of it and tell everybody the same") {
  const Pair pair;
  const auto sent = contents();
  Sent outcome;
  std::barrier together(static_cast<std::ptrdiff_t>(2 * kClients));
  std::vector<std::string> answers(2 * kClients);
  const auto began = std::chrono::steady_clock::now();
  on_every_client([&](std::size_t number) {
    Client client(pair.port_of(number));
    for (std::size_t round = 0; round < rounds(); ++round) {
      for (std::size_t i = 0; i < kContents; ++i) {
        together.arrive_and_wait();
        const auto answer = client.post_raw(sent[i], "image/png", std::to_string(round) + "-" + std::to_string(i) + ".png");
        if (!answer || answer->status != 200) ++outcome.failures;
        answers[number].clear();
        if (answer) {
          // Who was first is the one difference; each is told the URL of the mediad that he asked.
          Json body = Json::parse(answer->body, nullptr, false);
          body.erase("deduplicated");
          body.erase("upload_url");
          answers[number] = body.dump();
        }
        together.arrive_and_wait();
        if (answers[number] != answers[0]) ++outcome.differing;
      }
    }
  });
  std::printf("%zu uploads at once to two mediads in %.1f s\n", 2 * kClients * rounds() * kContents,
              std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  CHECK(outcome.failures == 0);
  CHECK(outcome.differing == 0);
  Client client(pair.first.port);
  const auto names = names_by_content(client);
  CHECK(names.size() == kContents);
  for (const auto& [hash, each] : names) CHECK(each.size() == rounds());
  CHECK(blobs_in(pair.first.store()) == kContents);
}

// mediactl ingest killed, interrupted, and twice at once: what it said is true, what it left is whole.
#include <signal.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <random>
#include <set>
#include <thread>

#include "catch.hpp"
#include "cli_support.hpp"

namespace fs = std::filesystem;
using cli::Json;
using cli::json_lines;
using cli::mediactl;

namespace {

/// Whole lines only: the last one may have been torn by the kill.
std::vector<Json> acknowledged(const fs::path& output) {
  std::vector<Json> objects;
  std::string text = test::read_text(output);
  const std::size_t end = text.rfind('\n');
  if (end == std::string::npos) return objects;
  for (const std::string& line : cli::text_lines(text.substr(0, end))) {
    Json object = Json::parse(line);
    if (!object.contains("summary")) objects.push_back(std::move(object));
  }
  return objects;
}

std::set<long long> ids_in(const std::string& store) {
  std::set<long long> ids;
  for (const Json& media : json_lines(mediactl({"--store", store, "ls", "--json"}).out).objects)
    ids.insert(media.at("id").get<long long>());
  return ids;
}

int kill_rounds() {
  const char* wanted = std::getenv("MEDIA_TEST_KILLS");
  return wanted == nullptr ? 15 : std::max(1, std::atoi(wanted));
}

}  // namespace

TEST_CASE("cli ingest: killed at random moments it loses nothing that it acknowledged and damages nothing") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  const fs::path in = folder / "in";
  unsigned serial = 0;
  std::mt19937 random(20'261'125);
  std::set<long long> promised;
  REQUIRE(mediactl({"--store", store, "init"}).exit_code == 0);
  // New files for each run, so that it has something to write wherever it is killed; every third run decodes too.
  const auto start = [&](bool pictures) {
    fs::remove_all(in);
    for (unsigned i = 0; i < (pictures ? 24U : 500U); ++i) {
      ++serial;
      if (pictures) {
        test::write_file(in / (std::to_string(serial) + ".png"), cli::png(60, 40, serial));
      } else {
        test::write_file(in / (std::to_string(serial) + ".bin"), test::noise(4000 + serial % 3000, serial));
      }
    }
    std::vector<std::string> arguments = {"--store", store, "--json", "ingest", "--jobs", "2", in.string()};
    if (!pictures) arguments.emplace_back("--any");
    return std::make_unique<cli::Background>(arguments, folder / "out", folder / "err");
  };
  // How long they take here and now is measured, so that the kills fall all over a run on a slow machine too.
  std::array<std::chrono::microseconds, 2> whole_run{};
  for (const bool pictures : {false, true}) {
    const auto began = std::chrono::steady_clock::now();
    const auto ingest = start(pictures);
    REQUIRE(ingest->wait() == 0);
    whole_run.at(pictures ? 1 : 0) = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
  }
  for (int round = 0; round < kill_rounds(); ++round) {
    const bool pictures = round % 3 == 2;
    const auto ingest = start(pictures);
    std::this_thread::sleep_for(whole_run.at(pictures ? 1 : 0) * std::uniform_int_distribution<int>(1, 1000)(random) / 1000);
    ingest->signal(SIGKILL);
    ingest->wait();
    INFO("round " << round);
    for (const Json& line : acknowledged(folder / "out")) {
      if (line.at("status") == "stored") promised.insert(line.at("id").get<long long>());
    }

    // A stray is what a crash may leave; damaged and missing are not.
    const auto verified = json_lines(mediactl({"--store", store, "verify", "--json"}).out);
    CHECK(verified.summary.at("damaged") == 0);
    CHECK(verified.summary.at("missing") == 0);
    const std::set<long long> there = ids_in(store);
    for (const long long id : promised) CHECK(there.count(id) == 1);
  }
  CHECK_FALSE(promised.empty());

  // The next start swept what the killed ones were writing.
  REQUIRE(mediactl({"--store", store, "gc"}).exit_code == 0);
  CHECK(test::count_files(fs::path(store) / "temp") <= 1);
}

TEST_CASE("cli ingest: SIGINT finishes what is in flight, says so, and exits with 130") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  for (unsigned i = 0; i < 6000; ++i) test::write_file(folder / "in" / (std::to_string(i) + ".bin"), test::noise(8000, i));
  cli::Background ingest({"--store", store, "--json", "ingest", "--any", "--jobs", "1", (folder / "in").string()}, folder / "out",
                         folder / "err");
  REQUIRE(cli::wait_for_output(folder / "out"));
  ingest.signal(SIGINT);
  const int code = ingest.wait();
  const auto lines = json_lines(test::read_text(folder / "out"));
  if (code == 0 && lines.summary.at("stored") == 6000) {
    WARN("the ingest was faster than the signal");
    return;
  }
  CHECK(code == 130);
  CHECK(lines.summary.at("interrupted") == true);
  CHECK(lines.summary.at("stored").get<std::size_t>() == lines.objects.size());
  CHECK(lines.objects.size() < 6000);
  CHECK(ids_in(store).size() == lines.objects.size());
  CHECK(mediactl({"--store", store, "verify"}).exit_code == 0);
  CHECK(cli::text_lines(test::read_text(folder / "err")).size() == 1);
}

TEST_CASE("cli ingest: SIGTERM while pictures are decoded leaves the rest queued") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  for (unsigned i = 0; i < 60; ++i) test::write_file(folder / "in" / (std::to_string(i) + ".png"), cli::png(300, 200, i));
  cli::Background ingest({"--store", store, "--json", "ingest", "--jobs", "1", (folder / "in").string()}, folder / "out", folder / "err");
  REQUIRE(cli::wait_for_output(folder / "out"));
  ingest.signal(SIGTERM);
  CHECK(ingest.wait() == 143);
  const auto lines = json_lines(test::read_text(folder / "out"));
  std::size_t queued = 0;
  for (const Json& line : lines.objects) {
    CHECK(line.at("status") == "stored");
    queued += line.at("reason").is_null() ? 0U : 1U;
  }
  CHECK(queued > 0);
  const auto again = json_lines(mediactl({"--store", store, "--json", "ingest", (folder / "in").string()}).out);
  CHECK(again.summary.at("files") == 60);
  CHECK(again.summary.at("failed") == 0);
  CHECK(json_lines(mediactl({"--store", store, "ls", "--json", "--status", "Complete"}).out).objects.size() == 60);
}

TEST_CASE("cli ingest: two processes on one store take in the same files once") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  for (unsigned i = 0; i < 400; ++i) test::write_file(folder / "in" / (std::to_string(i) + ".bin"), test::noise(3000, i));
  for (unsigned i = 0; i < 12; ++i) test::write_file(folder / "in" / (std::to_string(i) + ".png"), cli::png(40, 40, i));
  int codes = 0;
  {
    // Neither store nor catalog is there: they race for making them, too.
    cli::Background any({"--store", store, "--json", "ingest", "--any", "--jobs", "2", (folder / "in").string()}, folder / "out1",
                        folder / "err1");
    cli::Background also({"--store", store, "--json", "ingest", "--any", "--jobs", "2", (folder / "in").string()}, folder / "out2",
                         folder / "err2");
    codes = any.wait() + also.wait();
  }
  INFO(test::read_text(folder / "err1") << test::read_text(folder / "err2"));
  CHECK(codes == 0);
  const auto one = json_lines(test::read_text(folder / "out1")).summary;
  const auto two = json_lines(test::read_text(folder / "out2")).summary;
  CHECK(one.at("stored").get<int>() + two.at("stored").get<int>() == 412);
  CHECK(one.at("duplicate").get<int>() + two.at("duplicate").get<int>() == 412);
  CHECK(mediactl({"--store", store, "verify"}).exit_code == 0);
  CHECK(ids_in(store).size() == 412);
}

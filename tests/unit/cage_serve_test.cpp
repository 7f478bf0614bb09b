#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <optional>
#include <string>
#include <thread>

#include "cage/channel.hpp"
#include "cage/serve.hpp"
#include "cage/source_file.hpp"
#include "cage/wire.hpp"
#include "catch.hpp"
#include "media/version.hpp"
#include "support.hpp"

using namespace media;
using namespace media::cage;
using namespace std::chrono_literals;

namespace {

/// serve() on a thread, and the library's end of its socket.
class Served {
 public:
  explicit Served(Work work) {
    int ends[2] = {-1, -1};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    ours_.reset(ends[0]);
    code_ = std::async(std::launch::async, [end = ends[1], work = std::move(work)] {
      const UniqueFd theirs(end);
      return serve(theirs.get(), work);
    });
  }
  ~Served() { hang_up(); }

  [[nodiscard]] Channel channel() const { return Channel(ours_.get()); }
  Message receive() {
    auto message = channel().receive({std::chrono::steady_clock::now() + 10s, -1});
    REQUIRE(message.has_value());
    return std::move(*message);
  }
  void hang_up() { ours_.reset(); }
  int exit_code() {
    REQUIRE(code_.wait_for(10s) == std::future_status::ready);
    return code_.get();
  }

 private:
  UniqueFd ours_;
  std::future<int> code_;
};

Work plain_work() {
  return {[](const ByteReader& source, const DeriveOptions&) -> Result<MediaInfo> {
            MEDIA_TRY_ASSIGN(const auto content, read_all(source, 1000));
            return MediaInfo{Format::png, static_cast<std::uint32_t>(source.size()), 1, 1, 1, false, std::nullopt};
          },
          [](const ByteReader&, std::span<const Transform>, const DeriveOptions&) -> Result<Derived> { return Derived{}; },
          {},
          {}};
}

UniqueFd source_of(std::string_view content) {
  auto file = copy_source(MemoryReader(test::bytes(content)), kMaxMemorySource, "/tmp");
  REQUIRE(file.has_value());
  return std::move(*file);
}

}  // namespace

TEST_CASE("cage: serving begins with a hello and ends well when the other side goes") {
  Served served(plain_work());
  const Message message = served.receive();
  REQUIRE(message.kind == MessageKind::hello);
  const auto hello = parse_hello(message.payload);
  REQUIRE(hello.has_value());
  CHECK(hello->version == MEDIA_VERSION);
  CHECK(hello->protocol == kProtocol);
  served.hang_up();
  CHECK(served.exit_code() == 0);
}

TEST_CASE("cage: serving reads the source that came along, and only at its stated length") {
  Served served(plain_work());
  served.receive();
  const UniqueFd source = source_of("seven b");
  Request request;
  request.source_bytes = 7;
  REQUIRE(served.channel().send(MessageKind::probe, write_request(request), source.get()).has_value());
  const Message good = served.receive();
  REQUIRE(good.kind == MessageKind::info);
  CHECK(parse_info(good.payload)->width == 7);

  request.source_bytes = 8;
  REQUIRE(served.channel().send(MessageKind::probe, write_request(request), source.get()).has_value());
  const Message bad = served.receive();
  REQUIRE(bad.kind == MessageKind::failed);
  Error error;
  REQUIRE(parse_error(bad.payload, error).has_value());
  CHECK(error.code == Errc::corrupt);
}

TEST_CASE("cage: serving stops at what is no request") {
  Served served(plain_work());
  served.receive();
  SECTION("another kind") { REQUIRE(served.channel().send(MessageKind::info, write_info({})).has_value()); }
  SECTION("no descriptor") { REQUIRE(served.channel().send(MessageKind::probe, write_request({})).has_value()); }
  SECTION("a payload that cannot be read") {
    const UniqueFd source = source_of("x");
    REQUIRE(served.channel().send(MessageKind::probe, test::bytes("?"), source.get()).has_value());
  }
  SECTION("noise") { REQUIRE(served.channel().send_raw(test::noise(100)).has_value()); }
  CHECK(served.exit_code() == 1);
}

TEST_CASE("cage: what the preparation refuses is not worked on") {
  bool worked = false;
  Work work = plain_work();
  work.probe = [&worked](const ByteReader&, const DeriveOptions&) -> Result<MediaInfo> {
    worked = true;
    return MediaInfo{};
  };
  work.prepare = [](std::uint64_t, std::uint64_t) -> Result<void> { return Error{Errc::too_large, "not today"}; };
  Served served(work);
  served.receive();
  const UniqueFd source = source_of("x");
  Request request;
  request.source_bytes = 1;
  REQUIRE(served.channel().send(MessageKind::probe, write_request(request), source.get()).has_value());
  CHECK(served.receive().kind == MessageKind::failed);
  CHECK_FALSE(worked);
}

TEST_CASE("cage: a copied source cannot be changed by whoever holds it") {
  const test::TempFolder folder;
  const auto content = test::noise(100'000);
  SECTION("in memory") {
    const auto file = copy_source(MemoryReader(content), 1 << 20, folder.path());
    REQUIRE(file.has_value());
    CHECK((::fcntl(file->get(), F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)) ==
          (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL));
    CHECK(::pwrite(file->get(), "x", 1, 0) == -1);
    CHECK(::ftruncate(file->get(), 0) == -1);
  }
  SECTION("in a file") {
    const auto file = copy_source(MemoryReader(content), 1000, folder.path());
    REQUIRE(file.has_value());
    CHECK((::fcntl(file->get(), F_GETFL) & O_ACCMODE) == O_RDONLY);
    CHECK(::pwrite(file->get(), "x", 1, 0) == -1);
    CHECK(test::count_files(folder.path()) == 0);
    std::vector<std::byte> back(content.size() + 1);
    CHECK(::pread(file->get(), back.data(), back.size(), 0) == static_cast<ssize_t>(content.size()));
    back.pop_back();
    CHECK(back == content);
  }
  SECTION("nowhere") {
    const auto file = copy_source(MemoryReader(content), 1000, folder / "missing");
    REQUIRE_FALSE(file.has_value());
    CHECK(file.error().code == Errc::not_found);
  }
}

TEST_CASE("cage: a stretch of a file is copied from its own offset") {
  class Stretch final : public ByteReader {
   public:
    explicit Stretch(int descriptor) : descriptor_(descriptor) {}
    [[nodiscard]] std::uint64_t size() const noexcept override { return 5; }
    Result<std::size_t> read_at(std::uint64_t, std::span<std::byte>) const override { return Error{Errc::io, "the window was to be used"}; }
    [[nodiscard]] std::optional<FileWindow> window() const override { return FileWindow{descriptor_, 3, 5}; }

   private:
    int descriptor_;
  };
  const test::TempFolder folder;
  test::write_file(folder / "segment", "abcDEFGHijk");
  const UniqueFd segment(::open((folder / "segment").c_str(), O_RDONLY | O_CLOEXEC));
  const auto file = copy_source(Stretch(segment.get()), 1000, folder.path());
  REQUIRE(file.has_value());
  char back[16] = {};
  REQUIRE(::pread(file->get(), back, sizeof back, 0) == 5);
  CHECK(std::string(back) == "DEFGH");

  const UniqueFd shorter(::open((folder / "segment").c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::ftruncate(shorter.get(), 6) == 0);
  const auto cut = copy_source(Stretch(shorter.get()), 1000, folder.path());
  REQUIRE_FALSE(cut.has_value());
  CHECK(cut.error().code == Errc::corrupt);
}

TEST_CASE("cage: the memory of a job never wraps around") {
  ProcessingBudget budget;
  budget.max_output_bytes = ~0ULL;
  CHECK(job_memory_bytes(budget, 1, 3) == ~0ULL);
  budget = {};
  CHECK(job_memory_bytes(budget, ~0ULL, 1) == ~0ULL);
  CHECK(job_memory_bytes(budget, 10, 0) > budget.max_memory_bytes + 20);
}

// Any bytes as a request, through head, router, admission, route and library (in memory) to its answer: no crash, no fault of the server's
// own, one shape for every failure, and nothing told that is nobody's business.
//
// What Server::Loop does around a handler is done here without its sockets. The files of the corpus are what
// tests/e2e/mediad_bad_input_test.cpp sends to a real mediad, and say there which status they deserve.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "admission.hpp"
#include "errors.hpp"
#include "http/chunked.hpp"
#include "http/head.hpp"
#include "presentation.hpp"
#include "routes.hpp"

using namespace media;
using namespace media::server;
using namespace std::string_view_literals;

namespace {

constexpr std::string_view kSecret = "1f0e9d8c7b6a59483726150493827160";
/// Eight by eight pixels.
constexpr std::string_view kPhoto =
    "\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x08\x00\x00\x00\x08\x08\x02\x00\x00\x00\x4b\x6d\x29\xdc\x00\x00\x00\x11IDAT"
    "\x78\x9c\x63\xd0\x88\x5a\x80\x15\x31\x0c\x2d\x09\x00\x36\x6c\x48\x81\x52\x82\x44\x95\x00\x00\x00\x00IEND\xae\x42\x60\x82"sv;

void require(bool condition, std::string_view what, const http::Response* response = nullptr) {
  if (condition) return;
  std::cerr << "broken: " << what << '\n';
  if (response != nullptr) std::cerr << response->status << ' ' << (response->pieces.empty() ? "" : response->pieces[0].text) << '\n';
  std::abort();
}

/// What stands behind a head, as the body that the head announces.
class MemoryBody final : public http::Body {
 public:
  MemoryBody(const http::Head& head, std::string_view rest)
      : rest_(rest), is_chunked_(head.chunked), left_(head.content_length.value_or(0)), announced_(left_), finished_(!head.has_body()) {}

  Result<std::size_t> read(std::span<std::byte> into) override {
    if (failure_) return error_;
    if (finished_ || into.empty()) return std::size_t{0};
    MEDIA_TRY(check(announced_));
    const bool more = is_chunked_ ? next_chunk() : left_ > 0;
    if (failure_) return error_;
    if (!more) return std::size_t{0};
    const std::uint64_t wanted = is_chunked_ ? decoder_.data_left() : left_;
    if (is_chunked_) MEDIA_TRY(check(received_ + wanted));
    if (rest_.empty()) return fail(Errc::invalid_argument, 400, "it ended before it was complete");
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>({wanted, rest_.size(), into.size()}));
    std::memcpy(into.data(), rest_.data(), count);
    rest_.remove_prefix(count);
    received_ += count;
    if (is_chunked_) {
      decoder_.took(count);
    } else {
      left_ -= count;
      finished_ = left_ == 0;
    }
    return count;
  }
  Result<void> limit(std::uint64_t bytes) override {
    limit_ = bytes;
    if (failure_) return error_;
    return check(std::max(announced_, received_));
  }
  void pace(const http::BodyPace&) override {}
  void cancel() noexcept override {}
  [[nodiscard]] std::uint64_t received() const noexcept override { return received_; }
  void hide() noexcept { finished_ = true; }
  [[nodiscard]] const std::optional<http::HeadFailure>& failure() const noexcept { return failure_; }

 private:
  Error fail(Errc code, int status, std::string message) {
    failure_ = http::HeadFailure{status, message};
    error_ = {code, "request body: " + std::move(message)};
    return error_;
  }
  Result<void> check(std::uint64_t total) {
    if (total > limit_) return fail(Errc::too_large, 413, "it may have " + std::to_string(limit_) + " bytes here");
    return {};
  }
  /// True where a piece of a chunk comes next.
  bool next_chunk() {
    std::size_t consumed = 0;
    const auto event = decoder_.next(rest_, consumed);
    rest_.remove_prefix(consumed);
    if (event == http::ChunkDecoder::Event::malformed) fail(Errc::invalid_argument, 400, "its chunks are malformed");
    if (event == http::ChunkDecoder::Event::need_more) fail(Errc::invalid_argument, 400, "it ended before it was complete");
    if (event == http::ChunkDecoder::Event::end) finished_ = true;
    return event == http::ChunkDecoder::Event::data;
  }

  std::string_view rest_;
  bool is_chunked_;
  std::uint64_t left_;
  std::uint64_t announced_;
  std::uint64_t limit_ = http::ServerOptions().default_body_limit;
  std::uint64_t received_ = 0;
  bool finished_;
  http::ChunkDecoder decoder_;
  std::optional<http::HeadFailure> failure_;
  Error error_;
};

/// A library with one photo, one begun upload and one promised one, and everything that routes need.
class World {
 public:
  World() : log_("off", true), health_({}), signer_(SigningKeys::open({std::string(kSecret)}).value(), clock_) {
    config_.host = "127.0.0.1";
    config_.rate_limits.enabled = false;
    LibraryOptions options;
    options.store = make_memory_store();
    options.repository = make_memory_repository();
    options.isolation = Isolation::none;
    // A picture of any size that a request may ask for costs more than an input is worth.
    options.budget.max_pixels = 1U << 16U;
    library_ = Library::open(std::move(options)).value();
    context_ = std::make_unique<RouteContext>(*library_, config_, log_, health_, signer_, metrics_);
    context_->wake = [](std::string_view) {};  // A picture that is ready late: nobody waits here.
    router_ = make_router(*context_).value();
    const MemoryReader photo(std::vector<std::byte>(reinterpret_cast<const std::byte*>(kPhoto.data()),
                                                    reinterpret_cast<const std::byte*>(kPhoto.data()) + kPhoto.size()));
    IngestRequest wanted;
    wanted.filename = "photo.png";
    require(library_->ingest(photo, wanted).value().media.id == 1, "the photo is media 1");
    ResumableRequest resumable;
    resumable.size_bytes = 100;
    const std::string upload = library_->begin_resumable(resumable).value()->upload().id;
    UploadPromise promise;
    promise.filename = "a.png";
    promise.media_type = "image/png";
    promise.size_bytes = 100;
    promise.token_prefix = signer_.token_prefix();
    const auto session = library_->promise(promise).value();
    const std::string url = signer_.upload_url("", session);
    places_ = {{"{upload}", upload}, {"{token}", session.token}, {"{query}", url.substr(url.find('?') + 1)}};
  }

  void fill_in(std::string& text) const {
    for (const auto& [place, value] : places_) {
      for (std::size_t at = text.find(place); at != std::string::npos; at = text.find(place, at + value.size())) {
        text.replace(at, place.size(), value);
      }
    }
  }

  http::Response answer(http::Request& request, http::Head& head, MemoryBody& body) {
    const auto match = router_.match(request.method, request.path);
    request.captures = match.captures;
    http::Response response = answer(request, head, body, match);
    if (body.failure() && response.status >= 400) {
      response = error_response(body.failure()->status, "request body: " + body.failure()->message, request);
    }
    require(response.wait_for.empty(), "nobody may wait");
    if (response.status >= 400 && response.pieces.empty()) response = error_response(response.status, "refused", request);
    Presentation{config_}(request, match.route, response);
    return response;
  }

 private:
  http::Response answer(http::Request& request, const http::Head& head, MemoryBody& body, const http::Router::Match& match) {
    if (match.route == nullptr) {
      if (request.method == "OPTIONS") return http::Response::empty(204);
      return error_response(match.allowed.empty() ? 404 : 405, "not offered", request);
    }
    const auto& options = match.route->options;
    const bool takes_a_body = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
    if (!options.accepts_body) body.hide();
    if (options.accepts_body && !options.body_optional && takes_a_body && !request.content_length && !head.chunked) {
      return error_response(411, "a Content-Length or a chunked body is needed", request);
    }
    if (auto refusal = Admission(config_, nullptr, limiter_, metrics_, log_)(request, *match.route)) return std::move(*refusal);
    return match.route->handler(request);
  }

  Config config_;
  Log log_;
  HealthChecks health_;
  SystemClock clock_;
  UrlSigner signer_;
  RateLimiter limiter_{16};
  std::unique_ptr<Library> library_;
  Metrics metrics_{{}};
  std::unique_ptr<RouteContext> context_;
  http::Router router_;
  std::vector<std::pair<std::string, std::string>> places_;
};

void check_failure(const http::Request& request, const http::Response& response) {
  // What no input may cause: a fault, or the answer that the storage fails. A picture that is not there yet is another thing: these
  // requests may not wait.
  const bool not_yet = response.status == 503 && request.kept.has_value();
  require(response.status < 500 || not_yet, "a failure of the server's own", &response);
  require(response.pieces.size() == 1 && !response.pieces[0].reader, "a failure is text", &response);
  const auto body = nlohmann::json::parse(response.pieces[0].text, nullptr, false);
  require(body.is_object() && body.size() == (body.contains("details") ? 4U : 3U), "a failure is an object", &response);
  require(body.value("error", "") == http::reason_phrase(response.status), "it names its status", &response);
  require(!body.value("message", "").empty(), "it says what was wrong", &response);
  require(body.value("request_id", "") == request.request_id, "it names the request", &response);
  require(!body.contains("details") || body["details"].is_object(), "details are an object", &response);
  require(response.status != 401 || response.headers.count("WWW-Authenticate") == 1, "401 has a challenge", &response);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static std::unique_ptr<World> world;
  if (!world) world = std::make_unique<World>();
  std::string text(reinterpret_cast<const char*>(data), size);
  world->fill_in(text);
  const http::HeadLimits limits;
  http::HeadScanner scanner(limits);
  const auto outcome = scanner.scan(text);
  const auto* const found = std::get_if<http::HeadScanner::Found>(&outcome);
  if (found == nullptr) return 0;
  auto parsed = http::parse_head(std::string_view(text).substr(found->begin, found->end - found->begin), limits);
  auto* const head = std::get_if<http::Head>(&parsed);
  if (head == nullptr) return 0;

  MemoryBody body(*head, std::string_view(text).substr(found->end));
  http::Request request;
  request.method = head->method;
  request.path = head->path;
  request.query = head->query;
  request.headers = head->fields;
  request.remote_address = "127.0.0.1";
  request.request_id = "fuzz";
  request.content_length = head->content_length;
  request.has_body = head->has_body();
  request.body = &body;
  const http::Response response = world->answer(request, *head, body);

  require(response.status >= 200 && response.status <= 599, "a status", &response);
  for (const http::Field& field : response.headers) require(http::is_valid_field(field.name, field.value), field.name, &response);
  for (const http::Piece& piece : response.pieces) require(piece.text.find(kSecret) == std::string::npos, "a secret", &response);
  if (response.status >= 400) check_failure(request, response);
  // The next input finds what this one found: pictures are kept too, and so is what came of a body that broke off.
  const bool makes_pictures = request.path.find("/renditions/") != std::string::npos || request.path.ends_with("/image");
  request.kept.reset();  // What is on its way does not outlive the library.
  if (makes_pictures || (request.method != "GET" && request.method != "HEAD" && request.method != "OPTIONS")) world.reset();
  return 0;
}

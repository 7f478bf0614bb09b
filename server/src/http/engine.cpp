#include "http/engine.hpp"

#include <httplib.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "http/content.hpp"
#include "media/clock.hpp"

namespace media::http {
namespace {

/// Stands for a piece of the body in a call of `write`: httplib passes pointers and lengths through without a look at the bytes, so a
/// stretch of a file travels as this address and its length, and becomes sendfile(2) at the other end.
constexpr char kPieceMarker = 0;

std::string status_line(int status) {
  std::string line;
  line.reserve(512);  // for the fields behind it
  line.append("HTTP/1.1 ").append(std::to_string(status)).append(" ").append(reason_phrase(status)).append("\r\n");
  return line;
}

/// What httplib reads from and writes to: a head in memory, and the connection's output.
class MemoryStream final : public httplib::Stream {
 public:
  MemoryStream(std::string_view head, std::vector<Piece>& pieces, Output& output) : head_(head), pieces_(pieces), output_(output) {}

  [[nodiscard]] bool is_readable() const override { return !head_.empty(); }
  [[nodiscard]] bool is_writable() const override { return true; }
  ssize_t read(char* into, size_t size) override {
    const std::size_t count = std::min(size, head_.size());
    std::memcpy(into, head_.data(), count);
    head_.remove_prefix(count);
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char* bytes, size_t size) override {
    if (bytes == &kPieceMarker) {
      output_.append(std::move(pieces_[next_piece_++]));
      return static_cast<ssize_t>(size);
    }
    if (head_bytes_ == 0) return write_head({bytes, size});
    output_.append(std::string_view(bytes, size));
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip.clear();
    port = 0;
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override { get_remote_ip_and_port(ip, port); }
  [[nodiscard]] socket_t socket() const override { return 0; }

  [[nodiscard]] std::size_t next_piece() const noexcept { return next_piece_; }
  [[nodiscard]] std::size_t head_bytes() const noexcept { return head_bytes_; }
  void set_status(int status) noexcept { status_ = status; }

 private:
  /// httplib writes the head in one piece. Its status line names statuses that it does not know "Internal Server Error": ours replaces it.
  ssize_t write_head(std::string_view head) {
    const std::size_t line_end = head.find("\r\n");
    if (line_end == std::string_view::npos) return -1;
    const std::string out = status_line(status_).append(head.substr(line_end + 2));
    output_.append(std::string_view(out));
    head_bytes_ = out.size();
    return static_cast<ssize_t>(head.size());
  }

  std::string_view head_;
  std::vector<Piece>& pieces_;
  Output& output_;
  std::size_t next_piece_ = 0;
  std::size_t head_bytes_ = 0;
  int status_ = 500;
};

bool has_no_body(int status) { return status == 204 || status == 304 || status < 200; }

}  // namespace

class Engine::Impl final : public httplib::Server {
 public:
  Impl() {
    svr_sock_ = 0;  // anything but "closed": that would make httplib end bodies early
    set_pre_routing_handler([this](const httplib::Request&, httplib::Response& response) {
      describe(response);
      return HandlerResponse::Handled;
    });
    // Called last before the head is written: what httplib added by itself gives way to what was decided here.
    set_post_routing_handler([this](const httplib::Request&, httplib::Response& response) { replace_fields(response); });
    set_exception_handler([this](const httplib::Request&, httplib::Response& response, std::exception_ptr) {
      failed_ = true;
      response.status = 500;
    });
  }

  std::size_t compose(const Envelope& envelope, Response response, Output& output) {
    envelope_ = &envelope;
    response_ = &response;
    failed_ = false;
    body_size_ = has_no_body(response.status) ? 0 : response.body_size();
    described_ = false;
    const auto spent = [this] {
      response_ = nullptr;
      envelope_ = nullptr;
    };
    if (is_plain()) {
      const std::size_t head_bytes = write_plain(output);
      spent();
      return head_bytes;
    }
    // All that httplib gets to see of a request: whether the answer has a body. The fields that it would act upon (Range, Expect,
    // Content-Length, Transfer-Encoding, Connection) are those that 0.11.4 gets wrong; head.cpp has read and decided them before, and
    // a path of 8 KiB or a method that it does not know would only make it answer by itself.
    const std::string_view head = envelope.head_only ? "HEAD / HTTP/1.1\r\n\r\n" : "GET / HTTP/1.1\r\n\r\n";
    MemoryStream stream(head, response.pieces, output);
    stream.set_status(response.status);
    stream_ = &stream;
    bool closed = false;
    const bool written = process(*this, stream, envelope.close, closed);
    stream_ = nullptr;
    spent();
    const bool whole = body_size_ == 0 || envelope.head_only || stream.next_piece() == response.pieces.size();
    return written && described_ && !failed_ && whole ? stream.head_bytes() : 0;
  }

 private:
  /// httplib 0.18 wants the addresses as arguments; 0.11 asks the stream for them.
  template <class Self>
  static bool process(Self& self, httplib::Stream& stream, bool close, bool& closed) {
    if constexpr (requires { self.process_request(stream, close, closed, nullptr); }) {
      return self.process_request(stream, close, closed, nullptr);  // 0.11
    } else {
      return self.process_request(stream, std::string(), 0, std::string(), 0, close, closed, nullptr);  // 0.18
    }
  }

  void describe(httplib::Response& out) {
    described_ = true;
    out.status = response_->status;
    if (body_size_ == 0) return;
    const auto type = response_->headers.find("Content-Type");
    out.set_content_provider(static_cast<std::size_t>(body_size_), std::string(type.value_or("application/octet-stream")),
                             [this](std::size_t, std::size_t, httplib::DataSink& sink) {
                               const std::size_t next = stream_->next_piece();
                               if (next == response_->pieces.size()) return false;
                               const std::uint64_t size = response_->pieces[next].size();
                               if (size > 0) return sink.write(&kPieceMarker, static_cast<std::size_t>(size));
                               return stream_->write(&kPieceMarker, 0) == 0;
                             });
  }

  /// The fields of the message, in order: what the answer has, and what was decided here.
  template <class Add>
  void each_field(Add add) {
    const bool bodyless = has_no_body(response_->status);
    for (const Field& field : response_->headers) {
      if (bodyless && equal_ignoring_case(field.name, "Content-Type")) continue;
      if (!is_ours(field.name)) add(field.name, field.value);
    }
    add("Date", date());
    if (!envelope_->server_name.empty()) add("Server", envelope_->server_name);
    if (!envelope_->request_id.empty()) add("X-Request-Id", envelope_->request_id);
    if (!bodyless) {
      add("Content-Length", std::to_string(body_size_));
      if (body_size_ > 0 && !response_->headers.find("Content-Type")) add("Content-Type", "application/octet-stream");
    }
    if (envelope_->close) {
      add("Connection", "close");
    } else if (envelope_->http_1_0) {
      add("Connection", "keep-alive");
    }
  }

  void replace_fields(httplib::Response& out) {
    out.headers.clear();
    each_field([&](std::string_view name, std::string_view value) { out.headers.emplace(std::string(name), std::string(value)); });
  }

  /// Contents, and answers without a body, are most of what a media server says: they need nothing that httplib would do, and to have it
  /// make their heads cost 10 us of the 20 that such an answer takes without the sending.
  [[nodiscard]] bool is_plain() const {
    return body_size_ == 0 ||
           std::all_of(response_->pieces.begin(), response_->pieces.end(), [](const Piece& piece) { return piece.reader != nullptr; });
  }

  std::size_t write_plain(Output& output) {
    std::string head = status_line(response_->status);
    each_field([&](std::string_view name, std::string_view value) { head.append(name).append(": ").append(value).append("\r\n"); });
    head += "\r\n";
    output.append(std::string_view(head));
    if (envelope_->head_only || body_size_ == 0) return head.size();
    for (Piece& piece : response_->pieces) output.append(std::move(piece));
    return head.size();
  }

  static bool is_ours(std::string_view name) {
    constexpr std::string_view kOurs[] = {"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Date",
                                          "Server",         "X-Request-Id"};
    return std::any_of(std::begin(kOurs), std::end(kOurs), [&](std::string_view ours) { return equal_ignoring_case(name, ours); });
  }

  /// Made once a second, for it costs as much as the rest of a head.
  const std::string& date() {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    if (now != date_of_) {
      date_of_ = now;
      date_ = to_http_date(now);
    }
    return date_;
  }

  const Envelope* envelope_ = nullptr;
  Response* response_ = nullptr;
  MemoryStream* stream_ = nullptr;
  std::uint64_t body_size_ = 0;
  bool described_ = false;
  bool failed_ = false;
  std::chrono::sys_seconds date_of_{};
  std::string date_;
};

Engine::Engine() : impl_(std::make_unique<Impl>()) {}
Engine::~Engine() = default;

std::size_t Engine::compose(const Envelope& envelope, Response response, Output& output) {
  return impl_->compose(envelope, std::move(response), output);
}

}  // namespace media::http

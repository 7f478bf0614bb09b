#include "store/s3_transport.hpp"

#include <curl/curl.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <optional>

#include "core/out_of_memory.hpp"

namespace media::store::s3 {
namespace {

constexpr std::size_t kMostText = 8U << 20U;
constexpr long kLeastBytesPerSecond = 1024;
constexpr long kBufferBytes = 256L << 10;

struct ListDeleter {
  void operator()(curl_slist* list) const noexcept { ::curl_slist_free_all(list); }
};

/// Of one transfer, handed to libcurl's callbacks, which are C: nothing may be thrown through them.
struct Transfer {
  CURL* handle = nullptr;
  const HttpRequest& request;
  HttpAnswer answer{};
  std::uint64_t sent = 0;
  std::optional<Error> failure{};
};

long status_of(CURL* handle) {
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

extern "C" std::size_t s3_receive(char* piece, std::size_t size, std::size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::size_t bytes = size * count;
  HttpAnswer& answer = transfer.answer;
  try {
    const long status = status_of(transfer.handle);
    if (!transfer.request.into.empty() && status >= 200 && status < 300) {
      if (bytes > transfer.request.into.size() - answer.received) {
        transfer.failure = Error{Errc::io, "more came than was asked for"};
        return 0;  // ends the transfer
      }
      std::memcpy(transfer.request.into.data() + answer.received, piece, bytes);
      answer.received += bytes;
      return bytes;
    }
    if (bytes > kMostText - answer.text.size()) {
      transfer.failure = Error{Errc::io, "an answer without end"};
      return 0;
    }
    answer.text.append(piece, bytes);
  } catch (const std::bad_alloc&) {
    return 0;
  }
  return bytes;
}

extern "C" std::size_t s3_header(char* piece, std::size_t size, std::size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::string_view line(piece, size * count);
  try {
    if (line.starts_with("HTTP/")) transfer.answer.headers.clear();
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || transfer.answer.headers.size() >= 100) return size * count;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const auto first = line.find_first_not_of(" \t", colon + 1);
    const auto last = line.find_last_not_of(" \t\r\n");
    transfer.answer.headers[name] = first == std::string_view::npos || last < first ? "" : line.substr(first, last - first + 1);
  } catch (const std::bad_alloc&) {
    return 0;
  }
  return size * count;
}

extern "C" std::size_t s3_send(char* into, std::size_t size, std::size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const Body& body = transfer.request.body;
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size * count, body.length - transfer.sent));
  if (wanted == 0) return 0;
  try {
    const auto got = body.reader->read_at(body.offset + transfer.sent, {reinterpret_cast<std::byte*>(into), wanted});
    if (got && *got == wanted) {
      transfer.sent += wanted;
      return wanted;
    }
    transfer.failure = got ? Error{Errc::io, "the content that is sent ended early"} : got.error();
  } catch (const std::bad_alloc&) {
    transfer.failure = out_of_memory();
  }
  return CURL_READFUNC_ABORT;
}

/// A connection that was kept may turn out dead after some of the body went into it; libcurl then begins anew on another.
extern "C" int s3_seek(void* context, curl_off_t offset, int origin) {
  auto& transfer = *static_cast<Transfer*>(context);
  if (origin != SEEK_SET || offset < 0 || static_cast<std::uint64_t>(offset) > transfer.request.body.length) return CURL_SEEKFUNC_FAIL;
  transfer.sent = static_cast<std::uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

extern "C" int s3_progress(void* context, curl_off_t /*total*/, curl_off_t /*now*/, curl_off_t /*up_total*/, curl_off_t /*up_now*/) {
  const auto& transfer = *static_cast<const Transfer*>(context);
  return transfer.request.abandoned != nullptr && transfer.request.abandoned->load(std::memory_order_relaxed) ? 1 : 0;
}

/// Writing to a connection that the other side has closed raises SIGPIPE in this thread where the TLS library writes by itself. An
/// embedding program's handling of the signal is its own, so it is held back here and taken away again.
class WithoutSigpipe {
 public:
  WithoutSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~WithoutSigpipe() {
    constexpr timespec kNow{0, 0};
    if (!was_pending_) {
      while (sigtimedwait(&pipe_, nullptr, &kNow) < 0 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

/// X509_V_ERR_CERT_HAS_EXPIRED and its like, without OpenSSL's headers: libcurl may be built on another library.
constexpr long kVerifyExpired = 10;
constexpr long kVerifyNotYet = 9;

Error failure_of(CURLcode code, CURL* handle, const std::string& host, const TransportOptions& options) {
  long verify = 0;
  curl_easy_getinfo(handle, CURLINFO_SSL_VERIFYRESULT, &verify);
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
      if (verify == kVerifyExpired) return {Errc::denied, "the certificate of " + host + " has expired"};
      if (verify == kVerifyNotYet) return {Errc::denied, "the certificate of " + host + " is not valid yet"};
      return {Errc::denied, "the certificate of " + host + " is not to be trusted (another name, or by nobody known)"};
    case CURLE_SSL_CACERT_BADFILE:
      return {Errc::invalid_argument, "the CA file '" + options.ca_file.string() + "' cannot be read"};
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return {Errc::invalid_argument, "the address of " + host + " is malformed"};
    case CURLE_COULDNT_RESOLVE_HOST:
      return {Errc::unavailable, "the name " + host + " is not known"};
    case CURLE_COULDNT_CONNECT:
      return {Errc::unavailable, "no connection to " + host};
    case CURLE_OPERATION_TIMEDOUT:
      return {Errc::unavailable, "no answer from " + host + " in time"};
    case CURLE_ABORTED_BY_CALLBACK:
      return {Errc::cancelled, "nobody waits for the answer any more"};
    default:
      return {Errc::unavailable, "the connection to " + host + " broke (" + curl_easy_strerror(code) + ")"};
  }
}

}  // namespace

struct Transport::Connection {
  Connection() : handle(curl_easy_init()) {}
  ~Connection() { curl_easy_cleanup(handle); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  CURL* handle;
};

/// Gives a connection back however the request ends.
struct Transport::Lease {
  Lease(Transport& owner, std::unique_ptr<Connection> taken) : transport(owner), connection(std::move(taken)) {}
  ~Lease() { transport.give_back(std::move(connection)); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  Transport& transport;
  std::unique_ptr<Connection> connection;
};

const std::string& HttpAnswer::header(const std::string& name) const {
  static const std::string kNone;
  const auto found = headers.find(name);
  return found == headers.end() ? kNone : found->second;
}

Transport::Transport(TransportOptions options) : options_(std::move(options)) {
  idle_.reserve(options_.max_connections);  // giving back must not fail
  // Process-wide and counted by libcurl itself; since 7.84 it may be called from any thread.
  curl_global_init(CURL_GLOBAL_DEFAULT);
}

Transport::~Transport() {
  idle_.clear();
  curl_global_cleanup();
}

Result<std::unique_ptr<Transport::Connection>> Transport::take(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  if (!given_back_.wait_for(lock, patience, [&] { return in_use_ < options_.max_connections; })) {
    return Error{Errc::unavailable, "all " + std::to_string(options_.max_connections) + " connections are busy"};
  }
  if (idle_.empty()) idle_.push_back(std::make_unique<Connection>());
  auto connection = std::move(idle_.back());
  idle_.pop_back();
  ++in_use_;
  return connection;
}

void Transport::give_back(std::unique_ptr<Connection> connection) noexcept {
  if (connection->handle != nullptr) curl_easy_reset(connection->handle);  // keeps the connection, forgets the credentials
  {
    const std::lock_guard lock(mutex_);
    --in_use_;
    if (connection->handle != nullptr && idle_.size() < idle_.capacity()) idle_.push_back(std::move(connection));
  }
  given_back_.notify_one();
}

Result<HttpAnswer> Transport::perform(const HttpRequest& request) {
  const auto endpoint = parse_endpoint(request.url.substr(0, request.url.find('/', request.url.find("//") + 2)));
  if (!endpoint) return endpoint.error();
  MEDIA_TRY_ASSIGN(auto connection, take(request.timeout));
  const Lease lease{*this, std::move(connection)};
  CURL* const handle = lease.connection->handle;
  Transfer transfer{handle, request};
  bool set = handle != nullptr;
  const auto option = [&](CURLoption name, auto value) { set = set && curl_easy_setopt(handle, name, value) == CURLE_OK; };
  option(CURLOPT_URL, request.url.c_str());
  option(CURLOPT_PROTOCOLS_STR, "http,https");
  option(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  option(CURLOPT_FOLLOWLOCATION, 0L);
  option(CURLOPT_NOSIGNAL, 1L);
  option(CURLOPT_TCP_KEEPALIVE, 1L);
  option(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  option(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min(request.timeout, options_.connect_timeout).count()));
  option(CURLOPT_LOW_SPEED_LIMIT, kLeastBytesPerSecond);
  option(CURLOPT_LOW_SPEED_TIME, request.may_be_silent ? 0L : static_cast<long>(options_.stall_timeout.count()));
  option(CURLOPT_BUFFERSIZE, kBufferBytes);
  option(CURLOPT_USERAGENT, "libmedia");
  option(CURLOPT_WRITEFUNCTION, &s3_receive);
  option(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
  option(CURLOPT_HEADERFUNCTION, &s3_header);
  option(CURLOPT_HEADERDATA, static_cast<void*>(&transfer));
  option(CURLOPT_NOPROGRESS, 0L);
  option(CURLOPT_XFERINFOFUNCTION, &s3_progress);
  option(CURLOPT_XFERINFODATA, static_cast<void*>(&transfer));
  if (!options_.ca_file.empty()) option(CURLOPT_CAINFO, options_.ca_file.c_str());
  if (is_loopback_host(endpoint->host)) option(CURLOPT_PROXY, "");
  if (request.method == "HEAD") {
    option(CURLOPT_NOBODY, 1L);
  } else if (request.method == "PUT" || request.method == "POST") {
    option(CURLOPT_UPLOAD, 1L);
    option(CURLOPT_UPLOAD_BUFFERSIZE, kBufferBytes);
    option(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.length));
    option(CURLOPT_READFUNCTION, &s3_send);
    option(CURLOPT_READDATA, static_cast<void*>(&transfer));
    option(CURLOPT_SEEKFUNCTION, &s3_seek);
    option(CURLOPT_SEEKDATA, static_cast<void*>(&transfer));
  }
  if (request.method != "HEAD" && request.method != "GET") option(CURLOPT_CUSTOMREQUEST, request.method.c_str());

  std::unique_ptr<curl_slist, ListDeleter> fields;
  const auto add_field = [&](const std::string& field) {
    curl_slist* const longer = curl_slist_append(fields.get(), field.c_str());
    set = set && longer != nullptr;
    if (longer == nullptr) return;
    static_cast<void>(fields.release());  // it is the head of the longer one, or became it
    fields.reset(longer);
  };
  for (const auto& [name, value] : request.headers) add_field(value.empty() ? name + ";" : name + ": " + value);
  add_field("Expect:");  // a refusal is rare, and a round trip for each part is not
  option(CURLOPT_HTTPHEADER, fields.get());

  CURLcode code = CURLE_FAILED_INIT;
  if (set) {
    const WithoutSigpipe without_sigpipe;
    code = curl_easy_perform(handle);
  }
  transfer.answer.status = handle == nullptr ? 0 : status_of(handle);
  std::optional<Error> failure = std::move(transfer.failure);
  // What refuses a body may answer and close before it has read all of it: the answer counts.
  const bool answered_early = code == CURLE_SEND_ERROR && transfer.answer.status >= 400;
  if (!failure && code != CURLE_OK && !answered_early) failure = failure_of(code, handle, endpoint->authority, options_);
  if (failure) return std::move(*failure);
  return std::move(transfer.answer);
}

Result<Endpoint> parse_endpoint(const std::string& url) {
  const auto malformed = [&] { return Error{Errc::invalid_argument, "the endpoint is to be http://host[:port] or https://host[:port]"}; };
  Endpoint endpoint;
  std::string_view rest(url);
  for (const std::string_view scheme : {"http", "https"}) {
    if (rest.starts_with(scheme) && rest.substr(scheme.size()).starts_with("://")) endpoint.scheme = scheme;
  }
  if (endpoint.scheme.empty()) return malformed();
  rest.remove_prefix(endpoint.scheme.size() + 3);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty() || rest.find_first_of("/?#@ \\\"<>%") != std::string_view::npos) return malformed();
  const auto bracket = rest.find(']');
  const auto colon = rest.find(':', rest.front() == '[' && bracket != std::string_view::npos ? bracket : 0);
  endpoint.host = rest.substr(0, colon);
  endpoint.authority = endpoint.host;
  if (endpoint.host.empty()) return malformed();
  if (colon != std::string_view::npos) {
    const std::string_view port = rest.substr(colon + 1);
    if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos) return malformed();
    if (port != (endpoint.scheme == "https" ? "443" : "80")) endpoint.authority.append(":").append(port);
  }
  return endpoint;
}

bool is_loopback_host(std::string_view host) {
  return host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.") || host == "[::1]";
}

}  // namespace media::store::s3

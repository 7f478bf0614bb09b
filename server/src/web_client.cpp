#include "web_client.hpp"

#include <curl/curl.h>

#include <new>

#include "url.hpp"

namespace media::server {
namespace {

constexpr std::size_t kMostIdle = 8;

/// Of one transfer, handed to libcurl's callback.
struct Receiver {
  std::string body;
  std::size_t limit = 0;
};

extern "C" std::size_t receive_piece(char* piece, std::size_t size, std::size_t count, void* context) {
  auto& receiver = *static_cast<Receiver*>(context);
  const std::size_t bytes = size * count;
  if (bytes > receiver.limit - receiver.body.size()) return 0;  // ends the transfer
  try {
    receiver.body.append(piece, bytes);
  } catch (const std::bad_alloc&) {
    return 0;
  }
  return bytes;
}

}  // namespace

struct WebClient::Transfer {
  Transfer() : handle(curl_easy_init()) {}
  ~Transfer() { curl_easy_cleanup(handle); }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  CURL* handle;
};

WebClient::WebClient() {
  // Process-wide and counted by libcurl itself; since 7.84 it may be called from any thread.
  curl_global_init(CURL_GLOBAL_DEFAULT);
}

WebClient::~WebClient() {
  idle_.clear();
  curl_global_cleanup();
}

std::unique_ptr<WebClient::Transfer> WebClient::take() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<Transfer>();
  auto transfer = std::move(idle_.back());
  idle_.pop_back();
  return transfer;
}

void WebClient::give_back(std::unique_ptr<Transfer> transfer) {
  curl_easy_reset(transfer->handle);  // keeps the connection, forgets the credentials
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kMostIdle) idle_.push_back(std::move(transfer));
}

Result<WebReply> WebClient::ask(const WebRequest& request) {
  auto transfer = take();
  CURL* const handle = transfer->handle;
  if (handle == nullptr) return Error{Errc::unavailable, "web client: libcurl gives no handle"};
  Receiver receiver{{}, request.max_bytes};
  bool set = true;
  const auto option = [&](CURLoption name, auto value) { set = set && curl_easy_setopt(handle, name, value) == CURLE_OK; };
  option(CURLOPT_URL, request.url.c_str());
  option(CURLOPT_PROTOCOLS_STR, "http,https");
  option(CURLOPT_FOLLOWLOCATION, 0L);
  option(CURLOPT_NOSIGNAL, 1L);
  option(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  option(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.timeout.count()));
  option(CURLOPT_USERAGENT, "mediad");
  option(CURLOPT_WRITEFUNCTION, &receive_piece);
  option(CURLOPT_WRITEDATA, static_cast<void*>(&receiver));
  if (request.direct || is_loopback_url(request.url)) option(CURLOPT_PROXY, "");  // a proxy's loopback is another
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> fields(nullptr, &curl_slist_free_all);
  const auto add_field = [&](const std::string& field) {
    curl_slist* const longer = curl_slist_append(fields.get(), field.c_str());
    set = set && longer != nullptr;
    if (longer == nullptr) return;
    static_cast<void>(fields.release());  // it is the head of the longer one, or became it
    fields.reset(longer);
  };
  for (const std::string& field : request.fields) add_field(field);
  if (!request.body.empty()) {
    add_field("Content-Type: " + request.body_type);
    add_field("Expect:");  // no waiting for a 100: the bodies are small
    option(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    option(CURLOPT_POSTFIELDS, request.body.c_str());
  }
  if (fields) option(CURLOPT_HTTPHEADER, fields.get());
  if (!request.user.empty()) {
    option(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    option(CURLOPT_USERNAME, request.user.c_str());
    option(CURLOPT_PASSWORD, request.password.c_str());
  }
  const CURLcode code = set ? curl_easy_perform(handle) : CURLE_FAILED_INIT;
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  give_back(std::move(transfer));
  if (code != CURLE_OK) {
    return Error{Errc::unavailable, "no answer from " + std::string(host_of_url(request.url)) + ": " + curl_easy_strerror(code)};
  }
  return WebReply{static_cast<int>(status), std::move(receiver.body)};
}

}  // namespace media::server

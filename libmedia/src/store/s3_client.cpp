#include "store/s3_client.hpp"

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "store/s3_sign.hpp"

namespace media::store::s3 {
namespace {

using namespace std::chrono_literals;

/// Where the engine has to put a large object together first.
constexpr int kSlowAnswerFactor = 10;
constexpr std::chrono::milliseconds kLongestPause = 5s;
constexpr std::chrono::seconds kLongestRetryAfter = 10s;
constexpr std::uint64_t kBytesASecond = 64U << 10U;

/// Drawn between nothing and twice as much each time: clients that failed together do not come back together.
std::chrono::milliseconds pause_before(unsigned attempt, std::chrono::milliseconds first, const Result<HttpAnswer>& last) {
  thread_local std::minstd_rand chance{std::random_device{}()};
  const auto most = std::min<std::chrono::milliseconds>(kLongestPause, first * (1 << std::min(attempt, 10U)));
  std::chrono::milliseconds pause{std::uniform_int_distribution<std::chrono::milliseconds::rep>(0, most.count())(chance)};
  if (last) {
    const std::string& asked = last->header("retry-after");
    if (!asked.empty() && asked.size() < 4 && asked.find_first_not_of("0123456789") == std::string::npos) {
      pause = std::max<std::chrono::milliseconds>(
          pause, std::min<std::chrono::seconds>(std::chrono::seconds(std::stoi(asked)), kLongestRetryAfter));
    }
  }
  return pause;
}

bool is_success(long status) { return status >= 200 && status < 300; }

/// A part of an object has to be all of what its own header says, however the connection ended.
Result<HttpAnswer> whole_range(Result<HttpAnswer> answer) {
  if (!answer || answer->status != 206) return answer;
  const auto range = parse_content_range(answer->header("content-range"));
  if (!range) return Error{Errc::io, "an answer without the range that it is"};
  if (answer->received + answer->text.size() != range->last - range->first + 1) return Error{Errc::unavailable, "not all bytes arrived"};
  return answer;
}

}  // namespace

Client::Client(const S3StoreOptions& options)
    : options_(options),
      place_{options.endpoint, options.bucket, options.region},
      clock_(options.clock ? options.clock : std::make_shared<SystemClock>()),
      credentials_(options),
      transport_({options.max_connections, options.connect_timeout, options.stall_timeout, options.ca_file}) {}

Result<std::shared_ptr<Client>> Client::make(const S3StoreOptions& options) {
  std::shared_ptr<Client> client(new Client(options));
  MEDIA_TRY_ASSIGN(client->endpoint_, parse_endpoint(options.endpoint));
  MEDIA_TRY_ASSIGN(client->public_endpoint_, parse_endpoint(options.public_endpoint.empty() ? options.endpoint : options.public_endpoint));
  return client;
}

std::string Client::host_at(const Endpoint& endpoint) const {
  return options_.path_style ? endpoint.authority : options_.bucket + '.' + endpoint.authority;
}

std::string Client::path_of(const std::string& key) const {
  std::string path = "/";
  if (options_.path_style) path += percent_encode(options_.bucket) + (key.empty() ? "" : "/");
  return path + percent_encode(key, true);
}

Result<HttpAnswer> Client::attempt(const Call& call, std::chrono::milliseconds timeout) {
  // Signed anew each time: a signature ages, and the credentials may be others by now.
  MEDIA_TRY_ASSIGN(const S3Credentials credentials, credentials_.current());
  const Timestamp now = clock_->now();
  const std::string payload_hash = call.payload_hash.empty() ? std::string(kEmptyHash) : call.payload_hash;
  Fields headers = call.headers;
  headers.emplace_back("host", host_at(endpoint_));
  headers.emplace_back("x-amz-date", basic_time(now));
  headers.emplace_back("x-amz-content-sha256", payload_hash);
  if (!credentials.session_token.empty()) headers.emplace_back("x-amz-security-token", credentials.session_token);
  const std::string path = path_of(call.key);
  const std::string signature = authorization({call.method, path, call.query, headers, payload_hash}, {credentials, options_.region, now});

  HttpRequest request;
  request.method = call.method;
  request.url = endpoint_.scheme + "://" + host_at(endpoint_) + path;
  if (!call.query.empty()) request.url += '?' + query_text(call.query);
  for (auto& field : headers) {
    if (field.first != "host") request.headers.push_back(std::move(field));  // libcurl writes that one
  }
  request.headers.emplace_back("authorization", signature);
  request.body = call.body;
  request.into = call.into;
  request.timeout = timeout;
  request.abandoned = call.abandoned;
  request.may_be_silent = call.answers_slowly;
  return whole_range(transport_.perform(request));
}

Result<HttpAnswer> Client::perform(const Call& call) {
  const auto grown = std::chrono::seconds(std::max<std::uint64_t>(call.body.length, call.into.size()) / kBytesASecond);
  for (unsigned count = 1;; ++count) {
    std::chrono::milliseconds timeout = options_.attempt_timeout * (call.answers_slowly ? kSlowAnswerFactor : 1) + grown;
    if (call.deadline) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*call.deadline - std::chrono::steady_clock::now());
      if (left <= 0ms) return Error{Errc::unavailable, call.what + ": not done in time"};
      timeout = std::min(timeout, left);
    }
    const Timestamp now = clock_->now();
    auto answer = attempt(call, timeout);
    Error error;
    if (answer) {
      const bool expected = std::find(call.answers.begin(), call.answers.end(), answer->status) != call.answers.end();
      const bool bucket_gone = answer->status == 404 && !call.key.empty() && error_code_of(*answer) == "NoSuchBucket";
      if (is_success(answer->status) || (expected && !bucket_gone)) return answer;
      error = error_of(*answer, place_, call.what, now);
    } else {
      error = {answer.error().code, call.what + ": " + answer.error().message};
    }
    if (error.code != Errc::unavailable || count >= options_.attempts) return error;
    const auto pause = pause_before(count - 1, options_.first_pause, answer);
    if (call.deadline && std::chrono::steady_clock::now() + pause >= *call.deadline) return error;
    std::this_thread::sleep_for(pause);
  }
}

Result<std::string> Client::presign(const std::string& key, const Fields& query, std::chrono::seconds lifetime) {
  MEDIA_TRY_ASSIGN(const S3Credentials credentials, credentials_.current());
  const std::string host = host_at(public_endpoint_);
  const std::string path = path_of(key);
  return public_endpoint_.scheme + "://" + host + path + '?' +
         presigned_query("GET", path, query, host, lifetime, {credentials, options_.region, clock_->now()});
}

}  // namespace media::store::s3

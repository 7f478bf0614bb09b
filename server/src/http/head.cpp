#include "http/head.hpp"

#include <algorithm>

#include "http/text.hpp"

namespace media::http {
namespace {

using Failure = std::optional<HeadFailure>;

HeadFailure bad(std::string message) { return {400, std::move(message)}; }

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto code = static_cast<unsigned char>(c);
    return code < 0x20 || code == 0x7F;
  });
}

Failure parse_request_line(std::string_view line, const HeadLimits& limits, Head& head) {
  const std::size_t first = line.find(' ');
  const std::size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos || line.find(' ', second + 1) != std::string_view::npos) {
    return bad("the request line must be a method, a target and a version with one space between them");
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);
  if (!is_token(method) || method.size() > 32) return bad("the method is malformed");
  const auto digit = [&](std::size_t i) { return version[i] >= '0' && version[i] <= '9'; };
  if (version.size() != 8 || !version.starts_with("HTTP/") || !digit(5) || version[6] != '.' || !digit(7)) {
    return bad("the version is malformed");
  }
  if (version[5] != '1') return HeadFailure{505, "HTTP/1.1 and HTTP/1.0 are spoken here"};
  if (target.size() > limits.max_target_bytes) {
    return HeadFailure{414, "the request target may have " + std::to_string(limits.max_target_bytes) + " bytes"};
  }
  head.method = method;
  head.http_1_0 = version[7] == '0';
  if (target == "*" && method == "OPTIONS") {
    head.path = "*";
    return std::nullopt;
  }
  auto parsed = parse_target(target);
  if (!parsed) return bad("the request target is malformed");
  head.path = std::move(parsed->path);
  head.query = std::move(parsed->query);
  return std::nullopt;
}

Failure parse_field_line(std::string_view line, Fields& fields) {
  if (line.front() == ' ' || line.front() == '\t') return bad("a header field continued on a second line is not accepted");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return bad("a header line without a colon");
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trim(line.substr(colon + 1));
  if (!is_token(name)) return bad("a header field's name is malformed");
  if (!is_valid_field(name, value)) return bad("a header field's value has control characters");
  fields.add(std::string(name), std::string(value));
  return std::nullopt;
}

/// Where the body ends (RFC 9112 section 6), with every form refused that two readers could take differently.
Failure decide_framing(Head& head) {
  const auto encodings = head.fields.all("Transfer-Encoding");
  const auto lengths = head.fields.all("Content-Length");
  if (!encodings.empty()) {
    if (!lengths.empty()) return bad("Transfer-Encoding and Content-Length exclude each other");
    if (head.http_1_0) return bad("HTTP/1.0 has no Transfer-Encoding");
    if (encodings.size() > 1) return bad("more than one Transfer-Encoding");
    if (!equal_ignoring_case(encodings.front(), "chunked")) {
      const std::string_view coding = encodings.front();
      const std::string_view last = trim(coding.substr(coding.rfind(',') + 1));  // npos + 1 is 0: the whole
      if (!equal_ignoring_case(last, "chunked")) return bad("a Transfer-Encoding must end with chunked");
      int chunkings = 0;
      for_each_item(coding, [&](std::string_view item) { chunkings += equal_ignoring_case(item, "chunked") ? 1 : 0; });
      if (chunkings > 1) return bad("a body is chunked once");
      return HeadFailure{501, "chunked is the one Transfer-Encoding understood here"};
    }
    head.chunked = true;
  }
  if (lengths.size() > 1) return bad("more than one Content-Length");
  if (!lengths.empty()) {
    head.content_length = parse_decimal(lengths.front());
    if (!head.content_length || *head.content_length > INT64_MAX) return bad("the Content-Length is no number of bytes");
  }
  return std::nullopt;
}

Failure check_host(const Head& head) {
  const auto hosts = head.fields.all("Host");
  if (hosts.size() > 1) return bad("more than one Host");
  if (hosts.empty()) return head.http_1_0 ? std::nullopt : Failure(bad("HTTP/1.1 needs a Host"));
  const auto acceptable = [](char c) { return is_token_char(c) || std::string_view("()[],;=:").find(c) != std::string_view::npos; };
  if (!std::all_of(hosts.front().begin(), hosts.front().end(), acceptable)) return bad("the Host is malformed");
  return std::nullopt;
}

Failure check_content_encoding(const Head& head) {
  if (!head.has_body()) return std::nullopt;
  for (const std::string_view value : head.fields.all("Content-Encoding")) {
    if (!value.empty() && !equal_ignoring_case(value, "identity")) {
      return HeadFailure{415, "request bodies with a Content-Encoding are not accepted"};
    }
  }
  return std::nullopt;
}

Failure decide_expectation(Head& head) {
  for (const std::string_view value : head.fields.all("Expect")) {
    if (!equal_ignoring_case(value, "100-continue")) return HeadFailure{417, "100-continue is the one expectation met here"};
    head.expects_continue = !head.http_1_0 && head.has_body();
  }
  return std::nullopt;
}

void decide_keep_alive(Head& head) {
  head.keep_alive = !head.http_1_0;
  bool close = false;
  for (const std::string_view value : head.fields.all("Connection")) {
    for_each_item(value, [&](std::string_view option) {
      if (equal_ignoring_case(option, "close")) close = true;
      if (equal_ignoring_case(option, "keep-alive")) head.keep_alive = true;
    });
  }
  if (close) head.keep_alive = false;
}

}  // namespace

std::variant<HeadScanner::NeedMore, HeadScanner::Found, HeadFailure> HeadScanner::scan(std::string_view bytes) {
  const std::size_t limit = std::min(bytes.size(), limits_.max_bytes);
  for (; position_ < limit; ++position_) {
    const char c = bytes[position_];
    const auto code = static_cast<unsigned char>(c);
    const bool after_return = position_ > 0 && bytes[position_ - 1] == '\r';
    if (after_return != (c == '\n')) return bad("a line of the head must end with CR LF, and neither stands alone");
    if (c == '\n') {
      if (position_ - line_begin_ == 1) {
        // An empty line before the request line is what some old clients send after a body (RFC 9112 section 2.2): one is overlooked.
        if (lines_ > 0) return Found{begin_, position_ + 1};
        if (begin_ > 0) return bad("empty lines instead of a request");
        begin_ = position_ + 1;
      } else if (++lines_ > limits_.max_header_count + 1) {
        return HeadFailure{431, "more than " + std::to_string(limits_.max_header_count) + " header fields"};
      }
      line_begin_ = position_ + 1;
    } else if ((code < 0x20 && c != '\t' && c != '\r') || code == 0x7F) {
      return bad("a control character in the head");
    } else if (lines_ == 0 && position_ - line_begin_ > limits_.max_target_bytes + 64) {
      return HeadFailure{414, "the request target may have " + std::to_string(limits_.max_target_bytes) + " bytes"};
    }
  }
  if (bytes.size() >= limits_.max_bytes) {
    return HeadFailure{431, "the head of a request may have " + std::to_string(limits_.max_bytes) + " bytes"};
  }
  return NeedMore{};
}

std::variant<Head, HeadFailure> parse_head(std::string_view bytes, const HeadLimits& limits) {
  Head head;
  bool first = true;
  while (true) {
    const std::size_t end = bytes.find("\r\n");
    if (end == std::string_view::npos) return bad("the head does not end");
    if (end == 0) break;
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end + 2);
    auto failure = first ? parse_request_line(line, limits, head) : parse_field_line(line, head.fields);
    if (failure) return std::move(*failure);
    first = false;
  }
  if (first) return bad("no request line");
  for (const auto check : {decide_framing, decide_expectation}) {
    if (auto failure = check(head)) return std::move(*failure);
  }
  for (const auto check : {check_host, check_content_encoding}) {
    if (auto failure = check(head)) return std::move(*failure);
  }
  decide_keep_alive(head);
  return head;
}

std::optional<Target> parse_target(std::string_view target) {
  const auto plain = [](char c) { return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7F && c != '#'; };
  if (!std::all_of(target.begin(), target.end(), plain)) return std::nullopt;
  if (!target.starts_with('/')) {
    // Absolute form (RFC 9112 section 3.2.2): what a client sends to a proxy, and every server has to accept.
    const std::size_t scheme_end = target.find("://");
    if (scheme_end == std::string_view::npos) return std::nullopt;
    const std::string_view scheme = target.substr(0, scheme_end);
    if (!equal_ignoring_case(scheme, "http") && !equal_ignoring_case(scheme, "https")) return std::nullopt;
    target.remove_prefix(scheme_end + 3);
    const std::size_t authority_end = std::min(target.find_first_of("/?"), target.size());
    if (authority_end == 0) return std::nullopt;
    target.remove_prefix(authority_end);
  }
  Target out;
  const std::size_t mark = target.find('?');
  std::string_view rest = target.substr(0, mark);
  if (!rest.empty()) rest.remove_prefix(1);
  while (true) {
    const std::size_t slash = rest.find('/');
    const auto segment = percent_decode(rest.substr(0, slash), false);
    if (!segment || *segment == "." || *segment == ".." || segment->find('/') != std::string::npos || has_control(*segment) ||
        !is_utf8(*segment)) {
      return std::nullopt;
    }
    out.path += "/" + *segment;
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  // One slash at the end makes no difference. Of two, the last segment is empty, and that is another path: the router takes one off as
  // well.
  if (out.path.size() > 1 && out.path.ends_with('/') && !out.path.ends_with("//")) out.path.pop_back();

  if (mark == std::string_view::npos) return out;
  std::string_view query = target.substr(mark + 1);
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    auto name = percent_decode(pair.substr(0, equals), true);
    auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value || !is_utf8(*name) || !is_utf8(*value)) return std::nullopt;
    out.query.push_back({std::move(*name), std::move(*value)});
  }
  return out;
}

}  // namespace media::http

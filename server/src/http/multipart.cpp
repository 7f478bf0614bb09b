#include "http/multipart.hpp"

#include <algorithm>
#include <cstring>

#include "http/text.hpp"

namespace media::http {
namespace {
constexpr std::size_t kBufferSize = std::size_t{64} * 1024;

Error malformed(std::string_view what) { return {Errc::invalid_argument, "multipart body: " + std::string(what)}; }
}  // namespace

MultipartReader::MultipartReader(ByteSource& source, std::string_view boundary, MultipartLimits limits)
    : source_(source), delimiter_("\r\n--" + std::string(boundary)), limits_(limits), content_(*this) {
  // Room for the longest line that may have to be seen whole, at the least.
  buffer_.resize(std::max(kBufferSize, limits_.max_part_head_bytes + delimiter_.size() + 8));
}

std::string_view MultipartReader::buffered() const noexcept { return {buffer_.data() + begin_, end_ - begin_}; }

Error MultipartReader::fail(Error error) {
  state_ = State::failed;
  failure_ = error;
  return error;
}

Result<bool> MultipartReader::fill() {
  if (source_ended_) return false;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) return fail({Errc::internal, "multipart body: the buffer is full"});
  auto got = source_.read(std::as_writable_bytes(std::span(buffer_).subspan(end_)));
  if (!got) return fail(std::move(got).error());
  source_ended_ = *got == 0;
  end_ += *got;
  return !source_ended_;
}

Result<bool> MultipartReader::find_content() {
  while (content_known_ == 0 && !at_delimiter_) {
    const std::string_view view = buffered();
    if (const std::size_t at = view.find(delimiter_); at != std::string_view::npos) {
      content_known_ = at;
      at_delimiter_ = true;
      break;
    }
    // The end of what is there may be the beginning of a delimiter.
    if (view.size() >= delimiter_.size()) {
      content_known_ = view.size() - (delimiter_.size() - 1);
      break;
    }
    MEDIA_TRY_ASSIGN(const bool more, fill());
    if (!more) return fail(malformed("it ends without its last boundary"));
  }
  return content_known_ > 0;
}

void MultipartReader::pass_delimiter() {
  begin_ += delimiter_.size();
  at_delimiter_ = false;
  state_ = State::between;
}

Result<std::size_t> MultipartReader::read_content(std::span<std::byte> into) {
  if (state_ == State::failed) return failure_;
  if (state_ != State::in_part || into.empty()) return std::size_t{0};
  MEDIA_TRY_ASSIGN(const bool content, find_content());
  if (!content) {
    pass_delimiter();
    return std::size_t{0};
  }
  const std::size_t count = std::min(content_known_, into.size());
  std::memcpy(into.data(), buffer_.data() + begin_, count);
  begin_ += count;
  content_known_ -= count;
  return count;
}

Result<void> MultipartReader::skip_to_delimiter(std::uint64_t limit) {
  std::uint64_t skipped = 0;
  while (true) {
    MEDIA_TRY_ASSIGN(const bool content, find_content());
    if (!content) break;
    skipped += content_known_;
    if (skipped > limit) return fail(malformed("no boundary where the first part should begin"));
    begin_ += content_known_;
    content_known_ = 0;
  }
  pass_delimiter();
  return {};
}

Result<std::optional<std::string_view>> MultipartReader::take_line(std::size_t limit) {
  while (true) {
    const std::string_view view = buffered();
    const std::size_t end = view.find("\r\n");
    if (end != std::string_view::npos && end <= limit) {
      begin_ += end + 2;
      return std::optional(view.substr(0, end));
    }
    if (view.size() > limit) return std::optional<std::string_view>();
    MEDIA_TRY_ASSIGN(const bool more, fill());
    if (!more) return fail(malformed("it ends without its last boundary"));
  }
}

Result<bool> MultipartReader::read_boundary_tail() {
  while (buffered().size() < 2) {
    MEDIA_TRY_ASSIGN(const bool more, fill());
    if (!more) return fail(malformed("it ends without its last boundary"));
  }
  if (buffered().starts_with("--")) {
    begin_ += 2;
    return false;
  }
  MEDIA_TRY_ASSIGN(const auto line, take_line(64));
  if (!line || !trim(*line).empty()) return fail(malformed("text on the line of a boundary"));
  return true;
}

Result<MultipartReader::Part> MultipartReader::read_part_head() {
  Part part;
  std::size_t budget = limits_.max_part_head_bytes;
  while (true) {
    MEDIA_TRY_ASSIGN(const auto line, take_line(budget));
    if (!line) return fail({Errc::too_large, "multipart body: the head of a part is larger than the limit"});
    if (line->empty()) break;
    budget -= std::min(budget, line->size() + 2);
    if (part.headers.size() == limits_.max_part_headers)
      return fail({Errc::too_large, "multipart body: a part has too many header fields"});
    const std::size_t colon = line->find(':');
    const std::string_view name = line->substr(0, colon);
    const std::string_view value = colon == std::string_view::npos ? std::string_view() : trim(line->substr(colon + 1));
    if (colon == std::string_view::npos || !is_valid_field(name, value)) return fail(malformed("a malformed header field in a part"));
    part.headers.add(std::string(name), std::string(value));
  }
  const auto disposition_field = part.headers.find("Content-Disposition");
  if (!disposition_field || part.headers.count("Content-Disposition") != 1) return fail(malformed("a part needs one Content-Disposition"));
  auto disposition = parse_parameterized(*disposition_field);
  if (!disposition) return fail(malformed("a part's Content-Disposition: " + disposition.error().message));
  const auto name = disposition->find("name");
  if (disposition->value != "form-data" || !name) return fail(malformed("a part's Content-Disposition must be form-data with a name"));
  part.name = *name;
  part.file_name = disposition_file_name(*disposition);
  part.media_type = part.headers.find("Content-Type").value_or("");
  return part;
}

Result<void> MultipartReader::read_epilogue() {
  std::size_t seen = 0;
  while (true) {
    seen += buffered().size();
    if (seen > limits_.max_padding_bytes) return fail(malformed("too much after the last boundary"));
    begin_ = end_;
    MEDIA_TRY_ASSIGN(const bool more, fill());
    if (!more) return {};
  }
}

Result<std::optional<MultipartReader::Part>> MultipartReader::next() {
  if (state_ == State::failed) return failure_;
  if (state_ == State::finished) return std::optional<Part>();
  if (state_ == State::start) {
    // The first boundary may stand at the very beginning: as if a line had ended before it.
    std::memcpy(buffer_.data(), "\r\n", 2);
    end_ = 2;
    MEDIA_TRY(skip_to_delimiter(limits_.max_padding_bytes));
  } else if (state_ == State::in_part) {
    MEDIA_TRY(skip_to_delimiter(UINT64_MAX));
  }
  MEDIA_TRY_ASSIGN(const bool another, read_boundary_tail());
  if (!another) {
    MEDIA_TRY(read_epilogue());
    state_ = State::finished;
    return std::optional<Part>();
  }
  if (++parts_ > limits_.max_parts)
    return fail({Errc::too_large, "multipart body: more than " + std::to_string(limits_.max_parts) + " parts"});
  MEDIA_TRY_ASSIGN(Part part, read_part_head());
  state_ = State::in_part;
  return std::optional(std::move(part));
}

}  // namespace media::http

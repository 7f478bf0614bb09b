#include "repository/list_statement.hpp"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include "repository/sql.hpp"

namespace media {
namespace {

std::int64_t clamped(std::size_t count) noexcept {
  constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
  return static_cast<std::int64_t>(std::min(count, kMost));
}

/// The least text, by bytes, that is greater than every text with this prefix; empty where there is none.
std::string end_of_prefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xFF) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

/// Matches the hexadecimal digits of whatever contains `text`, ASCII case ignored: PostgreSQL has no text that holds every name, and
/// changes no letters of bytes.
std::string hex_pattern(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string pattern = "^(?:..)*";
  for (const char c : ascii_lower(std::string(text))) {
    const auto byte = static_cast<unsigned char>(c);
    if (c >= 'a' && c <= 'z') {
      // The case of a letter is one bit of its first digit.
      pattern += byte < 0x70 ? "[46]" : "[57]";
      pattern += kHex[byte & 15U];
    } else {
      pattern += {kHex[byte >> 4U], kHex[byte & 15U]};
    }
  }
  return pattern;
}

class Builder {
 public:
  /// `before` and `after` surround the parameter's number.
  void filter(std::string_view before, Parameter parameter, std::string_view after = {}) {
    if (!std::exchange(first_filter_, false)) text(" AND ");
    part(before, std::move(parameter), after);
  }
  void end_filters() {
    if (first_filter_) text("1");
  }
  void part(std::string_view before, Parameter parameter, std::string_view after = {}) {
    statement_.text += before;
    statement_.text += number(std::move(parameter));
    statement_.text += after;
  }
  /// "?7", to be used any number of times.
  std::string number(Parameter parameter) {
    statement_.parameters.push_back(std::move(parameter));
    return "?" + std::to_string(statement_.parameters.size());
  }
  Builder& text(std::string_view text) {
    statement_.text += text;
    return *this;
  }
  ListStatement take() { return std::move(statement_); }

 private:
  ListStatement statement_;
  bool first_filter_ = true;
};

std::int64_t bound(const MediaQuery& query) noexcept {
  return query.descending && query.after == 0 ? std::numeric_limits<std::int64_t>::max() : query.after;
}

/// The same rows in the same order as with `owner = … AND status = … AND id …`, in words that the index of owners alone can follow:
/// PostgreSQL's planner would rather walk the ids of everybody, and pass over those of others, than believe that an owner has few. Rows are
/// compared where the walk begins. Where it ends a single column is, because a comparison of rows ends a walk by its first column alone:
/// another status would be read through to the owner's last media.
void walk_of_owner(Builder& builder, const MediaQuery& query) {
  const std::string owner = builder.number(TextParameter{*query.owner});
  std::string column = "owner";
  std::string value = owner;
  if (query.status) {
    builder.text("owner = " + owner + " AND ");
    column = "status";
    value = builder.number(static_cast<std::int64_t>(*query.status));
  }
  const std::string after = builder.number(bound(query));
  const std::string_view beyond = query.descending ? "<" : ">";
  const std::string_view until = query.descending ? ">=" : "<=";
  const std::string_view direction = query.descending ? " DESC" : "";
  builder.text("(" + column + ", id) ").text(beyond).text(" (" + value + ", " + after + ") AND " + column + " ").text(until);
  builder.text(" " + value + " ORDER BY " + column).text(direction).text(", id").text(direction);
}

}  // namespace

std::string joined_tags(const std::vector<std::string>& tags) {
  std::string column;
  for (const std::string& tag : tags) column += (column.empty() ? "\n" : "") + tag + "\n";
  return column;
}

std::vector<std::string> split_tags(std::string_view column) {
  std::vector<std::string> tags;
  while (column.size() > 1) {
    column.remove_prefix(1);
    const auto end = std::min(column.find('\n'), column.size());
    tags.emplace_back(column.substr(0, end));
    column.remove_prefix(end);
  }
  return tags;
}

std::string ascii_lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

ListStatement list_media_statement(const MediaQuery& query, std::size_t rows, Dialect dialect) {
  Builder builder;
  builder.text("SELECT id, ");
  if (query.status && !query.owner) builder.filter("status = ", static_cast<std::int64_t>(*query.status));
  if (!query.media_type_prefix.empty()) {
    // A range and not LIKE: bytewise, and no character of the prefix is special. PostgreSQL takes as text what is UTF-8 alone.
    const std::string column = dialect == Dialect::sqlite ? "media_type" : "convert_to(media_type, 'UTF8')";
    const auto parameter = [&](std::string text) -> Parameter {
      if (dialect == Dialect::sqlite) return TextParameter{std::move(text)};
      return BytesParameter{std::move(text)};
    };
    builder.filter(column + " >= ", parameter(query.media_type_prefix));
    if (std::string end = end_of_prefix(query.media_type_prefix); !end.empty()) builder.filter(column + " < ", parameter(std::move(end)));
  }
  if (!query.filename_contains.empty()) {
    // As bytes, for text functions count characters, which a name that is not UTF-8 does not have.
    if (dialect == Dialect::sqlite) {
      builder.filter("instr(CAST(lower(filename) AS BLOB), ", BytesParameter{ascii_lower(query.filename_contains)}, ") > 0");
    } else {
      builder.filter("encode(filename, 'hex') ~ ", TextParameter{hex_pattern(query.filename_contains)});
    }
  }
  if (query.uploaded_from) builder.filter("uploaded_at >= ", query.uploaded_from->time_since_epoch().count());
  if (query.uploaded_to) builder.filter("uploaded_at < ", query.uploaded_to->time_since_epoch().count());
  if (!query.tag.empty()) {
    // No tag has a line feed, and none is empty.
    const bool possible = query.tag.find('\n') == std::string::npos;
    const BytesParameter tag{possible ? joined_tags({query.tag}) : "\n\n"};
    if (dialect == Dialect::sqlite) {
      builder.filter("instr(tags, ", tag, ") > 0");
    } else {
      builder.filter("position(", tag, " IN tags) > 0");
    }
  }
  if (query.alive_at) builder.filter("(expires_at IS NULL OR expires_at > ", query.alive_at->time_since_epoch().count(), ")");
  builder.end_filters();
  builder.text(", ");
  builder.text(sql::kMediaColumns);
  builder.text(" FROM media WHERE ");
  if (dialect == Dialect::postgres && query.owner) {
    walk_of_owner(builder, query);
  } else {
    // Always a bound on the id, so that the first page and the others are one prepared statement.
    builder.part(query.descending ? "id < " : "id > ", bound(query));
    if (query.owner) builder.part(" AND owner = ", TextParameter{*query.owner});
    if (query.owner && query.status) builder.part(" AND status = ", static_cast<std::int64_t>(*query.status));
    builder.text(query.descending ? " ORDER BY id DESC" : " ORDER BY id");
  }
  builder.part(" LIMIT ", clamped(rows));
  return builder.take();
}

}  // namespace media

/// A page of media under any set of filters: the one statement that is put together at run time, and how its rows are counted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "media/repository.hpp"

namespace media {

struct TextParameter {
  std::string value;
};
struct BytesParameter {
  std::string value;
};
using Parameter = std::variant<std::int64_t, TextParameter, BytesParameter>;

/// Rows (id, does it match, every field of the media) in the order of the walk. What narrows the walk is in
/// the index; every other filter is a column, so that the rows it leaves out are counted too and the reader can stop at any of them.
///
/// Parameters are numbered from 1 in this order. The text depends on which filters are set and never on their values, so that
/// prepared statements are found again.
struct ListStatement {
  std::string text;
  std::vector<Parameter> parameters;
};

/// What the databases do not have in common.
enum class Dialect : std::uint8_t { sqlite, postgres };

/// At most `rows` of them.
ListStatement list_media_statement(const MediaQuery& query, std::size_t rows, Dialect dialect = Dialect::sqlite);

/// Counts what a page looks at, and knows when to stop.
class PageScan {
 public:
  explicit PageScan(const MediaQuery& query) noexcept : query_(query), skip_(query.offset), last_(query.after) {}

  /// Before each row of the walk: false where the page ends before it.
  bool look(MediaId id) {
    if (page_.media.size() >= query_.limit || looked_ >= query_.scan_limit) {
      page_.scanned_to = last_;
      return false;
    }
    ++looked_;
    last_ = id;
    return true;
  }
  [[nodiscard]] std::size_t looked() const noexcept { return looked_; }
  /// For a row that matches: is it on the page, or passed over?
  bool takes() noexcept { return skip_ == 0 || skip_-- == 0; }
  void add(Media media) { page_.media.push_back(std::move(media)); }
  MediaPage take() { return std::move(page_); }

 private:
  const MediaQuery& query_;
  std::size_t skip_;
  std::size_t looked_ = 0;
  MediaId last_;
  MediaPage page_;
};

/// Tags as one column: each between two line feeds, which no tag has, so that a tag is found as bytes.
std::string joined_tags(const std::vector<std::string>& tags);
std::vector<std::string> split_tags(std::string_view column);

/// `text` with A to Z made small: what `filename_contains` compares.
std::string ascii_lower(std::string text);

}  // namespace media

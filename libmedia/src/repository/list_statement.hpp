/// The one statement that is put together at run time: a page of media under any set of filters.
#pragma once

#include <cstdint>
#include <string>
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

/// Parameters are numbered from 1 in this order. The text depends on which filters are set and never on their values, so that
/// prepared statements are found again.
struct ListStatement {
  std::string text;
  std::vector<Parameter> parameters;
};

ListStatement list_media_statement(const MediaQuery& query);

/// `text` with A to Z made small: what `filename_contains` compares.
std::string ascii_lower(std::string text);

}  // namespace media

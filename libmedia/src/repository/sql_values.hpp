/// What statements of any backend take that is no plain value.
#pragma once

#include <string_view>

namespace media::sql {

/// A value that is bound as bytes although it is in a string: it need not be UTF-8.
struct Bytes {
  std::string_view value;
};

}  // namespace media::sql

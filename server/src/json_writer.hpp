/// JSON written as it is told, without a tree in between: for what is answered by the thousand.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace media::server {

/// Members come out in the order in which they are told. Whoever calls sees to it that what is begun is ended, and that a key stands before
/// each value of an object. What is not UTF-8 in a text becomes U+FFFD, as `dump` has it.
///
/// Thread-safety: none of its own.
class JsonWriter {
 public:
  JsonWriter& begin_object() { return begin('{'); }
  JsonWriter& end_object() { return end('}'); }
  JsonWriter& begin_array() { return begin('['); }
  JsonWriter& end_array() { return end(']'); }

  /// A name of the program's own: it has nothing in it that would have to be escaped.
  JsonWriter& key(std::string_view name);

  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool truth) { return plain(truth ? "true" : "false"); }
  JsonWriter& value(std::nullptr_t) { return plain("null"); }
  template <std::integral Integer>
  JsonWriter& value(Integer number) {
    return plain(std::to_string(number));
  }
  /// Null where there is none.
  template <class T>
  JsonWriter& value(const std::optional<T>& some) {
    return some ? value(*some) : value(nullptr);
  }

  template <class T>
  JsonWriter& member(std::string_view name, const T& some) {
    return key(name).value(some);
  }

  /// Everything so far. The writer is empty then.
  std::string take() { return std::move(text_); }

 private:
  JsonWriter& begin(char bracket);
  JsonWriter& end(char bracket);
  JsonWriter& plain(std::string_view token);
  void separate();

  std::string text_;
  bool follows_ = false;  ///< Another value stands before, which a comma is due to.
};

}  // namespace media::server

/// Header fields: names without regard to case, values as they are, order kept.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace media::http {

/// ASCII letters compared without regard to case, whatever the locale.
bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;

struct Field {
  std::string name;
  std::string value;
};

/// The fields of one message. Nothing is decoded or joined; a field that came twice is there twice.
///
/// Thread-safety: that of a std::vector.
class Fields {
 public:
  Fields() = default;

  /// The first value of that name. The view lives as long as the field is not changed.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  /// Every value of that name, in order.
  [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const;
  [[nodiscard]] std::size_t count(std::string_view name) const noexcept;

  void add(std::string name, std::string value) { fields_.push_back({std::move(name), std::move(value)}); }
  /// Replaces all fields of that name by one.
  void set(std::string_view name, std::string value);
  void remove(std::string_view name);
  template <class Predicate>
  void remove_if(Predicate predicate) {
    std::erase_if(fields_, predicate);
  }

  [[nodiscard]] auto begin() const noexcept { return fields_.begin(); }
  [[nodiscard]] auto end() const noexcept { return fields_.end(); }
  [[nodiscard]] std::size_t size() const noexcept { return fields_.size(); }

 private:
  std::vector<Field> fields_;
};

}  // namespace media::http

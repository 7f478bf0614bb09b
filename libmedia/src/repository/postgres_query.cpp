#include <bit>
#include <cassert>
#include <cstring>

#include "repository/postgres_connection.hpp"
#include "repository/postgres_error.hpp"

namespace media::postgres {
namespace {

/// Most significant byte first, as the protocol has it.
std::array<char, 8> wire_bytes(std::uint64_t bits) noexcept {
  std::array<char, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(bits >> (56 - 8 * i) & 0xFFU);
  return bytes;
}

std::uint64_t number_of(std::string_view bytes) noexcept {
  std::uint64_t bits = 0;
  for (const char c : bytes) bits = bits << 8U | static_cast<unsigned char>(c);
  return bits;
}

}  // namespace

void Query::push(Value value) {
  assert(bound_ < kMostValues);
  values_[bound_++] = value;
}

void Query::add_number(Oid type, std::uint64_t bits) {
  assert(bound_ < kMostValues);
  numbers_[bound_] = wire_bytes(bits);
  const char* const bytes = numbers_[bound_].data();
  push({type, bytes, 8, 1});
}

void Query::add(double value) { add_number(kDouble, std::bit_cast<std::uint64_t>(value)); }

void Query::add(const std::vector<std::int64_t>& values) {
  std::string text = "{";
  for (const std::int64_t value : values) text += (text.size() == 1 ? "" : ",") + std::to_string(value);
  const std::string& kept = keep(text + "}");
  push({kBigintArray, kept.c_str(), 0, 0});
}

bool Query::next() {
  if (!result_) result_ = connection_.run(text_, std::span(values_).first(bound_));
  column_ = 0;
  return ++row_ < PQntuples(result_.get());
}

std::size_t Query::run() {
  result_ = connection_.run(text_, std::span(values_).first(bound_));
  return static_cast<std::size_t>(changed_rows(result_.get()));
}

std::string_view Query::column() {
  const int at = column_++;
  if (at >= PQnfields(result_.get())) corrupt("a row has too few columns");
  return {PQgetvalue(result_.get(), row_, at), static_cast<std::size_t>(PQgetlength(result_.get(), row_, at))};
}

std::int64_t Query::integer() {
  const std::string_view bytes = column();
  const std::uint64_t bits = number_of(bytes);
  switch (bytes.size()) {
    case 1:  // boolean
      return bits != 0 ? 1 : 0;
    case 2:
      return static_cast<std::int16_t>(bits);
    case 4:
      return static_cast<std::int32_t>(bits);
    case 8:
      return static_cast<std::int64_t>(bits);
    default:
      corrupt("a number is not as long as one");
  }
}

double Query::real() {
  const std::string_view bytes = column();
  if (bytes.size() != 8) corrupt("a number is not as long as one");
  return std::bit_cast<double>(number_of(bytes));
}

std::string Query::string() { return std::string(column()); }

std::vector<std::byte> Query::bytes() {
  const std::string_view value = column();
  const auto* const begin = reinterpret_cast<const std::byte*>(value.data());
  return {begin, begin + value.size()};
}

Digest Query::digest() {
  const std::string_view value = column();
  if (value.size() != Digest::kSize) corrupt("a digest is not 32 bytes long");
  std::array<std::uint8_t, Digest::kSize> bytes{};
  std::memcpy(bytes.data(), value.data(), bytes.size());
  return Digest(bytes);
}

}  // namespace media::postgres

/// Who is calling, and what he may do.
#pragma once

#include <cstdint>
#include <string>

namespace media::server {

enum class Scope : std::uint8_t { read = 1, write = 2, admin = 4 };

/// A set of scopes. `admin` holds the other two.
class Scopes {
 public:
  constexpr Scopes() = default;
  static constexpr Scopes all() { return Scopes().with(Scope::admin); }
  static constexpr Scopes usual() { return Scopes().with(Scope::read).with(Scope::write); }

  [[nodiscard]] constexpr Scopes with(Scope scope) const {
    Scopes more = *this;
    more.bits_ = static_cast<std::uint8_t>(bits_ | static_cast<std::uint8_t>(scope));
    return more;
  }
  [[nodiscard]] constexpr bool has(Scope scope) const {
    return (bits_ & (static_cast<std::uint8_t>(scope) | static_cast<std::uint8_t>(Scope::admin))) != 0;
  }
  friend constexpr bool operator==(const Scopes&, const Scopes&) = default;

 private:
  std::uint8_t bits_ = 0;
};

enum class CallerKind : std::uint8_t {
  anonymous,  ///< Gave no credential, or a signed URL alone.
  local,      ///< Authentication is off: everybody is the one local user.
  token,
  api_key,
};

struct Caller {
  std::string owner;  ///< Empty where anonymous.
  Scopes scopes;
  CallerKind kind = CallerKind::anonymous;

  [[nodiscard]] bool is_anonymous() const noexcept { return kind == CallerKind::anonymous; }
  static Caller local_user() { return {"local", Scopes::all(), CallerKind::local}; }
};

}  // namespace media::server

#include <array>
#include <charconv>

#include "http/content.hpp"
#include "http/text.hpp"

namespace media::http {
namespace {

constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> kLongDays{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/// Takes what it is asked for off the front; every step after a failure fails too.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  void literal(std::string_view text) {
    if (rest_.starts_with(text)) {
      rest_.remove_prefix(text.size());
    } else {
      ok_ = false;
    }
  }
  int digits(std::size_t count) {
    if (!ok_ || rest_.size() < count) return fail();
    const auto value = parse_decimal(rest_.substr(0, count));
    if (!value) return fail();
    rest_.remove_prefix(count);
    return static_cast<int>(*value);
  }
  template <std::size_t N>
  unsigned one_of(const std::array<std::string_view, N>& names) {
    for (unsigned i = 0; ok_ && i < N; ++i) {
      if (rest_.starts_with(names[i])) {
        rest_.remove_prefix(names[i].size());
        return i;
      }
    }
    ok_ = false;
    return 0;
  }
  [[nodiscard]] bool starts_with(std::string_view text) const { return rest_.starts_with(text); }
  [[nodiscard]] bool finished() const { return ok_ && rest_.empty(); }

 private:
  int fail() {
    ok_ = false;
    return 0;
  }
  std::string_view rest_;
  bool ok_ = true;
};

struct Civil {
  int year = 0;
  unsigned month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

void read_clock(Scanner& in, Civil& out) {
  out.hour = in.digits(2);
  in.literal(":");
  out.minute = in.digits(2);
  in.literal(":");
  out.second = in.digits(2);
}

std::optional<Timestamp> to_time(const Civil& civil) {
  using namespace std::chrono;
  const year_month_day date{year(civil.year), month(civil.month + 1), day(static_cast<unsigned>(civil.day))};
  if (!date.ok() || civil.hour > 23 || civil.minute > 59 || civil.second > 60) return std::nullopt;
  return Timestamp(sys_days(date).time_since_epoch() + hours(civil.hour) + minutes(civil.minute) + seconds(civil.second));
}

std::optional<Civil> imf_fixdate(std::string_view text) {
  Scanner in(text);
  Civil out;
  in.one_of(kDays);
  in.literal(", ");
  out.day = in.digits(2);
  in.literal(" ");
  out.month = in.one_of(kMonths);
  in.literal(" ");
  out.year = in.digits(4);
  in.literal(" ");
  read_clock(in, out);
  in.literal(" GMT");
  if (!in.finished()) return std::nullopt;
  return out;
}

std::optional<Civil> rfc850(std::string_view text) {
  Scanner in(text);
  Civil out;
  in.one_of(kLongDays);
  in.literal(", ");
  out.day = in.digits(2);
  in.literal("-");
  out.month = in.one_of(kMonths);
  in.literal("-");
  out.year = in.digits(2);
  in.literal(" ");
  read_clock(in, out);
  in.literal(" GMT");
  if (!in.finished()) return std::nullopt;
  // Two digits that seem to be more than 50 years ahead mean the past (RFC 9110 section 5.6.7); nothing older than 1970 is of use here.
  out.year += out.year < 70 ? 2000 : 1900;
  return out;
}

std::optional<Civil> asctime_date(std::string_view text) {
  Scanner in(text);
  Civil out;
  in.one_of(kDays);
  in.literal(" ");
  out.month = in.one_of(kMonths);
  in.literal(" ");
  if (in.starts_with(" ")) {
    in.literal(" ");
    out.day = in.digits(1);
  } else {
    out.day = in.digits(2);
  }
  in.literal(" ");
  read_clock(in, out);
  in.literal(" ");
  out.year = in.digits(4);
  if (!in.finished()) return std::nullopt;
  return out;
}

}  // namespace

std::string to_http_date(Timestamp time) {
  using namespace std::chrono;
  const auto day_point = floor<days>(time);
  const year_month_day date(day_point);
  const hh_mm_ss clock(floor<seconds>(time - day_point));
  std::string out = "Thu, 01 Jan 1970 00:00:00 GMT";
  const auto put = [&](std::size_t at, std::string_view text) { out.replace(at, text.size(), text); };
  const auto put_number = [&](std::size_t at, unsigned digits, unsigned value) {
    for (; digits-- > 0; value /= 10) out[at + digits] = static_cast<char>('0' + value % 10);
  };
  put(0, kDays[weekday(day_point).c_encoding()]);
  put_number(5, 2, static_cast<unsigned>(date.day()));
  put(8, kMonths[static_cast<unsigned>(date.month()) - 1]);
  put_number(12, 4, static_cast<unsigned>(static_cast<int>(date.year())));
  put_number(17, 2, static_cast<unsigned>(clock.hours().count()));
  put_number(20, 2, static_cast<unsigned>(clock.minutes().count()));
  put_number(23, 2, static_cast<unsigned>(clock.seconds().count()));
  return out;
}

std::optional<Timestamp> from_http_date(std::string_view text) {
  for (const auto read : {imf_fixdate, rfc850, asctime_date}) {
    if (const auto civil = read(text)) return to_time(*civil);
  }
  return std::nullopt;
}

}  // namespace media::http

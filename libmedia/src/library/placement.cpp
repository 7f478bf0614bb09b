#include "media/placement.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace media {
namespace {

constexpr std::size_t kMostAlternatives = 16;
constexpr std::size_t kMostConditions = 16;

constexpr std::array<std::pair<std::string_view, BlobKind>, 4> kKinds{
    {{"image", BlobKind::image}, {"video", BlobKind::video}, {"other", BlobKind::other}, {"rendition", BlobKind::rendition}}};

std::uint64_t bit_of(BlobKind kind) noexcept { return std::uint64_t{1} << static_cast<unsigned>(kind); }

/// Splits at any of `separators`; empty pieces are left out.
std::vector<std::string_view> pieces_of(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(separators), text.size());
    if (end > 0) pieces.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return pieces;
}

struct Unit {
  char letter;
  std::uint64_t factor;
};
constexpr std::array<Unit, 4> kTimes{{{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86'400}}};
constexpr std::array<Unit, 4> kSizes{{{'k', 1'000}, {'M', 1'000'000}, {'G', 1'000'000'000}, {'T', 1'000'000'000'000}}};

/// "30d" or "1M": digits, and a letter of the units, which `must_have` one.
std::optional<std::uint64_t> parse_amount(std::string_view text, std::span<const Unit> units, bool must_have) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc()) return std::nullopt;
  const std::string_view letter = text.substr(static_cast<std::size_t>(end - text.data()));
  if (letter.empty()) return must_have ? std::nullopt : std::optional(value);
  const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& each) { return letter == std::string_view(&each.letter, 1); });
  if (unit == units.end() || value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / 1000 / unit->factor) {
    return std::nullopt;
  }
  return value * unit->factor;
}

std::optional<std::uint64_t> parse_kinds(std::string_view text) {
  std::uint64_t kinds = 0;
  for (const std::string_view word : pieces_of(text, "|")) {
    const auto* const kind = std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& each) { return each.first == word; });
    if (kind == kKinds.end()) return std::nullopt;
    kinds |= bit_of(kind->second);
  }
  return kinds == 0 ? std::nullopt : std::optional(kinds);
}

Error no_condition(std::string_view text) {
  return {Errc::invalid_argument, "a placement rule: '" + std::string(text) +
                                      "' is no condition (such as age>30d, unread>=12h, size>1M, reads<3 or kind=image|video)"};
}

/// "42d", "7h", "5m" or "3s": people need no more.
std::string in_words(std::uint64_t seconds) {
  const auto unit = std::find_if(kTimes.rbegin(), kTimes.rend(), [&](const Unit& each) { return seconds >= each.factor; });
  if (unit == kTimes.rend()) return "0s";
  return std::to_string(seconds / unit->factor) + unit->letter;
}

std::uint64_t seconds_since(Timestamp time, Timestamp now) noexcept {
  return time >= now ? 0 : static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now - time).count());
}

}  // namespace

std::string_view to_string(BlobKind kind) noexcept {
  for (const auto& [name, each] : kKinds) {
    if (each == kind) return name;
  }
  return "other";
}

Result<PlacementRule::Condition> PlacementRule::parse_condition(std::string_view text) {
  Condition condition;
  condition.text = text;
  const auto at = text.find_first_of("<>=!");
  if (at == std::string_view::npos) return no_condition(text);
  const std::string_view subject = text.substr(0, at);
  std::string_view value = text.substr(at + 1);
  const bool with_equal = value.starts_with('=');
  if (with_equal) value.remove_prefix(1);
  std::optional<std::uint64_t> amount;
  if (subject == "kind") {
    condition.subject = Subject::kind;
    const bool is_not = text[at] == '!' && with_equal;
    if ((text[at] != '=' || with_equal) && !is_not) return no_condition(text);
    amount = parse_kinds(value);
    if (amount && is_not) amount = ~*amount;
  } else {
    if (text[at] != '<' && text[at] != '>') return no_condition(text);
    if (text[at] == '<') {
      condition.comparison = with_equal ? Comparison::at_most : Comparison::less;
    } else {
      condition.comparison = with_equal ? Comparison::at_least : Comparison::more;
    }
    if (subject == "age" || subject == "unread") {
      condition.subject = subject == "age" ? Subject::age : Subject::unread;
      amount = parse_amount(value, kTimes, true);
    } else if (subject == "size") {
      condition.subject = Subject::size;
      amount = parse_amount(value, kSizes, false);
    } else if (subject == "reads") {
      condition.subject = Subject::reads;
      amount = parse_amount(value, {}, false);
    }
  }
  if (!amount) return no_condition(text);
  condition.value = *amount;
  return condition;
}

Result<PlacementRule> PlacementRule::parse(std::string_view text) {
  PlacementRule rule;
  if (text == "none") return rule;
  for (const std::string_view alternative : pieces_of(text, ";")) {
    std::vector<Condition> conditions;
    for (const std::string_view word : pieces_of(alternative, " ,\t")) {
      MEDIA_TRY_ASSIGN(Condition condition, parse_condition(word));
      conditions.push_back(std::move(condition));
    }
    // An alternative of spaces would be met by everything.
    if (!conditions.empty()) rule.alternatives_.push_back(std::move(conditions));
    if (rule.alternatives_.size() > kMostAlternatives ||
        (!rule.alternatives_.empty() && rule.alternatives_.back().size() > kMostConditions)) {
      return Error{Errc::invalid_argument, "a placement rule has at most 16 alternatives of at most 16 conditions"};
    }
  }
  return rule;
}

bool PlacementRule::meets(const Condition& condition, const BlobUse& use, Timestamp now, std::string& reason) {
  std::uint64_t value = 0;
  std::string told;
  switch (condition.subject) {
    case Subject::age:
      value = seconds_since(use.since, now);
      told = "stored " + in_words(value) + " ago";
      break;
    case Subject::unread:
      value = seconds_since(use.read_at ? std::max(*use.read_at, use.since) : use.since, now);
      told = "not read for " + in_words(value);
      break;
    case Subject::size:
      value = use.size_bytes;
      told = std::to_string(value) + " bytes";
      break;
    case Subject::reads:
      value = use.reads;
      told = std::to_string(value) + " reads";
      break;
    case Subject::kind:
      told = to_string(use.kind);
      if ((condition.value & bit_of(use.kind)) == 0) return false;
      reason += (reason.empty() ? "" : ", ") + told + " (" + condition.text + ")";
      return true;
  }
  const bool met = condition.comparison == Comparison::less      ? value < condition.value
                   : condition.comparison == Comparison::at_most ? value <= condition.value
                   : condition.comparison == Comparison::more    ? value > condition.value
                                                                 : value >= condition.value;
  if (met) reason += (reason.empty() ? "" : ", ") + told + " (" + condition.text + ")";
  return met;
}

std::optional<std::string> PlacementRule::reason(const BlobUse& use, Timestamp now) const {
  for (const auto& conditions : alternatives_) {
    std::string reason;
    if (std::all_of(conditions.begin(), conditions.end(), [&](const Condition& each) { return meets(each, use, now, reason); }))
      return reason;
  }
  return std::nullopt;
}

}  // namespace media

#include "store/tier_list.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace media::store {
namespace {

/// One store's part of a page.
class Stretch {
 public:
  Stretch(const ListedTier& tier, std::string cursor, bool ended) : tier_(tier), cursor_(std::move(cursor)), ended_(ended) {}

  Result<void> load(std::size_t limit) {
    if (ended_) return {};
    MEDIA_TRY_ASSIGN(page_, tier_.store->list(cursor_, limit));
    return {};
  }
  /// Null where nothing is left of it.
  [[nodiscard]] const ListedBlob* head() const noexcept { return taken_ < page_.blobs.size() ? &page_.blobs[taken_] : nullptr; }
  /// True where it has more than was loaded: what comes next is not known.
  [[nodiscard]] bool ran_out() const noexcept { return !ended_ && head() == nullptr && !page_.next_cursor.empty(); }
  void advance() noexcept { ++taken_; }
  [[nodiscard]] const std::string& name() const noexcept { return tier_.name; }

  /// Where the next page goes on; absent at the end. A cursor is known for the end of a page alone, so that a page which was not used up is
  /// asked for again, as long as it was used.
  Result<std::optional<std::string>> next_cursor() {
    if (ended_) return std::optional<std::string>();
    if (taken_ == 0 && !page_.blobs.empty()) return std::optional(cursor_);
    if (taken_ == page_.blobs.size()) return page_.next_cursor.empty() ? std::nullopt : std::optional(page_.next_cursor);
    const ListedBlob& last = page_.blobs[taken_ - 1];
    for (std::size_t count = taken_; count > 0; --count) {
      MEDIA_TRY_ASSIGN(const auto again, tier_.store->list(cursor_, count));
      if (again.blobs.empty() || again.next_cursor.empty()) break;
      // Where something was removed meanwhile, a page of that length reaches beyond what was used.
      if (is_within(again.blobs.back(), last)) return std::optional(again.next_cursor);
    }
    // Some of what was used may come again, which is better than that some is left out.
    return std::optional(cursor_);
  }

 private:
  static bool is_within(const ListedBlob& blob, const ListedBlob& last) {
    if (blob.location == last.location) return true;
    return blob.digest && last.digest && *blob.digest <= *last.digest;
  }

  const ListedTier& tier_;
  std::string cursor_;
  bool ended_;
  BlobPage page_;
  std::size_t taken_ = 0;
};

/// Cursors of the stores in their order: "-" for one that is at its end, else "<length>:<cursor>".
std::string joined(const std::vector<std::optional<std::string>>& cursors) {
  std::string text;
  for (const auto& cursor : cursors) text += cursor ? std::to_string(cursor->size()) + ':' + *cursor : "-";
  return text;
}

Result<std::vector<std::optional<std::string>>> split(const std::string& text, std::size_t count) {
  std::vector<std::optional<std::string>> cursors;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '-') {
      cursors.emplace_back();
      ++at;
      continue;
    }
    std::size_t length = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9' && length < text.size(); ++at) {
      length = length * 10 + static_cast<std::size_t>(text[at] - '0');
    }
    if (at >= text.size() || text[at] != ':' || length > text.size() - at - 1) break;
    cursors.emplace_back(text.substr(at + 1, length));
    at += 1 + length;
  }
  if (cursors.size() != count || joined(cursors) != text) return Error{Errc::invalid_argument, "list: a cursor that is none"};
  return cursors;
}

/// The head that comes first: a stray at once, for it has no place of its own; else the lowest digest. Null at the end.
Stretch* first_of(std::vector<Stretch>& stretches) {
  Stretch* first = nullptr;
  for (Stretch& each : stretches) {
    const ListedBlob* const head = each.head();
    if (head == nullptr) continue;
    if (!head->digest) return &each;
    if (first == nullptr || *head->digest < *first->head()->digest) first = &each;
  }
  return first;
}

}  // namespace

std::string tier_identity(const std::string& tier, const std::string& identity) {
  return identity.empty() ? std::string() : tier + '/' + identity;
}

Result<BlobPage> list_tiers(std::span<const ListedTier> tiers, const std::string& cursor, std::size_t limit) {
  if (limit == 0) return Error{Errc::invalid_argument, "list: the limit is at least 1"};
  std::vector<std::optional<std::string>> from(tiers.size(), std::string());
  if (!cursor.empty()) {
    MEDIA_TRY_ASSIGN(from, split(cursor, tiers.size()));
  }
  std::vector<Stretch> stretches;
  for (std::size_t i = 0; i < tiers.size(); ++i) {
    stretches.emplace_back(tiers[i], from[i].value_or(""), !from[i]);
    MEDIA_TRY(stretches.back().load(limit));
  }
  BlobPage page;
  const auto ran_out = [&] {
    for (const Stretch& each : stretches) {
      if (each.ran_out()) return true;
    }
    return false;
  };
  std::optional<Digest> last;
  while (page.blobs.size() < limit && !ran_out()) {
    Stretch* const next = first_of(stretches);
    if (next == nullptr) break;
    ListedBlob blob = *next->head();
    next->advance();
    if (blob.digest && blob.digest == last) continue;
    if (blob.digest) last = blob.digest;
    blob.location = next->name() + ':' + blob.location;
    blob.identity = tier_identity(next->name(), blob.identity);
    page.blobs.push_back(std::move(blob));
  }
  // What is left of the last blob in colder stores is passed over now: the next page does not know that it was told.
  for (Stretch& each : stretches) {
    while (last && each.head() != nullptr && each.head()->digest == last) each.advance();
  }
  std::vector<std::optional<std::string>> next;
  bool more = false;
  for (Stretch& each : stretches) {
    MEDIA_TRY_ASSIGN(next.emplace_back(), each.next_cursor());
    more = more || next.back().has_value();
  }
  if (more) page.next_cursor = joined(next);
  return page;
}

}  // namespace media::store

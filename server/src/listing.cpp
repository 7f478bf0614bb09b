#include "listing.hpp"

#include <algorithm>

namespace media::server {
namespace {

/// Is there anything beyond `id` in the query's direction? Where the scan ended before its end, perhaps: then yes, for a page may be
/// asked for and be empty.
Result<bool> exists_beyond(const Library& library, MediaQuery query, MediaId id) {
  query.after = id;
  query.limit = 1;
  MEDIA_TRY_ASSIGN(const auto found, library.list(query));
  return !found.media.empty() || found.scanned_to.has_value();
}

}  // namespace

Result<ListingPage> read_page(const Library& library, const MediaQuery& query, const std::optional<Cursor>& at) {
  const bool backward = at && at->backward;
  MediaQuery walk = query;
  walk.offset = 0;
  walk.after = at ? at->id : 0;
  if (backward) walk.descending = !walk.descending;
  // A walk down begins at 0 where it has no cursor.
  if (at && at->id == 0 && walk.descending) return Error{Errc::invalid_argument, "cursor: not one of a listing in this order"};
  walk.limit = query.limit + 1;  // one more tells whether the page is the last
  MEDIA_TRY_ASSIGN(auto found, library.list(walk));
  ListingPage page;
  page.items = std::move(found.media);
  // The end that was read towards, and the one that was begun from.
  std::optional<Cursor> far;
  std::optional<Cursor> near;
  if (page.items.size() > query.limit) {
    page.items.pop_back();
    far = Cursor{page.items.back().id, backward};
  } else if (found.scanned_to) {
    far = Cursor{*found.scanned_to, backward};
  }
  if (at) {
    // Cursors exclude the id that they name, and the one that was begun from belongs to the other side.
    const MediaId id = walk.descending ? at->id - 1 : std::min(at->id, kMaxMediaId) + 1;
    MediaQuery back = walk;
    back.descending = !walk.descending;
    MEDIA_TRY_ASSIGN(const bool exists, exists_beyond(library, back, id));
    if (exists) near = Cursor{id, !backward};
  }
  if (backward) std::reverse(page.items.begin(), page.items.end());
  page.next = backward ? near : far;
  page.prev = backward ? far : near;
  return page;
}

}  // namespace media::server

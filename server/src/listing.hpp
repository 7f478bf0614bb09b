/// A page of a listing and the ways on from it.
#pragma once

#include <optional>
#include <vector>

#include "cursor.hpp"
#include "media/library.hpp"

namespace media::server {

/// A page covers a span of ids, from the cursor that it was asked by to where it was full or its scan ended. The cursors to the pages
/// beside it are the span's two ends: so they are there for an empty page too, and nothing lies between two pages or in both.
struct ListingPage {
  std::vector<Media> items;    ///< In the listing's order, whichever way the page was read.
  std::optional<Cursor> next;  ///< Absent: nothing lies beyond.
  std::optional<Cursor> prev;  ///< Absent: nothing lies before.
};

/// The page of `query.limit` media that `at` leads to; the first one without it. `query.after` and `query.offset` are not looked at.
/// `invalid_argument` for a cursor that no page of this order has.
Result<ListingPage> read_page(const Library& library, const MediaQuery& query, const std::optional<Cursor>& at);

}  // namespace media::server

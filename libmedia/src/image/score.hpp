/// How alike two pictures look, and the smallest file that is alike enough.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "image/control.hpp"
#include "image/pixels.hpp"
#include "media/result.hpp"

namespace media::image {

/// Structural similarity (Wang, Bovik, Sheikh and Simoncelli, 2004) times 100: 100 for equal pictures. Brightness counts for four fifths,
/// blue and red for a tenth each; windows of 8 x 8 pixels, four apart. Pictures with alpha are looked at over white and over black, and the
/// lesser of the two counts. Both are grey, rgb or rgba, of the same size and at least one pixel a side; 0 where their sizes differ.
double likeness(const Image& reference, const Image& picture);

/// What is wanted of an encoded picture.
struct Aim {
  double score = 0;             ///< Likeness to reach; 0: as the quality gives.
  std::uint64_t max_bytes = 0;  ///< 0: any.
  int quality = 0;              ///< Where no score is given: the best that may be taken.
};

/// One encoding.
struct Candidate {
  int quality = 0;
  std::vector<std::byte> bytes{};
  double score = 0;  ///< 0 where nobody asked for it.
};

/// Finds the lowest quality of 1 to 100 whose encoding reaches the aim's score; where none does, 100. Where that has more than the bytes
/// allowed, the highest that has not: bytes go before the score. Without a score the search begins at the aim's quality. Each quality is
/// tried at most once, nine in all or fewer; when the time for the search is over, the best of those tried is taken. Errors: `too_large`
/// (even the lowest quality has more bytes than allowed; says how many), those of `encode` and `score_of`.
Result<Candidate> choose(const Aim& aim, const std::function<Result<std::vector<std::byte>>(int quality)>& encode,
                         const std::function<Result<double>(const std::vector<std::byte>&)>& score_of, const Control& control);

}  // namespace media::image

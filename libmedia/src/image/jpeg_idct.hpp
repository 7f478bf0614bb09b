/// The inverse DCT at reduced size: of a block's side x side lowest frequencies to a block of side x side samples.
///
/// What a picture of a half, a quarter or an eighth of the size shows is in those frequencies alone; the others would be filtered
/// out after they were made. Integers throughout: every machine makes the same samples.
#pragma once

#include <cstddef>
#include <cstdint>

namespace media::image {

/// A row of `count` blocks, one after the other in `coefficients`, each side x side in natural order; `side` is 1, 2 or 4. `steps` are the
/// quantiser's, in the same order. Row y of the samples begins at `out` + y x `stride`.
void inverse_dct(std::uint32_t side, const std::int16_t* coefficients, std::size_t count, const std::uint16_t* steps, std::uint8_t* out,
                 std::size_t stride);

}  // namespace media::image

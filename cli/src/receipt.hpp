/// The receipt of an erasure: what was erased, signed by the store's key.
#pragma once

#include "console.hpp"
#include "media/erase.hpp"
#include "media/sign.hpp"

namespace mediactl {

Json make_receipt(const media::EraseReport& report, const media::SigningKeys& keys);

enum class ReceiptVerdict { good, altered, other_key, no_receipt };
/// `altered`: the key is known and the signature is not over this text.
ReceiptVerdict judge_receipt(const Json& receipt, const media::SigningKeys& keys);

}  // namespace mediactl

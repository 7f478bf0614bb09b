#include "receipt.hpp"

#include <array>
#include <string>
#include <string_view>

#include "media/clock.hpp"

namespace mediactl {
namespace {

constexpr const char* kKind = "libmedia-erasure-1";
constexpr std::string_view kPurpose = "erasure receipt";

/// What is signed: everything but the signature, keys in order, without spaces. However a receipt is indented, it says the same.
std::string signed_text(const Json& receipt) {
  Json rest = Json::object();
  for (const auto& [name, value] : receipt.items()) {
    if (name != "signature") rest[name] = value;
  }
  // By way of the type that sorts: what was read back may be in any order.
  return nlohmann::json(rest).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

Json make_receipt(const media::EraseReport& report, const media::SigningKeys& keys) {
  Json all_media = Json::array();
  for (const media::ErasedMedia& each : report.media) {
    all_media.push_back(Json{{"id", each.id},
                             {"digest", each.digest ? Json(each.digest->to_hex()) : Json()},
                             {"uploaded_at", media::to_rfc3339(each.uploaded_at)}});
  }
  Json blobs = Json::array();
  for (const media::ErasedBlob& blob : report.blobs) {
    blobs.push_back(Json{{"digest", blob.digest.to_hex()},
                         {"bytes", blob.size_bytes},
                         {"kind", media::to_string(blob.kind)},
                         {"outcome", media::to_string(blob.outcome)}});
  }
  Json receipt{{"receipt", kKind},
               {"owner", report.owner},
               {"erased_at", media::to_rfc3339(report.erased_at)},
               {"media", all_media},
               {"blobs", blobs},
               {"uploads", report.uploads},
               {"complete", !report.failure},
               {"complete", !report.failure},
               {"key", keys.key_id()}};
  const std::string text = signed_text(receipt);
  const std::array<std::string_view, 1> fields{text};
  receipt["signature"] = keys.sign(kPurpose, fields);
  return receipt;
}

ReceiptVerdict judge_receipt(const Json& receipt, const media::SigningKeys& keys) {
  if (!receipt.is_object() || receipt.value("receipt", Json()) != kKind) return ReceiptVerdict::no_receipt;
  const Json key = receipt.value("key", Json());
  const Json signature = receipt.value("signature", Json());
  if (!key.is_string() || !signature.is_string()) return ReceiptVerdict::no_receipt;
  if (!keys.knows(key.get<std::string>())) return ReceiptVerdict::other_key;
  const std::string text = signed_text(receipt);
  const std::array<std::string_view, 1> fields{text};
  return keys.verify(key.get<std::string>(), kPurpose, fields, signature.get<std::string>()) ? ReceiptVerdict::good
                                                                                             : ReceiptVerdict::altered;
}

}  // namespace mediactl

#include "store/s3_listing.hpp"

#include <algorithm>
#include <string_view>

#include "store/blob_layout.hpp"
#include "store/s3_xml.hpp"

namespace media::store::s3 {
namespace {

constexpr std::size_t kMostKeys = 1000;  // of S3, in one answer
/// Comes behind every name of two hexadecimal digits.
constexpr std::string_view kBehindFanOut = "g";

Result<ObjectPage> ask(Client& client, const std::string& prefix, const std::string& after, std::size_t count) {
  Call call;
  call.what = "list blobs";
  call.method = "GET";
  call.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"max-keys", std::to_string(count)}, {"prefix", prefix}};
  if (!after.empty()) call.query.emplace_back("start-after", after);
  MEDIA_TRY_ASSIGN(const auto answer, client.perform(call));
  auto page = parse_objects(answer.text);
  if (!page) return Error{page.error().code, call.what + ": " + page.error().message};
  return page;
}

ListedBlob listed(const ListedObject& object, std::string location) {
  ListedBlob blob{std::nullopt, object.size, std::move(location), {}};
  const std::string_view name = std::string_view(blob.location).substr(blob.location.rfind('/') + 1);
  const auto digest = digest_of_name(name);
  if (digest && blob_path(*digest) == blob.location) blob.digest = digest;
  return blob;
}

}  // namespace

Result<BlobPage> list_objects(Client& client, const std::string& prefix, const std::string& cursor, std::size_t limit) {
  if (limit == 0) return Error{Errc::invalid_argument, "list: the limit is at least 1"};
  BlobPage page;
  std::string after = cursor.empty() ? std::string() : prefix + cursor;
  while (true) {
    MEDIA_TRY_ASSIGN(const auto objects, ask(client, prefix, after, std::min(kMostKeys, limit - page.blobs.size() + 1)));
    for (const ListedObject& object : objects.objects) {
      if (!object.key.starts_with(prefix) || (!after.empty() && object.key <= after)) {
        return Error{Errc::io, "list blobs: the object store lists other keys than it was asked for"};
      }
      after = object.key;
      std::string location = object.key.substr(prefix.size());
      if (location >= kBehindFanOut) return page;
      // Beside the fan-out there may be anything that an operator keeps there.
      if (!is_fan_out_name(std::string_view(location).substr(0, location.find('/')))) continue;
      if (page.blobs.size() == limit) {
        page.next_cursor = page.blobs.back().location;
        return page;
      }
      page.blobs.push_back(listed(object, std::move(location)));
    }
    if (!objects.more) return page;
  }
}

void remove_old_objects(Client& client, const std::string& folder, std::chrono::seconds age) {
  const auto page = ask(client, folder, {}, kMostKeys);
  if (!page) return;
  for (const ListedObject& object : page->objects) {
    if (!object.key.starts_with(folder) || object.modified == Timestamp() || client.now() - object.modified < age) continue;
    Call call;
    call.what = "remove what was left behind";
    call.method = "DELETE";
    call.key = object.key;
    call.answers = {404};
    const auto removed = client.perform(call);
    static_cast<void>(removed);  // what stays is found again
  }
}

Result<void> remove_objects(Client& client, const std::string& beginning) {
  for (std::string after;;) {
    MEDIA_TRY_ASSIGN(const auto page, ask(client, beginning, after, kMostKeys));
    for (const ListedObject& object : page.objects) {
      if (!object.key.starts_with(beginning) || object.key <= after) {
        return Error{Errc::io, "remove objects: the object store lists other keys than it was asked for"};
      }
      after = object.key;
      Call call;
      call.what = "remove a copy that was set aside";
      call.method = "DELETE";
      call.key = object.key;
      call.answers = {404};
      MEDIA_TRY(client.perform(call));
    }
    if (!page.more) return {};
  }
}

}  // namespace media::store::s3

#include "store/s3_upload.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "core/random.hpp"
#include "store/blob_layout.hpp"
#include "store/s3_xml.hpp"

namespace media::store::s3 {
namespace {

constexpr std::chrono::hours kSweepInterval{1};
constexpr std::size_t kGenerationBytes = 12;

/// The first failure of many threads.
class FirstError {
 public:
  [[nodiscard]] bool failed() const noexcept { return failed_.load(std::memory_order_relaxed); }
  void take(Result<void> outcome) {
    if (outcome) return;
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(outcome).error();
    failed_.store(true, std::memory_order_relaxed);
  }
  [[nodiscard]] Result<void> outcome() const {
    if (error_) return *error_;
    return {};
  }

 private:
  std::mutex mutex_;
  std::optional<Error> error_;
  std::atomic<bool> failed_{false};
};

std::string name_of(const Upload& upload) { return "put blob " + upload.content->digest().to_hex(); }

}  // namespace

/// Each part is sent by one thread, which alone writes its tag.
struct Uploader::Multipart {
  explicit Multipart(const Upload& what) : upload(what), tags(what.content->parts().size()) {}

  Upload upload;
  std::string id;
  std::string generation = random_hex(kGenerationBytes);
  std::vector<std::string> tags;
  bool done = false;
};

Result<void> Uploader::run(std::span<const Upload> uploads) {
  std::vector<const Upload*> whole;
  std::vector<std::unique_ptr<Multipart>> multiparts;
  for (const Upload& upload : uploads) {
    if (upload.content->parts().size() == 1) {
      whole.push_back(&upload);
    } else {
      multiparts.push_back(std::make_unique<Multipart>(upload));
    }
  }
  FirstError failure;
  const auto each = [&](std::size_t count, const std::function<Result<void>(std::size_t)>& step) {
    pool_.run(count, pool_.size(), [&](std::size_t index) {
      if (failure.failed()) return;
      try {
        failure.take(step(index));
      } catch (const std::bad_alloc&) {
        failure.take(Error{Errc::unavailable, "put a blob: out of memory"});
      }
    });
  };
  if (!multiparts.empty()) {
    bool due = false;
    {
      const std::lock_guard lock(mutex_);
      const auto now = std::chrono::steady_clock::now();
      due = now - swept_ > kSweepInterval;
      if (due) swept_ = now;
    }
    if (due) sweep();
  }
  each(multiparts.size(), [&](std::size_t i) { return begin(*multiparts[i]); });
  std::vector<std::pair<Multipart*, std::size_t>> parts;
  for (const auto& multipart : multiparts) {
    for (std::size_t i = 0; i < multipart->tags.size(); ++i) parts.emplace_back(multipart.get(), i);
  }
  each(whole.size() + parts.size(), [&](std::size_t i) {
    return i < whole.size() ? put(*whole[i]) : send_part(*parts[i - whole.size()].first, parts[i - whole.size()].second);
  });
  each(multiparts.size(), [&](std::size_t i) { return complete(*multiparts[i]); });
  for (const auto& multipart : multiparts) {
    if (!multipart->done && !multipart->id.empty()) abort(multipart->upload.key, multipart->id);
  }
  return failure.outcome();
}

Result<void> Uploader::put(const Upload& upload) {
  Call call;
  call.what = name_of(upload);
  call.method = "PUT";
  call.key = upload.key;
  call.headers = {{kGenerationHeader, random_hex(kGenerationBytes)}};
  call.body = {upload.content, 0, upload.content->size()};
  call.payload_hash = upload.content->digest().to_hex();
  MEDIA_TRY(client_->perform(call));
  return {};
}

Result<void> Uploader::begin(Multipart& multipart) {
  Call call;
  call.what = name_of(multipart.upload);
  call.method = "POST";
  call.key = multipart.upload.key;
  call.query = {{"uploads", ""}};
  call.headers = {{kGenerationHeader, multipart.generation}};
  MEDIA_TRY_ASSIGN(const auto answer, client_->perform(call));
  MEDIA_TRY_ASSIGN(multipart.id, parse_upload_id(answer.text));
  return {};
}

Result<void> Uploader::send_part(Multipart& multipart, std::size_t index) {
  const S3Staged& content = *multipart.upload.content;
  const std::uint64_t offset = index * content.part_bytes();
  Call call;
  call.what = name_of(multipart.upload);
  call.method = "PUT";
  call.key = multipart.upload.key;
  call.query = {{"partNumber", std::to_string(index + 1)}, {"uploadId", multipart.id}};
  call.body = {&content, offset, std::min(content.part_bytes(), content.size() - offset)};
  call.payload_hash = content.parts()[index].to_hex();
  MEDIA_TRY_ASSIGN(const auto answer, client_->perform(call));
  multipart.tags[index] = answer.header("etag");
  if (multipart.tags[index].empty()) return Error{Errc::io, call.what + ": the object store gave a part no ETag"};
  return {};
}

Result<void> Uploader::complete(Multipart& multipart) {
  const S3Staged& content = *multipart.upload.content;
  std::string list = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (std::size_t i = 0; i < multipart.tags.size(); ++i) {
    list += "<Part><PartNumber>" + std::to_string(i + 1) + "</PartNumber><ETag>" + xml_escape(multipart.tags[i]) + "</ETag></Part>";
  }
  list += "</CompleteMultipartUpload>";
  const auto bytes = std::as_bytes(std::span(list));
  const MemoryReader reader(bytes);
  Call call;
  call.what = name_of(multipart.upload);
  call.method = "POST";
  call.key = multipart.upload.key;
  call.query = {{"uploadId", multipart.id}};
  call.body = {&reader, 0, bytes.size()};
  call.payload_hash = Digest::of(bytes).to_hex();
  call.answers_slowly = true;
  // 404: of an attempt before this one the answer was lost, and the upload is an object by now, or somebody aborted it. The object tells.
  call.answers = {404};
  MEDIA_TRY_ASSIGN(const auto answer, client_->perform(call));

  // 200 comes before the work is done, and an error may follow in its body; and the parts are proven, not yet that it is all of them.
  Call look;
  look.what = call.what;
  look.method = "HEAD";
  look.key = call.key;
  look.answers = {404};
  MEDIA_TRY_ASSIGN(const auto found, client_->perform(look));
  const bool ours = found.status == 200 && found.header(kGenerationHeader) == multipart.generation;
  if (ours && found.header("content-length") == std::to_string(content.size())) {
    multipart.done = true;
    return {};
  }
  // Whoever published the same bytes a moment later replaced ours with as good a copy.
  const bool replaced = answer.status == 200 && error_code_of(answer).empty() && found.status == 200 && !ours &&
                        !found.header(kGenerationHeader).empty() && found.header("content-length") == std::to_string(content.size());
  if (replaced) {
    multipart.done = true;
    return {};
  }
  return Error{Errc::unavailable, call.what + ": the object store did not put its parts together"};
}

void Uploader::abort(const std::string& key, const std::string& id) {
  Call call;
  call.what = "abort an upload";
  call.method = "DELETE";
  call.key = key;
  call.query = {{"uploadId", id}};
  call.answers = {404};
  const auto aborted = client_->perform(call);
  static_cast<void>(aborted);  // what stays is swept later
}

void Uploader::sweep() {
  constexpr int kMostPages = 20;
  std::string key_marker;
  std::string id_marker;
  for (int i = 0; i < kMostPages; ++i) {
    Call call;
    call.what = "list uploads";
    call.method = "GET";
    call.query = {{"uploads", ""}, {"encoding-type", "url"}, {"prefix", prefix_}};
    if (!key_marker.empty()) call.query.insert(call.query.end(), {{"key-marker", key_marker}, {"upload-id-marker", id_marker}});
    const auto answer = client_->perform(call);
    if (!answer) return;
    const auto page = parse_uploads(answer->text);
    if (!page) return;
    for (const PendingUpload& upload : page->uploads) {
      // What else goes into this bucket is not ours to end.
      const std::string_view name = std::string_view(upload.key).substr(upload.key.rfind('/') + 1);
      const auto digest = digest_of_name(name);
      if (!digest || upload.key != prefix_ + blob_path(*digest)) continue;
      if (upload.initiated != Timestamp() && client_->now() - upload.initiated >= stale_age_) abort(upload.key, upload.id);
    }
    if (!page->more || page->next_key.empty()) return;
    key_marker = page->next_key;
    id_marker = page->next_id;
  }
}

}  // namespace media::store::s3

#include "store/s3_xml.hpp"

#include <expat.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>
#include <memory>

#include "store/s3_text.hpp"

namespace media::store::s3 {
namespace {

/// A key as `encoding-type=url` has it: some engines write a space as a plus, and all of them a plus as %2B.
std::string decode_key(std::string_view text) {
  std::string key(text);
  std::replace(key.begin(), key.end(), '+', ' ');
  return percent_decode(key);
}

constexpr std::size_t kMostDepth = 8;
/// A key has at most 1,024 bytes, each of them three in an encoded key.
constexpr std::size_t kMostText = 8U << 10U;

struct ParserDeleter {
  void operator()(XML_Parser parser) const noexcept { ::XML_ParserFree(parser); }
};
using Parser = std::unique_ptr<std::remove_pointer_t<XML_Parser>, ParserDeleter>;

/// Called at the end of each element, with the names from the root to it and the text directly in it.
using OnEnd = std::function<void(std::string_view path, std::string_view text)>;

/// Exceptions may not pass through expat, which is C: memory that runs out ends the parse as a fault does.
class Walk {
 public:
  explicit Walk(const OnEnd& on_end) : parser_(::XML_ParserCreate("UTF-8")), on_end_(on_end) {}

  bool run(std::string_view xml) {
    if (!parser_ || xml.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return false;
    ::XML_SetUserData(parser_.get(), this);
    ::XML_SetElementHandler(parser_.get(), &Walk::on_start, &Walk::on_finish);
    ::XML_SetCharacterDataHandler(parser_.get(), &Walk::on_text);
    ::XML_SetStartDoctypeDeclHandler(parser_.get(), &Walk::on_doctype);
    return ::XML_Parse(parser_.get(), xml.data(), static_cast<int>(xml.size()), XML_TRUE) == XML_STATUS_OK && !failed_;
  }

 private:
  static Walk& of(void* context) { return *static_cast<Walk*>(context); }
  template <class Step>
  void guarded(const Step& step) noexcept {
    if (failed_) return;
    try {
      step();
    } catch (...) {
      fail();
    }
  }
  void fail() noexcept {
    failed_ = true;
    ::XML_StopParser(parser_.get(), XML_FALSE);
  }

  static void XMLCALL on_start(void* context, const XML_Char* name, const XML_Char** /*attributes*/) {
    Walk& walk = of(context);
    walk.guarded([&] {
      if (walk.lengths_.size() == kMostDepth) return walk.fail();
      walk.lengths_.push_back(walk.path_.size());
      if (!walk.path_.empty()) walk.path_.push_back('/');
      walk.path_.append(name);
      walk.text_.clear();
    });
  }
  static void XMLCALL on_finish(void* context, const XML_Char* /*name*/) {
    Walk& walk = of(context);
    walk.guarded([&] {
      walk.on_end_(walk.path_, walk.text_);
      walk.path_.resize(walk.lengths_.back());
      walk.lengths_.pop_back();
      walk.text_.clear();
    });
  }
  static void XMLCALL on_text(void* context, const XML_Char* text, int length) {
    Walk& walk = of(context);
    walk.guarded([&] {
      if (walk.text_.size() + static_cast<std::size_t>(length) > kMostText) return walk.fail();
      walk.text_.append(text, static_cast<std::size_t>(length));
    });
  }
  /// No answer of S3 declares entities; a document that does is out to be expanded.
  static void XMLCALL on_doctype(void* context, const XML_Char* /*name*/, const XML_Char* /*system*/, const XML_Char* /*public*/,
                                 int /*internal*/) {
    of(context).fail();
  }

  Parser parser_;
  const OnEnd& on_end_;
  std::string path_;
  std::vector<std::size_t> lengths_;
  std::string text_;
  bool failed_ = false;
};

bool walk_xml(std::string_view xml, const OnEnd& on_end) { return Walk(on_end).run(xml); }

std::uint64_t number_of(std::string_view text, bool& good) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  good = good && failure == std::errc() && end == text.data() + text.size();
  return value;
}

Timestamp time_of(std::string_view text) {
  const auto time = from_rfc3339(text);
  return time ? *time : Timestamp();
}

Error not_understood(std::string_view what) { return {Errc::io, "the object store's " + std::string(what) + " is not understood"}; }

}  // namespace

ErrorDocument parse_error(std::string_view xml) {
  ErrorDocument document;
  const bool whole = walk_xml(xml, [&](std::string_view path, std::string_view text) {
    if (path == "Error/Code") document.code = text;
    if (path == "Error/Region") document.region = text;
  });
  return whole ? document : ErrorDocument{};
}

Result<ObjectPage> parse_objects(std::string_view xml) {
  ObjectPage page;
  ListedObject object;
  bool good = true;
  bool ended = false;
  const bool whole = walk_xml(xml, [&](std::string_view path, std::string_view text) {
    if (path == "ListBucketResult/Contents/Key") object.key = decode_key(text);
    if (path == "ListBucketResult/Contents/Size") object.size = number_of(text, good);
    if (path == "ListBucketResult/Contents/LastModified") object.modified = time_of(text);
    if (path == "ListBucketResult/IsTruncated") page.more = text == "true";
    if (path == "ListBucketResult") ended = true;
    if (path == "ListBucketResult/Contents") {
      good = good && !object.key.empty();
      page.objects.push_back(std::move(object));
      object = {};
    }
  });
  if (!whole || !good || !ended) return not_understood("list of objects");
  if (page.more && page.objects.empty()) return not_understood("list of objects, which is empty and goes on,");
  return page;
}

Result<UploadPage> parse_uploads(std::string_view xml) {
  UploadPage page;
  PendingUpload upload;
  bool ended = false;
  const bool whole = walk_xml(xml, [&](std::string_view path, std::string_view text) {
    if (path == "ListMultipartUploadsResult/Upload/Key") upload.key = decode_key(text);
    if (path == "ListMultipartUploadsResult/Upload/UploadId") upload.id = text;
    if (path == "ListMultipartUploadsResult/Upload/Initiated") upload.initiated = time_of(text);
    if (path == "ListMultipartUploadsResult/IsTruncated") page.more = text == "true";
    if (path == "ListMultipartUploadsResult/NextKeyMarker") page.next_key = decode_key(text);
    if (path == "ListMultipartUploadsResult/NextUploadIdMarker") page.next_id = text;
    if (path == "ListMultipartUploadsResult") ended = true;
    if (path == "ListMultipartUploadsResult/Upload") {
      page.uploads.push_back(std::move(upload));
      upload = {};
    }
  });
  if (!whole || !ended) return not_understood("list of uploads");
  return page;
}

Result<std::string> parse_upload_id(std::string_view xml) {
  std::string id;
  const bool whole = walk_xml(xml, [&](std::string_view path, std::string_view text) {
    if (path == "InitiateMultipartUploadResult/UploadId") id = text;
  });
  if (!whole || id.empty()) return not_understood("answer to a new upload");
  return id;
}

std::string xml_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

}  // namespace media::store::s3

/// multipart/form-data (RFC 7578) as a stream: parts come one after the other, nothing is held but one buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/fields.hpp"
#include "http/message.hpp"
#include "media/io.hpp"
#include "media/result.hpp"

namespace media::http {

/// `name="a"; filename=x` of a field's value: what stands before the first semicolon, in lower case, and the parameters.
struct ParameterizedValue {
  std::string value;
  std::vector<Parameter> parameters;  ///< Names in lower case. Quoted values without their quotes.

  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
};

/// Reads Content-Type, Content-Disposition and the like. In quoted values `\"` and `\\` are escapes and any other backslash stands for
/// itself, because browsers send Windows paths so. `invalid_argument`: malformed, or a parameter twice.
Result<ParameterizedValue> parse_parameterized(std::string_view field);

/// Decodes an ext-value of RFC 8187 ("UTF-8''na%C3%AFve.jpg"; ISO-8859-1 too) to UTF-8. `invalid_argument` otherwise.
Result<std::string> decode_extended_value(std::string_view text);

/// The file name of a Content-Disposition: `filename*` where it is readable, else `filename`; nothing where neither is there. As sent: it
/// may hold slashes, and without the star any bytes.
std::optional<std::string> disposition_file_name(const ParameterizedValue& disposition);

/// The boundary of a multipart/form-data Content-Type. `unsupported` for another type, `invalid_argument` for a boundary that is missing or
/// malformed.
Result<std::string> multipart_boundary(std::string_view content_type);

struct MultipartLimits {
  std::size_t max_parts = 64;
  std::size_t max_part_head_bytes = 8 * 1024;
  std::size_t max_part_headers = 16;
  /// What may stand before the first and after the last boundary, each.
  std::size_t max_padding_bytes = 4 * 1024;
};

/// Thread-safety: none; it has a position.
class MultipartReader final {
 public:
  /// `source` outlives the reader.
  MultipartReader(ByteSource& source, std::string_view boundary, MultipartLimits limits = {});

  struct Part {
    std::string name;
    std::optional<std::string> file_name;  ///< See disposition_file_name.
    std::string media_type;                ///< As sent; empty where the part says none.
    Fields headers;
  };
  /// The next part, skipping what is left of the one before; nothing after the last, when the source is at its end too.
  /// Errors: `invalid_argument` (malformed, or it ends without its last boundary), `too_large` (a limit), and the source's own.
  Result<std::optional<Part>> next();
  /// The content of the current part; ends where the part ends. Lives as long as the reader.
  [[nodiscard]] ByteSource& content() noexcept { return content_; }

 private:
  class Content final : public ByteSource {
   public:
    explicit Content(MultipartReader& owner) : owner_(owner) {}
    Result<std::size_t> read(std::span<std::byte> into) override { return owner_.read_content(into); }

   private:
    MultipartReader& owner_;
  };
  enum class State { start, in_part, between, finished, failed };

  Result<std::size_t> read_content(std::span<std::byte> into);
  Result<bool> fill();          ///< False at the end of the source.
  Result<bool> find_content();  ///< False where the delimiter comes at once.
  void pass_delimiter();
  Result<void> skip_to_delimiter(std::uint64_t limit);
  Result<std::optional<std::string_view>> take_line(std::size_t limit);  ///< Nothing for a longer one.
  Result<bool> read_boundary_tail();                                     ///< False after the last boundary.
  Result<Part> read_part_head();
  Result<void> read_epilogue();
  Error fail(Error error);
  [[nodiscard]] std::string_view buffered() const noexcept;

  ByteSource& source_;
  std::string delimiter_;  ///< CR LF, two dashes, boundary.
  MultipartLimits limits_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t content_known_ = 0;  ///< So many bytes from begin_ on are content for certain …
  bool at_delimiter_ = false;      ///< … and the delimiter stands right behind them.
  bool source_ended_ = false;
  State state_ = State::start;
  Error failure_;
  std::size_t parts_ = 0;
  Content content_;
};

}  // namespace media::http

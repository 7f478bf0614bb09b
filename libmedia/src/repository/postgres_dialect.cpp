#include "repository/postgres_dialect.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "media/repository.hpp"
#include "repository/sql.hpp"

namespace media::postgres {
namespace {

/// Whole words of sql.hpp, none of which is a column's name.
constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kNames{{
    {"media", "media_item"},
    {"blob", "media_blob"},
    {"blob_read", "media_blob_read"},
    {"rendition", "media_rendition"},
    {"job", "media_job"},
    {"video_order", "media_video_order"},
    {"upload", "media_upload"},
    {"resumable_upload", "media_resumable_upload"},
    {"link", "media_link"},
    {"api_key", "media_api_key"},
    {"quota", "media_quota"},
    {"owner_usage", "media_owner_usage"},
    {"ban", "media_ban"},
    {"quarantine", "media_quarantine"},
    {"schema_migration", "media_schema_migration"},
    {"hamming_distance", "media_hamming_distance"},
}};

bool is_word(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

/// Names and parameters; what is between quotes stays.
std::string renamed(std::string_view text) {
  std::string out;
  char quote = '\0';
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (quote == '\0' && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = '\0';
    }
    if (quote != '\0' || !is_word(c)) {
      out += quote == '\0' && c == '?' ? '$' : c;
      ++at;
      continue;
    }
    const auto end =
        static_cast<std::size_t>(std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), is_word) - text.begin());
    out += table_name(text.substr(at, end - at));
    at = end;
  }
  return out;
}

void replace(std::string& text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  assert(at != std::string::npos);
  text.replace(at, from.size(), to);
}

/// An insert makes no row where the media of this parameter is not there.
std::string only_of_a_media(std::string_view shared, std::string_view parameter) {
  std::string text(shared);
  const std::string id(parameter);
  const auto values = text.find(" VALUES (");
  const auto end = text.find(')', values);
  assert(values != std::string::npos && end != std::string::npos);
  text.replace(end, 1, " WHERE " + id + " IS NULL OR EXISTS (SELECT 1 FROM media WHERE id = " + id + ")");
  text.replace(values, 9, " SELECT ");
  return text;
}

/// The due jobs are chosen once, and those that another one is choosing are passed over.
std::string claim(std::string_view shared) {
  std::string text(shared);
  replace(text, "id IN (SELECT", "id = ANY (ARRAY(SELECT");
  replace(text, " LIMIT ?4)", " LIMIT ?4 FOR UPDATE SKIP LOCKED))");
  return text;
}

/// All values of a quarter at once, since each question is a message to the server and back.
std::string near_quarters(std::string_view shared) {
  std::string text(shared);
  replace(text, "= ?1", "= ANY (?1)");
  return text + " ORDER BY 2, 1 LIMIT ?8";
}

/// How many rows it looks at must be in its text: of a parameter the planner thinks the worst, and reads whole tables to be ready for it.
std::string looking_at_few(std::string_view shared) {
  std::string text(shared);
  replace(text, "FROM blob WHERE digest > ?1 AND digest <= ?2 AND state = 0",
          "FROM (SELECT * FROM blob WHERE digest > ?1 AND digest <= ?2 ORDER BY digest LIMIT 1000) AS blob WHERE state = 0");
  static_assert(kUnreferencedScan == 1000);
  return text;
}

/// A sum of whole numbers is no whole number here.
std::string with_whole_sum(std::string_view shared) {
  std::string text(shared);
  replace(text, "coalesce(sum", "CAST(coalesce(sum");
  replace(text, ", 0)", ", 0) AS BIGINT)");
  return text;
}

std::string adapted(std::string_view shared) {
  std::string text(shared);
  if (shared == sql::kInsertMedia || shared == sql::kInsertMediaWithId || shared == sql::kInsertBan)
    replace(text, " RETURNING", " ON CONFLICT DO NOTHING RETURNING");
  if (shared == sql::kInsertApiKey) text += " ON CONFLICT DO NOTHING";
  if (shared == sql::kUpdateMedia) {
    text +=
        " AND (?17 = '' OR NOT EXISTS (SELECT 1 FROM media AS other WHERE other.owner = ?1 AND other.idempotency_key = ?17 "
        "AND other.idempotency_key <> '' AND other.id <> ?28))";
  }
  if (shared == sql::kFindMediaByContentAndName) {
    replace(text, "filename = ?3", "substring(filename FROM 1 FOR 255) = substring(CAST(?3 AS BYTEA) FROM 1 FOR 255) AND filename = ?3");
  }
  if (shared == sql::kInsertJob) return only_of_a_media(shared, "?2");
  if (shared == sql::kPutVideoOrder) return only_of_a_media(shared, "?1");
  if (shared == sql::kPutUpload) return only_of_a_media(shared, "?2");
  if (shared == sql::kPutResumableUpload) return only_of_a_media(shared, "?9");
  if (shared == sql::kPutLink) return only_of_a_media(shared, "?2");
  if (shared == sql::kListUnreferencedBlobs) return looking_at_few(shared);
  if (shared == sql::kClaimJobs || shared == sql::kClaimJobsOfMedia || shared == sql::kClaimJobInTurn) return claim(shared);
  if (std::find(sql::kFindSimilarMedia.begin(), sql::kFindSimilarMedia.end(), shared) != sql::kFindSimilarMedia.end()) {
    return near_quarters(shared);
  }
  if (shared == sql::kStorageUsage || shared == sql::kRenditionUsage || shared == sql::kOnDemandUsage || shared == sql::kSumOwnerUsage)
    return with_whole_sum(shared);
  return text;
}

}  // namespace

std::string_view table_name(std::string_view word) noexcept {
  const auto* const found = std::find_if(kNames.begin(), kNames.end(), [&](const auto& name) { return name.first == word; });
  return found == kNames.end() ? word : found->second;
}

std::string_view shared_name(std::string_view table) noexcept {
  const auto* const found = std::find_if(kNames.begin(), kNames.end(), [&](const auto& name) { return name.second == table; });
  return found == kNames.end() ? table : found->first;
}

std::string quoted_identifier(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += c;
    out += c;
  }
  return out + '"';
}

std::string postgres_text(std::string_view shared) { return renamed(adapted(shared)); }

}  // namespace media::postgres

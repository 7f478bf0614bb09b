// Bytes in: hashed as they come, judged, kept, catalogued; many at once where the caller has many.

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "library/hashing.hpp"
#include "library/library_impl.hpp"
#include "library/pending_ingest.hpp"
#include "media/trace.hpp"

namespace media {
namespace {

/// Contents up to this size are staged at once: the store keeps them in memory, so that finding a duplicate costs no file.
constexpr std::uint64_t kStageAtOnceBytes = kSmallBlobBytes;
/// A group that failed sooner may have done so for one of its members, and is tried again one by one.
constexpr std::chrono::seconds kPatience{1};
/// The same owner sending the same bytes under the same name within this time meant one upload.
constexpr std::chrono::seconds kSameUpload{60};
/// How long the parts of a joined upload live on.
constexpr std::chrono::minutes kPartsAfterwards{10};

Media media_from(const IngestRequest& request, const Verdict& verdict, const Keeping& keeping, bool has_pictures, Timestamp now) {
  Media media;
  media.owner = request.owner;
  media.digest = keeping.digest;
  media.filename = request.filename;
  media.media_type = std::string(mime_type(verdict.info.format));
  media.size_bytes = keeping.size_bytes;
  media.visibility = request.visibility;
  media.idempotency_key = request.idempotency_key;
  media.info = verdict.info;
  media.uploaded_at = now;
  media.updated_at = now;
  if (has_pictures) {
    media.status = MediaStatus::processing;
  } else {
    media.status = MediaStatus::complete;
    media.completed_at = now;
    media.processing_time_ms = 0;
  }
  return media;
}

/// What `find` answers first. One that has expired goes at once: another must not be hidden behind it.
template <class Find>
Result<std::optional<Media>> find_unexpired(Transaction& transaction, Timestamp now, const Find& find) {
  for (;;) {
    MEDIA_TRY_ASSIGN(auto media, find());
    if (!media || !has_expired(*media, now)) return media;
    MEDIA_TRY(transaction.remove_media(media->id));
  }
}

/// A media of the owner's with this content, and under this name where one is given.
Result<std::optional<Media>> find_by_content(Transaction& transaction, const std::string& owner, const Digest& digest,
                                             const std::optional<std::string>& filename, Timestamp now) {
  return find_unexpired(transaction, now, [&] { return transaction.find_media_by_content(owner, digest, filename); });
}

/// The media that answers this request without making another one, if there is one.
Result<std::optional<Media>> find_same_upload(Transaction& transaction, const IngestRequest& request, const Digest& digest, Timestamp now) {
  if (!request.idempotency_key.empty()) {
    MEDIA_TRY_ASSIGN(auto same_key, find_by_key(transaction, request.owner, request.idempotency_key, now));
    if (same_key) {
      if (same_key->digest != digest) {
        return Error{Errc::conflict, "this Idempotency-Key was used for other content"};
      }
      return same_key;
    }
  }
  if (request.reuse_existing) {
    if (request.any_content) return find_by_content(transaction, request.owner, digest, std::nullopt, now);
    // What came in unjudged is no answer to somebody who wants it judged.
    return find_unexpired(transaction, now, [&] { return transaction.find_judged_media_by_content(request.owner, digest); });
  }
  if (request.idempotency_key.empty()) {
    MEDIA_TRY_ASSIGN(auto same_name, find_by_content(transaction, request.owner, digest, request.filename, now));
    if (same_name && now - same_name->uploaded_at <= kSameUpload && same_name->uploaded_at <= now) return same_name;
  }
  return std::optional<Media>{};
}

Result<void> queue_work(Transaction& transaction, const PendingIngest& ingest, const Media& media, Timestamp now) {
  if (media.status != MediaStatus::processing) return {};
  const bool waits_for_a_person = media.held != Hold::none && media.held != Hold::unscanned && media.held != Hold::unseen;
  if (waits_for_a_person) return {};
  Job job;
  job.kind = media.held == Hold::unscanned ? "scan" : "derive";
  job.media_id = media.id;
  job.payload = ingest.traceparent;
  job.run_after = now;
  job.created_at = now;
  MEDIA_TRY(transaction.insert_job(job));
  return {};
}

/// Do the bytes keep the promise?
Result<void> check_kept(const UploadSession& upload, const Keeping& keeping) {
  if (keeping.size_bytes != upload.size_bytes) {
    return Error{Errc::invalid_argument,
                 "size: " + std::to_string(upload.size_bytes) + " bytes were announced, " + std::to_string(keeping.size_bytes) + " came"};
  }
  if (upload.digest && *upload.digest != keeping.digest) {
    return Error{Errc::invalid_argument, "sha256: the content has another digest than the one announced"};
  }
  return {};
}

/// Fills the media that waits for these bytes. Of two senders one wins here; the other is judged by its digest.
Result<void> fill_promised(Transaction& transaction, const PendingIngest& ingest, const Keeping& keeping, Timestamp now,
                           IngestOutcome& outcome, const std::function<Result<void>(Media&)>& hold) {
  MEDIA_TRY_ASSIGN(const auto upload, transaction.find_upload(ingest.upload->token));
  if (!upload) return Error{Errc::expired, "the upload has expired"};
  MEDIA_TRY_ASSIGN(auto waiting, transaction.find_media(upload->media_id));
  if (!waiting || has_expired(*waiting, now)) return Error{Errc::expired, "the upload has expired"};
  if (upload->state == UploadState::complete) {
    if (waiting->digest != keeping.digest) return Error{Errc::conflict, "this upload is complete, with other content"};
    outcome.status = IngestStatus::duplicate;
    outcome.media = std::move(*waiting);
    return {};
  }
  outcome.media = media_from(ingest.request, *ingest.verdict, keeping, ingest.has_pictures, now);
  outcome.media.id = waiting->id;
  outcome.media.idempotency_key = waiting->idempotency_key;
  // Renamed, tagged or opened to others while it waited: that stands.
  outcome.media.filename = waiting->filename;
  outcome.media.visibility = waiting->visibility;
  outcome.media.tags = waiting->tags;
  outcome.media.expires_at = waiting->expires_at;
  MEDIA_TRY(hold(outcome.media));
  MEDIA_TRY_ASSIGN(const bool mine, transaction.change_upload_state(upload->token, upload->state, UploadState::complete));
  if (!mine) return Error{Errc::unavailable, "another sender completes this upload at this moment; try again"};
  MEDIA_TRY(transaction.update_media(outcome.media));
  return queue_work(transaction, ingest, outcome.media, now);
}

/// What a resumable upload became already, by a request whose answer was lost. `expired` where it was forgotten meanwhile.
Result<std::optional<Media>> find_completed(Transaction& transaction, const ResumableUpload& upload, Timestamp now) {
  if (upload.kind == ResumableKind::joined) return std::optional<Media>();
  MEDIA_TRY_ASSIGN(const auto row, transaction.find_resumable_upload(upload.id));
  if (!row) return Error{Errc::expired, "the upload has expired"};
  if (row->media_id == 0) return std::optional<Media>();
  MEDIA_TRY_ASSIGN(auto media, transaction.find_media(row->media_id));
  if (media && has_expired(*media, now)) return Error{Errc::expired, "what became of the upload has expired"};
  return media;
}

Result<void> note_completed(Transaction& transaction, const PendingIngest& ingest, MediaId id) {
  if (!ingest.completes) return {};
  ResumableUpload done = *ingest.completes;
  done.media_id = id;
  MEDIA_TRY(transaction.put_resumable_upload(done));
  for (const std::string& part : done.parts) {
    MEDIA_TRY_ASSIGN(auto row, transaction.find_resumable_upload(part));
    if (!row) continue;
    // Not at once: a client that lost the answer asks for the same again.
    row->expires_at = std::min(row->expires_at, done.created_at + kPartsAfterwards);
    MEDIA_TRY(transaction.put_resumable_upload(*row));
  }
  return {};
}

}  // namespace

Result<IngestOutcome> LibraryImpl::catalogue(Transaction& transaction, const PendingIngest& ingest, const Keeping& keeping) {
  const Timestamp now = clock_->now();
  const std::string& owner = ingest.request.owner;
  IngestOutcome outcome;
  outcome.verdict = *ingest.verdict;
  outcome.digest = keeping.digest;
  outcome.size_bytes = keeping.size_bytes;
  const auto refuse = [&](Verdict verdict) {
    outcome.status = IngestStatus::refused;
    outcome.verdict = std::move(verdict);
    return outcome;
  };
  MEDIA_TRY_ASSIGN(const auto facts, transaction.gate_facts(owner, keeping.digest));
  MEDIA_TRY_ASSIGN(auto objection, find_objection(facts, ingest));
  if (objection) return refuse(std::move(*objection));
  const auto hold = [&](Media& media) { return hold_incoming(transaction, facts, ingest, media); };
  if (ingest.upload) {
    MEDIA_TRY(fill_promised(transaction, ingest, keeping, now, outcome, hold));
    return outcome;
  }
  if (ingest.completes) {
    MEDIA_TRY_ASSIGN(auto done, find_completed(transaction, *ingest.completes, now));
    if (done) {
      outcome.status = IngestStatus::duplicate;
      outcome.media = std::move(*done);
      return outcome;
    }
  }
  MEDIA_TRY_ASSIGN(auto same, find_same_upload(transaction, ingest.request, keeping.digest, now));
  if (same) {
    outcome.status = IngestStatus::duplicate;
    outcome.media = std::move(*same);
    outcome.deduplicated = true;
    MEDIA_TRY(note_completed(transaction, ingest, outcome.media.id));
    return outcome;
  }
  MEDIA_TRY_ASSIGN(const auto known, find_by_content(transaction, owner, keeping.digest, std::nullopt, now));
  MEDIA_TRY_ASSIGN(const auto excess, find_excess(transaction, owner, facts.quota, keeping.size_bytes));
  if (excess) return refuse(Verdict{Refusal::over_quota, *excess, ingest.verdict->info, {}});
  outcome.deduplicated = known.has_value();
  outcome.media = media_from(ingest.request, *ingest.verdict, keeping, ingest.has_pictures, now);
  if (!keeping.read_again) outcome.shared = ingest.shared;
  outcome.copied_because = ingest.copied_because;
  MEDIA_TRY(hold(outcome.media));
  MEDIA_TRY_ASSIGN(outcome.media.id, transaction.insert_media(outcome.media));
  MEDIA_TRY(note_completed(transaction, ingest, outcome.media.id));
  MEDIA_TRY(queue_work(transaction, ingest, outcome.media, now));
  return outcome;
}

Result<std::optional<UploadSession>> LibraryImpl::find_promised(IngestRequest& request) const {
  if (request.upload_token.empty()) return std::optional<UploadSession>();
  MEDIA_TRY_ASSIGN(auto upload, repository_->find_upload(request.upload_token));
  if (!upload || upload->expires_at <= clock_->now()) return Error{Errc::expired, "the upload has expired"};
  request.owner = upload->owner;
  request.filename = upload->filename;
  request.declared_type = upload->media_type;
  request.expected_size = upload->size_bytes;
  request.any_content = false;
  return upload;
}

Result<std::optional<IngestOutcome>> LibraryImpl::settle_promised(const PendingIngest& ingest, const Keeping& keeping) const {
  MEDIA_TRY(check_kept(*ingest.upload, keeping));
  MEDIA_TRY_ASSIGN(const auto upload, repository_->find_upload(ingest.upload->token));
  if (!upload) return Error{Errc::expired, "the upload has expired"};
  if (upload->state != UploadState::complete) return std::optional<IngestOutcome>();
  MEDIA_TRY_ASSIGN(auto media, find_alive(*repository_, upload->media_id));
  if (!media) return Error{Errc::expired, "the upload has expired"};
  if (media->digest != keeping.digest) return Error{Errc::conflict, "this upload is complete, with other content"};
  IngestOutcome outcome;
  outcome.status = IngestStatus::duplicate;
  outcome.media = std::move(*media);
  outcome.digest = keeping.digest;
  outcome.size_bytes = keeping.size_bytes;
  return std::optional(std::move(outcome));
}

Result<std::unique_ptr<PendingIngest>> LibraryImpl::start(IngestRequest request) const {
  if (options_.read_only) return Error{Errc::denied, "ingest: the library is open for reading only"};
  MEDIA_TRY_ASSIGN(auto upload, find_promised(request));
  if (request.owner.empty() || request.owner.size() > 255) return Error{Errc::invalid_argument, "ingest: an owner has 1 to 255 bytes"};
  const std::uint64_t limit = request.any_content ? UINT64_MAX : options_.policy.max_bytes();
  if (request.expected_size && *request.expected_size > limit) {
    return Error{Errc::too_large,
                 "the file has " + std::to_string(*request.expected_size) + " bytes; the limit is " + std::to_string(limit)};
  }
  // What is small is read as fast as it is refused, and a key may have been used before: those are told when they are catalogued. A promise
  // was counted when it was made.
  const bool is_small = request.expected_size && *request.expected_size <= kStageAtOnceBytes;
  std::optional<std::uint64_t> quota_left;
  if (!upload && !is_small && request.idempotency_key.empty()) {
    MEDIA_TRY_ASSIGN(const auto excess, find_excess(request.owner, request.expected_size.value_or(0)));
    if (excess) return Error{Errc::too_large, *excess};
    if (!request.expected_size) {
      MEDIA_TRY_ASSIGN(const auto state, quota(request.owner));
      if (state.quota.max_bytes) quota_left = *state.quota.max_bytes - std::min(*state.quota.max_bytes, state.usage.size_bytes);
    }
  }
  auto ingest = std::make_unique<PendingIngest>(std::move(request), limit);
  ingest->upload = std::move(upload);
  ingest->quota_left = quota_left;
  return ingest;
}

Result<std::unique_ptr<Ingest>> LibraryImpl::begin(IngestRequest request) {
  MEDIA_TRY_ASSIGN(auto ingest, start(std::move(request)));
  MEDIA_TRY_ASSIGN(ingest->writer, store_->begin(ingest->request.expected_size));
  return std::unique_ptr<Ingest>(std::move(ingest));
}

Result<bool> LibraryImpl::share(const ByteReader& content, PendingIngest& ingest) {
  if (ingest.request.sharing == FileSharing::none) return false;
  const auto window = content.window();
  FileSharingStore* const store = store_->file_sharing();
  if (content.size() <= kStageAtOnceBytes) {
    ingest.copied_because = "it is small";
  } else if (store == nullptr) {
    ingest.copied_because = "this store cannot share files";
  } else if (!window || window->offset != 0 || window->length != content.size()) {
    ingest.copied_because = "it is not a file of its own";
  } else {
    MEDIA_TRY_ASSIGN(auto shared, store->share(window->descriptor, ingest.request.sharing));
    ingest.copied_because = std::move(shared.reason);
    ingest.staged = std::move(shared.staged);
  }
  if (!*ingest.staged) return false;
  if ((*ingest.staged)->size() > ingest.limit_bytes) {
    return Error{Errc::too_large, "the file is larger than the limit of " + std::to_string(ingest.limit_bytes) + " bytes"};
  }
  ingest.shared = ingest.request.sharing;
  ingest.size_bytes = (*ingest.staged)->size();
  return true;
}

Result<Verdict> LibraryImpl::look_at(const ByteReader& content, const IngestRequest& request) const {
  Span span("media.admit");
  const auto begun = StageClock::Steady::now();
  auto verdict = admit(options_.policy, content, Claim{request.declared_type, request.filename});
  stages_.note(Stage::ingest_admit, verdict ? verdict->info.format : Format::unknown, begun);
  return span.check(std::move(verdict));
}

Result<std::unique_ptr<Ingest>> LibraryImpl::prepare(const ByteReader& content, IngestRequest request) {
  if (options_.read_only) return Error{Errc::denied, "ingest: the library is open for reading only"};
  MEDIA_TRY_ASSIGN(const auto upload, find_promised(request));
  if (!request.any_content) {
    // Judged before it is read: a refusal must not cost a copy of five gigabytes.
    const auto begun = StageClock::Steady::now();
    MEDIA_TRY_ASSIGN(auto verdict, admit(options_.policy, content, Claim{request.declared_type, request.filename}));
    if (!verdict.admitted()) {
      // What is admitted here is looked at once more when it was copied, and measured then.
      stages_.note(Stage::ingest_admit, verdict.info.format, begun);
      auto refused = std::make_unique<PendingIngest>(std::move(request), 0);
      refused->size_bytes = content.size();
      refused->verdict = std::move(verdict);
      refused->upload = upload;
      return std::unique_ptr<Ingest>(std::move(refused));
    }
  }
  const std::uint64_t size = content.size();
  if (size > kStageAtOnceBytes) {
    MEDIA_TRY_ASSIGN(const bool maybe_known, repository_->has_blob_of_size(size));
    if (maybe_known) {
      MEDIA_TRY_ASSIGN(const Digest digest, hash_content(content));
      MEDIA_TRY_ASSIGN(const bool held, holds(digest, size));
      if (held) {
        auto known = std::make_unique<PendingIngest>(std::move(request), size);
        known->size_bytes = size;
        known->hashed = digest;
        known->content = &content;
        known->upload = upload;
        return std::unique_ptr<Ingest>(std::move(known));
      }
    }
  }
  if (size > kStageAtOnceBytes && !upload && request.idempotency_key.empty()) {
    MEDIA_TRY_ASSIGN(const auto excess, find_excess(request.owner, size));
    if (excess) {
      auto refused = std::make_unique<PendingIngest>(std::move(request), 0);
      refused->size_bytes = size;
      refused->verdict = Verdict{Refusal::over_quota, *excess, {}, {}};
      return std::unique_ptr<Ingest>(std::move(refused));
    }
  }
  request.expected_size = size;
  MEDIA_TRY_ASSIGN(auto ingest, start(std::move(request)));
  ingest->content = &content;
  MEDIA_TRY_ASSIGN(const bool shared, share(content, *ingest));
  if (!shared) {
    MEDIA_TRY_ASSIGN(ingest->writer, store_->begin(size));
    MEDIA_TRY(for_each_piece(content, [&](std::span<const std::byte> piece) { return ingest->write(piece); }));
  }
  return std::unique_ptr<Ingest>(std::move(ingest));
}

/// Ends the bytes and judges them. An outcome where it is settled already: refused, or a promise that was kept before.
Result<std::optional<IngestOutcome>> LibraryImpl::judge(PendingIngest& ingest, Keeping& keeping) {
  keeping.size_bytes = ingest.size_bytes;
  keeping.content = ingest.content;
  if (ingest.hashed) {
    keeping.digest = *ingest.hashed;
  } else if (!ingest.staged) {
    return ingest.staged.error();
  } else if (*ingest.staged) {
    keeping.staged = std::move(*ingest.staged);
    keeping.digest = keeping.staged->digest();
    keeping.size_bytes = keeping.staged->size();
  }
  if (ingest.upload) {
    MEDIA_TRY_ASSIGN(auto settled, settle_promised(ingest, keeping));
    if (settled) return settled;
  }
  if (!ingest.verdict && !ingest.request.any_content) {
    const ByteReader& content = keeping.staged ? static_cast<const ByteReader&>(*keeping.staged) : *ingest.content;
    MEDIA_TRY_ASSIGN(ingest.verdict, look_at(content, ingest.request));
  }
  if (!ingest.verdict) ingest.verdict = Verdict{};  // any content: no format, no limits, served as an attachment
  if (ingest.verdict->admitted()) {
    MEDIA_TRY(scan_incoming(ingest, keeping.digest, keeping.staged ? static_cast<const ByteReader&>(*keeping.staged) : *ingest.content));
  }
  ingest.has_pictures = processor_->handles(ingest.verdict->info.format);
  if (const auto context = TraceScope::current().parent) ingest.traceparent = to_traceparent(*context);
  if (ingest.verdict->admitted()) return std::optional<IngestOutcome>();
  IngestOutcome refused;
  refused.status = IngestStatus::refused;
  refused.verdict = *ingest.verdict;
  refused.digest = keeping.digest;
  refused.size_bytes = keeping.size_bytes;
  return std::optional(std::move(refused));
}

/// Keeps and catalogues what was judged, all of it with one group of syncs and in one transaction.
Result<void> LibraryImpl::enter(std::span<Entering* const> entering, bool may_wait) {
  const auto enter_one = [this](Transaction& transaction, const Entering& each) -> Result<IngestOutcome> {
    MEDIA_TRY_ASSIGN(auto outcome, catalogue(transaction, *each.ingest, each.keeping));
    if (outcome.status == IngestStatus::stored && outcome.media.status == MediaStatus::complete) {
      MEDIA_TRY(note_event(transaction, MediaEvent::completed, outcome.media));
    }
    return outcome;
  };
  const auto begun = StageClock::Steady::now();
  std::vector<Keeping*> keepings;
  for (Entering* each : entering) keepings.push_back(&each->keeping);
  const auto kept = keep(
      keepings,
      [&](Transaction& transaction) -> Result<void> {
        for (Entering* each : entering) {
          auto outcome = enter_one(transaction, *each);
          // A used key or a promise that ran out is one file's own fault; anything else concerns the transaction and so all of them.
          if (!outcome && outcome.error().code != Errc::conflict && outcome.error().code != Errc::expired)
            return std::move(outcome).error();
          each->outcome = std::move(outcome);
        }
        return {};
      },
      may_wait);
  if (kept) return {};
  // A catalog that let one wait in vain would let each of them do so once more.
  const bool slow = kept.error().code == Errc::unavailable && StageClock::Steady::now() - begun > kPatience;
  for (Entering* each : entering) {
    const bool spent = !each->keeping.published && !each->keeping.staged && each->keeping.content == nullptr;
    each->again = (entering.size() > 1 || !may_wait) && !spent && !slow;
    each->outcome = kept.error();
  }
  if (slow) return kept.error();
  return {};
}

/// Ends the bytes of all that were written, which the store may hash several at a time.
void LibraryImpl::end_writing(std::span<const std::unique_ptr<Ingest>> ingests) {
  std::vector<std::unique_ptr<BlobWriter>> writers;
  std::vector<PendingIngest*> written;
  for (const auto& each : ingests) {
    auto& ingest = static_cast<PendingIngest&>(*each);
    if (!ingest.writer) continue;
    writers.push_back(std::move(ingest.writer));
    written.push_back(&ingest);
  }
  auto staged = store_->finish_together(writers);
  for (std::size_t i = 0; i < written.size(); ++i) written[i]->staged = std::move(staged[i]);
}

std::vector<Result<IngestOutcome>> LibraryImpl::finish(std::span<const std::unique_ptr<Ingest>> ingests) {
  end_writing(ingests);
  // Short enough to need no memory: tl::expected ends the process where the copy of an error throws.
  std::vector<Result<IngestOutcome>> outcomes(ingests.size(), Result<IngestOutcome>(Error{Errc::internal, "not finished"}));
  std::vector<Entering> judged;
  std::vector<std::size_t> indexes;
  judged.reserve(ingests.size());
  for (std::size_t i = 0; i < ingests.size(); ++i) {
    Entering each;
    each.ingest = static_cast<PendingIngest*>(ingests[i].get());
    auto settled = judge(*each.ingest, each.keeping);
    if (!settled || *settled) {
      outcomes[i] = settled ? Result<IngestOutcome>(std::move(**settled)) : Result<IngestOutcome>(std::move(settled).error());
      continue;
    }
    judged.push_back(std::move(each));
    indexes.push_back(i);
  }
  if (judged.empty()) return outcomes;
  // With others' where it goes in with them: whose trace the steps within are in is left to chance.
  Span span("media.keep");
  const auto begun = StageClock::Steady::now();
  if (judged.size() == 1 && judged.front().keeping.size_bytes <= kStageAtOnceBytes) {
    write_ahead(judged.front().keeping);
    entrance_.enter(judged.front(), [this](std::span<Entering* const> group) { return enter(group, false); });
  } else {
    std::vector<Entering*> group;
    for (Entering& each : judged) group.push_back(&each);
    static_cast<void>(enter(group, group.size() == 1));  // each has its outcome
  }
  for (Entering& each : judged) {
    // On this thread, so that nobody else waits for what this one ran into.
    Entering* const alone = &each;
    if (each.again) static_cast<void>(enter(std::span(&alone, 1), true));
  }
  const auto took = StageClock::Steady::now() - begun;
  bool queued = false;
  for (std::size_t k = 0; k < judged.size(); ++k) {
    stages_.note(Stage::ingest_keep, judged[k].ingest->verdict->info.format, took);
    auto& outcome = outcomes[indexes[k]] = std::move(judged[k].outcome);
    if (!outcome) span.fail();
    const bool is_unwanted = outcome && outcome->status == IngestStatus::refused && outcome->verdict.refusal != Refusal::over_quota;
    // Nobody may have these bytes, and so they do not wait for a collection.
    if (is_unwanted && judged[k].keeping.published) discard(outcome->digest);
    if (!outcome || outcome->status != IngestStatus::stored) continue;
    queued = queued || outcome->media.status == MediaStatus::processing;
    announce(outcome->media.id);
  }
  if (queued) wake_workers();
  return outcomes;
}

}  // namespace media

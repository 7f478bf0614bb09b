#include "mirror_store.hpp"

#include <array>

namespace {

/// The same content staged in both stores; either one can be read before it is published.
class MirrorStaged final : public media::Staged {
 public:
  MirrorStaged(std::unique_ptr<media::Staged> first, std::unique_ptr<media::Staged> second)
      : digest_(first->digest()), size_(first->size()), first_(std::move(first)), second_(std::move(second)) {}

  [[nodiscard]] const media::Digest& digest() const noexcept override { return digest_; }
  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  media::Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    if (!first_) return media::Error{media::Errc::invalid_argument, "read of staged content that was published"};
    return first_->read_at(offset, into);
  }

  std::unique_ptr<media::Staged> take_first() { return std::move(first_); }
  std::unique_ptr<media::Staged> take_second() { return std::move(second_); }

 private:
  media::Digest digest_;
  std::uint64_t size_;
  std::unique_ptr<media::Staged> first_;
  std::unique_ptr<media::Staged> second_;
};

class MirrorWriter final : public media::BlobWriter {
 public:
  MirrorWriter(std::unique_ptr<media::BlobWriter> first, std::unique_ptr<media::BlobWriter> second)
      : first_(std::move(first)), second_(std::move(second)) {}

  media::Result<void> write(std::span<const std::byte> piece) override {
    MEDIA_TRY(first_->write(piece));
    return second_->write(piece);
  }

  media::Result<std::unique_ptr<media::Staged>> finish() override {
    MEDIA_TRY_ASSIGN(auto first, first_->finish());
    MEDIA_TRY_ASSIGN(auto second, second_->finish());
    return std::unique_ptr<media::Staged>(std::make_unique<MirrorStaged>(std::move(first), std::move(second)));
  }

 private:
  std::unique_ptr<media::BlobWriter> first_;
  std::unique_ptr<media::BlobWriter> second_;
};

}  // namespace

media::Result<std::unique_ptr<media::BlobWriter>> MirrorStore::begin(std::optional<std::uint64_t> expected_size) {
  MEDIA_TRY_ASSIGN(auto first, first_->begin(expected_size));
  MEDIA_TRY_ASSIGN(auto second, second_->begin(expected_size));
  return std::unique_ptr<media::BlobWriter>(std::make_unique<MirrorWriter>(std::move(first), std::move(second)));
}

media::Result<void> MirrorStore::publish(std::span<const std::unique_ptr<media::Staged>> staged) {
  std::vector<std::unique_ptr<media::Staged>> first;
  std::vector<std::unique_ptr<media::Staged>> second;
  for (const auto& content : staged) {
    auto& both = static_cast<MirrorStaged&>(*content);  // the contract: staged contents come from this store
    first.push_back(both.take_first());
    second.push_back(both.take_second());
  }
  // The mirror first: should the power fail between the two, the blob lies where nobody looks for it yet, and is no lie.
  MEDIA_TRY(second_->publish(second));
  return first_->publish(first);
}

media::Result<std::unique_ptr<media::ByteReader>> MirrorStore::open(const media::Digest& digest) const {
  auto reader = first_->open(digest);
  if (reader || reader.error().code != media::Errc::not_found) return reader;
  return second_->open(digest);
}

media::Result<std::optional<media::BlobStat>> MirrorStore::stat(const media::Digest& digest) const {
  MEDIA_TRY_ASSIGN(auto found, first_->stat(digest));
  if (found) return found;
  return second_->stat(digest);
}

media::Result<bool> MirrorStore::remove(const media::Digest& digest) {
  MEDIA_TRY_ASSIGN(const bool in_first, first_->remove(digest));
  MEDIA_TRY_ASSIGN(const bool in_second, second_->remove(digest));
  return in_first || in_second;
}

media::Result<media::BlobPage> MirrorStore::list(const std::string& cursor, std::size_t limit) const { return first_->list(cursor, limit); }

media::Result<bool> MirrorStore::quarantine(const media::Digest& digest) {
  MEDIA_TRY_ASSIGN(const bool was_there, first_->quarantine(digest));
  MEDIA_TRY_ASSIGN(const bool restored, restore(digest));
  if (!restored) MEDIA_TRY(second_->quarantine(digest));
  return was_there;
}

media::Result<void> MirrorStore::check() {
  MEDIA_TRY(first_->check());
  return second_->check();
}

media::Result<bool> MirrorStore::restore(const media::Digest& digest) {
  auto source = second_->open(digest);
  if (!source) {
    if (source.error().code == media::Errc::not_found) return false;
    return source.error();
  }
  MEDIA_TRY_ASSIGN(auto writer, first_->begin((*source)->size()));
  std::array<std::byte, 64U << 10U> buffer;
  for (std::uint64_t offset = 0; offset < (*source)->size();) {
    MEDIA_TRY_ASSIGN(const std::size_t count, (*source)->read_at(offset, buffer));
    if (count == 0) return false;  // shorter than it said
    MEDIA_TRY(writer->write(std::span(buffer).first(count)));
    offset += count;
  }
  std::vector<std::unique_ptr<media::Staged>> staged(1);
  MEDIA_TRY_ASSIGN(staged[0], writer->finish());
  if (staged[0]->digest() != digest) return false;  // the mirror's copy is damaged too; destroying `staged` leaves no trace
  MEDIA_TRY(first_->publish(staged));
  return true;
}

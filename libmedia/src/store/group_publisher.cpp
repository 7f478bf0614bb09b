#include "store/group_publisher.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <string>

#include "core/errno_error.hpp"
#include "core/out_of_memory.hpp"
#include "store/blob_layout.hpp"
#include "store/file_ops.hpp"

namespace media::store {
namespace {

/// A group stops growing here, so that nobody waits for the syncs of an endless one.
constexpr std::size_t kGroupContents = 1024;
/// A file of this size is synced by its own caller before it joins a group: the others do not wait for its data.
constexpr std::uint64_t kLargeBytes = std::uint64_t{8} << 20U;
/// Threads that write small contents: they need processors, not the disk, and all lock the one temp folder.
constexpr unsigned kWriters = 4;
/// The folders of a lone publish: one commit serves them all, and waking threads would cost more than it saves.
constexpr std::size_t kFewFolders = 4;
constexpr std::size_t kRenameChunk = 8;

/// The part of the descriptor limit that one group may use.
std::size_t open_file_budget() {
  struct rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 64;
  return static_cast<std::size_t>(std::clamp<rlim_t>(limit.rlim_cur / 4, 16, kGroupContents));
}

Result<void> write_temp(FileStaged& content) {
  if (content.file) return {};
  MEDIA_TRY_ASSIGN(content.file, TempFile::create(content.folder()));
  MEDIA_TRY(write_all(content.file->descriptor(), content.memory, 0, "write a temp file"));
  return start_write_out(content.file->descriptor(), 0, content.size(), "write a temp file");
}

Result<void> sync_temp(FileStaged& content) {
  if (content.file->descriptor() < 0) return {};  // Synced before it joined the group.
  MEDIA_TRY(sync_once(content.file->descriptor(), "sync a temp file"));
  content.file->close();
  return {};
}

/// Runs a step for an item that no earlier step failed for.
template <class Step>
void advance(Result<void>& outcome, Step step) {
  if (outcome) outcome = unless_out_of_memory(step);
}

}  // namespace

GroupPublisher::GroupPublisher(int base, unsigned sync_threads)
    : base_(base), open_files_(open_file_budget()), pool_(std::max(1U, sync_threads)), fan_out_(base) {}

Result<void> GroupPublisher::publish(std::span<FileStaged* const> contents) {
  Batch batch{contents, sync_large(contents)};
  if (batch.outcome) {
    std::unique_lock lock(mutex_);
    *last_link_ = &batch;
    last_link_ = &batch.next;
    while (!batch.done) {
      if (led_) {
        changed_.wait(lock);
        continue;
      }
      led_ = true;
      Batch* const group = take_group();
      lock.unlock();
      lead(group);
      lock.lock();
      for (Batch* led = group; led != nullptr; led = led->next) led->done = true;
      led_ = false;
      changed_.notify_all();
    }
  }
  // What was renamed has no temp file any more; what failed must leave none behind.
  for (FileStaged* content : contents) content->file.reset();
  if (!batch.outcome) return as_publish_error(std::move(batch.outcome).error());
  return {};
}

Result<void> GroupPublisher::sync_large(std::span<FileStaged* const> contents) {
  std::vector<Item> large;
  for (FileStaged* content : contents) {
    if (content->file && content->size() >= kLargeBytes) large.push_back(Item{content, nullptr, {}});
  }
  pool_.run(large.size(), pool_.size(), [&](std::size_t i) { advance(large[i].outcome, [&] { return sync_temp(*large[i].content); }); });
  for (auto& item : large) MEDIA_TRY(std::move(item.outcome));
  return {};
}

GroupPublisher::Batch* GroupPublisher::take_group() {
  Batch* const group = first_waiting_;
  std::size_t contents = group->contents.size();
  Batch* last = group;
  while (last->next != nullptr && contents + last->next->contents.size() <= kGroupContents) {
    last = last->next;
    contents += last->contents.size();
  }
  first_waiting_ = std::exchange(last->next, nullptr);
  if (first_waiting_ == nullptr) last_link_ = &first_waiting_;
  return group;
}

void GroupPublisher::lead(Batch* group) {
  try {
    run_group(group);
  } catch (const std::bad_alloc&) {
    // A leader that threw would leave the others waiting for ever.
    for (Batch* batch = group; batch != nullptr; batch = batch->next) batch->outcome = out_of_memory();
  }
}

void GroupPublisher::run_group(Batch* group) {
  std::vector<Item> items;
  for (Batch* batch = group; batch != nullptr; batch = batch->next) {
    for (FileStaged* content : batch->contents) items.push_back(Item{content, batch, {}});
  }
  // Neighbours share folders: sorted, their renames and syncs touch each folder in one go.
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.content->digest() < b.content->digest(); });
  for (std::size_t at = 0; at < items.size(); at += open_files_) {
    write_and_sync(std::span(items).subspan(at, std::min(open_files_, items.size() - at)));
  }
  for (auto& item : items) {
    if (!item.outcome && item.batch->outcome) item.batch->outcome = std::move(item.outcome);
  }
  FolderSets folders;
  rename_all(items, folders);
  for (auto& item : items) {
    if (!item.outcome && item.batch->outcome) item.batch->outcome = std::move(item.outcome);
  }
  if (auto synced = sync_folders(folders.to_sync); !synced) {
    // Which renames a folder's failed sync has lost cannot be known: nobody in the group may believe in theirs.
    for (Batch* batch = group; batch != nullptr; batch = batch->next) batch->outcome = synced;
    return;
  }
  fan_out_.remember(folders.fresh);
}

void GroupPublisher::write_and_sync(std::span<Item> items) {
  // Two passes: when the first fsync commits the journal, the blocks of all other files are allocated already and
  // go with it, so the other fsyncs find their work done.
  pool_.run(items.size(), kWriters, [&](std::size_t i) { advance(items[i].outcome, [&] { return write_temp(*items[i].content); }); });
  pool_.run(items.size(), pool_.size(), [&](std::size_t i) { advance(items[i].outcome, [&] { return sync_temp(*items[i].content); }); });
}

void GroupPublisher::rename_all(std::span<Item> items, FolderSets& folders) {
  // Neighbours go together, since they share folders; chunks go in parallel, since making folders waits for the disk too.
  struct Chunk {
    std::span<Item> items;
    FolderSets folders;
    std::vector<Item*> again;
  };
  std::vector<Chunk> chunks;
  for (std::size_t at = 0; at < items.size(); at += kRenameChunk) {
    chunks.push_back(Chunk{items.subspan(at, std::min(kRenameChunk, items.size() - at)), {}, {}});
  }
  pool_.run(chunks.size(), pool_.size(), [&](std::size_t i) {
    for (auto& item : chunks[i].items) {
      // A batch that lost one content will be reported as failed: the rest of it is better not made visible.
      if (!item.batch->outcome) continue;
      advance(item.outcome, [&] {
        bool folder_gone = false;
        auto outcome = rename_one(*item.content, chunks[i].folders, folder_gone);
        if (folder_gone) chunks[i].again.push_back(&item);
        return outcome;
      });
    }
  });
  for (auto& chunk : chunks) {
    folders.to_sync.merge(chunk.folders.to_sync);
    folders.fresh.merge(chunk.folders.fresh);
  }
  // Somebody tidied an empty folder away: it is made anew, and none of those above it is trusted either. Here and not
  // above, because the fan-out's memory must not change while others read it.
  for (auto& chunk : chunks) {
    for (Item* item : chunk.again) {
      const Digest& digest = item->content->digest();
      fan_out_.forget(digest);
      for (unsigned depth = 1; depth <= kFanOutDepth; ++depth) folders.fresh.erase({depth, folder_index(digest, depth)});
      item->outcome = {};
      advance(item->outcome, [&] {
        bool folder_gone = false;
        return rename_one(*item->content, folders, folder_gone);
      });
    }
  }
}

Result<void> GroupPublisher::rename_one(FileStaged& content, FolderSets& folders, bool& folder_gone) {
  const std::string path = blob_path(content.digest());
  MEDIA_TRY(fan_out_.prepare(content.digest(), folders.to_sync, folders.fresh));
  if (::renameat(content.file->folder()->descriptor(), content.file->name().c_str(), base_, path.c_str()) != 0) {
    folder_gone = errno == ENOENT;
    return errno_error(errno, "rename a temp file to " + path);
  }
  content.file->renamed();
  return {};
}

Result<void> GroupPublisher::sync_folders(const std::set<FanOutFolder>& folders) {
  // The deepest first: a lone publish syncs the blob's own folder, then the parents of the new ones.
  const std::vector<FanOutFolder> order(folders.rbegin(), folders.rend());
  std::vector<Result<void>> outcomes(order.size());
  pool_.run(order.size(), order.size() <= kFewFolders ? 1 : pool_.size(), [&](std::size_t i) {
    advance(outcomes[i], [&] {
      const std::string path = folder_path(order[i].depth, order[i].index);
      return sync_folder(base_, path.c_str(), path);
    });
  });
  for (auto& outcome : outcomes) MEDIA_TRY(std::move(outcome));
  return {};
}

}  // namespace media::store

// Lets each allocation of a library's ways in and out fail, once and for ever.
//
// usage: allocation_sweep [--short] [--at N] [STEP…]     STEP: as it is printed, e.g. packed/ingest_small/once
//
// Each step runs with its N-th `operator new` failing (once, or with all after it), N = 1, 2, … until it ends without having met one. After
// each, with memory again: the process lives, the library is usable, what was acknowledged is there and whole, `verify` is clean; now and
// then it is closed and opened anew, which must leave no descriptor behind. A step runs in a process of its own, so that one that dies or
// hangs is told of, with the stack of the allocation that failed, and the sweep goes on behind it. `--short` leaves out ever more in
// between; `--at` runs one N alone. The negative controls: a thread that lets std::bad_alloc escape, a wait for ever, a lost blob and a
// lost descriptor, each of which must be found.

#include <execinfo.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "media/library.hpp"
#include "pictures.hpp"

namespace {

constexpr int kMostFrames = 40;
constexpr unsigned kPatience = 20;  // seconds, of one N

/// What a step's process and the one that watches it have in common.
struct Shared {
  std::atomic<long> at;        ///< N.
  std::atomic<long> failures;  ///< Steps that met a failing allocation.
  std::atomic<bool> complete;
  void* frames[kMostFrames];
  std::atomic<int> frame_count;
  char told[512];
};

Shared* shared = nullptr;
std::atomic<long> countdown{0};  // 0: disarmed
std::atomic<bool> persistent{false};
std::atomic<bool> failing{false};
std::atomic<bool> has_failed{false};

bool must_fail() noexcept {
  if (failing.load(std::memory_order_relaxed)) return true;
  if (countdown.load(std::memory_order_relaxed) <= 0 || countdown.fetch_sub(1) != 1) return false;
  has_failed = true;
  failing = persistent.load();
  shared->frame_count = ::backtrace(shared->frames, kMostFrames);
  return true;
}

void* take(std::size_t size) {
  void* const memory = must_fail() ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void* take(std::size_t size, std::size_t alignment) {
  void* memory = nullptr;
  if (must_fail() || ::posix_memalign(&memory, std::max(alignment, sizeof(void*)), size) != 0) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) { return take(size); }
void* operator new[](std::size_t size) { return take(size); }
void* operator new(std::size_t size, std::align_val_t alignment) { return take(size, static_cast<std::size_t>(alignment)); }
void* operator new[](std::size_t size, std::align_val_t alignment) { return take(size, static_cast<std::size_t>(alignment)); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace {

using namespace media;
using Bytes = std::vector<std::byte>;

void arm(long at, bool for_ever) {
  has_failed = false;
  persistent = for_ever;
  countdown = at;
}

/// Whether an allocation failed.
bool disarm() {
  countdown = 0;
  failing = false;
  return has_failed;
}

[[noreturn]] void broken(const std::string& what) { throw std::runtime_error(what); }

void require(bool holds, const std::string& what) {
  if (!holds) broken(what);
}

template <class T>
T must(Result<T> result, const std::string& what) {
  if (!result) broken(what + ": " + std::string(to_string(result.error().code)) + ": " + result.error().message);
  return std::move(result).value();
}

/// Moves on when told, so that what a lost job holds runs out at once.
class SteppingClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const override { return SystemClock().now() + std::chrono::milliseconds(ahead_ms_.load()); }
  void advance(std::chrono::milliseconds step) { ahead_ms_ += step.count(); }

 private:
  std::atomic<std::int64_t> ahead_ms_{0};
};

std::size_t open_descriptors() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) count += entry.path().empty() ? 0U : 1U;
  return count;
}

/// A library, and what it has acknowledged.
class Place {
 public:
  Place(std::filesystem::path folder, bool packed) : folder_(std::move(folder)), packed_(packed) {
    // Once, so that what the process opens for good is open.
    open_anew();
    library.reset();
    descriptors_ = open_descriptors();
    open_anew();
    for (int i = 0; i < 3; ++i) keep(small("stays " + std::to_string(i)));
    keep(large("stays"));
  }

  static Bytes small(const std::string& name) { return test::gradient_png(24, 18, name); }
  static Bytes large(const std::string& name) { return test::gradient_png(420, 300, name); }
  Bytes next(bool is_large) {
    // A few, again and again: the folders of a blob stay when it goes, and with ever more of them to look through there would be no last N.
    const std::string name = std::to_string(++made_ % 8);
    return is_large ? large(name) : small(name);
  }

  LibraryOptions options() const {
    LibraryOptions options;
    options.base_path = folder_ / "store";
    options.isolation = Isolation::none;
    options.derivations_at_once = 2;
    options.clock = clock;
    options.collect_grace = std::chrono::seconds(0);
    options.read_cache_bytes = std::uint64_t{1} << 20U;
    options.presets = {options.presets.front()};
    if (!packed_) options.pack_below_bytes = 0;
    return options;
  }
  void open_anew() { library = must(Library::open(options()), "open"); }

  /// Closed and opened, and nothing of it left in between.
  void reopen() {
    library.reset();
    const std::size_t now = open_descriptors();
    require(now == descriptors_, std::to_string(now) + " descriptors are open after closing, " + std::to_string(descriptors_) + " before");
    open_anew();
  }

  MediaId keep(const Bytes& content) {
    const auto outcome = must(library->ingest(MemoryReader(content), {.filename = "a.png", .reuse_existing = true}), "ingest");
    require(outcome.status != IngestStatus::refused, "ingest: refused");
    promised_[outcome.media.id] = content;
    return outcome.media.id;
  }
  void promise(MediaId id, const Bytes& content) { promised_[id] = content; }
  void forget(MediaId id) { promised_.erase(id); }

  void check_promised() {
    for (const auto& [id, content] : promised_) {
      const std::string name = "media " + std::to_string(id);
      require(must(read_all(*must(library->read(id), "read " + name), content.size() + 1), "read " + name) == content, name + " differs");
    }
  }

  /// Nothing that was acknowledged is lost, and nothing else is wrong.
  void check() {
    check_promised();
    std::string faults;
    VerifyOptions how;
    how.on_fault = [&](const Fault& fault) {
      faults += "; " + std::string(to_string(fault.problem)) + ' ' + fault.location + ' ' + fault.message;
    };
    const auto report = must(library->verify(how), "verify");
    require(report.intact(), "verify is not clean" + faults);
    require(report.blobs >= promised_.size(), "verify saw " + std::to_string(report.blobs) + " blobs");
  }

  /// What a step brought goes again, that the library stays small.
  void remove_and_collect(MediaId id) {
    forget(id);
    must(library->remove(id), "remove");
    must(library->collect(std::chrono::seconds(0)), "collect");
  }
  [[nodiscard]] bool packed() const { return packed_; }
  [[nodiscard]] std::filesystem::path store() const { return folder_ / "store"; }

  std::shared_ptr<SteppingClock> clock = std::make_shared<SteppingClock>();
  std::unique_ptr<Library> library;

 private:
  const std::filesystem::path folder_;
  const bool packed_;
  std::size_t descriptors_ = 0;
  int made_ = 0;
  std::map<MediaId, Bytes> promised_;
};

/// One way through the library. `act` runs without memory, the rest with it.
struct Step {
  std::string name;
  std::function<void(Place&)> prepare;
  std::function<void(Place&)> act;
  std::function<void(Place&)> settle;
};

Transform thumbnail() { return parse_transform("w=12,h=9").value(); }

/// What the steps share between their parts; each step's process has its own.
struct Now {
  Bytes content;
  MediaId id = 0;
  bool done = false;
};

std::vector<Step> all_steps() {
  std::vector<Step> steps;
  const auto now = std::make_shared<Now>();
  const auto fresh = [now](Place& place, bool is_large) {
    now->content = place.next(is_large);
    now->id = 0;
    now->done = false;
  };
  const auto bring = [now, fresh](Place& place) {
    fresh(place, false);
    now->id = place.keep(now->content);
  };
  const auto request = [] { return IngestRequest{.filename = "a.png", .reuse_existing = true}; };
  // Without memory nothing can be noted but this.
  const auto take_in = [now](const Result<IngestOutcome>& outcome) {
    if (outcome && outcome->status != IngestStatus::refused) now->id = outcome->media.id;
  };
  const auto once_more = [now](Place& place) {
    // First what was acknowledged, if it was: the same bytes, brought again, would mend what was lost.
    if (now->id != 0) place.promise(now->id, now->content);
    place.check_promised();
    now->id = place.keep(now->content);
    place.check();
    place.remove_and_collect(now->id);
  };
  for (const bool is_large : {false, true}) {
    const std::string size = is_large ? "large" : "small";
    steps.push_back({"ingest_" + size, [=](Place& place) { fresh(place, is_large); },
                     [=](Place& place) { take_in(place.library->ingest(MemoryReader(now->content), request())); }, once_more});
    steps.push_back({"stream_" + size, [=](Place& place) { fresh(place, is_large); },
                     [=](Place& place) {
                       auto ingest = place.library->begin(request());
                       if (!ingest) return;
                       const std::span<const std::byte> content = now->content;
                       for (std::size_t at = 0; at < content.size(); at += 65536) {
                         if (!(*ingest)->write(content.subspan(at, std::min<std::size_t>(65536, content.size() - at)))) return;
                       }
                       take_in(place.library->finish(std::move(*ingest)));
                     },
                     once_more});
  }
  steps.push_back({"read", bring,
                   [=](Place& place) {
                     const auto reader = place.library->read(now->id);
                     if (!reader) return;
                     const auto bytes = read_all(**reader, 1U << 20U);
                     if (bytes && *bytes != now->content) now->done = true;
                   },
                   [=](Place& place) {
                     require(!now->done, "other bytes were read than were stored");
                     place.check();
                     place.remove_and_collect(now->id);
                   }});
  steps.push_back({"process", bring, [=](Place& place) { static_cast<void>(place.library->process(now->id)); },
                   [=](Place& place) {
                     place.clock->advance(std::chrono::hours(1));  // The lease of a job that was left ends.
                     const Media media = must(place.library->process(now->id), "process");
                     require(media.status == MediaStatus::complete, "the media is not complete: " + media.error_message);
                     place.check();
                     place.remove_and_collect(now->id);
                   }});
  steps.push_back({"derive", bring, [=](Place& place) { static_cast<void>(place.library->derive(now->id, thumbnail())); },
                   [=](Place& place) {
                     const Picture picture = must(place.library->derive(now->id, thumbnail()), "derive");
                     require(must(read_all(*picture.content, 1U << 20U), "read a picture").size() == picture.rendition.size_bytes,
                             "a picture is short");
                     place.check();
                     place.remove_and_collect(now->id);
                   }});
  steps.push_back({"remove", bring,
                   [=](Place& place) {
                     const auto removed = place.library->remove(now->id);
                     now->done = removed && *removed;
                   },
                   [=](Place& place) {
                     if (now->done) {
                       place.forget(now->id);
                       require(!must(place.library->find(now->id), "find"), "a removed media is there");
                     } else {
                       place.forget(now->id);
                       must(place.library->remove(now->id), "remove");
                     }
                     must(place.library->collect(std::chrono::seconds(0)), "collect");
                     place.check();
                   }});
  steps.push_back({"collect",
                   [=](Place& place) {
                     bring(place);
                     must(place.library->derive(now->id, thumbnail()), "derive");
                     place.forget(now->id);
                     must(place.library->remove(now->id), "remove");
                   },
                   [=](Place& place) { static_cast<void>(place.library->collect(std::chrono::seconds(0))); },
                   [=](Place& place) {
                     place.clock->advance(std::chrono::hours(1));  // So do the claims of a collection that was left.
                     must(place.library->collect(std::chrono::seconds(0)), "collect");
                     place.check();
                     // Nobody has these bytes any more, and so they come in as new ones.
                     now->id = place.keep(now->content);
                     place.check();
                     place.remove_and_collect(now->id);
                   }});
  steps.push_back(
      {"verify", [](Place&) {}, [](Place& place) { static_cast<void>(place.library->verify({})); }, [](Place& place) { place.check(); }});
  steps.push_back({"verify_renditions",
                   [=](Place& place) {
                     if (now->id != 0) return;
                     bring(place);
                     must(place.library->process(now->id), "process");
                   },
                   [](Place& place) { static_cast<void>(place.library->verify_renditions({})); },
                   [](Place& place) {
                     const auto report = must(place.library->verify_renditions({}), "verify renditions");
                     require(report.reproducible() && report.checked > 0, "renditions differ");
                   }});
  steps.push_back({"close",
                   [=](Place& place) {
                     bring(place);
                     must(place.library->derive(now->id, thumbnail()), "derive");
                   },
                   [](Place& place) { place.library.reset(); },
                   [=](Place& place) {
                     place.reopen();
                     place.check();
                     place.remove_and_collect(now->id);
                   }});
  steps.push_back({"open", [](Place& place) { place.library.reset(); },
                   [](Place& place) {
                     if (auto opened = Library::open(place.options())) place.library = std::move(*opened);
                   },
                   [](Place& place) {
                     place.reopen();
                     place.check();
                   }});
  return steps;
}

/// Steps that are faulty on purpose.
std::vector<Step> controls() {
  const auto nothing = [](Place&) {};
  const auto check = [](Place& place) { place.check(); };
  return {{"dying", nothing, [](Place&) { std::thread([] { static_cast<void>(std::make_unique<int>(1)); }).join(); }, check},
          {"hanging", nothing,
           [](Place&) {
             try {
               static_cast<void>(std::make_unique<int>(1));
             } catch (const std::bad_alloc&) {
               ::alarm(1);
               for (;;) ::pause();
             }
           },
           check},
          {"losing", nothing,
           [](Place& place) {
             static_cast<void>(std::make_unique<int>(1));
             for (const auto& entry : std::filesystem::recursive_directory_iterator(place.store())) {
               if (entry.path().filename().string().size() == 64) std::filesystem::remove(entry.path());
             }
           },
           check},
          {"leaking", nothing,
           [](Place&) {
             static_cast<void>(std::make_unique<int>(1));
             static_cast<void>(::open("/dev/null", O_RDONLY));
           },
           [](Place& place) { place.reopen(); }}};
}

void run_step(const Step& step, Place& place, bool for_ever, long from, bool is_short, bool only) {
  constexpr long kReopenEach = 16;
  long rounds = 0;
  for (long at = from;; at += is_short ? 1 + at / 6 : 1) {
    ::alarm(kPatience);
    shared->at = at;
    step.prepare(place);
    arm(at, for_ever);
    try {
      step.act(place);
    } catch (const std::bad_alloc&) {
      // What may leave a public function.
    }
    const bool met = disarm();
    if (met) ++shared->failures;
    step.settle(place);
    if (!met || only || ++rounds % kReopenEach == 0) {
      place.reopen();
      place.check();
    }
    if (!met || only) break;
  }
  shared->complete = true;
}

struct Sweep {
  std::filesystem::path folder;
  bool is_short = false;
  long only_at = 0;
  std::set<std::string> wanted;
  int found = 0;
  int places = 0;

  /// The number of faults found.
  int run(const Step& step, const std::string& name, bool packed, bool for_ever, bool is_control = false) {
    if (!wanted.empty() && !is_control && !wanted.contains(name)) return 0;
    int faults = 0;
    long from = only_at > 0 ? only_at : 1;
    shared->failures = 0;
    shared->complete = false;
    while (!shared->complete && faults < 25) {
      shared->told[0] = '\0';
      shared->frame_count = 0;
      shared->at = 0;
      const auto place_folder = folder / std::to_string(++places);
      std::filesystem::create_directories(place_folder);
      std::cout.flush();
      const pid_t child = ::fork();
      if (child == 0) {
        if (is_control) static_cast<void>(std::freopen("/dev/null", "w", stderr));
        try {
          Place place(place_folder, packed);
          run_step(step, place, for_ever, from, is_short, only_at > 0);
          place.library.reset();
        } catch (const std::exception& error) {
          std::snprintf(shared->told, sizeof shared->told, "%s", error.what());
          ::_exit(1);
        }
        ::_exit(0);
      }
      int status = 0;
      ::waitpid(child, &status, 0);
      std::error_code ignored;
      std::filesystem::remove_all(place_folder, ignored);
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
      ++faults;
      shared->complete = is_control || only_at > 0;
      const long at = shared->at;
      from = at + (is_short ? 1 + at / 6 : 1);
      if (is_control) continue;
      std::cout << "FAULT " << name << " at " << at << ": ";
      if (WIFSIGNALED(status)) std::cout << (WTERMSIG(status) == SIGALRM ? "hung" : ::strsignal(WTERMSIG(status)));
      if (WIFEXITED(status)) std::cout << shared->told;
      std::cout << std::endl;
      ::backtrace_symbols_fd(shared->frames, shared->frame_count, STDOUT_FILENO);
      if (at == 0) break;  // It did not get so far as to begin.
    }
    if (!is_control) {
      std::cout << name << ": " << shared->failures << " allocations failed, " << faults << " faults" << std::endl;
      found += faults;
    }
    return faults;
  }
};

}  // namespace

int main(int count, char** arguments) {
  Sweep sweep;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument == "--short") {
      sweep.is_short = true;
    } else if (argument == "--at" && i + 1 < count) {
      sweep.only_at = std::stol(arguments[++i]);
    } else {
      sweep.wanted.insert(argument);
    }
  }
  void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 2;
  shared = new (memory) Shared();
  void* warm[1];
  ::backtrace(warm, 1);  // The first one allocates.
  // In memory, if there is such a place: what is synced has programs of its own.
  const std::filesystem::path place = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : std::filesystem::temp_directory_path();
  std::string folder = (place / "allocation-sweep-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return 2;
  sweep.folder = folder;

  long failures = 0;
  for (const bool packed : {true, false}) {
    for (const Step& step : all_steps()) {
      for (const bool for_ever : {false, true}) {
        sweep.run(step, std::string(packed ? "packed/" : "loose/") + step.name + (for_ever ? "/for_ever" : "/once"), packed, for_ever);
        failures += shared->failures;
      }
    }
  }
  int controls_found = 0;
  const std::vector<Step> faulty = controls();
  for (const Step& step : faulty) {
    if (sweep.run(step, step.name, false, false, true) > 0) {
      ++controls_found;
    } else {
      std::cout << "the control was not found: " << step.name << std::endl;
    }
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  std::cout << failures << " failing allocations, " << sweep.found << " faults; " << controls_found << " of " << faulty.size()
            << " controls found" << std::endl;
  return sweep.found == 0 && controls_found == static_cast<int>(faulty.size()) && failures > 0 ? 0 : 1;
}

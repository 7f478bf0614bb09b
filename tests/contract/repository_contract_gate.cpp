// Quotas and usage, bans, quarantine.
#include <map>
#include <random>
#include <set>

#include "repository_contract.hpp"

using namespace media;

namespace test {
namespace {

/// What owners have, by every row there is.
std::map<std::string, OwnerUsage> count_media(const Repository& repository) {
  std::map<std::string, OwnerUsage> usage;
  MediaQuery query;
  query.limit = 1000;
  for (std::optional<MediaId> from = 0; from;) {
    query.after = *from;
    const auto page = repository.list_media(query).value();
    for (const Media& media : page.media) {
      ++usage[media.owner].media;
      usage[media.owner].size_bytes += media.size_bytes;
    }
    from = page.scanned_to;
  }
  return usage;
}

}  // namespace

void check_quotas(const MakeRepository& make) {
  const auto repository = make();
  CHECK_FALSE(repository->find_quota("anna").value().has_value());
  do_write(*repository, [](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.put_quota({"bert", {std::uint64_t{10}, std::nullopt}}));
    return transaction.put_quota({"anna", {std::uint64_t{1000}, std::uint64_t{7}}});
  });
  CHECK(repository->find_quota("anna").value() == Quota{1000, 7});
  CHECK(repository->find_quota("bert").value() == Quota{10, std::nullopt});
  const auto all = repository->list_quotas().value();
  REQUIRE(all.size() == 2);
  CHECK(all[0].owner == "anna");
  do_write(*repository, [](Transaction& transaction) { return transaction.put_quota({"anna", {std::nullopt, std::uint64_t{0}}}); });
  CHECK(repository->find_quota("anna").value() == Quota{std::nullopt, 0});
  CHECK(in_write(*repository, [](Transaction& transaction) { return transaction.remove_quota("anna"); }));
  CHECK_FALSE(in_write(*repository, [](Transaction& transaction) { return transaction.remove_quota("anna"); }));
  CHECK_FALSE(repository->find_quota("anna").value().has_value());

  CHECK(repository->owner_usage("nobody").value() == OwnerUsage{});
  CHECK(in_write(*repository, [](Transaction& transaction) { return transaction.keep_owner_usage("nobody"); }) == OwnerUsage{});
}

void check_usage_never_drifts(const MakeRepository& make) {
  const auto repository = make();
  std::mt19937 chance(20261202);
  const auto draw = [&](std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(chance); };
  const std::vector<std::string> owners = {"anna", "bert", "carl", "dora"};
  std::vector<MediaId> ids;
  for (int step = 0; step < 120; ++step) {
    std::vector<MediaId> added;
    std::set<MediaId> removed;
    const bool fails = draw(6) == 0;
    const auto steps = draw(4) + 1;
    // Drawn before, for a closure may run twice and must do the same.
    struct Change {
      std::size_t kind;
      std::string owner;
      std::uint64_t size;
      std::size_t which;
    };
    std::vector<Change> changes;
    for (std::size_t i = 0; i < steps; ++i) changes.push_back({draw(5), owners[draw(owners.size())], draw(100'000), draw(1000)});
    const auto written = repository->write([&](Transaction& transaction) -> Result<void> {
      added.clear();
      removed.clear();
      for (const Change& change : changes) {
        if (change.kind <= 1 || ids.empty()) {
          Media media = a_media(change.owner);
          media.size_bytes = change.size;
          MEDIA_TRY_ASSIGN(const MediaId id, transaction.insert_media(media));
          added.push_back(id);
        } else if (change.kind == 2) {
          const MediaId id = ids[change.which % ids.size()];
          MEDIA_TRY(transaction.remove_media(id));
          removed.insert(id);
        } else if (change.kind == 3) {
          MEDIA_TRY_ASSIGN(auto media, transaction.find_media(ids[change.which % ids.size()]));
          if (!media) continue;
          media->owner = change.owner;
          media->size_bytes = change.size;
          MEDIA_TRY(transaction.update_media(*media));
        } else {
          MEDIA_TRY(transaction.keep_owner_usage(change.owner));
        }
      }
      if (fails) return Error{Errc::cancelled, "undone"};
      return {};
    });
    REQUIRE(written.has_value() == !fails);
    if (!fails) {
      std::erase_if(ids, [&](MediaId id) { return removed.contains(id); });
      ids.insert(ids.end(), added.begin(), added.end());
    }
    if (step % 10 != 9) continue;
    auto counted = count_media(*repository);
    for (const std::string& owner : owners) {
      INFO(step << " " << owner);
      CHECK(repository->owner_usage(owner).value() == counted[owner]);
      CHECK(in_write(*repository, [&](Transaction& transaction) { return transaction.owner_usage(owner); }) == counted[owner]);
    }
  }
}

void check_bans(const MakeRepository& make) {
  const auto repository = make();
  Ban bytes_ban;
  bytes_ban.digest = digest_of("bad");
  bytes_ban.reason = std::string("not \xff nice");
  bytes_ban.created_at = at(5);
  bytes_ban.id = in_write(*repository, [&](Transaction& transaction) { return transaction.insert_ban(bytes_ban); });
  CHECK_FALSE(repository->gate_facts("anna", digest_of("bad")).value().bans_pictures);
  Ban near;
  near.perceptual_hash = PerceptualHash{0xF0F0'F0F0'F0F0'F0F0};
  near.max_distance = 4;
  near.id = in_write(*repository, [&](Transaction& transaction) { return transaction.insert_ban(near); });
  Ban nearer = near;
  nearer.perceptual_hash = PerceptualHash{0xF0F0'F0F0'F0F0'F0FF};
  nearer.max_distance = 8;
  nearer.id = in_write(*repository, [&](Transaction& transaction) { return transaction.insert_ban(nearer); });
  CHECK(repository->list_bans().value() == std::vector<Ban>{bytes_ban, near, nearer});
  for (const Ban& again : {bytes_ban, near}) {
    const auto twice = repository->write([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY(transaction.insert_ban(again));
      return {};
    });
    REQUIRE_FALSE(twice);
    CHECK(twice.error().code == Errc::already_exists);
  }

  CHECK(repository->find_ban_of_picture({0xF0F0'F0F0'F0F0'F0F0}).value() == near);
  CHECK(repository->find_ban_of_picture({0xF0F0'F0F0'F0F0'F0FE}).value() == nearer);
  CHECK(repository->find_ban_of_picture({0xF0F0'F0F0'F0F0'0F0F}).value() == std::nullopt);

  const auto facts = repository->gate_facts("anna", digest_of("bad")).value();
  CHECK(facts.ban == bytes_ban.reason);
  CHECK(facts.bans_pictures);
  CHECK_FALSE(facts.quota.has_value());
  CHECK_FALSE(facts.quarantined.has_value());
  CHECK_FALSE(repository->gate_facts("anna", digest_of("good")).value().ban.has_value());

  CHECK(in_write(*repository, [&](Transaction& transaction) { return transaction.remove_ban(bytes_ban.id); }));
  CHECK_FALSE(in_write(*repository, [&](Transaction& transaction) { return transaction.remove_ban(bytes_ban.id); }));
  CHECK_FALSE(repository->gate_facts("anna", digest_of("bad")).value().ban.has_value());
}

void check_quarantine(const MakeRepository& make) {
  const auto repository = make();
  Quarantined kept;
  kept.digest = digest_of("one");
  kept.reason = Hold::infected;
  kept.detail = std::string("Eicar \xfe");
  kept.since = at(77);
  Quarantined freed = kept;
  freed.digest = digest_of("two");
  freed.reason = Hold::polyglot;
  freed.released_at = at(99);
  freed.released_by = "me";
  freed.forced = true;
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.put_quarantined(kept));
    MEDIA_TRY(transaction.put_quarantined(freed));
    return transaction.put_quota({"anna", {std::uint64_t{3}, std::nullopt}});
  });
  CHECK(repository->find_quarantined(kept.digest).value() == kept);
  CHECK(repository->find_quarantined(freed.digest).value() == freed);
  CHECK(repository->find_quarantined(digest_of("three")).value() == std::nullopt);
  CHECK(repository->list_quarantined(false, std::nullopt, 10).value() == std::vector<Quarantined>{kept});
  CHECK(repository->list_quarantined(true, std::nullopt, 10).value() == std::vector<Quarantined>{freed});
  CHECK(repository->list_quarantined(true, freed.digest, 10).value().empty());
  CHECK(repository->list_quarantined(false, std::nullopt, 0).value().empty());
  QuarantineCounts counts;
  counts.infected = 1;
  CHECK(repository->quarantine_counts().value() == counts);
  const auto facts = repository->gate_facts("anna", kept.digest).value();
  CHECK(facts.quarantined == kept);
  CHECK(facts.quota == Quota{3, std::nullopt});

  kept.reason = Hold::missing;
  do_write(*repository, [&](Transaction& transaction) { return transaction.put_quarantined(kept); });
  counts = {};
  counts.missing = 1;
  CHECK(repository->quarantine_counts().value() == counts);
  CHECK(in_write(*repository, [&](Transaction& transaction) { return transaction.remove_quarantined(kept.digest); }));
  CHECK_FALSE(in_write(*repository, [&](Transaction& transaction) { return transaction.remove_quarantined(kept.digest); }));
  CHECK(repository->quarantine_counts().value() == QuarantineCounts{});

  Media media = a_media("anna");
  media.digest = digest_of("one");
  media.held = Hold::unscanned;
  media.id = insert(*repository, media);
  Media other = a_media("bert");
  other.digest = digest_of("one");
  other.id = insert(*repository, other);
  CHECK(repository->find_media(media.id).value() == media);
  CHECK(repository->list_media_of_blob(digest_of("one")).value() == std::vector<Media>{media, other});
  CHECK(repository->list_media_of_blob(digest_of("two")).value().empty());
  media.held = Hold::none;
  do_write(*repository, [&](Transaction& transaction) { return transaction.update_media(media); });
  CHECK(repository->find_media(media.id).value() == media);
}

}  // namespace test

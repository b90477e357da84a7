// kill -9 of two hosts one after the other at random crash points of the migration to partitions,
// with writers at work: the first dies, the heir dies, a third host comes to the end, which is that
// of a migration that nobody disturbed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/faults/fleet.hpp"
#include "tests/faults/partition_migration_support.hpp"

namespace summa::test {
namespace {

constexpr int kPairs = 30;
constexpr int kPairsOfASoak = 6'000;
// So often a place is passed by every ledger, however small it is and large its batches are.
constexpr int kMostHits = 3;

PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

long long Number(const char* variable, long long otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atoll(text);
}

std::chrono::steady_clock::time_point EndOfSoak() {
  static const auto end =
      std::chrono::steady_clock::now() + std::chrono::minutes(Number("SUMMA_SOAK_MINUTES", 5));
  return end;
}

// The same for the same seed as long as the crash points are the same.
using Random = std::mt19937;

const std::string& OneOf(const std::vector<std::string>& all, Random& random) {
  return all.at(random() % all.size());
}

// The place at `index` of an undisturbed run, with the number of times it was passed until then.
CrashAt PlaceAt(const std::vector<std::string>& points, std::size_t index) {
  const auto through = points.begin() + static_cast<std::ptrdiff_t>(index) + 1;
  return {points.at(index), static_cast<int>(std::count(points.begin(), through, points[index])),
          false};
}

struct Pair {
  std::string strategy, action;
  CrashAt half;  // of an action that begins half-way
  CrashAt first, second;
  bool certain = false;  // the heir must come to its place: nobody has done what is done there

  std::string Description() const {
    return strategy + ", " + action + (half.name.empty() ? "" : " after " + Text(half)) + ": " +
           Text({first, second});
  }
};

// The strategies take turns, so that of two shards each has one.
void ChooseAction(int number, Pair& pair) {
  static const std::vector<std::string> online = {"swap", "rollback", "swap", "finalize", "abort"};
  static const std::vector<std::string> attach = {
      "swap",    "slice",           "rollback",    "slice", "leave slices",
      "slice",   "finalize slices", "slice again", "swap",  "leave slices",
      "restore", "slice",           "abort",       "swap",  "finalize slices"};
  pair.strategy = number % 2 == 0 ? "online" : "attach";
  const std::vector<std::string>& actions = number % 2 == 0 ? online : attach;
  pair.action = actions.at(static_cast<std::size_t>(number / 2) % actions.size());
}

// Somewhere on the way that the action ends.
void ChooseHalf(Random& random, Pair& pair) {
  const bool abort = pair.action == "abort";
  if (!abort && pair.action != "leave slices") return;
  const auto& points = UndisturbedRun(Server(), pair.strategy, abort ? "swap" : "slice").points;
  const std::string exchange = pair.strategy == "online" ? "migration.swap" : "migration.attach";
  const auto begin =
      std::find(points.begin(), points.end(), abort ? "migration.shadow" : "migration.frozen");
  const auto end = std::find(begin, points.end(), abort ? exchange : "migration.slice_exchange");
  std::vector<CrashAt> places;
  for (auto point = begin; point != end; ++point) {
    const CrashAt place = PlaceAt(points, static_cast<std::size_t>(point - points.begin()));
    if (place.hit <= kMostHits) places.push_back(place);
  }
  pair.half = places.at(random() % places.size());
}

// The heir comes to the second place after the first: what is certain is done only once, and later.
void ChoosePlaces(Random& random, Pair& pair) {
  const auto& points = UndisturbedRun(Server(), pair.strategy, pair.action).points;
  std::vector<std::size_t> firsts;
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    const bool last = std::count(points.begin() + static_cast<std::ptrdiff_t>(i), points.end(),
                                 points[i]) == std::ssize(points) - static_cast<std::ptrdiff_t>(i);
    if (PlaceAt(points, i).hit <= kMostHits && !last) firsts.push_back(i);
  }
  const std::size_t at = firsts.at(random() % firsts.size());
  pair.first = PlaceAt(points, at);
  std::vector<std::string> later, once;
  for (const std::string& name :
       std::set<std::string>(points.begin() + static_cast<std::ptrdiff_t>(at) + 1, points.end())) {
    later.push_back(name);
    if (std::count(points.begin(), points.end(), name) == 1) once.push_back(name);
  }
  pair.certain = !once.empty() && random() % 2 == 0;
  pair.second.name = OneOf(pair.certain ? once : later, random);
  if (!pair.certain) pair.second.hit = 1 + static_cast<int>(random() % kMostHits);
}

Pair PairOf(int number) {
  Random random(Seed() + static_cast<unsigned>(number));
  Pair pair;
  ChooseAction(number, pair);
  ChooseHalf(random, pair);
  ChoosePlaces(random, pair);
  return pair;
}

class PartitionMigrationPairsTest : public testing::TestWithParam<int> {};

TEST_P(PartitionMigrationPairsTest, AThirdHostGoesOnAndNothingIsLost) {
  if (Soaking() && std::chrono::steady_clock::now() >= EndOfSoak()) GTEST_SKIP() << "time is over";
  const Pair pair = PairOf(GetParam());
  SCOPED_TRACE(pair.Description() + "; SUMMA_SOAK_SEED=" + std::to_string(Seed()));
  MigratedLedger ledger(Server(), pair.strategy);
  ledger.StartTraffic();
  ledger.Prepare(pair.action, pair.half);
  ASSERT_TRUE(ledger.Dies(0, pair.action, pair.first)) << "the first host came not to its place";
  const bool both = ledger.Dies(1, pair.action, pair.second);
  EXPECT_TRUE(both || !pair.certain) << "the heir came not to its place";
  ledger.GoOn(2, pair.action);
  EXPECT_THAT(ledger.Problems(pair.action), testing::IsEmpty());
}

// Soaking, each of several programs takes every one of them from its part on.
INSTANTIATE_TEST_SUITE_P(Random, PartitionMigrationPairsTest,
                         testing::Range(static_cast<int>(Number("SUMMA_SOAK_PART", 0)),
                                        Soaking() ? kPairsOfASoak : kPairs,
                                        static_cast<int>(Number("SUMMA_SOAK_PARTS", 1))));

}  // namespace
}  // namespace summa::test

// The long version of the kill tests: random pairs of kills for SUMMA_SOAK_MINUTES. Every pair has
// a seed of its own, from SUMMA_SOAK_SEED on, so that a failing one is repeated alone.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

#include "tests/faults/checker.hpp"
#include "tests/faults/round.hpp"

namespace summa::test {
namespace {

constexpr long long kMostPairs = 2'000;  // of all scenarios together
constexpr long long kDefaultMinutes = 30;
constexpr long long kSayEvery = 50;

long long Number(const char* variable, long long otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atoll(text);
}

TEST(Soak, RandomPairsOfKillsLoseNothing) {
  const long long seed = Number("SUMMA_SOAK_SEED", 1);
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::minutes(Number("SUMMA_SOAK_MINUTES", kDefaultMinutes));
  FaultServers servers({}, {});
  const std::vector<Scenario> scenarios = AllScenarios();
  std::map<std::string, Recording> recordings;
  for (const Scenario& scenario : scenarios) {
    recordings[scenario.name] = RecordRun(servers, scenario).Of(scenario.killed_at);
  }
  long long pairs = 0;
  long long own_seed = seed;
  for (; pairs < kMostPairs && std::chrono::steady_clock::now() < end && !HasFailure();
       ++own_seed) {
    for (const Scenario& scenario : scenarios) {
      const auto kills = recordings[scenario.name].Pair(static_cast<std::uint64_t>(own_seed));
      const auto lines = RunKills(servers, scenario, kills);
      EXPECT_TRUE(lines.empty()) << scenario.name << ", killed at " << Text(kills) << ": "
                                 << Report(lines) << "to repeat: ./dev soak --seed " << own_seed
                                 << " --minutes 1";
      if (++pairs % kSayEvery == 0) std::cout << "soak: " << pairs << " pairs so far" << std::endl;
    }
  }
  std::cout << "soak: " << pairs << " pairs of kills from seed " << seed
            << (HasFailure() ? ", the last one failed\n" : ", nothing lost\n");
}

}  // namespace
}  // namespace summa::test

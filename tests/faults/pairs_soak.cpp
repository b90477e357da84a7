// The long version of the kill tests: 2,000 random pairs of kills, or as many as SUMMA_SOAK_MINUTES
// allow. Every seed from SUMMA_SOAK_SEED on is a pair in each scenario, so that a failing one is
// repeated alone. A pair is mostly waiting for leases: SUMMA_SOAK_PARTS programs share the seeds,
// and this one takes every one of them from SUMMA_SOAK_PART on.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

#include "tests/faults/checker.hpp"
#include "tests/faults/round.hpp"

namespace summa::test {
namespace {

constexpr long long kPairs = 2'000;  // of all scenarios and parts together
constexpr long long kAnyMinutes = 1'000'000;
constexpr long long kSayEvery = 50;

long long Number(const char* variable, long long otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atoll(text);
}

TEST(Soak, RandomPairsOfKillsLoseNothing) {
  const long long parts = Number("SUMMA_SOAK_PARTS", 1);
  const long long seed = Number("SUMMA_SOAK_SEED", 1) + Number("SUMMA_SOAK_PART", 0);
  FaultServers servers({}, {});
  const std::vector<Scenario> scenarios = AllScenarios();
  std::map<std::string, Recording> recordings;
  for (const Scenario& scenario : scenarios) {
    recordings[scenario.name] = RecordRun(servers, scenario).Of(scenario.killed_at);
  }
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::minutes(Number("SUMMA_SOAK_MINUTES", kAnyMinutes));
  long long pairs = 0;
  long long own_seed = seed;
  for (; pairs * parts < kPairs && std::chrono::steady_clock::now() < end && !HasFailure();
       own_seed += parts) {
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

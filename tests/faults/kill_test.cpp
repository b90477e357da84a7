// kill -9 at every place of the sources that has a name, alone and in pairs, and nothing is lost.
//
// The tests are made from a recording run at the start of the program, so that a new crash point is
// a new test. GTEST_TOTAL_SHARDS and GTEST_SHARD_INDEX split them over several processes.
//   SUMMA_FAULTS_SEED=N          the random pairs
//   SUMMA_FAULTS_KILLS=a:1,b:2   exactly these kills, one after the other, and nothing else
//   SUMMA_SOAK=1                 random pairs until SUMMA_SOAK_MINUTES are over; SUMMA_SOAK_SEED
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>

#include "tests/faults/checker.hpp"
#include "tests/faults/round.hpp"

namespace summa::test {
namespace {

// Over all shards of a run of the continuous integration.
constexpr int kPairs = 30;
constexpr int kSoakPairs = 2'000;
constexpr long long kDefaultSoakMinutes = 30;

// What every test of this program uses; made in main.
struct Everything {
  FaultServers servers{{}, {}};
  std::vector<Scenario> scenarios = AllScenarios();
  std::map<std::string, Recording> recordings;  // by scenario
};
std::unique_ptr<Everything> everything;

// A test made of a function.
class FunctionTest : public testing::Test {
 public:
  explicit FunctionTest(std::function<void()> body) : body_(std::move(body)) {}
  void TestBody() override { body_(); }

 private:
  std::function<void()> body_;
};

void AddTest(const std::string& suite, std::string name, std::function<void()> body) {
  // Characters that a filter of GoogleTest would take for its own.
  std::replace(name.begin(), name.end(), '-', '_');
  std::replace(name.begin(), name.end(), ':', '@');
  testing::RegisterTest(
      suite.c_str(), name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
      [body = std::move(body)]() -> testing::Test* { return new FunctionTest(body); });
}

std::string KillsText(const std::vector<CrashAt>& kills) {
  std::string text;
  for (const CrashAt& at : kills) text.append(text.empty() ? "" : ",").append(Text(at));
  return text;
}

void ExpectNothingLost(const Scenario& scenario, const std::vector<CrashAt>& kills,
                       const std::string& repeat = "") {
  const auto lines = RunKills(everything->servers, scenario, kills);
  EXPECT_TRUE(lines.empty()) << Report(lines) << "to repeat: " << repeat
                             << (repeat.empty() ? "" : "\n       or: ")
                             << "SUMMA_FAULTS_KILLS=" << KillsText(kills)
                             << " build/tests/faults_kill_test --gtest_filter='Repeat.*'";
}

long long Number(const char* variable, long long otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atoll(text);
}

std::vector<CrashAt> RandomPair(const Recording& recording, unsigned long long seed) {
  const CrashAt first = recording.Random(seed);
  return {first, recording.Random(seed)};
}

// A point that no run comes to protects nothing.
void ExpectEveryPointReached(const Scenario& scenario, const Recording& recording) {
  std::vector<std::string> folders = {"host"};
  for (const std::string& plugin : scenario.plugins) folders.push_back("plugins/" + plugin);
  const std::set<std::string> sources = CrashPointsInSources(folders);
  EXPECT_FALSE(sources.empty());
  const std::set<std::string> reached = recording.Names();
  for (const std::string& name : sources) {
    EXPECT_TRUE(reached.contains(name) || scenario.unreached.contains(name))
        << name << " stands in the sources and was not reached: let the scenario " << scenario.name
        << " come there, or name it in its `unreached` with the reason";
  }
  for (const std::string& name : reached) {
    EXPECT_TRUE(sources.contains(name)) << name << " was reached, but the sources do not show it";
  }
  for (const auto& [name, reason] : scenario.unreached) {
    EXPECT_TRUE(sources.contains(name)) << name << " is excused, but is no longer in the sources";
    EXPECT_FALSE(reason.empty());
  }
}

void AddKillTests(const Scenario& scenario, const Recording& recording) {
  const std::string suffix = "_" + scenario.name;
  AddTest("Points" + suffix, "EveryCrashPointOfTheSourcesIsReached",
          [&] { ExpectEveryPointReached(scenario, recording); });
  for (const CrashAt& at : recording.Kills()) {
    AddTest("Kill" + suffix, Text(at), [&scenario, at] { ExpectNothingLost(scenario, {at}); });
  }
  const auto seed = static_cast<unsigned long long>(
      Number("SUMMA_FAULTS_SEED", static_cast<long long>(std::random_device{}())));
  std::cout << "seed of the pairs: SUMMA_FAULTS_SEED=" << seed << "\n";
  for (int i = 0; i < kPairs; ++i) {
    const auto pair = RandomPair(recording, seed + static_cast<unsigned long long>(i));
    AddTest("Pair" + suffix, std::to_string(i) + "_" + Text(pair[0]) + "_" + Text(pair[1]),
            [&scenario, pair] { ExpectNothingLost(scenario, pair); });
  }
}

// Pair after pair; each has a seed of its own, the next number.
void Soak() {
  if (Number("SUMMA_SOAK", 0) == 0) {
    GTEST_SKIP() << "skipped: the long version of the kill tests; run ./dev soak";
  }
  const auto seed = static_cast<unsigned long long>(Number("SUMMA_SOAK_SEED", 1));
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::minutes(Number("SUMMA_SOAK_MINUTES", kDefaultSoakMinutes));
  int pairs = 0;
  for (; pairs < kSoakPairs && std::chrono::steady_clock::now() < end; ++pairs) {
    const auto own_seed = seed + static_cast<unsigned long long>(pairs);
    for (const Scenario& scenario : everything->scenarios) {
      const auto kills = RandomPair(everything->recordings[scenario.name], own_seed);
      ExpectNothingLost(scenario, kills,
                        "./dev soak --seed " + std::to_string(own_seed) + " --minutes 1");
    }
    if (testing::Test::HasFailure()) break;
  }
  std::cout << pairs << " pairs of kills from seed " << seed << "\n";
}

void Repeat(const std::string& text) {
  for (const Scenario& scenario : everything->scenarios) {
    const Recording& recording = everything->recordings[scenario.name];
    std::vector<CrashAt> kills = ParseKills(text);
    for (CrashAt& at : kills) at.at_shutdown = recording.AtShutdown(at.name);
    ExpectNothingLost(scenario, kills);
  }
}

void Register() {
  for (const Scenario& scenario : everything->scenarios) {
    everything->recordings[scenario.name] = RecordRun(everything->servers, scenario);
  }
  if (const char* kills = std::getenv("SUMMA_FAULTS_KILLS")) {
    AddTest("Repeat", "TheseKills", [text = std::string(kills)] { Repeat(text); });
    return;
  }
  AddTest("Soak", "RandomPairsOfKills", Soak);
  for (const Scenario& scenario : everything->scenarios) {
    AddKillTests(scenario, everything->recordings[scenario.name]);
  }
}

}  // namespace
}  // namespace summa::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  try {
    summa::test::everything = std::make_unique<summa::test::Everything>();
    summa::test::Register();
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << "\n";
    return 1;
  }
  const int status = RUN_ALL_TESTS();
  summa::test::everything.reset();
  return status;
}

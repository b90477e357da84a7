// kill -9 at every place of the sources that has a name, alone and in pairs, and nothing is lost.
// A program for each bus.
//
// The tests are made from a recording run at the start of the program, so that a new crash point is
// a new test. GTEST_TOTAL_SHARDS and GTEST_SHARD_INDEX split them over several processes.
//   SUMMA_FAULTS_SEED=N          the random pairs
//   SUMMA_FAULTS_KILLS=a:1,b:2   exactly these kills, one after the other, and nothing else
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <random>

#include "tests/faults/checker.hpp"
#include "tests/faults/round.hpp"

namespace summa::test {
namespace {

// Over all shards of a run of the continuous integration.
constexpr std::uint64_t kPairs = 30;  // of each scenario

// What every test of this program uses; made in main.
struct Everything {
  FaultServers servers{{}, {}};
  std::vector<Scenario> scenarios = AllScenarios(BusOfThisProgram());
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

void ExpectNothingLost(const Scenario& scenario, const std::vector<CrashAt>& kills) {
  const auto lines = RunKills(everything->servers, scenario, kills);
  const char* program = scenario.bus.kafka ? "faults_kill_kafka_test" : "faults_kill_test";
  EXPECT_TRUE(lines.empty()) << Report(lines) << "to repeat: SUMMA_FAULTS_KILLS=" << Text(kills)
                             << " build/tests/" << program << " --gtest_filter='Repeat.*'";
}

// A point that no run comes to protects nothing.
void ExpectEveryPointReached() {
  std::set<std::string> folders = {"host"};
  std::set<std::string> reached;
  std::map<std::string, std::string> unreached;
  for (const Scenario& scenario : everything->scenarios) {
    for (const std::string& plugin : scenario.plugins) folders.insert("plugins/" + plugin);
    folders.insert(scenario.sources.begin(), scenario.sources.end());
    reached.merge(everything->recordings[scenario.name].Names());
    unreached.insert(scenario.unreached.begin(), scenario.unreached.end());
  }
  const std::set<std::string> sources =
      CrashPointsInSources(std::vector<std::string>(folders.begin(), folders.end()));
  EXPECT_FALSE(sources.empty());
  for (const std::string& name : sources) {
    EXPECT_TRUE(reached.contains(name) || unreached.contains(name))
        << name << " stands in the sources and was not reached: let a scenario come there, or name "
        << "it in its `unreached` with the reason";
  }
  for (const std::string& name : reached) {
    EXPECT_TRUE(sources.contains(name)) << name << " was reached, but the sources do not show it";
  }
  for (const auto& [name, reason] : unreached) {
    EXPECT_FALSE(reached.contains(name)) << name << " is excused and was reached all the same";
    EXPECT_FALSE(reason.empty());
  }
}

void AddKillTests(const Scenario& scenario, const Recording& recording) {
  const std::string suffix = "_" + scenario.name;
  for (const CrashAt& at : recording.Kills()) {
    AddTest("Kill" + suffix, Text(at), [&scenario, at] { ExpectNothingLost(scenario, {at}); });
  }
  const char* given = std::getenv("SUMMA_FAULTS_SEED");
  const std::uint64_t seed = given == nullptr ? std::random_device{}() : std::stoull(given);
  std::cout << "seed of the pairs: SUMMA_FAULTS_SEED=" << seed << "\n";
  for (std::uint64_t i = 0; i < kPairs; ++i) {
    const auto pair = recording.Pair(seed + i);
    AddTest("Pair" + suffix, std::to_string(i) + "_" + Text(pair[0]) + "_" + Text(pair[1]),
            [&scenario, pair] { ExpectNothingLost(scenario, pair); });
  }
}

// In every scenario that comes to these places.
void Repeat(const std::string& text) {
  for (const Scenario& scenario : everything->scenarios) {
    const Recording& recording = everything->recordings[scenario.name];
    std::vector<CrashAt> kills = ParseKills(text);
    if (std::any_of(kills.begin(), kills.end(),
                    [&](const CrashAt& at) { return recording.Count(at.name) == 0; })) {
      continue;
    }
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
  AddTest("Points", "EveryCrashPointOfTheSourcesIsReached", ExpectEveryPointReached);
  for (const Scenario& scenario : everything->scenarios) {
    AddKillTests(scenario, everything->recordings[scenario.name].Of(scenario.killed_at));
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

// kill -9 at every step: no event is missing, the order holds, and nothing is repeated but what was
// under way.
#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <set>
#include <summa/testkit/wait_until.hpp>

#include "webhook_host.hpp"

namespace webhook {
namespace {

using summa::testkit::HostProgram;
using summa::testkit::RunningHost;
using summa::testkit::TemporaryFile;
using testing::IsEmpty;

constexpr int kMessages = 60, kKeys = 5;

class WebhookKill : public WebhookTest {
 protected:
  // Publishes the messages, has the host end at `crash` and another one go on.
  void Round(const std::string& crash) {
    AddEndpoint("shop", "first/1/500");
    AddEndpoint("other", "ok");
    const auto ids = PublishNumbered(kMessages, kKeys);
    {
      const HostProgram program(Configuration(), {{"SUMMA_CRASH_AT", crash}});
      RunningHost killed(program);
      const auto code = killed.process().WaitOrKill(std::chrono::minutes(5));
      ASSERT_EQ(code, 128 + SIGKILL) << crash << " was not reached: " << killed.process().Stderr();
    }
    RunningHost running(host());
    summa::testkit::WaitUntil([&] { return Count("state = 'delivered'") == 2 * kMessages; },
                              std::chrono::minutes(5), "the rest, after a kill at " + crash);
    // At most what one endpoint had under way.
    constexpr std::size_t kUnderWay = kKeys;
    EXPECT_THAT(Violations(receiver().Requests("shop"), ids, kUnderWay), IsEmpty()) << crash;
    EXPECT_THAT(Violations(receiver().Requests("other"), ids, kUnderWay), IsEmpty()) << crash;
    EXPECT_EQ(running.Stop(), 0);
  }
};

// The names that a run without a kill comes by: of the plugin, and of the consumer that it links.
std::set<std::string> PointsOf(const std::string& record) {
  std::set<std::string> points;
  std::ifstream file(record);
  for (std::string name; std::getline(file, name);) {
    if (name.starts_with("webhook.") || name.starts_with("consumer.")) points.insert(name);
  }
  return points;
}

TEST_F(WebhookKill, ReachesEveryPointOfItsSources) {
  const TemporaryFile record("points", "");
  AddEndpoint("shop", "ok");
  PublishNumbered(kMessages, kKeys);
  HostProgram(Configuration(), {{"SUMMA_CRASH_RECORD", record.Path()}})
      .RunOrThrow({"run", "--once"});
  std::set<std::string> wanted;
  for (const char* name : {"message", "stored", "sending", "answered", "recording", "recorded"}) {
    wanted.insert(std::string("webhook.") + name);
  }
  wanted.insert("consumer.effect");
  EXPECT_THAT(PointsOf(record.Path()), testing::IsSupersetOf(wanted));
}

class WebhookKillAt : public WebhookKill, public testing::WithParamInterface<std::string> {};

TEST_P(WebhookKillAt, LosesNothing) { Round(GetParam()); }

INSTANTIATE_TEST_SUITE_P(EveryStep, WebhookKillAt,
                         testing::Values("webhook.message:1", "webhook.message:20",
                                         "consumer.effect:1", "consumer.effect:20",
                                         "webhook.stored:1", "webhook.stored:20",
                                         "webhook.sending:1", "webhook.sending:20",
                                         "webhook.answered:1", "webhook.answered:10",
                                         "webhook.recording:1", "webhook.recording:10",
                                         "webhook.recorded:1", "webhook.recorded:10"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '.' || c == ':' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace webhook

// Much to send, and receivers that misbehave.
#include <gmock/gmock.h>

#include <summa/testkit/wait_until.hpp>

#include "webhook_host.hpp"

namespace webhook {
namespace {

using summa::testkit::RunningHost;
using testing::IsEmpty;

class WebhookLoad : public WebhookTest {
 protected:
  void AwaitAccepted(const std::string& name, std::size_t count) {
    summa::testkit::WaitUntil([&] { return receiver().Accepted(name) >= count; },
                              std::chrono::minutes(10),
                              std::to_string(count) + " events at " + name);
  }
};

TEST_F(WebhookLoad, WorksOffABacklogOfTenThousandEvents) {
  Set("circuit_failures", "3");
  AddEndpoint("shop", "switch");
  receiver().Switch("shop", 503);
  const auto ids = PublishNumbered(10'000, 100);
  RunningHost running(host());
  summa::testkit::WaitUntil([&] { return Count("true") == 10'000; }, std::chrono::minutes(10),
                            "a backlog of 10,000 events");
  // While the endpoint was down, its circuit kept the attempts few.
  EXPECT_LT(receiver().Requests("shop").size(), 1'000u);
  receiver().Switch("shop", 204);
  AwaitAccepted("shop", ids.size());
  AwaitSettled(static_cast<long long>(ids.size()));
  EXPECT_THAT(Violations(receiver().Requests("shop"), ids, 0), IsEmpty());
  EXPECT_EQ(Count("state <> 'delivered'"), 0);
  EXPECT_EQ(running.Stop(), 0);
}

TEST_F(WebhookLoad, KeepsTheOrderOfEachKeyUnderEveryFault) {
  Set("circuit_failures", "1000");
  AddEndpoint("shop", "flaky/1");
  const auto ids = PublishNumbered(1'000, 20);
  RunningHost running(host());
  AwaitAccepted("shop", ids.size());
  AwaitSettled(static_cast<long long>(ids.size()));
  EXPECT_THAT(Violations(receiver().Requests("shop"), ids, 0), IsEmpty());
  EXPECT_EQ(Count("state <> 'delivered'"), 0);
  EXPECT_EQ(running.Stop(), 0);
}

TEST_F(WebhookLoad, RepeatsOnlyWhatLostItsAnswer) {
  Set("circuit_failures", "1000");
  AddEndpoint("shop", "reset-answer");
  const auto ids = PublishNumbered(50, 5);
  RunningHost running(host());
  AwaitSettled(static_cast<long long>(ids.size()));
  // The receiver took each of them and its answer never came: it comes once more, with the same id.
  EXPECT_THAT(Violations(receiver().Requests("shop"), ids, ids.size()), IsEmpty());
  EXPECT_EQ(receiver().Requests("shop").size(), 2 * ids.size());
  EXPECT_EQ(running.Stop(), 0);
}

TEST_F(WebhookLoad, LetsNoEndpointWaitForAnother) {
  Set("timeout", "1s");
  AddEndpoint("hangs", "hang");
  AddEndpoint("slow", "slow/100");
  AddEndpoint("quick", "ok");
  const auto ids = PublishNumbered(300, 30);
  RunningHost running(host());
  AwaitAccepted("quick", ids.size());
  AwaitAccepted("slow", ids.size());
  EXPECT_THAT(Violations(receiver().Requests("quick"), ids, 0), IsEmpty());
  EXPECT_THAT(Violations(receiver().Requests("slow"), ids, 0), IsEmpty());
  EXPECT_EQ(receiver().Accepted("hangs"), 0u);
  running.Stop();
}

}  // namespace
}  // namespace webhook

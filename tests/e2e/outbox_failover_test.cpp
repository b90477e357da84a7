// The real program delivers live traffic to a Redis Cluster while a master of it is killed.
#include <gmock/gmock.h>

#include "tests/e2e/outbox_support.hpp"
#include "tests/services/redis_cluster.hpp"

namespace summa::test {
namespace {

using ::testing::HasSubstr;

constexpr seconds kFailover{120};

class OutboxToCluster : public Outbox {
 protected:
  OutboxToCluster()
      : cluster_({.masters = 3,
                  .replicas = 1,
                  .node_timeout_milliseconds = 1000,
                  .extra_arguments = {}}) {}
  std::string ClusterConfiguration(const std::string& url) const {
    return "database: { ledger: { url: \"" + url_ + "\" }, migrate: auto }\n" +
           "host: { name: tested, listen: \"127.0.0.1:0\" }\nplugins:\n" +
           "  bus-redis: { url: \"" + url + "\", wait_replicas: 1, command_timeout: 1s }\n" +
           "  outbox: { use: { bus: bus-redis }, retry_cap: 500ms }\n";
  }
  std::vector<Received> ReadCluster() {
    std::set<std::string> streams;
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
      for (const std::string& key : RedisClient(cluster_.Node(i).Url()).Keys("summa:stream:*")) {
        streams.insert(key);
      }
    }
    std::vector<Received> all;
    for (const std::string& stream : streams) {
      for (const RedisReply& entry : cluster_.Command({"XRANGE", stream, "-", "+"}).items) {
        std::map<std::string, std::string> fields;
        const auto& words = entry.items.at(1).items;
        for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
          fields[words[i].text] = words[i + 1].text;
        }
        all.push_back({stream, fields["id"], fields["key"], fields["position"],
                       fields["correlationId"], fields["payload"], fields["timestamp"],
                       fields["type"]});
      }
    }
    return all;
  }
  long long Processed() {
    return Db(url_).Count("SELECT count(*) FROM outbox WHERE status = 'processed'");
  }
  void WaitForMore() {
    const long long before = Processed();
    WaitUntil([&] { return Processed() > before + 200; }, kFailover, "delivered rows");
  }

  RedisCluster cluster_;
};

TEST_F(OutboxToCluster, AMasterThatDiesUnderLoadLosesNothing) {
  UseFixture(ConstraintNames::kDrizzle, 50);
  const TemporaryFile file("summa.yaml", ClusterConfiguration(cluster_.Url()));
  TrafficGenerator traffic(url_, {.connections = 2, .accounts = 25, .rate = 100});
  RunningHost host({"-c", file.Path()});
  host.StatusWhen("running");
  traffic.Start();
  WaitForMore();
  const std::string key = "summa:stream:{ledger-account-credited}";
  const std::size_t master = cluster_.MasterOf(key);
  cluster_.Node(master).KillNine();
  WaitUntil(
      [&] {
        try {
          return cluster_.MasterOf(key) != master;
        } catch (const RedisError&) {
          return false;
        }
      },
      kFailover, "the replica to take over");
  cluster_.Node(master).Start();
  WaitForMore();
  traffic.Stop();
  WaitUntil([&] { return Pending().empty(); }, kFailover, "an empty outbox");
  cluster_.WaitUntilWhole();
  host.process().Signal(SIGTERM);
  EXPECT_EQ(host.process().WaitOrKill(seconds(30)), 0) << host.process().Stderr();

  const auto received = ReadCluster();
  const auto rows = Db(url_).Column("SELECT id FROM outbox");
  EXPECT_EQ(Ids(received), std::set<std::string>(rows.begin(), rows.end()));
  ExpectOrder(received);
  EXPECT_EQ(Db(url_).Count("SELECT count(*) FROM outbox WHERE status <> 'processed'"), 0);
  EXPECT_EQ(Db(url_).Count("SELECT count(*) FROM dead_letter_queue"), 0) << host.process().Stderr();
}

TEST_F(OutboxToCluster, TheAddressOfOneServerIsRefusedAtANodeOfACluster) {
  UseFixture(ConstraintNames::kDrizzle, 10);
  const std::string url = "redis://127.0.0.1:" + std::to_string(cluster_.Node(0).Port());
  const TemporaryFile file("summa.yaml", ClusterConfiguration(url));
  const RunResult doctor = SummaHost({"doctor", "-c", file.Path()});
  EXPECT_NE(doctor.exit_code, 0);
  EXPECT_THAT(doctor.out, HasSubstr("SH-0621"));
  EXPECT_THAT(doctor.out, HasSubstr("redis+cluster://"));
  RunningHost host({"-c", file.Path()});
  std::string body;
  EXPECT_TRUE(BecomesTrue([&] {
    body = HttpGet(host.Port(), "/readyz").body;
    return body.find("node of a Redis Cluster") != std::string::npos;
  })) << body;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    EXPECT_THAT(RedisClient(cluster_.Node(i).Url()).Keys("*"), ::testing::IsEmpty());
  }
}

}  // namespace
}  // namespace summa::test

// bus-kafka on three brokers, two of which must have a message: one may be away at any time.
#include <csignal>

#include "tests/faults/tcp_proxy.hpp"
#include "tests/integration/bus_kafka_support.hpp"

namespace summa::bus_kafka {
namespace {

TEST(BusKafkaCluster, OneOfThreeBrokersMayDieOrFreezeAndNothingIsLostNorOutOfOrder) {
  if (!KafkaServer::Jars())
    GTEST_SKIP() << "skipped: there is no Kafka (tests/services/kafka/fetch)";
  KafkaServer server({.nodes = 3,
                      .extra_settings = {"min.insync.replicas=2", "broker.session.timeout.ms=3000",
                                         "replica.lag.time.max.ms=3000"},
                      .client_protocol = {}});
  Events events;
  KafkaBusOptions options;
  options.client.brokers = server.Brokers();
  options.client.request_timeout = milliseconds(5000);
  options.topics.partitions = kPartitions;
  options.writer.publish_timeout = milliseconds(5000);
  KafkaBus bus(options, &events);
  Publisher publisher(bus);
  ASSERT_TRUE(publisher.GoesOn());
  EXPECT_EQ(bus.admin().AllTopics().at("a").replicas, 3);
  for (int node = 0; node < 3; ++node) {
    server.KillNine(node);  // some partitions lose their leader, perhaps the group its coordinator
    EXPECT_TRUE(publisher.GoesOn()) << "without node " << node;
    server.Start(node);
    server.Await();
    EXPECT_TRUE(publisher.GoesOn());
  }
  server.Signal(1, SIGSTOP);
  EXPECT_TRUE(publisher.GoesOn()) << "while one is frozen";
  server.Signal(1, SIGCONT);
  EXPECT_TRUE(publisher.GoesOn());
  publisher.End();
  ExpectWholeAndInOrder(IdsOf(bus, "a"), publisher.confirmed());
}

// The others still see it, so it stays the leader of its partitions. Neither side is told that the
// connections between them are dead.
TEST(BusKafkaCluster, OneOfThreeBrokersMayBeCutOffFromItsClientsAndNothingIsLostNorOutOfOrder) {
  if (!KafkaServer::Jars())
    GTEST_SKIP() << "skipped: there is no Kafka (tests/services/kafka/fetch)";
  std::array<std::unique_ptr<test::TcpProxy>, 3> network;
  KafkaServer server({.nodes = 3,
                      .extra_settings = {"min.insync.replicas=2"},
                      .client_protocol = "PLAINTEXT",
                      .client_route = [&](int node, int port) {
                        auto& proxy = network.at(static_cast<std::size_t>(node));
                        proxy = std::make_unique<test::TcpProxy>(test::ProxyAddress::Tcp(),
                                                                 test::ProxyAddress::Tcp(port));
                        return proxy->Port();
                      }});
  Events events;
  KafkaBusOptions options;
  options.client.brokers = server.SecureBrokers();
  options.client.request_timeout = options.writer.publish_timeout = milliseconds(5000);
  options.topics.partitions = kPartitions;
  options.commit_interval = milliseconds(100);
  KafkaBus bus(options, &events);
  Publisher publisher(bus);
  ASSERT_TRUE(publisher.GoesOn());
  const auto reader = bus.Subscribe("a", "g", "c", 0);
  std::vector<std::string> read;
  const auto read_on = [&] {
    try {
      reader->Revoked();
      for (const auto& delivery : reader->Poll(500, milliseconds(100))) {
        read.emplace_back(FromAbi(delivery.message.id));
        reader->Settle(delivery.delivery_id);
      }
    } catch (const Error&) {
      // It says that a server is away.
    }
  };
  for (const auto& cut : network) {
    const test::ProxyFault nothing_passes{.flow = test::ProxyFault::Flow::kHold};
    cut->Set(test::Direction::kToServer, nothing_passes);
    cut->Set(test::Direction::kToClient, nothing_passes);
    // The keys of the publisher are in two partitions, which one of the nodes need not lead.
    const int failed = publisher.failed(), confirmed = publisher.confirmed();
    EXPECT_TRUE(BecomesTrue([&] {
      read_on();
      return publisher.failed() > failed || publisher.confirmed() > confirmed + 3000;
    })) << "either a leader is away, and that is said, or work goes on";
    cut->Clear();
    EXPECT_TRUE(publisher.GoesOn());
  }
  publisher.End();
  EXPECT_GT(publisher.failed(), 0);
  const std::vector<std::string> held = IdsOf(bus, "a");
  ExpectWholeAndInOrder(held, publisher.confirmed());
  const std::set<std::string> all(held.begin(), held.end());
  EXPECT_TRUE(BecomesTrue([&] {
    read_on();
    return std::set<std::string>(read.begin(), read.end()) == all;
  })) << read.size()
      << " of " << held.size();
  ExpectWholeAndInOrder(read, publisher.confirmed());
}

}  // namespace
}  // namespace summa::bus_kafka

// What is asked of Kafka besides sending and receiving: topics, offsets and groups.
//
// Has one connection, made when it is first used. Thread-safe; every call is bounded by
// request_timeout and throws summa::Error (client.hpp).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <summa/mutex.hpp>
#include <vector>

#include "plugins/bus-kafka/client.hpp"

namespace summa::bus_kafka {

struct TopicOptions {
  bool create = true;
  int partitions = 12;   // of a topic with order; 0: as the server makes them, and any number
  int replication = -1;  // -1: as the server has it
  std::chrono::microseconds retention{std::chrono::hours(48)};
};

struct Offsets {
  std::int64_t low = 0, high = 0;  // the oldest message, and behind the newest
};

struct TopicShape {
  int partitions = 0;
  // Of the partition that has fewest: replicas, and those of them that are in sync.
  int replicas = 0, in_sync = 0;
};

// One ACL, as far as it matters here.
struct AclRule {
  rd_kafka_ResourceType_t resource;
  std::string name, principal;
  bool prefixed = false;  // the name is the beginning of a name
  rd_kafka_AclOperation_t operation;
  bool allows = true;
};

class TopicAdmin {
 public:
  TopicAdmin(ClientOptions client, TopicOptions topics);

  void Ping();
  // Number of partitions; nullopt: it does not exist.
  std::optional<int> FindPartitions(const std::string& topic);
  // The same, and makes the topic where it may. Throws SH-0644 when it must not, and SH-0645 when
  // the number is not the one that is configured (ordered: for order).
  int RequireTopic(const std::string& topic, bool ordered);
  std::map<std::string, TopicShape> AllTopics();
  std::vector<std::string> AllBrokers();  // the id of each, for ConfigOf()

  // By partition.
  std::vector<Offsets> OffsetsOf(const std::string& topic, int partitions);
  // The first offset of each partition whose message entered at this time or later; the end where
  // there is none.
  std::vector<std::int64_t> OffsetsAt(const std::string& topic, int partitions,
                                      std::int64_t milliseconds);
  // By partition; -1: the group has no place there. nullopt: it has none at all.
  std::optional<std::vector<std::int64_t>> PlacesOf(const std::string& group,
                                                    const std::string& topic, int partitions);
  void SetPlaces(const std::string& group, const std::string& topic,
                 const std::vector<std::int64_t>& offsets);
  void DeleteGroup(const std::string& group);
  std::vector<std::string> AllGroups();
  std::int64_t MembersOf(const std::string& group);  // -1: unknown

  // Settings of a topic, or of the server that leads: for doctor.
  std::map<std::string, std::string> ConfigOf(rd_kafka_ResourceType_t type,
                                              const std::string& name);
  // Every rule; none where the brokers have no authorizer, and with librdkafka 2.0.2 also where
  // the user may not list them.
  std::vector<AclRule> Acls();
  const TopicOptions& topics() const { return topics_; }
  // The client, for other calls. SUMMA_E_CANCELLED after Close().
  std::shared_ptr<Client> client();
  // [any thread] No thread of the client is left when it returns and no call is in progress.
  void Close();

 private:
  void CreateTopic(const std::string& topic, bool ordered);
  void AwaitLeaders(const std::string& topic);
  // A request of the admin interface, and its result. `expected`: an error that is for the caller.
  Event Ask(
      const char* what, rd_kafka_admin_op_t kind,
      const std::function<void(rd_kafka_t*, rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& request,
      rd_kafka_resp_err_t expected = RD_KAFKA_RESP_ERR_NO_ERROR);
  std::vector<std::int64_t> List(const std::string& topic, int partitions, std::int64_t time);
  int Timeout() const { return static_cast<int>(options_.request_timeout.count()); }

  const ClientOptions options_;
  const TopicOptions topics_;
  Mutex mutex_;
  std::shared_ptr<Client> client_ SUMMA_GUARDED_BY(mutex_);
  bool closed_ SUMMA_GUARDED_BY(mutex_) = false;
};

}  // namespace summa::bus_kafka

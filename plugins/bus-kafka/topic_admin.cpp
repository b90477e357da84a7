#include "plugins/bus-kafka/topic_admin.hpp"

#include <algorithm>
#include <array>
#include <thread>

namespace summa::bus_kafka {
namespace {

using Metadata = std::unique_ptr<const rd_kafka_metadata_t, Destroy<rd_kafka_metadata_destroy>>;
using AdminOptions =
    std::unique_ptr<rd_kafka_AdminOptions_t, Destroy<rd_kafka_AdminOptions_destroy>>;

constexpr std::chrono::milliseconds kLeaderPause{50};

PartitionList ListOf(const std::string& topic, int partitions, std::int64_t offset) {
  PartitionList list = MakePartitionList(static_cast<std::size_t>(partitions));
  for (int i = 0; i < partitions; ++i) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), i)->offset = offset;
  }
  return list;
}

TopicShape ShapeOf(const rd_kafka_metadata_topic& topic) {
  TopicShape shape{topic.partition_cnt, 0, 0};
  for (int i = 0; i < topic.partition_cnt; ++i) {
    const rd_kafka_metadata_partition& each = topic.partitions[i];
    shape.replicas = i == 0 ? each.replica_cnt : std::min(shape.replicas, each.replica_cnt);
    shape.in_sync = i == 0 ? each.isr_cnt : std::min(shape.in_sync, each.isr_cnt);
  }
  return shape;
}

std::vector<std::int64_t> OffsetsIn(const rd_kafka_topic_partition_list_t& list) {
  std::vector<std::int64_t> offsets;
  offsets.reserve(static_cast<std::size_t>(list.cnt));
  for (int i = 0; i < list.cnt; ++i) offsets.push_back(list.elems[i].offset);
  return offsets;
}

// Another broker leads the partition than the one that was asked; which, is known in a moment.
bool LeaderMoves(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
         error == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
         error == RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH ||
         error == RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH;
}

int Remaining(std::chrono::steady_clock::time_point deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return std::max(static_cast<int>(left.count()), 1);
}

std::string Quoted(const std::string& name) { return "\"" + name + "\""; }

}  // namespace

TopicAdmin::TopicAdmin(ClientOptions client, TopicOptions topics)
    : options_(std::move(client)), topics_(topics) {}

std::shared_ptr<Client> TopicAdmin::client() {
  const MutexLock lock(mutex_);
  if (closed_) throw Error(SUMMA_E_CANCELLED, "SH-0640", "told to stop before Kafka was asked");
  if (!client_) {
    client_ = std::make_shared<Client>(options_, RD_KAFKA_PRODUCER,
                                       Settings{{"allow.auto.create.topics", "false"}});
  }
  return client_;
}

void TopicAdmin::Close() {
  std::shared_ptr<Client> last;  // it ends outside of the lock
  const MutexLock lock(mutex_);
  closed_ = true;
  last.swap(client_);
}

void TopicAdmin::Ping() {
  const std::shared_ptr<Client> with = client();
  const rd_kafka_metadata_t* found = nullptr;
  const auto error = rd_kafka_metadata(with->get(), 0, nullptr, &found, Timeout());
  const Metadata metadata(found);
  rd_kafka_poll(with->get(), 0);
  with->Check(error, "Kafka does not answer");
  with->Succeeded();
}

std::optional<int> TopicAdmin::FindPartitions(const std::string& topic) {
  const std::shared_ptr<Client> with = client();
  const Topic handle(rd_kafka_topic_new(with->get(), topic.c_str(), nullptr));
  const rd_kafka_metadata_t* found = nullptr;
  const auto error = rd_kafka_metadata(with->get(), 0, handle.get(), &found, Timeout());
  const Metadata metadata(found);
  rd_kafka_poll(with->get(), 0);
  with->Check(error, "Kafka does not tell of topic " + Quoted(topic));
  with->Succeeded();
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic& each = metadata->topics[i];
    if (each.topic != topic) continue;
    if (each.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return std::nullopt;
    if (each.err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
      with->Check(each.err, "topic " + Quoted(topic) + " cannot be used");
    }
    return each.partition_cnt;
  }
  return std::nullopt;
}

int TopicAdmin::RequireTopic(const std::string& topic, bool ordered) {
  std::optional<int> found = FindPartitions(topic);
  if (!found || *found == 0) {
    if (!topics_.create) {
      throw Error(SUMMA_E_NOT_FOUND, "SH-0644", "topic " + Quoted(topic) + " does not exist",
                  "create it, or set plugins.bus-kafka.create_topics");
    }
    CreateTopic(topic, ordered);
    AwaitLeaders(topic);
    found = FindPartitions(topic);
  }
  const int wanted = topics_.partitions;
  if (found && (!ordered || wanted == 0 || *found == wanted)) return *found;
  if (!found) throw ErrorFor(RD_KAFKA_RESP_ERR__TIMED_OUT, "topic " + Quoted(topic) + " is late");
  throw Error(SUMMA_E_CONFIG, "SH-0645",
              "topic " + Quoted(topic) + " has " + std::to_string(*found) +
                  " partitions, and plugins.bus-kafka.partitions is " + std::to_string(wanted),
              "let all groups read everything, then correct partitions");
}

std::map<std::string, TopicShape> TopicAdmin::AllTopics() {
  const std::shared_ptr<Client> with = client();
  const rd_kafka_metadata_t* found = nullptr;
  const auto error = rd_kafka_metadata(with->get(), 1, nullptr, &found, Timeout());
  const Metadata metadata(found);
  rd_kafka_poll(with->get(), 0);
  with->Check(error, "Kafka does not list its topics");
  with->Succeeded();
  std::map<std::string, TopicShape> topics;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic& each = metadata->topics[i];
    if (each.err == RD_KAFKA_RESP_ERR_NO_ERROR) topics[each.topic] = ShapeOf(each);
  }
  return topics;
}

std::vector<std::string> TopicAdmin::AllBrokers() {
  const std::shared_ptr<Client> with = client();
  const rd_kafka_metadata_t* found = nullptr;
  const auto error = rd_kafka_metadata(with->get(), 0, nullptr, &found, Timeout());
  const Metadata metadata(found);
  with->Check(error, "Kafka does not list its brokers");
  std::vector<std::string> brokers;
  brokers.reserve(static_cast<std::size_t>(metadata->broker_cnt));
  for (int i = 0; i < metadata->broker_cnt; ++i) {
    brokers.push_back(std::to_string(metadata->brokers[i].id));
  }
  return brokers;
}

Event TopicAdmin::Ask(
    const char* what, rd_kafka_admin_op_t kind,
    const std::function<void(rd_kafka_t*, rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& request,
    rd_kafka_resp_err_t expected) {
  const std::shared_ptr<Client> with = client();
  const AdminOptions options(rd_kafka_AdminOptions_new(with->get(), kind));
  std::array<char, 256> text{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), Timeout(), text.data(), text.size());
  const Queue queue(rd_kafka_queue_new(with->get()));
  request(with->get(), options.get(), queue.get());
  Event event(rd_kafka_queue_poll(queue.get(), Timeout() + 1000));
  rd_kafka_poll(with->get(), 0);
  if (!event) with->Throw(RD_KAFKA_RESP_ERR__TIMED_OUT, what);
  const auto error = rd_kafka_event_error(event.get());
  if (error != expected) with->Check(error, what);
  with->Succeeded();
  return event;
}

void TopicAdmin::CreateTopic(const std::string& topic, bool ordered) {
  const std::string what = "topic " + Quoted(topic) + " cannot be created";
  std::array<char, 256> text{};
  const int wanted = topics_.partitions == 0 ? -1 : topics_.partitions;
  using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, Destroy<rd_kafka_NewTopic_destroy>>;
  const NewTopic fresh(rd_kafka_NewTopic_new(topic.c_str(), ordered ? wanted : 1,
                                             topics_.replication, text.data(), text.size()));
  if (!fresh) throw Error(SUMMA_E_CONFIG, "SH-0644", what + ": " + text.data());
  const auto retention = std::chrono::ceil<std::chrono::milliseconds>(topics_.retention).count();
  rd_kafka_NewTopic_set_config(fresh.get(), "message.timestamp.type", "LogAppendTime");
  rd_kafka_NewTopic_set_config(fresh.get(), "cleanup.policy", "delete");
  rd_kafka_NewTopic_set_config(fresh.get(), "retention.ms", std::to_string(retention).c_str());
  const Event event =
      Ask(what.c_str(), RD_KAFKA_ADMIN_OP_CREATETOPICS,
          [&](rd_kafka_t* client, rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
            rd_kafka_NewTopic_t* topics = fresh.get();
            rd_kafka_CreateTopics(client, &topics, 1, options, queue);
          });
  std::size_t count = 0;
  const auto* results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  if (count == 0) return;
  const auto error = rd_kafka_topic_result_error(results[0]);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
    return;
  const char* reason = rd_kafka_topic_result_error_string(results[0]);
  const std::string found = what + ": " + (reason == nullptr ? rd_kafka_err2str(error) : reason);
  const Error meant = ErrorFor(error, found);
  if (meant.status() == SUMMA_E_DENIED) throw meant;
  throw Error(SUMMA_E_CONFIG, "SH-0644", found,
              "create the topic, or correct partitions, replication and topic_prefix of "
              "plugins.bus-kafka");
}

// A topic is known before its partitions can be used.
void TopicAdmin::AwaitLeaders(const std::string& topic) {
  const std::shared_ptr<Client> with = client();
  const auto deadline = std::chrono::steady_clock::now() + options_.request_timeout;
  for (;;) {
    const std::optional<int> partitions = FindPartitions(topic);
    if (partitions && *partitions > 0) {
      std::int64_t low = 0, high = 0;
      bool ready = true;
      for (int i = 0; i < *partitions && ready; ++i) {
        ready = rd_kafka_query_watermark_offsets(with->get(), topic.c_str(), i, &low, &high,
                                                 Timeout()) == RD_KAFKA_RESP_ERR_NO_ERROR;
      }
      if (ready) return;
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      with->Throw(RD_KAFKA_RESP_ERR__TIMED_OUT, "topic " + Quoted(topic) + " has no leader yet");
    }
    std::this_thread::sleep_for(kLeaderPause);
  }
}

std::vector<std::int64_t> TopicAdmin::List(const std::string& topic, int partitions,
                                           std::int64_t time) {
  const std::shared_ptr<Client> with = client();
  const auto deadline = std::chrono::steady_clock::now() + options_.request_timeout;
  for (;;) {
    const PartitionList list = ListOf(topic, partitions, time);
    auto failure = rd_kafka_offsets_for_times(with->get(), list.get(), Remaining(deadline));
    rd_kafka_poll(with->get(), 0);
    for (int i = 0; i < list->cnt && failure == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
      failure = list->elems[i].err;
    }
    if (failure == RD_KAFKA_RESP_ERR_NO_ERROR) {
      with->Succeeded();
      return OffsetsIn(*list);
    }
    if (!LeaderMoves(failure) || std::chrono::steady_clock::now() >= deadline) {
      with->Throw(failure, "the offsets of topic " + Quoted(topic) + " cannot be read");
    }
    std::this_thread::sleep_for(kLeaderPause);
    static_cast<void>(FindPartitions(topic));  // librdkafka learns who leads
  }
}

std::vector<Offsets> TopicAdmin::OffsetsOf(const std::string& topic, int partitions) {
  // The protocol has these two instead of a time.
  const auto lows = List(topic, partitions, RD_KAFKA_OFFSET_BEGINNING);
  const auto highs = List(topic, partitions, RD_KAFKA_OFFSET_END);
  std::vector<Offsets> offsets;
  for (std::size_t i = 0; i < lows.size(); ++i) offsets.push_back({lows[i], highs[i]});
  return offsets;
}

std::vector<std::int64_t> TopicAdmin::OffsetsAt(const std::string& topic, int partitions,
                                                std::int64_t milliseconds) {
  auto found = List(topic, partitions, std::max<std::int64_t>(milliseconds, 0));
  if (std::all_of(found.begin(), found.end(), [](std::int64_t offset) { return offset >= 0; })) {
    return found;
  }
  const auto highs = List(topic, partitions, RD_KAFKA_OFFSET_END);
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i] < 0) found[i] = highs[i];
  }
  return found;
}

std::optional<std::vector<std::int64_t>> TopicAdmin::PlacesOf(const std::string& group,
                                                              const std::string& topic,
                                                              int partitions) {
  const std::string what = "the places of group " + Quoted(group) + " cannot be read";
  const PartitionList asked = ListOf(topic, partitions, RD_KAFKA_OFFSET_INVALID);
  using Request = std::unique_ptr<rd_kafka_ListConsumerGroupOffsets_t,
                                  Destroy<rd_kafka_ListConsumerGroupOffsets_destroy>>;
  const Request request(rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), asked.get()));
  const Event event =
      Ask(what.c_str(), RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS,
          [&](rd_kafka_t* client, rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
            auto* wanted = request.get();
            rd_kafka_ListConsumerGroupOffsets(client, &wanted, 1, options, queue);
          });
  std::size_t count = 0;
  const auto* groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
      rd_kafka_event_ListConsumerGroupOffsets_result(event.get()), &count);
  if (count == 0) return std::nullopt;
  if (const auto* error = rd_kafka_group_result_error(groups[0])) {
    const auto code = rd_kafka_error_code(error);
    if (code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) return std::nullopt;
    client()->Throw(code, what);
  }
  std::vector<std::int64_t> places(static_cast<std::size_t>(partitions), -1);
  bool any = false;
  const auto* list = rd_kafka_group_result_partitions(groups[0]);
  for (int i = 0; list != nullptr && i < list->cnt; ++i) {
    const auto& each = list->elems[i];
    if (each.offset < 0 || each.partition < 0 || each.partition >= partitions) continue;
    places[static_cast<std::size_t>(each.partition)] = each.offset;
    any = true;
  }
  if (!any) return std::nullopt;
  return places;
}

void TopicAdmin::SetPlaces(const std::string& group, const std::string& topic,
                           const std::vector<std::int64_t>& offsets) {
  const std::string what = "group " + Quoted(group) + " cannot be set";
  const PartitionList list = MakePartitionList(offsets.size());
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), static_cast<std::int32_t>(i))
        ->offset = offsets[i];
  }
  using Request = std::unique_ptr<rd_kafka_AlterConsumerGroupOffsets_t,
                                  Destroy<rd_kafka_AlterConsumerGroupOffsets_destroy>>;
  const Request request(rd_kafka_AlterConsumerGroupOffsets_new(group.c_str(), list.get()));
  const Event event =
      Ask(what.c_str(), RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS,
          [&](rd_kafka_t* client, rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
            auto* wanted = request.get();
            rd_kafka_AlterConsumerGroupOffsets(client, &wanted, 1, options, queue);
          });
  std::size_t count = 0;
  const auto* groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(
      rd_kafka_event_AlterConsumerGroupOffsets_result(event.get()), &count);
  if (count == 0) return;
  if (const auto* error = rd_kafka_group_result_error(groups[0])) {
    client()->Throw(rd_kafka_error_code(error), what);
  }
  const auto* set = rd_kafka_group_result_partitions(groups[0]);
  for (int i = 0; set != nullptr && i < set->cnt; ++i) client()->Check(set->elems[i].err, what);
}

void TopicAdmin::DeleteGroup(const std::string& group) {
  const std::string what = "group " + Quoted(group) + " cannot be deleted";
  using Request = std::unique_ptr<rd_kafka_DeleteGroup_t, Destroy<rd_kafka_DeleteGroup_destroy>>;
  const Request request(rd_kafka_DeleteGroup_new(group.c_str()));
  const Event event =
      Ask(what.c_str(), RD_KAFKA_ADMIN_OP_DELETEGROUPS,
          [&](rd_kafka_t* client, rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
            auto* wanted = request.get();
            rd_kafka_DeleteGroups(client, &wanted, 1, options, queue);
          });
  std::size_t count = 0;
  const auto* groups =
      rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event.get()), &count);
  if (count == 0) return;
  if (const auto* error = rd_kafka_group_result_error(groups[0])) {
    client()->Throw(rd_kafka_error_code(error), what);
  }
}

std::vector<std::string> TopicAdmin::AllGroups() {
  const Event event =
      Ask("Kafka does not list its groups", RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS,
          [](rd_kafka_t* client, rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
            rd_kafka_ListConsumerGroups(client, options, queue);
          });
  const auto* result = rd_kafka_event_ListConsumerGroups_result(event.get());
  std::size_t count = 0;
  const auto* errors = rd_kafka_ListConsumerGroups_result_errors(result, &count);
  if (count > 0) client()->Throw(rd_kafka_error_code(errors[0]), "Kafka does not list its groups");
  const auto* listed = rd_kafka_ListConsumerGroups_result_valid(result, &count);
  std::vector<std::string> groups;
  for (std::size_t i = 0; i < count; ++i) {
    groups.emplace_back(rd_kafka_ConsumerGroupListing_group_id(listed[i]));
  }
  return groups;
}

std::int64_t TopicAdmin::MembersOf(const std::string& group) {
  const char* name = group.c_str();
  const Event event =
      Ask("Kafka does not describe a group", RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
          [&](rd_kafka_t* client, rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
            rd_kafka_DescribeConsumerGroups(client, &name, 1, options, queue);
          });
  std::size_t count = 0;
  const auto* groups = rd_kafka_DescribeConsumerGroups_result_groups(
      rd_kafka_event_DescribeConsumerGroups_result(event.get()), &count);
  if (count == 0 || rd_kafka_ConsumerGroupDescription_error(groups[0]) != nullptr) return -1;
  return static_cast<std::int64_t>(rd_kafka_ConsumerGroupDescription_member_count(groups[0]));
}

std::map<std::string, std::string> TopicAdmin::ConfigOf(rd_kafka_ResourceType_t type,
                                                        const std::string& name) {
  using Resource =
      std::unique_ptr<rd_kafka_ConfigResource_t, Destroy<rd_kafka_ConfigResource_destroy>>;
  const Resource resource(rd_kafka_ConfigResource_new(type, name.c_str()));
  const Event event =
      Ask("Kafka does not tell its settings", RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS,
          [&](rd_kafka_t* client, rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
            auto* wanted = resource.get();
            rd_kafka_DescribeConfigs(client, &wanted, 1, options, queue);
          });
  std::size_t count = 0;
  const auto* resources = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  std::map<std::string, std::string> config;
  if (count == 0) return config;
  client()->Check(rd_kafka_ConfigResource_error(resources[0]), "settings of " + Quoted(name));
  const auto* entries = rd_kafka_ConfigResource_configs(resources[0], &count);
  for (std::size_t i = 0; i < count; ++i) {
    const char* value = rd_kafka_ConfigEntry_value(entries[i]);
    config[rd_kafka_ConfigEntry_name(entries[i])] = value == nullptr ? "" : value;
  }
  return config;
}

std::vector<AclRule> TopicAdmin::Acls() {
  using Filter = std::unique_ptr<rd_kafka_AclBindingFilter_t, Destroy<rd_kafka_AclBinding_destroy>>;
  std::array<char, 256> text{};
  const Filter every(rd_kafka_AclBindingFilter_new(
      RD_KAFKA_RESOURCE_ANY, nullptr, RD_KAFKA_RESOURCE_PATTERN_ANY, nullptr, nullptr,
      RD_KAFKA_ACL_OPERATION_ANY, RD_KAFKA_ACL_PERMISSION_TYPE_ANY, text.data(), text.size()));
  const Event event = Ask(
      "Kafka does not tell its ACLs", RD_KAFKA_ADMIN_OP_DESCRIBEACLS,
      [&](rd_kafka_t* client, rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
        rd_kafka_DescribeAcls(client, every.get(), options, queue);
      },
      RD_KAFKA_RESP_ERR_SECURITY_DISABLED);
  if (rd_kafka_event_error(event.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  std::size_t count = 0;
  const auto* found =
      rd_kafka_DescribeAcls_result_acls(rd_kafka_event_DescribeAcls_result(event.get()), &count);
  std::vector<AclRule> rules;
  for (std::size_t i = 0; i < count; ++i) {
    const rd_kafka_AclBinding_t* each = found[i];
    rules.push_back(
        {rd_kafka_AclBinding_restype(each), rd_kafka_AclBinding_name(each),
         rd_kafka_AclBinding_principal(each),
         rd_kafka_AclBinding_resource_pattern_type(each) == RD_KAFKA_RESOURCE_PATTERN_PREFIXED,
         rd_kafka_AclBinding_operation(each),
         rd_kafka_AclBinding_permission_type(each) == RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW});
  }
  return rules;
}

}  // namespace summa::bus_kafka

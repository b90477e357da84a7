#include "plugins/bus-kafka/kafka_bus.hpp"

#include <algorithm>
#include <summa/bus_envelope.hpp>
#include <summa/dead_letter_stream.hpp>
#include <utility>

namespace summa::bus_kafka {
namespace {

constexpr std::chrono::seconds kServeIdle{5};

KafkaBusOptions Completed(KafkaBusOptions options, BusEvents* events) {
  if (!options.client.login) options.client.login = std::make_shared<Login>();
  options.client.statistics = std::make_shared<StatisticsBook>(
      [events](std::string_view purpose, const ClientStatistics& statistics) {
        events->Counted(purpose, statistics);
      });
  return options;
}

}  // namespace

KafkaBus::KafkaBus(KafkaBusOptions options, BusEvents* events)
    : options_(Completed(std::move(options), events)),
      events_(events),
      names_(options_.topic_prefix, options_.group_prefix),
      admin_(options_.client, options_.topics),
      reader_(options_.client, admin_),
      writer_(options_.client, options_.writer, names_, admin_) {
  RefuseForbidden(options_.client.options);
}

KafkaBus::~KafkaBus() { Stop(); }

void KafkaBus::Stop() {
  StopWriter();
  {
    const MutexLock lock(publish_mutex_);
    ending_ = true;
    ends_.notify_all();
    writer_.Close();
  }
  if (idle_.joinable()) idle_.join();
  admin_.Close();
}

// What the producer has to tell between two batches would otherwise wait in memory.
void KafkaBus::ServeIdleWriter() {
  MutexLock lock(publish_mutex_);
  const auto ending = [this]() SUMMA_REQUIRES(publish_mutex_) { return ending_; };
  while (!ends_.wait_for(lock, kServeIdle, ending)) {
    writer_.Serve();
  }
}

// Only what says something about the servers.
template <typename Use>
void KafkaBus::Observe(std::string_view purpose, Use&& use) {
  try {
    use();
  } catch (const Error& error) {
    if (error.status() == SUMMA_E_UNAVAILABLE) events_->Used(purpose, error.what());
    throw;
  }
  events_->Used(purpose, "");
}

void KafkaBus::Publish(std::span<const summa_bus_message> messages,
                       std::span<summa_bus_receipt> receipts) {
  const auto begin = std::chrono::steady_clock::now();
  const auto tell = [&] {
    events_->Published(messages, receipts, std::chrono::steady_clock::now() - begin);
  };
  try {
    Observe("publish", [&] {
      const MutexLock lock(publish_mutex_);
      if (!ending_ && !idle_.joinable()) idle_ = std::thread([this] { ServeIdleWriter(); });
      writer_.Publish(messages, receipts);
    });
  } catch (const Error&) {
    tell();
    throw;
  }
  tell();
}

std::unique_ptr<Subscription> KafkaBus::Subscribe(std::string_view stream, std::string_view group,
                                                  std::string_view consumer, std::uint32_t flags) {
  if (flags != 0) ThrowNoCapability("subscribe() with these flags");
  RequireGroupName("consumer", consumer);
  ReaderOptions reader;
  reader.stream = stream;
  reader.topic = names_.TopicOf(stream);
  reader.group = group;
  reader.group_id = names_.GroupOf(group, reader.topic);
  reader.consumer = consumer;
  reader.static_member = options_.static_members;
  reader.max_prefetch_bytes = options_.max_prefetch_bytes;
  reader.session_timeout = options_.session_timeout;
  reader.commit_interval = options_.commit_interval;
  admin_.RequireTopic(reader.topic, !stream.ends_with(DeadLetterStream::kSuffix));
  return std::make_unique<GroupReader>(options_.client, std::move(reader), events_);
}

void KafkaBus::Ping() {
  Observe("ping", [&] { admin_.Ping(); });
}

void KafkaBus::Read(std::string_view stream, std::string_view after, std::size_t count,
                    const OnDelivery& on_message) {
  const std::string topic = names_.TopicOf(stream);
  Observe("read", [&] { reader_.Read(topic, std::string(stream), after, count, on_message); });
}

void KafkaBus::Scan(const ScanOptions& options, const OnDelivery& on_message) {
  const std::string topic = names_.TopicOf(options.stream);
  Observe("read", [&] { reader_.Scan(topic, options, on_message); });
}

summa_bus_horizon KafkaBus::Horizon(std::string_view stream) {
  const std::string topic = names_.TopicOf(stream);
  std::chrono::milliseconds ahead;
  {
    const MutexLock lock(publish_mutex_);
    ahead = std::chrono::milliseconds(writer_.AheadMilliseconds());
  }
  summa_bus_horizon horizon{};
  Observe("read", [&] { horizon = reader_.Horizon(topic, options_.topics.retention, ahead); });
  return horizon;
}

int KafkaBus::RequireStream(std::string_view stream, const std::string& topic) {
  if (const std::optional<int> partitions = admin_.FindPartitions(topic)) return *partitions;
  throw Error(SUMMA_E_NOT_FOUND, "SH-0607", "there is no stream " + std::string(stream),
              "`summa-host bus streams` lists the streams");
}

std::map<std::string, TopicShape> KafkaBus::TopicsOf(std::string_view stream) {
  if (stream.empty()) return admin_.AllTopics();
  const std::string topic = names_.TopicOf(stream);
  TopicShape shape;
  shape.partitions = RequireStream(stream, topic);
  return {{topic, shape}};
}

void KafkaBus::Streams(std::string_view stream, BusVisitor& visitor) {
  const std::map<std::string, TopicShape> topics = TopicsOf(stream);
  for (const auto& [topic, shape] : topics) {
    const std::optional<std::string> name = names_.StreamOf(topic);
    if (!name) continue;
    summa_bus_stream seen{ToAbi(*name), 0, -1, -1};
    try {
      for (const Offsets& offsets : admin_.OffsetsOf(topic, shape.partitions)) {
        seen.messages += offsets.high - offsets.low;
      }
    } catch (const Error& error) {
      if (error.status() != SUMMA_E_DENIED) throw;
      const std::string reason = error.what();
      if (!visitor.LeftOut({ToAbi(topic), ToAbi(error.code()), ToAbi(reason), 1, 0})) return;
      continue;
    }
    if (!visitor.Stream(seen)) return;
  }
}

bool KafkaBus::ShowGroup(const std::string& id, const Naming::GroupName& name, int partitions,
                         BusVisitor& visitor) {
  const auto places = admin_.PlacesOf(id, name.topic, partitions);
  const std::int64_t members = admin_.MembersOf(id);
  if (!places && members <= 0) return true;  // it is of another topic, or gone
  const std::string stream = *names_.StreamOf(name.topic);
  summa_bus_group group{ToAbi(stream), ToAbi(name.group), members, -1, 0, -1, {}, {}};
  const std::vector<Offsets> offsets = admin_.OffsetsOf(name.topic, partitions);
  std::string position;
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const std::int64_t place = places ? (*places)[i] : -1;
    group.lag += offsets[i].high - std::max(place, offsets[i].low);
    if (place <= 0) continue;
    if (!position.empty()) position += ' ';
    position += Place{static_cast<std::int32_t>(i), place - 1}.Text();
  }
  group.position = ToAbi(position);
  return visitor.Group(group);
}

void KafkaBus::Groups(std::string_view stream, BusVisitor& visitor) {
  const std::map<std::string, TopicShape> topics = TopicsOf(stream);
  std::vector<std::string> ids = admin_.AllGroups();
  std::sort(ids.begin(), ids.end());
  for (const std::string& id : ids) {
    const std::optional<Naming::GroupName> name = names_.ReadGroup(id);
    if (!name) continue;
    const auto topic = topics.find(name->topic);
    if (topic == topics.end()) continue;
    if (!ShowGroup(id, *name, topic->second.partitions, visitor)) return;
  }
}

void KafkaBus::Seek(std::string_view stream, std::string_view group, std::string_view place) {
  const std::string topic = names_.TopicOf(stream);
  const std::string id = names_.GroupOf(group, topic);
  const int partitions = RequireStream(stream, topic);
  if (!admin_.PlacesOf(id, topic, partitions)) {
    throw Error(SUMMA_E_NOT_FOUND, "SH-0607",
                "the stream " + std::string(stream) + " has no group " + std::string(group),
                "`summa-host bus groups` lists the groups");
  }
  admin_.SetPlaces(id, topic, reader_.Resolve(topic, partitions, place));
}

void KafkaBus::CreateGroup(std::string_view stream, std::string_view group,
                           std::string_view place) {
  const std::string topic = names_.TopicOf(stream);
  const int partitions = admin_.RequireTopic(topic, !stream.ends_with(DeadLetterStream::kSuffix));
  admin_.SetPlaces(names_.GroupOf(group, topic), topic, reader_.Resolve(topic, partitions, place));
}

void KafkaBus::DeleteGroup(std::string_view stream, std::string_view group) {
  const std::string topic = names_.TopicOf(stream);
  RequireStream(stream, topic);
  admin_.DeleteGroup(names_.GroupOf(group, topic));
}

}  // namespace summa::bus_kafka

#include "plugins/bus-kafka/group_reader.hpp"

#include <algorithm>
#include <summa/crash_point.hpp>
#include <utility>

#include "plugins/bus-kafka/place.hpp"

namespace summa::bus_kafka {
namespace {

constexpr int kServe = 100;                               // ms: how soon the thread notices its end
constexpr std::chrono::milliseconds kPauseAfter{500};     // without anybody who takes messages
constexpr std::chrono::milliseconds kRestartPause{1000};  // after a fatal error
constexpr std::chrono::milliseconds kProbePause{1000};    // while the servers are not reached
constexpr std::chrono::milliseconds kLagPause{5000};
constexpr int kProbeWait = 500;  // ms
// How long the owner may work on what it has of a partition that stopped, before that is fetched again.
constexpr std::chrono::seconds kFinishWait{30};
constexpr std::size_t kBatch = 500;
constexpr std::size_t kMaximumPoll = 10'000;
constexpr std::size_t kFetchedMessages = 100'000;  // librdkafka fetches no more (its default)
// Texts that are kept to be used again.
constexpr std::size_t kSpareTexts = 2000;
constexpr std::size_t kSpareBytes = 2048;

}  // namespace

GroupReader::GroupReader(ClientOptions client, ReaderOptions options, ReaderEvents* events)
    : client_options_(std::move(client)), options_(std::move(options)), events_(events) {
  thread_ = std::thread([this] { Serve(); });
}

GroupReader::~GroupReader() {
  {
    const MutexLock lock(mutex_);
    stop_ = true;
    room_.notify_all();
  }
  thread_.join();
}

void GroupReader::Serve() {
  while (!stop_) {
    try {
      ServeClient();
    } catch (const Error& error) {
      const MutexLock lock(mutex_);
      failure_ = error;
    }
    CloseClient();
    MutexLock lock(mutex_);
    DropAll();
    arrived_.notify_all();
    room_.wait_for(lock, kRestartPause, [this] { return stop_.load(); });
  }
}

void GroupReader::ServeClient() {
  Settings settings = {
      {"group.id", options_.group_id},
      {"enable.auto.commit", "true"},
      {"auto.commit.interval.ms", std::to_string(options_.commit_interval.count())},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "error"},
      {"enable.partition.eof", "true"},
      {"partition.assignment.strategy", "cooperative-sticky"},
      {"allow.auto.create.topics", "false"},
      {"session.timeout.ms", std::to_string(options_.session_timeout.count())},
      {"heartbeat.interval.ms", std::to_string(options_.session_timeout.count() / 3)},
      {"queued.max.messages.kbytes",
       std::to_string(std::max<std::size_t>(options_.max_prefetch_bytes >> 10, 64))}};
  if (options_.static_member) settings.emplace_back("group.instance.id", options_.consumer);
  ClientEvents* const self = this;
  {
    auto fresh = std::make_unique<Client>(client_options_, RD_KAFKA_CONSUMER, settings, self);
    const MutexLock lock(mutex_);
    client_ = std::move(fresh);
  }
  paused_ = false;
  rd_kafka_poll_set_consumer(client_->get());
  fetched_.reset(rd_kafka_queue_get_consumer(client_->get()));
  most_fetched_ = 0;
  const PartitionList topics = MakePartitionList(1);
  rd_kafka_topic_partition_list_add(topics.get(), options_.topic.c_str(), RD_KAFKA_PARTITION_UA);
  client_->Check(rd_kafka_subscribe(client_->get(), topics.get()), "a group cannot be joined");
  while (!stop_) {
    if (rd_kafka_fatal_error(client_->get(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (!fenced_) return;  // with a new client
      MutexLock lock(mutex_);
      DropAll();
      arrived_.notify_all();
      room_.wait(lock, [this] { return stop_.load(); });
      return;
    }
    if (MustBeginAgain()) return;
    Probe();
    ReportLag();
    WaitForRoom();
    TakeMessages();
  }
}

// librdkafka says that the servers are gone, and not that they are back.
void GroupReader::Probe() {
  {
    const MutexLock lock(mutex_);
    if (!failure_ || std::chrono::steady_clock::now() < next_probe_) return;
  }
  next_probe_ = std::chrono::steady_clock::now() + kProbePause;
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(client_->get(), 0, nullptr, &metadata, kProbeWait) !=
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    return;
  }
  rd_kafka_metadata_destroy(metadata);
  Recover();
}

// The end of a partition is what the latest fetch said.
void GroupReader::ReportLag() {
  const auto now = std::chrono::steady_clock::now();
  if (events_ == nullptr || now < next_lag_) return;
  next_lag_ = now + kLagPause;
  std::map<std::int32_t, std::int64_t> places;
  {
    const MutexLock lock(mutex_);
    for (const auto& [number, partition] : partitions_) places[number] = partition.settled;
  }
  std::int64_t lag = 0;
  for (const auto& [number, place] : places) {
    std::int64_t low = 0, high = 0;
    if (rd_kafka_get_watermark_offsets(client_->get(), options_.topic.c_str(), number, &low,
                                       &high) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        high < 0) {
      return;  // not known yet
    }
    lag += std::max<std::int64_t>(high - std::max(place, low), 0);
  }
  events_->Lag(options_, lag);
}

void GroupReader::Recover() {
  {
    const MutexLock lock(mutex_);
    if (!std::exchange(failure_, std::nullopt)) return;
  }
  client_->Succeeded();
  if (events_ != nullptr) events_->Reached(options_);
}

// Commits what is stored and leaves the group, but not longer than a request may take.
void GroupReader::LeaveGroup() {
  // It ends before the client: what it still has holds on to the client's threads.
  const Queue queue(rd_kafka_queue_new(client_->get()));
  const KafkaError error(rd_kafka_consumer_close_queue(client_->get(), queue.get()));
  const auto end = std::chrono::steady_clock::now() + client_options_.request_timeout;
  while (!error && rd_kafka_consumer_closed(client_->get()) == 0 &&
         std::chrono::steady_clock::now() < end) {
    const Event event(rd_kafka_queue_poll(queue.get(), kServe));
    if (event && rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_REBALANCE) {
      Rebalance(rd_kafka_event_error(event.get()),
                rd_kafka_event_topic_partition_list(event.get()));
    }
  }
  if (rd_kafka_consumer_closed(client_->get()) == 0) client_->DoNotClose();
}

void GroupReader::CloseClient() {
  if (!client_) return;
  fetched_.reset();
  LeaveGroup();
  std::unique_ptr<Client> ended;  // without the mutex
  const MutexLock lock(mutex_);
  ended = std::move(client_);
}

// As many as are there: whoever polls is woken once for all of them.
void GroupReader::TakeMessages() {
  const std::size_t waited = rd_kafka_queue_length(fetched_.get());
  taken_bytes_ = 0;
  int wait = kServe;
  while (taken_.size() < kBatch && taken_bytes_ < options_.max_prefetch_bytes / 4) {
    const Message message(rd_kafka_consumer_poll(client_->get(), wait));
    if (!message) break;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      Hold();
      return TakeError(*message);
    }
    Keep(*message);
    wait = 0;
  }
  if (!taken_.empty()) Hold();
  KeepFetching(waited);
}

void GroupReader::Keep(const rd_kafka_message_t& message) {
  std::string text;
  if (!texts_.empty()) {
    text = std::move(texts_.back());
    texts_.pop_back();
  }
  taken_.emplace_back(message, std::move(text));
  taken_bytes_ += taken_.back().bytes();
  average_bytes_ = (average_bytes_ * 15 + taken_.back().value_size) / 16;
}

// When its queue is full, librdkafka fetches nothing, and looks once a second whether there is room
// again. A reader that is quicker than that would wait for most of the second.
void GroupReader::KeepFetching(std::size_t waited) {
  most_fetched_ = std::max(most_fetched_, waited);
  const bool was_full = most_fetched_ * average_bytes_ >= options_.max_prefetch_bytes / 2 ||
                        most_fetched_ >= kFetchedMessages / 2;
  const std::size_t waits = rd_kafka_queue_length(fetched_.get());
  if (!was_full || waits > most_fetched_ / 2) return;
  most_fetched_ = waits;
  client_->WakeBrokers();
}

void GroupReader::Hold() {
  {
    const MutexLock lock(mutex_);
    if (texts_.empty()) texts_.swap(spare_);
    for (StoredRecord& record : taken_) {
      const auto partition = partitions_.find(record.partition);
      if (partition == partitions_.end()) continue;
      partition->second.at_end = false;
      queue_bytes_ += record.bytes();
      queue_.push_back(std::move(record));
    }
    taken_.clear();
    arrived_.notify_all();
  }
  Recover();
}

void GroupReader::TakeError(const rd_kafka_message_t& message) {
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF: {
      {
        const MutexLock lock(mutex_);
        const auto partition = partitions_.find(message.partition);
        if (partition != partitions_.end()) partition->second.at_end = true;
        arrived_.notify_all();
      }
      return Recover();
    }
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      return Stopped(message.partition);
    default:
      Failed(message.err);
  }
}

// What may pass by itself is not told, but for what a person must see.
void GroupReader::Failed(rd_kafka_resp_err_t error) {
  char text[256] = "";
  const auto fatal = rd_kafka_fatal_error(client_->get(), text, sizeof text);
  const bool fenced = fatal == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID ||
                      error == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
  if (fenced) fenced_ = true;
  if (!fenced && fatal == RD_KAFKA_RESP_ERR_NO_ERROR && error == RD_KAFKA_RESP_ERR__TRANSPORT)
    return;
  const std::string what = "group " + options_.group + " of stream " + options_.stream;
  Error meant = fenced ? Error(SUMMA_E_FENCED, "SH-0652",
                               what + ": another reader has the name " + options_.consumer,
                               "give every reader a name of its own")
                       : client_->Meaning(error, what);
  const std::string reason = meant.what();
  {
    const MutexLock lock(mutex_);
    failure_ = std::move(meant);
    arrived_.notify_all();
  }
  if (events_ != nullptr) events_->NotReached(options_, reason);
}

// A paused partition loses what librdkafka has fetched of it, so this waits before it pauses.
void GroupReader::WaitForRoom() {
  bool full = false;
  {
    MutexLock lock(mutex_);
    const std::size_t most = options_.max_prefetch_bytes;
    const auto room = [&]() SUMMA_REQUIRES(mutex_) {
      return stop_ || queue_bytes_ < (paused_ ? most / 2 : most);
    };
    full = !room();
    if (full && !paused_) full = !room_.wait_for(lock, kPauseAfter, room);
  }
  if (full != paused_ && !stop_) SetPaused(full);
}

void GroupReader::SetPaused(bool paused) {
  const PartitionList list = MakePartitionList();
  {
    const MutexLock lock(mutex_);
    for (auto& [number, partition] : partitions_) {
      rd_kafka_topic_partition_list_add(list.get(), options_.topic.c_str(), number);
      partition.at_end = false;
    }
  }
  paused_ = paused;
  if (list->cnt == 0) return;
  if (paused) {
    rd_kafka_pause_partitions(client_->get(), list.get());
  } else {
    rd_kafka_resume_partitions(client_->get(), list.get());
    most_fetched_ = kFetchedMessages;  // the threads are woken when that has taken effect
  }
}

void GroupReader::Rebalance(rd_kafka_resp_err_t kind, rd_kafka_topic_partition_list_t* partitions) {
  if (events_ != nullptr) events_->Rebalanced(options_);
  if (kind == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    Assign(partitions);
  } else {
    Revoke(partitions);
    const KafkaError error(rd_kafka_incremental_unassign(client_->get(), partitions));
  }
}

void GroupReader::Assign(rd_kafka_topic_partition_list_t* partitions) {
  if (partitions->cnt > 0) FindPlaces(partitions);
  {
    const MutexLock lock(mutex_);
    for (int i = 0; i < partitions->cnt; ++i) {
      Partition& partition = partitions_[partitions->elems[i].partition];
      partition = {};
      partition.next = partition.settled = std::max<std::int64_t>(partitions->elems[i].offset, 0);
    }
  }
  const KafkaError error(rd_kafka_incremental_assign(client_->get(), partitions));
  if (paused_ && partitions->cnt > 0) rd_kafka_pause_partitions(client_->get(), partitions);
  const MutexLock lock(mutex_);
  // The place of the group is known from its beginning on.
  for (int i = 0; i < partitions->cnt; ++i) {
    if (partitions->elems[i].offset >= 0) {
      Store(partitions->elems[i].partition, partitions->elems[i].offset);
    }
  }
  joined_ = true;
  arrived_.notify_all();
}

// Where the group is, or else the oldest message. What cannot be asked now, librdkafka asks until it
// is told; a place that is not there stops the partition.
void GroupReader::FindPlaces(rd_kafka_topic_partition_list_t* partitions) {
  const int timeout = static_cast<int>(client_options_.request_timeout.count());
  const auto failed = [](const rd_kafka_topic_partition_list_t& list) {
    return std::any_of(list.elems, list.elems + list.cnt,
                       [](const auto& each) { return each.err != RD_KAFKA_RESP_ERR_NO_ERROR; });
  };
  const auto ask = [&](std::int64_t time) -> PartitionList {
    PartitionList list(rd_kafka_topic_partition_list_copy(partitions));
    for (int i = 0; i < list->cnt; ++i) list->elems[i].offset = time;
    if (rd_kafka_offsets_for_times(client_->get(), list.get(), timeout) ==
            RD_KAFKA_RESP_ERR_NO_ERROR &&
        !failed(*list)) {
      return list;
    }
    return nullptr;
  };
  if (rd_kafka_committed(client_->get(), partitions, timeout) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      failed(*partitions)) {
    for (int i = 0; i < partitions->cnt; ++i) {
      partitions->elems[i].offset = RD_KAFKA_OFFSET_STORED;
      partitions->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    return;
  }
  const PartitionList lows = ask(RD_KAFKA_OFFSET_BEGINNING);
  const PartitionList highs = lows ? ask(RD_KAFKA_OFFSET_END) : nullptr;
  for (int i = 0; i < partitions->cnt; ++i) {
    auto& each = partitions->elems[i];
    if (highs) {
      each.offset = PlaceWithin(each, lows->elems[i].offset, highs->elems[i].offset);
    } else if (each.offset < 0) {
      each.offset = RD_KAFKA_OFFSET_BEGINNING;
    }
  }
}

// Behind the end, messages of this partition were lost by its brokers, and others may have taken
// their offsets: what was settled is then delivered again, so that none of those is left out. The
// end is what it is: a leader that does not know it yet answers that it does not (KIP-207).
std::int64_t GroupReader::PlaceWithin(const rd_kafka_topic_partition_t& place, std::int64_t low,
                                      std::int64_t high) {
  if (place.offset > high) {
    if (events_ != nullptr) {
      events_->BehindEnd(options_, Place{place.partition, place.offset}.Text(), high, low);
    }
    return low;
  }
  if (place.offset >= 0 && place.offset < low) ReportLost(place.partition, place.offset, low);
  return std::max(place.offset, low);
}

void GroupReader::ReportLost(std::int32_t partition, std::int64_t place, std::int64_t low) {
  if (events_ == nullptr) return;
  events_->Lost(options_, static_cast<std::size_t>(low - place), Place{partition, place}.Text(),
                Place{partition, low - 1}.Text());
}

// librdkafka fetches no more of it: its messages were removed while this reader had it, or its place
// is not known.
void GroupReader::Stopped(std::int32_t number) {
  const MutexLock lock(mutex_);
  const auto partition = partitions_.find(number);
  if (partition == partitions_.end() || partition->second.stopped) return;
  partition->second.stopped = std::chrono::steady_clock::now();
  partition->second.at_end = false;
}

// A partition that stopped goes on with a new client, which looks for its place: within the same
// client it could only be done beside a rebalance, and then two readers might have it. What the owner
// has of it may be on no server any more, so it is finished first.
bool GroupReader::MustBeginAgain() {
  const MutexLock lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  return std::any_of(
      partitions_.begin(), partitions_.end(), [&](const auto& each) SUMMA_REQUIRES(mutex_) {
        const auto& [number, partition] = each;
        if (!partition.stopped) return false;
        const bool finished = partition.settled >= partition.next &&
                              std::none_of(queue_.begin(), queue_.end(),
                                           [number = number](const StoredRecord& record) {
                                             return record.partition == number;
                                           });
        return finished || now >= *partition.stopped + kFinishWait;
      });
}

void GroupReader::Drop(std::int32_t partition) {
  if (partitions_.erase(partition) == 0) return;
  lost_.insert(static_cast<std::uint32_t>(partition));
  std::erase_if(taken_, [&](const StoredRecord& record) { return record.partition == partition; });
  std::erase_if(queue_, [&](const StoredRecord& record) SUMMA_REQUIRES(mutex_) {
    if (record.partition != partition) return false;
    queue_bytes_ -= record.bytes();
    return true;
  });
  room_.notify_all();
}

void GroupReader::DropAll() {
  while (!partitions_.empty()) Drop(partitions_.begin()->first);
  joined_ = false;
}

void GroupReader::Revoke(const rd_kafka_topic_partition_list_t* partitions) {
  const MutexLock lock(mutex_);
  for (int i = 0; i < partitions->cnt; ++i) Drop(partitions->elems[i].partition);
  arrived_.notify_all();
}

bool GroupReader::CaughtUp() const {
  return joined_ && std::all_of(partitions_.begin(), partitions_.end(),
                                [](const auto& each) { return each.second.at_end; });
}

std::span<const summa_bus_delivery> GroupReader::Poll(std::size_t max,
                                                      std::chrono::microseconds wait) {
  using std::chrono::steady_clock;
  decoder_.Forget();
  deliveries_.clear();
  for (StoredRecord& record : given_) {
    if (returned_.size() >= kSpareTexts) break;
    if (record.text.capacity() <= kSpareBytes) returned_.push_back(std::move(record.text));
  }
  given_.clear();
  const auto begin = steady_clock::now();
  const auto deadline = begin + wait;
  // What is there is asked for first, which takes as long as the servers need.
  const auto last = std::max(deadline, begin + client_options_.request_timeout);
  {
    MutexLock lock(mutex_);
    if (spare_.empty()) spare_.swap(returned_);
    for (;;) {
      Take(std::min(max, kMaximumPoll));
      if (!given_.empty() || !lost_.empty()) break;
      if (failure_) throw Error(*failure_);
      const auto now = steady_clock::now();
      if (now >= deadline && CaughtUp()) break;
      if (now >= last) ThrowNoAnswer();
      arrived_.wait_until(lock, now < deadline ? deadline : last);
    }
  }
  deliveries_.reserve(given_.size());
  for (const StoredRecord& record : given_) {
    deliveries_.push_back(decoder_.Decode(record, options_.stream));
  }
  if (events_ != nullptr && !given_.empty()) events_->Polled(options_, given_.size());
  return deliveries_;
}

// Nothing to deliver is not said of what could not be looked at.
void GroupReader::ThrowNoAnswer() const {
  throw Error(SUMMA_E_UNAVAILABLE, "SH-0653",
              "group " + options_.group + " of stream " + options_.stream +
                  (joined_ ? ": Kafka does not deliver from every partition"
                           : ": the group has given this reader no partitions yet"),
              "it is tried again; check the brokers that lead the topic and the other readers");
}

void GroupReader::Take(std::size_t max) {
  for (auto next = queue_.begin(); next != queue_.end() && given_.size() < max;) {
    if (!lost_.empty() && lost_.contains(static_cast<std::uint32_t>(next->partition))) {
      ++next;
      continue;
    }
    Partition& partition = partitions_.at(next->partition);
    queue_bytes_ -= next->bytes();
    if (IsForGroup(*next, options_.group)) {
      partition.delivered = next->offset;
      partition.next = next->offset + 1;
      given_.push_back(std::move(*next));
    } else {
      Skip(partition, *next);
    }
    // Almost always the first one: only partitions that were lost stay before it.
    next = queue_.erase(next);
  }
  room_.notify_all();
}

// A message that is meant for another group counts as settled when everything before it is.
void GroupReader::Skip(Partition& partition, const StoredRecord& record) {
  const bool all_settled = partition.settled == partition.next;
  partition.next = record.offset + 1;
  if (all_settled) Store(record.partition, partition.next);
}

void GroupReader::Store(std::int32_t number, std::int64_t offset) {
  const PartitionList list = MakePartitionList(1);
  rd_kafka_topic_partition_list_add(list.get(), options_.topic.c_str(), number)->offset = offset;
  const auto error = rd_kafka_offsets_store(client_->get(), list.get());
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) partitions_[number].settled = offset;
}

std::span<const std::uint32_t> GroupReader::Revoked() {
  const MutexLock lock(mutex_);
  revoked_.assign(lost_.begin(), lost_.end());
  lost_.clear();
  return revoked_;
}

void GroupReader::Settle(summa_str delivery_id) {
  const std::optional<Place> place = ParsePlace(FromAbi(delivery_id));
  if (!place) {
    throw Error(SUMMA_E_USAGE, "SH-0605",
                "\"" + std::string(FromAbi(delivery_id)) + "\" is not a place of a stream");
  }
  const MutexLock lock(mutex_);
  const auto found = partitions_.find(place->partition);
  if (found == partitions_.end() || !client_) return;
  if (lost_.contains(static_cast<std::uint32_t>(place->partition))) return;
  const Partition& partition = found->second;
  // Not what an earlier reader of this partition got.
  if (place->offset > partition.delivered) return;
  const std::int64_t next =
      place->offset == partition.delivered ? partition.next : place->offset + 1;
  if (next <= partition.settled) return;
  CrashPoint("kafka.settle");
  Store(place->partition, next);
  CrashPoint("kafka.settled");
}

}  // namespace summa::bus_kafka

#include "plugins/bus-kafka/record_writer.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <summa/bus_types.hpp>
#include <summa/crash_point.hpp>
#include <summa/dead_letter_stream.hpp>
#include <utility>

namespace summa::bus_kafka {
namespace {

constexpr std::size_t kBatchOverhead = 16 << 10;  // what a request has besides one largest message
constexpr std::size_t kDefaultBatch = 1'000'000;  // of Kafka, for brokers and clients
constexpr int kQueueFullWait = 10;                // ms
constexpr int kFlushWait = 100;                   // ms: how soon it notices that it must stop
constexpr std::int64_t kMaximumAhead = 86'400'000;  // ms; more is no clock

void Fill(summa_bus_receipt& receipt, summa_bus_outcome outcome, std::string_view text) {
  receipt.outcome = outcome;
  detail::CopyText(receipt.error, text);
}

// The Java client chooses the same. A number of partitions that changed is refused, since the key
// would move: a partition that does not exist fails the message.
std::int32_t ChoosePartition(const rd_kafka_topic_t* topic, const void* key, std::size_t size,
                             std::int32_t count, void* opaque, void* message) {
  const int known = *static_cast<const int*>(opaque);
  if (known != 0 && known != count) return count;
  return rd_kafka_msg_partitioner_murmur2(topic, key, size, count, nullptr, message);
}

}  // namespace

RecordWriter::RecordWriter(ClientOptions client, WriterOptions options, const Naming& names,
                           TopicAdmin& admin)
    : client_options_(std::move(client)),
      options_(std::move(options)),
      names_(names),
      admin_(admin) {}

RecordWriter::~RecordWriter() { Discard(); }

void RecordWriter::Open() {
  if (client_) return;
  const std::size_t request = std::max(kDefaultBatch, options_.max_message_bytes + kBatchOverhead);
  ClientEvents* const self = this;
  client_ = std::make_unique<Client>(
      client_options_, RD_KAFKA_PRODUCER,
      Settings{{"enable.idempotence", "true"},
               {"enable.gapless.guarantee", "true"},
               {"acks", "all"},
               {"message.timeout.ms", "0"},
               {"allow.auto.create.topics", "false"},
               {"compression.codec", options_.compression},
               {"message.max.bytes", std::to_string(request)},
               {"queue.buffering.max.messages", "1000000"},
               {"queue.buffering.max.kbytes",
                std::to_string(std::max<std::size_t>(options_.max_buffer_bytes >> 10, 1))}},
      self);
}

void RecordWriter::Serve() {
  if (client_) rd_kafka_poll(client_->get(), 0);
}

// What it still has is told to Delivered() as purged, and forgotten.
void RecordWriter::Discard() {
  if (!client_) return;
  rd_kafka_purge(client_->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  const auto end = std::chrono::steady_clock::now() + client_options_.request_timeout;
  while (open_ > 0 && std::chrono::steady_clock::now() < end) rd_kafka_poll(client_->get(), 100);
  topics_.clear();
  client_.reset();
  open_ = 0;
}

RecordWriter::TopicState& RecordWriter::StateOf(const std::string& topic) {
  if (const auto known = topics_.find(topic); known != topics_.end()) return known->second;
  const bool ordered = !topic.ends_with(DeadLetterStream::kSuffix);
  const int found = admin_.RequireTopic(topic, ordered);
  const int first = partitions_.try_emplace(topic, ordered ? found : 0).first->second;
  if (first != 0 && first != found) {
    throw Error(SUMMA_E_CONFIG, "SH-0645",
                "topic " + topic + " has " + std::to_string(found) + " partitions, and had " +
                    std::to_string(first) + "; its keys would lose their order",
                "let all groups read everything, then restart the hosts");
  }
  TopicState& state = topics_[topic];
  state.partitions = found;
  state.ordered = ordered;
  rd_kafka_topic_conf_t* conf = rd_kafka_topic_conf_new();
  rd_kafka_topic_conf_set_opaque(conf, &partitions_.at(topic));
  rd_kafka_topic_conf_set_partitioner_cb(conf, &ChoosePartition);
  state.handle.reset(rd_kafka_topic_new(client_->get(), topic.c_str(), conf));
  return state;
}

void RecordWriter::Delivered(const rd_kafka_message_t& message) {
  auto* outcome = static_cast<Outcome*>(message._private);
  if (outcome == nullptr) return;
  --open_;
  outcome->error = message.err;
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t at = rd_kafka_message_timestamp(&message, &type);
  if (type != RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME) return;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::int64_t ahead =
      at - std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  if (std::abs(ahead) < kMaximumAhead) ahead_milliseconds_ = ahead;
}

// False: it is not to be sent, and the receipt says why.
bool RecordWriter::Prepare(const summa_bus_message& message, summa_bus_receipt& receipt) {
  if (message.payload.size > options_.max_message_bytes) {
    Fill(receipt, SUMMA_BUS_REFUSED,
         "SH-0649: the payload has " + std::to_string(message.payload.size) +
             " bytes, and max_message_bytes is " + std::to_string(options_.max_message_bytes));
    return false;
  }
  if (!encoder_.Encode(message, value_)) {
    Fill(receipt, SUMMA_BUS_REFUSED, "SH-0650: the payload is not JSON");
    return false;
  }
  const std::size_t most = options_.max_message_bytes + kBatchOverhead;
  const std::size_t bytes = value_.size() + OverheadBytes(message);
  if (bytes <= most) return true;
  Fill(receipt, SUMMA_BUS_REFUSED,
       "SH-0649: the message has " + std::to_string(bytes) +
           " bytes with its key, note and other "
           "fields, and at most " +
           std::to_string(most) + " are sent");
  return false;
}

rd_kafka_resp_err_t RecordWriter::Produce(const summa_bus_message& message, TopicState& topic,
                                          Outcome& outcome) {
  rd_kafka_headers_t* headers = MakeHeaders(message);
  // A key that is empty is a key.
  const std::string_view key = message.key.data == nullptr ? "" : FromAbi(message.key);
  const std::array<rd_kafka_vu_t, 7> fields = {
      {{.vtype = RD_KAFKA_VTYPE_RKT, .u = {.rkt = topic.handle.get()}},
       {.vtype = RD_KAFKA_VTYPE_PARTITION, .u = {.i32 = RD_KAFKA_PARTITION_UA}},
       {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u = {.i = RD_KAFKA_MSG_F_COPY}},
       {.vtype = RD_KAFKA_VTYPE_VALUE, .u = {.mem = {value_.data(), value_.size()}}},
       {.vtype = RD_KAFKA_VTYPE_KEY, .u = {.mem = {const_cast<char*>(key.data()), key.size()}}},
       {.vtype = RD_KAFKA_VTYPE_HEADERS, .u = {.headers = headers}},
       {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u = {.ptr = &outcome}}}};
  for (;;) {
    const KafkaError failure(rd_kafka_produceva(client_->get(), fields.data(), fields.size()));
    const rd_kafka_resp_err_t error =
        failure ? rd_kafka_error_code(failure.get()) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return error;  // the producer has the headers
    const bool full = error == RD_KAFKA_RESP_ERR__QUEUE_FULL;
    if (!full || OutOfTime()) {
      rd_kafka_headers_destroy(headers);
      return error;
    }
    rd_kafka_poll(client_->get(), kQueueFullWait);
  }
}

// Waits until every message that was given has its outcome, or the deadline is over.
void RecordWriter::Finish() {
  while (rd_kafka_flush(client_->get(), kFlushWait) == RD_KAFKA_RESP_ERR__TIMED_OUT) {
    if (OutOfTime()) break;
  }
  const bool failed = std::any_of(outcomes_.begin(), outcomes_.end(), [](const Outcome& outcome) {
    return outcome.given && outcome.error != RD_KAFKA_RESP_ERR_NO_ERROR;
  });
  if (open_ == 0 && !failed) client_->Succeeded();
}

RecordWriter::Fault RecordWriter::FaultOf(rd_kafka_resp_err_t error,
                                          const summa_bus_message& message) const {
  const std::string text = rd_kafka_err2str(error);
  switch (error) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
      return {SUMMA_BUS_REFUSED,
              "SH-0649: Kafka takes no message of this size: raise max.message.bytes of the topic, "
              "or lower plugins.bus-kafka.max_message_bytes"};
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
      return {SUMMA_BUS_REFUSED, text};
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return {SUMMA_BUS_STREAM_FAULT, "SH-0645: the number of partitions of topic " +
                                          names_.TopicOf(FromAbi(message.stream)) +
                                          " has changed; its keys would lose their order"};
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
      return {SUMMA_BUS_STREAM_FAULT, "SH-0644: " + text};
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return {SUMMA_BUS_STREAM_FAULT, "SH-0643: " + text};
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
      return {SUMMA_BUS_STREAM_FAULT, text};
    default:
      return {SUMMA_BUS_UNSENT, text};
  }
}

void RecordWriter::Publish(std::span<const summa_bus_message> messages,
                           std::span<summa_bus_receipt> receipts) {
  for (summa_bus_receipt& receipt : receipts) Fill(receipt, SUMMA_BUS_UNSENT, "");
  if (stop_) throw Error(SUMMA_E_CANCELLED, "SH-0640", "told to stop before anything was sent");
  deadline_ = std::chrono::steady_clock::now() + options_.publish_timeout;
  Send(messages, receipts);
}

// Which of the messages of a request is too large is not said: the answer is for all of them.
void RecordWriter::SendOneByOne(std::span<const summa_bus_message> messages,
                                std::span<summa_bus_receipt> receipts) {
  std::set<std::string_view> failed;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (receipts[i].outcome == SUMMA_BUS_CONFIRMED) continue;
    const std::string_view stream = FromAbi(messages[i].stream);
    if (failed.contains(stream)) continue;
    if (receipts[i].outcome == SUMMA_BUS_UNSENT)
      Send(messages.subspan(i, 1), receipts.subspan(i, 1));
    if (receipts[i].outcome != SUMMA_BUS_CONFIRMED) failed.insert(stream);
  }
}

void RecordWriter::Send(std::span<const summa_bus_message> messages,
                        std::span<summa_bus_receipt> receipts) {
  Open();
  outcomes_.assign(messages.size(), {});
  std::set<std::string_view> failed;
  TopicState* topic = nullptr;
  std::string_view known;
  const auto fail = [&](std::size_t i, const Fault& fault) {
    Fill(receipts[i], fault.outcome, fault.text);
    failed.insert(FromAbi(messages[i].stream));
  };
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const std::string_view stream = FromAbi(messages[i].stream);
    if (failed.contains(stream)) continue;
    if (!Prepare(messages[i], receipts[i])) {
      failed.insert(stream);
      continue;
    }
    try {
      // Most batches are of one stream.
      if (topic == nullptr || stream != known) topic = &StateOf(names_.TopicOf(stream));
      known = stream;
      const auto error = Produce(messages[i], *topic, outcomes_[i]);
      if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail(i, FaultOf(error, messages[i]));
        continue;
      }
      outcomes_[i].given = true;
      ++open_;
    } catch (const Error& error) {
      if (error.status() == SUMMA_E_UNAVAILABLE) {
        Finish();
        Judge(messages, receipts);
        throw;
      }
      const bool refused = error.status() == SUMMA_E_USAGE;
      fail(i, {refused ? SUMMA_BUS_REFUSED : SUMMA_BUS_STREAM_FAULT,
               error.code() + ": " + error.what()});
    }
  }
  CrashPoint("kafka.sent");
  Finish();
  CrashPoint("kafka.answered");
  if (Judge(messages, receipts)) SendOneByOne(messages, receipts);
}

// Writes the receipts of what was given to the producer. True: what failed was a request of several
// messages, for which it cannot be said which one is at fault.
bool RecordWriter::Judge(std::span<const summa_bus_message> messages,
                         std::span<summa_bus_receipt> receipts) {
  const bool late = open_ > 0;
  const auto fatal = rd_kafka_fatal_error(client_->get(), nullptr, 0);
  std::size_t unconfirmed = 0, too_large = 0;
  std::optional<rd_kafka_resp_err_t> lost;
  // Before the purge, which is a failure of its own.
  const bool explained = !client_->Failure().empty();
  const Error failure =
      client_->Meaning(fatal == RD_KAFKA_RESP_ERR_NO_ERROR ? RD_KAFKA_RESP_ERR__TIMED_OUT : fatal,
                       "Kafka did not confirm the messages");
  if (late) {
    rd_kafka_purge(client_->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(client_->get(), 0);
  }
  for (const Outcome& outcome : outcomes_) {
    if (!outcome.given || outcome.error == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    ++unconfirmed;
    if (outcome.error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) ++too_large;
  }
  const bool search = too_large > 0 && unconfirmed > 1 && !late;
  bool named = false;  // a message says why: the others only followed it
  for (std::size_t i = 0; i < outcomes_.size(); ++i) {
    const Outcome& outcome = outcomes_[i];
    if (!outcome.given) continue;
    if (outcome.error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      Fill(receipts[i], SUMMA_BUS_CONFIRMED, "");
      continue;
    }
    const Fault fault = FaultOf(outcome.error, messages[i]);
    const bool unsent = search || fault.outcome == SUMMA_BUS_UNSENT;
    Fill(receipts[i], unsent ? SUMMA_BUS_UNSENT : fault.outcome, unsent ? "" : fault.text);
    if (fault.outcome == SUMMA_BUS_UNSENT) {
      lost = outcome.error;
    } else {
      named = true;
    }
  }
  if (unconfirmed == 0 && fatal == RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  Discard();
  if (search || !lost || named) return search;
  if (late && stop_) {
    throw Error(SUMMA_E_CANCELLED, "SH-0640", "told to stop before Kafka confirmed the messages");
  }
  if (!late || explained) throw failure;
  FaultStreams(messages, receipts);
  return false;
}

// The servers can be reached, and do not confirm: the streams wait, and others go on.
void RecordWriter::FaultStreams(std::span<const summa_bus_message> messages,
                                std::span<summa_bus_receipt> receipts) {
  std::set<std::string_view> failed;
  for (std::size_t i = 0; i < outcomes_.size(); ++i) {
    if (!outcomes_[i].given || receipts[i].outcome != SUMMA_BUS_UNSENT) continue;
    if (!failed.insert(FromAbi(messages[i].stream)).second) continue;
    Fill(receipts[i], SUMMA_BUS_STREAM_FAULT,
         "SH-0648: Kafka did not confirm within publish_timeout; check that the leaders of the "
         "topic "
         "have enough replicas (min.insync.replicas)");
  }
}

}  // namespace summa::bus_kafka

#include "plugins/bus-redis/group_reader.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <summa/error.hpp>
#include <unordered_map>

#include "plugins/bus-redis/server_error.hpp"

namespace summa::bus_redis {
namespace {

using std::chrono::microseconds;

// How often a poll without time left reads on because somebody deletes the stream again and again.
constexpr int kLateRounds = 3;

// Smaller than any id that Redis gives.
constexpr const char* kBeforeFirstEntry = "0-0";

// BLOCK 0 would wait for ever.
std::int64_t BlockMilliseconds(microseconds time) {
  return std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::milliseconds>(time).count());
}

}  // namespace

GroupReader::GroupReader(ConnectionOptions connection, GroupReaderOptions options)
    : connection_(std::move(connection)),
      options_(std::move(options)),
      key_(StreamKey(options_.key_prefix, options_.stream)),
      pending_cursor_(kBeforeFirstEntry) {}

void GroupReader::Open() { EnsureGroup(); }

void GroupReader::EnsureGroup() {
  connection_.Ensure();
  if (generation_ == connection_.generation()) return;
  CreateGroup();
  generation_ = connection_.generation();
}

void GroupReader::CreateGroup() {
  const Reply reply =
      connection_.Command({"XGROUP", "CREATE", key_, options_.group, "0", "MKSTREAM"});
  if (IsError(*reply) && ServerErrorWord(Text(*reply)) != "BUSYGROUP") {
    ThrowStreamFault(Text(*reply));
  }
  reading_pending_ = true;
  pending_cursor_ = kBeforeFirstEntry;
}

std::span<const summa_bus_delivery> GroupReader::Poll(std::size_t max, microseconds wait) {
  deliveries_.clear();
  reply_.reset();
  summary_ = {};
  max = std::clamp<std::size_t>(max, 1, kMaximumPoll);
  const auto deadline = Connection::Clock::now() + std::max(wait, microseconds(0));
  for (int late_rounds = 0;;) {
    EnsureGroup();
    while (reading_pending_) {
      if (ReadPending(max)) return deliveries_;
    }
    const auto left = std::chrono::duration_cast<microseconds>(deadline - Connection::Clock::now());
    if (ReadNew(max, left)) return deliveries_;
    // A group that was just created again has not been read yet, whatever the time.
    if (Connection::Clock::now() >= deadline &&
        (!reading_pending_ || ++late_rounds > kLateRounds)) {
      return {};
    }
  }
}

// True: there are deliveries. Each page begins behind the last entry of the one before, so that
// entries which stay unacknowledged do not hide those behind them.
bool GroupReader::ReadPending(std::size_t max) {
  const std::string count = std::to_string(max);
  reply_ = connection_.Command({"XREADGROUP", "GROUP", options_.group, options_.consumer, "COUNT",
                                count, "STREAMS", key_, pending_cursor_});
  const redisReply* entries = Entries(*reply_);
  if (entries == nullptr || entries->elements == 0) {
    reading_pending_ = false;
    return false;
  }
  TakePending(*entries);
  AcknowledgeLost();
  if (!deliveries_.empty()) CountDeliveries();
  summary_.delivered = summary_.redelivered = deliveries_.size();
  return !deliveries_.empty();
}

void GroupReader::TakePending(const redisReply& entries) {
  for (std::size_t i = 0; i < entries.elements; ++i) {
    summa_bus_delivery delivery;
    const bool whole = ReadEntry(*entries.element[i], options_.stream, delivery);
    pending_cursor_ = FromAbi(delivery.delivery_id);
    if (whole) {
      deliveries_.push_back(delivery);
    } else {
      summary_.lost_ids.push_back(pending_cursor_);
    }
  }
}

// The count comes from the server, which also knows of deliveries before a restart of ours.
void GroupReader::CountDeliveries() {
  const std::string count = std::to_string(kMaximumPoll);
  const Reply reply = connection_.Command(
      {"XPENDING", key_, options_.group, FromAbi(deliveries_.front().delivery_id),
       FromAbi(deliveries_.back().delivery_id), count, options_.consumer});
  std::unordered_map<std::string_view, std::int64_t> counts;
  for (std::size_t i = 0; IsArray(*reply) && i < reply->elements; ++i) {
    const redisReply& row = *reply->element[i];  // id, consumer, idle time, deliveries
    if (IsArray(row) && row.elements >= 4) {
      counts[Text(*row.element[0])] = row.element[3]->integer;
    }
  }
  for (summa_bus_delivery& delivery : deliveries_) {
    const auto found = counts.find(FromAbi(delivery.delivery_id));
    // Absent only when somebody else took or acknowledged it just now; it was delivered before.
    delivery.delivery_count = found == counts.end() ? 2 : found->second;
  }
}

// An entry that was deleted from the stream stays pending for ever; nobody can handle it any more.
// The caller reports it: it is a lost message, until it is sent again from the ledger.
void GroupReader::AcknowledgeLost() {
  if (summary_.lost_ids.empty()) return;
  std::vector<std::string_view> arguments = {"XACK", key_, options_.group};
  arguments.insert(arguments.end(), summary_.lost_ids.begin(), summary_.lost_ids.end());
  connection_.Command(arguments, connection_.CommandDeadline());
}

bool GroupReader::ReadNew(std::size_t max, microseconds wait) {
  const std::string count = std::to_string(max);
  std::vector<std::string_view> arguments = {"XREADGROUP",      "GROUP", options_.group,
                                             options_.consumer, "COUNT", count};
  std::string block;
  Connection::Deadline deadline = connection_.CommandDeadline();
  if (wait > microseconds(0)) {
    const microseconds bounded = std::min(wait, options_.block_time);
    block = std::to_string(BlockMilliseconds(bounded));
    arguments.insert(arguments.end(), {"BLOCK", block});
    deadline += bounded;
  }
  arguments.insert(arguments.end(), {"STREAMS", key_, ">"});
  reply_ = connection_.Command(arguments, deadline);
  const redisReply* entries = Entries(*reply_);
  if (entries == nullptr) return false;
  for (std::size_t i = 0; i < entries->elements; ++i) {
    summa_bus_delivery delivery;
    ReadEntry(*entries->element[i], options_.stream, delivery);
    delivery.delivery_count = 1;
    deliveries_.push_back(delivery);
  }
  summary_.delivered = deliveries_.size();
  return !deliveries_.empty();
}

const redisReply* GroupReader::Entries(const redisReply& reply) {
  if (IsError(reply)) {
    const std::string_view word = ServerErrorWord(Text(reply));
    // UNBLOCKED: the stream was deleted while we waited in it.
    if (word != "NOGROUP" && word != "UNBLOCKED") ThrowStreamFault(Text(reply));
    CreateGroup();
    return nullptr;
  }
  if (!IsArray(reply) || reply.elements == 0) return nullptr;  // nothing new in time
  const redisReply& stream = *reply.element[0];                // [key, entries]
  if (!IsArray(stream) || stream.elements != 2 || !IsArray(*stream.element[1])) return nullptr;
  return stream.element[1];
}

void GroupReader::Ack(std::span<const summa_str> delivery_ids) {
  if (delivery_ids.empty()) return;
  connection_.Ensure();
  std::vector<std::string_view> arguments = {"XACK", key_, options_.group};
  for (const summa_str id : delivery_ids) arguments.push_back(FromAbi(id));
  const Reply reply = connection_.Command(arguments, connection_.CommandDeadline());
  if (IsError(*reply)) ThrowStreamFault(Text(*reply));
}

void GroupReader::ThrowStreamFault(std::string_view server_text) {
  throw Error(SUMMA_E_CONFIG, "SH-0604",
              key_ + " cannot be read by group " + options_.group + ": " + std::string(server_text),
              "look at the key with redis-cli TYPE; if another program uses it, change "
              "plugins.bus-redis.key_prefix");
}

}  // namespace summa::bus_redis

#include "plugins/bus-redis/group_reader.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <summa/crash_point.hpp>
#include <summa/error.hpp>
#include <summa/text.hpp>
#include <unordered_set>

#include "plugins/bus-redis/server_error.hpp"

namespace summa::bus_redis {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// How often a poll without time left continues to read because another program keeps deleting the
// stream.
constexpr int kLateRounds = 3;

// Smaller than any id that Redis gives.
constexpr const char* kFirstEntry = "0-1";

// A message of a dead letter; longer ones are cut.
constexpr std::size_t kMaximumReason = 1000;

// BLOCK 0 would wait forever.
std::int64_t BlockMilliseconds(microseconds time) {
  return std::max<std::int64_t>(1, std::chrono::ceil<milliseconds>(time).count());
}

// Of one XACK.
constexpr std::size_t kMaxSettled = 1000;

EntryId ParseEntryId(std::string_view text) {
  EntryId id;
  const std::size_t dash = std::min(text.find('-'), text.size());
  std::from_chars(text.data(), text.data() + dash, id.milliseconds);
  if (dash < text.size()) {
    std::from_chars(text.data() + dash + 1, text.data() + text.size(), id.sequence);
  }
  return id;
}

std::vector<summa_str> Borrowed(const std::vector<std::string>& ids) {
  std::vector<summa_str> borrowed;
  borrowed.reserve(ids.size());
  for (const std::string& id : ids) borrowed.push_back(ToAbi(id));
  return borrowed;
}

}  // namespace

GroupReader::GroupReader(ConnectionOptions connection, GroupReaderOptions options)
    : servers_(connection),
      options_(std::move(options)),
      key_(options_.names.Stream(options_.stream)),
      dead_letter_key_(options_.names.DeadLetter(options_.stream)),
      settle_servers_(std::move(connection)) {}

Reply GroupReader::Command(std::initializer_list<std::string_view> words) {
  return servers_.Command(key_, words);
}

Reply GroupReader::Command(Servers::Words words) {
  return servers_.Command(key_, words, servers_.CommandDeadline());
}

Reply GroupReader::SettleCommand(std::initializer_list<std::string_view> words) {
  return settle_servers_.Command(key_, words);
}

Reply GroupReader::SettleCommand(Servers::Words words) {
  return settle_servers_.Command(key_, words, settle_servers_.CommandDeadline());
}

void GroupReader::Open() { EnsureGroup(); }

void GroupReader::EnsureGroup() {
  const std::uint64_t generation = servers_.Of(key_).generation();
  if (generation_ == generation) return;
  CreateGroup();
  generation_ = generation;
}

void GroupReader::CreateGroup() {
  const Reply reply = Command({"XGROUP", "CREATE", key_, options_.group, "0", "MKSTREAM"});
  if (IsError(*reply) && ServerErrorWord(Text(*reply)) != "BUSYGROUP") {
    // A full Redis refuses the command before it looks for the group. Its readers must be able to
    // start anyway: they are what frees memory.
    const bool full = ServerErrorWord(Text(*reply)) == "OOM";
    if (!full || !GroupExists()) ThrowStreamFault({"XGROUP", "CREATE"}, Text(*reply));
  }
  if ((options_.flags & SUMMA_BUS_COUNT_STARTS) == 0) {
    // A reader that does not say which deliveries it begins may have lost what it took as well.
    const MutexLock lock(mutex_);
    outstanding_.clear();
  }
  BeginWalk((options_.flags & SUMMA_BUS_EXCLUSIVE) != 0, milliseconds(0));
}

bool GroupReader::GroupExists() {
  const Reply groups = Command({"XINFO", "GROUPS", key_});
  if (!IsArray(*groups)) return false;
  for (std::size_t i = 0; i < groups->elements; ++i) {
    const redisReply& group = *groups->element[i];  // name, its value, ...
    for (std::size_t j = 0; j + 1 < group.elements; j += 2) {
      if (Text(*group.element[j]) == "name" && Text(*group.element[j + 1]) == options_.group) {
        return true;
      }
    }
  }
  return false;
}

void GroupReader::BeginWalk(bool everybody, milliseconds minimum_idle) {
  walk_ = {true, everybody, minimum_idle, kFirstEntry};
  // Twice in the time after which an entry may be taken over: it waits at most half as long again.
  next_walk_ = Clock::now() + options_.claim_after / 2;
}

std::span<const summa_bus_delivery> GroupReader::Poll(std::size_t max, microseconds wait) {
  deliveries_.clear();
  replies_.clear();
  skipped_.clear();
  summary_ = {};
  max = std::clamp<std::size_t>(max, 1, kMaximumPoll);
  const auto deadline = Clock::now() + std::max(wait, microseconds(0));
  for (int late_rounds = 0;;) {
    EnsureGroup();
    if (!walk_.active && Clock::now() >= next_walk_) {
      BeginWalk(true, std::chrono::ceil<milliseconds>(options_.claim_after));
    }
    while (walk_.active) {
      if (ReadWalk(max)) return deliveries_;
    }
    if (ReadReturned(max)) return deliveries_;
    const auto left = std::chrono::duration_cast<microseconds>(deadline - Clock::now());
    if (ReadNew(max, left)) return deliveries_;
    // A group that was just created again has not been read yet, whatever the time.
    if (Clock::now() >= deadline && (!walk_.active || ++late_rounds > kLateRounds)) return {};
  }
}

// One page of pending entries. True: there are deliveries. Each page begins behind the last entry
// of the one before, so that entries which stay unacknowledged do not hide those behind them.
bool GroupReader::ReadWalk(std::size_t max) {
  const std::string count = std::to_string(max);
  const std::string idle = std::to_string(walk_.minimum_idle.count());
  std::vector<std::string_view> arguments = {"XPENDING", key_, options_.group};
  if (walk_.minimum_idle.count() > 0) arguments.insert(arguments.end(), {"IDLE", idle});
  arguments.insert(arguments.end(), {walk_.cursor, "+", count});
  if (!walk_.everybody) arguments.emplace_back(options_.consumer);
  const Reply reply = Command(arguments);
  if (IsError(*reply)) {
    if (ServerErrorWord(Text(*reply)) != "NOGROUP") ThrowStreamFault({"XPENDING"}, Text(*reply));
    CreateGroup();
    return false;
  }
  walk_.active = reply->elements == max;
  if (walk_.active) {
    walk_.cursor = NextEntryId(Text(*reply->element[max - 1]->element[0]));
  }
  return Claim(PendingRows(*reply, false), walk_.minimum_idle);
}

// What XPENDING says of entries, without those that are being handled here. Those are delivered
// again only when nobody renewed them for claim_after.
std::vector<GroupReader::Pending> GroupReader::PendingRows(const redisReply& rows, bool returned) {
  std::vector<Pending> pending;
  pending.reserve(rows.elements);
  const std::int64_t claim_after = std::chrono::ceil<milliseconds>(options_.claim_after).count();
  const MutexLock lock(mutex_);
  for (std::size_t i = 0; i < rows.elements; ++i) {
    const redisReply& row = *rows.element[i];  // id, consumer, idle time, deliveries
    if (!IsArray(row) || row.elements < 4) continue;
    const std::string_view id = Text(*row.element[0]);
    const bool here = !returned && outstanding_.contains(ParseEntryId(id));
    if (here && row.element[2]->integer < claim_after) continue;
    pending.push_back({std::string(id), row.element[3]->integer});
  }
  return pending;
}

// Makes the entries this consumer's and delivers them, with the count of the server, which includes
// deliveries before a restart of this process.
bool GroupReader::Claim(const std::vector<Pending>& rows, milliseconds minimum_idle) {
  if (rows.empty()) return false;
  const bool count_starts = (options_.flags & SUMMA_BUS_COUNT_STARTS) != 0;
  std::map<std::int64_t, std::vector<std::string_view>> by_count;
  for (const Pending& row : rows) {
    by_count[row.deliveries + (count_starts ? 0 : 1)].push_back(row.id);
  }
  const std::string idle = std::to_string(minimum_idle.count());
  for (const auto& [deliveries, ids] : by_count) {
    const std::string count = std::to_string(deliveries);
    std::vector<std::string_view> arguments = {"XCLAIM", key_, options_.group, options_.consumer,
                                               idle};
    arguments.insert(arguments.end(), ids.begin(), ids.end());
    arguments.insert(arguments.end(), {"RETRYCOUNT", count});
    replies_.push_back(Command(arguments));
    const redisReply& entries = *replies_.back();
    if (IsError(entries)) ThrowStreamFault({"XCLAIM"}, Text(entries));
    for (std::size_t i = 0; i < entries.elements; ++i) {
      Deliver(*entries.element[i], deliveries, true);
    }
  }
  FindLost(rows);
  if (by_count.size() > 1) {
    std::sort(deliveries_.begin(), deliveries_.end(), [](const auto& a, const auto& b) {
      return ParseEntryId(FromAbi(a.delivery_id)) < ParseEntryId(FromAbi(b.delivery_id));
    });
  }
  FinishDeliveries();
  return !deliveries_.empty();
}

// An entry that was deleted from the stream cannot be claimed; neither can one that another
// consumer took meanwhile, and only the first is lost. The caller reports it: it is a lost message,
// until it is sent again from the ledger.
void GroupReader::FindLost(const std::vector<Pending>& rows) {
  if (deliveries_.size() + skipped_.size() == rows.size()) return;
  std::unordered_set<std::string_view> claimed(skipped_.begin(), skipped_.end());
  for (const auto& delivery : deliveries_) claimed.insert(FromAbi(delivery.delivery_id));
  for (const Pending& row : rows) {
    if (claimed.contains(row.id)) continue;
    const Reply found = Command({"XRANGE", key_, row.id, row.id});
    if (IsArray(*found) && found->elements == 0) summary_.lost_ids.push_back(row.id);
  }
  Acknowledge(summary_.lost_ids);
}

void GroupReader::Deliver(const redisReply& entry, std::int64_t count, bool recovered) {
  summa_bus_delivery delivery;
  if (!ReadEntry(entry, options_.stream, delivery)) return;
  const std::string_view redriven = FromAbi(delivery.message.redriven);
  if (!redriven.empty() && redriven != SUMMA_BUS_EVERYBODY && redriven != options_.group) {
    skipped_.emplace_back(FromAbi(delivery.delivery_id));
    return;
  }
  delivery.delivery_count = count;
  delivery.recovered = recovered ? 1 : 0;
  deliveries_.push_back(delivery);
}

void GroupReader::FinishDeliveries() {
  summary_.delivered = deliveries_.size();
  for (const auto& delivery : deliveries_) summary_.redelivered += delivery.recovered;
  {
    const MutexLock lock(mutex_);
    for (const auto& delivery : deliveries_) {
      outstanding_.insert(outstanding_.end(), ParseEntryId(FromAbi(delivery.delivery_id)));
    }
  }
  Acknowledge(skipped_);
}

void GroupReader::Acknowledge(const std::vector<std::string>& ids) {
  if (ids.empty()) return;
  std::vector<std::string_view> arguments = {"XACK", key_, options_.group};
  arguments.insert(arguments.end(), ids.begin(), ids.end());
  Command(arguments);
}

// What was given back and is due.
bool GroupReader::ReadReturned(std::size_t max) {
  std::vector<std::string> due;
  {
    const MutexLock lock(mutex_);
    const auto now = Clock::now();
    while (!returned_.empty() && returned_.begin()->first <= now && due.size() < max) {
      due.push_back(std::move(returned_.begin()->second));
      returned_.erase(returned_.begin());
    }
  }
  std::vector<Pending> rows;
  for (const std::string& id : due) {
    const Reply reply = Command({"XPENDING", key_, options_.group, id, id, "1", options_.consumer});
    if (IsError(*reply) && ServerErrorWord(Text(*reply)) != "NOGROUP") {
      Nack(Borrowed(due), microseconds(0));  // looked at again by the next poll
      ThrowStreamFault({"XPENDING"}, Text(*reply));
    }
    if (!IsArray(*reply)) continue;
    for (Pending& row : PendingRows(*reply, true)) rows.push_back(std::move(row));
  }
  return Claim(rows, milliseconds(0));
}

bool GroupReader::ReadNew(std::size_t max, microseconds wait) {
  const std::string count = std::to_string(max);
  std::vector<std::string_view> arguments = {"XREADGROUP",      "GROUP", options_.group,
                                             options_.consumer, "COUNT", count};
  {
    const MutexLock lock(mutex_);
    if (!returned_.empty()) {
      const auto due = returned_.begin()->first - Clock::now();
      wait = std::min(wait, std::chrono::duration_cast<microseconds>(due));
    }
  }
  std::string block;
  Connection::Deadline deadline = servers_.CommandDeadline();
  if (wait > microseconds(0)) {
    const microseconds bounded = std::min(wait, options_.block_time);
    block = std::to_string(BlockMilliseconds(bounded));
    arguments.insert(arguments.end(), {"BLOCK", block});
    deadline += bounded;
  }
  arguments.insert(arguments.end(), {"STREAMS", key_, ">"});
  replies_.push_back(servers_.Command(key_, arguments, deadline));
  const redisReply* entries = Entries(*replies_.back());
  if (entries == nullptr) return false;
  for (std::size_t i = 0; i < entries->elements; ++i) Deliver(*entries->element[i], 1, false);
  FinishDeliveries();
  return !deliveries_.empty();
}

const redisReply* GroupReader::Entries(const redisReply& reply) {
  if (IsError(reply)) {
    const std::string_view word = ServerErrorWord(Text(reply));
    // UNBLOCKED: the stream was deleted while we waited in it.
    if (word != "NOGROUP" && word != "UNBLOCKED") ThrowStreamFault({"XREADGROUP"}, Text(reply));
    CreateGroup();
    return nullptr;
  }
  if (!IsArray(reply) || reply.elements == 0) return nullptr;  // nothing new in time
  const redisReply& stream = *reply.element[0];                // [key, entries]
  if (!IsArray(stream) || stream.elements != 2 || !IsArray(*stream.element[1])) return nullptr;
  return stream.element[1];
}

void GroupReader::Settled(std::span<const summa_str> delivery_ids) {
  const MutexLock lock(mutex_);
  for (const summa_str id : delivery_ids) outstanding_.erase(ParseEntryId(FromAbi(id)));
}

void GroupReader::Ack(std::span<const summa_str> delivery_ids) {
  if (delivery_ids.empty()) return;
  const MutexLock lock(settle_mutex_);
  std::vector<std::string_view> arguments = {"XACK", key_, options_.group};
  arguments.reserve(delivery_ids.size() + arguments.size());
  for (const summa_str id : delivery_ids) arguments.push_back(FromAbi(id));
  CrashPoint("redis.ack");
  const Reply reply = SettleCommand(arguments);
  CrashPoint("redis.acked");
  if (IsError(*reply)) ThrowStreamFault({"XACK"}, Text(*reply));
  Settled(delivery_ids);
}

// One stream is one partition, in the order of its ids.
void GroupReader::Settle(std::string_view delivery_id) {
  std::vector<std::string> handled;
  {
    const MutexLock lock(mutex_);
    const auto end = outstanding_.upper_bound(ParseEntryId(delivery_id));
    for (auto id = outstanding_.begin(); id != end; ++id) {
      handled.push_back(std::to_string(id->milliseconds) + "-" + std::to_string(id->sequence));
    }
  }
  const std::vector<summa_str> ids = Borrowed(handled);
  for (std::size_t done = 0; done < ids.size(); done += kMaxSettled) {
    Ack(std::span(ids).subspan(done, std::min(kMaxSettled, ids.size() - done)));
  }
}

std::optional<GroupReader::Held> GroupReader::HolderOf(std::string_view id) {
  const Reply reply = SettleCommand({"XPENDING", key_, options_.group, id, id, "1"});
  if (IsError(*reply) && ServerErrorWord(Text(*reply)) != "NOGROUP")
    ThrowStreamFault({"XPENDING"}, Text(*reply));
  if (!IsArray(*reply) || reply->elements == 0) return std::nullopt;
  const redisReply& row = *reply->element[0];  // id, consumer, idle time, deliveries
  return Held{std::string(Text(*row.element[1])), std::to_string(row.element[2]->integer),
              row.element[3]->integer};
}

std::optional<std::int64_t> GroupReader::DeliveriesOf(std::string_view id) {
  const std::optional<Held> held = HolderOf(id);
  if (!held || held->consumer != options_.consumer) return std::nullopt;
  return held->deliveries;
}

// For whichever consumer has it. JUSTID leaves the count alone unless RETRYCOUNT sets it.
void GroupReader::SetDeliveries(std::string_view id, const Held& held, std::int64_t deliveries) {
  const std::string count = std::to_string(std::max<std::int64_t>(0, deliveries));
  const Reply reply = SettleCommand({"XCLAIM", key_, options_.group, held.consumer, "0", id, "IDLE",
                                     held.idle_milliseconds, "RETRYCOUNT", count, "JUSTID"});
  if (IsError(*reply)) ThrowStreamFault({"XCLAIM"}, Text(*reply));
}

// XCLAIM does not check whose an entry is, so that is checked first.
void GroupReader::Renew(std::span<const summa_str> delivery_ids, summa_bus_start start,
                        std::span<std::uint8_t> held) {
  const MutexLock lock(settle_mutex_);
  std::vector<std::string_view> mine = {"XCLAIM", key_, options_.group, options_.consumer, "0"};
  const std::size_t words = mine.size();
  for (std::size_t i = 0; i < delivery_ids.size(); ++i) {
    const std::string_view id = FromAbi(delivery_ids[i]);
    std::optional<Held> holder = HolderOf(id);
    held[i] = holder && holder->consumer == options_.consumer ? 1 : 0;
    if (held[i] == 0) Settled({&delivery_ids[i], 1});
    if (held[i] != 0 && start == SUMMA_BUS_START_NONE) mine.push_back(id);
    if (held[i] != 0) holder->idle_milliseconds = "0";
    const bool counts =
        start == SUMMA_BUS_START_ENDED || (held[i] != 0 && start == SUMMA_BUS_START_BEGINS);
    if (holder && counts) SetDeliveries(id, *holder, holder->deliveries + start);
  }
  if (mine.size() == words) return;
  mine.emplace_back("JUSTID");
  const Reply reply = SettleCommand(mine);
  if (IsError(*reply)) ThrowStreamFault({"XCLAIM"}, Text(*reply));
}

void GroupReader::Nack(std::span<const summa_str> delivery_ids, microseconds delay) {
  const MutexLock lock(mutex_);
  const auto due = Clock::now() + std::max(delay, microseconds(0));
  for (const summa_str id : delivery_ids) returned_.emplace(due, FromAbi(id));
}

bool GroupReader::DeadLetter(std::string_view delivery_id, std::string_view reason) {
  const MutexLock lock(settle_mutex_);
  const summa_str id = ToAbi(delivery_id);
  const std::optional<std::int64_t> deliveries = DeliveriesOf(delivery_id);
  const Reply found = SettleCommand({"XRANGE", key_, delivery_id, delivery_id});
  if (IsError(*found)) ThrowStreamFault({"XRANGE"}, Text(*found));
  const bool whole = IsArray(*found) && found->elements == 1;
  if (!deliveries || !whole) {
    Settled({&id, 1});
    return false;
  }
  const std::string count = std::to_string(*deliveries);
  std::vector<std::string_view> add = {"XADD", dead_letter_key_, "*"};
  const redisReply& fields = *found->element[0]->element[1];
  for (std::size_t i = 0; i + 1 < fields.elements; i += 2) {
    if (IsDeadLetterField(Text(*fields.element[i]))) continue;
    add.insert(add.end(), {Text(*fields.element[i]), Text(*fields.element[i + 1])});
  }
  add.insert(add.end(), {"error", Beginning(reason, kMaximumReason), "deliveries", count, "group",
                         options_.group, "sourceId", delivery_id});
  // Inside EXEC the acknowledgement would be executed although the letter cannot be stored.
  const Reply length = SettleCommand({"XLEN", dead_letter_key_});
  if (IsError(*length)) ThrowStreamFault({"XLEN"}, Text(*length));
  CrashPoint("redis.dead_letter");
  const std::vector<std::string_view> acknowledge = {"XACK", key_, options_.group, delivery_id};
  const std::array<std::vector<std::string_view>, 2> both = {std::move(add), acknowledge};
  const Reply result = settle_servers_.Transaction(key_, both);
  CrashPoint("redis.dead_lettered");
  if (IsError(*result)) ThrowStreamFault({"XADD"}, Text(*result));
  Settled({&id, 1});
  return true;
}

void GroupReader::ThrowStreamFault(std::initializer_list<std::string_view> command,
                                   std::string_view server_text) {
  ThrowRefused(command, key_ + ", read by group " + options_.group, server_text);
}

}  // namespace summa::bus_redis

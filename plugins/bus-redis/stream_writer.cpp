#include "plugins/bus-redis/stream_writer.hpp"

#include <array>
#include <summa/crash_point.hpp>
#include <unordered_map>

#include "plugins/bus-redis/server_error.hpp"

namespace summa::bus_redis {
namespace {

constexpr std::array<std::string_view, 1> kMulti = {"MULTI"};
constexpr std::array<std::string_view, 1> kExec = {"EXEC"};

}  // namespace

StreamWriter::StreamWriter(Connection& connection, StreamWriterOptions options)
    : connection_(connection), options_(std::move(options)) {}

std::optional<Error> StreamWriter::Publish(std::span<const summa_bus_message> messages,
                                           std::span<summa_bus_receipt> receipts) {
  messages_ = messages;
  receipts_ = receipts;
  summary_ = {};
  server_error_.clear();
  // UNSENT until an answer says otherwise: whatever happens below, no receipt claims too much.
  for (summa_bus_receipt& receipt : receipts_) {
    receipt.outcome = SUMMA_BUS_UNSENT;
    receipt.error[0] = '\0';
  }
  AssignStreams();
  std::optional<Error> failure;
  try {
    for (std::size_t next = 0; next < messages_.size();) {
      next = FillWindow(next);
      if (window_.empty()) continue;
      connection_.Ensure();
      if (probed_generation_ != connection_.generation()) ProbeTransactions();
      SendWindow();
      if (!server_error_.empty()) connection_.ThrowServerError(server_error_);
      connection_.Succeeded();
    }
  } catch (const Error& error) {
    failure = error;
  }
  for (summa_bus_receipt& receipt : receipts_) {
    if (receipt.outcome != SUMMA_BUS_UNSENT) continue;
    ++summary_.unsent;
    if (receipt.error[0] == '\0') {
      detail::CopyText(receipt.error, failure
                                          ? failure->what()
                                          : "not sent: an earlier message of its stream failed");
    }
  }
  return failure;
}

// A login that may not use MULTI would have every XADD carried out at once, and the order with it
// gone: so a new connection is asked before anything is sent on it.
void StreamWriter::ProbeTransactions() {
  const Connection::Deadline deadline = connection_.CommandDeadline();
  const Reply multi = connection_.Command(kMulti, deadline);
  if (IsError(*multi)) RefuseTransactions(Text(*multi));
  const Reply exec = connection_.Command(kExec, deadline);
  if (!IsArray(*exec)) RefuseTransactions(Text(*exec));
  probed_generation_ = connection_.generation();
}

void StreamWriter::RefuseTransactions(std::string_view reason) {
  const std::string text = "MULTI and EXEC do not work: " + std::string(reason);
  connection_.Drop(text);
  throw Error(SUMMA_E_UNAVAILABLE, "SH-0609",
              "Redis at " + connection_.options().url.ForPeople() + ": " + text,
              "allow the login +multi +exec +xadd, and connect to Redis itself, not to a proxy "
              "without transactions");
}

void StreamWriter::AssignStreams() {
  streams_.clear();
  stream_of_.clear();
  window_.clear();
  std::unordered_map<std::string_view, std::size_t> known;
  for (const summa_bus_message& message : messages_) {
    const std::string_view name = FromAbi(message.stream);
    const auto [entry, added] = known.try_emplace(name, streams_.size());
    if (added) streams_.push_back({name, StreamKey(options_.key_prefix, name), false, {}});
    stream_of_.push_back(entry->second);
  }
}

bool StreamWriter::Acceptable(const summa_bus_message& message, const Stream& stream) const {
  return IsStreamName(stream.name) && message.payload.size <= options_.max_message_bytes;
}

// Refuses what will never be taken, before anything of it is sent.
bool StreamWriter::CheckMessage(std::size_t index, Stream& stream) {
  const summa_bus_message& message = messages_[index];
  if (!IsStreamName(stream.name)) {
    Fail(stream, index, SUMMA_BUS_REFUSED,
         "the stream name is not 1 to 200 of the characters A-Z a-z 0-9 . _ -");
    return false;
  }
  if (message.payload.size > options_.max_message_bytes) {
    Fail(stream, index, SUMMA_BUS_REFUSED,
         "the payload has " + std::to_string(message.payload.size) +
             " bytes, above max_message_bytes " + std::to_string(options_.max_message_bytes));
    return false;
  }
  return true;
}

// Puts the messages from `from` on into the window until it is full; returns the first one not
// looked at. At least one message fits, however large.
std::size_t StreamWriter::FillWindow(std::size_t from) {
  for (const std::size_t stream : window_) streams_[stream].window.clear();
  window_.clear();
  std::size_t count = 0;
  std::size_t bytes = 0;
  for (std::size_t index = from; index < messages_.size(); ++index) {
    Stream& stream = streams_[stream_of_[index]];
    if (stream.failed) continue;
    // What stands before it in its stream must be in Redis, or have failed, before it is judged.
    if (!stream.window.empty() && !Acceptable(messages_[index], stream)) return index;
    if (!CheckMessage(index, stream)) continue;
    const std::size_t size = WireBytes(messages_[index]);
    const bool full = count == kMaximumWindowMessages || bytes + size > options_.max_pipeline_bytes;
    if (full && count > 0) return index;
    if (stream.window.empty()) window_.push_back(stream_of_[index]);
    stream.window.push_back(index);
    ++count;
    bytes += size;
  }
  return messages_.size();
}

void StreamWriter::SendWindow() {
  const Connection::Deadline deadline = connection_.CommandDeadline();
  const std::size_t half = window_.size() / 2;
  for (std::size_t i = 0; i < window_.size(); ++i) {
    if (i == half && i > 0) {
      connection_.Push();
      CrashPoint("redis.sent");
    }
    SendStream(streams_[window_[i]]);
  }
  for (const std::size_t stream : window_) ReadStream(streams_[stream], deadline);
  CrashPoint("redis.answered");
}

void StreamWriter::SendStream(const Stream& stream) {
  const bool transaction = stream.window.size() > 1;
  if (transaction) connection_.Append(kMulti);
  for (const std::size_t index : stream.window) {
    connection_.Append(add_.Build(stream.key, messages_[index]));
  }
  if (transaction) connection_.Append(kExec);
}

void StreamWriter::ReadStream(Stream& stream, Connection::Deadline deadline) {
  if (stream.window.size() > 1) {
    ReadTransaction(stream, deadline);
    return;
  }
  const Reply reply = connection_.Next(deadline);
  if (IsError(*reply)) {
    FailStream(stream, stream.window.front(), Text(*reply));
  } else {
    Confirm(stream.window.front());
  }
}

void StreamWriter::ReadTransaction(Stream& stream, Connection::Deadline deadline) {
  // An error before EXEC (OOM, READONLY, MOVED ...) makes EXEC refuse the whole: the first one is
  // the reason, that of EXEC only says EXECABORT.
  std::string first_error;
  bool out_of_step = false;  // an XADD was carried out at once instead of being queued
  for (std::size_t i = 0; i < stream.window.size() + 1; ++i) {  // MULTI and every XADD
    const Reply queued = connection_.Next(deadline);
    if (IsError(*queued) && first_error.empty()) first_error = Text(*queued);
    out_of_step |= !IsError(*queued) && queued->type != REDIS_REPLY_STATUS;
  }
  const Reply results = connection_.Next(deadline);
  if (IsError(*results)) {
    if (first_error.empty()) first_error = Text(*results);
  } else {
    out_of_step |=
        !first_error.empty() || !IsArray(*results) || results->elements != stream.window.size();
  }
  // Nothing that Redis does to a login that may use MULTI; a proxy between us may, or a change of
  // rights under way. What arrived is not certain, so all of it stays UNSENT.
  if (out_of_step) RefuseTransactions("a transaction was answered out of step");
  if (first_error.empty()) {
    ReadResults(stream, *results);
    return;
  }
  FailStream(stream, stream.window.front(), first_error);
}

// Inside EXEC an error can only be one of the key (WRONGTYPE, ids exhausted), which no other client
// can mend in between: it hits the first message and all behind it.
void StreamWriter::ReadResults(Stream& stream, const redisReply& results) {
  for (std::size_t i = 0; i < results.elements; ++i) {
    const redisReply& result = *results.element[i];
    if (IsError(result)) {
      FailStream(stream, stream.window[i], Text(result));
      return;
    }
    Confirm(stream.window[i]);
  }
}

void StreamWriter::Confirm(std::size_t index) {
  receipts_[index].outcome = SUMMA_BUS_CONFIRMED;
  ++summary_.confirmed;
  summary_.confirmed_bytes += messages_[index].payload.size;
}

void StreamWriter::Fail(Stream& stream, std::size_t index, std::int32_t outcome,
                        std::string_view reason) {
  stream.failed = true;
  receipts_[index].outcome = outcome;
  detail::CopyText(receipts_[index].error, reason);
  if (outcome == SUMMA_BUS_REFUSED) ++summary_.refused;
  if (outcome == SUMMA_BUS_STREAM_FAULT) ++summary_.stream_fault;
}

void StreamWriter::FailStream(Stream& stream, std::size_t index, std::string_view server_text) {
  if (ClassifyServerError(server_text) == ServerErrorKind::kServer) {
    stream.failed = true;
    if (server_error_.empty()) server_error_ = server_text;
    return;
  }
  Fail(stream, index, SUMMA_BUS_STREAM_FAULT, stream.key + ": " + std::string(server_text));
}

}  // namespace summa::bus_redis

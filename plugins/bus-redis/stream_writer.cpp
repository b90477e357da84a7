#include "plugins/bus-redis/stream_writer.hpp"

#include <array>
#include <set>
#include <summa/crash_point.hpp>
#include <unordered_map>
#include <utility>

#include "plugins/bus-redis/server_error.hpp"

namespace summa::bus_redis {
namespace {

constexpr std::array<std::string_view, 1> kMulti = {"MULTI"};
constexpr std::array<std::string_view, 1> kExec = {"EXEC"};
constexpr std::array<std::string_view, 1> kAsking = {"ASKING"};

constexpr std::chrono::milliseconds kWhileMoving{10};

}  // namespace

StreamWriter::StreamWriter(ConnectionOptions connection, StreamWriterOptions options)
    : servers_(std::move(connection)),
      options_(std::move(options)),
      names_(options_.key_prefix, options_.tagged_keys),
      wait_replicas_(std::to_string(options_.wait_replicas)),
      wait_milliseconds_(std::to_string(options_.wait_timeout.count())) {}

std::optional<Error> StreamWriter::Publish(std::span<const summa_bus_message> messages,
                                           std::span<summa_bus_receipt> receipts) {
  messages_ = messages;
  receipts_ = receipts;
  // UNSENT until an answer says otherwise: so no receipt claims too much, whatever happens below.
  for (summa_bus_receipt& receipt : receipts_) {
    receipt.outcome = SUMMA_BUS_UNSENT;
    receipt.error[0] = '\0';
  }
  AssignStreams();
  std::optional<Error> stopped;
  try {
    for (std::size_t next = 0; next < messages_.size();) {
      next = FillWindow(next);
      if (!window_.empty()) SendWindow();
    }
  } catch (const Error& error) {
    stopped = error;
  }
  std::optional<Error> failure = Finish();
  if (stopped) failure = std::move(stopped);
  for (summa_bus_receipt& receipt : receipts_) {
    if (receipt.outcome != SUMMA_BUS_UNSENT) continue;
    if (receipt.error[0] == '\0') {
      detail::CopyText(receipt.error, failure
                                          ? failure->what()
                                          : "not sent: an earlier message of its stream failed");
    }
  }
  return failure;
}

// The bus is unreachable when no server accepted anything; otherwise only the streams of those that
// did not.
std::optional<Error> StreamWriter::Finish() {
  std::optional<Error> failure;
  bool served = false;
  for (const Stream& stream : streams_) {
    if (stream.outage && !failure) failure = stream.outage;
    served |= stream.connection != nullptr && !stream.outage;
  }
  if (!failure || !servers_.cluster()) return failure;
  if (!served && !servers_.AnyAnswers()) return failure;
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    std::optional<Error>& outage = streams_[stream_of_[i]].outage;
    if (!outage || receipts_[i].outcome != SUMMA_BUS_UNSENT) continue;
    receipts_[i].outcome = SUMMA_BUS_STREAM_FAULT;
    detail::CopyText(receipts_[i].error, outage->what());
    outage.reset();  // those behind it are unsent
  }
  return std::nullopt;
}

// Before anything is sent.
void StreamWriter::Probe(Connection& connection) {
  ProbeTransactions(connection);
  ProbeReplicas(connection);
}

// With a login that may not use MULTI, every XADD would be executed immediately and the order would
// be lost: so a new connection is checked before anything is sent on it.
void StreamWriter::ProbeTransactions(Connection& connection) {
  std::uint64_t& probed = probed_[&connection];
  if (probed == connection.generation()) return;
  const Connection::Deadline deadline = connection.CommandDeadline();
  const Reply multi = connection.Command(kMulti, deadline);
  if (IsError(*multi)) RefuseTransactions(connection, Text(*multi));
  const Reply exec = connection.Command(kExec, deadline);
  if (!IsArray(*exec)) RefuseTransactions(connection, Text(*exec));
  probed = connection.generation();
}

void StreamWriter::ProbeReplicas(Connection& connection) {
  if (options_.wait_replicas == 0) return;
  const auto behind = behind_.find(&connection);
  if (behind != behind_.end()) throw behind->second;
  if (replicated_[&connection] == connection.generation()) return;
  RequireReplicas(connection, *connection.Command(WaitCommand(), AnswerDeadline()));
  replicated_[&connection] = connection.generation();
}

std::array<std::string_view, 3> StreamWriter::WaitCommand() const {
  return {"WAIT", wait_replicas_, wait_milliseconds_};
}

Connection::Deadline StreamWriter::AnswerDeadline() const {
  const Connection::Deadline deadline = servers_.CommandDeadline();
  return options_.wait_replicas == 0 ? deadline : deadline + options_.wait_timeout;
}

// The connection stays: WAIT refers to what was written on it before.
void StreamWriter::RequireReplicas(Connection& connection, const redisReply& reply) {
  if (!IsError(reply) && reply.integer >= options_.wait_replicas) return;
  replicated_.erase(&connection);
  const std::string server = "Redis at " + connection.address() + ": ";
  if (IsError(reply)) {
    if (ServerErrorWord(Text(reply)) != "NOPERM") connection.ThrowServerError(Text(reply));
    throw Error(SUMMA_E_UNAVAILABLE, "SH-0627",
                server + "WAIT was refused: " + std::string(Text(reply)),
                "allow the login +wait (ACL SETUSER), or set wait_replicas to 0");
  }
  const Error error(
      SUMMA_E_UNAVAILABLE, "SH-0627",
      server + std::to_string(reply.integer) + " replicas have what was written after " +
          wait_milliseconds_ + " ms, wait_replicas asks for " + wait_replicas_,
      "start the replicas, INFO replication lists those that follow; it is tried again by itself");
  behind_.emplace(&connection, error);
  throw error;
}

void StreamWriter::AssignStreams() {
  behind_.clear();
  streams_.clear();
  stream_of_.clear();
  window_.clear();
  std::unordered_map<std::string_view, std::size_t> known;
  for (const summa_bus_message& message : messages_) {
    const std::string_view name = FromAbi(message.stream);
    const auto [entry, added] = known.try_emplace(name, streams_.size());
    if (added) {
      Stream stream;
      stream.name = name;
      stream.key = names_.Stream(name);
      streams_.push_back(std::move(stream));
    }
    stream_of_.push_back(entry->second);
  }
}

bool StreamWriter::Acceptable(const summa_bus_message& message, const Stream& stream) const {
  return IsStreamName(stream.name) && message.payload.size <= options_.max_message_bytes;
}

// Refuses what will never be accepted, before any of it is sent.
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
             " bytes, more than max_message_bytes " + std::to_string(options_.max_message_bytes));
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
    // What comes before it in its stream must be in Redis, or have failed, before it is judged.
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
  servers_.Tidy();
  Streams streams = window_;
  Route(streams);
  for (int redirections = 0; !streams.empty(); ++redirections) {
    moved_.clear();
    Exchange(streams);
    streams = moved_;
    if (streams.empty()) return;
    if (redirections < kMaximumRedirections) {
      // Two nodes that redirect to each other do not know of a change yet.
      if (redirections > 1) streams_[streams.front()].connection->Pause(kWhileMoving);
      continue;
    }
    MarkUnavailable(
        streams, nullptr,
        Error(SUMMA_E_UNAVAILABLE, "SH-0624", "the nodes of the cluster redirect without end",
              "redis-cli --cluster check HOST:PORT names what is wrong"));
    return;
  }
}

// Connects every stream of the window to its server; removes those whose server is unreachable.
void StreamWriter::Route(Streams& streams) {
  std::erase_if(streams, [&](std::size_t index) {
    Stream& stream = streams_[index];
    stream.asking = false;
    try {
      stream.connection = &servers_.Of(stream.key);
      Probe(*stream.connection);
      return false;
    } catch (const Error& error) {
      if (!servers_.cluster() || error.status() == SUMMA_E_CANCELLED) throw;
      MarkUnavailable({index}, nullptr, error);
      return true;
    }
  });
}

template <typename Use>
void StreamWriter::Guarded(const Streams& streams, std::size_t index, Use&& use) {
  Stream& stream = streams_[index];
  if (stream.outage) return;
  try {
    use(stream);
  } catch (const Error& error) {
    if (!servers_.cluster() || error.status() == SUMMA_E_CANCELLED) throw;
    MarkUnavailable(streams, stream.connection, error);
  }
}

StreamWriter::Streams StreamWriter::OnePerServer(const Streams& streams) const {
  Streams firsts;
  std::set<const Connection*> seen;
  for (const std::size_t index : streams) {
    if (seen.insert(streams_[index].connection).second) firsts.push_back(index);
  }
  return firsts;
}

// Sends the windows of these streams and reads the answers.
void StreamWriter::Exchange(const Streams& streams) {
  const Connection::Deadline deadline = AnswerDeadline();
  Send(streams);
  for (const std::size_t index : streams) {
    Guarded(streams, index, [&](Stream&) { ReadStream(index, deadline); });
  }
  WaitForReplicas(streams, deadline);
  CrashPoint("redis.answered");
  for (const std::size_t index : streams) {
    Guarded(streams, index, [&](Stream&) { FinishExchange(index); });
  }
}

void StreamWriter::Send(const Streams& streams) {
  const std::size_t half = streams.size() / 2;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    if (i == half && i > 0) {
      for (std::size_t j = 0; j < half; ++j) {
        Guarded(streams, streams[j], [](Stream& stream) { stream.connection->Push(); });
      }
      CrashPoint("redis.sent");
    }
    Guarded(streams, streams[i], [&](Stream& stream) { SendStream(stream); });
  }
  if (options_.wait_replicas > 0) {
    for (const std::size_t index : OnePerServer(streams)) {
      Guarded(streams, index, [&](Stream& stream) { stream.connection->Append(WaitCommand()); });
    }
  }
  if (servers_.cluster()) {  // the servers begin at once
    for (const std::size_t index : streams) {
      Guarded(streams, index, [](Stream& stream) { stream.connection->Push(); });
    }
  }
}

// What the masters have accepted is confirmed when their replicas have it as well.
void StreamWriter::WaitForReplicas(const Streams& streams, Connection::Deadline deadline) {
  if (options_.wait_replicas == 0) return;
  for (const std::size_t index : OnePerServer(streams)) {
    Guarded(streams, index, [&](Stream& stream) {
      const Reply reply = stream.connection->Next(deadline);
      RequireReplicas(*stream.connection, *reply);
    });
  }
  for (const std::size_t index : streams) {
    Guarded(streams, index, [&](Stream& stream) {
      for (const std::size_t message : std::exchange(stream.taken, {})) Confirm(message);
    });
  }
}

// After all answers were read: a connection with answers to come can neither be asked nor replaced.
void StreamWriter::FinishExchange(std::size_t index) {
  Stream& stream = streams_[index];
  if (!stream.refusal.empty()) {
    // The connection is dropped: the next attempt connects again.
    stream.connection->ThrowServerError(std::exchange(stream.refusal, {}));
  }
  stream.connection->Succeeded();
  if (stream.redirection.empty()) return;
  const std::string text = std::exchange(stream.redirection, {});
  stream.connection = servers_.Follow(text, *stream.connection, stream.asking);
  Probe(*stream.connection);
  moved_.push_back(index);
}

void StreamWriter::MarkUnavailable(const Streams& streams, const Connection* connection,
                                   const Error& error) {
  for (const std::size_t index : streams) {
    Stream& stream = streams_[index];
    if (connection != nullptr && stream.connection != connection) continue;
    stream.failed = true;
    stream.outage = error;
  }
}

void StreamWriter::SendStream(Stream& stream) {
  Connection& connection = *stream.connection;
  const bool transaction = stream.window.size() > 1;
  if (stream.asking) connection.Append(kAsking);
  if (transaction) connection.Append(kMulti);
  for (const std::size_t index : stream.window) {
    connection.Append(add_.Build(stream.key, messages_[index]));
  }
  if (transaction) connection.Append(kExec);
}

void StreamWriter::ReadStream(std::size_t index, Connection::Deadline deadline) {
  Stream& stream = streams_[index];
  if (stream.asking) stream.connection->Next(deadline);
  if (stream.window.size() > 1) {
    ReadTransaction(index, deadline);
    return;
  }
  const Reply reply = stream.connection->Next(deadline);
  if (IsError(*reply)) {
    FailStream(index, stream.window.front(), Text(*reply));
  } else {
    Take(stream, stream.window.front());
  }
}

void StreamWriter::ReadTransaction(std::size_t index, Connection::Deadline deadline) {
  Stream& stream = streams_[index];
  Connection& connection = *stream.connection;
  // An error before EXEC (OOM, READONLY, MOVED ...) makes EXEC refuse the whole: the first one is
  // the reason, that of EXEC only says EXECABORT.
  std::string first_error;
  bool out_of_step = false;  // an XADD was carried out at once instead of being queued
  for (std::size_t i = 0; i < stream.window.size() + 1; ++i) {  // MULTI and every XADD
    const Reply queued = connection.Next(deadline);
    if (IsError(*queued) && first_error.empty()) first_error = Text(*queued);
    out_of_step |= !IsError(*queued) && queued->type != REDIS_REPLY_STATUS;
  }
  const Reply results = connection.Next(deadline);
  if (IsError(*results)) {
    if (first_error.empty()) first_error = Text(*results);
  } else {
    out_of_step |=
        !first_error.empty() || !IsArray(*results) || results->elements != stream.window.size();
  }
  // Redis does not do this to a login that may use MULTI; a proxy in between may, or a change of
  // rights at this moment. What arrived is not certain, so all of it stays UNSENT.
  if (out_of_step)
    RefuseTransactions(connection, "the answers to a transaction do not match its commands");
  if (first_error.empty()) {
    ReadResults(index, *results);
    return;
  }
  FailStream(index, stream.window.front(), first_error);
}

// Inside EXEC an error can only be one of the key (WRONGTYPE, ids exhausted), which no other client
// can fix in between: it hits the first message and all behind it.
void StreamWriter::ReadResults(std::size_t index, const redisReply& results) {
  Stream& stream = streams_[index];
  for (std::size_t i = 0; i < results.elements; ++i) {
    const redisReply& result = *results.element[i];
    if (IsError(result)) {
      FailStream(index, stream.window[i], Text(result));
      return;
    }
    Take(stream, stream.window[i]);
  }
}

// The master has it.
void StreamWriter::Take(Stream& stream, std::size_t index) {
  if (options_.wait_replicas == 0) {
    Confirm(index);
  } else {
    stream.taken.push_back(index);
  }
}

void StreamWriter::Confirm(std::size_t index) { receipts_[index].outcome = SUMMA_BUS_CONFIRMED; }

void StreamWriter::Fail(Stream& stream, std::size_t index, std::int32_t outcome,
                        std::string_view reason) {
  stream.failed = true;
  receipts_[index].outcome = outcome;
  detail::CopyText(receipts_[index].error, reason);
}

// A refusal that concerns the server or names another one was made before anything was done.
void StreamWriter::FailStream(std::size_t index, std::size_t message,
                              std::string_view server_text) {
  Stream& stream = streams_[index];
  const bool elsewhere =
      servers_.cluster() && ReadRedirection(server_text, "").kind != Redirection::Kind::kNone;
  if (elsewhere) {
    stream.redirection = server_text;
  } else if (ClassifyServerError(server_text) == ServerErrorKind::kServer) {
    stream.refusal = server_text;
  } else {
    Fail(stream, message, SUMMA_BUS_STREAM_FAULT, stream.key + ": " + std::string(server_text));
  }
}

}  // namespace summa::bus_redis

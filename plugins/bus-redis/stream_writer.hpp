// Publishes batches: pipelined XADD with a receipt per message, order kept per stream.
//
// A batch is cut into windows (at most 1,000 messages and max_pipeline_bytes), each answered before
// the next is sent. Within a window the messages of one stream go as one MULTI ... EXEC: Redis then
// takes them all or none. Without it an error that goes away in the middle (a full Redis that got
// room) would let later messages in before the failed one, and a retry would turn them round. The
// transaction costs nothing that can be measured; a Lua script costs a quarter of the rate.
//
// After the first failed message of a stream everything behind it of that stream is UNSENT, also
// in later windows. A lost connection leaves everything unanswered UNSENT: it may have arrived.
//
// On a Redis Cluster a window is split by master, and the parts are under way at once. A stream
// whose slot was moved is sent to where it is now before anything behind it. While a master is
// away, the streams of the others go on: its own have a STREAM_FAULT, which pauses them. The bus is
// away when no master takes anything.
//
// With wait_replicas each window ends with WAIT, and is confirmed when that many replicas have it.
// When fewer have it in time, all of it is UNSENT and the server counts as away. It may have
// arrived, so nothing is sent there again before the replicas have caught up: a message is not
// written anew with every attempt while they are away.
//
// One thread at a time. Errors: never thrown for a message; see Publish.
#pragma once

#include <summa/abi/bus.h>

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <summa/error.hpp>
#include <vector>

#include "plugins/bus-redis/key_naming.hpp"
#include "plugins/bus-redis/message_fields.hpp"
#include "plugins/bus-redis/servers.hpp"

namespace summa::bus_redis {

// More brings little (proved: 1,000 at a time is within 10% of 10,000), but a longer wait before
// the first receipt.
inline constexpr std::size_t kMaximumWindowMessages = 1000;

struct StreamWriterOptions {
  std::string key_prefix;
  bool tagged_keys = false;  // as KeyNaming says
  std::uint64_t max_message_bytes = 1 << 20;
  std::size_t max_pipeline_bytes = 4 << 20;
  int wait_replicas = 0;  // 0: confirmed as soon as the master has it
  std::chrono::milliseconds wait_timeout{1000};
};

class StreamWriter {
 public:
  StreamWriter(ConnectionOptions connection, StreamWriterOptions options);

  // Fills every receipt. The error is set when the bus is away; it is the reason of UNSENT.
  std::optional<Error> Publish(std::span<const summa_bus_message> messages,
                               std::span<summa_bus_receipt> receipts);

 private:
  struct Stream {
    std::string_view name;
    std::string key;
    bool failed = false;               // a message of it failed in this batch
    bool asking = false;               // its slot is being moved to where it is sent
    std::vector<std::size_t> window;   // indices into the batch, in order
    std::vector<std::size_t> taken;    // of the window, by the master alone so far
    Connection* connection = nullptr;  // where the window goes
    std::string refusal;               // of the whole server
    std::string redirection;           // to another server
    std::optional<Error> outage;       // why nothing more is sent to its server
  };
  using Streams = std::vector<std::size_t>;  // indices into streams_

  void AssignStreams();
  bool Acceptable(const summa_bus_message& message, const Stream& stream) const;
  bool CheckMessage(std::size_t index, Stream& stream);
  std::size_t FillWindow(std::size_t from);
  void SendWindow();
  void Route(Streams& streams);
  void Probe(Connection& connection);
  void ProbeTransactions(Connection& connection);
  void ProbeReplicas(Connection& connection);
  void Exchange(const Streams& streams);
  void Send(const Streams& streams);
  void WaitForReplicas(const Streams& streams, Connection::Deadline deadline);
  std::array<std::string_view, 3> WaitCommand() const;
  void RequireReplicas(Connection& connection, const redisReply& reply);
  // In a cluster an error of `use` ends the streams of its server; else it is thrown.
  template <typename Use>
  void Guarded(const Streams& streams, std::size_t index, Use&& use);
  Streams OnePerServer(const Streams& streams) const;
  Connection::Deadline AnswerDeadline() const;
  void SendStream(Stream& stream);
  void ReadStream(std::size_t index, Connection::Deadline deadline);
  void ReadTransaction(std::size_t index, Connection::Deadline deadline);
  void ReadResults(std::size_t index, const redisReply& results);
  void FinishExchange(std::size_t index);
  void Take(Stream& stream, std::size_t index);
  void Confirm(std::size_t index);
  void Fail(Stream& stream, std::size_t index, std::int32_t outcome, std::string_view reason);
  void FailStream(std::size_t index, std::size_t message, std::string_view server_text);
  // The server of these streams is away: what was not answered is unsent.
  void MarkUnavailable(const Streams& streams, const Connection* connection, const Error& error);
  std::optional<Error> Finish();

  Servers servers_;
  const StreamWriterOptions options_;
  const KeyNaming names_;
  const std::string wait_replicas_, wait_milliseconds_;  // of WAIT
  AddCommand add_;
  // Generations of connections whose login is known to allow MULTI.
  std::map<const Connection*, std::uint64_t> probed_;
  // Generations of connections whose replicas had everything when they were asked last.
  std::map<const Connection*, std::uint64_t> replicated_;

  // Of the batch under way.
  std::span<const summa_bus_message> messages_;
  std::span<summa_bus_receipt> receipts_;
  std::vector<Stream> streams_;
  std::vector<std::size_t> stream_of_;  // per message
  Streams window_;                      // with messages in this window
  Streams moved_;                       // sent on to another server
  // Servers whose replicas are behind: nothing more is sent to them.
  std::map<const Connection*, Error> behind_;
};

}  // namespace summa::bus_redis

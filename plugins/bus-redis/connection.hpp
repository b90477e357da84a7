// One connection to Redis: connects lazily, logs in, pipelines commands, and drops itself on any
// error.
//
// Every wait is bounded by a deadline and ends at once when `stop_fd` becomes readable. After an
// error the context is thrown away (a hiredis context with an error is dead, and a reply that was
// not waited for would answer the next question); the next Ensure() connects anew, at the earliest
// after a full-jitter backoff. Ensure() never sleeps: during the backoff it throws at once.
//
// What kind of server answers is looked at before anything else is asked (HELLO, which needs no
// right): a node of a cluster, a Sentinel or a replica in the place of something else is refused.
//
// One thread at a time. Throws summa::Error: SUMMA_E_UNAVAILABLE with SH-0601 (not reachable,
// lost), SH-0602 (login refused), SH-0603 (up, but cannot serve), SH-0621 (another kind of server)
// or SH-0622 (no master), SUMMA_E_CANCELLED when told to stop. The process must ignore SIGPIPE (the
// host does): hiredis does not mask it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <summa/backoff.hpp>
#include <vector>

#include "plugins/bus-redis/redis_url.hpp"
#include "plugins/bus-redis/reply.hpp"
#include "plugins/bus-redis/tls.hpp"

namespace summa::bus_redis {

class ClusterMap;

// kRetired: the server is none of ours any more, so that it may be down.
enum class ConnectionEvent { kConnected, kLost, kConnectFailed, kRetired };

struct ConnectionOptions {
  RedisUrl url;
  // Of the servers of the url, asked before each connection; null: that of the url.
  std::shared_ptr<const RenewableLogin> login;
  TlsOptions tls;           // for rediss://
  std::string client_name;  // for CLIENT LIST; empty: none
  std::chrono::microseconds connect_timeout{2'000'000};
  std::chrono::microseconds command_timeout{5'000'000};
  int stop_fd = -1;          // readable: give up. Borrowed; -1: none
  bool any_role = false;     // of a cluster: a replica is as good, to ask who serves what
  bool to_sentinel = false;  // a Sentinel is expected, not Redis
  // Where the master is now, asked before each connection; empty: where the url says. `doubted`:
  // the last answer was not of use.
  std::function<Endpoint(bool doubted)> locate;
  std::function<Endpoint()> latest;     // the same for a connection that is there; cheap
  std::shared_ptr<ClusterMap> cluster;  // of a url that names a cluster, else null
  // Called in the thread that uses the connection. `address`: of the url, which stays the same when
  // a Sentinel names another master; `reason` never holds the password.
  std::function<void(ConnectionEvent event, const std::string& address, const std::string& reason)>
      on_event;
};

class Connection {
 public:
  using Clock = std::chrono::steady_clock;
  using Deadline = Clock::time_point;

  explicit Connection(ConnectionOptions options);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Connected and logged in afterwards. A connection that the server closed meanwhile is replaced.
  void Ensure();
  Login LoginNow() const { return options_.login ? options_.login->Now() : options_.url.login(); }
  bool connected() const { return context_ != nullptr; }
  // Different for every new connection of the process: what an earlier one knew is forgotten.
  std::uint64_t generation() const { return generation_; }

  // Appends a command to the pipeline; binary safe. Ensure() first.
  void Append(std::span<const std::string_view> arguments);
  // Gives the kernel what it takes of the pipeline now, without waiting: Redis begins while the
  // rest is built.
  void Push();
  // The next reply of the pipeline, in order. Sends what was appended.
  Reply Next(Deadline deadline);
  // One command, one reply; an error reply that speaks of the server is thrown, others are
  // returned.
  Reply Command(std::initializer_list<std::string_view> arguments);
  Reply Command(std::span<const std::string_view> arguments, Deadline deadline);

  // Throws SH-0603 and drops the connection: the server at its other end cannot serve us.
  [[noreturn]] void ThrowServerError(std::string_view server_text);
  // Waits, and ends at once with SUMMA_E_CANCELLED when told to stop.
  void Pause(std::chrono::milliseconds time);
  // The server did what it was asked: the backoff begins anew with the next failure.
  void Succeeded() {
    failed_ = false;
    backoff_.Reset();
  }
  void Drop(const std::string& reason);

  Deadline CommandDeadline() const { return Clock::now() + options_.command_timeout; }
  // The server at the other end, or the one that was tried last: for people.
  const std::string& address() const { return address_; }
  const ConnectionOptions& options() const { return options_; }

 private:
  struct ContextDeleter {
    void operator()(redisContext* context) const { redisFree(context); }
  };

  void Connect();
  void Locate();
  void LogIn(Deadline deadline);
  void CheckServer(Deadline deadline);
  void RequireServing(const redisReply& reply);
  void Drop(const std::string& reason, const std::string& code, const std::string& hint);
  Reply Query(std::initializer_list<std::string_view> arguments, Deadline deadline);
  bool ClosedMeanwhile();
  bool MovedMeanwhile();
  void BeginTls(Deadline deadline);
  void Receive();
  // False: not within the time. Throws when told to stop.
  bool WaitFor(short events, Deadline deadline, short& became);
  void WaitForSocket(Deadline deadline);
  void Schedule();
  [[noreturn]] void Fail(const std::string& reason);
  [[noreturn]] void FailToConnect(const std::string& code, const std::string& reason,
                                  const std::string& hint);

  ConnectionOptions options_;
  const std::string name_;             // the url as it was given
  std::string address_;                // of the server
  std::unique_ptr<ReplyArena> arena_;  // of the reply that is being read; outlives the context
  std::unique_ptr<redisContext, ContextDeleter> context_;
  std::unique_ptr<TlsStream> tls_;  // then hiredis neither reads nor writes
  std::string tls_out_, tls_in_;
  std::uint64_t generation_ = 0;
  bool unsent_ = false;  // the output buffer of the context is not empty
  bool ready_ = false;   // the login is done
  std::size_t unanswered_ = 0;
  bool failed_ = false;  // since it succeeded
  Backoff backoff_;
  Deadline next_attempt_{};
  std::string last_code_, last_failure_, last_hint_;
  std::vector<const char*> argument_data_;
  std::vector<std::size_t> argument_sizes_;
};

}  // namespace summa::bus_redis

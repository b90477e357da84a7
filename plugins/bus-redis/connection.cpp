#include "plugins/bus-redis/connection.hpp"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <summa/error.hpp>
#include <utility>

#include "plugins/bus-redis/server_error.hpp"

namespace summa::bus_redis {
namespace {

using std::chrono::microseconds;

// The first failure after a good connection is repaired at once; then the pause doubles up to the
// cap, with full jitter, so that a fleet does not come back in one wave.
constexpr microseconds kBackoffBase{50'000};
constexpr microseconds kBackoffCap{2'000'000};

constexpr const char* kUnreachableHint =
    "start Redis or correct plugins.bus-redis.url; the host connects again by itself";

std::string NotServing(std::string_view server_text) {
  return "the server cannot serve: " + std::string(server_text);
}

timeval ToTimeval(microseconds time) {
  timeval value{};
  value.tv_sec = static_cast<time_t>(time.count() / 1'000'000);
  value.tv_usec = static_cast<suseconds_t>(time.count() % 1'000'000);
  return value;
}

// Milliseconds for poll(), rounded up: a wait that is rounded down to 0 would spin.
int PollTimeout(Connection::Deadline deadline) {
  const auto left = deadline - Connection::Clock::now();
  if (left <= Connection::Clock::duration::zero()) return 0;
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::min<std::int64_t>(milliseconds, 3'600'000));
}

}  // namespace

Connection::Connection(ConnectionOptions options)
    : options_(std::move(options)),
      name_(options_.url.ForPeople()),
      address_(name_),
      backoff_(kBackoffBase, kBackoffCap) {}

void Connection::Ensure() {
  if (context_ && ClosedMeanwhile()) Drop("closed by the server while idle");
  if (context_ && MovedMeanwhile()) Drop("the Sentinels name another master");
  if (context_) return;
  const auto now = Clock::now();
  if (now < next_attempt_) {
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next_attempt_ - now).count();
    throw Error(SUMMA_E_UNAVAILABLE, last_code_,
                last_failure_ + "; next attempt in " + std::to_string(wait) + " ms", last_hint_);
  }
  Connect();
}

// Nothing is asked, so nothing may arrive: what does arrive is the end of the stream or a last
// message. Only TLS sends data of its own.
bool Connection::ClosedMeanwhile() {
  if (unanswered_ != 0) return true;
  pollfd socket{context_->fd, POLLIN, 0};
  if (poll(&socket, 1, 0) == 0) return false;
  return !tls_ || tls_->Read(tls_in_) == TlsNeed::kClosed || !tls_in_.empty();
}

// Sentinels may name another master each time.
void Connection::Locate() {
  if (!options_.locate) return;
  try {
    options_.url = options_.url.At(options_.locate(failed_));
  } catch (const Error& error) {
    if (error.status() == SUMMA_E_CANCELLED) throw;
    FailToConnect(error.code(), error.what(), error.hint());
  }
  address_ = options_.url.ForPeople();
}

void Connection::Connect() {
  Locate();
  const RedisUrl& url = options_.url;
  const timeval timeout = ToTimeval(options_.connect_timeout);
  context_.reset(url.socket_path.empty()
                     ? redisConnectWithTimeout(url.host.c_str(), url.port, timeout)
                     : redisConnectUnixWithTimeout(url.socket_path.c_str(), timeout));
  arena_.reset();
  tls_.reset();
  tls_out_.clear();
  tls_in_.clear();
  unsent_ = ready_ = false;
  unanswered_ = 0;
  if (!context_) FailToConnect("SH-0601", "no memory for a connection", "");
  if (context_->err != 0) {
    const bool timed_out = context_->err == REDIS_ERR_IO && (errno == ETIMEDOUT || errno == EAGAIN);
    FailToConnect("SH-0601", timed_out ? "connection timed out" : context_->errstr,
                  kUnreachableHint);
  }
  // From here on our own poll() waits: a blocking context with a timeout could neither be woken nor
  // be used again after the timeout.
  const int flags = fcntl(context_->fd, F_GETFL);
  if (flags < 0 || fcntl(context_->fd, F_SETFL, flags | O_NONBLOCK) < 0) {
    FailToConnect("SH-0601", std::strerror(errno), "");
  }
  context_->flags &= ~REDIS_BLOCK;
  if (url.socket_path.empty()) redisEnableKeepAlive(context_.get());
  const Deadline deadline = Clock::now() + options_.connect_timeout;
  if (url.tls) BeginTls(deadline);
  LogIn(deadline);
  ready_ = true;
  static std::atomic<std::uint64_t> connections{0};
  generation_ = ++connections;
  if (options_.on_event) options_.on_event(ConnectionEvent::kConnected, name_, address_);
}

void Connection::BeginTls(Deadline deadline) {
  std::string reason;
  try {
    tls_ = std::make_unique<TlsStream>(context_->fd, options_.url.host, options_.tls);
    for (TlsNeed need = tls_->Handshake(); need != TlsNeed::kNothing; need = tls_->Handshake()) {
      short became = 0;
      if (WaitFor(need == TlsNeed::kReadable ? POLLIN : POLLOUT, deadline, became)) continue;
      reason = "no answer to the TLS handshake in time";  // as from a server without TLS
      break;
    }
  } catch (const Error&) {
    throw;  // told to stop, or lost
  } catch (const std::runtime_error& failure) {
    reason = failure.what();
  }
  if (reason.empty()) return;
  FailToConnect("SH-0614", reason,
                "the server must speak TLS at this port, with a certificate for this host that is "
                "signed by an authority in plugins.bus-redis.tls_ca_file");
}

bool Connection::MovedMeanwhile() {
  return options_.latest && options_.latest() != Endpoint{options_.url.host, options_.url.port};
}

void Connection::LogIn(Deadline deadline) {
  const Login login = LoginNow();
  if (!login.password.empty()) {
    const Reply reply = login.user.empty() ? Query({"AUTH", login.password}, deadline)
                                           : Query({"AUTH", login.user, login.password}, deadline);
    if (IsError(*reply)) {
      RequireServing(*reply);
      FailToConnect("SH-0602", "the login was refused: " + std::string(Text(*reply)),
                    "correct user and password in plugins.bus-redis.url; when a file has new ones, "
                    "send the host SIGHUP");
    }
  }
  CheckServer(deadline);
  const int database = options_.url.database;
  if (database != 0) {
    const Reply reply = Query({"SELECT", std::to_string(database)}, deadline);
    if (IsError(*reply)) {
      RequireServing(*reply);
      FailToConnect("SH-0603", "SELECT was refused: " + std::string(Text(*reply)),
                    "correct the database number in plugins.bus-redis.url");
    }
  }
  // A name only helps people: a server or login that does not allow it is not a failure.
  if (!options_.client_name.empty()) Query({"CLIENT", "SETNAME", options_.client_name}, deadline);
  const Reply pong = Query({"PING"}, deadline);
  if (IsError(*pong)) {
    const bool lacks_login = ServerErrorWord(Text(*pong)) == "NOAUTH";
    FailToConnect(lacks_login ? "SH-0602" : "SH-0603", NotServing(Text(*pong)),
                  ServerErrorHint(Text(*pong)));
  }
}

// What the server now answers to every command is not a fault of the single command.
void Connection::RequireServing(const redisReply& reply) {
  if (!IsError(reply) || !IsOutage(Text(reply))) return;
  FailToConnect("SH-0603", NotServing(Text(reply)), ServerErrorHint(Text(reply)));
}

// Redis before 6 and some proxies do not know HELLO: then only the answers to commands show it.
void Connection::CheckServer(Deadline deadline) {
  const Reply hello = Query({"HELLO"}, deadline);
  RequireServing(*hello);
  if (!IsArray(*hello)) return;
  std::string_view mode, role;
  for (std::size_t i = 0; i + 1 < hello->elements; i += 2) {
    const std::string_view name = Text(*hello->element[i]);
    if (name == "mode") mode = Text(*hello->element[i + 1]);
    if (name == "role") role = Text(*hello->element[i + 1]);
  }
  const bool cluster = options_.url.kind == ServerKind::kCluster;
  const auto refuse = [&](const std::string& what, const std::string& fix) {
    FailToConnect("SH-0621", what, fix);
  };
  if (options_.to_sentinel) {
    if (mode != "sentinel") {
      refuse("this is Redis, not a Sentinel (port 26379 by default)",
             "name the Sentinels in plugins.bus-redis.url");
    }
    return;
  }
  if (mode == "sentinel") {
    refuse("this is a Sentinel, which has no streams",
           "write plugins.bus-redis.url as redis+sentinel://host[:26379],.../master");
  }
  if (mode == "cluster" && !cluster) {
    refuse("this is a node of a Redis Cluster, which has only part of the keys",
           "write plugins.bus-redis.url as redis+cluster://host[:port],...");
  }
  if (mode == "standalone" && cluster) {
    refuse("this is not a node of a Redis Cluster (cluster-enabled no)",
           "name one host in plugins.bus-redis.url, as redis://host[:port]; Sentinels as "
           "redis+sentinel://host[:26379],.../master");
  }
  const bool needs_master = options_.url.kind != ServerKind::kSingle && !options_.any_role;
  if (role == "replica" && needs_master) {
    FailToConnect("SH-0622", "this server is a replica, not the master",
                  "nothing is needed during a failover: the host asks again where the master is");
  }
}

Reply Connection::Query(std::initializer_list<std::string_view> arguments, Deadline deadline) {
  Append({arguments.begin(), arguments.size()});
  return Next(deadline);
}

void Connection::Append(std::span<const std::string_view> arguments) {
  argument_data_.clear();
  argument_sizes_.clear();
  for (const std::string_view argument : arguments) {
    argument_data_.push_back(argument.empty() ? "" : argument.data());
    argument_sizes_.push_back(argument.size());
  }
  if (tls_) {
    char* command = nullptr;
    const auto size = redisFormatCommandArgv(&command, static_cast<int>(arguments.size()),
                                             argument_data_.data(), argument_sizes_.data());
    if (size < 0) Fail("no memory for a command");
    tls_out_.append(command, static_cast<std::size_t>(size));
    redisFreeCommand(command);
  } else if (redisAppendCommandArgv(context_.get(), static_cast<int>(arguments.size()),
                                    argument_data_.data(), argument_sizes_.data()) != REDIS_OK) {
    Fail(context_->errstr);
  }
  unsent_ = true;
  ++unanswered_;
}

void Connection::Push() {
  if (tls_) {
    if (tls_->Write(tls_out_) == TlsNeed::kClosed) Fail("TLS: the connection ended");
    unsent_ = !tls_out_.empty();
    return;
  }
  int done = 0;
  if (redisBufferWrite(context_.get(), &done) != REDIS_OK) {
    // A server that has too many clients says so and ends the connection: what it said before is
    // read, and then the end.
    context_->err = 0;
    done = 1;
  }
  unsent_ = done == 0;
}

void Connection::Receive() {
  if (!tls_) {
    if (redisBufferRead(context_.get()) != REDIS_OK) Fail(context_->errstr);
    return;
  }
  const TlsNeed need = tls_->Read(tls_in_);
  const bool taken = redisReaderFeed(context_->reader, tls_in_.data(), tls_in_.size()) == REDIS_OK;
  // What came before the end is an answer all the same.
  if (!taken || (need == TlsNeed::kClosed && tls_in_.empty())) Fail("TLS: the connection ended");
  tls_in_.clear();
}

Reply Connection::Next(Deadline deadline) {
  for (;;) {
    if (!arena_) {
      arena_ = std::make_unique<ReplyArena>();
      arena_->MakeRepliesOf(*context_->reader);
    }
    void* reply = nullptr;
    if (redisGetReplyFromReader(context_.get(), &reply) != REDIS_OK) Fail(context_->errstr);
    if (reply != nullptr) {
      if (unanswered_ > 0) --unanswered_;
      return Reply(static_cast<redisReply*>(reply), ReplyDeleter{std::move(arena_)});
    }
    WaitForSocket(deadline);
  }
}

// Moves bytes once, in whichever direction is possible. Reading continues during writing: a server
// whose replies nobody reads would stop reading as well.
void Connection::WaitForSocket(Deadline deadline) {
  if (unsent_) Push();
  const auto events = static_cast<short>(unsent_ ? POLLIN | POLLOUT : POLLIN);
  short became = 0;
  if (WaitFor(events, deadline, became)) {
    if ((became & (POLLIN | POLLERR | POLLHUP)) != 0) Receive();
    return;
  }
  if (Clock::now() >= deadline) {
    const auto limit = ready_ ? options_.command_timeout : options_.connect_timeout;
    Fail("no answer within " + std::to_string(limit.count() / 1000) + " ms");
  }
}

bool Connection::WaitFor(short events, Deadline deadline, short& became) {
  std::array<pollfd, 2> sockets = {{{context_->fd, events, 0}, {options_.stop_fd, POLLIN, 0}}};
  const int ready = poll(sockets.data(), sockets.size(), PollTimeout(deadline));
  if (ready < 0 && errno != EINTR) Fail(std::strerror(errno));
  if (ready > 0 && (sockets[1].revents & POLLIN) != 0) {
    context_.reset();  // its answer is still to come; stopping is not a fault to report
    throw Error(SUMMA_E_CANCELLED, "SH-0904", "Redis: told to stop while waiting for an answer");
  }
  became = ready > 0 ? sockets[0].revents : short{0};
  return became != 0 || (ready < 0);  // interrupted: look again
}

Reply Connection::Command(std::initializer_list<std::string_view> arguments) {
  return Command({arguments.begin(), arguments.size()}, CommandDeadline());
}

Reply Connection::Command(std::span<const std::string_view> arguments, Deadline deadline) {
  Append(arguments);
  Reply reply = Next(deadline);
  if (IsError(*reply) && ClassifyServerError(Text(*reply)) == ServerErrorKind::kServer) {
    ThrowServerError(Text(*reply));
  }
  Succeeded();
  return reply;
}

void Connection::Pause(std::chrono::milliseconds time) {
  pollfd stop{options_.stop_fd, POLLIN, 0};
  if (poll(&stop, 1, static_cast<int>(time.count())) > 0) {
    throw Error(SUMMA_E_CANCELLED, "SH-0904", "Redis: told to stop while waiting");
  }
}

void Connection::ThrowServerError(std::string_view server_text) {
  const std::string reason = NotServing(server_text);
  const std::string hint = ServerErrorHint(server_text);
  Drop(reason, "SH-0603", hint);
  throw Error(SUMMA_E_UNAVAILABLE, "SH-0603", "Redis at " + address_ + ": " + reason, hint);
}

void Connection::Drop(const std::string& reason) { Drop(reason, "SH-0601", kUnreachableHint); }

void Connection::Drop(const std::string& reason, const std::string& code, const std::string& hint) {
  if (!context_) return;
  context_.reset();
  last_code_ = code;
  last_failure_ = "Redis at " + address_ + ": " + reason;
  last_hint_ = hint;
  Schedule();
  if (options_.on_event) options_.on_event(ConnectionEvent::kLost, name_, reason);
}

void Connection::Fail(const std::string& reason) {
  if (!ready_) FailToConnect("SH-0601", reason, kUnreachableHint);
  const std::string text = reason.empty() ? "connection lost" : "connection lost: " + reason;
  Drop(text);
  throw Error(SUMMA_E_UNAVAILABLE, last_code_, last_failure_, last_hint_);
}

void Connection::FailToConnect(const std::string& code, const std::string& reason,
                               const std::string& hint) {
  last_code_ = code;
  last_failure_ = "Redis at " + address_ + ": " + reason;
  last_hint_ = hint;
  context_.reset();
  Schedule();
  if (options_.on_event) {
    options_.on_event(ConnectionEvent::kConnectFailed, name_, last_failure_);
  }
  throw Error(SUMMA_E_UNAVAILABLE, last_code_, last_failure_, last_hint_);
}

void Connection::Schedule() {
  const bool first = !std::exchange(failed_, true);
  next_attempt_ = Clock::now() + (first ? microseconds(0) : backoff_.Next());
}

}  // namespace summa::bus_redis

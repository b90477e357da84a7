#include "tests/faults/appender.hpp"

#include <libpq-fe.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>

#include "tests/fixture/ledger.hpp"

namespace summa::test {
namespace {

using std::chrono::steady_clock;

// Between attempts to reach a server that is down.
constexpr std::chrono::milliseconds kReconnectPause{20};
// Longest nap between two operations, so that Stop is never kept waiting.
constexpr std::chrono::milliseconds kLongestNap{50};

// Rows of this transaction: nothing of the fixture makes a subtransaction. created_at is the start
// of the transaction, and the positions that a session draws only rise: both keep an index in use.
constexpr const char* kOwnOutboxRows =
    "SELECT id FROM outbox WHERE status = 'pending' AND created_at = now() AND xmin = "
    "pg_current_xact_id()::xid";
constexpr const char* kOwnEvents =
    "SELECT id, md5(e::text), sequence_number FROM ledger_event e WHERE sequence_number > "
    "$1::bigint AND xmin = pg_current_xact_id()::xid ORDER BY sequence_number";

// Notes the socket of a connection while it is open.
class NotedSocket {
 public:
  NotedSocket(std::mutex& mutex, std::set<int>& sockets, const Db& db)
      : mutex_(mutex), sockets_(sockets), socket_(PQsocket(db.Handle())) {
    const std::lock_guard lock(mutex_);
    sockets_.insert(socket_);
  }
  ~NotedSocket() {
    const std::lock_guard lock(mutex_);
    sockets_.erase(socket_);
  }
  NotedSocket(const NotedSocket&) = delete;
  NotedSocket& operator=(const NotedSocket&) = delete;

 private:
  std::mutex& mutex_;
  std::set<int>& sockets_;
  const int socket_;
};

// A lost connection, or a server that says good-bye: 57P01 to 57P03.
bool IsLost(const DbError& error) {
  return error.sqlstate.empty() || error.sqlstate.rfind("57P", 0) == 0;
}

void Insert(std::set<std::string>& into, const std::vector<std::string>& ids) {
  into.insert(ids.begin(), ids.end());
}

void InsertIds(std::set<std::string>& into, const Rows& rows) {
  for (const Row& row : rows) into.insert(row[0]);
}

}  // namespace

struct Appender::Session {
  Db& db;
  int connection;
  std::string position;  // none of its own events is above, before the next transaction
};

Appender::Appender(std::string url, AppenderOptions options)
    : url_(std::move(url)), options_(options) {}

Appender::~Appender() { Stop(); }

void Appender::Start() {
  if (!threads_.empty()) return;
  EnsureAccounts(url_, options_.accounts);
  stopping_ = false;
  threads_.reserve(static_cast<std::size_t>(options_.connections));
  for (int i = 0; i < options_.connections; ++i) threads_.emplace_back([this, i] { Work(i); });
}

void Appender::Stop() {
  stopping_ = true;
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void Appender::GiveUpConnections() {
  const std::lock_guard lock(mutex_);
  for (const int socket : sockets_) shutdown(socket, SHUT_RDWR);
}

std::string Appender::LastError() const {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

AppendedIds Appender::Ids() const {
  const std::lock_guard lock(mutex_);
  return ids_;
}

void Appender::AppendOne(Session& session) {
  Db& db = session.db;
  std::vector<std::string> outbox;
  Rows events;
  bool committing = false;
  try {
    db.Execute("BEGIN");
    db.Query("SELECT fixture.random_operation($1::int)", {std::to_string(options_.accounts)});
    outbox = db.Column(kOwnOutboxRows);
    events = db.Query(kOwnEvents, {session.position});
    if (!events.empty()) session.position = events.back()[2];
    committing = true;
    db.Execute("COMMIT");
    const std::lock_guard lock(mutex_);
    Insert(ids_.outbox, outbox);
    InsertIds(ids_.events, events);
    for (const Row& event : events) ids_.digests.emplace(event[0], event[1]);
    ++acknowledged_;
  } catch (const DbError& error) {
    const std::lock_guard lock(mutex_);
    last_error_ = error.what();
    if (committing && IsLost(error)) {
      Insert(ids_.maybe_outbox, outbox);
      InsertIds(ids_.maybe_events, events);
      ++maybe_;
    } else {
      ++failed_;
    }
    throw;
  }
}

void Appender::Append(Session& session, steady_clock::time_point due) {
  const auto tell = [&](const DbError* error) {
    if (options_.on_attempt) {
      options_.on_attempt({session.connection, due, steady_clock::now(), error});
    }
  };
  try {
    AppendOne(session);
    tell(nullptr);
  } catch (const DbError& error) {
    tell(&error);
    if (IsLost(error)) throw;
    session.db.Execute("ROLLBACK");
  }
}

void Appender::Work(int connection) {
  const std::chrono::duration<double> seconds(
      options_.rate > 0 ? static_cast<double>(options_.connections) / options_.rate : 0);
  const auto interval = std::chrono::duration_cast<steady_clock::duration>(seconds);
  while (!stopping_) {
    try {
      Db db(url_);
      const NotedSocket noted(mutex_, sockets_, db);
      db.Execute("SET application_name = 'appender'; " + options_.session);
      Session session{db, connection,
                      db.Value("SELECT coalesce(max(sequence_number), 0) FROM ledger_event")};
      for (auto due = steady_clock::now() + interval * connection / options_.connections;;) {
        for (auto now = steady_clock::now(); now < due && !stopping_; now = steady_clock::now()) {
          std::this_thread::sleep_for(std::min<steady_clock::duration>(due - now, kLongestNap));
        }
        if (stopping_) break;
        Append(session, due);
        due += interval;
        if (!options_.makes_up || options_.rate <= 0) due = std::max(due, steady_clock::now());
      }
    } catch (const DbError& error) {
      {
        const std::lock_guard lock(mutex_);
        last_error_ = error.what();
      }
      std::this_thread::sleep_for(kReconnectPause);
    }
  }
}

}  // namespace summa::test

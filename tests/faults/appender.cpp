#include "tests/faults/appender.hpp"

#include <libpq-fe.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>

#include "tests/fixture/ledger.hpp"

namespace summa::test {
namespace {

// Between attempts to reach a server that is down.
constexpr std::chrono::milliseconds kReconnectPause{20};
// Longest nap between two operations, so that Stop is never kept waiting.
constexpr std::chrono::milliseconds kLongestNap{50};

// Rows of this transaction: nothing of the fixture makes a subtransaction, and created_at (the
// start of the transaction) keeps the index in use.
std::string OwnRows(const char* table) {
  return std::string("SELECT id FROM ") + table +
         " WHERE created_at = now() AND xmin = pg_current_xact_id()::xid";
}

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

}  // namespace

Appender::Appender(std::string url, AppenderOptions options)
    : url_(std::move(url)), options_(options) {}

Appender::~Appender() { Stop(); }

void Appender::Start() {
  if (!threads_.empty()) return;
  EnsureAccounts(url_, options_.accounts);
  stopping_ = false;
  threads_.reserve(static_cast<std::size_t>(options_.connections));
  for (int i = 0; i < options_.connections; ++i) threads_.emplace_back([this] { Work(); });
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

void Appender::AppendOne(Db& db) {
  std::vector<std::string> outbox, events;
  bool committing = false;
  try {
    db.Execute("BEGIN");
    db.Query("SELECT fixture.random_operation($1::int)", {std::to_string(options_.accounts)});
    outbox = db.Column(OwnRows("outbox"));
    events = db.Column(OwnRows("ledger_event"));
    committing = true;
    db.Execute("COMMIT");
    const std::lock_guard lock(mutex_);
    Insert(ids_.outbox, outbox);
    Insert(ids_.events, events);
    ++acknowledged_;
  } catch (const DbError& error) {
    {
      const std::lock_guard lock(mutex_);
      last_error_ = error.what();
      if (committing && IsLost(error)) {
        Insert(ids_.maybe_outbox, outbox);
        Insert(ids_.maybe_events, events);
        ++maybe_;
      } else {
        ++failed_;
      }
    }
    if (IsLost(error)) throw;
    db.Execute("ROLLBACK");
  }
}

void Appender::Work() {
  using std::chrono::steady_clock;
  const auto interval = std::chrono::duration<double>(
      options_.rate > 0 ? static_cast<double>(options_.connections) / options_.rate : 0);
  while (!stopping_) {
    try {
      Db db(url_);
      const NotedSocket noted(mutex_, sockets_, db);
      db.Execute("SET application_name = 'appender'");
      for (auto due = steady_clock::now(); !stopping_;) {
        AppendOne(db);
        // What a busy machine could not do in time is left out, not made up for.
        due = std::max(due + std::chrono::duration_cast<steady_clock::duration>(interval),
                       steady_clock::now());
        for (auto now = steady_clock::now(); now < due && !stopping_; now = steady_clock::now()) {
          std::this_thread::sleep_for(std::min<steady_clock::duration>(due - now, kLongestNap));
        }
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

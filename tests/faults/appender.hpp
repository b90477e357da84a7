// Ledger traffic with a memory of its own of what PostgreSQL promised to keep.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/services/db.hpp"

namespace summa::test {

// What the writers know, independent of any server. An id stands in one of each pair.
struct AppendedIds {
  // COMMIT was answered: they must be there for ever.
  std::set<std::string> outbox, events;
  // The connection broke before COMMIT was answered: all of one transaction or none of it.
  std::set<std::string> maybe_outbox, maybe_events;
  // Of each event in `events`: md5 of the text of its row, as its transaction saw it.
  std::map<std::string, std::string> digests;
};

// One transaction, as its writer saw it.
struct Attempt {
  int connection = 0;
  std::chrono::steady_clock::time_point due, ended;
  const DbError* error = nullptr;  // none: it was committed
};

struct AppenderOptions {
  int connections = 2;
  int accounts = 10;
  double rate = 0;  // transactions per second over all connections; 0: as fast as it goes
  // What was not done in time is made up for: a stall is seen by every transaction that was due in
  // it. Otherwise it is left out.
  bool makes_up = false;
  std::string session = {};  // statements that begin each connection, such as "SET role = .."
  // Called by the thread of the connection.
  std::function<void(const Attempt&)> on_attempt = {};
};

// Random operations (tests/fixture), each in a transaction whose outbox and event ids are read
// before it is committed. A lost connection is made anew until Stop: it goes on over restarts.
// Start, Stop and the destructor from one thread, the rest from any.
class Appender {
 public:
  explicit Appender(std::string url, AppenderOptions options = {});
  ~Appender();  // stops
  Appender(const Appender&) = delete;
  Appender& operator=(const Appender&) = delete;

  // Makes the accounts first when they are missing.
  void Start();
  // Returns when every operation under way has ended, well or not. May be started again.
  void Stop();
  // What clients with a time limit do when their server does not answer: every connection that is
  // open now ends, and is made anew.
  void GiveUpConnections();

  long long Acknowledged() const { return acknowledged_; }  // transactions
  long long Maybe() const { return maybe_; }
  // Refused by the database before COMMIT, such as by a deadlock or a shutdown.
  long long Failed() const { return failed_; }
  std::string LastError() const;
  AppendedIds Ids() const;

 private:
  struct Session;
  void Work(int connection);
  void Append(Session& session, std::chrono::steady_clock::time_point due);
  void AppendOne(Session& session);

  const std::string url_;
  const AppenderOptions options_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stopping_{false};
  std::atomic<long long> acknowledged_{0}, maybe_{0}, failed_{0};
  mutable std::mutex mutex_;  // for all below
  std::set<int> sockets_;     // of open connections
  AppendedIds ids_;
  std::string last_error_;
};

}  // namespace summa::test

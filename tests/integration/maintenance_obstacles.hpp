// Who stands in the way of work on a table, and the sessions that must not notice that the work
// waits.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/services/db.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::maintenance {

// Holds a lock on a table from its beginning until End() or the destructor.
class Obstacle {
 public:
  Obstacle() = default;
  virtual ~Obstacle() = default;
  Obstacle(const Obstacle&) = delete;
  Obstacle& operator=(const Obstacle&) = delete;

  // As every report has it.
  virtual std::string Name() const = 0;
  virtual void End() = 0;
};

// A transaction that has run `statements`, and is idle.
class OpenTransaction final : public Obstacle {
 public:
  OpenTransaction(const std::string& url, const std::string& statements) : db_(url) {
    db_.Execute("SET application_name = 'obstacle'");
    db_.Execute("BEGIN; " + statements);
  }
  std::string Name() const override {
    return "process " + std::to_string(db_.BackendPid()) + " (obstacle";
  }
  void End() override { db_.Execute("COMMIT"); }

 private:
  test::Db db_;
};

class PreparedTransaction final : public Obstacle {
 public:
  PreparedTransaction(const std::string& url, const std::string& statements) : db_(url) {
    db_.Execute("BEGIN; " + statements);
    db_.Execute("PREPARE TRANSACTION 'unfinished_transfer'");
  }
  ~PreparedTransaction() override {
    if (!ended_) db_.Execute("ROLLBACK PREPARED 'unfinished_transfer'");
  }
  std::string Name() const override { return "unfinished_transfer"; }
  void End() override {
    db_.Execute("COMMIT PREPARED 'unfinished_transfer'");
    ended_ = true;
  }

 private:
  test::Db db_;
  bool ended_ = false;
};

// A vacuum to prevent wraparound, which gives way to nobody, and takes minutes at least.
class WraparoundVacuum final : public Obstacle {
 public:
  // Before it: the table gets thousands of pages, from a transaction of `insert` that is rolled
  // back, and is older than it may be. Nothing is vacuumed until the vacuum begins.
  static void LetAge(const std::string& url, const std::string& table, const std::string& insert) {
    test::Db db(url);
    Configure(db, {{"autovacuum", "off"},
                   {"autovacuum_naptime", "1s"},
                   {"autovacuum_vacuum_cost_limit", "1"},
                   {"autovacuum_vacuum_cost_delay", "100ms"},
                   // Freezes everything, so that the table is young afterwards.
                   {"vacuum_freeze_min_age", "0"},
                   {"vacuum_freeze_table_age", "0"},
                   // Of no other table.
                   {"autovacuum_vacuum_threshold", "2000000000"},
                   {"autovacuum_vacuum_insert_threshold", "-1"},
                   {"autovacuum_analyze_threshold", "2000000000"}});
    test::WaitUntil(
        [&] {
          return db.Count(
                     "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE "
                     "'autovacuum%'") == 0;
        },
        test::kTimeout, "the end of autovacuum");
    db.Execute("BEGIN; " + insert + "; ROLLBACK");
    // The smallest that is allowed.
    db.Execute("ALTER TABLE " + table + " SET (autovacuum_freeze_max_age = 100000)");
    const long long missing = 100'001 - AgeOf(db, db.Value("SELECT $1::regclass::oid", {table}));
    db.Execute("DO $$ BEGIN FOR i IN 1 .. " + std::to_string(missing) +
               " LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$");
  }

  WraparoundVacuum(const std::string& url, const std::string& table) : db_(url) {
    table_ = db_.Value("SELECT $1::regclass::oid", {table});
    Configure(db_, {{"autovacuum", "on"}});
    test::WaitUntil(
        [this] {
          const std::vector<std::string> pids = Workers();
          if (!pids.empty()) pid_ = pids.front();
          return !pids.empty();
        },
        test::kTimeout, "a vacuum to prevent wraparound");
  }
  ~WraparoundVacuum() override {
    if (!ended_) End();
  }
  std::string Name() const override { return "anti-wraparound autovacuum, process " + pid_; }
  bool Runs() { return !Workers().empty(); }
  // It comes back, and is through at once.
  void End() override {
    ended_ = true;
    Configure(db_, {{"autovacuum_vacuum_cost_delay", "0"}});
    for (const std::string& pid : Workers()) db_.Query("SELECT pg_terminate_backend($1)", {pid});
    test::WaitUntil([this] { return AgeOf(db_, table_) < 100'000 && Workers().empty(); },
                    test::kTimeout, "the end of the vacuum");
    Configure(db_, {{"autovacuum", "off"}});
  }

 private:
  static void Configure(test::Db& db, const std::map<std::string, std::string>& settings) {
    for (const auto& [name, value] : settings) {
      db.Execute("ALTER SYSTEM SET " + name + " = '" + value + "'");
    }
    db.Query("SELECT pg_reload_conf()");
  }
  // In transactions.
  static long long AgeOf(test::Db& db, const std::string& oid) {
    return db.Count("SELECT age(relfrozenxid) FROM pg_class WHERE oid = $1::oid", {oid});
  }
  std::vector<std::string> Workers() {
    return db_.Column(
        "SELECT a.pid FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid AND l.granted AND "
        "l.mode = 'ShareUpdateExclusiveLock' AND l.relation = $1::oid AND l.database = (SELECT oid "
        "FROM pg_database WHERE datname = current_database()) WHERE a.query LIKE 'autovacuum: "
        "VACUUM %(to prevent wraparound)'",
        {table_});
  }

  test::Db db_;
  std::string table_;  // its oid: the work may give it another name
  std::string pid_;
  bool ended_ = false;
};

// WITH HOLD cursors are none: they hold no lock after the end of their transaction.
enum class ObstacleKind { kReader, kPrepared, kCursor, kVacuum };

inline std::string NameOf(ObstacleKind kind) {
  switch (kind) {
    case ObstacleKind::kReader:
      return "Reader";
    case ObstacleKind::kPrepared:
      return "PreparedTransaction";
    case ObstacleKind::kCursor:
      return "Cursor";
    case ObstacleKind::kVacuum:
      return "WraparoundVacuum";
  }
  return "";
}

// insert: what a prepared transaction has written. For a vacuum LetAge() comes before.
inline std::unique_ptr<Obstacle> Obstruct(ObstacleKind kind, const std::string& url,
                                          const std::string& table, const std::string& insert) {
  switch (kind) {
    case ObstacleKind::kReader:
      return std::make_unique<OpenTransaction>(url, "SELECT count(*) FROM " + table);
    case ObstacleKind::kPrepared:
      return std::make_unique<PreparedTransaction>(url, insert);
    case ObstacleKind::kCursor:
      return std::make_unique<OpenTransaction>(
          url, "DECLARE place CURSOR FOR SELECT * FROM " + table + "; FETCH 1 FROM place");
    case ObstacleKind::kVacuum:
      return std::make_unique<WraparoundVacuum>(url, table);
  }
  return nullptr;
}

// Sessions that each insert a row and read a table in turn, and wait three seconds for a lock at
// most. Called from any thread.
class Traffic {
 public:
  Traffic(const std::string& url, const std::string& insert, const std::string& select)
      : sessions_(3) {
    for (Writer& session : sessions_) {
      session.thread = std::thread([this, &session, url, insert, select] {
        try {
          test::Db db(url);
          db.Execute("SET lock_timeout = '3s'");
          while (!stop_) {
            if (Do(db, insert)) ++written_;
            Do(db, select);
            ++session.rounds;
          }
        } catch (const std::exception& error) {
          Add(error.what());
        }
      });
    }
  }
  ~Traffic() { Stop(); }
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  // Returns when each session has ended a statement of each kind that began after the call.
  void Pass() const {
    std::vector<long long> before;
    for (const Writer& session : sessions_) before.push_back(session.rounds);
    test::WaitUntil(
        [&] {
          for (std::size_t i = 0; i < sessions_.size(); ++i) {
            if (sessions_[i].rounds < before[i] + 2) return stop_.load();
          }
          return true;
        },
        test::kTimeout, "traffic; " + Errors());
  }
  void Stop() {
    stop_ = true;
    for (Writer& session : sessions_) {
      if (session.thread.joinable()) session.thread.join();
    }
  }
  // Rows that were inserted.
  long long written() const { return written_; }
  std::string Errors() const {
    const std::lock_guard lock(mutex_);
    return errors_;
  }

 private:
  struct Writer {
    std::atomic<long long> rounds{0};
    std::thread thread;
  };

  bool Do(test::Db& db, const std::string& statement) {
    try {
      db.Execute(statement);
      return true;
    } catch (const test::DbError& error) {
      Add(error.what());
      return false;
    }
  }
  void Add(const std::string& error) {
    const std::lock_guard lock(mutex_);
    errors_ += error + "\n";
  }

  std::vector<Writer> sessions_;
  std::atomic<bool> stop_{false};
  std::atomic<long long> written_{0};
  mutable std::mutex mutex_;
  std::string errors_;
};

// Work in a thread of its own, which the destructor stops by `stop`, and waits for.
class Background {
 public:
  Background(std::atomic<bool>& stop, std::function<void()> work)
      : stop_(stop), thread_([this, work = std::move(work)] {
          try {
            work();
          } catch (const std::exception& error) {
            error_ = error.what();
          }
          ended_ = true;
        }) {}
  ~Background() { Stop(); }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  bool ended() const { return ended_; }
  // Returns the error that ended it.
  std::string Stop() {
    stop_ = true;
    return Wait();
  }
  std::string Wait() {
    if (thread_.joinable()) thread_.join();
    return error_;
  }

 private:
  std::atomic<bool>& stop_;
  std::atomic<bool> ended_{false};
  std::string error_;
  std::thread thread_;
};

}  // namespace summa::maintenance

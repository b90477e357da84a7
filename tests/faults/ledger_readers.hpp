// Readers of events that know what they have seen: nothing of it may be missing later.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/services/db.hpp"

namespace summa::test {

// Errors of many threads. [any]
class SeenErrors {
 public:
  void Note(const std::string& who, const DbError& error);
  // By SQLSTATE, those that an application repeats.
  std::map<std::string, long long> Retryable() const;
  // All others, each with who saw it.
  std::vector<std::string> Others() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, long long> retryable_;
  std::vector<std::string> others_;
};

struct ReaderOptions {
  int connections = 4;
  int accounts = 40;         // of the fixture; what their events are read for, too
  std::string session = {};  // statements that begin each connection
  std::string view = {};     // with the columns of ledger_event that are read
};

// Each reads by turns the latest version of an aggregate, its whole chain, the events since a
// position, and a chain under a snapshot that was taken before. Of four readers one each reads the
// table or the view, in statements that are planned each time or that the server has prepared once,
// with a plan that it keeps. Start, Stop and the destructor from one thread, the rest from any.
class LedgerReaders {
 public:
  LedgerReaders(std::string url, ReaderOptions options, SeenErrors& errors);
  ~LedgerReaders();  // stops
  LedgerReaders(const LedgerReaders&) = delete;
  LedgerReaders& operator=(const LedgerReaders&) = delete;

  // What is there now is what must stay.
  void Start();
  void Stop();
  // Of the reader that has made the fewest.
  long long FewestReads() const;
  // What a reader did not find again, or found torn. At most a few for each reader.
  std::vector<std::string> Surprises() const;

 private:
  friend class LedgerReader;
  struct Aggregate {
    std::string type, id;
  };
  void Work(int number);
  void ChooseWhatIsRead();
  void NoteSurprise(const std::string& text);

  const std::string url_;
  const ReaderOptions options_;
  SeenErrors& errors_;
  std::vector<Aggregate> aggregates_;
  std::string position_;  // behind it there are the events of `page_`, and others
  Rows page_;
  std::vector<std::thread> threads_;
  std::vector<std::atomic<long long>> reads_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<std::string> surprises_;
};

}  // namespace summa::test

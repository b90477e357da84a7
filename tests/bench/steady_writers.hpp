// Operations at a fixed rate, whatever the database does: each has its time, and how late it is
// committed counts. So a stall is seen by every operation that was due in it.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/report.hpp"
#include "tests/fixture/credit_writer.hpp"

namespace summa::bench {

class SteadyWriters {
 public:
  using Clock = std::chrono::steady_clock;
  struct Commit {
    long long position = 0;  // of its event
    Clock::time_point at;    // when its writer knew of it
  };

  // CPU, seconds since they began.
  struct Cost {
    double server = 0;   // of the processes of the server that serve their connections
    double writers = 0;  // of their own threads
  };

  // Credits of accounts 1..accounts of the fixture. One thread; its threads have a connection each.
  // Each makes its next operation ready, with ids, hash and message, before the operation is due;
  // so the server does what it does for an application, see CreditWriter.
  SteadyWriters(std::string url, double per_second, int connections, int accounts);
  ~SteadyWriters();  // stops
  SteadyWriters(const SteadyWriters&) = delete;
  SteadyWriters& operator=(const SteadyWriters&) = delete;

  void Start();
  void Stop();
  // Milliseconds from when an operation was due to its commit, of those that were since the last
  // call of this.
  Series TakeLatencies();
  // Those that were since the last call of this.
  std::vector<Commit> TakeCommits();
  long long Committed() const { return committed_; }
  long long Failed() const { return failed_; }
  long long Due() const;  // by now
  Cost Used();            // while they run

 private:
  void Write(int number, test::CreditWriter& writer);
  Clock::time_point TimeOf(long long turn) const;

  const std::string url_;
  const double per_second_;
  const int connections_, accounts_;
  std::vector<test::CreditedAccount> credited_;
  std::vector<std::unique_ptr<test::CreditWriter>> writers_;  // of a thread each
  Clock::time_point started_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stopping_{false};
  std::atomic<long long> turns_{0}, committed_{0}, failed_{0};
  std::mutex mutex_;
  Series latencies_;
  std::vector<Commit> commits_;
};

}  // namespace summa::bench

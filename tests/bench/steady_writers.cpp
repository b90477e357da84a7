#include "tests/bench/steady_writers.hpp"

#include <pthread.h>

#include <ctime>
#include <utility>

#include "tests/services/db.hpp"
#include "tests/services/process.hpp"

namespace summa::bench {

SteadyWriters::SteadyWriters(std::string url, double per_second, int connections, int accounts)
    : url_(std::move(url)),
      per_second_(per_second),
      connections_(connections),
      accounts_(accounts) {}

SteadyWriters::~SteadyWriters() { Stop(); }

void SteadyWriters::Start() {
  credited_ = test::ReadCreditedAccounts(url_, accounts_);
  for (int i = 0; i < connections_; ++i) {
    writers_.push_back(std::make_unique<test::CreditWriter>(url_));
  }
  threads_.reserve(writers_.size());
  started_ = Clock::now();
  for (int i = 0; i < connections_; ++i) {
    threads_.emplace_back([this, i] { Write(i, *writers_[static_cast<std::size_t>(i)]); });
  }
}

void SteadyWriters::Stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

SteadyWriters::Clock::time_point SteadyWriters::TimeOf(long long turn) const {
  return started_ + std::chrono::duration_cast<Clock::duration>(
                        std::chrono::duration<double>(static_cast<double>(turn) / per_second_));
}

long long SteadyWriters::Due() const {
  const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  return static_cast<long long>(seconds * per_second_);
}

void SteadyWriters::Write(int number, test::CreditWriter& writer) {
  while (!stopping_) {
    const long long turn = turns_++;
    const Clock::time_point due = TimeOf(turn);
    const auto account = static_cast<std::size_t>((turn * 7919 + number) % accounts_);
    const test::PreparedCredit credit = writer.Prepare(credited_[account], 1 + turn % 100);
    std::this_thread::sleep_until(due);
    long long position = 0;
    try {
      position = writer.Write(credit);
      ++committed_;
    } catch (const test::DbError&) {
      ++failed_;
    }
    const Clock::time_point now = Clock::now();
    const std::lock_guard lock(mutex_);
    latencies_.Add(std::chrono::duration<double, std::milli>(now - due).count());
    if (position > 0) commits_.push_back({position, now});
  }
}

SteadyWriters::Cost SteadyWriters::Used() {
  Cost cost;
  for (const auto& writer : writers_) {
    cost.server += test::UsageOf(writer->BackendPid()).cpu_seconds;
  }
  for (std::thread& thread : threads_) {
    clockid_t clock{};
    timespec time{};
    if (pthread_getcpuclockid(thread.native_handle(), &clock) != 0) continue;
    if (clock_gettime(clock, &time) != 0) continue;
    cost.writers += static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  }
  return cost;
}

Series SteadyWriters::TakeLatencies() {
  const std::lock_guard lock(mutex_);
  return std::exchange(latencies_, {});
}

std::vector<SteadyWriters::Commit> SteadyWriters::TakeCommits() {
  const std::lock_guard lock(mutex_);
  return std::exchange(commits_, {});
}

}  // namespace summa::bench

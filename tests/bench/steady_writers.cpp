#include "tests/bench/steady_writers.hpp"

#include <utility>

#include "tests/services/db.hpp"

namespace summa::bench {

SteadyWriters::SteadyWriters(std::string url, double per_second, int connections, int accounts)
    : url_(std::move(url)),
      per_second_(per_second),
      connections_(connections),
      accounts_(accounts) {}

SteadyWriters::~SteadyWriters() { Stop(); }

void SteadyWriters::Start() {
  started_ = Clock::now();
  threads_.reserve(static_cast<std::size_t>(connections_));
  for (int i = 0; i < connections_; ++i) threads_.emplace_back([this, i] { Write(i); });
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

void SteadyWriters::Write(int number) {
  test::Db db(url_);
  db.Execute(
      "PREPARE credit AS SELECT currval('ledger_event_sequence_number_seq') FROM (SELECT "
      "fixture.credit(fixture.account_id($1::integer), $2::bigint) OFFSET 0) AS done");
  while (!stopping_) {
    const long long turn = turns_++;
    const Clock::time_point due = TimeOf(turn);
    std::this_thread::sleep_until(due);
    const long long account = 1 + (turn * 7919 + number) % accounts_;
    long long position = 0;
    try {
      position = db.Count("EXECUTE credit(" + std::to_string(account) + ", " +
                          std::to_string(1 + turn % 100) + ")");
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

Series SteadyWriters::TakeLatencies() {
  const std::lock_guard lock(mutex_);
  return std::exchange(latencies_, {});
}

std::vector<SteadyWriters::Commit> SteadyWriters::TakeCommits() {
  const std::lock_guard lock(mutex_);
  return std::exchange(commits_, {});
}

}  // namespace summa::bench

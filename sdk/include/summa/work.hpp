// Building blocks for long work: a pace with a limit, stopping, progress, and batches by key.
// Nothing here has its own clock or database.
//
//   summa::Work work(summa::CallerOf(host, tick), [&] { return rate; });
//   while (...) {
//     ...                                // read or write 1,000 rows
//     if (!work.Done(1000)) return;      // rests as long as the rate requires; false: stop
//   }
#pragma once

#include <summa/command.hpp>
#include <summa/host.hpp>
#include <summa/sql.hpp>
#include <summa/time.hpp>
#include <summa/worker.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace summa {

// Computes how long to rest, so that no more than a given number of rows per second is processed.
// Lost time is not made up for: after a slow period of the machine, the pace is the same as before.
// One thread at a time.
class Pace {
 public:
  // `rows` more rows were done between `begin` and `now`; rate: maximum rows per second, 0: no
  // limit.
  std::chrono::microseconds Rest(std::int64_t rows, std::int64_t rate, BootTime begin,
                                 BootTime now) {
    if (rate <= 0 || rows <= 0) return std::chrono::microseconds(0);
    const double span = static_cast<double>(rows) * 1e6 / static_cast<double>(rate);
    // A limit of a year is long enough, and prevents an overflow with any number of rows.
    constexpr double kLongest = 365.0 * 24 * 3600 * 1e6;
    next_ = std::max(next_, begin) +
            std::chrono::microseconds(static_cast<std::int64_t>(std::min(span, kLongest)));
    return std::max(next_ - now, std::chrono::microseconds(0));
  }

 private:
  BootTime next_;  // no more rows should be done before this instant
};

// The recent speed in rows per second: what is a minute old hardly counts. One thread at a time.
class Speed {
 public:
  explicit Speed(double known = 0) : rows_per_second_(known) {}

  // `rows` rows took `took`, including rests.
  void Add(std::int64_t rows, std::chrono::microseconds took) {
    const double seconds = std::max(std::chrono::duration<double>(took).count(), 1e-6);
    const double now = static_cast<double>(rows) / seconds;
    constexpr double kMemorySeconds = 20;
    const double share = rows_per_second_ <= 0 ? 1 : 1 - std::exp(-seconds / kMemorySeconds);
    rows_per_second_ += share * (now - rows_per_second_);
  }
  double rows_per_second() const { return rows_per_second_; }
  // How long the remaining rows take at this speed; nullopt: unknown.
  std::optional<std::chrono::microseconds> Left(std::int64_t done, std::int64_t total) const {
    if (total <= 0 || rows_per_second_ <= 0) return std::nullopt;
    const double rows = static_cast<double>(std::max<std::int64_t>(total - done, 0));
    constexpr double kMost = 1e9;  // seconds: more than thirty years
    const double seconds = std::min(rows / rows_per_second_, kMost);
    return std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6));
  }

 private:
  double rows_per_second_;
};

// How many rows to take at once, so that a batch takes about half a second: short enough to stop
// soon and to hold locks briefly, long enough that the cost of the transaction itself is
// negligible. One thread at a time.
class BatchSize {
 public:
  explicit BatchSize(std::int64_t first = 1000, std::int64_t most = 50'000)
      : most_(std::max<std::int64_t>(most, 1)), size_(std::clamp<std::int64_t>(first, 1, most_)) {}

  // rate: maximum rows per second; a batch then has at most the rows of one second.
  std::int64_t Next(std::int64_t rate) const {
    return rate > 0 ? std::min(size_, std::max<std::int64_t>(rate, 1)) : size_;
  }
  // `rows` rows took `time`, without the rest afterwards.
  void Took(std::int64_t rows, std::chrono::microseconds time) {
    if (rows <= 0) return;
    const double wanted = static_cast<double>(rows) * static_cast<double>(kTarget.count()) /
                          static_cast<double>(std::max<std::int64_t>(time.count(), 1));
    // At most twice or half as many as before, because a single unusual batch says little.
    const double half = static_cast<double>(size_) / 2, twice = static_cast<double>(size_) * 2;
    size_ = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::clamp(wanted, half, twice)), 1,
                                     most_);
  }

 private:
  static constexpr std::chrono::microseconds kTarget{500'000};
  std::int64_t most_, size_;
};

// The caller of the work: a worker's tick, a verb, a step of an operation, or a test.
struct WorkCaller {
  std::function<BootTime()> now;
  std::function<bool()> should_stop;
  std::function<bool(std::chrono::microseconds)> wait;  // sleeps; true: told to stop
  std::function<void(std::string_view label, std::int64_t done, std::int64_t total)> progress = {};
};

// Both borrow their arguments.
inline WorkCaller CallerOf(const Host& host, const Tick& tick) {
  return {[host] { return host.BootNow(); }, [&tick] { return tick.ShouldStop(); },
          [&tick](std::chrono::microseconds time) { return tick.Wait(time); }};
}
inline WorkCaller CallerOf(const Host& host, const CommandCall& call) {
  return {[host] { return host.BootNow(); }, [&call] { return call.ShouldStop(); },
          [&call](std::chrono::microseconds time) { return call.Wait(time); },
          [&call](std::string_view label, std::int64_t done, std::int64_t total) {
            call.Progress(label, done, total);
          }};
}

// Work in progress: whether to stop, when to rest, where to report progress. One thread at a time,
// except ShouldStop() and Progress(), which are as safe as the caller's functions.
class Work {
 public:
  // rate: called each time, so that it may change; maximum rows per second, 0: no limit.
  Work(WorkCaller caller, std::function<std::int64_t()> rate)
      : caller_(std::move(caller)), rate_(std::move(rate)), begin_(caller_.now()) {}

  const WorkCaller& caller() const { return caller_; }
  bool ShouldStop() const { return caller_.should_stop(); }
  // Sleeps; true: told to stop.
  bool Wait(std::chrono::microseconds time) const { return caller_.wait(time); }
  std::int64_t rate() const { return rate_(); }
  void Progress(std::string_view label, std::int64_t done, std::int64_t total) const {
    if (caller_.progress) caller_.progress(label, done, total);
  }

  // `rows` more rows were done: rests so that the rate is kept. Returns false when told to stop.
  bool Done(std::int64_t rows) {
    if (ShouldStop()) return false;
    const BootTime now = caller_.now();
    const BootTime until = now + pace_.Rest(rows, rate(), begin_, now);
    for (begin_ = caller_.now(); begin_ < until; begin_ = caller_.now()) {
      if (Wait(std::min(until - begin_, kLongestRest))) return false;
    }
    return true;
  }

 private:
  // The longest rest inside a transaction: well below the server's limit for idle transactions.
  static constexpr std::chrono::microseconds kLongestRest = std::chrono::seconds(2);
  WorkCaller caller_;
  std::function<std::int64_t()> rate_;
  Pace pace_;
  BootTime begin_;  // of the rows that are being done
};

// Calls `batch` until it returns false (it found nothing more), and rests after each call as long as
// the call took, at most a second: half of the time belongs to others. Returns false when told to
// stop before.
inline bool InBatches(const WorkCaller& caller, const std::function<bool()>& batch) {
  // Longer rests would only make it last longer: by then the server is busy with something else.
  constexpr std::chrono::microseconds kLongestRest = std::chrono::seconds(1);
  for (;;) {
    const BootTime begin = caller.now();
    if (!batch()) return true;
    if (caller.should_stop()) return false;
    if (caller.wait(std::min(caller.now() - begin, kLongestRest))) return false;
  }
}

// The next rows of a table in the order of one unique column that has an index: those with a key
// above `after` and up to `through`. The keys are in the text form of the server, so any type
// works.
struct KeyBatch {
  std::optional<std::string> after;  // none: from the first key on
  std::string through;
  std::int64_t rows = 0;  // 0: there are no more rows; the other members have no meaning

  // "id > $3 AND id <= $4": a condition whose first parameter is number `first`.
  std::string Where(const std::string& key, int first = 1) const {
    const std::string last = "$" + std::to_string(first + (after ? 1 : 0));
    return (after ? key + " > $" + std::to_string(first) + " AND " : "") + key + " <= " + last;
  }
  // Appends the parameters of Where().
  void AddTo(std::vector<Parameter>& parameters) const {
    if (after) parameters.emplace_back(*after);
    parameters.emplace_back(through);
  }
};

// At most `rows` rows, with one index scan. `table` and `key` are identifiers, quoted where
// necessary.
inline KeyBatch NextKeys(Session& session, const std::string& table, const std::string& key,
                         const std::optional<std::string>& after, std::int64_t rows) {
  // The last row of the piece, not max(): not every type has one.
  const std::string piece = "SELECT " + key + " AS k, row_number() OVER (ORDER BY " + key +
                            ") AS n FROM (SELECT " + key + " FROM " + table +
                            (after ? " WHERE " + key + " > $2" : "") + " ORDER BY " + key +
                            " LIMIT $1) piece";
  std::vector<Parameter> parameters{Parameter(rows)};
  if (after) parameters.emplace_back(*after);
  const Result last = session.Exec(
      "SELECT k::text AS last, n FROM (" + piece + ") numbered ORDER BY n DESC LIMIT 1",
      std::span<const Parameter>(parameters));
  KeyBatch batch;
  batch.after = after;
  if (last.rows() == 0) return batch;
  batch.through = last[0].Get<std::string>("last");
  batch.rows = last[0].Get<std::int64_t>("n");
  return batch;
}

}  // namespace summa

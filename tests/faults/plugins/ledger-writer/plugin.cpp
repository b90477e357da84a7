// Workers for the tests of fleets: whatever they commit says under which fence it was written. The
// tables are those of tests/faults/fleet.sql.
#include <summa/crash_point.hpp>
#include <summa/plugin.hpp>

#include <thread>

namespace {

// Between two rows of the writers: often enough that a place is reached at once, seldom enough that
// twenty hosts leave the machine to others.
constexpr std::chrono::milliseconds kPause{20};
// Work for a while.
constexpr std::string_view kCopy = "COPY (SELECT generate_series(1, 300000)) TO STDOUT";
// More than the buffers of a socket hold, so a reader that stands still keeps the server waiting;
// and more than it reads before its lease is found to be over.
constexpr std::string_view kEndlessCopy = "COPY (SELECT generate_series(1, 1000000000)) TO STDOUT";
constexpr std::int64_t kRowsBeforePlace = 1000;

constexpr std::string_view kArmed =
    "SELECT EXISTS (SELECT FROM fleet.armed WHERE host = current_setting('application_name'))";
constexpr std::string_view kWrite =
    "INSERT INTO fleet.written (worker, fence, host) "
    "VALUES ($1, $2, current_setting('application_name'))";
// The effect of a run, keyed by the due time that it is for: a run that is repeated because nobody
// could write down that it was done finds its own key.
constexpr std::string_view kDoOnce =
    "INSERT INTO fleet.done (worker, due) VALUES ($1, coalesce((SELECT next_due_at FROM "
    "summa_host.worker_state WHERE worker_id = $1), '-infinity')) ON CONFLICT DO NOTHING";

// One row per call, in a guarded transaction. A test arms the places once everything else is as it
// should be.
class Writer : public summa::Worker {
 public:
  explicit Writer(std::string id) : id_(std::move(id)) {}

  summa::TickResult Run(const summa::Tick& tick) override {
    summa::Session session(tick.sql());
    const bool armed = session.Exec(kArmed).Value<bool>();
    Before(session, armed);
    session.Begin();
    session.Exec(kWrite, {id_, tick.fence()});
    if (armed) summa::CrashPoint("ledger-writer.written");
    session.Commit();
    After(tick);
    return {1, false, std::nullopt};
  }

 protected:
  virtual void Before(summa::Session&, bool armed) {
    if (armed) summa::CrashPoint("ledger-writer.between");
  }
  virtual void After(const summa::Tick& tick) { tick.Wait(kPause); }

 private:
  std::string id_;
};

// One row per lease, and then nothing to do.
class Idle final : public Writer {
 public:
  using Writer::Writer;
  summa::TickResult Run(const summa::Tick& tick) override {
    if (tick.new_lease()) return Writer::Run(tick);
    return {0, false, std::nullopt};
  }

 private:
  void After(const summa::Tick&) override {}
};

class Streamer final : public Writer {
 public:
  using Writer::Writer;

 private:
  void Before(summa::Session& session, bool armed) override {
    std::int64_t rows = 0;
    session.CopyOut(armed ? kEndlessCopy : kCopy, [&](std::string_view) {
      if (++rows == kRowsBeforePlace && armed) summa::CrashPoint("ledger-writer.streaming");
      return true;
    });
  }
};

class Deaf final : public Writer {
 public:
  using Writer::Writer;

 private:
  void After(const summa::Tick&) override {
    for (;;) std::this_thread::sleep_for(kPause);
  }
};

class Periodic final : public summa::Worker {
 public:
  explicit Periodic(std::string id) : id_(std::move(id)) {}

  summa::TickResult Run(const summa::Tick& tick) override {
    summa::Session session(tick.sql());
    session.Begin();
    session.Exec(kWrite, {id_, tick.fence()});
    session.Exec(kDoOnce, {id_});
    summa::CrashPoint("ledger-writer.run_written");
    session.Commit();
    summa::CrashPoint("ledger-writer.run_committed");
    return {1, false, std::nullopt};
  }

 private:
  std::string id_;
};

class LedgerWriter final : public summa::Plugin {
 public:
  explicit LedgerWriter(summa::Host host) : Plugin(host) {}

  std::vector<summa::WorkerBinding> Workers() override {
    return {{"fence-writer", &writer_}, {"idle-writer", &idle_},   {"fence-streamer", &streamer_},
            {"deaf-writer", &deaf_},    {"daily-writer", &daily_}, {"often-writer", &often_}};
  }

 private:
  Writer writer_{"fence-writer"};
  Idle idle_{"idle-writer"};
  Streamer streamer_{"fence-streamer"};
  Deaf deaf_{"deaf-writer"};
  Periodic daily_{"daily-writer"}, often_{"often-writer"};
};

}  // namespace

SUMMA_PLUGIN(LedgerWriter)

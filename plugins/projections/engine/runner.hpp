// The worker: reads the store, and applies what is new to every build that runs. With a bus, it
// looks at the store when a message comes.
//
// Builds at the same place share one reading and one transaction. One that is behind, because it is
// new or was paused, catches up by itself, and joins the others where it reaches them. Faults: what
// dies before the commit is read again; progress and rows are one transaction.
#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <summa/host.hpp>
#include <summa/ledger/event_table.hpp>
#include <summa/projection.hpp>
#include <summa/worker.hpp>
#include <vector>

#include "engine/catalog.hpp"
#include "engine/health.hpp"
#include "engine/settings.hpp"
#include "source/event_source.hpp"

namespace summa::projections {

class Runner final : public Worker {
 public:
  // The catalog outlives it.
  // `on_new_version`: readers see a build of a lower version than that of this host. Called again
  // under each lease; may be empty.
  using OnNewVersion = std::function<void(const Tick&, const summa_projection&)>;
  Runner(Host host, Settings settings, const Catalog& catalog, OnNewVersion on_new_version = {});
  TickResult Run(const Tick& tick) override;
  const Health& health() const { return health_; }

 private:
  // Builds at one place in the store, and the reader that stands there.
  struct Reading {
    std::unique_ptr<EventSource> source;
    std::future<std::unique_ptr<EventBatch>> next;  // read while the batch before it is applied
    std::unique_ptr<EventBatch> ready;              // read, and not applied yet
  };
  struct Progress {
    std::int64_t events = 0;  // stored ones
    bool more = false;        // a batch was full: more is visible
  };
  struct Sessions {
    Session& read;    // the read models
    Session& ledger;  // for readings while nothing is applied
    const summa_sql_v1* sql;
  };

  TickResult TryRun(const Tick& tick);
  TickResult Work(Sessions& sessions, const Tick& tick);
  TickResult Listen(Sessions& sessions, const Tick& tick);
  bool HasHoles() const;
  void Forget();
  void Prepare(Sessions& sessions, const Tick& tick);
  void CreateMissing(Session& read, std::int64_t fence);
  void LoadBuilds(Session& read);
  // Those that begin with the first event, when it has left the ledger.
  void FailIncomplete(Sessions& sessions, const Tick& tick);
  // The build stops until somebody resumes it.
  void Fail(Sessions& sessions, const Tick& tick, Build& build, const Error& error);
  void DropExpired(Session& read);
  bool ResumeKeys(Sessions& sessions, const Tick& tick);
  bool ResumeKey(Sessions& sessions, const Tick& tick, Build& build, const Uuid& key);
  void ApplyWaiting(Sessions& sessions, const Build& build, const Uuid& key,
                    std::span<const std::int64_t> positions);
  // One batch of each group.
  Progress Round(Sessions& sessions, const Tick& tick);
  Progress Step(Sessions& sessions, const Tick& tick, const ledger::Checkpoint& from);
  std::unique_ptr<EventBatch> ReadBatch(Sessions& sessions, Reading& reading);
  // None: events have left the ledger, and the builds that lack them have failed.
  std::unique_ptr<EventBatch> ReadOrFail(Sessions& sessions, const Tick& tick, Reading& reading,
                                         const ledger::Checkpoint& from);
  void ReadAhead(Sessions& sessions, Reading& reading);
  void ApplyBatch(Sessions& sessions, const Tick& tick, const EventBatch& batch,
                  const std::vector<Build*>& builds);
  void FailAlone(Sessions& sessions, const Tick& tick, const EventBatch& batch,
                 const std::vector<Build*>& builds);
  void DropReadings();
  void StopReading();  // before the sessions of the tick are gone
  void ObserveLag(Session& ledger);
  bool Runs(const Build& build) const;
  Records Needed() const;

  Host host_;
  Settings settings_;
  const Catalog& catalog_;
  const OnNewVersion on_new_version_;
  Health health_;

  std::optional<std::int64_t> fence_;  // under which all below was learned
  bool prepared_ = false;
  ledger::EventTable table_;
  std::vector<Build> builds_;
  std::map<std::string, Reading> readings_;  // by the checkpoint that they stand at
  BootTime next_load_, next_observation_, next_drop_;
};

}  // namespace summa::projections

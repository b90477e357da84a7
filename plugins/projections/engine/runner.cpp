#include "engine/runner.hpp"

#include <algorithm>
#include <set>
#include <summa/crash_point.hpp>
#include <utility>

#include "engine/build_tables.hpp"
#include "engine/bus_wake.hpp"
#include "source/departed.hpp"

namespace summa::projections {
namespace {

// One call of the worker; with a bus, which is subscribed to in each call.
constexpr std::chrono::milliseconds kShare{500};
constexpr std::chrono::seconds kListening{10};
// Until numbers are filled, or given up; and when the bus is away.
constexpr std::chrono::milliseconds kSoon{20};
// How soon a verb of a person (pause, resume, a new build) is seen.
constexpr std::chrono::milliseconds kLoadInterval{500};
constexpr std::chrono::seconds kObservationInterval{1};
constexpr std::chrono::minutes kDropInterval{1};
// What waits for a paused key is tried in parts of this size.
constexpr std::int64_t kResumedTogether = 500;

std::string PlaceOf(const ledger::Checkpoint& checkpoint) {
  return std::to_string(checkpoint.position) + ":" + checkpoint.HolesText();
}

}  // namespace

Runner::Runner(Host host, Settings settings, const Catalog& catalog, OnNewVersion on_new_version)
    : host_(host),
      settings_(std::move(settings)),
      catalog_(catalog),
      on_new_version_(std::move(on_new_version)),
      health_(host, settings_.lag_alert) {}

// Somebody has changed a build meanwhile (a swap, a pause): its progress is read again, once.
TickResult Runner::Run(const Tick& tick) {
  try {
    return TryRun(tick);
  } catch (const Error& error) {
    if (error.code() != "SH-0552") throw;
  }
  return TryRun(tick);
}

TickResult Runner::TryRun(const Tick& tick) {
  if (fence_ != tick.fence()) {
    Forget();
    fence_ = tick.fence();
  }
  Session read(tick.sql(), "read");
  Session ledger(tick.sql());
  Sessions sessions{read, ledger, tick.sql()};
  try {
    const bool listens = !settings_.wake_streams.empty() && !tick.once();
    return listens ? Listen(sessions, tick) : Work(sessions, tick);
  } catch (...) {
    // What was read ahead is read again, from the progress that is stored.
    Forget();
    throw;
  }
}

TickResult Runner::Work(Sessions& sessions, const Tick& tick) {
  TickResult result;
  if (!prepared_) Prepare(sessions, tick);
  if (host_.BootNow() >= next_load_) {
    LoadBuilds(sessions.read);
    FailIncomplete(sessions, tick);
  }
  result.backlog = ResumeKeys(sessions, tick);
  const BootTime end = host_.BootNow() + kShare;
  Progress progress;
  do {
    progress = Round(sessions, tick);
    result.items += progress.events;
  } while (progress.more && !tick.ShouldStop() && host_.BootNow() < end);
  result.backlog |= progress.more;
  StopReading();
  if (host_.BootNow() >= next_drop_) DropExpired(sessions.read);
  const bool last = tick.once() && !result.backlog;
  if (last || host_.BootNow() >= next_observation_) ObserveLag(sessions.ledger);
  return result;
}

TickResult Runner::Listen(Sessions& sessions, const Tick& tick) {
  std::vector<std::string> projections;
  for (const auto& [id, applier] : catalog_.all()) projections.push_back(id);
  std::optional<BusWake> wake;
  try {
    wake.emplace(host_, settings_.wake_streams, projections);
  } catch (const Error& error) {
    if (!MayPass(error)) throw;
    host_.Warn("SH-0563", "the bus does not wake the projections", {{"error", error.what()}});
    return Work(sessions, tick);
  }
  const BootTime end = host_.BootNow() + kListening;
  TickResult all;
  do {
    const TickResult part = Work(sessions, tick);
    all.items += part.items;
    if (!part.backlog) wake->Wait(tick, HasHoles() ? kSoon : settings_.quiet, kSoon);
  } while (!tick.ShouldStop() && host_.BootNow() < end);
  all.wait_hint = std::chrono::microseconds(0);
  return all;
}

bool Runner::HasHoles() const {
  return std::any_of(builds_.begin(), builds_.end(), [&](const Build& build) {
    return Runs(build) && !build.checkpoint.holes.empty();
  });
}

void Runner::Forget() {
  for (auto& [place, reading] : readings_) {
    if (reading.next.valid()) reading.next.wait();
  }
  readings_.clear();
  builds_.clear();
  prepared_ = false;
  next_load_ = next_observation_ = next_drop_ = BootTime();
}

void Runner::Prepare(Sessions& sessions, const Tick& tick) {
  table_ = ledger::FindEvents(sessions.ledger);
  LoadBuilds(sessions.read);
  CreateMissing(sessions.read, tick.fence());
  sessions.read.Begin();
  ClaimFence(sessions.read, tick.fence());
  sessions.read.Commit();
  LoadBuilds(sessions.read);
  FailIncomplete(sessions, tick);
  prepared_ = true;
  if (!on_new_version_) return;
  for (const auto& [id, applier] : catalog_.all()) {
    const Build* live = FindRole(builds_, id, "live");
    if (live != nullptr && live->version < applier.projection().version) {
      on_new_version_(tick, applier.projection());
    }
  }
}

void Runner::CreateMissing(Session& read, std::int64_t fence) {
  for (const auto& [id, applier] : catalog_.all()) {
    const bool there = std::any_of(builds_.begin(), builds_.end(), [&id = id](const Build& build) {
      return build.projection == id;
    });
    if (there) continue;
    Build build;
    build.projection = id;
    build.version = applier.projection().version;
    build.tables = TableNames(applier.projection());
    build.role = "live";
    build.state = "running";
    build.fence = fence;
    read.Begin();
    CreateTables(read, applier.projection(), build.number);
    CreateIndexes(read, applier.projection(), build.number);
    ShowBuild(read, applier.projection(), build.number);
    InsertBuild(read, build);
    read.Commit();
    host_.Info("a read model was created", {{"projection", id}});
  }
}

void Runner::LoadBuilds(Session& read) {
  builds_ = ReadBuilds(read);
  for (Build& build : builds_) {
    const Build* live = FindRole(builds_, build.projection, "live");
    if (live == nullptr || live == &build) continue;
    build.another_announces = live->state != "failed" && catalog_.For(*live) != nullptr;
    if (!build.another_announces) build.announced = live->checkpoint;
  }
  next_load_ = host_.BootNow() + kLoadInterval;
  health_.Builds(builds_);
}

void Runner::FailIncomplete(Sessions& sessions, const Tick& tick) {
  const auto begins = [&](const Build& build) {
    return Runs(build) && build.checkpoint.position == 0;
  };
  if (std::none_of(builds_.begin(), builds_.end(), begins)) return;
  try {
    RequireWholeHistory(sessions.ledger, table_);
  } catch (const Error& error) {
    if (error.code() != kDeparted) throw;
    for (Build& build : builds_) {
      if (begins(build)) Fail(sessions, tick, build, error);
    }
    LoadBuilds(sessions.read);
  }
}

void Runner::Fail(Sessions& sessions, const Tick& tick, Build& build, const Error& error) {
  sessions.read.Begin();
  Advance(sessions.read, build, build.checkpoint, tick.fence());  // it is still as we know it
  SetState(sessions.read, build, "failed", error.what());
  sessions.read.Commit();
  host_.Log(SUMMA_LOG_ERROR, "SH-0551", "a projection has stopped",
            {{"projection", build.Name()},
             {"position", std::to_string(build.checkpoint.position)},
             {"error", error.what()}});
}

void Runner::DropExpired(Session& read) {
  next_drop_ = host_.BootNow() + kDropInterval;
  for (const auto& expired : ReadExpired(read, settings_.keep_old)) {
    const auto& [projection, number] = expired;
    const auto build = std::find_if(builds_.begin(), builds_.end(), [&](const Build& known) {
      return std::pair(known.projection, known.number) == expired;
    });
    if (build == builds_.end()) continue;  // it is known the next time
    try {
      read.Begin();
      read.Exec("SET LOCAL lock_timeout = '100ms'");
      if (LockBuild(read, projection, number, "old")) DropBuild(read, *build);
      CrashPoint("projections.old_dropped");
      read.Commit();
      host_.Info("an earlier build was removed", {{"projection", build->Name()}});
    } catch (const Error& error) {
      read.Rollback();
      if (MayPass(error) && error.sqlstate().empty()) throw;
      host_.Warn("SH-0565", "an earlier build could not be removed",
                 {{"projection", build->Name()}, {"error", error.what()}});
    }
    next_load_ = BootTime();
  }
  if (next_load_ == BootTime()) LoadBuilds(read);
}

bool Runner::Runs(const Build& build) const {
  return build.running() && catalog_.For(build) != nullptr;
}

bool Runner::ResumeKeys(Sessions& sessions, const Tick& tick) {
  bool more = false;
  for (Build& build : builds_) {
    if (!Runs(build) || !build.resume_wanted) continue;
    for (const Uuid& key : KeysToResume(sessions.read, build)) {
      if (tick.ShouldStop()) return true;
      more |= ResumeKey(sessions, tick, build, key);
    }
    next_load_ = BootTime();
  }
  if (next_load_ == BootTime()) LoadBuilds(sessions.read);
  return more;
}

// True when more waits behind it. What waits is read when the progress is locked: before, a person
// could make the key anew, which applies all of it.
bool Runner::ResumeKey(Sessions& sessions, const Tick& tick, Build& build, const Uuid& key) {
  const auto lock = [&] {
    sessions.read.Begin();
    Advance(sessions.read, build, build.checkpoint, tick.fence());
  };
  lock();
  const std::vector<std::int64_t> positions =
      ReadWaiting(sessions.read, build, key, kResumedTogether);
  std::string error;
  try {
    ApplyWaiting(sessions, build, key, positions);
  } catch (const Error& failure) {
    if (MayPass(failure)) throw;
    error = failure.what();
    sessions.read.Rollback();
    lock();
  }
  const bool more = error.empty() && positions.size() == static_cast<std::size_t>(kResumedTogether);
  if (!error.empty()) {
    KeepPaused(sessions.read, build, key, error);
  } else if (more) {
    RemoveWaiting(sessions.read, build, key, positions);
  } else {
    Unpause(sessions.read, build, key);
  }
  CrashPoint("projections.resumed");
  sessions.read.Commit();
  return more;
}

void Runner::ApplyWaiting(Sessions& sessions, const Build& build, const Uuid& key,
                          std::span<const std::int64_t> positions) {
  if (positions.empty()) return;
  const Applier& applier = *catalog_.For(build);
  const auto batch = ReadPositions(sessions.ledger, table_, positions, applier.records());
  if (batch->stored_events != static_cast<int>(positions.size())) {
    throw Error(SUMMA_E_DATA, "SH-0553",
                "the store has " + std::to_string(batch->stored_events) + " of " +
                    std::to_string(positions.size()) + " events that wait",
                "Attach the ranges again that have left (`summa-host partitions attach NAME`)");
  }
  applier.ApplyKey(sessions.read, sessions.sql, build, *batch, key);
}

// Those that are ahead first: one that has to catch up must not hold up the others.
Runner::Progress Runner::Round(Sessions& sessions, const Tick& tick) {
  std::vector<ledger::Checkpoint> places;
  for (const Build& build : builds_) {
    const bool known = std::any_of(places.begin(), places.end(), [&](const auto& place) {
      return PlaceOf(place) == PlaceOf(build.checkpoint);
    });
    if (Runs(build) && !known) places.push_back(build.checkpoint);
  }
  std::sort(places.begin(), places.end(),
            [](const auto& a, const auto& b) { return a.position > b.position; });
  Progress all;
  for (const ledger::Checkpoint& place : places) {
    if (tick.ShouldStop()) break;
    // They may have been reached by others meanwhile.
    const bool left = std::any_of(builds_.begin(), builds_.end(), [&](const Build& build) {
      return Runs(build) && PlaceOf(build.checkpoint) == PlaceOf(place);
    });
    if (!left) continue;
    const Progress progress = Step(sessions, tick, place);
    all.events += progress.events;
    all.more |= progress.more;
  }
  DropReadings();
  return all;
}

// Of places where no build is any more: it has joined others.
void Runner::DropReadings() {
  std::erase_if(readings_, [&](auto& reading) {
    const bool used = std::any_of(builds_.begin(), builds_.end(), [&](const Build& build) {
      return Runs(build) && PlaceOf(build.checkpoint) == reading.first;
    });
    if (!used && reading.second.next.valid()) reading.second.next.wait();
    return !used;
  });
}

Runner::Progress Runner::Step(Sessions& sessions, const Tick& tick,
                              const ledger::Checkpoint& from) {
  auto node = readings_.extract(PlaceOf(from));
  if (node.empty()) {
    Reading fresh;
    fresh.source = std::make_unique<EventSource>(table_, from, settings_.batch_size);
    readings_.emplace(PlaceOf(from), std::move(fresh));
    node = readings_.extract(PlaceOf(from));
  }
  Reading& reading = node.mapped();
  const std::unique_ptr<EventBatch> batch = ReadOrFail(sessions, tick, reading, from);
  if (batch == nullptr) return {};
  for (const std::string& type : batch->unknown_types) health_.Unknown(type);
  const bool moved = PlaceOf(batch->reached) != PlaceOf(from);
  if (moved) {
    // Whoever lacks nothing else and has nothing more takes part, and passes over what it has. To
    // compare positions is not enough: one that caught up late may have filled holes of another.
    std::vector<Build*> builds;
    for (Build& build : builds_) {
      const ledger::Checkpoint& place = build.checkpoint;
      if (!Runs(build) || !place.HasAllOf(from) || !batch->reached.HasAllOf(place)) continue;
      // One that has begun to run since the batch was read may need more of it: it reads by itself.
      if (batch->records == Records::kAll ||
          catalog_.For(build)->records() == Records::kWithoutTransactions) {
        builds.push_back(&build);
      }
    }
    if (batch->full) ReadAhead(sessions, reading);
    ApplyBatch(sessions, tick, *batch, builds);
  }
  node.key() = PlaceOf(batch->reached);
  readings_.insert(std::move(node));
  return {batch->stored_events, batch->full};
}

std::unique_ptr<EventBatch> Runner::ReadBatch(Sessions& sessions, Reading& reading) {
  if (reading.next.valid()) return reading.next.get();
  if (reading.ready) return std::move(reading.ready);
  return reading.source->Read(sessions.ledger, Needed());
}

// By those that run, wherever they are: one that catches up joins the others.
Records Runner::Needed() const {
  const bool all = std::any_of(builds_.begin(), builds_.end(), [&](const Build& build) {
    return Runs(build) && catalog_.For(build)->records() == Records::kAll;
  });
  return all ? Records::kAll : Records::kWithoutTransactions;
}

std::unique_ptr<EventBatch> Runner::ReadOrFail(Sessions& sessions, const Tick& tick,
                                               Reading& reading, const ledger::Checkpoint& from) {
  try {
    return ReadBatch(sessions, reading);
  } catch (const Error& error) {
    if (error.code() != kDeparted) throw;
    for (Build& build : builds_) {
      if (!Runs(build) || PlaceOf(build.checkpoint) != PlaceOf(from)) continue;
      Fail(sessions, tick, build, error);
    }
  }
  LoadBuilds(sessions.read);
  return nullptr;
}

// In a session of its own: the other one is used meanwhile.
void Runner::ReadAhead(Sessions& sessions, Reading& reading) {
  EventSource* source = reading.source.get();
  reading.next = std::async(std::launch::async, [source, sql = sessions.sql, needed = Needed()] {
    Session session(sql);
    return source->Read(session, needed);
  });
}

void Runner::StopReading() {
  for (auto& [place, reading] : readings_) {
    if (reading.next.valid()) reading.ready = reading.next.get();
  }
}

void Runner::ApplyBatch(Sessions& sessions, const Tick& tick, const EventBatch& batch,
                        const std::vector<Build*>& builds) {
  std::vector<Applied> applied;
  try {
    sessions.read.Begin();
    for (Build* build : builds) {
      // The progress first: everybody who changes a build locks that row before others.
      Advance(sessions.read, *build, batch.reached, tick.fence());
      applied.push_back(catalog_.For(*build)->Apply(sessions.read, sessions.sql, *build, batch));
    }
  } catch (const Error& error) {
    if (MayPass(error)) throw;
    sessions.read.Rollback();
    FailAlone(sessions, tick, batch, builds);
    return;
  }
  CrashPoint("projections.applied");
  sessions.read.Commit();
  CrashPoint("projections.committed");
  for (std::size_t i = 0; i < builds.size(); ++i) {
    builds[i]->checkpoint = batch.reached;
    for (const Refused& refused : applied[i].refused) {
      if (settings_.on_error == OnError::kPauseKey) builds[i]->paused_keys.insert(refused.key);
    }
    health_.AppliedTo(*builds[i], applied[i]);
  }
}

// One of them cannot be applied at all: the others go on, and it stops until somebody resumes it.
void Runner::FailAlone(Sessions& sessions, const Tick& tick, const EventBatch& batch,
                       const std::vector<Build*>& builds) {
  for (Build* build : builds) {
    try {
      sessions.read.Begin();
      Advance(sessions.read, *build, batch.reached, tick.fence());
      const Applied applied =
          catalog_.For(*build)->Apply(sessions.read, sessions.sql, *build, batch);
      sessions.read.Commit();
      build->checkpoint = batch.reached;
      health_.AppliedTo(*build, applied);
    } catch (const Error& error) {
      if (MayPass(error)) throw;
      sessions.read.Rollback();
      Fail(sessions, tick, *build, error);
    }
  }
  next_load_ = BootTime();
  LoadBuilds(sessions.read);
}

void Runner::ObserveLag(Session& ledger) {
  next_observation_ = host_.BootNow() + kObservationInterval;
  health_.Observed(builds_, ReadLag(ledger, table_, builds_));
}

}  // namespace summa::projections

#include "builds/rebuild.hpp"

#include <simdjson.h>

#include <algorithm>
#include <summa/crash_point.hpp>
#include <summa/json.hpp>
#include <summa/ledger/reader.hpp>
#include <summa/parallel.hpp>

#include "builds/swap.hpp"
#include "builds/verify.hpp"
#include "engine/build_tables.hpp"
#include "engine/progress_table.hpp"
#include "projections_sql.hpp"
#include "source/departed.hpp"
#include "source/event_source.hpp"

namespace summa::projections {
namespace {

constexpr int kSessions = 2;  // unless a person says otherwise
constexpr std::chrono::seconds kHorizonTimeout{2};
constexpr std::chrono::milliseconds kLoadTime{500};  // of one step
constexpr std::chrono::milliseconds kPause{200};     // before something is looked at again

struct Part {
  std::int64_t done = 0, through = 0;
};

std::vector<Part> PartsLeft(Session& read, const Build& build) {
  std::vector<Part> parts;
  for (const Row row :
       read.Exec("SELECT done, through FROM summa_read.projection_range WHERE "
                 "projection = $1 AND build = $2 AND done < through ORDER BY through",
                 {build.projection, std::int32_t{build.number}})) {
    parts.push_back({row.Get<std::int64_t>("done"), row.Get<std::int64_t>("through")});
  }
  return parts;
}

// What a checkpoint has of the numbers up to `through`.
ledger::Checkpoint UpTo(ledger::Checkpoint checkpoint, std::int64_t through) {
  if (checkpoint.position <= through) return checkpoint;
  std::erase_if(checkpoint.holes, [&](const auto& hole) { return hole.from > through; });
  if (!checkpoint.holes.empty()) {
    checkpoint.holes.back().to = std::min(checkpoint.holes.back().to, through);
  }
  checkpoint.position = through;
  return checkpoint;
}

// Loads one part in a session of its own, until `stop`. The number of events.
class PartLoader {
 public:
  PartLoader(const summa_sql_v1* sql, const Applier& applier, const Build& build, Part part,
             int batch_size)
      : sql_(sql), applier_(applier), build_(build), part_(part), batch_size_(batch_size) {}

  std::int64_t Load(const std::function<bool()>& stop) {
    Session read(sql_, "read"), ledger(sql_);
    const ledger::EventTable table = ledger::FindEvents(ledger);
    std::int64_t events = 0;
    while (part_.done < part_.through && !stop()) {
      const auto batch =
          ReadDecided(ledger, table, part_.done, part_.through, batch_size_, applier_.records());
      read.Begin();
      applier_.ApplyUnordered(read, sql_, build_, *batch);
      Record(read, *batch);
      CrashPoint("projections.loaded");
      read.Commit();
      CrashPoint("projections.load_committed");
      part_.done = batch->reached.position;
      events += batch->stored_events;
    }
    return events;
  }

 private:
  void Record(Session& read, const EventBatch& batch) const {
    const Result changed = read.Exec(
        "UPDATE summa_read.projection_range SET done = $5, events = events + $6 WHERE projection = "
        "$1 AND build = $2 AND through = $3 AND done = $4",
        {build_.projection, std::int32_t{build_.number}, part_.through, part_.done,
         batch.reached.position, std::int64_t{batch.stored_events}});
    if (changed.affected_rows() == 1) return;
    throw Error(SUMMA_E_TRY_LATER, "SH-0552",
                "the part of " + build_.Name() + " up to position " +
                    std::to_string(part_.through) + " is loaded by somebody else",
                "Nothing is needed: its progress is read again");
  }

  const summa_sql_v1* sql_;
  const Applier& applier_;
  const Build& build_;
  Part part_;
  int batch_size_;
};

}  // namespace

void StartNewVersion(Host host, const summa_sql_v1* sql, const summa_projection& projection) {
  const std::string id(FromAbi(projection.id));
  const std::string version = std::to_string(projection.version);
  {
    Session session(sql);
    if (session.Exec(sql::rebuilds_of_version, {std::string(kRebuildKind), id, version}).rows() >
        0) {
      return;
    }
  }
  JsonWriter arguments;
  arguments.BeginObject().Member("projection", id).Member("version", projection.version);
  arguments.Member("sessions", kSessions).Member("swap", true).EndObject();
  OperationRequest request;
  request.kind = kRebuildKind;
  request.arguments = arguments.Take();
  const std::int64_t operation = StartOperation(host, sql, request);
  host.Info("a new version of a projection is built beside the one that is read",
            {{"projection", id}, {"version", version}, {"operation", std::to_string(operation)}});
}

OperationBinding Rebuild::Binding() {
  return {kRebuildKind, [this](OperationStep& step) { return Step(step); },
          [this](OperationStep& step) { Undo(step); }};
}

Rebuild::Arguments Rebuild::Parse(std::string_view json) {
  simdjson::dom::parser parser;
  const simdjson::dom::object object = parser.parse(json.data(), json.size()).get_object();
  Arguments arguments;
  arguments.projection = std::string(object["projection"].get_string().value());
  arguments.sessions = static_cast<int>(object["sessions"].get_int64().value());
  arguments.swap = object["swap"].get_bool().value();
  return arguments;
}

Rebuild::Progress Rebuild::Step(OperationStep& step) {
  const Arguments arguments = Parse(step.arguments());
  if (catalog_.Find(arguments.projection) == nullptr) {
    throw Error(SUMMA_E_NOT_FOUND, "SH-0557", "this host has no projection " + arguments.projection,
                "Enable the plugin that has it, and list it in read_models");
  }
  const std::string_view phase = step.phase();
  if (phase.empty()) return Begin(step, arguments);
  if (phase == "loading") return Load(step, arguments);
  if (phase == "indexing") return Index(step, arguments);
  if (phase == "following") return Follow(step, arguments);
  if (phase == "verifying") return Compare(step, arguments);
  return Swap(step, arguments);
}

Build Rebuild::Next(Session& read, const std::string& projection) const {
  const std::vector<Build> builds = ReadBuilds(read);
  const Build* next = FindRole(builds, projection, "next");
  if (next == nullptr || catalog_.For(*next) == nullptr) {
    throw Error(SUMMA_E_DATA, "SH-0557", "the build of " + projection + " that was made is gone",
                "Abort the operation, then start another one");
  }
  return *next;
}

Rebuild::Progress Rebuild::Begin(OperationStep& step, const Arguments& arguments) {
  Session ledger(step.sql());
  const ledger::EventTable table = ledger::FindEvents(ledger);
  RequireWholeHistory(ledger, table);
  std::vector<ledger::OpenWriter> writers;
  const auto through = ledger::WaitForHorizon(
      ledger, table, kHorizonTimeout,
      [&](std::chrono::microseconds time) { return step.Wait(time); }, &writers);
  if (!through) {
    host_.Info("a rebuild waits for a transaction that writes events",
               {{"projection", arguments.projection},
                {"pid", writers.empty() ? "" : std::to_string(writers.front().pid)}});
    return std::nullopt;
  }
  Session read(step.sql(), "read");
  CreateNext(read, arguments, *through);
  return OperationProgress{.phase = "loading", .total = *through};
}

// What an earlier try has left is made anew.
void Rebuild::CreateNext(Session& read, const Arguments& arguments, std::int64_t through) {
  const summa_projection& projection = catalog_.Find(arguments.projection)->projection();
  read.Begin();
  const std::vector<Build> builds = ReadBuilds(read);
  Build next;
  next.checkpoint.position = through;
  for (const Build& build : builds) {
    if (build.projection != arguments.projection) continue;
    next.number = std::max(next.number, build.number + 1);
    // Where the other one stands still, what it has not announced is left to the runner.
    const bool moves = build.state != "failed" && catalog_.For(build) != nullptr;
    if (build.role == "live" && !moves) next.checkpoint = UpTo(build.checkpoint, through);
    if (build.role == "next") DropBuild(read, build);
  }
  through = next.checkpoint.position;
  next.projection = arguments.projection;
  next.version = projection.version;
  next.role = "next";
  next.state = "loading";
  next.tables = TableNames(projection);
  CreateTables(read, projection, next.number);
  InsertBuild(read, next);
  // Without an order, as many parts as sessions; else one.
  const bool commutative = (projection.flags & SUMMA_PROJECTION_COMMUTATIVE) != 0;
  const std::int64_t parts = commutative ? arguments.sessions : 1;
  for (std::int64_t i = 0; i < parts && through > 0; ++i) {
    const std::int64_t from = through / parts * i;
    const std::int64_t to = i + 1 == parts ? through : through / parts * (i + 1);
    if (from == to) continue;
    read.Exec(
        "INSERT INTO summa_read.projection_range (projection, build, done, through) VALUES ($1, "
        "$2, "
        "$3, $4)",
        {next.projection, std::int32_t{next.number}, from, to});
  }
  CrashPoint("projections.next_created");
  read.Commit();
}

Rebuild::Progress Rebuild::Load(OperationStep& step, const Arguments& arguments) {
  Build build;
  std::vector<Part> parts;
  {
    Session read(step.sql(), "read");
    build = Next(read, arguments.projection);
    parts = PartsLeft(read, build);
  }
  if (parts.empty()) return OperationProgress{.phase = "indexing"};
  const BootTime end = host_.BootNow() + kLoadTime;
  const auto stop = [&] { return step.ShouldStop() || host_.BootNow() >= end; };
  const Applier& applier = *catalog_.For(build);
  std::vector<std::int64_t> events(parts.size());
  InParallel(parts.size(), static_cast<int>(parts.size()), [&](std::size_t i) {
    events[i] = PartLoader(step.sql(), applier, build, parts[i], settings_.batch_size).Load(stop);
  });
  std::int64_t sum = 0;
  for (const std::int64_t count : events) sum += count;
  const Host::Labels labels = {{"projection", arguments.projection}};
  host_.Counter("summa_projection_rebuild_events_total", "", labels).Add(static_cast<double>(sum));
  if (step.total() && *step.total() > 0) {
    host_.Gauge("summa_projection_rebuild_progress_ratio", "", labels)
        .Set(std::min(1.0,
                      static_cast<double>(step.done() + sum) / static_cast<double>(*step.total())));
  }
  return OperationProgress{.phase = "loading", .rows = sum};
}

Rebuild::Progress Rebuild::Index(OperationStep& step, const Arguments& arguments) {
  Session read(step.sql(), "read");
  const Build build = Next(read, arguments.projection);
  read.Begin();
  read.Exec("SET LOCAL statement_timeout = 0");
  CreateIndexes(read, catalog_.For(build)->projection(), build.number);
  SetState(read, build, "running", "");
  CrashPoint("projections.indexed");
  read.Commit();
  return OperationProgress{.phase = "following"};
}

Rebuild::Progress Rebuild::Follow(OperationStep& step, const Arguments& arguments) {
  Session read(step.sql(), "read");
  const std::vector<Build> builds = ReadBuilds(read);
  const Build next = Next(read, arguments.projection);
  const Build* live = FindRole(builds, arguments.projection, "live");
  if (next.state == "failed") {
    throw Error(SUMMA_E_DATA, "SH-0551", next.Name() + " has stopped: " + next.error,
                "Repair the cause, then abort the operation and start it again");
  }
  if (live == nullptr || next.checkpoint.position >= live->checkpoint.position ||
      catalog_.For(*live) == nullptr) {
    return OperationProgress{.phase = "verifying"};
  }
  step.Wait(kPause);
  return std::nullopt;
}

Rebuild::Progress Rebuild::Compare(OperationStep& step, const Arguments& arguments) {
  if (CanVerify(arguments.projection)) {
    Session session(step.sql());
    Session read(step.sql(), "read");
    const Verification found =
        Verify(step.sql(), ledger::FindEvents(session), Next(read, arguments.projection),
               [&](std::int64_t) { return step.ShouldStop(); });
    if (found.differences > 0) {
      const Difference& first = found.examples.front();
      throw Error(SUMMA_E_DATA, "SH-0556",
                  "the build differs from the ledger in " + std::to_string(found.differences) +
                      " of " + std::to_string(found.rows) + " rows, the first with key " +
                      first.key + ": the ledger has " + first.ledger + ", the build " +
                      first.read_model,
                  "`summa-host reconcile` says whether the ledger itself is consistent");
    }
  }
  return OperationProgress{.phase = "swapping"};
}

Rebuild::Progress Rebuild::Swap(OperationStep& step, const Arguments& arguments) {
  if (!arguments.swap) return OperationProgress{.phase = "swapping", .finished = true};
  Session read(step.sql(), "read");
  const std::vector<Build> builds = ReadBuilds(read);
  // A repetition after the commit.
  if (FindRole(builds, arguments.projection, "next") == nullptr) {
    return OperationProgress{.phase = "swapping", .finished = true};
  }
  const std::string reason = TrySwap(read, catalog_, arguments.projection, "next");
  if (reason.empty()) return OperationProgress{.phase = "swapping", .finished = true};
  step.Wait(kPause);
  return std::nullopt;
}

void Rebuild::Undo(OperationStep& step) {
  const Arguments arguments = Parse(step.arguments());
  Session read(step.sql(), "read");
  read.Begin();
  const std::vector<Build> builds = ReadBuilds(read);
  if (const Build* next = FindRole(builds, arguments.projection, "next")) {
    DropBuild(read, *next);
  }
  read.Commit();
}

}  // namespace summa::projections

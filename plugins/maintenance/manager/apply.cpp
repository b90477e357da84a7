#include "manager/apply.hpp"

#include <summa/crash_point.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "manager_sql.hpp"
#include "partition/leaf.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

// A CHECK of the bounds that an overflow partition is about to get.
constexpr const char* kNewBounds = "summa_host_new_bounds";
// Rows came between the look and the lock; never leaves this file.
constexpr const char* kHasRows = "SH-0832";
// Partitions that are attached in one transaction: each costs a lock for each of its indexes.
constexpr std::ptrdiff_t kMostRangesAtOnce = 24;
// For moving rows while writers wait: Summa's own give up after three seconds.
constexpr std::chrono::milliseconds kLongestMove{2500};
// Each one keeps writers waiting for as long, and the rows will not become fewer.
constexpr int kMostMoves = 3;

std::string Comment(const PartitionedTable& table) {
  return "summa-host: a partition of " + table.quoted + " that is not attached yet";
}

std::vector<LockRequest> LocksOf(LockRequest parent, const std::vector<std::string>& leaves) {
  std::vector<LockRequest> locks{std::move(parent)};
  locks.reserve(leaves.size() + 3);
  for (const std::string& leaf : leaves) locks.push_back({leaf});
  return locks;
}

class Application {
 public:
  Application(const Environment& environment, const std::string& table)
      : environment_(environment), session_(environment.sql), table_(ReadTable(session_, table)) {}

  bool Create(const std::string& name, const Range& range) {
    const std::string leaf = MakeLeaf(name, range);
    // ATTACH does not disturb writers.
    const bool done = Run({{table_.quoted, LockMode::kShareUpdateExclusive}, {leaf}},
                          [&](Session& session) { Attach(session, leaf, range); });
    outcome.created += done ? 1 : 0;
    return done;
  }

  const Partition* Find(std::int64_t oid) const { return table_.Find(oid); }

  // Rows have to move, and to copy all of the overflow partition, also those that stay in it, would
  // keep writers waiting.
  bool TooManyRows(const Partition& overflow, const Action& action) {
    if (action.ranges.empty() || !HasRowsOutside(overflow, {action.from, action.to})) return false;
    const auto limit = environment_.settings.drain_rows;
    return session_
               .Exec("SELECT count(*) FROM (SELECT FROM " + overflow.quoted +
                         " LIMIT $1::bigint) few",
                     {limit + 1})
               .Value<std::int64_t>() > limit;
  }

  bool Reshape(const Partition& overflow, const Action& action) {
    const bool rows = HasRowsOutside(overflow, {action.from, action.to});
    const std::vector<std::string> leaves = MakeLeaves(action.ranges);
    if (!rows) {
      try {
        return MoveBounds(overflow, action, leaves);
      } catch (const Error& error) {
        if (error.code() != kHasRows) throw;
      }
    }
    return MoveRows(overflow, action, leaves);
  }

  // Nothing is moved: the overflow partition itself becomes one range of all that is missing. Until
  // then, its CHECK refuses rows beyond the last of the missing ranges.
  bool BecomeARange(const Partition& overflow, const Action& action) {
    const Range range{action.ranges.front().range.from, action.ranges.back().range.to};
    RequireAllIn(overflow, range);
    if (!AddCheck(overflow, range)) return false;
    const std::string next =
        MakeLeaf(PartitionName(overflow.name, "next"), {action.from, action.to});
    const std::string name = action.ranges.front().name;
    const bool done = Run({{table_.quoted}, {next}, {overflow.quoted}}, [&](Session& session) {
      DetachLeaf(session, table_, overflow.quoted);
      session.Exec("ALTER TABLE " + overflow.quoted + " RENAME TO " + QuoteName(name));
      session.Exec("ALTER TABLE " + next + " RENAME TO " + QuoteName(overflow.name));
      AttachLeaf(session, table_, InSchema(name), range.from, range.to);
      UncheckNewBounds(session, InSchema(name));
      Attach(session, overflow.quoted, {action.from, action.to});
    });
    if (done) {
      ++outcome.created;
      ++outcome.adopted;
    }
    return done;
  }

  std::int64_t OidNow(const std::string& quoted) {
    return session_.Exec("SELECT $1::text::regclass::oid::bigint", {quoted}).Value<std::int64_t>();
  }

  ApplyOutcome outcome;

 private:
  using Targets = std::vector<std::pair<std::string, Range>>;

  std::string RowsOutside(const Partition& overflow, const Range& bounds) const {
    return "SELECT EXISTS (SELECT FROM " + overflow.quoted + " WHERE NOT (" + Within(bounds) + "))";
  }
  bool HasRowsOutside(const Partition& overflow, const Range& bounds) {
    if (Contains(bounds, overflow)) return false;
    return ReadLong(session_, RowsOutside(overflow, bounds)).Value<bool>();
  }
  static bool Contains(const Range& bounds, const Partition& overflow) {
    return bounds.from <= overflow.from && overflow.to <= bounds.to;
  }
  bool HasRows(const Partition& overflow) {
    return session_.Exec("SELECT EXISTS (SELECT FROM " + overflow.quoted + ")").Value<bool>();
  }
  std::string Within(const Range& range) const { return WithinRange(QuoteName(table_.key), range); }
  std::string InSchema(const std::string& name) const {
    return QuoteName(table_.schema) + "." + QuoteName(name);
  }

  std::string MakeLeaf(const std::string& name, const Range& range) {
    session_.Begin();
    std::string quoted = CreateLeaf(session_, table_, name, range.from, range.to);
    MarkUnattached(session_, table_, quoted);
    CrashPoint("partition.leaf");
    session_.Commit();
    CrashPoint("partition.leaf_made");
    return quoted;
  }
  std::vector<std::string> MakeLeaves(const std::vector<NewRange>& ranges) {
    std::vector<std::string> leaves;
    leaves.reserve(ranges.size());
    for (const NewRange& range : ranges) leaves.push_back(MakeLeaf(range.name, range.range));
    return leaves;
  }
  void Attach(Session& session, const std::string& leaf, const Range& range) {
    AttachLeaf(session, table_, leaf, range.from, range.to);
    UnmarkUnattached(session, table_, leaf);
  }
  void AttachAll(Session& session, const std::vector<std::string>& leaves,
                 const std::vector<NewRange>& ranges) {
    for (std::size_t i = 0; i < leaves.size(); ++i) Attach(session, leaves[i], ranges[i].range);
  }

  bool Run(std::vector<LockRequest> locks, const std::function<void(Session&)>& body,
           std::optional<std::chrono::microseconds> longest_hold = std::nullopt) {
    // ATTACH looks for rows in it.
    if (!table_.default_partition.empty()) locks.push_back({table_.default_partition});
    DdlLimits limits = environment_.ddl_limits();
    if (longest_hold) {
      limits.longest_hold = *longest_hold;
      limits.most_timeouts = kMostMoves;
    }
    const DdlOutcome done =
        RunDdl(session_, environment_.caller, locks, limits, [&](Session& session) {
          body(session);
          CrashPoint("partition.attach");
        });
    CrashPoint("partition.attached");
    outcome.held = std::max(outcome.held, done.held);
    if (!done.done) outcome.blockers = done.blockers;
    outcome.done = outcome.done && done.done;
    return done.done;
  }

  bool MoveBounds(const Partition& overflow, const Action& action,
                  const std::vector<std::string>& leaves) {
    const Range bounds{action.from, action.to};
    // Rows that it keeps are read before writers have to wait. The CHECK refuses nothing: what is
    // beyond the wider bounds has never come here.
    const bool wider = Contains(bounds, overflow);
    if (wider && HasRows(overflow) && !AddCheck(overflow, bounds)) return false;
    std::vector<LockRequest> locks = LocksOf({table_.quoted}, leaves);
    locks.push_back({overflow.quoted});
    const bool done = Run(std::move(locks), [&](Session& session) {
      if (!wider && session.Exec(RowsOutside(overflow, bounds)).Value<bool>()) {
        throw Error(SUMMA_E_TRY_LATER, kHasRows, overflow.quoted + " has got rows");
      }
      DetachLeaf(session, table_, overflow.quoted);
      AttachAll(session, leaves, action.ranges);
      AttachLeaf(session, table_, overflow.quoted, bounds.from, bounds.to);
      UncheckNewBounds(session, overflow.quoted);
    });
    if (done) outcome.created += std::ssize(leaves);
    return done;
  }

  // The rows go into tables that are not attached yet: triggers do not run a second time.
  bool MoveRows(const Partition& overflow, const Action& action,
                const std::vector<std::string>& leaves) {
    const Range bounds{action.from, action.to};
    const std::string next = MakeLeaf(PartitionName(overflow.name, "next"), bounds);
    Targets targets{{next, bounds}};  // the one whose rows stay comes first
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      targets.emplace_back(leaves[i], action.ranges[i].range);
    }
    std::vector<LockRequest> locks = LocksOf({table_.quoted}, leaves);
    locks.push_back({next});
    locks.push_back({overflow.quoted});
    std::int64_t moved = 0;
    const bool done = Run(
        std::move(locks),
        [&](Session& session) {
          DetachLeaf(session, table_, overflow.quoted);
          moved = CopyRows(session, overflow, targets);
          session.Exec("DROP TABLE " + overflow.quoted);
          session.Exec("ALTER TABLE " + next + " RENAME TO " + QuoteName(overflow.name));
          AttachAll(session, leaves, action.ranges);
          Attach(session, overflow.quoted, bounds);
        },
        kLongestMove);
    if (done) {
      outcome.created += std::ssize(leaves);
      outcome.moved += moved;
    }
    return done;
  }

  // Returns how many rows left the overflow partition.
  std::int64_t CopyRows(Session& session, const Partition& overflow, const Targets& targets) {
    const std::string columns = ColumnsOf(session, overflow.quoted);
    const std::string rows = " SELECT " + columns + " FROM ";
    std::string copies;
    std::int64_t moved = 0;
    const auto copy = [&](const std::string& target, const std::string& within) {
      return session.Exec("INSERT INTO " + target + " (" + columns + ") OVERRIDING SYSTEM VALUE" +
                          rows + overflow.quoted + " WHERE " + within);
    };
    for (const auto& [target, range] : targets) {
      const Result copied = copy(target, Within(range));
      if (target != targets.front().first) moved += copied.affected_rows();
      if (!copies.empty()) copies += " UNION ALL";
      copies.append(rows).append(target);
    }
    const Result same = session.Exec(WithNames(
        manager_sql::same_rows,
        {{"columns", columns}, {"left", overflow.quoted}, {"right", "(" + copies + ")"}}));
    if (!same.Value<bool>()) {
      throw Error(SUMMA_E_INTERNAL, "SH-0831",
                  "the rows of " + overflow.quoted + " were not copied one to one; nothing changed",
                  "Report this as a defect, with the columns and constraints of the table");
    }
    return moved;
  }

  void RequireAllIn(const Partition& overflow, const Range& range) {
    const Result beyond =
        ReadLong(session_, "SELECT " + QuoteName(table_.key) + " AS at FROM " + overflow.quoted +
                               " WHERE NOT (" + Within(range) + ") LIMIT 1");
    if (beyond.rows() == 0) return;
    // A range up to there would take every other row as well.
    throw Error(SUMMA_E_CONFIG, "SH-0833",
                overflow.quoted + " has more than " +
                    std::to_string(environment_.settings.drain_rows) + " rows, and one of " +
                    BoundText(beyond[0].Get<DatabaseTime>("at")) +
                    ", outside of the ranges that are missing, " + BoundText(range.from) + " to " +
                    BoundText(range.to),
                "When the row has come just now, nothing is needed: the next run makes the ranges "
                "for it. When it stays so, find out who writes such times, and raise `drain_rows` "
                "above the number of rows, so that they are moved one by one while writers wait");
  }

  bool AddCheck(const Partition& overflow, const Range& range) {
    const DdlOutcome done = CheckNewBounds(environment_, session_, overflow.quoted, Within(range));
    outcome.held = std::max(outcome.held, done.held);
    if (!done.done) outcome.blockers = done.blockers;
    outcome.done = outcome.done && done.done;
    return done.done;
  }

  const Environment& environment_;
  Session session_;
  const PartitionedTable table_;
};

// The next step of an action with many ranges: those nearest to the ranges that exist.
Action FirstPart(const Action& action, std::vector<NewRange>& left) {
  Action part = action;
  if (std::ssize(left) <= kMostRangesAtOnce) {
    part.ranges = std::exchange(left, {});
    return part;
  }
  if (action.to == DatabaseTime::max()) {
    part.ranges.assign(left.begin(), left.begin() + kMostRangesAtOnce);
    left.erase(left.begin(), left.begin() + kMostRangesAtOnce);
    part.from = part.ranges.back().range.to;
  } else {
    part.ranges.assign(left.end() - kMostRangesAtOnce, left.end());
    left.erase(left.end() - kMostRangesAtOnce, left.end());
    part.to = part.ranges.front().range.from;
  }
  return part;
}

// A table with another oid may have the name of the overflow partition after each part.
ApplyOutcome ReshapeInParts(const Environment& environment, const std::string& table,
                            const Action& action) {
  ApplyOutcome all;
  std::vector<NewRange> left = action.ranges;
  std::int64_t oid = action.oid;
  bool done = true;
  do {
    Application application(environment, table);
    const Partition* overflow = application.Find(oid);
    if (overflow == nullptr) break;  // the table has changed: the next plan knows
    if (all.created == 0 && application.TooManyRows(*overflow, action)) {
      application.BecomeARange(*overflow, action);
      all.Add(application.outcome);
      break;
    }
    done = application.Reshape(*overflow, FirstPart(action, left));
    all.Add(application.outcome);
    if (done) oid = application.OidNow(overflow->quoted);
  } while (done && !left.empty() && !environment.caller.should_stop());
  return all;
}

}  // namespace

void ApplyOutcome::Add(const ApplyOutcome& other) {
  done = done && other.done;
  created += other.created;
  moved += other.moved;
  adopted += other.adopted;
  held = std::max(held, other.held);
  if (!other.blockers.empty()) blockers = other.blockers;
}

ApplyOutcome ApplyAction(const Environment& environment, const std::string& table,
                         const Action& action) {
  switch (action.kind) {
    case ActionKind::kCreate:
    case ActionKind::kCreateOverflow: {
      Application application(environment, table);
      application.Create(action.name, {action.from, action.to});
      return application.outcome;
    }
    case ActionKind::kMoveOverflow:
    case ActionKind::kDrain:
      return ReshapeInParts(environment, table, action);
    default:
      throw Error(SUMMA_E_USAGE, "", std::string("no change of shape: ") + NameOf(action.kind));
  }
}

std::int64_t DropLeftovers(const Environment& environment, const std::string& table_name) {
  Session session(environment.sql);
  const PartitionedTable table = ReadTable(session, table_name);
  std::int64_t dropped = 0;
  for (const Row row : session.Exec(manager_sql::leftovers, {table.oid, Comment(table)})) {
    session.Begin();
    session.Exec("DROP TABLE " + row.Get<std::string>("name"));
    CrashPoint("partition.leftover");
    session.Commit();
    ++dropped;
  }
  session.Begin();
  session.Exec(manager_sql::forget_remainders, {table.schema, table.quoted});
  session.Commit();
  for (const Partition* overflow : {table.overflow_high(), table.overflow_low()}) {
    if (overflow == nullptr) continue;
    const bool there =
        session
            .Exec(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = "
                "$1::bigint::oid AND conname = $2)",
                {overflow->oid, kNewBounds})
            .Value<bool>();
    if (!there) continue;
    const DdlOutcome done =
        RunDdl(session, environment.caller, {{overflow->quoted}}, environment.ddl_limits(),
               [&](Session& inside) { UncheckNewBounds(inside, overflow->quoted); });
    if (done.done) ++dropped;
  }
  return dropped;
}

DdlOutcome CheckNewBounds(const Environment& environment, Session& session,
                          const std::string& quoted, const std::string& condition) {
  const std::string alter = "ALTER TABLE " + quoted;
  DdlOutcome added = RunDdl(session, environment.caller, {{quoted}}, environment.ddl_limits(),
                            [&](Session& inside) {
                              UncheckNewBounds(inside, quoted);
                              inside.Exec(alter + " ADD CONSTRAINT " + kNewBounds + " CHECK (" +
                                          condition + ") NOT VALID");
                            });
  if (!added.done) return added;
  try {
    session.Begin();
    LiftStatementTimeout(session);
    session.Exec(alter + " VALIDATE CONSTRAINT " + kNewBounds);
    session.Commit();
  } catch (const Error& error) {
    if (error.sqlstate() != "23514") throw;
    session.Rollback();
    // It would go on refusing rows.
    RunDdl(session, environment.caller, {{quoted}}, environment.ddl_limits(),
           [&](Session& inside) { UncheckNewBounds(inside, quoted); });
    added.done = false;
    added.blockers = {{"a row beyond its new bounds, which has come meanwhile", quoted}};
    return added;
  }
  CrashPoint("partition.checked");
  return added;
}

void UncheckNewBounds(Session& session, const std::string& quoted) {
  session.Exec("ALTER TABLE " + quoted + " DROP CONSTRAINT IF EXISTS " + kNewBounds);
}

void MarkUnattached(Session& session, const PartitionedTable& table, const std::string& quoted) {
  session.Exec("COMMENT ON TABLE " + quoted + " IS " + QuoteText(Comment(table)));
}

void UnmarkUnattached(Session& session, const PartitionedTable& table, const std::string& quoted) {
  const Result marked = session.Exec(manager_sql::unmark, {table.oid, quoted, Comment(table)});
  for (const Row row : marked) session.Exec(row.Get<std::string>("statement"));
}

}  // namespace summa::maintenance

#include "manager/remainder.hpp"

#include <summa/crash_point.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "manager/apply.hpp"
#include "manager_sql.hpp"
#include "partition/interval.hpp"
#include "partition/leaf.hpp"
#include "partition/names.hpp"
#include "partition/statement.hpp"

namespace summa::maintenance {
namespace {

// Aggregates that are looked at in one transaction.
constexpr std::int64_t kAggregatesAtOnce = 1000;
// A remainder with more rows is not copied into the next one: so there are few, and none is copied
// often.
constexpr std::int64_t kMostRowsTakenIn = 100'000;
// While snapshots from before the copy are open.
constexpr std::chrono::milliseconds kPause{100};
// An exchange that takes too long keeps writers waiting each time.
constexpr int kMostExchanges = 3;

// Chains that Summa goes on with, whenever that is, until their row says that they are over. A
// chain without a row may go on: to keep an event too many does no harm.
struct Chain {
  std::string_view aggregate_type, table, over;
};
constexpr std::array<Chain, 3> kChains = {{
    {"account", "account_balance", "o.status = 'closed'"},
    {"hold", "transaction_record", "o.status <> 'inflight'"},
    {"scheduled_transaction", "scheduled_transaction", "o.status IN ('completed', 'failed')"},
}};

std::string TypesOfChains() {
  std::string types;
  for (const Chain& chain : kChains) {
    types += (types.empty() ? "" : ", ") + QuoteText(chain.aggregate_type);
  }
  return types;
}

std::string GoesOn(Session& session) {
  std::string condition = "CASE a.aggregate_type";
  for (const Chain& chain : kChains) {
    const std::string table(chain.table);
    // Of what cannot be read, nothing says that it is over.
    const bool readable =
        session
            .Exec("SELECT coalesce(has_table_privilege(to_regclass($1), 'SELECT'), false)", {table})
            .Value<bool>();
    if (!readable) continue;
    condition += " WHEN " + QuoteText(chain.aggregate_type) + " THEN NOT EXISTS (SELECT FROM " +
                 table + " o WHERE o.id = a.aggregate_id AND " + std::string(chain.over) +
                 " OFFSET 0)";
  }
  return condition + " ELSE true END";
}

std::string InSchema(const PartitionedTable& table, const std::string& name) {
  return QuoteName(table.schema, name);
}

// The columns of ColumnsOf(), each with the alias of its table.
std::string WithAlias(Session& session, const std::string& quoted_table, const std::string& alias) {
  return session
      .Exec(
          "SELECT string_agg($2::text || '.' || quote_ident(attname), ', ' ORDER BY attnum) FROM "
          "pg_catalog.pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT "
          "attisdropped AND attgenerated = ''",
          {quoted_table, alias})
      .Value<std::string>();
}

std::string InsertInto(const std::string& table, const std::string& columns) {
  return "INSERT INTO " + table + " (" + columns + ") OVERRIDING SYSTEM VALUE ";
}

// The last events, of a range, of chains that may go on: read batch by batch.
class KeptEvents {
 public:
  KeptEvents(Session& session, const PartitionedTable& table, const ledger::EventTable& events,
             const Partition& partition)
      : session_(session),
        names_({{"partition", partition.quoted},
                {"table", table.quoted},
                {"version", events.version},
                {"types", TypesOfChains()},
                {"goes_on", GoesOn(session)}}) {}

  // False: there is no further batch. Inside the caller's transaction.
  bool Next() {
    after_ = until_;
    const Result last = session_.Exec(WithNames(manager_sql::kept_until, names_),
                                      {after_.first, after_.second, Parameter(kAggregatesAtOnce)});
    if (last.rows() == 0) return false;
    until_ = {last[0].Get<std::string>("aggregate_type"),
              ToText(last[0].Get<Uuid>("aggregate_id"))};
    return true;
  }
  bool Any() { return Run("SELECT EXISTS (" + Events("") + ")").Value<bool>(); }
  // The columns of the target, and of the events.
  std::int64_t CopyInto(const std::string& target, const std::string& columns,
                        const std::string& of_events) {
    return Run(InsertInto(target, columns) + Events(of_events)).affected_rows();
  }

 private:
  std::string Events(const std::string& columns) const {
    auto names = names_;
    names.emplace_back("columns", columns);
    return WithNames(manager_sql::kept_events, names);
  }
  Result Run(const std::string& statement) {
    return session_.Exec(statement, {after_.first, after_.second, until_.first, until_.second});
  }

  Session& session_;
  const std::vector<std::pair<std::string, std::string>> names_;
  std::pair<std::string, std::string> after_, until_{"", ToText(Uuid{})};
};

bool KeepsAny(Session& session, const PartitionedTable& table, const ledger::EventTable& events,
              const Partition& partition) {
  KeptEvents kept(session, table, events, partition);
  for (;;) {
    session.Begin(SUMMA_SQL_READ_ONLY);
    LiftStatementTimeout(session);
    const bool next = kept.Next();
    const bool any = next && kept.Any();
    session.Rollback();
    if (!next || any) return any;
  }
}

// Whether a table is as it was.
struct RowsState {
  std::int64_t rows = 0, last = 0, writers = 0;
  friend bool operator==(const RowsState&, const RowsState&) = default;
};
RowsState StateOf(Session& session, const ledger::EventTable& events, const std::string& table) {
  const Result found = session.Exec(
      WithNames(manager_sql::state_of_rows, {{"position", events.position}, {"table", table}}));
  return {found[0].Get<std::int64_t>("rows"), found[0].Get<std::int64_t>("last"),
          found[0].Get<std::int64_t>("writers")};
}
// Whether rows have come into a table of any size: their positions are higher.
std::int64_t LastPosition(Session& session, const ledger::EventTable& events,
                          const std::string& table) {
  return session.Exec("SELECT coalesce(max(" + events.position + "), 0)::bigint FROM " + table)
      .Value<std::int64_t>();
}

// A table that is made to be attached.
struct NewRemainder {
  std::string name, quoted;
  Range range;
};

// By the end of its range: the one that it takes in has another.
std::string NewName(Session& session, const PartitionedTable& table, DatabaseTime to) {
  std::set<std::string> taken;
  for (const Row row : session.Exec(manager_sql::names, {table.oid, table.quoted})) {
    taken.insert(row.Get<std::string>("name"));
  }
  const bool midnight = RangeAt(Interval::kDaily, to).from == to;
  const std::string suffix =
      "remainder_" + SuffixOf(midnight ? Interval::kDaily : Interval::kHourly, to);
  std::string name = PartitionName(table.name, suffix);
  for (int i = 2; taken.contains(name); ++i) {
    name = PartitionName(table.name, suffix + "_" + std::to_string(i));
  }
  return name;
}

NewRemainder Make(Session& session, const PartitionedTable& table, const Range& range) {
  NewRemainder made{NewName(session, table, range.to), "", range};
  session.Begin();
  made.quoted = CreateLeaf(session, table, made.name, range.from, range.to);
  MarkUnattached(session, table, made.quoted);
  session.Exec(
      "INSERT INTO summa_host.partition_remainder (parent, name, state) VALUES ($1, $2, 'making')",
      {table.quoted, made.name});
  CrashPoint("partition.remainder");
  session.Commit();
  CrashPoint("partition.remainder_made");
  return made;
}

void Attach(Session& locked, const PartitionedTable& table, const NewRemainder& made) {
  AttachLeaf(locked, table, made.quoted, made.range.from, made.range.to);
  UnmarkUnattached(locked, table, made.quoted);
  locked.Exec(
      "UPDATE summa_host.partition_remainder SET state = 'attached' WHERE parent = $1 AND name = "
      "$2",
      {table.quoted, made.name});
}

// Its rows are in other tables by now.
void Drop(Session& locked, const PartitionedTable& table, const Partition& remainder) {
  locked.Exec("DROP TABLE " + remainder.quoted);
  locked.Exec("DELETE FROM summa_host.partition_remainder WHERE parent = $1 AND name = $2",
              {table.quoted, remainder.name});
}

std::int64_t CopyRows(Session& session, const PartitionedTable& table, const Partition& remainder,
                      const NewRemainder& target) {
  const std::string columns = ColumnsOf(session, remainder.quoted);
  return session
      .Exec(InsertInto(target.quoted, columns) + "SELECT " + columns + " FROM " + remainder.quoted +
            " WHERE " + WithinRange(QuoteName(table.key), target.range))
      .affected_rows();
}

std::string TransactionId(Session& session) {
  return session.Exec("SELECT pg_current_xact_id()::text").Value<std::string>();
}

// An older snapshot would not see what was copied. Returns whose are open at the deadline.
std::vector<Blocker> WaitForSnapshots(const Environment& environment, Session& session,
                                      const std::string& transaction) {
  const WorkCaller& caller = environment.caller;
  const BootTime deadline = caller.now() + environment.settings.detach_deadline;
  for (;;) {
    std::vector<Blocker> older = OlderSnapshots(session, transaction);
    if (older.empty() || caller.now() >= deadline) return older;
    if (caller.should_stop() || caller.wait(kPause)) return older;
  }
}

DdlLimits LimitsOf(const Environment& environment) {
  DdlLimits limits = environment.ddl_limits();
  limits.most_timeouts = kMostExchanges;
  return limits;
}

class Exchange {
 public:
  Exchange(const Environment& environment, Session& session, const PartitionedTable& table,
           const ledger::EventTable& events, const Partition& partition)
      : environment_(environment),
        session_(session),
        table_(table),
        events_(events),
        partition_(partition),
        below_(Below()) {}

  DetachOutcome Run() {
    // Before anything is copied: what comes later is noticed.
    last_ = LastPosition(session_, events_, partition_.quoted);
    made_ = Make(session_, table_, {below_ ? below_->from : partition_.from, partition_.to});
    TakeIn();
    if (!CopyKept()) return {false, "told to stop"};
    const std::string transaction = Record();
    const std::vector<Blocker> older = WaitForSnapshots(environment_, session_, transaction);
    if (!older.empty()) return NotDone(TextOf(older));
    return Swap();
  }

 private:
  const Partition* Below() const {
    for (const Partition& one : table_.partitions) {
      if (!one.remainder || one.detach_pending || one.to != partition_.from) continue;
      const auto rows =
          session_
              .Exec("SELECT count(*) FROM (SELECT FROM " + one.quoted + " LIMIT $1::bigint) few",
                    {kMostRowsTakenIn + 1})
              .Value<std::int64_t>();
      if (rows <= kMostRowsTakenIn) return &one;
    }
    return nullptr;
  }

  // All its rows, also of chains that are over: they are attached, and verified like others.
  void TakeIn() {
    if (below_ == nullptr) return;
    session_.Begin();
    LiftStatementTimeout(session_);
    below_state_ = StateOf(session_, events_, below_->quoted);  // as last_
    CopyRows(session_, table_, *below_, made_);
    session_.Commit();
  }

  bool CopyKept() {
    const std::string columns = ColumnsOf(session_, partition_.quoted);
    const std::string of_events = WithAlias(session_, partition_.quoted, "e");
    KeptEvents kept(session_, table_, events_, partition_);
    for (bool next = true; next;) {
      if (environment_.caller.should_stop()) return false;
      session_.Begin();
      LiftStatementTimeout(session_);
      next = kept.Next();
      if (next) kept_ += kept.CopyInto(made_.quoted, columns, of_events);
      CrashPoint("partition.remainder_part");
      session_.Commit();
    }
    session_.ExecAutocommit("VACUUM (ANALYZE) " + made_.quoted);
    CrashPoint("partition.remainder_filled");
    return true;
  }

  // Before the exchange: it reads the whole partition.
  std::string Record() {
    session_.Begin();
    record_ = RecordLeaving(session_, table_, partition_, &events_, made_.quoted);
    const std::string transaction = TransactionId(session_);
    CrashPoint("partition.record");
    session_.Commit();
    CrashPoint("partition.recorded");
    return transaction;
  }

  // The set of events that have to stay becomes only smaller while the range gets no event: a chain
  // goes on elsewhere, or is over.
  bool Changed(Session& locked) const {
    if (LastPosition(locked, events_, partition_.quoted) != last_) return true;
    return below_ != nullptr && StateOf(locked, events_, below_->quoted) != below_state_;
  }

  DetachOutcome Swap() {
    std::vector<LockRequest> locks = {{table_.quoted}, {partition_.quoted}, {made_.quoted}};
    if (below_ != nullptr) locks.push_back({below_->quoted});
    bool changed = false;
    const DdlOutcome done =
        RunDdl(session_, environment_.caller, locks, LimitsOf(environment_), [&](Session& locked) {
          changed = Changed(locked);
          if (changed) return;
          DetachLeaf(locked, table_, partition_.quoted);
          if (below_ != nullptr) DetachLeaf(locked, table_, below_->quoted);
          Attach(locked, table_, made_);
          if (below_ != nullptr) Drop(locked, table_, *below_);
          // Who has read the range after it was recorded sees that it has left since.
          SetRecordState(locked, record_, "detaching");
          CrashPoint("partition.exchange");
        });
    if (!done.done) return NotDone(TextOf(done.blockers));
    if (changed) return NotDone("an event has come into it meanwhile");
    CrashPoint("partition.exchanged");
    environment_.host.Info("a range has left, and the last events of its chains stay",
                           {{"partition", partition_.name},
                            {"remainder", made_.name},
                            {"events", std::to_string(kept_)}});
    return {true, "", kept_, done.held};
  }

  DetachOutcome NotDone(const std::string& why) {
    if (environment_.caller.should_stop()) return {false, "told to stop"};
    DropLeftovers(environment_, table_.quoted);
    return {false, "not exchanged for its remainder; in the way: " + why};
  }

  const Environment& environment_;
  Session& session_;
  const PartitionedTable& table_;
  const ledger::EventTable& events_;
  const Partition& partition_;
  const Partition* const below_;  // nullptr: none is taken in
  NewRemainder made_;
  RowsState below_state_;
  std::int64_t last_ = 0, kept_ = 0, record_ = 0;
};

// The way back.
class Return {
 public:
  Return(const Environment& environment, Session& session, const PartitionedTable& table,
         const ledger::EventTable& events, const Partition& remainder, const ComingBack& partition)
      : environment_(environment),
        session_(session),
        table_(table),
        events_(events),
        remainder_(remainder),
        partition_(partition),
        range_(partition.record.range) {}

  std::vector<Blocker> Run(const std::function<void(Session&)>& recorded) {
    if (!partition_.loaded) AddCheck();
    if (remainder_.from < range_.from) AddPiece({remainder_.from, range_.from});
    if (range_.to < remainder_.to) AddPiece({range_.to, remainder_.to});
    const std::string transaction = Copy();
    CrashPoint("partition.return_copied");
    if (written_ || partition_.loaded) {
      std::vector<Blocker> older = WaitForSnapshots(environment_, session_, transaction);
      if (!older.empty()) return older;
    }
    return Swap(recorded);
  }

 private:
  // What is not detached concurrently has none. Nobody uses the table.
  void AddCheck() {
    session_.Begin();
    LiftStatementTimeout(session_);
    CheckBounds(session_, table_, partition_.found, range_.from, range_.to);
    session_.Commit();
  }
  void AddPiece(const Range& range) {
    pieces_.push_back(Make(session_, table_, range));
    written_ = true;
  }
  std::string WithNamesOfBoth(std::string_view statement) {
    const std::string kept = WithAlias(session_, remainder_.quoted, "m");
    return WithNames(statement, {{"remainder", remainder_.quoted},
                                 {"partition", partition_.found},
                                 {"range", WithinRange("m." + QuoteName(table_.key), range_)},
                                 {"kept_columns", kept},
                                 {"own_columns", WithAlias(session_, remainder_.quoted, "r")},
                                 {"columns", ColumnsOf(session_, remainder_.quoted)}});
  }

  std::string Copy() {
    session_.Begin();
    LiftStatementTimeout(session_);
    state_ = StateOf(session_, events_, remainder_.quoted);  // first: what comes later is noticed
    const auto changed =
        session_.Exec(WithNamesOfBoth(manager_sql::changed_rows)).Value<std::int64_t>();
    if (changed > 0) {
      session_.Rollback();
      DropLeftovers(environment_, table_.quoted);
      throw Error(SUMMA_E_DATA, "SH-0861",
                  std::to_string(changed) + " events of " + remainder_.quoted +
                      " differ from those of " + partition_.found,
                  "Find out who has changed them, and make the rows of the partition equal");
    }
    for (const NewRemainder& piece : pieces_) CopyRows(session_, table_, remainder_, piece);
    MoveIn();
    const std::string transaction = TransactionId(session_);
    CrashPoint("partition.return_copy");
    session_.Commit();
    return transaction;
  }

  // What came after the range had left. A file has not them, and its table is made anew when this
  // is interrupted.
  void MoveIn() {
    const std::int64_t rows =
        session_
            .Exec(InsertInto(partition_.found, ColumnsOf(session_, remainder_.quoted)) +
                  WithNamesOfBoth(manager_sql::missing_rows))
            .affected_rows();
    if (rows == 0) return;
    written_ = true;
    if (partition_.loaded) return;
    session_.Exec(
        "UPDATE summa_host.partition_record SET row_count = row_count + $2, kept_count = "
        "kept_count + $2 WHERE id = $1",
        {partition_.record.id, rows});
  }

  std::vector<Blocker> Swap(const std::function<void(Session&)>& recorded) {
    std::vector<LockRequest> locks = {{table_.quoted}, {remainder_.quoted}, {partition_.found}};
    for (const NewRemainder& piece : pieces_) locks.push_back({piece.quoted});
    const std::string leaf = InSchema(table_, partition_.record.name);
    bool changed = false;
    const DdlOutcome done =
        RunDdl(session_, environment_.caller, locks, LimitsOf(environment_), [&](Session& locked) {
          changed = StateOf(locked, events_, remainder_.quoted) != state_;
          if (changed) return;
          if (partition_.moved) {
            locked.Exec("ALTER TABLE " + partition_.found + " SET SCHEMA " +
                        QuoteName(table_.schema));
          }
          DetachLeaf(locked, table_, remainder_.quoted);
          for (const NewRemainder& piece : pieces_) Attach(locked, table_, piece);
          AttachLeaf(locked, table_, leaf, range_.from, range_.to);
          UnmarkUnattached(locked, table_, leaf);
          Drop(locked, table_, remainder_);
          recorded(locked);
          CrashPoint("partition.return");
        });
    if (!done.done) return Blocking(done.blockers);
    if (changed) return {Blocker{"a row that has just been written", remainder_.quoted}};
    CrashPoint("partition.returned");
    return {};
  }
  static std::vector<Blocker> Blocking(std::vector<Blocker> blockers) {
    if (blockers.empty()) blockers.push_back({"somebody who is gone by now", ""});
    return blockers;
  }

  const Environment& environment_;
  Session& session_;
  const PartitionedTable& table_;
  const ledger::EventTable& events_;
  const Partition& remainder_;
  const ComingBack& partition_;
  const Range range_;
  std::vector<NewRemainder> pieces_;
  RowsState state_;
  bool written_ = false;  // rows that an older snapshot does not see
};

}  // namespace

bool NeedsRemainder(Session& session, const PartitionedTable& table,
                    const ledger::EventTable& events, const Partition& partition) {
  const bool below =
      std::any_of(table.partitions.begin(), table.partitions.end(), [&](const Partition& one) {
        return one.remainder && !one.detach_pending && one.to <= partition.from;
      });
  return below || KeepsAny(session, table, events, partition);
}

DetachOutcome ExchangeForRemainder(const Environment& environment, Session& session,
                                   const PartitionedTable& table, const ledger::EventTable& events,
                                   const Partition& partition) {
  return Exchange(environment, session, table, events, partition).Run();
}

const Partition* RemainderOf(const PartitionedTable& table, const Range& range) {
  for (const Partition& one : table.partitions) {
    if (one.remainder && !one.detach_pending && one.from <= range.from && range.to <= one.to) {
      return &one;
    }
  }
  return nullptr;
}

std::vector<Blocker> AttachInPlaceOf(const Environment& environment, Session& session,
                                     const PartitionedTable& table,
                                     const ledger::EventTable& events, const Partition& remainder,
                                     const ComingBack& partition,
                                     const std::function<void(Session&)>& recorded) {
  std::vector<Blocker> blockers =
      Return(environment, session, table, events, remainder, partition).Run(recorded);
  if (!blockers.empty() && !environment.caller.should_stop()) {
    DropLeftovers(environment, table.quoted);
  }
  return blockers;
}

}  // namespace summa::maintenance

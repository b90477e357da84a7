// What the unique constraints of a flat ledger_event promised, kept for a partitioned one by a
// trigger and two tables; see docs/decisions/0050-partitions-without-downtime.md.
#pragma once

#include <summa/ledger/event_table.hpp>
#include <summa/sql.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace summa::maintenance {

// The names that violations are reported with: those of the flat table's constraints.
struct GuardNames {
  std::string version = "uq_ledger_event_aggregate_version";
  std::string id = "ledger_event_pkey";
  std::string position = "ledger_event_sequence_number_unique";
  friend bool operator==(const GuardNames&, const GuardNames&) = default;
};
// The names that this flat table's unique indexes have; those of the layout for what has none.
GuardNames NamesOfFlatTable(Session& session, const ledger::EventTable& flat);

// The function and the triggers are made by functions that schema/ledger/001_maintenance.sql
// creates: `migrate --create-ledger plan --partitioned` calls them, too.

// Creates or replaces the trigger functions for this layout and these names. Inside the caller's
// transaction.
void CreateGuardFunction(Session& session, const ledger::EventTable& events,
                         const GuardNames& names);
// Puts the triggers on the table, so that every partition, also later ones, has them (ENABLE
// ALWAYS). The caller holds ACCESS EXCLUSIVE on the table and its partitions, or they are not in use
// yet. An event's keys can then not be changed by UPDATE; a new hash of the last event goes into
// its head; DELETE takes the key with it and moves the head back; TRUNCATE of the parent is refused.
void InstallGuard(Session& session, const ledger::EventTable& events);
// The same for a table that is not in use yet, and is filled by others: inserts are not guarded
// until the statement of EnableGuard() runs, which takes next to no time.
void PrepareGuard(Session& session, const ledger::EventTable& events);
std::string EnableGuard(const std::string& table);
void RemoveGuard(Session& session, const ledger::EventTable& events);
// The functions that CreateGuardFunction() has made, as far as no table has a trigger that calls
// them.
void DropGuardFunctions(Session& session);

// The last version and hash of each aggregate, and the keys of each event, of the rows with
// after < position <= through, for a guard that is not installed yet. Rows of the same aggregate
// that come later win; a key that is already there is SH-0811. Returns the number of events.
std::int64_t FillGuard(Session& session, const ledger::EventTable& events, std::int64_t after,
                       std::int64_t through);

struct GuardProblem {
  std::string what, where;  // "the trigger is disabled", "ledger_event_2026_01"
};
// From the catalog alone: are the triggers on the parent and on every partition, enabled ALWAYS,
// with their functions, and does no other trigger change a row after them? For `doctor` and the
// partition manager.
std::vector<GuardProblem> ExamineGuard(Session& session, const ledger::EventTable& events);
// Compares heads and keys with the events of one partition (quoted): for each aggregate the head is
// not behind it, versions are contiguous, every event has its key; and every head and key whose time
// is in the partition has its event. At most `limit` problems of each kind.
std::vector<GuardProblem> ScrubGuard(Session& session, const ledger::EventTable& events,
                                     const std::string& partition, int limit);

}  // namespace summa::maintenance

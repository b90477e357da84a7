// What keeps the other table equal while both exist: before the swap each insert into the flat
// table is mirrored into the partitioned one, afterwards the other way round. Changes that cannot
// be mirrored (UPDATE, DELETE, TRUNCATE) are refused meanwhile.
//
// Whatever needs no lock is made before the lock, and the rest is a list of statements that the
// caller runs under it, in one message.
#pragma once

#include <summa/sql.hpp>

#include <string>
#include <vector>

namespace summa::maintenance {

struct SyncTables {
  std::string flat, shadow;          // quoted, as they are called before the swap
  std::string old_flat;              // quoted, as the flat table is called after it
  std::vector<std::string> columns;  // quoted
};

// The functions of all triggers. Replaces those of an earlier migration.
void CreateSyncFunctions(Session& session, const SyncTables& tables);
// When no table has the triggers any more.
void DropSyncFunctions(Session& session);

// On the partitioned table, before anybody uses it: changes are refused from now on, and the mirror
// of its inserts is there, but disabled. A row trigger, since it is cloned to every partition, also
// later ones: an insert that names a partition does not fire statement triggers of the parent.
void PrepareReverseSync(Session& session, const std::string& shadow);

// On the flat table; SHARE ROW EXCLUSIVE is enough. The mirror is one statement-level trigger with
// a transition table: COPY and inserts of many rows are one statement here as well.
std::vector<std::string> RefuseChanges(const std::string& flat);
std::vector<std::string> BeginForwardSync(const std::string& flat);

// On a partition: its rows stay as they are, whoever asks for a change. Partly: rows may be added.
std::vector<std::string> RefuseChangesOfRows(const std::string& partition);
std::vector<std::string> RefuseRows(const std::string& partition);
// Nor gets it a row with a position up to `through`, which only somebody's own hand can give: that
// no row is new is then known by the positions after it.
std::vector<std::string> RefuseRowsThrough(const std::string& partition,
                                           const std::string& position, std::int64_t through);
// The tables that have these triggers, wherever they are; quoted, in a fixed order.
std::vector<std::string> TablesThatRefuse(Session& session);

// In the exchange, under ACCESS EXCLUSIVE; the tables have their names from before it. The flat
// table goes on to refuse changes of anybody else.
std::vector<std::string> TurnSync(const std::string& flat, const std::string& shadow);

// The table is left alone from now on. ACCESS EXCLUSIVE.
std::vector<std::string> LeaveAlone(const std::string& table);

}  // namespace summa::maintenance

// Who may still bring an event to light, told from pg_locks: an inserter takes its lock on the
// table before it draws a position, and keeps it until it ends.
#pragma once

#include <summa/ledger/reader.hpp>

namespace summa::ledger {

struct OpenWriters {
  std::set<OpenWriter> writers;
  // A restart gives prepared transactions other names: names of before mean nothing then.
  std::string server_start;
};

OpenWriters QueryOpenWriters(Session& session, const EventTable& table);

}  // namespace summa::ledger

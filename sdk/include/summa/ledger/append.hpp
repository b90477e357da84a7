// Appends events to a ledger of the plan layout, with the right versions, hashes and links. It is
// refused on the deployed layout, where Summa itself appends.
#pragma once

#include <summa/ledger/event_table.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace summa::ledger {

struct NewEvent {
  std::string aggregate_type;
  Uuid aggregate_id{};
  std::string event_type;
  std::string event_data;      // JSON
  std::string correlation_id;  // the same for all events of one operation
  // Version that the aggregate must have before; 0: it must be new. Nothing: any version.
  std::optional<std::int64_t> expected_version = std::nullopt;
};

struct AppendedEvent {
  Uuid id{};
  std::int64_t version = 0, position = 0;
  std::string hash;
};

// Appends all or none, in order, within the current read-write transaction of the session: other
// writes of the caller commit with it. Holds a lock on each aggregate until the transaction ends;
// give events of several aggregates in one call, so that two callers cannot wait for each other.
// Throws summa::Error: SH-0804 (SUMMA_E_TRY_LATER) when the aggregate has another version than
// expected or another writer appended without the lock: roll back, read again; SH-0801 when the
// data is not valid JSON; SH-0805 when the ledger does not have the plan layout.
std::vector<AppendedEvent> Append(Session& session, const EventTable& table,
                                  std::span<const NewEvent> events,
                                  std::string_view hmac_secret = {});

}  // namespace summa::ledger

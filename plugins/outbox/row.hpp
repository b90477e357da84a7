// A row of Summa's outbox table that waits for delivery.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <summa/sql.hpp>
#include <vector>

namespace summa::outbox {

struct Row {
  Uuid id{};
  std::string topic;
  std::string payload;  // JSON text
  std::string key;      // what order is kept for
  std::int64_t created_at_microseconds =
      0;  // since 2000-01-01 UTC; start of the writing transaction
  std::int64_t retry_count = 0;
  std::optional<std::int64_t> position;  // of the row's event in the ledger
  std::string correlation_id;            // empty: unknown
  bool redriven = false;                 // sent again by a person: may be out of its order
};

// Place in the ledger: rows whose event is known come in its order, the others after them in order
// of age.
bool ComesBefore(const Row& left, const Row& right);

// Of a time outside the years 1 to 9999, such as PostgreSQL's infinity, the nearest one in them.
std::int64_t InCalendar(std::int64_t microseconds_since_2000);

// "2026-11-22T15:00:00.123456Z", of a time in the calendar.
std::string IsoTimestamp(std::int64_t microseconds_since_2000);

}  // namespace summa::outbox

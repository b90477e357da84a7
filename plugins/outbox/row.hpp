// A row of Summa's outbox table that waits for delivery.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <summa/sql.hpp>
#include <summa/time.hpp>
#include <vector>

namespace summa::outbox {

struct Row {
  Uuid id{};
  std::string topic;
  std::string payload;      // JSON text
  std::string key;          // what order is kept for
  DatabaseTime created_at;  // start of the writing transaction; in the calendar
  std::int64_t retry_count = 0;
  std::optional<std::int64_t> position;  // of the row's event in the ledger
  std::string correlation_id;            // empty: unknown
  bool redriven = false;                 // sent again by a person: may be out of its order
};

// Place in the ledger: rows whose event is known come in its order, the others after them in order
// of age.
bool ComesBefore(const Row& left, const Row& right);

}  // namespace summa::outbox

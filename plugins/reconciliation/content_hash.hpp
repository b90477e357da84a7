// SHA-256 over all columns of events, each with its length in front, so that no two rows have one
// text. Summa's own hashes cover event_data and the previous hash only.
#pragma once

#include <array>
#include <string>
#include <summa/ledger/event_table.hpp>
#include <summa/ledger/hash.hpp>
#include <summa/sql.hpp>

namespace summa::reconciliation {

class ContentHash {
 public:
  // The places of the columns in Columns().
  enum Column {
    kPosition,
    kHash,
    kId,
    kType,
    kAggregate,
    kVersion,
    kEventType,
    kCorrelation,
    kTime,
    kPreviousHash,
    kColumns
  };
  using Row = std::array<Cell, kColumns>;

  // For a SELECT from the events.
  static std::string Columns(const ledger::EventTable& table) {
    return table.position + "::bigint, " + table.hash + ", id, aggregate_type, aggregate_id, " +
           table.version + "::bigint, event_type, correlation_id::text, created_at, " +
           table.previous_hash;
  }
  // Reads the cells from a row that has Next().
  template <typename Source>
  static Row Read(Source& row) {
    return {row.Next(), row.Next(), row.Next(), row.Next(), row.Next(),
            row.Next(), row.Next(), row.Next(), row.Next(), row.Next()};
  }

  void Add(const Row& row) {
    for (const Cell& cell : row) {
      std::string size;
      detail::AppendBigEndian<std::int32_t>(
          size, cell.null() ? -1 : static_cast<std::int32_t>(cell.Text().size()));
      hasher_.Add(size);
      hasher_.Add(cell.Text());
    }
  }
  std::string Finish() { return hasher_.Finish().string(); }

 private:
  ledger::Hasher hasher_;
};

}  // namespace summa::reconciliation

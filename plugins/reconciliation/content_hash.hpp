// SHA-256 over all columns of events, each with its length in front, so that no two rows have one
// text. Summa's own hashes cover event_data and the previous hash only.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <summa/copy_row.hpp>
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
  using Row = std::array<std::optional<RawValue>, kColumns>;

  // For a SELECT from the events.
  static std::string Columns(const ledger::EventTable& table) {
    return table.position + "::bigint AS position, " + table.hash +
           " AS hash, id, aggregate_type, aggregate_id, " + table.version +
           "::bigint AS version, event_type, correlation_id::text, created_at, " +
           table.previous_hash + " AS previous_hash";
  }
  static Row Read(CopyRow& row) {
    Row columns;
    for (std::optional<RawValue>& column : columns) column = row.Next<std::optional<RawValue>>();
    return columns;
  }
  static Row Read(const summa::Row& row) {
    static constexpr std::array<std::string_view, kColumns> kNames = {
        "position",   "hash",           "id",         "aggregate_type", "aggregate_id", "version",
        "event_type", "correlation_id", "created_at", "previous_hash"};
    Row columns;
    for (std::size_t i = 0; i < kColumns; ++i) {
      columns[i] = row.Get<std::optional<RawValue>>(kNames[i]);
    }
    return columns;
  }

  // An event without a hash is one with a wrong hash.
  static std::string_view HashOf(const Row& row) {
    return ReadAs<std::optional<std::string_view>>(row[kHash]).value_or("");
  }

  void Add(const Row& row) {
    for (const std::optional<RawValue>& column : row) {
      std::string size;
      detail::AppendBigEndian<std::int32_t>(
          size, column ? static_cast<std::int32_t>(column->bytes.size()) : -1);
      hasher_.Add(size);
      if (column) hasher_.Add(column->bytes);
    }
  }
  std::string Finish() { return hasher_.Finish().string(); }

 private:
  ledger::Hasher hasher_;
};

}  // namespace summa::reconciliation

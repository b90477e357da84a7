// The statements by which a read model adds to its rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <summa/projection.hpp>
#include <utility>

namespace summa::projections {

// With the table of the batch in the place of @table.
inline std::string OnTable(std::string_view statement, const std::string& table) {
  constexpr std::string_view kPlace = "@table";
  std::string text;
  for (std::size_t at = 0;;) {
    const std::size_t place = statement.find(kPlace, at);
    text.append(statement.substr(at, place - at));
    if (place == std::string_view::npos) return text;
    text.append(table);
    at = place + kPlace.size();
  }
}

// Of texts that are kept elsewhere.
inline Parameter TextsOf(std::span<const std::string_view> texts) {
  std::string bytes = detail::ArrayHeader(kOidText, texts.size());
  std::size_t size = bytes.size();
  for (const std::string_view text : texts) size += 4 + text.size();
  bytes.reserve(size);
  for (const std::string_view text : texts) {
    detail::AppendBigEndian(bytes, static_cast<std::int32_t>(text.size()));
    bytes += text;
  }
  return {kOidTextArray, std::move(bytes)};
}

// Adds to rows that are there, and makes those that are not. Each statement has the table as
// @table; `missing` and `conflict` follow `insert`.
struct RowStatements {
  std::string_view update, insert, missing, conflict;
};

// Whoever applies to a build has locked the row of its progress, so no row appears between UPDATE
// and INSERT. ON CONFLICT would find a row twice, once to lock it, which the WAL records as well.
// It is for the parts of a rebuild, which write at the same time. count: of the rows in
// `parameters`, each with another key.
inline void AddRows(const ProjectionBatch& batch, std::string_view table,
                    const RowStatements& statements, std::size_t count,
                    std::span<const Parameter> parameters) {
  const std::string name = batch.Table(table);
  const auto run = [&](std::string_view first, std::string_view second = {}) {
    return batch.Exec(OnTable(first, name) + OnTable(second, name), parameters).affected_rows();
  };
  if (batch.unordered()) {
    run(statements.insert, statements.conflict);
    return;
  }
  const auto changed = static_cast<std::size_t>(run(statements.update));
  if (changed == count) return;
  run(statements.insert, changed == 0 ? std::string_view() : statements.missing);
}

}  // namespace summa::projections

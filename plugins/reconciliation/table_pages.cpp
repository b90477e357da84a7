#include "table_pages.hpp"

#include <algorithm>

#include "reconciliation_sql.hpp"

namespace summa::reconciliation {
namespace {

// About 50,000 entries: the statement and the plan cost nothing beside them, and stopping is quick.
constexpr std::int64_t kBlocks = 512;
// With a limit on the rate the pieces are smaller, so that the server rests often.
constexpr std::int64_t kPacedBlocks = 32;

}  // namespace

TablePages::TablePages(Session& session, const std::string& table, std::string label)
    : label_(std::move(label)) {
  const Result leaves = session.Exec(sql::leaves, {table});
  leaves_.reserve(leaves.rows());
  for (const Row leaf : leaves) {
    leaves_.push_back({leaf.Get<std::string>("name"), leaf.Get<std::int64_t>("blocks"),
                       leaf.Get<double>("rows_per_block")});
  }
}

std::int64_t TablePages::Read(Session& session, Work& work, const std::string& columns,
                              const std::string& condition,
                              const std::function<void(CopyRow&)>& on_row) {
  double estimate = 0;
  for (const Leaf& leaf : leaves_)
    estimate += static_cast<double>(leaf.blocks) * leaf.rows_per_block;
  std::int64_t rows = 0;
  const std::int64_t step = work.rate() > 0 ? kPacedBlocks : kBlocks;
  for (const Leaf& leaf : leaves_) {
    for (std::int64_t block = 0; block <= leaf.blocks; block += step) {
      std::string statement = "COPY (SELECT " + columns + " FROM ONLY " + leaf.name +
                              " WHERE ctid >= '(" + std::to_string(block) + ",0)'::tid";
      // The last piece has no end: the table may have grown since it was measured.
      if (block + step <= leaf.blocks) {
        statement.append(" AND ctid < '(").append(std::to_string(block + step)).append(",0)'::tid");
      }
      if (!condition.empty()) statement.append(" AND ").append(condition);
      statement.append(") TO STDOUT (FORMAT binary)");
      const std::int64_t before = rows;
      CopyRow row;
      session.CopyOut(statement, [&](std::string_view message) {
        if (!row.Open(message)) return true;
        on_row(row);
        ++rows;
        return true;
      });
      work.Progress(label_, rows, std::max(rows, static_cast<std::int64_t>(estimate)));
      work.Read(rows - before);
    }
  }
  return rows;
}

}  // namespace summa::reconciliation

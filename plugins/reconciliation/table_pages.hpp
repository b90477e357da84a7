// Reads a whole table in the order it lies on disk, in pieces of which each is one short statement,
// inside the transaction that is open: all pieces are of its snapshot. The leaves of a partitioned
// table are read one after the other.
#pragma once

#include <functional>
#include <string>
#include <summa/copy_row.hpp>
#include <summa/sql.hpp>
#include <vector>

#include "work.hpp"

namespace summa::reconciliation {

class TablePages {
 public:
  // Looks how large the table is. `label`: what its rows are called in progress.
  TablePages(Session& session, const std::string& table, std::string label);

  // COPY (SELECT `columns` FROM table WHERE `condition`); on_row reads the fields. An empty
  // condition takes all. Returns the rows.
  std::int64_t Read(Session& session, Work& work, const std::string& columns,
                    const std::string& condition, const std::function<void(CopyRow&)>& on_row);

 private:
  struct Leaf {
    std::string name;
    std::int64_t blocks;
    double rows_per_block;
  };
  std::string label_;
  std::vector<Leaf> leaves_;
};

}  // namespace summa::reconciliation

// What the read models are measured against: a client that has their rows in memory already and
// writes them by bare SQL.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/services/db.hpp"

namespace summa::bench {

enum class BareModels { kAccountBalance, kAll };

// The very tables of the plugin with their indexes, emptied of what the plugin has added since
// Save(). The same rows, in the same batches, each of which is one transaction: new rows by COPY in
// binary; accounts and holders by COPY into a temporary table, and an UPDATE from it that adds to
// what is there. Nothing is read from the ledger, nothing is compared, no progress is kept.
class BareWriter {
 public:
  // What the tables have before the plugin applies the events that are measured.
  static void Save(test::Db& db);

  // After the plugin has applied them. batch: events of one transaction.
  BareWriter(const std::string& url, long long batch);

  // Takes away what was added, writes it anew, and compares it with what the plugin had written.
  // Seconds of the writing.
  double Write(BareModels models);
  long long rows() const { return rows_; }  // of all models; one for each change of a row

 private:
  struct Piece {
    std::string entries, transactions, accounts, holders;
  };
  void Stage(long long batch);
  void StageChanges();
  void TakePieces();
  void TakeAway(BareModels models);
  void Write(const Piece& piece, BareModels models);
  void Compare(BareModels models);

  test::Db db_;
  std::vector<Piece> pieces_;  // of a batch each
  long long rows_ = 0;
};

}  // namespace summa::bench

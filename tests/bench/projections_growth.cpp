#include "tests/bench/projections_growth.hpp"

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <vector>

#include "tests/bench/projections_data.hpp"
#include "tests/bench/projections_plugin.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/servers.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/server_directory.hpp"

namespace summa::bench {
namespace {

// With its transaction, its two entries, its rows in the read models, and all indexes but those
// that are left out below.
constexpr double kBytesPerEvent = 2000;
constexpr double kBytesOfServer = 4e9;  // WAL, temporary files, and what an empty server has
constexpr long long kPiece = 500'000;   // events that are made and applied at a time
constexpr int kRounds = 7;
constexpr long long kAdded = 40'000;  // in each round

void RequireDisk(const GrowthSizes& sizes) {
  const double need = kBytesOfServer + kBytesPerEvent * static_cast<double>(sizes.from + sizes.to);
  const auto space = static_cast<double>(std::filesystem::space(test::ServerRoot()).available);
  const std::string text = Fixed(need / 1e9, 1) + " GB of disk in " + test::ServerRoot() +
                           " (SUMMA_SERVER_ROOT), where " + Fixed(space / 1e9, 1) + " GB are free";
  if (space < need) throw std::runtime_error("this needs " + text);
  Say("needs at most " + text);
}

test::PostgresOptions BoundedPostgres() {
  test::PostgresOptions options = RealisticPostgres();
  options.shared_buffers = "4GB";
  options.settings["max_wal_size"] = "2GB";
  options.settings["wal_level"] = "minimal";
  options.settings["max_wal_senders"] = "0";
  return options;
}

class GrownLedger {
 public:
  GrownLedger(test::PostgresServer& server, long long events, long long accounts)
      : accounts_(accounts),
        url_(MakeAccounts(server, "events_" + std::to_string(events), accounts)),
        db_(url_),
        plugin_(url_) {
    DropWhatNobodyReads();
    for (long long made = 0; made < events; made += kPiece) {
      Add(std::min(kPiece, events - made));
      plugin_.Apply();
      Say(Grouped(static_cast<double>(std::min(made + kPiece, events))) + " of " +
          Grouped(static_cast<double>(events)));
    }
    db_.Execute("VACUUM (ANALYZE)");
    Say(Grouped(static_cast<double>(db_.Count("SELECT pg_database_size(current_database())")) /
                1e6) +
        " MB");
  }

  // Milliseconds of an event.
  double ApplyMore() {
    Add(kAdded);
    db_.Execute("CHECKPOINT");
    const Stopwatch watch;
    if (plugin_.Apply() != kAdded) throw std::runtime_error("other events were applied");
    return watch.Seconds() * 1000 / static_cast<double>(kAdded);
  }

 private:
  void Add(long long events) {
    AddTransfers(db_, events, accounts_, /*hot=*/false);
    db_.Execute("ANALYZE ledger_event, transaction_record, entry_record, account_balance");
  }
  // Indexes of the ledger that neither the plugin nor these writers look into. They would take a
  // third of the disk.
  void DropWhatNobodyReads() {
    for (const std::string index :
         {"idx_txn_record_status", "idx_txn_record_reference", "idx_txn_record_source",
          "idx_txn_record_destination", "idx_txn_record_hold_expiry", "idx_txn_record_parent",
          "idx_txn_record_correlation", "idx_txn_record_created_at", "idx_entry_record_account",
          "idx_entry_record_system_account", "idx_entry_record_version",
          "idx_entry_record_created_at", "idx_ledger_event_aggregate",
          "idx_ledger_event_correlation"}) {
      db_.Execute("DROP INDEX " + index);
    }
  }

  const long long accounts_;
  const std::string url_;
  test::Db db_;
  ProjectionsPlugin plugin_;
};

}  // namespace

GrowthSizes ParseGrowth(const std::string& text) {
  const std::size_t comma = text.find(',');
  GrowthSizes sizes;
  try {
    sizes.from = std::stoll(text.substr(0, comma));
    sizes.to = comma == std::string::npos ? 0 : std::stoll(text.substr(comma + 1));
  } catch (const std::exception&) {
    sizes = {};
  }
  if (sizes.from < 1 || sizes.to <= sizes.from) {
    throw std::runtime_error(
        "--growth is FROM,TO, two numbers of events, of which the second is higher; it is \"" +
        text + "\"");
  }
  return sizes;
}

void MeasureProjectionGrowth(const GrowthSizes& sizes, long long accounts, Lines& lines) {
  RequireDisk(sizes);
  test::PostgresServer server(BoundedPostgres());
  GrownLedger small(server, sizes.from, accounts), large(server, sizes.to, accounts);
  Series base, measured;
  for (int round = 0; round <= kRounds; ++round) {
    const double a = small.ApplyMore(), b = large.ApplyMore();
    Say(Fixed(a * 1000, 1) + " and " + Fixed(b * 1000, 1) + " microseconds of an event");
    if (round == 0) continue;  // warms the caches
    base.Add(a);
    measured.Add(b);
  }
  lines.AddTime("an event applied by all four, ms", base, measured, "at most 1.2");
}

}  // namespace summa::bench

// A ledger that is written, read, delivered and verified while it is migrated to partitions, and
// what must hold afterwards.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/faults/appender.hpp"
#include "tests/faults/ledger_readers.hpp"
#include "tests/faults/round.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/process.hpp"
#include "tests/services/redis_server.hpp"

namespace summa::test {

struct MigrationLoadOptions {
  double rate = 60;       // transactions per second that the writers begin
  bool makes_up = false;  // see AppenderOptions
  // Millions of events: what reads all of them into memory is left out, and so are the books of
  // transactions that were made set-wise.
  bool large = false;
  std::function<void(const Attempt&)> on_attempt = {};
};

// Eight writers and four readers with the lock_timeout of Summa, and two hosts that deliver the
// outbox and reconcile. Main thread only.
class MigrationLoad {
 public:
  // The ledger in `database` has the fixture's functions; see InstallLedger, InstallFunctions.
  MigrationLoad(PostgresServer& server, std::string database, MigrationLoadOptions options = {});
  ~MigrationLoad();
  MigrationLoad(const MigrationLoad&) = delete;
  MigrationLoad& operator=(const MigrationLoad&) = delete;

  // Makes roles, grants and a view, notes all that there is, and returns when everybody works.
  void Start();
  // `migrate:partition-event-store` with these words, until the migration is in `state`. A verb that
  // lost its lease on a busy machine is given again. Returns the JSON of its status; throws when
  // the verb refuses.
  std::string Migrate(const std::vector<std::string>& words, const std::string& state) const;
  // Until each writer and reader has done so many more. Throws when one does not.
  void WaitForMore(int each = 10);
  // Rows that only one of two tables has, under one snapshot. One line for each, at most a few.
  std::vector<std::string> Differences(const std::string& one, const std::string& other) const;
  // Ends the load; the hosts deliver what waits, and are stopped. One line for each promise that is
  // broken.
  std::vector<std::string> Finish();

  const std::string& url() const { return url_; }
  const SeenErrors& errors() const { return errors_; }
  const Appender& writers() const { return *writers_; }

 private:
  struct Inventory {
    std::string catalog;                // see migration_inventory.sql
    std::vector<std::string> enforced;  // what is refused, and how
    Rows digests;                       // of each thousand of positions, up to position_
    bool operator==(const Inventory&) const = default;
  };
  void Prepare() const;
  Inventory Take() const;
  void StartHosts();
  std::string Configuration(const std::string& host) const;
  RunResult Run(std::vector<std::string> words) const;
  std::string Status() const;
  void Note(const Attempt& attempt);
  bool Drains() const;
  void StopHosts(std::vector<std::string>& lines);
  void CheckDelivery(std::vector<std::string>& lines) const;
  void CheckEvents(std::vector<std::string>& lines) const;
  void CheckVerdicts(std::vector<std::string>& lines) const;

  PostgresServer& server_;
  const std::string database_, url_;
  const MigrationLoadOptions options_;
  RedisServer redis_;
  SeenErrors errors_;
  std::string position_;  // of the last event before the load
  Inventory before_;
  std::vector<std::string> violations_before_, finished_before_;  // of the books; outbox rows
  std::vector<std::atomic<long long>> written_;                   // by writer
  std::unique_ptr<Appender> writers_;
  std::unique_ptr<LedgerReaders> readers_;
  std::vector<std::unique_ptr<FaultHost>> hosts_;
};

}  // namespace summa::test

// Every SQL statement of the plugin, behind functions with the names of what they do.
// Works on a session of the caller; holds no state of its own. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <summa/sql.hpp>
#include <vector>

#include "row.hpp"

namespace summa::outbox {

struct Settings {
  std::string route = "topic";  // "topic" or the name of the one stream
  std::int64_t batch_size = 1000;
  std::int64_t max_retries = 3;
  bool block_key_on_dead_letter = true;

  const std::string& StreamOf(const std::string& topic) const {
    return route == "topic" ? topic : route;
  }
};

// What a poll leaves out.
struct Exclusions {
  std::vector<std::string> lanes;
  std::vector<std::string> streams;
};

struct Counts {
  std::int64_t pending = 0;
  std::optional<double> oldest_pending_age_seconds;
  std::int64_t processed = 0, failed = 0, dead_letters = 0, blocked_keys = 0;
  std::string last_delivered_at;  // ISO-8601, or empty
};

class OutboxTable {
 public:
  explicit OutboxTable(Settings settings);

  // A text that stays equal as long as nothing in the whole cluster commits.
  std::string Snapshot(Session& session) const;
  // Server's clock, microseconds since 2000-01-01.
  std::int64_t Now(Session& session) const;
  // At most batch_size + 1 waiting rows created at or after the bound (no bound: all), in ledger
  // order. More than batch_size: there is a backlog, and this page must not be published (see
  // backlog.sql).
  std::vector<Row> Poll(Session& session, std::optional<std::int64_t> created_from,
                        const Exclusions& exclusions) const;
  // Sorts the whole backlog on the server; it lives until the session is closed or CloseBacklog.
  void OpenBacklog(Session& session, const Exclusions& exclusions) const;
  // The next page in ledger order; empty: done. Rows that are no longer waiting are left out, so
  // `fetched` says how many ids the page had.
  std::vector<Row> NextPage(Session& session, std::size_t* fetched) const;
  void CloseBacklog(Session& session) const;

  // Throws when the role may not write what a delivery writes: better before the first message than
  // after.
  void CheckPrivileges(Session& session) const;

  // Inside a transaction of the caller:
  std::int64_t Mark(Session& session,
                    std::span<const Uuid> ids) const;  // rows that were really open
  void CountRetry(Session& session, const Uuid& id, const std::string& error) const;
  bool DeadLetter(Session& session, const Row& row, const std::string& error) const;
  void RecordDelivery(Session& session) const;  // last_delivered_at; own_since at the first time
  std::int64_t DeleteDelivered(Session& session, std::int64_t retention_microseconds) const;
  bool Redrive(Session& session, const std::string& id) const;  // false: no such row

  std::vector<std::string> BlockedLanes(Session& session) const;
  Counts Count(Session& session) const;
  // Waiting rows and the age of the oldest, counted up to a limit so that it stays cheap.
  Counts CountPending(Session& session) const;

  static constexpr std::int64_t kCountLimit = 100'000;

 private:
  void DeclareBacklog(Session& session, std::initializer_list<Parameter> parameters) const;

  Settings settings_;
  std::string poll_, backlog_, fetch_, mark_, next_page_;
};

}  // namespace summa::outbox

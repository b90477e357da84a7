// Up to which created_at nothing new can become visible: every transaction that had begun by then
// has ended. It makes the lower bound of polls follow the clock closely, so that rows which have to
// wait are passed over. Pure state; one thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <summa/time.hpp>
#include <vector>

namespace summa::outbox {

// The transactions that are open at a time, by their names; see open_transactions.sql.
struct OpenTransactions {
  DatabaseTime server_time;
  std::vector<std::string> names;
};

class Horizon {
 public:
  void Update(OpenTransactions open);
  // Nothing when a transaction has been open since the first update.
  std::optional<DatabaseTime> time() const { return time_; }

 private:
  // A transaction has its time a moment before others can see that it is open.
  static constexpr std::chrono::seconds kStartMargin{1};

  std::optional<OpenTransactions> earlier_;  // those of an earlier update that are still open
  std::optional<DatabaseTime> time_;
};

}  // namespace summa::outbox

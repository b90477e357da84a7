// Several hosts on one ledger that writes down who held which lease when.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/e2e/summa_host.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {

// The lease of every worker here, unless a test says otherwise: a process that has to wait for the
// CPU for some seconds keeps it, so that a test can tell which fence comes when.
inline constexpr std::chrono::milliseconds kLease{9'000};
// How long after the end of a lease somebody else has it, at most (seconds). A busy machine makes a
// take-over slower, none faster: the best of several counts.
inline constexpr double kTakeOverSeconds = 1.0;

struct HostOptions {
  std::vector<std::string> workers{};  // the only ones that this host runs; empty: all
  std::map<std::string, std::string> environment{};
  std::chrono::milliseconds lease = kLease;
  std::string drain_timeout = "30s";  // a worker that does not stop says so; a slow one may be slow
  std::string plugins = "ledger-writer: {}";  // the members of the map
  bool without_writer = false;                // plugins do not hold ledger-writer
};

// A running host with its name and its configuration.
class FleetHost {
 public:
  FleetHost(const std::string& url, const std::string& name, const HostOptions& options);

  // As `host` in the tables of fleet.sql.
  const std::string& application() const { return application_; }
  Process& process() { return host_.process(); }
  std::string Log() { return host_.process().Stderr(); }
  std::string Status() { return host_.StatusWhen("running"); }
  // Whether the worker stands by for a lease that somebody else has.
  bool StandsBy(const std::string& worker);
  // The worker's object in /status, without the braces; empty when it is not there.
  std::string StatusOf(const std::string& worker);
  // The value of a metric of the worker; 0 when it is not there.
  double Metric(const std::string& name, const std::string& worker);
  bool Frozen();  // stopped by SIGSTOP, all threads
  void Freeze();  // returns when it is
  void Thaw() { process().Signal(SIGCONT); }
  void KillNine();
  int Terminate(std::chrono::milliseconds timeout = kTimeout);  // SIGTERM; the exit code

 private:
  const std::string application_;
  TemporaryFile file_;
  RunningHost host_;
};

// A migrated ledger of its own for each test, with the tables of fleet.sql.
class FleetTest : public testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;
  // Whatever a test did, no violation of fleet.sql may be there.
  void TearDown() override;

  std::unique_ptr<FleetHost> Start(const std::string& name, const HostOptions& options);
  std::unique_ptr<FleetHost> Start(const std::string& name, const std::string& worker);
  // A holder that has written and a standby that has seen it.
  void StartPair(const std::string& worker);
  // A standby for holder_. With a short lease the two may change places: then they are swapped.
  void AddStandby(const std::string& name, const HostOptions& options);

  long long Fence(const std::string& worker);
  long long Written(const std::string& worker, long long fence);
  void WaitForRows(const std::string& worker, long long fence);
  // Seconds from the end of the lease (by itself, or let go) to the fence, by the server's clock.
  double Gap(const std::string& worker, long long fence);
  // The same of the first fence after `since`, once heir_ has worked after it; nullopt: it had the
  // lease before.
  std::optional<double> GapSince(const std::string& worker, const std::string& since);
  std::string Now() { return db_->Value("SELECT clock_timestamp()"); }  // the server's
  Db& db() { return *db_; }
  static PostgresServer& server() { return *server_; }
  const std::string& url() const { return url_; }

  std::unique_ptr<FleetHost> holder_, heir_;

 private:
  static PostgresServer* server_;
  static int databases_;
  std::string url_;
  std::unique_ptr<Db> db_;
};

// Whether the long versions of the tests were asked for (./dev soak).
bool Soaking();
// Of this run; printed, and given by SUMMA_SOAK_SEED.
unsigned Seed();

}  // namespace summa::test

// The servers a benchmark runs against, and the real host program beside them.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/services/postgres_server.hpp"
#include "tests/services/process.hpp"
#include "tests/services/server_directory.hpp"

namespace summa::bench {

// As a ledger is run: durable commits, memory for the working set. Only `durable` off (for data
// whose making is not measured) leaves fsync out.
test::PostgresOptions RealisticPostgres(bool durable = true);

// PostgreSQL's version, as "15.20".
std::string PostgresVersion(const std::string& url);

// The host program of the build. Throws when SUMMA_BINARY_DIR is not set.
std::string HostProgram();
// For a child that sees nothing of the machine it is measured on.
test::ProcessOptions CleanEnvironment();

// The shipped program with outbox and bus-redis on, everything else at its defaults. The
// configuration is a file of this object.
class OutboxHost {
 public:
  // more_plugins: further lines below `plugins:`, each with its line break.
  OutboxHost(const std::string& ledger_url, const std::string& redis_url,
             const std::string& more_plugins = "");

  // summa-host ARGUMENTS -c FILE to its end; throws with its output unless it exits with 0.
  struct Finished {
    double seconds = 0;  // from the start of the process to its end
    double cpu_seconds = 0;
    std::string out, err;
  };
  Finished RunToEnd(const std::vector<std::string>& words);
  // Starts `summa-host run`; killed with the object.
  test::Process& Start();

 private:
  std::vector<std::string> Command(const std::vector<std::string>& words) const;

  test::ServerDirectory directory_;
  std::string config_path_;
  std::unique_ptr<test::Process> running_;
};

}  // namespace summa::bench

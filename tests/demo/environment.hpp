// Everything the demo starts: private servers, a ledger, and the real host.
#pragma once

#include <memory>
#include <string>

#include "tests/demo/message_source.hpp"
#include "tests/services/any_kafka.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/process.hpp"
#include "tests/services/redis_server.hpp"
#include "tests/services/server_directory.hpp"

namespace summa::demo {

// Owns what it starts; all of it is gone with the object, or with this process. Main thread only.
// Errors: std::runtime_error.
class Environment {
 public:
  // Servers and an empty ledger; Redis, or Kafka instead.
  explicit Environment(bool kafka);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  // Returns when the host says that it is ready.
  void StartHost();
  // SIGTERM. The exit code; a host that does not end in time is killed and gives 137.
  int StopHost();
  bool HostRuns() { return host_ && host_->Running(); }

  const std::string& LedgerUrl() const { return ledger_url_; }
  // A consumer group on the bus of the host.
  std::unique_ptr<MessageSource> MakeSource() const;
  int HostPort() const { return host_port_; }
  // "PostgreSQL 15.8, Redis 7.0.15".
  std::string Versions() const;
  // Copies the host's log to a file that stays; its path.
  std::string KeepLog() const;
  std::string LogTail() const;

 private:
  std::string Configuration() const;

  test::PostgresServer postgres_;
  std::unique_ptr<test::RedisServer> redis_;
  std::unique_ptr<test::AnyKafka> kafka_;
  test::ServerDirectory directory_;  // configuration and log of the host
  const std::string log_path_;
  const std::string ledger_url_;
  std::unique_ptr<test::Process> host_;
  int host_port_ = 0;
};

}  // namespace summa::demo

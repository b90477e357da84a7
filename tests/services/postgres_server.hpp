#pragma once

#include <map>
#include <memory>
#include <string>

#include "tests/services/process.hpp"
#include "tests/services/server_directory.hpp"

namespace summa::test {

struct PostgresOptions {
  // Off is fast and right for all but crash tests: with it, KillNine of the machine would lose
  // data.
  bool fsync = false;
  bool tcp = false;  // also listens on a free port of 127.0.0.1
  std::string shared_buffers = "16MB";
  std::map<std::string, std::string> settings;  // any setting of postgresql.conf; wins over ours
  // Begins as a copy of this server, which must run, and follows it as a hot standby.
  const class PostgresServer* standby_of = nullptr;
};

// A private PostgreSQL in its own directory, on a unix socket. Started by the constructor and gone
// with the object, or with this process. Superuser is `postgres`, without password. As root it runs
// as user postgres (nobody when there is none), because PostgreSQL refuses root.
// Main thread only. Errors: std::runtime_error with the tail of the server's log.
class PostgresServer {
 public:
  using Variables = std::map<std::string, std::string>;

  explicit PostgresServer(PostgresOptions options = {});
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  void Start();
  // Ends connections, then stops.
  void StopFast();
  // SIGKILL to the postmaster and all its processes at once; Start then runs crash recovery.
  void KillNine();
  void Restart();
  // SIGSTOP to the postmaster and all its processes: connections stay, nobody answers.
  void Freeze();
  void Thaw();
  bool Running();
  // A standby becomes a primary; returns when it takes writes.
  void Promote();

  // postgresql:// with the socket's directory as host; stays the same over restarts.
  std::string Url(const std::string& database) const;
  // With host 127.0.0.1 and a port; only with the option tcp.
  std::string TcpUrl(const std::string& database) const;
  int Port() const { return port_; }
  const std::string& SocketDirectory() const { return directory_.Path(); }

  // Returns the Url. Waits until nobody is connected to the template.
  std::string CreateDatabase(const std::string& name, const std::string& from_template = "");
  void DropDatabase(const std::string& name);

  // psql -X -q, stopping at the first error; returns its output (unaligned, tuples only).
  std::string RunSql(const std::string& database, const std::string& text,
                     const Variables& variables = {});
  std::string RunSqlFile(const std::string& database, const std::string& path, bool gzipped = false,
                         const Variables& variables = {});

  pid_t Pid() const;
  // CPU seconds and memory of the postmaster and its living children, summed.
  Usage Use() const;
  std::string Log() const;  // all of it

 private:
  std::string DataDirectory() const { return directory_.Path() + "/data"; }
  void CopyPrimary();
  std::string LogPath() const { return directory_.Path() + "/log"; }

  PostgresOptions options_;
  ServerDirectory directory_;
  int port_;
  std::unique_ptr<Process> process_;
};

// Directory of the server's programs (initdb, postgres, psql).
std::string PostgresBinaries();

}  // namespace summa::test

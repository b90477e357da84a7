// A PostgreSQL of a test's own. Link Summa::testkit.
//
//   summa::testkit::PostgreSql server;
//   summa::testkit::Db db(server.CreateDatabase("one"));
//
// With the tables of a ledger in it: <summa/testkit/test_ledger.hpp>.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <summa/testkit/process.hpp>

namespace summa::testkit {

class ServerDirectory;

struct PostgreSqlOptions {
  // Off is fast and right for all but crash tests: with it, KillNine of the machine would lose
  // data.
  bool fsync = false;
  bool tcp = false;  // also listens on a free port of 127.0.0.1
  std::string shared_buffers = "16MB";
  std::map<std::string, std::string> settings;  // any setting of postgresql.conf; wins over ours
  // Begins as a copy of this server, which must run, and follows it as a hot standby.
  const class PostgreSql* standby_of = nullptr;
};

// A private PostgreSQL in its own directory, on a unix socket. Started by the constructor and gone
// with the object, or with this process. Superuser is `postgres`, without password. As root it runs
// as user postgres (nobody when there is none), because PostgreSQL refuses root. The directory is in
// /tmp, or where the environment variable SUMMA_SERVER_ROOT says. Needs the programs of a PostgreSQL
// server (pg_config --bindir, else /usr/lib/postgresql); a server that runs already is not touched.
// Main thread only. Errors: std::runtime_error with the tail of the server's log.
class PostgreSql {
 public:
  using Variables = std::map<std::string, std::string>;

  explicit PostgreSql(PostgreSqlOptions options = {});
  ~PostgreSql();
  PostgreSql(const PostgreSql&) = delete;
  PostgreSql& operator=(const PostgreSql&) = delete;

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
  const std::string& SocketDirectory() const;

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
  std::string DataDirectory() const;
  void CopyPrimary();
  std::string LogPath() const;

  PostgreSqlOptions options_;
  std::unique_ptr<ServerDirectory> directory_;
  int port_;
  std::unique_ptr<Process> process_;
};

// Directory of the server's programs (initdb, postgres, psql).
std::string PostgreSqlBinaries();

}  // namespace summa::testkit

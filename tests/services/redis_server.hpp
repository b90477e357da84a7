#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/services/process.hpp"
#include "tests/services/server_directory.hpp"

namespace summa::test {

struct RedisOptions {
  bool append_only = false;  // survives KillNine + Start: fsync at every write
  bool tcp = false;          // also listens on a free port of 127.0.0.1
  std::string max_memory;    // such as "10mb"; empty: no limit. Policy: noeviction
  std::vector<std::string> extra_arguments;
};

// A private redis-server in its own directory, on a unix socket. Started by the constructor and
// gone with the object, or with this process. Main thread only. Errors: std::runtime_error with the
// tail of the server's log.
class RedisServer {
 public:
  explicit RedisServer(RedisOptions options = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  void Start();
  void Stop();
  void KillNine();
  void Restart();
  bool Running();

  // `unix://ROOT/st.XXXXXX/redis.sock` with ROOT of ServerRoot(); the same over restarts.
  std::string Url() const;
  // `redis://127.0.0.1:PORT`; only with the option tcp.
  std::string TcpUrl() const;
  int Port() const { return port_; }
  pid_t Pid() const;
  std::string Log() const;

 private:
  RedisOptions options_;
  ServerDirectory directory_;
  int port_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace summa::test

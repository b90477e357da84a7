#include "tests/services/redis_server.hpp"

#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include "tests/services/redis_client.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {

RedisServer::RedisServer(RedisOptions options)
    : options_(std::move(options)), port_(options_.tcp ? FreePort() : 0) {
  Start();
}

RedisServer::~RedisServer() = default;  // Process kills the server, then the directory goes

void RedisServer::Start() {
  RequireMainThread("redis-server");
  if (Running()) return;
  const std::string log = directory_.Path() + "/log";
  // Another server that speaks the protocol, such as a Redis 8 or Valkey built by hand.
  const char* chosen = std::getenv("SUMMA_REDIS_SERVER");
  const std::string program = chosen == nullptr || *chosen == '\0' ? "redis-server" : chosen;
  std::vector<std::string> arguments = {program,
                                        "--port",
                                        std::to_string(port_),
                                        "--bind",
                                        "127.0.0.1",
                                        "--unixsocket",
                                        directory_.Path() + "/redis.sock",
                                        "--save",
                                        "",
                                        "--appendonly",
                                        options_.append_only ? "yes" : "no",
                                        "--appendfsync",
                                        "always",
                                        "--dir",
                                        directory_.Path(),
                                        "--daemonize",
                                        "no"};
  if (!options_.max_memory.empty()) {
    arguments.insert(arguments.end(), {"--maxmemory", options_.max_memory});
  }
  arguments.insert(arguments.end(), options_.extra_arguments.begin(),
                   options_.extra_arguments.end());
  ProcessOptions process_options;
  process_options.working_directory = directory_.Path();
  process_options.stdout_path = log;
  process_options.stderr_path = log;
  process_options.own_process_group = true;  // who started it decides when it ends
  process_ = std::make_unique<Process>(arguments, process_options);
  const bool up = BecomesTrue([this] {
    if (!process_->Running()) return true;
    try {
      RedisClient(Url()).Command({"PING"});
      return true;
    } catch (const RedisError&) {
      return false;  // no socket yet, or still loading
    }
  });
  if (!up || !process_->Running()) {
    throw std::runtime_error("redis-server did not start:\n" + LogTail(log));
  }
}

void RedisServer::Stop() {
  if (!process_) return;
  process_->Signal(SIGTERM);
  process_->WaitOrKill(kTimeout);
  process_.reset();
}

void RedisServer::KillNine() {
  if (!process_) return;
  process_->Signal(SIGKILL);
  process_->WaitOrKill(kTimeout);
  process_.reset();
}

void RedisServer::Restart() {
  Stop();
  Start();
}

bool RedisServer::Running() { return process_ && process_->Running(); }

std::string RedisServer::Url() const { return "unix://" + directory_.Path() + "/redis.sock"; }

std::string RedisServer::TcpUrl() const {
  if (port_ == 0) throw std::logic_error("this redis-server was started without the option tcp");
  return "redis://127.0.0.1:" + std::to_string(port_);
}

pid_t RedisServer::Pid() const { return process_ ? process_->Pid() : -1; }

std::string RedisServer::Log() const { return LogTail(directory_.Path() + "/log"); }

}  // namespace summa::test

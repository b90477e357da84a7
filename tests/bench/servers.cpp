#include "tests/bench/servers.hpp"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "tests/bench/report.hpp"
#include "tests/services/db.hpp"

namespace summa::bench {
namespace {

// A benchmark that takes longer than this hangs.
constexpr std::chrono::minutes kLongestRun{30};

}  // namespace

std::string HostProgram() {
  const char* build = std::getenv("SUMMA_BINARY_DIR");
  if (build == nullptr) {
    throw std::runtime_error("SUMMA_BINARY_DIR is not set: start benchmarks by ./dev bench");
  }
  return std::string(build) + "/bin/summa-host";
}

test::ProcessOptions CleanEnvironment() {
  test::ProcessOptions options;
  options.without_environment = {"SUMMA_CONFIG",      "SUMMA_PLUGIN_PATH", "DATABASE_URL",
                                 "READ_DATABASE_URL", "REDIS_URL",         "KAFKA_BROKERS"};
  options.working_directory = "/";
  return options;
}

test::PostgresOptions RealisticPostgres(bool durable) {
  test::PostgresOptions options;
  options.fsync = durable;
  options.shared_buffers = "1GB";
  options.settings = {{"max_wal_size", "8GB"}};
  return options;
}

std::string PostgresVersion(const std::string& url) {
  const std::string text = test::Db(url).Value("SHOW server_version");
  return text.substr(0, text.find(' '));
}

OutboxHost::OutboxHost(const std::string& ledger_url, const std::string& redis_url,
                       const std::string& more_plugins)
    : config_path_(directory_.Path() + "/summa.yaml") {
  std::ofstream file(config_path_);
  file << "database:\n  ledger: { url: \"" << ledger_url << "\" }\n  migrate: manual\n"
       << "host: { listen: \"127.0.0.1:0\" }\n"
       << "plugins:\n  bus-redis: { url: \"" << redis_url << "\" }\n"
       << "  outbox: { use: { bus: bus-redis } }\n"
       << more_plugins;
}

std::vector<std::string> OutboxHost::Command(const std::vector<std::string>& words) const {
  std::vector<std::string> command = {HostProgram()};
  command.insert(command.end(), words.begin(), words.end());
  command.insert(command.end(), {"-c", config_path_});
  return command;
}

OutboxHost::Finished OutboxHost::RunToEnd(const std::vector<std::string>& words) {
  Finished finished;
  const Stopwatch watch;
  test::Process process(Command(words), CleanEnvironment());
  const int exit_code = process.WaitOrKill(kLongestRun);
  finished.seconds = watch.Seconds();
  finished.cpu_seconds = process.Use().cpu_seconds;
  finished.out = process.Stdout();
  finished.err = process.Stderr();
  if (exit_code != 0) {
    throw std::runtime_error("summa-host " + words.front() + " ended with exit code " +
                             std::to_string(exit_code) + ":\n" + finished.out + finished.err);
  }
  return finished;
}

test::Process& OutboxHost::Start() {
  running_ = std::make_unique<test::Process>(Command({"run"}), CleanEnvironment());
  return *running_;
}

}  // namespace summa::bench

#include "tests/demo/environment.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tests/demo/host_watch.hpp"
#include "tests/demo/stop_signal.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/redis_client.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::demo {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kReadyTimeout{120};
// The host's drain_timeout of 10 s and something to end in.
constexpr std::chrono::seconds kEndTimeout{60};
constexpr int kKilled = 137;
constexpr int kPartitions = test::AnyKafka::kMockPartitions;  // of each topic

test::PostgresOptions WithCommitTimes() {
  test::PostgresOptions options;
  options.settings["track_commit_timestamp"] = "on";  // what the latency is measured from
  return options;
}

fs::path ProgramDirectory() { return fs::read_symlink("/proc/self/exe").parent_path(); }

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The host prints `listening address=127.0.0.1:PORT`; 0 while it has not.
int PortFromLog(const std::string& log) {
  const std::string mark = "127.0.0.1:";
  const std::size_t line = log.find("listening");
  const std::size_t at = line == std::string::npos ? line : log.find(mark, line);
  if (at == std::string::npos || log.find('\n', at) == std::string::npos) return 0;
  return std::atoi(log.c_str() + at + mark.size());
}

}  // namespace

Environment::Environment(bool kafka)
    : postgres_(WithCommitTimes()),
      redis_(kafka ? nullptr : std::make_unique<test::RedisServer>()),
      kafka_(kafka ? std::make_unique<test::AnyKafka>() : nullptr),
      log_path_(directory_.Path() + "/host.log"),
      ledger_url_(test::InstallLedger(postgres_, "ledger")) {}

Environment::~Environment() = default;

std::unique_ptr<MessageSource> Environment::MakeSource() const {
  if (kafka_) return ReadKafka(kafka_->Brokers(), kPartitions, kafka_->IsMock());
  return ReadRedis(redis_->Url().substr(std::string("unix://").size()));
}

std::string Environment::Configuration() const {
  const std::string bus = kafka_ ? "bus-kafka" : "bus-redis";
  return "database: { ledger: { url: \"" + ledger_url_ +
         "\" }, migrate: auto }\n"
         "host: { name: demo, listen: \"127.0.0.1:0\" }\n"
         "log: { level: info, format: text }\n"
         "plugins:\n  " +
         bus + ": { " +
         (kafka_
              ? "brokers: \"" + kafka_->Brokers() + "\", partitions: " + std::to_string(kPartitions)
              : "url: \"" + redis_->Url() + "\", key_prefix: " + kKeyPrefix) +
         " }\n  outbox: { use: { bus: " + bus + " } }\n";
}

void Environment::StartHost() {
  const fs::path programs = ProgramDirectory();
  const fs::path plugins = programs.parent_path() / "lib/summa/plugins";
  const std::string configuration = directory_.Path() + "/summa.yaml";
  std::ofstream(configuration) << Configuration();
  test::ProcessOptions options;
  options.without_environment = {"SUMMA_CONFIG", "SUMMA_PLUGIN_PATH"};
  options.working_directory = "/";
  options.stdout_path = log_path_;
  options.stderr_path = log_path_;
  options.own_process_group = true;  // Ctrl-C is ours: traffic must end before the host
  host_ = std::make_unique<test::Process>(
      std::vector<std::string>{programs / "summa-host", "run", "-c", configuration, "--plugin-dir",
                               plugins},
      options);
  const bool ready = test::BecomesTrue(
      [this] {
        if (!host_->Running() || StopRequests() > 0) return true;
        if (host_port_ == 0) host_port_ = PortFromLog(ReadAll(log_path_));
        return host_port_ != 0 && HttpGet(host_port_, "/readyz").status == 200;
      },
      kReadyTimeout);
  if (ready && host_->Running()) return;
  throw std::runtime_error(
      "summa-host did not become ready within " + std::to_string(kReadyTimeout.count()) + " s" +
      (host_->Running() ? ": " + HttpGet(host_port_, "/readyz").body : ": it ended\n" + LogTail()));
}

int Environment::StopHost() {
  host_->Signal(SIGTERM);
  if (const auto code = host_->Wait(kEndTimeout)) return *code;
  host_->Signal(SIGKILL);
  return kKilled;
}

std::string Environment::Versions() const {
  test::Db db(ledger_url_);
  std::string postgres = db.Value("SHOW server_version");
  postgres = postgres.substr(0, postgres.find(' '));
  if (kafka_) {
    return "PostgreSQL " + postgres + ", " +
           (kafka_->IsMock() ? "the mock cluster of librdkafka" : "Kafka " + kafka_->Version());
  }
  const std::string info = test::RedisClient(redis_->Url()).Command({"INFO", "server"}).text;
  const std::string mark = "redis_version:";
  const std::size_t at = info.find(mark);
  const std::string redis =
      at == std::string::npos
          ? ""
          : info.substr(at + mark.size(), info.find('\r', at) - at - mark.size());
  return "PostgreSQL " + postgres + ", Redis " + redis;
}

std::string Environment::KeepLog() const {
  std::string path = (fs::temp_directory_path() / "summa-demo-host.XXXXXX").string();
  const int file = mkstemp(path.data());
  if (file < 0) return "(the log could not be kept)";
  close(file);
  std::ofstream(path) << ReadAll(log_path_);
  return path;
}

std::string Environment::LogTail() const { return test::LogTail(log_path_); }

}  // namespace summa::demo

#include "tests/services/kafka_server.hpp"

#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

constexpr std::size_t kToolOutput = 512u << 20;  // a consumer prints all that a topic holds
constexpr const char* kClusterId = "4L6g3nShT-eMCtK--X86sw";

std::string CacheFolder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    return cache;
  }
  const char* home = std::getenv("HOME");
  return std::string(home == nullptr ? "/root" : home) + "/.cache";
}

// Small, and quick to start: the servers of tests live for seconds.
std::vector<std::string> JavaCommand(const std::string& main_class) {
  return {"java",
          "-Xms64m",
          "-Xmx384m",
          "-XX:+UseSerialGC",
          "-XX:TieredStopAtLevel=1",
          "-XX:-UsePerfData",
          "-cp",
          *KafkaServer::Jars() + "/*",
          main_class};
}

}  // namespace

std::optional<std::string> KafkaServer::Jars() {
  const std::string jars = CacheFolder() + "/summa-host/kafka-" + std::string(kVersion);
  if (!std::filesystem::exists(jars + "/kafka_2.13-" + std::string(kVersion) + ".jar"))
    return std::nullopt;
  static const bool java = std::system("java -version >/dev/null 2>&1") == 0;
  return java ? std::optional(jars) : std::nullopt;
}

RunResult KafkaServer::RunTool(const std::string& main_class, std::vector<std::string> arguments,
                               const std::string& input) {
  std::vector<std::string> command = JavaCommand(main_class);
  command.insert(command.end(), arguments.begin(), arguments.end());
  ProcessOptions options;
  options.stdin_text = input;
  options.capture_limit_bytes = kToolOutput;
  return RunProgram(std::move(command), std::move(options));
}

KafkaServer::KafkaServer(KafkaOptions options) : options_(std::move(options)) {
  nodes_.resize(static_cast<std::size_t>(options_.nodes));
  for (Node& node : nodes_) {
    node.port = FreePort();
    node.controller_port = FreePort();
    if (!options_.client_protocol.empty()) node.client_port = FreePort();
  }
  for (int i = 0; i < options_.nodes; ++i) {
    Node& node = nodes_[static_cast<std::size_t>(i)];
    node.reached_at =
        options_.client_route ? options_.client_route(i, node.client_port) : node.client_port;
    WriteSettings(node, i + 1);
    const RunResult formatted =
        RunTool("kafka.tools.StorageTool",
                {"format", "-t", kClusterId, "-c", node.directory + "/server.properties"});
    if (formatted.exit_code != 0) {
      throw std::runtime_error("kafka storage format failed:\n" + formatted.out + formatted.err);
    }
    Start(i);
  }
  Await();
}

KafkaServer::~KafkaServer() = default;  // Process kills the servers, then the directory goes

void KafkaServer::WriteSettings(Node& node, int id) {
  node.directory = directory_.Path() + "/node" + std::to_string(id);
  std::filesystem::create_directories(node.directory);
  std::string voters;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (i > 0) voters += ',';
    voters += std::to_string(i + 1) + "@127.0.0.1:" + std::to_string(nodes_[i].controller_port);
  }
  std::string address = "PLAINTEXT://127.0.0.1:" + std::to_string(node.port);
  std::string advertised = address;
  std::string protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT";
  if (node.client_port != 0) {
    address += ",CLIENT://127.0.0.1:" + std::to_string(node.client_port);
    advertised += ",CLIENT://127.0.0.1:" + std::to_string(node.reached_at);
    protocols += ",CLIENT:" + options_.client_protocol;
  }
  const std::string replicas = std::to_string(std::min<std::size_t>(nodes_.size(), 3));
  std::ofstream file(node.directory + "/server.properties");
  file << "process.roles=broker,controller\nnode.id=" << id
       << "\ncontroller.quorum.voters=" << voters << "\nlisteners=" << address
       << ",CONTROLLER://127.0.0.1:" << node.controller_port
       << "\nadvertised.listeners=" << advertised
       << "\ncontroller.listener.names=CONTROLLER\ninter.broker.listener.name=PLAINTEXT\n"
       << "listener.security.protocol.map=" << protocols << "\nlog.dirs=" << node.directory
       << "/data\nnum.partitions=4\n"
       << "default.replication.factor=" << replicas
       << "\noffsets.topic.replication.factor=" << replicas
       << "\ntransaction.state.log.replication.factor=" << replicas
       << "\noffsets.topic.num.partitions=1\ntransaction.state.log.num.partitions=1\n"
          "share.coordinator.state.topic.num.partitions=1\n"
          "group.initial.rebalance.delay.ms=0\ngroup.min.session.timeout.ms=1000\n"
          "auto.create.topics.enable=false\nlog.cleaner.enable=false\n"
          "log.retention.check.interval.ms=1000\nlog.initial.task.delay.ms=1000\n";
  for (const std::string& line : options_.extra_settings) file << line << '\n';
}

void KafkaServer::SetExtraSettings(std::vector<std::string> lines) {
  options_.extra_settings = std::move(lines);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    WriteSettings(nodes_[i], static_cast<int>(i) + 1);
  }
}

void KafkaServer::Start(int node) {
  RequireMainThread("kafka");
  Node& starting = nodes_[static_cast<std::size_t>(node)];
  ProcessOptions options;
  options.working_directory = starting.directory;
  options.stdout_path = options.stderr_path = starting.directory + "/log";
  options.own_process_group = true;
  std::vector<std::string> command = JavaCommand("kafka.Kafka");
  command.push_back(starting.directory + "/server.properties");
  starting.process = std::make_unique<Process>(std::move(command), std::move(options));
}

void KafkaServer::Await() {
  const auto serves = [this](const Node& node) {
    if (!node.process) return true;
    if (!node.process->Running()) {
      throw std::runtime_error("kafka ended:\n" + LogTail(node.directory + "/log"));
    }
    // The tool ends with 0 when the broker answers.
    return RunTool("org.apache.kafka.tools.BrokerApiVersionsCommand",
                   {"--bootstrap-server", "127.0.0.1:" + std::to_string(node.port)})
               .exit_code == 0;
  };
  for (const Node& node : nodes_) {
    if (!BecomesTrue([&] { return serves(node); })) {
      throw std::runtime_error("kafka did not start:\n" + LogTail(node.directory + "/log"));
    }
  }
}

void KafkaServer::KillNine(int node) {
  Node& killed = nodes_[static_cast<std::size_t>(node)];
  if (!killed.process) return;
  killed.process->Signal(SIGKILL);
  killed.process->WaitOrKill(kTimeout);
  killed.process.reset();
}

void KafkaServer::Restart() {
  KillNine();
  Start();
}

void KafkaServer::Signal(int node, int signal_number) {
  nodes_[static_cast<std::size_t>(node)].process->Signal(signal_number);
}

std::string KafkaServer::Brokers() const {
  std::string brokers;
  for (const Node& node : nodes_) {
    if (!brokers.empty()) brokers += ',';
    brokers += "127.0.0.1:" + std::to_string(node.port);
  }
  return brokers;
}

std::string KafkaServer::SecureBrokers() const {
  return "127.0.0.1:" + std::to_string(nodes_.front().reached_at);
}

std::string KafkaServer::Log(int node) const {
  return LogTail(nodes_[static_cast<std::size_t>(node)].directory + "/log");
}

}  // namespace summa::test

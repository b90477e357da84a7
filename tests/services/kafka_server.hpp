#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/services/process.hpp"
#include "tests/services/server_directory.hpp"

namespace summa::test {

struct KafkaOptions {
  int nodes = 1;
  std::vector<std::string> extra_settings;  // lines of server.properties
  // Such as SASL_SSL: one more listener, called CLIENT, for SecureBrokers().
  std::string client_protocol;
  // The port by which clients reach the listener CLIENT of a node, instead of its own: a proxy.
  std::function<int(int node, int port)> client_route = {};
};

// A private Apache Kafka in KRaft mode, on free ports of 127.0.0.1: each node is broker and
// controller. Started by the constructor and gone with the object, or with this process. Main
// thread only. Errors: std::runtime_error with the tail of a server's log.
//
// Its jars are those that tests/services/kafka/fetch has brought: Jars() is nullopt without them or
// without java.
class KafkaServer {
 public:
  static constexpr const char* kVersion = "4.4.0";  // as tests/services/kafka/pom.xml has it
  static std::optional<std::string> Jars();

  explicit KafkaServer(KafkaOptions options = {});
  ~KafkaServer();
  KafkaServer(const KafkaServer&) = delete;
  KafkaServer& operator=(const KafkaServer&) = delete;

  // host:port of all nodes.
  std::string Brokers() const;
  std::string SecureBrokers() const;
  void KillNine(int node = 0);
  void Start(int node = 0);  // begins to start it
  void Await();              // until every node that was started serves
  void Restart();            // the first one: kill -9, and start
  void Signal(int node, int signal_number);
  // Of every node, from its next start on.
  void SetExtraSettings(std::vector<std::string> lines);
  std::string Log(int node = 0) const;

  // A tool of Kafka, by its class: arguments as its script takes them.
  static RunResult RunTool(const std::string& main_class, std::vector<std::string> arguments,
                           const std::string& input = "");

 private:
  struct Node {
    int port = 0, controller_port = 0, client_port = 0;
    int reached_at = 0;  // the listener CLIENT
    std::string directory;
    std::unique_ptr<Process> process;
  };
  void WriteSettings(Node& node, int id);

  KafkaOptions options_;
  ServerDirectory directory_;
  std::vector<Node> nodes_;
};

}  // namespace summa::test

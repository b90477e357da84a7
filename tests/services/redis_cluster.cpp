#include "tests/services/redis_cluster.hpp"

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

constexpr int kSlots = 16384;
constexpr std::chrono::milliseconds kClusterTimeout{60'000};

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> NodeArguments(const RedisClusterOptions& options) {
  std::vector<std::string> arguments = {
      "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout",
      std::to_string(options.node_timeout_milliseconds), "--cluster-port",
      std::to_string(FreePort()), "--repl-diskless-sync-delay", "0",
      // A replica that was not connected for long is good enough, too.
      "--cluster-replica-validity-factor", "0"};
  arguments.insert(arguments.end(), options.extra_arguments.begin(), options.extra_arguments.end());
  return arguments;
}

// A port of its own for TLS beside the plain one, for these arguments.
void AddTls(std::vector<std::string>& arguments, const std::vector<std::string>& tls,
            std::vector<int>& ports) {
  if (tls.empty()) return;
  ports.push_back(FreePort());
  arguments.insert(arguments.end(),
                   {"--tls-port", std::to_string(ports.back()), "--tls-replication", "yes"});
  arguments.insert(arguments.end(), tls.begin(), tls.end());
}

// Of INFO: the value behind "name:".
std::string InfoValue(RedisClient& client, const std::string& section, const std::string& name) {
  const std::string text = client.Command({"INFO", section}).text;
  const auto begin = text.find(name + ":");
  if (begin == std::string::npos) return {};
  return text.substr(begin + name.size() + 1, text.find("\r", begin) - begin - name.size() - 1);
}

}  // namespace

RedisCluster::RedisCluster(RedisClusterOptions options) : options_(std::move(options)) {
  const int count = options_.masters * (1 + options_.replicas);
  for (int i = 0; i < count; ++i) {
    RedisOptions node;
    node.append_only = true;
    node.tcp = true;
    node.extra_arguments = NodeArguments(options_);
    if (!options_.tls_arguments.empty()) {
      node.extra_arguments.insert(node.extra_arguments.end(), {"--tls-cluster", "yes"});
    }
    AddTls(node.extra_arguments, options_.tls_arguments, tls_ports_);
    nodes_.push_back(std::make_unique<RedisServer>(node));
  }
  const int each = kSlots / options_.masters;
  for (int i = 0; i < count; ++i) {
    RedisClient client(nodes_[static_cast<std::size_t>(i)]->Url());
    client.Command({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
    if (i >= options_.masters) continue;
    const int last = i == options_.masters - 1 ? kSlots - 1 : (i + 1) * each - 1;
    client.Command({"CLUSTER", "ADDSLOTSRANGE", std::to_string(i * each), std::to_string(last)});
  }
  RedisClient first(nodes_.front()->Url());
  for (std::size_t i = 1; i < nodes_.size(); ++i) {
    RedisClient client(nodes_[i]->Url());
    const std::string bus_port = client.Command({"CONFIG", "GET", "cluster-port"}).items.at(1).text;
    first.Command({"CLUSTER", "MEET", "127.0.0.1", PortOf(i), bus_port});
  }
  const auto known = [&](RedisServer& node) {
    const std::string text = RedisClient(node.Url()).Command({"CLUSTER", "INFO"}).text;
    return Contains(text, "cluster_known_nodes:" + std::to_string(count) + "\r");
  };
  WaitUntil(
      [&] { return std::all_of(nodes_.begin(), nodes_.end(), [&](auto& n) { return known(*n); }); },
      kClusterTimeout, "the nodes to know each other");
  for (int i = options_.masters; i < count; ++i) {
    const auto master = static_cast<std::size_t>(i % options_.masters);
    RedisClient(nodes_[static_cast<std::size_t>(i)]->Url())
        .Command({"CLUSTER", "REPLICATE", IdOf(master)});
  }
  WaitUntilWhole();
}

void RedisCluster::WaitUntilWhole() const {
  const auto whole = [&](RedisServer& node) {
    try {
      RedisClient client(node.Url());
      if (!Contains(client.Command({"CLUSTER", "INFO"}).text, "cluster_state:ok")) return false;
      return InfoValue(client, "replication", "role") == "master" ||
             InfoValue(client, "replication", "master_link_status") == "up";
    } catch (const RedisError&) {
      return false;
    }
  };
  WaitUntil(
      [&] { return std::all_of(nodes_.begin(), nodes_.end(), [&](auto& n) { return whole(*n); }); },
      kClusterTimeout, "the cluster to be whole");
}

std::string RedisCluster::PortOf(std::size_t index) const {
  return std::to_string(tls_ports_.empty() ? nodes_.at(index)->Port() : tls_ports_.at(index));
}

std::string RedisCluster::Url() const {
  std::string url = tls_ports_.empty() ? "redis://" : "rediss://";
  for (int i = 0; i < options_.masters; ++i) {
    url += (i == 0 ? "" : ",") + std::string("127.0.0.1:") + PortOf(static_cast<std::size_t>(i));
  }
  return url;
}

RedisReply RedisCluster::Command(const std::vector<std::string>& words) const {
  std::string last;
  for (const auto& node : nodes_) {
    if (!node->Running()) continue;
    try {
      return RedisClient(node->Url()).Command(words);
    } catch (const RedisError& error) {
      last = error.what();
      if (!Contains(last, ": MOVED ") && !Contains(last, ": ASK ")) throw;
    }
  }
  throw RedisError("no node takes it: " + last);
}

void RedisCluster::OnMasters(const std::vector<std::string>& words) const {
  for (const auto& node : nodes_) {
    if (!node->Running()) continue;
    RedisClient client(node->Url());
    if (InfoValue(client, "replication", "role") == "master") client.Command(words);
  }
}

long long RedisCluster::SlotOf(const std::string& key) const {
  for (const auto& node : nodes_) {
    if (node->Running())
      return RedisClient(node->Url()).Command({"CLUSTER", "KEYSLOT", key}).integer;
  }
  throw RedisError("no node runs");
}

std::size_t RedisCluster::MasterOf(const std::string& key) const {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i]->Running()) continue;
    try {
      RedisClient client(nodes_[i]->Url());
      if (InfoValue(client, "replication", "role") != "master") continue;
      client.Command({"EXISTS", key});
      return i;
    } catch (const RedisError& error) {
      if (!Contains(error.what(), ": MOVED ")) throw;
    }
  }
  throw RedisError("no node serves " + key);
}

std::string RedisCluster::IdOf(std::size_t index) const {
  return RedisClient(nodes_.at(index)->Url()).Command({"CLUSTER", "MYID"}).text;
}

void RedisCluster::BeginMove(const std::string& key, std::size_t to) const {
  const std::string slot = std::to_string(SlotOf(key));
  const std::size_t from = MasterOf(key);
  RedisClient(nodes_.at(to)->Url()).Command({"CLUSTER", "SETSLOT", slot, "IMPORTING", IdOf(from)});
  RedisClient(nodes_.at(from)->Url()).Command({"CLUSTER", "SETSLOT", slot, "MIGRATING", IdOf(to)});
}

void RedisCluster::MoveKeys(const std::string& key, std::size_t to) const {
  const std::string slot = std::to_string(SlotOf(key));
  const std::string port = PortOf(to);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (i == to) continue;
    RedisClient client(nodes_[i]->Url());
    if (InfoValue(client, "replication", "role") != "master") continue;
    for (const RedisReply& name : client.Command({"CLUSTER", "GETKEYSINSLOT", slot, "100"}).items) {
      client.Command({"MIGRATE", "127.0.0.1", port, name.text, "0", "10000"});
    }
  }
}

void RedisCluster::EndMove(const std::string& key, std::size_t to) const {
  const std::string slot = std::to_string(SlotOf(key));
  const std::string id = IdOf(to);
  RedisClient(nodes_.at(to)->Url()).Command({"CLUSTER", "SETSLOT", slot, "NODE", id});
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (i == to || !nodes_[i]->Running()) continue;
    RedisClient client(nodes_[i]->Url());
    if (InfoValue(client, "replication", "role") != "master") continue;
    client.Command({"CLUSTER", "SETSLOT", slot, "NODE", id});
  }
}

void RedisCluster::Restart() {
  for (auto& node : nodes_) node->Stop();
  for (auto& node : nodes_) node->Start();
  WaitUntilWhole();
}

RedisSentinels::RedisSentinels(Options options) : options_(std::move(options)) {
  for (int i = 0; i < 1 + options_.replicas; ++i) {
    RedisOptions server;
    server.append_only = true;
    server.tcp = true;
    server.extra_arguments = options_.server_arguments;
    server.extra_arguments.insert(server.extra_arguments.end(),
                                  {"--repl-diskless-sync-delay", "0"});
    AddTls(server.extra_arguments, options_.tls_arguments, tls_ports_);
    if (i > 0) {
      server.extra_arguments.insert(server.extra_arguments.end(),
                                    {"--replicaof", "127.0.0.1 " + PortOf(0)});
    }
    servers_.push_back(std::make_unique<RedisServer>(server));
  }
  for (int i = 1; i <= options_.replicas; ++i) {
    WaitUntil([&] { return Follows(static_cast<std::size_t>(i)); }, kClusterTimeout,
              "the replica to have what the master has");
  }
  for (int i = 0; i < options_.sentinels; ++i) StartSentinel();
  // Only Sentinels that know the replicas and each other can replace the master.
  const auto ready = [&](std::size_t index) {
    try {
      RedisClient client = SentinelClient(index);
      const RedisReply master = client.Command({"SENTINEL", "MASTER", "mymaster"});
      std::string replicas, others;
      for (std::size_t i = 0; i + 1 < master.items.size(); i += 2) {
        if (master.items[i].text == "num-slaves") replicas = master.items[i + 1].text;
        if (master.items[i].text == "num-other-sentinels") others = master.items[i + 1].text;
      }
      return replicas == std::to_string(options_.replicas) &&
             others == std::to_string(options_.sentinels - 1);
    } catch (const RedisError&) {
      return false;
    }
  };
  for (std::size_t i = 0; i < sentinels_.size(); ++i) {
    WaitUntil([&] { return ready(i); }, kClusterTimeout, "the Sentinels to know each other");
  }
}

void RedisSentinels::StartSentinel() {
  ports_.push_back(FreePort());
  directories_.push_back(std::make_unique<ServerDirectory>());
  const std::string path = directories_.back()->Path();
  std::ofstream file(path + "/sentinel.conf");
  file << "port " << ports_.back() << "\nbind 127.0.0.1\ndir " << path
       << "\nsentinel monitor mymaster 127.0.0.1 " << PortOf(0) << " " << options_.sentinels / 2 + 1
       << "\nsentinel down-after-milliseconds mymaster " << options_.down_after_milliseconds
       << "\nsentinel failover-timeout mymaster 3000\n";
  if (!options_.sentinel_password.empty()) {
    file << "requirepass " << options_.sentinel_password << "\nsentinel sentinel-pass "
         << options_.sentinel_password << "\n";
  }
  file.close();
  std::vector<std::string> command = {"redis-server", path + "/sentinel.conf", "--sentinel"};
  AddTls(command, options_.tls_arguments, sentinel_tls_ports_);
  ProcessOptions process;
  process.working_directory = path;
  process.stdout_path = process.stderr_path = path + "/log";
  process.own_process_group = true;
  sentinels_.push_back(std::make_unique<Process>(command, process));
}

std::string RedisSentinels::PortOf(std::size_t index) const {
  return std::to_string(tls_ports_.empty() ? servers_.at(index)->Port() : tls_ports_.at(index));
}

bool RedisSentinels::Follows(std::size_t index) const {
  RedisClient client(servers_.at(index)->Url());
  return InfoValue(client, "replication", "role") == "slave" &&
         InfoValue(client, "replication", "master_link_status") == "up";
}

std::string RedisSentinels::Url() const {
  const std::vector<int>& ports = tls_ports_.empty() ? ports_ : sentinel_tls_ports_;
  std::string url = tls_ports_.empty() ? "redis+sentinel://" : "rediss+sentinel://";
  for (std::size_t i = 0; i < ports.size(); ++i) {
    url += (i == 0 ? "" : ",") + std::string("127.0.0.1:") + std::to_string(ports[i]);
  }
  return url + "/mymaster";
}

RedisClient RedisSentinels::SentinelClient(std::size_t index) const {
  return RedisClient("redis://127.0.0.1:" + std::to_string(ports_.at(index)),
                     options_.sentinel_password);
}

std::size_t RedisSentinels::Master() const {
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    try {
      RedisClient client = SentinelClient(i);
      const RedisReply address =
          client.Command({"SENTINEL", "get-master-addr-by-name", "mymaster"});
      for (std::size_t j = 0; j < servers_.size(); ++j) {
        if (PortOf(j) == address.items.at(1).text) return j;
      }
    } catch (const RedisError&) {
      // the next one knows
    }
  }
  throw RedisError("no Sentinel knows the master");
}

}  // namespace summa::test

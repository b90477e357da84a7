#include "webhook_host.hpp"

#include <unistd.h>

#include <cstdlib>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <summa/testkit/wait_until.hpp>

namespace webhook {

namespace testkit = summa::testkit;

namespace {

bool IsInPath(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/usr/bin:/bin" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

// A command in the protocol of Redis.
std::string Encode(const std::vector<std::string>& words) {
  std::string text = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return text;
}

std::string Payload(const Message& message) {
  std::string payload = R"({"key":")" + message.key + "\"";
  if (!message.holder.empty()) payload += R"(,"holderId":")" + message.holder + "\"";
  if (!message.account.empty()) payload += R"(,"accountId":")" + message.account + "\"";
  return payload + "}";
}

}  // namespace

Redis::Redis() : socket_(directory_.Directory() + "/redis.sock") {
  process_ = std::make_unique<testkit::Process>(
      std::vector<std::string>{"redis-server", "--port", "0", "--unixsocket", socket_, "--save", "",
                               "--appendonly", "no", "--daemonize", "no"});
  testkit::WaitUntil(
      [&] {
        return testkit::RunProgram({"redis-cli", "-s", socket_, "PING"}).out == "PONG\n" ||
               !process_->Running();
      },
      testkit::kTimeout, "redis-server");
}

bool Redis::IsInstalled() { return IsInPath("redis-server") && IsInPath("redis-cli"); }

void Redis::Send(const std::vector<std::vector<std::string>>& commands) {
  testkit::ProcessOptions options;
  for (const auto& words : commands) options.stdin_text += Encode(words);
  const auto done = testkit::RunProgram({"redis-cli", "-s", socket_, "--pipe"}, options);
  if (done.exit_code != 0 || done.out.find("errors: 0") == std::string::npos) {
    throw std::runtime_error("redis-cli --pipe: " + done.out + done.err);
  }
}

testkit::PostgreSql* WebhookTest::server_ = nullptr;
int WebhookTest::ledgers_ = 0;

void WebhookTest::SetUpTestSuite() {
  if (Redis::IsInstalled()) server_ = new testkit::PostgreSql();
}

void WebhookTest::TearDownTestSuite() {
  delete server_;
  server_ = nullptr;
}

void WebhookTest::SetUp() {
  if (server_ == nullptr)
    GTEST_SKIP() << "skipped: there is no redis-server, which is the bus here";
  ledger_.emplace(*server_, "webhook_" + std::to_string(++ledgers_));
  redis_.emplace();
  receiver_.emplace();
  settings_ = {{"topics", std::string("[") + kTopic + "]"},
               {"allow_http", "true"},
               {"allow_networks", "[127.0.0.0/8]"},
               {"retry_first", "20ms"},
               {"retry_longest", "200ms"},
               {"circuit_first", "50ms"},
               {"circuit_longest", "200ms"}};
}

std::string WebhookTest::Configuration() const {
  std::string yaml = ledger_->Configuration() + "plugins:\n  bus-redis: { url: \"" + redis_->Url() +
                     "\", block_time: 100ms }\n" + others_ +
                     "  webhook:\n    use: { bus: bus-redis }\n";
  for (const auto& [key, value] : settings_) yaml += "    " + key + ": " + value + "\n";
  // Short leases, so that the host after a killed one need not wait.
  yaml += "schedules:\n";
  for (const char* worker : {"webhook-intake", "webhook-sender", "webhook-cleanup"}) {
    yaml += std::string("  ") + worker + ": { lease_ttl: 1s }\n";
  }
  return yaml;
}

const testkit::HostProgram& WebhookTest::host() {
  if (!host_) {
    host_.emplace(Configuration());
    host_->RunOrThrow({"migrate"});
  }
  return *host_;
}

std::string WebhookTest::Verb(std::vector<std::string> words) {
  words.insert(words.begin(), "webhook");
  words.insert(words.end(), {"--output", "json"});
  return host().RunOrThrow(std::move(words));
}

std::string WebhookTest::AddEndpoint(const std::string& name, const std::string& fault,
                                     std::vector<std::string> options) {
  options.insert(options.begin(), {"add", name, receiver().Url(name, fault)});
  std::string secret = Member(Verb(std::move(options)), "secret");
  receiver().SetSecrets(name, secret);
  return secret;
}

void WebhookTest::RunOnce() { host().RunOrThrow({"run", "--once"}); }

void WebhookTest::Publish(const std::vector<Message>& messages) {
  std::vector<std::vector<std::string>> commands;
  for (const Message& message : messages) {
    commands.push_back({"XADD", std::string("summa:stream:") + kTopic, "*", "id", message.id,
                        "type", message.type, "payload", Payload(message), "timestamp",
                        "2026-01-31T12:00:00.123456Z", "key", message.key});
  }
  redis().Send(commands);
}

std::vector<std::string> WebhookTest::PublishNumbered(int count, int keys, int first) {
  std::vector<Message> messages;
  std::vector<std::string> ids;
  for (int i = first; i < first + count; ++i) {
    ids.push_back("m" + std::to_string(i));
    messages.push_back({ids.back(), "key" + std::to_string(i % keys)});
  }
  Publish(messages);
  return ids;
}

long long WebhookTest::Count(const std::string& condition) {
  return db().Count("SELECT count(*) FROM webhook.delivery WHERE " + condition);
}

void WebhookTest::AwaitSettled(long long deliveries) {
  testkit::WaitUntil([&] { return Count("state <> 'pending'") == deliveries; }, testkit::kTimeout,
                     "the end of all deliveries");
}

std::string Member(const std::string& json, const std::string& name) {
  std::smatch found;
  if (!std::regex_search(json, found, std::regex("\"" + name + "\":(\"([^\"]*)\"|[^,}\\]]+)"))) {
    throw std::runtime_error("there is no " + name + " in " + json);
  }
  return found[2].matched ? found[2].str() : found[1].str();
}

}  // namespace webhook

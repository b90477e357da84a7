// The plugin in the real host, with a private PostgreSQL, a private Redis as the bus, and a receiver.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <summa/testkit/host_program.hpp>
#include <summa/testkit/test_ledger.hpp>
#include <vector>

#include "receiver.hpp"

namespace webhook {

inline constexpr char kTopic[] = "ledger-account-credited";

// A redis-server of the test's own. Needs redis-server and redis-cli in PATH.
class Redis {
 public:
  Redis();
  static bool IsInstalled();
  std::string Url() const { return "unix://" + socket_; }
  // Commands, each as its words, in one go. Throws when one of them fails.
  void Send(const std::vector<std::vector<std::string>>& commands);

 private:
  summa::testkit::TemporaryFile directory_{"made", ""};
  std::string socket_;
  std::unique_ptr<summa::testkit::Process> process_;
};

struct Message {
  std::string id, key;
  std::string type = kTopic;
  std::string holder = "";   // member holderId of the payload, where it is not empty
  std::string account = "";  // member accountId
};

// A new ledger, bus and receiver for each test; the server is that of the suite.
class WebhookTest : public testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;

  // Replaces what the tests have in common: "max_attempts: 2". Before the first use of host().
  void Set(const std::string& key, const std::string& value) { settings_[key] = value; }
  void SetOthers(const std::string& yaml) { others_ = yaml; }  // more of `plugins:`
  std::string Configuration() const;
  const summa::testkit::HostProgram& host();

  // Adds an endpoint at the receiver, which then verifies its signatures. Returns the secret.
  std::string AddEndpoint(const std::string& name, const std::string& fault,
                          std::vector<std::string> options = {});
  std::string Verb(std::vector<std::string> words);  // its JSON; throws when it fails
  void RunOnce();

  void Publish(const std::vector<Message>& messages);
  // `count` messages over `keys` keys, numbered from `first` on; returns their ids.
  std::vector<std::string> PublishNumbered(int count, int keys, int first = 0);

  long long Count(const std::string& condition);  // of deliveries
  void AwaitSettled(long long deliveries);        // until so many are there, and none is pending

  summa::testkit::Db& db() { return ledger_->db(); }
  summa::testkit::TestLedger& ledger() { return *ledger_; }
  Redis& redis() { return *redis_; }
  Receiver& receiver() { return *receiver_; }

 private:
  static summa::testkit::PostgreSql* server_;
  static int ledgers_;
  std::optional<summa::testkit::TestLedger> ledger_;
  std::optional<Redis> redis_;
  std::optional<Receiver> receiver_;
  std::optional<summa::testkit::HostProgram> host_;
  std::map<std::string, std::string> settings_;
  std::string others_;
};

// The text of a member of a JSON object: the first one of that name. Throws when there is none.
std::string Member(const std::string& json, const std::string& name);

}  // namespace webhook

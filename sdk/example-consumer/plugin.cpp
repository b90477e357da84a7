// Writes a greeting for each account that is created.
#include <summa/leased_consumer.hpp>
#include <summa/plugin.hpp>

namespace greeter {
namespace {

summa::SubscribeOptions Options() {
  summa::SubscribeOptions options;
  options.topics = {"ledger-account-created"};
  options.group = "greeter";  // the purpose: each group gets every message
  options.concurrency = 4;    // each handler may hold a session of the host's pool
  options.max_retries = 3;
  return options;
}

class Greeter final : public summa::LeasedConsumer {
 public:
  explicit Greeter(summa::Host host) : LeasedConsumer(host, Options()) {}

 private:
  // When it throws, the message is tried again and later becomes a dead letter; other keys
  // continue.
  void Handle(const summa::LeasedMessage& message) override {
    if (message.key.empty()) throw summa::Error(SUMMA_E_DATA, "", "whom does it greet?");
    // Committed with the id of the message, under the lease: once, however often it is delivered.
    message.Once([&](summa::Session& session) {
      session.Exec("INSERT INTO greeter.greeting (message_id, account) VALUES ($1, $2)",
                   {message.id, message.key});
    });
  }
};

// The verb `greeter count`. It also starts the plugin, but consumes nothing.
summa::CommandResult Count(const summa::CommandCall& call) {
  summa::Session session(call.sql());
  summa::JsonWriter json;
  json.BeginObject()
      .Member("greetings",
              session.Exec("SELECT count(*) FROM greeter.greeting").Value<std::int64_t>())
      .EndObject();
  return {json.Take(), false};
}

class GreeterPlugin final : public summa::Plugin {
 public:
  explicit GreeterPlugin(summa::Host host) : Plugin(host), greeter_(host) {}
  std::vector<summa::WorkerBinding> Workers() override { return {{"greeter", &greeter_}}; }
  std::vector<summa::CommandBinding> Commands() override { return {{"greeter count", Count}}; }
  std::vector<summa::Finding> Failing() override { return greeter_.Failing(); }

 private:
  Greeter greeter_;
};

}  // namespace
}  // namespace greeter

SUMMA_PLUGIN(greeter::GreeterPlugin)

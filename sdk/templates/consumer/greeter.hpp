// The consumer, apart from the plugin around it, so that a test can call it.
#pragma once

#include <summa/leased_consumer.hpp>

namespace account_greeter {

inline summa::SubscribeOptions Options() {
  summa::SubscribeOptions options;
  options.topics = {"ledger-account-created"};
  options.group = "account-greeter";  // the purpose: each group gets every message
  options.concurrency = 4;            // each handler may hold a session of the host's pool
  options.max_retries = 3;
  return options;
}

class Greeter final : public summa::LeasedConsumer {
 public:
  explicit Greeter(summa::Host host) : LeasedConsumer(host, Options()) {}

  // When it throws, the message is tried again and later becomes a dead letter; other keys
  // continue.
  void Handle(const summa::LeasedMessage& message) override {
    if (message.key.empty()) throw summa::Error(SUMMA_E_DATA, "", "whom does it greet?");
    // Committed with the id of the message, under the lease: once, however often it is delivered.
    message.Once([&](summa::Session& session) {
      session.Exec("INSERT INTO account_greeter.greeting (message_id, account) VALUES ($1, $2)",
                   {message.id, message.key});
    });
  }
};

}  // namespace account_greeter

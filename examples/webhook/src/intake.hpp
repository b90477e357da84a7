// The first half: takes messages from the bus and writes down which endpoints get them. From then on
// a message needs the bus no more.
#pragma once

#include <string>
#include <summa/leased_consumer.hpp>
#include <vector>

namespace webhook {

class Intake final : public summa::LeasedConsumer {
 public:
  Intake(summa::Host host, std::vector<std::string> topics);

  void Handle(const summa::LeasedMessage& message) override;
};

}  // namespace webhook

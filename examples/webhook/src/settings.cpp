#include "settings.hpp"

#include <summa/error.hpp>

namespace webhook {
namespace {

AddressRules ReadRules(const summa::Config& config) {
  std::vector<Network> allowed;
  for (const std::string& text : config.Strings("allow_networks")) {
    const std::optional<Network> network = ParseNetwork(text);
    if (!network) {
      throw summa::Error(SUMMA_E_CONFIG, "WH-0007",
                         "allow_networks: \"" + text + "\" is no network",
                         "write it as 10.20.0.0/16 or fd00::/8");
    }
    allowed.push_back(*network);
  }
  return AddressRules(std::move(allowed));
}

}  // namespace

Settings ReadSettings(const summa::Config& config) {
  Settings settings;
  settings.topics = config.Strings("topics");
  settings.concurrency = config.Integer("concurrency");
  settings.endpoint_concurrency = config.Integer("endpoint_concurrency");
  settings.http.connect_timeout = config.Duration("connect_timeout");
  settings.http.timeout = config.Duration("timeout");
  settings.http.max_answer_bytes = config.Size("max_answer");
  settings.http.allow_http = config.Boolean("allow_http");
  settings.http.addresses = ReadRules(config);
  settings.http.ca_file = config.String("ca_file");
  settings.retry = {config.Duration("retry_first"), config.Duration("retry_longest"),
                    config.Duration("give_up_after"), config.Integer("max_attempts")};
  settings.circuit = {config.Integer("circuit_failures"), config.Duration("circuit_first"),
                      config.Duration("circuit_longest")};
  settings.longest_hold = settings.retry.longest;
  settings.retention = config.Duration("retention");
  settings.dead_retention = config.Duration("dead_retention");
  return settings;
}

}  // namespace webhook

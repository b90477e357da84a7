// Hosts with the example plugin of sdk/example-operation, and its verbs: what the tests of
// operations share.
#pragma once

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "tests/e2e/summa_host.hpp"
#include "tests/services/db.hpp"

namespace summa::test {

inline constexpr const char* kHistoryTable =
    "CREATE SCHEMA history; CREATE TABLE history.entry (id uuid PRIMARY KEY, account_id uuid, "
    "amount bigint NOT NULL)";

// A configuration of one host; batches of `batch` rows. without_plugin: nothing of it is enabled.
class HistoryConfiguration {
 public:
  HistoryConfiguration(const std::string& url, const std::string& name, int batch,
                       bool without_plugin = false)
      : file_("summa.yaml",
              "database: { ledger: { url: \"" + url +
                  "\" }, migrate: auto }\nhost: { name: " + name + ", listen: \"127.0.0.1:0\" }\n" +
                  (without_plugin
                       ? std::string("plugins: {}\n")
                       : "plugins: { history: { batch: " + std::to_string(batch) +
                             " } }\nschedules: { history-backfill: { lease_ttl: 1s, idle_poll: "
                             "50ms } }\n")) {}

  // `arguments` with the configuration and the plugin.
  std::vector<std::string> With(std::vector<std::string> arguments) const {
    const std::string plugins = std::string(std::getenv("SUMMA_BINARY_DIR")) + "/tests/example";
    arguments.insert(arguments.end(), {"-c", file_.Path(), "--plugin-dir", plugins});
    return arguments;
  }
  RunResult Verb(std::vector<std::string> arguments,
                 std::map<std::string, std::string> environment = {}) const {
    return SummaHost(With(std::move(arguments)), std::move(environment));
  }

 private:
  TemporaryFile file_;
};

}  // namespace summa::test

// What a running host exports is what docs/reference/metrics.md says, and dashboard and alerts use
// nothing else.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/redis_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::test {
namespace {

struct Family {
  std::string type;
  std::set<std::string> labels;
};
using Families = std::map<std::string, Family>;

std::string ReadSource(const std::string& path) {
  std::ifstream file(SUMMA_SOURCE_DIR "/" + path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

// Rows "| `name` | type | `a`, `b` | meaning |".
Families Documented() {
  Families families;
  std::istringstream text(ReadSource("docs/reference/metrics.md"));
  const std::regex row(R"(\| `([a-z0-9_]+)` \| (counter|gauge|histogram) \| ([^|]*) \| .+ \|)");
  const std::regex label("`([a-z0-9_]+)`");
  std::smatch match;
  for (std::string line; std::getline(text, line);) {
    if (!std::regex_match(line, match, row)) continue;
    Family& family = families[match[1]];
    family.type = match[2];
    const std::string labels = match[3];
    for (std::sregex_iterator each(labels.begin(), labels.end(), label), end; each != end; ++each) {
      family.labels.insert((*each)[1]);
    }
  }
  return families;
}

std::string WithoutSuffix(const std::string& name, const Families& families) {
  for (const char* suffix : {"_bucket", "_sum", "_count"}) {
    const std::string end(suffix);
    if (!name.ends_with(end)) continue;
    const std::string base = name.substr(0, name.size() - end.size());
    const auto found = families.find(base);
    if (found != families.end() && found->second.type == "histogram") return base;
  }
  return name;
}

Families Exported(const std::string& text) {
  Families families;
  std::istringstream lines(text);
  const std::regex label("([a-z_][a-z0-9_]*)=\"");
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first, second, name, type;
    words >> first >> second;
    if (first == "#") {
      if (second == "TYPE" && words >> name >> type) families[name].type = type;
      continue;
    }
    const std::size_t end = line.find_first_of("{ ");
    Family& family = families[WithoutSuffix(line.substr(0, end), families)];
    for (std::sregex_iterator each(line.begin(), line.end(), label), none; each != none; ++each) {
      if ((*each)[1] != "le") family.labels.insert((*each)[1]);
    }
  }
  return families;
}

TEST(Metrics, AHostExportsExactlyWhatTheReferenceSays) {
  PostgresServer server;
  RedisServer redis;
  const std::string url = InstallLedger(server, "ledger");
  EnsureAccounts(url, 3);
  Db(url).Execute("CREATE TABLE reading (at timestamptz NOT NULL) PARTITION BY RANGE (at)");
  const TemporaryFile file(
      "summa.yaml", "database: { ledger: { url: \"" + url +
                        "\" }, migrate: auto }\nhost: { listen: \"127.0.0.1:0\" }\nplugins:\n"
                        "  bus-redis: { url: \"" +
                        redis.Url() +
                        "\" }\n  outbox: { use: { bus: bus-redis } }\n  reconciliation: {}\n"
                        "  maintenance: { partitions: { reading: {} } }\n  projections: {}\n");
  RunningHost host({"-c", file.Path()});
  host.StatusWhen("running");
  // These begin with something that did not happen here.
  const std::set<std::string> later = {
      "summa_db_errors_total", "summa_bus_connection_failures_total",
      "summa_bus_consumed_messages_total", "summa_bus_redeliveries_total",
      "summa_bus_lost_messages_total", "summa_bus_consumer_lag_messages",
      "summa_bus_in_flight_messages", "summa_bus_dead_letters_total",
      // Of bus-kafka: e2e_kafka_test.
      "summa_bus_kafka_brokers_connected", "summa_bus_kafka_queued_bytes",
      "summa_bus_kafka_queued_messages", "summa_bus_kafka_request_failures_total",
      "summa_bus_kafka_round_trip_seconds", "summa_bus_rebalances_total",
      "summa_bus_trimmed_messages_total", "summa_bus_trim_held_seconds",
      "summa_db_ambiguous_commits_total", "summa_lease_renewals_total",
      "summa_lease_takeovers_total", "summa_dead_letters", "summa_oldest_dead_letter_age_seconds",
      "summa_canary_end_to_end_seconds", "summa_canary_lost_total", "summa_blocks_total",
      "summa_late_events_total", "summa_oldest_unverified_age_seconds",
      "summa_operation_rate_limit", "summa_operation_rows_done", "summa_operation_rows_per_second",
      "summa_operation_rows_total", "summa_operations", "summa_projection_comparisons_total",
      "summa_projection_rebuild_events_total", "summa_projection_rebuild_progress_ratio",
      "summa_reconciliation_duration_seconds", "summa_reconciliation_entries_total",
      "summa_reconciliation_mismatches", "summa_reconciliation_runs_total", "summa_sealed_position",
      "summa_snapshots_total", "summa_unsealed_events", "summa_verification_events_total",
      "summa_verification_findings",
      // Of plugins with a process of their own: e2e_isolation_test.
      "summa_plugin_process_ends_total"};
  const Families documented = Documented();
  std::string text;
  // A delivery, what the database says of it, and one run of every worker that counts something.
  BecomesTrue([&] {
    text = HttpGet(host.Port(), "/metrics").body;
    const Families now = Exported(text);
    return text.find("outcome=\"delivered\"") != std::string::npos &&
           text.find("last_success_timestamp_seconds{worker=\"outbox-processor\"}") !=
               std::string::npos &&
           std::all_of(documented.begin(), documented.end(), [&](const auto& each) {
             return later.contains(each.first) || now.contains(each.first);
           });
  });
  const Families exported = Exported(text);
  for (const auto& [name, family] : exported) {
    const auto found = documented.find(name);
    if (found == documented.end()) {
      ADD_FAILURE() << name << " is not in docs/reference/metrics.md";
      continue;
    }
    EXPECT_EQ(family.type, found->second.type) << name;
    EXPECT_EQ(family.labels, found->second.labels) << name;
  }
  for (const auto& [name, family] : documented) {
    EXPECT_TRUE(later.contains(name) || exported.contains(name)) << name << " is not exported";
  }
}

TEST(Metrics, AStandbyKnowsWhatTheFleetDidAndAScrapeWaitsForNoDatabase) {
  PostgresServer server;
  RedisServer redis;
  const std::string url = InstallLedger(server, "ledger");
  const auto configuration = [&](const std::string& name) {
    return "database: { ledger: { url: \"" + url + "\" }, migrate: auto }\nhost: { name: " + name +
           ", listen: \"127.0.0.1:0\" }\nplugins:\n  bus-redis: { url: \"" + redis.Url() +
           "\" }\n  outbox: { use: { bus: bus-redis } }\n";
  };
  const TemporaryFile first("summa.yaml", configuration("first"));
  const TemporaryFile second("summa.yaml", configuration("second"));
  RunningHost holder({"-c", first.Path()});
  holder.StatusWhen("running");
  const std::string known = "last_success_timestamp_seconds{worker=\"outbox-processor\"} ";
  const auto scrape = [](RunningHost& host) { return HttpGet(host.Port(), "/metrics").body; };
  WaitUntil([&] { return scrape(holder).find(known) != std::string::npos; }, kTimeout,
            "a success in the database");
  RunningHost standby({"-c", second.Path()});
  standby.StatusWhen("running");
  WaitUntil([&] { return scrape(standby).find(known) != std::string::npos; }, kTimeout,
            "what the database says on a host that never ran the worker");
  EXPECT_NE(scrape(standby).find("summa_lease_held{worker=\"outbox-processor\"} 0"),
            std::string::npos);
  EXPECT_EQ(HttpGet(standby.Port(), "/readyz").status, 200) << "a standby is ready";
  const std::string trust = "summa_lease_trust_remaining_seconds{worker=\"outbox-processor\"} ";
  const std::string text = scrape(holder);
  ASSERT_NE(text.find(trust), std::string::npos);
  EXPECT_GT(std::stod(text.substr(text.find(trust) + trust.size())), 0);

  server.StopFast();
  WaitUntil(
      [&] {
        const Answer ready = HttpGet(standby.Port(), "/readyz");
        return ready.status == 503 && ready.body.find("\"what\":\"database\"") != std::string::npos;
      },
      kTimeout, "a standby that says that the database is gone");
  EXPECT_NE(scrape(standby).find(known), std::string::npos) << "what was known is still shown";
}

TEST(Observability, DashboardAndAlertsNameOnlyMetricsThatExist) {
  const Families documented = Documented();
  ASSERT_GT(documented.size(), 20u);
  const std::regex metric("\\b(summa|process)_[a-z0-9_]+");
  for (const char* path : {"config/observability/prometheus-rules.yaml",
                           "config/observability/grafana-dashboard.json"}) {
    const std::string text = ReadSource(path);
    std::size_t count = 0;
    for (std::sregex_iterator each(text.begin(), text.end(), metric), end; each != end; ++each) {
      const std::string name = WithoutSuffix(each->str(), documented);
      EXPECT_TRUE(documented.contains(name)) << path << ": " << each->str();
      ++count;
    }
    EXPECT_GT(count, 10u) << path;
  }
  simdjson::dom::parser parser;
  simdjson::dom::element dashboard;
  const simdjson::padded_string json(ReadSource("config/observability/grafana-dashboard.json"));
  EXPECT_FALSE(parser.parse(json).get(dashboard));
}

}  // namespace
}  // namespace summa::test

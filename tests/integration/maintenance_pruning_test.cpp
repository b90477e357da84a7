// docs/pruning.md against the plans of PostgreSQL: which partitions of ledger_event a statement
// reads, on a table with twelve of them.
#include <filesystem>
#include <map>
#include <regex>
#include <sstream>

#include "statement.hpp"
#include "tests/integration/reconciliation_support.hpp"

namespace summa::reconciliation {
namespace {

constexpr int kPartitions = 12;

std::string Text(const std::string& path) {
  std::ifstream file(test::SourceDir() + "/" + path);
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << path;
  return text.str();
}

std::string Trimmed(const std::string& text) {
  const std::size_t from = text.find_first_not_of(" `"), to = text.find_last_not_of(" `");
  return from == std::string::npos ? "" : text.substr(from, to - from + 1);
}

// What the document says: by file, the last cell of its row.
std::map<std::string, std::string> Documented() {
  std::map<std::string, std::string> rows;
  std::istringstream lines(Text("docs/pruning.md"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    const std::size_t file_end = line.find('|', 1), last = line.rfind('|', line.rfind('|') - 1);
    const std::string file = Trimmed(line.substr(1, file_end - 1));
    EXPECT_TRUE(
        rows.emplace(file, Trimmed(line.substr(last + 1, line.rfind('|') - last - 1))).second)
        << file << " has two rows";
  }
  return rows;
}

// Arguments of each statement, as EXECUTE takes them.
const std::map<std::string, std::string>& Arguments() {
  static const std::map<std::string, std::string> arguments = {
      {"all_aggregates", "('', '00000000-0000-0000-0000-000000000000', 100)"},
      {"grown_aggregates", "(0, 100000, 1)"},
      {"chains_since", ""},
      {"oldest_unverified", "('{blocks}')"},
      {"status", "(0)"},
      {"events_above", "(0)"},
      {"late_events", "(100)"},
      {"duplicates", "(100)"}};
  return arguments;
}

bool ReadsEvents(const std::string& text) {
  return text.find("{events}") != std::string::npos ||
         std::regex_search(text, std::regex("\\b(FROM|JOIN) ledger_event\\b"));
}
bool NamesEvents(const std::string& text) {
  return text.find("{events}") != std::string::npos ||
         std::regex_search(text, std::regex("\\bledger_event\\b"));
}
// In the code a table has the name of its EventTable.
bool CodeReadsEvents(const std::string& text) {
  return std::regex_search(
      text,
      std::regex("(FROM|JOIN) ?\" ?\\+\\s*(\\(?\\w+\\()?(own\\.)?(plan\\.)?(table_?|t)\\.name"));
}

std::vector<std::string> FilesWith(const std::vector<std::string>& folders,
                                   const std::string& extension,
                                   bool (*matches)(const std::string&)) {
  std::vector<std::string> found;
  const std::string root = test::SourceDir() + "/";
  for (const std::string& folder : folders) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root + folder)) {
      if (entry.path().extension() != extension) continue;
      const std::string path = entry.path().string().substr(root.size());
      if (path.starts_with("plugins/maintenance/")) continue;
      if (matches(Text(path))) found.push_back(path);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

class PruningTest : public ReconciliationTest, public testing::WithParamInterface<ledger::Layout> {
 protected:
  void SetUp() override {
    UseFixture();
    host::DatabaseSettings settings;
    settings.url = url_;
    host::ControlPlane(settings).Migrate(test::StepsWith({"reconciliation", "outbox"}));
    if (GetParam() == ledger::Layout::kPlan) UsePlanLayout();
    Partition();
  }
  // One partition for each month of 2025, with 50 aggregates that have an event in each.
  void Partition() {
    db_->Execute(ForTable(
        "ALTER SEQUENCE ledger_event_sequence_number_seq OWNED BY NONE; "
        "CREATE TABLE parted (LIKE ledger_event INCLUDING DEFAULTS) PARTITION BY RANGE "
        "(created_at); "
        "CREATE UNIQUE INDEX ON parted (aggregate_type, aggregate_id, {version}, created_at); "
        "CREATE INDEX ON parted ({position}); CREATE INDEX ON parted (id); "
        "DO $$ BEGIN FOR m IN 1..12 LOOP EXECUTE format('CREATE TABLE part_%s PARTITION OF parted "
        "FOR VALUES FROM (%L) TO (%L)', m, make_timestamptz(2025, m, 1, 0, 0, 0, 'UTC'), "
        "make_timestamptz(2025 + m / 12, m % 12 + 1, 1, 0, 0, 0, 'UTC')); END LOOP; END $$; "
        "DROP TABLE ledger_event CASCADE; ALTER TABLE parted RENAME TO ledger_event; "
        "INSERT INTO ledger_event ({position}, aggregate_type, aggregate_id, {version}, "
        "event_type, event_data, correlation_id, {hash}, created_at) "
        "SELECT (m - 1) * 50 + n, 'account', md5('a' || n)::uuid, m, CASE m WHEN 1 THEN "
        "'AccountCreated' ELSE 'AccountFrozen' END, '{}', gen_random_uuid(), repeat('a', 64), "
        "make_timestamptz(2025, m, 10, 0, 0, 0, 'UTC') "
        "FROM generate_series(1, 12) m, generate_series(1, 50) n; ANALYZE ledger_event",
        layout_));
  }

  // The partitions that the plan has and that are not "never executed".
  std::set<std::string> InPlan(const std::string& explain) {
    std::set<std::string> partitions;
    static const std::regex kScan(" on (?:public\\.)?(part_[0-9]+)\\b");
    for (const std::string& line : db_->Column(explain)) {
      std::smatch match;
      if (!std::regex_search(line, match, kScan)) continue;
      if (line.find("(never executed)") == std::string::npos) partitions.insert(match[1]);
    }
    return partitions;
  }
  std::set<std::string> OfStatement(const std::string& statement, const std::string& arguments) {
    db_->Execute("DEALLOCATE ALL; PREPARE stated AS " + statement);
    return InPlan("EXPLAIN EXECUTE stated " + arguments);
  }
  std::set<std::string> OfRow(const std::string& topic, const std::string& member,
                              const std::string& time) {
    return InPlan(
        "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM "
        "summa_host.outbox_event(NULL, '" +
        topic + "', jsonb_build_object('" + member + "', md5('a1')::uuid), '" + time + "', false)");
  }
};

TEST(PruningDocument, HasARowForEachFileThatReadsEventsAndNoOther) {
  const std::map<std::string, std::string> documented = Documented();
  std::set<std::string> files;
  for (const std::string& file : FilesWith({"plugins", "host"}, ".sql", NamesEvents)) {
    if (!file.starts_with("host/database/ledger/")) files.insert(file);  // it makes the table
  }
  for (const std::string& file : FilesWith({"plugins", "sdk/src"}, ".cpp", CodeReadsEvents)) {
    files.insert(file);
  }
  for (const std::string& file : files) EXPECT_TRUE(documented.contains(file)) << file;
  for (const auto& [file, reads] : documented) {
    EXPECT_TRUE(std::filesystem::exists(test::SourceDir() + "/" + file)) << file;
    EXPECT_THAT(reads,
                testing::AnyOf("every partition", "from the bound on", "one partition", "nothing"))
        << file;
  }
}

TEST_P(PruningTest, StatementsReadWhatTheDocumentSays) {
  const std::map<std::string, std::string> documented = Documented();
  for (const std::string& file : FilesWith({"plugins/reconciliation/sql"}, ".sql", ReadsEvents)) {
    const std::string name = std::filesystem::path(file).stem();
    ASSERT_TRUE(Arguments().contains(name)) << file << ": which arguments?";
    const auto read = OfStatement(ForTable(Text(file), layout_), Arguments().at(name));
    ASSERT_TRUE(documented.contains(file)) << file;
    EXPECT_EQ(documented.at(file), "every partition") << file << ": has a bound by now?";
    EXPECT_EQ(read.size(), kPartitions) << file;
  }
  const std::string prefix = GetParam() == ledger::Layout::kPlan ? "plan_" : "deployed_";
  for (const std::string& file :
       FilesWith({"plugins/reconciliation/verify/sql"}, ".sql", ReadsEvents)) {
    if (file.find("/" + prefix) == std::string::npos) continue;
    const std::string sliced = std::regex_replace(Text(file), std::regex(":slice\\(([^)]*)\\)"),
                                                  "$1 >= '00000000-0000-0000-0000-000000000000'");
    const std::string statement =
        std::regex_replace(sliced, std::regex(":detached\\([^)]*\\)"),
                           "SELECT 0::bigint AS first_version, 0::bigint AS last_version");
    EXPECT_EQ(documented.at(file), "every partition") << file << ": has a bound by now?";
    EXPECT_EQ(OfStatement(statement, "").size(), kPartitions) << file;
  }
}

TEST_P(PruningTest, ABoundInTheFormOfTheVerificationLeavesTheOlderOnesOut) {
  const std::set<std::string> last_three = {"part_10", "part_11", "part_12"};
  EXPECT_EQ(InPlan("EXPLAIN SELECT * FROM ledger_event e WHERE e.created_at >= timestamptz "
                   "'2000-01-01 00:00:00+00' + interval '812678400000000 microseconds'"),
            last_three)
      << "--since";
  EXPECT_EQ(InPlan("EXPLAIN SELECT * FROM ledger_event e WHERE e.aggregate_type = 'account' AND "
                   "e.created_at >= '2025-10-02 00:00:00+00'::timestamptz"),
            last_three)
      << "from a snapshot";
  // As a parameter, whose value the plan has.
  db_->Execute(
      "DEALLOCATE ALL; SET plan_cache_mode = force_custom_plan; PREPARE found (bigint[], "
      "timestamptz, timestamptz) AS SELECT * FROM ledger_event e WHERE e." +
      std::string(GetParam() == ledger::Layout::kPlan ? "position" : "sequence_number") +
      " = ANY ($1) AND e.created_at >= $2 AND e.created_at <= $3");
  EXPECT_EQ(InPlan("EXPLAIN EXECUTE found ('{1}', '2025-10-02 00:00:00+00', '2025-12-31 "
                   "00:00:00+00')"),
            last_three)
      << "by the keys of the guard";
}

TEST_P(PruningTest, AnOutboxRowIsLookedForInOnePartitionAndElsewhereOnlyWithoutAMatch) {
  const std::string step = "plugins/outbox/schema/ledger/007_event_of_both_layouts.sql";
  EXPECT_EQ(Documented().at(step), "one partition");
  EXPECT_EQ(OfRow("ledger-account-frozen", "accountId", "2025-06-10 00:00:00+00"),
            std::set<std::string>{"part_6"});
  EXPECT_EQ(OfRow("ledger-hold-created", "holdId", "2025-06-10 00:00:00+00").size(), kPartitions)
      << "there is no such hold";
}

INSTANTIATE_TEST_SUITE_P(Layouts, PruningTest,
                         testing::Values(ledger::Layout::kDeployed, ledger::Layout::kPlan),
                         [](const auto& layout) {
                           return layout.param == ledger::Layout::kPlan ? "plan" : "deployed";
                         });

}  // namespace
}  // namespace summa::reconciliation

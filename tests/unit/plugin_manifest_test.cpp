#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "host/plugin/manifest.hpp"

namespace summa::host {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kHead[] =
    "manifest: 1\nid: greeter\nversion: 1.2.3\nsummary: Greets.\nabi: \"1.0\"\n";

struct Reading {
  Manifest manifest;
  std::vector<std::string> problems;  // "path: problem"
  Diagnostics diagnostics;
};

Reading Read(const std::string& text) {
  Reading reading;
  reading.manifest = ReadManifest(text, "plugin.yaml", reading.diagnostics);
  for (const Diagnostic& diagnostic : reading.diagnostics) {
    reading.problems.push_back(diagnostic.path + ": " + diagnostic.problem);
  }
  return reading;
}

std::string Repeat(const std::string& line, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    std::string one = line;
    const auto at = one.find('#');
    if (at != std::string::npos) one.replace(at, 1, std::to_string(i));
    text += one;
  }
  return text;
}

TEST(PluginManifest, ReadsEveryField) {
  const Reading reading = Read(R"(manifest: 1
id: outbox
version: 0.1.0
summary: Delivers the outbox.
vendor: Summa
url: https://example.com/outbox
license: Apache-2.0
stability: beta
abi: "1.0"
requires:
  - { service: summa.sql/1 }
  - { service: summa.bus/1, as: target, optional: true }
provides: [{ service: example.cache/1 }]
extensions: [summa.worker/1, summa.command/1, summa.status/1]
workers:
  - { id: outbox-processor, summary: Publishes., kind: continuous, lease: required, idle_poll: 20ms }
  - { id: outbox-cleanup, summary: Deletes., kind: periodic, lease: none, interval: 6h }
commands:
  - verb: outbox verify
    summary: Compares.
    worker: outbox-processor
    streams: true
    options:
      - { name: topic, positional: true, type: string, help: "Topic." }
      - { name: since, type: duration, default: 48h, help: "How far back." }
config:
  batch_size: { type: integer, default: 1000, min: 1, max: 100000, help: "Rows per batch." }
database: { reads: [ledger_event], writes: [outbox, summa_host.outbox_sent], creates: [] }
metrics:
  - { name: summa_outbox_pending, help: Rows that wait. }
  - { name: summa_outbox_wait_duration_seconds, labels: [sink, topic], help: How long they wait. }
errors:
  - { code: SH-0501, title: Refused, exit: 69, explanation: The bus said no., fix: Look at the bus. }
)");
  ASSERT_THAT(reading.problems, IsEmpty());
  const Manifest& manifest = reading.manifest;
  EXPECT_EQ(manifest.id, "outbox");
  EXPECT_EQ(manifest.version, "0.1.0");
  EXPECT_EQ(manifest.summary, "Delivers the outbox.");
  EXPECT_EQ(manifest.vendor, "Summa");
  EXPECT_EQ(manifest.url, "https://example.com/outbox");
  EXPECT_EQ(manifest.license, "Apache-2.0");
  EXPECT_EQ(manifest.stability, "beta");
  EXPECT_EQ(manifest.abi_major, 1);
  EXPECT_EQ(manifest.abi_minor, 0);
  ASSERT_THAT(manifest.requires_services, SizeIs(2));
  EXPECT_EQ(manifest.requires_services[0].alias, "sql");  // from the name of the service
  EXPECT_FALSE(manifest.requires_services[0].optional);
  EXPECT_EQ(manifest.requires_services[1].alias, "target");
  EXPECT_TRUE(manifest.requires_services[1].optional);
  EXPECT_THAT(manifest.provides, ElementsAre("example.cache/1"));
  EXPECT_THAT(manifest.extensions,
              ElementsAre("summa.worker/1", "summa.command/1", "summa.status/1"));
  ASSERT_THAT(manifest.workers, SizeIs(2));
  EXPECT_EQ(manifest.workers[0].kind, WorkerDeclaration::Kind::kContinuous);
  EXPECT_TRUE(manifest.workers[0].lease);
  EXPECT_EQ(manifest.workers[0].idle_poll_microseconds, 20'000);
  EXPECT_EQ(manifest.workers[1].kind, WorkerDeclaration::Kind::kPeriodic);
  EXPECT_FALSE(manifest.workers[1].lease);
  EXPECT_EQ(manifest.workers[1].interval_microseconds, 21'600'000'000);
  ASSERT_THAT(manifest.commands, SizeIs(1));
  const CommandDeclaration& command = manifest.commands[0];
  EXPECT_EQ(command.verb, "outbox verify");
  EXPECT_EQ(command.worker, "outbox-processor");
  EXPECT_TRUE(command.streams);
  ASSERT_THAT(command.options, SizeIs(2));
  EXPECT_TRUE(command.options[0].positional);
  EXPECT_EQ(command.options[0].schema.type, Schema::Type::kString);
  EXPECT_FALSE(command.options[1].positional);
  EXPECT_EQ(command.options[1].schema.type, Schema::Type::kDuration);
  EXPECT_EQ(command.options[1].schema.default_text, "48h");
  EXPECT_EQ(command.options[1].schema.help, "How far back.");
  ASSERT_NE(manifest.config.Find("batch_size"), nullptr);
  EXPECT_EQ(manifest.config.Find("batch_size")->default_text, "1000");
  EXPECT_THAT(manifest.reads, ElementsAre("ledger_event"));
  EXPECT_THAT(manifest.writes, ElementsAre("outbox", "summa_host.outbox_sent"));
  EXPECT_THAT(manifest.creates, IsEmpty());
  ASSERT_THAT(manifest.metrics, SizeIs(2));
  EXPECT_EQ(manifest.metrics[0].name, "summa_outbox_pending");
  EXPECT_EQ(manifest.metrics[0].help, "Rows that wait.");
  EXPECT_EQ(manifest.metrics[0].type, MetricType::kGauge);
  EXPECT_THAT(manifest.metrics[0].labels, IsEmpty());
  EXPECT_EQ(manifest.metrics[1].type, MetricType::kHistogram);
  EXPECT_THAT(manifest.metrics[1].labels, ElementsAre("sink", "topic"));
  ASSERT_THAT(manifest.errors, SizeIs(1));
  EXPECT_EQ(manifest.errors[0].exit_code, 69);
}

TEST(PluginManifest, StepsOfAPluginsTablesAreFilesThatAreNumberedWithoutGaps) {
  const auto read = [](const std::string& steps) {
    return Read(std::string(kHead) + "extensions: [summa.schema/1]\nschema: [" + steps + "]\n");
  };
  const Reading good = read(
      "schema/ledger/001_tables.sql, schema/read/001_views.sql, schema/ledger/002_more_of_it.sql");
  ASSERT_THAT(good.problems, IsEmpty());
  ASSERT_THAT(good.manifest.schema, SizeIs(3));
  EXPECT_EQ(good.manifest.schema[1].database, "read");
  EXPECT_EQ(good.manifest.schema[2].path, "schema/ledger/002_more_of_it.sql");
  EXPECT_EQ(good.manifest.schema[2].database, "ledger");
  EXPECT_EQ(good.manifest.schema[2].number, 2);
  EXPECT_EQ(good.manifest.schema[2].name, "more_of_it");
  EXPECT_THAT(read("schema/ledger/001_a.sql, schema/ledger/003_b.sql").problems,
              ElementsAre("schema: schema/ledger/003_b.sql has the number 3, expected 2"));
  EXPECT_THAT(read("schema/ledger/000_a.sql").problems, SizeIs(1));
  EXPECT_THAT(read("schema/ledger/001_a.sql, schema/ledger/001_b.sql").problems, SizeIs(1));
  for (const char* wrong : {"schema/other/001_a.sql", "ledger/001_a.sql", "schema/ledger/1_a.sql",
                            "schema/ledger/001_A.sql", "schema/ledger/001_../x.sql"}) {
    EXPECT_THAT(read(wrong).problems,
                ::testing::Contains(HasSubstr("schema/ledger/001_tables.sql")))
        << wrong;
  }
  EXPECT_THAT(Read(std::string(kHead) + "schema: [schema/ledger/001_a.sql]\n").problems,
              ElementsAre("schema: needs the extension summa.schema/1"));
  EXPECT_THAT(Read(std::string(kHead) + "extensions: [summa.schema/1]\n").problems,
              ElementsAre("extensions: summa.schema/1 is listed, but there are no schema"));
}

TEST(PluginManifest, TheManifestsOfThePluginsInThisRepositoryAreValid) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SUMMA_PLUGIN_SOURCES)) {
    const std::filesystem::path path = entry.path() / "plugin.yaml";
    if (!std::filesystem::exists(path)) continue;
    std::ifstream file(path);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    EXPECT_THAT(Read(text).problems, IsEmpty()) << path;
    ++count;
  }
  EXPECT_GE(count, 2);
}

TEST(PluginManifest, TheSmallestManifestHasDefaults) {
  const Reading reading = Read(kHead);
  EXPECT_THAT(reading.problems, IsEmpty());
  EXPECT_EQ(reading.manifest.stability, "draft");
  EXPECT_EQ(reading.manifest.config.type, Schema::Type::kMap);
  EXPECT_EQ(reading.manifest.text, kHead);
}

TEST(PluginManifest, ALaterRevisionIsSaidAloneWithoutGuessesAboutTheRest) {
  EXPECT_THAT(Read("manifest: 2\nfoo: bar\n").problems,
              ElementsAre("manifest: revision \"2\" is unknown; this host reads revision 1"));
  EXPECT_THAT(Read("id: x\n").problems, ElementsAre("manifest: is missing"));
}

TEST(PluginManifest, EveryMissingFieldIsReportedAtOnce) {
  EXPECT_THAT(Read("manifest: 1\n").problems,
              ElementsAre("id: is missing", "version: is missing", "summary: is missing",
                          "abi: is missing"));
}

TEST(PluginManifest, AMisspeltKeyIsReportedWithItsPlaceAndASuggestion) {
  const Reading reading = Read(std::string(kHead) + "provide: []\n");
  ASSERT_THAT(reading.diagnostics, SizeIs(1));
  EXPECT_EQ(ToText(reading.diagnostics[0]),
            "plugin.yaml:6:1: provide: unknown key. Did you mean provides?");
  EXPECT_EQ(reading.diagnostics[0].code, "SH-0115");
}

TEST(PluginManifest, IdsHaveAFormAndALength) {
  const auto problems = [](const std::string& id) {
    return Read("manifest: 1\nid: " + id + "\nversion: 1.0.0\nsummary: S.\nabi: \"1.0\"\n")
        .problems;
  };
  EXPECT_THAT(problems("com.example.greeter-2"), IsEmpty());
  EXPECT_THAT(problems(std::string(63, 'a')), IsEmpty());
  EXPECT_THAT(problems(std::string(64, 'a')),
              ElementsAre("id: has 64 bytes; at most 63 are allowed"));
  EXPECT_THAT(problems("host"), ElementsAre("id: \"host\" belongs to summa-host itself"));
  EXPECT_THAT(problems("lock"), ElementsAre("id: \"lock\" belongs to summa-host itself"));
  for (const char* id : {"Outbox", "-x", "a_b", "a/b", "\"a b\"", "\"a\\nb\""}) {
    EXPECT_THAT(problems(id), SizeIs(1)) << id;
  }
}

TEST(PluginManifest, AWorkerIdIsAtMostAHundredBytesBecauseItIsTheKeyOfALease) {
  const auto problems = [](std::size_t length) {
    return Read(std::string(kHead) + "extensions: [summa.worker/1]\nworkers:\n  - { id: " +
                std::string(length, 'w') + ", summary: S., kind: periodic, interval: 1h }\n")
        .problems;
  };
  EXPECT_THAT(problems(100), IsEmpty());
  EXPECT_THAT(problems(101), ElementsAre("workers.id: has 101 bytes; at most 100 are allowed"));
}

TEST(PluginManifest, EachKindOfWorkerHasItsOwnPause) {
  const auto problems = [](const std::string& rest) {
    return Read(std::string(kHead) +
                "extensions: [summa.worker/1]\n"
                "workers:\n"
                "  - { id: w, summary: S., " +
                rest + " }\n")
        .problems;
  };
  EXPECT_THAT(problems("kind: periodic, interval: 1h"), IsEmpty());
  EXPECT_THAT(problems("kind: continuous, idle_poll: 1s"), IsEmpty());
  EXPECT_THAT(problems("kind: periodic"), ElementsAre("workers.interval: is missing"));
  EXPECT_THAT(problems("kind: continuous"), ElementsAre("workers.idle_poll: is missing"));
  EXPECT_THAT(problems("kind: continuous, idle_poll: 1s, max_run: 30s"), IsEmpty());
  EXPECT_THAT(problems("kind: continuous, idle_poll: 1s, max_run: 1ms"),
              ElementsAre("workers.max_run: it is not 100ms to 365d"));
  EXPECT_THAT(problems("kind: continuous, idle_poll: 1s, max_run: 366d"),
              ElementsAre("workers.max_run: it is not 100ms to 365d"));
  EXPECT_THAT(problems("kind: periodic, interval: 1h, idle_poll: 1s"),
              ElementsAre("workers.idle_poll: is for continuous workers; this one is periodic"));
  EXPECT_THAT(problems("kind: continuous, interval: 1h, idle_poll: 1s"),
              ElementsAre("workers.interval: is for periodic workers; this one is continuous"));
  EXPECT_THAT(problems("kind: periodic, interval: 0s"),
              ElementsAre("workers.interval: \"0s\" is not a duration above zero"));
  EXPECT_THAT(problems("kind: periodic, interval: 1h, lease: maybe"),
              ElementsAre("workers.lease: \"maybe\" is not one of: required, none"));
}

TEST(PluginManifest, ThereIsALimitOnWorkersAndCommands) {
  const std::string workers = "extensions: [summa.worker/1]\nworkers:\n";
  const std::string line = "  - { id: w#, summary: S., kind: periodic, interval: 1h }\n";
  EXPECT_THAT(Read(kHead + workers + Repeat(line, 64)).problems, IsEmpty());
  EXPECT_THAT(Read(kHead + workers + Repeat(line, 65)).problems,
              ::testing::Contains("workers: has 65 items; at most 64 are allowed"));
  const std::string commands = "extensions: [summa.command/1]\ncommands:\n";
  const std::string verb = "  - { verb: greet v#, summary: S. }\n";
  EXPECT_THAT(Read(kHead + commands + Repeat(verb, 64)).problems, IsEmpty());
  EXPECT_THAT(Read(kHead + commands + Repeat(verb, 65)).problems,
              ::testing::Contains("commands: has 65 items; at most 64 are allowed"));
}

TEST(PluginManifest, VerbsOfTheHostCannotBeTaken) {
  const auto problems = [](const std::string& verb) {
    return Read(std::string(kHead) + "extensions: [summa.command/1]\ncommands:\n  - { verb: " +
                verb + ", summary: S. }\n")
        .problems;
  };
  EXPECT_THAT(problems("migrate partition-event-store"), IsEmpty());
  EXPECT_THAT(problems("migrate"), SizeIs(1));
  EXPECT_THAT(problems("config greet"),
              ElementsAre("commands.verb: \"config greet\" belongs to summa-host itself"));
}

TEST(PluginManifest, KeysThatEveryPluginHasCannotBeTaken) {
  for (const std::string key : {"use", "enabled", "isolation", "limits"}) {
    const auto problems =
        Read(std::string(kHead) + "config:\n  " + key + ": { type: string, help: H. }\n").problems;
    EXPECT_THAT(problems, ElementsAre("config." + key + ": the key belongs to summa-host itself"));
  }
}

TEST(PluginManifest, NothingIsGivenTwice) {
  const Reading reading = Read(std::string(kHead) + R"(requires:
  - { service: summa.bus/1 }
  - { service: example.bus/1 }
provides: [{ service: a.b/1 }, { service: a.b/1 }]
extensions: [summa.worker/1, summa.worker/1, summa.command/1]
workers:
  - { id: w, summary: S., kind: periodic, interval: 1h }
  - { id: w, summary: S., kind: periodic, interval: 1h }
commands:
  - { verb: greet, summary: S. }
  - { verb: greet, summary: S. }
metrics: [{ name: summa_x, help: H. }, { name: summa_x, help: H. }]
errors:
  - { code: GR-0001, title: T., exit: 70, explanation: E., fix: F. }
  - { code: GR-0001, title: T., exit: 70, explanation: E., fix: F. }
)");
  EXPECT_THAT(reading.problems, ElementsAre("requires.as: the name \"bus\" is given twice",
                                            "provides.service: \"a.b/1\" is given twice",
                                            "extensions: \"summa.worker/1\" is given twice",
                                            "workers.id: \"w\" is given twice",
                                            "commands.verb: \"greet\" is given twice",
                                            "metrics.name: \"summa_x\" is given twice",
                                            "errors.code: \"GR-0001\" is given twice"));
}

TEST(PluginManifest, PartsThatContradictEachOtherAreReported) {
  EXPECT_THAT(
      Read(std::string(kHead) + "workers: [{ id: w, summary: S., kind: periodic, interval: 1h }]\n")
          .problems,
      ElementsAre("workers: needs the extension summa.worker/1"));
  EXPECT_THAT(Read(std::string(kHead) + "extensions: [summa.command/1]\n").problems,
              ElementsAre("extensions: summa.command/1 is listed, but there are no commands"));
  EXPECT_THAT(Read(std::string(kHead) + "extensions: [summa.command/1]\n"
                                        "commands: [{ verb: greet, summary: S., worker: w }]\n")
                  .problems,
              ElementsAre(HasSubstr("the verb \"greet\" names the worker \"w\"")));
}

TEST(PluginManifest, ReadsKindsOfOperations) {
  const std::string worker =
      "extensions: [summa.worker/1]\n"
      "workers: [{ id: w, summary: S., kind: continuous, idle_poll: 1s }]\n";
  const Reading reading =
      Read(std::string(kHead) + worker +
           "operations:\n  - { kind: copy, worker: w, summary: Copies. }\n"
           "  - { kind: move, worker: w, summary: Moves., version: 3, retries: 0 }\n");
  EXPECT_THAT(reading.problems, IsEmpty());
  ASSERT_THAT(reading.manifest.operations, SizeIs(2));
  EXPECT_EQ(reading.manifest.operations[0].kind, "copy");
  EXPECT_EQ(reading.manifest.operations[0].worker, "w");
  EXPECT_EQ(reading.manifest.operations[0].version, 1);
  EXPECT_GT(reading.manifest.operations[0].retries, 0);
  EXPECT_EQ(reading.manifest.operations[1].version, 3);
  EXPECT_EQ(reading.manifest.operations[1].retries, 0);
  EXPECT_THAT(Read(std::string(kHead) + worker +
                   "operations:\n"
                   "  - { kind: copy, worker: w, summary: S. }\n"
                   "  - { kind: copy, worker: w, summary: S. }\n")
                  .problems,
              ElementsAre("operations.kind: \"copy\" is given twice"));
  EXPECT_THAT(Read(std::string(kHead) + worker +
                   "operations: [{ kind: copy, worker: other, summary: S., retries: many }]\n")
                  .problems,
              SizeIs(2));
}

// Two hosts would work on one operation at once.
TEST(PluginManifest, OperationsNeedAWorkerWithALease) {
  EXPECT_THAT(
      Read(std::string(kHead) +
           "extensions: [summa.worker/1]\n"
           "workers: [{ id: w, summary: S., kind: continuous, lease: none, idle_poll: 1s }]\n"
           "operations: [{ kind: copy, worker: w, summary: S. }]\n")
          .problems,
      ElementsAre(HasSubstr("not a worker with a lease in the manifest")));
}

TEST(PluginManifest, OptionsAreSchemasWithANameAndPositionalArgumentsComeFirst) {
  const auto problems = [](const std::string& options) {
    return Read(std::string(kHead) +
                "extensions: [summa.command/1]\n"
                "commands:\n"
                "  - verb: greet\n"
                "    summary: S.\n"
                "    options:\n" +
                options)
        .problems;
  };
  EXPECT_THAT(problems("      - { name: id, positional: true, type: string }\n"
                       "      - { name: full, type: boolean, default: false }\n"),
              IsEmpty());
  EXPECT_THAT(problems("      - { name: full, type: boolean }\n"
                       "      - { name: id, positional: true, type: string }\n"),
              ElementsAre(HasSubstr("a positional argument comes after an option")));
  EXPECT_THAT(problems("      - { name: full, type: bolean }\n"), SizeIs(1));
  EXPECT_THAT(problems("      - { type: string }\n"), ElementsAre(HasSubstr("name: is missing")));
}

TEST(PluginManifest, RoutesHaveAPathWithItsParametersAndSayWhoMayAsk) {
  const Reading reading = Read(std::string(kHead) + R"(extensions: [summa.endpoint/1]
routes:
  - method: GET
    path: /v1/accounts/{id}/entries
    summary: Entries of an account.
    parameters:
      - { name: limit, type: integer, default: 10, help: How many. }
      - { name: id, type: string, help: Which. }
  - { method: POST, path: /v1/accounts, summary: Opens one., body: The account., access: open }
)");
  EXPECT_THAT(reading.problems, IsEmpty());
  ASSERT_THAT(reading.manifest.routes, SizeIs(2));
  const RouteDeclaration& entries = reading.manifest.routes[0];
  EXPECT_EQ(RouteName(entries), "GET /v1/accounts/{id}/entries");
  EXPECT_TRUE(entries.needs_token);
  ASSERT_THAT(entries.parameters, SizeIs(2));
  EXPECT_EQ(entries.parameters[0].name, "id") << "those of the path come first";
  EXPECT_TRUE(entries.parameters[0].in_path);
  EXPECT_FALSE(entries.parameters[1].in_path);
  EXPECT_EQ(entries.parameters[1].schema.default_text, "10");
  EXPECT_EQ(reading.manifest.routes[1].body, "The account.");
  EXPECT_FALSE(reading.manifest.routes[1].needs_token);
}

TEST(PluginManifest, RoutesThatCannotBeServedAreReported) {
  const auto problem = [](const std::string& route) {
    const Reading reading =
        Read(std::string(kHead) + "extensions: [summa.endpoint/1]\nroutes:\n" + route);
    std::string all;
    for (const std::string& each : reading.problems) all += each + "; ";
    return all.empty() ? std::string("none") : all;
  };
  const auto at = [&](const std::string& path) {
    return problem("  - { method: GET, path: \"" + path + "\", summary: S. }\n");
  };
  EXPECT_EQ(at("/v1/a"), "none");
  EXPECT_THAT(at("/v1/a/"), HasSubstr("is not a valid path of a route"));
  EXPECT_THAT(at("/{a}"), HasSubstr("begins with a parameter"));
  EXPECT_THAT(at("/v1/{a}"), HasSubstr("the parameter {a} of the path is missing"));
  for (const char* taken :
       {"/livez", "/readyz/more", "/status", "/metrics", "/openapi.json", "/api/v2/status"}) {
    EXPECT_THAT(at(taken), HasSubstr("belongs to summa-host itself")) << taken;
  }
  EXPECT_THAT(problem("  - { method: FETCH, path: /v1/a, summary: S. }\n"), HasSubstr("FETCH"));
  EXPECT_THAT(problem("  - { method: GET, path: /v1/a, summary: S., body: B. }\n"),
              HasSubstr("takes no body"));
  EXPECT_THAT(problem("  - { method: GET, path: /v1/a, summary: S. }\n"
                      "  - { method: GET, path: /v1/a, summary: S. }\n"),
              HasSubstr("given twice"));
  EXPECT_THAT(problem("  - { method: GET, path: /v1/a, summary: S., parameters: [{ name: b, type: "
                      "map, help: H. }] }\n"),
              HasSubstr("is a list or a map"));
  const Reading without =
      Read(std::string(kHead) + "routes:\n  - { method: GET, path: /v1/a, summary: S. }\n");
  EXPECT_THAT(without.problems, ElementsAre(HasSubstr("needs the extension summa.endpoint/1")));
}

TEST(PluginManifest, WrongShapesGiveOneProblemEach) {
  EXPECT_THAT(Read(std::string(kHead) + "workers: yes\n").problems,
              ElementsAre("workers: must be a list"));
  EXPECT_THAT(Read(std::string(kHead) + "requires: [summa.bus/1]\n").problems,
              ElementsAre("requires: must be a map"));
  EXPECT_THAT(Read(std::string(kHead) + "database: all\n").problems,
              ElementsAre("database: must be a map"));
  EXPECT_THAT(Read("manifest: 1\nid: [a]\nversion: 1.0.0\nsummary: S.\nabi: \"1.0\"\n").problems,
              ElementsAre("id: must be a string"));
}

TEST(PluginManifest, TextThatIsNoYamlIsReportedAndNotRead) {
  const Reading reading = Read("manifest: 1\nid: \"x\n");
  EXPECT_THAT(reading.problems, ::testing::Not(IsEmpty()));
  EXPECT_EQ(reading.manifest.id, "");
}

}  // namespace
}  // namespace summa::host

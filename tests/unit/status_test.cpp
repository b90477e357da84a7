#include <gtest/gtest.h>

#include "host/application/status.hpp"

namespace summa::host {
namespace {

TEST(Status, HasExactlyTheKeysOfTheContract) {
  HostReport report;
  report.host = "a";
  report.version = "0.1.0";
  report.state = "running";
  report.plugins.push_back({"outbox", "0.1.0", "started", std::nullopt, {}});
  WorkerReport worker;
  worker.id = "outbox-processor";
  worker.kind = "continuous";
  worker.plugin = "outbox";
  worker.state = "running";
  worker.holder = "a/1";
  worker.fence = 7;
  worker.lease_until = "2026-11-22T15:00:00.000Z";
  report.workers.push_back(worker);
  EXPECT_EQ(StatusJson(report),
            R"({"host":"a","version":"0.1.0","state":"running",)"
            R"("plugins":[{"id":"outbox","version":"0.1.0","state":"started","error":null}],)"
            R"("workers":[{"id":"outbox-processor","kind":"continuous",)"
            R"("state":"running","holder":"a/1","fence":7,)"
            R"("leaseUntil":"2026-11-22T15:00:00.000Z","lastRunAt":null,"lastSuccessAt":null,)"
            R"("nextDueAt":null,"paused":false,"lastError":null}],"operations":[]})");
}

TEST(Status, AnOperationSaysHowFarItIs) {
  HostReport report;
  OperationReport operation;
  operation.id = 7;
  operation.plugin = "example";
  operation.kind = "copy";
  operation.state = "running";
  operation.open = true;
  operation.done = 400;
  operation.total = 1000;
  operation.rate = 50;
  operation.rows_per_second = 40.5;
  operation.holder = "a/1";
  operation.updated_at = "2026-11-22T15:00:00.000Z";
  report.operations.push_back(operation);
  EXPECT_NE(StatusJson(report).find(
                R"("operations":[{"id":"7","plugin":"example","kind":"copy","state":"running",)"
                R"("phase":null,"done":400,"total":1000,"rate":50,"rowsPerSecond":40,)"
                R"("etaSeconds":14,"holder":"a/1","error":null,)"
                R"("updatedAt":"2026-11-22T15:00:00.000Z"}])"),
            std::string::npos)
      << StatusJson(report);
  operation.total.reset();
  EXPECT_FALSE(operation.SecondsLeft()) << "what has no total has no end";
}

TEST(Status, APluginShowsItsErrorAndItsOwnDetails) {
  HostReport report;
  report.plugins.push_back({"bus", "1", "failed",
                            Error{"SH-0601", "no connection", "start it", "bus.url", 0},
                            R"({"lag":1})"});
  const std::string json = StatusJson(report);
  EXPECT_NE(json.find(R"("error":{"code":"SH-0601","message":"no connection","hint":"start it",)"
                      R"("where":"bus.url"},"details":{"lag":1}})"),
            std::string::npos)
      << json;
}

TEST(Status, APluginInAProcessOfItsOwnShowsItAndItsWorkers) {
  HostReport report;
  report.plugins.push_back({"webhook", "1", "started", std::nullopt, {}});
  report.plugins.back().process_json = R"({"pid":7})";
  report.workers_of_processes = {R"({"id":"a"})", R"({"id":"b"})"};
  const std::string json = StatusJson(report);
  EXPECT_NE(json.find(R"("state":"started","error":null,"process":{"pid":7}})"), std::string::npos)
      << json;
  EXPECT_NE(json.find(R"("workers":[{"id":"a"},{"id":"b"}])"), std::string::npos) << json;
}

TEST(Status, ReadinessNamesWhatFailsWhyAndTheFix) {
  const Readiness readiness = {{{"database", "no answer", "start it"}}, {{"keys", "2", "redrive"}}};
  EXPECT_EQ(ReadinessJson(readiness),
            R"({"failing":[{"what":"database","why":"no answer","fix":"start it"}],)"
            R"("warnings":[{"what":"keys","why":"2","fix":"redrive"}]})");
  EXPECT_EQ(ReadinessJson({}), R"({"failing":[],"warnings":[]})");
}

}  // namespace
}  // namespace summa::host

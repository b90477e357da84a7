#include <gtest/gtest.h>

#include "host/application/readiness.hpp"

namespace summa::host {
namespace {

ReadinessView Running() {
  ReadinessView view;
  view.report.state = "running";
  WorkerReport worker;
  worker.id = "outbox-processor";
  worker.state = "standby";
  view.report.workers.push_back(worker);
  return view;
}

TEST(Readiness, AStandbyWithoutLeasesIsReady) {
  EXPECT_TRUE(EvaluateReadiness(Running()).failing.empty());
}

TEST(Readiness, AHostThatStartsOrDrainsIsNot) {
  ReadinessView view = Running();
  view.report.state = "draining";
  const Readiness readiness = EvaluateReadiness(view);
  ASSERT_EQ(readiness.failing.size(), 1u);
  EXPECT_EQ(readiness.failing[0].what, "host");
  EXPECT_EQ(readiness.failing[0].why, "it is draining");
}

TEST(Readiness, NamesTheDatabaseThePluginAndTheWorkerThatFail) {
  ReadinessView view = Running();
  view.database = Error{"SH-0401", "no connection", "start it", ""};
  view.report.plugins.push_back({"bus", "1", "refused", Error{"SH-0105", "too new", "b", ""}, {}});
  view.report.workers[0].state = "error";
  view.report.workers[0].last_error = "SH-0503 refused";
  WorkerReport parked;
  parked.id = "other";
  parked.state = "parked";
  view.report.workers.push_back(parked);
  const Readiness readiness = EvaluateReadiness(view);
  ASSERT_EQ(readiness.failing.size(), 4u);
  EXPECT_EQ(readiness.failing[0].what, "database");
  EXPECT_EQ(readiness.failing[0].why, "SH-0401 no connection");
  EXPECT_EQ(readiness.failing[0].fix, "start it");
  EXPECT_EQ(readiness.failing[1].what, "plugin bus");
  EXPECT_EQ(readiness.failing[2].what, "worker outbox-processor");
  EXPECT_NE(readiness.failing[2].fix.find("explain SH-0503"), std::string::npos);
  EXPECT_EQ(readiness.failing[3].why, "it is parked");
}

TEST(Readiness, AnOperationThatFailsIsAWarning) {
  ReadinessView view = Running();
  OperationReport failed;
  failed.id = 7;
  failed.plugin = "history";
  failed.kind = "backfill";
  failed.state = "failed";
  failed.error = "XX-0001 a bad row";
  view.report.operations = {failed, OperationReport{}};
  const Readiness readiness = EvaluateReadiness(view);
  EXPECT_TRUE(readiness.failing.empty()) << "other work goes on";
  ASSERT_EQ(readiness.warnings.size(), 1u) << "one without an error is in order";
  EXPECT_EQ(readiness.warnings[0].what, "operation 7 (backfill)");
  EXPECT_EQ(readiness.warnings[0].why, "it failed: XX-0001 a bad row");
  EXPECT_NE(readiness.warnings[0].fix.find("operations resume 7"), std::string::npos);
  EXPECT_EQ(readiness.warnings[0].plugin, "history");
}

TEST(Readiness, AWarningOfAPluginIsShownAndKeepsTheHostReady) {
  ReadinessView view = Running();
  view.plugins.push_back({"outbox", {"blocked keys", Severity::kWarning, "2", "", "redrive"}});
  view.plugins.push_back({"outbox", {"the bus", Severity::kError, "away", "", "start it"}});
  const Readiness readiness = EvaluateReadiness(view);
  ASSERT_EQ(readiness.warnings.size(), 1u);
  EXPECT_EQ(readiness.warnings[0].what, "blocked keys");
  ASSERT_EQ(readiness.failing.size(), 1u);
  EXPECT_EQ(readiness.failing[0].what, "the bus");
}

}  // namespace
}  // namespace summa::host

#include <gtest/gtest.h>

#include "host/observe/host_metrics.hpp"
#include "host/observe/metrics.hpp"
#include "host/observe/worker_metrics.hpp"

namespace summa::host {
namespace {

using enum MetricType;

bool Exported(const std::string& line) {
  return MetricsText().find(line + "\n") != std::string::npos;
}

TEST(Metrics, TheSameNameAndLabelsAreTheSameHandle) {
  MetricHandle* first =
      FindMetric(kCounter, "summa_test_same_total", "h", {{"a", "1"}, {"b", "2"}});
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(FindMetric(kCounter, "summa_test_same_total", "h", {{"b", "2"}, {"a", "1"}}), first);
  EXPECT_NE(FindMetric(kCounter, "summa_test_same_total", "h", {{"a", "1"}, {"b", "3"}}), first);
}

TEST(Metrics, CountersGaugesAndHistogramsAreExported) {
  FindMetric(kCounter, "summa_test_seen_total", "Things seen.", {{"kind", "x"}})->Add(3);
  FindMetric(kGauge, "summa_test_level", "Level.", {})->Set(2.5);
  FindMetric(kHistogram, "summa_test_wait_seconds", "Wait.", {})->Observe(0.003);
  EXPECT_TRUE(Exported("# HELP summa_test_seen_total Things seen."));
  EXPECT_TRUE(Exported("# TYPE summa_test_seen_total counter"));
  EXPECT_TRUE(Exported("summa_test_seen_total{kind=\"x\"} 3"));
  EXPECT_TRUE(Exported("summa_test_level 2.5"));
  EXPECT_TRUE(Exported("summa_test_wait_seconds_bucket{le=\"0.0025\"} 0"));
  EXPECT_TRUE(Exported("summa_test_wait_seconds_bucket{le=\"0.005\"} 1"));
  EXPECT_TRUE(Exported("summa_test_wait_seconds_bucket{le=\"10\"} 1"));
}

TEST(Metrics, ACounterNeverFalls) {
  MetricHandle* counter = FindMetric(kCounter, "summa_test_rising_total", "h", {});
  counter->Add(2);
  counter->Add(-1);
  EXPECT_TRUE(Exported("summa_test_rising_total 2"));
}

TEST(Metrics, BadNamesAndOtherTypesAreRefused) {
  EXPECT_EQ(FindMetric(kCounter, "1bad", "h", {}), nullptr);
  EXPECT_EQ(FindMetric(kCounter, "bad-name", "h", {}), nullptr);
  EXPECT_EQ(FindMetric(kCounter, "", "h", {}), nullptr);
  EXPECT_EQ(FindMetric(kCounter, "summa_test_label_total", "h", {{"le", "1"}}), nullptr);
  EXPECT_EQ(FindMetric(kCounter, "summa_test_label_total", "h", {{"__x", "1"}}), nullptr);
  ASSERT_NE(FindMetric(kCounter, "summa_test_type_total", "h", {}), nullptr);
  EXPECT_EQ(FindMetric(kGauge, "summa_test_type_total", "h", {}), nullptr);
}

TEST(WorkerMetrics, HaveTheNamesOfTheDashboards) {
  WorkerMetrics metrics("metric-worker");
  metrics.Run("ok", std::chrono::milliseconds(3));
  metrics.Run("fenced", std::chrono::milliseconds(3));
  metrics.State("standby");
  metrics.Lease(true, 9);
  metrics.FenceRejection();
  SetHostMetric("summa_build_info", 1, {"1.2.3", "1.0"});
  EXPECT_TRUE(Exported("summa_worker_runs_total{outcome=\"ok\",worker=\"metric-worker\"} 1"));
  EXPECT_TRUE(Exported("summa_worker_runs_total{outcome=\"fenced\",worker=\"metric-worker\"} 1"));
  EXPECT_TRUE(Exported("summa_worker_run_duration_seconds_count{worker=\"metric-worker\"} 2"));
  EXPECT_TRUE(Exported("summa_worker_state{state=\"standby\",worker=\"metric-worker\"} 1"));
  EXPECT_TRUE(Exported("summa_worker_state{state=\"running\",worker=\"metric-worker\"} 0"));
  EXPECT_TRUE(Exported("summa_lease_held{worker=\"metric-worker\"} 1"));
  EXPECT_TRUE(Exported("summa_lease_fence{worker=\"metric-worker\"} 9"));
  EXPECT_TRUE(Exported("summa_fence_rejections_total{worker=\"metric-worker\"} 1"));
  EXPECT_TRUE(Exported("summa_build_info{abi=\"1.0\",version=\"1.2.3\"} 1"));
}

TEST(HostMetric, NeedsAValueForEachLabelOfTheTable) {
  const MetricHandle* nothing = &HostMetric("summa_not_in_the_table", {});
  EXPECT_EQ(&HostMetric("summa_lease_held"), nothing);
  EXPECT_EQ(&HostMetric("summa_lease_held", {"a", "b"}), nothing);
  EXPECT_NE(&HostMetric("summa_lease_held", {"a"}), nothing);
  const std::string before = MetricsText();
  HostMetric("summa_lease_held").Set(7);
  EXPECT_EQ(MetricsText(), before);
}

TEST(HostMetric, DatabaseErrorsAreCountedByTheClassOfTheirState) {
  CountDatabaseError("40P01");
  CountDatabaseError("40001");
  CountDatabaseError("");
  CountDatabaseError("\"\n{}x");
  EXPECT_TRUE(Exported("summa_db_errors_total{class=\"40\"} 2"));
  EXPECT_TRUE(Exported("summa_db_errors_total{class=\"08\"} 1"));
  EXPECT_TRUE(Exported("summa_db_errors_total{class=\"XX\"} 1"));
}

TEST(HostMetric, TheProcessIsMeasured) {
  SetProcessMetrics();
  SetProcessMetrics();
  for (const char* name : {"process_resident_memory_bytes", "process_open_fds", "process_max_fds",
                           "process_start_time_seconds"}) {
    const std::string text = MetricsText();
    const std::size_t at = text.find(std::string("\n") + name + " ");
    ASSERT_NE(at, std::string::npos) << name;
    EXPECT_GT(std::stod(text.substr(at + 2 + std::string(name).size())), 0) << name;
  }
  EXPECT_TRUE(Exported("# TYPE process_cpu_seconds_total counter"));
}

TEST(MetricType, FollowsFromTheNameByTheConventions) {
  EXPECT_EQ(TypeByName("summa_x_total"), kCounter);
  EXPECT_EQ(TypeByName("summa_x_duration_seconds"), kHistogram);
  EXPECT_EQ(TypeByName("summa_x_age_seconds"), kGauge);
}

}  // namespace
}  // namespace summa::host

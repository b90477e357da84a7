#include <gtest/gtest.h>

#include "host/observe/metrics.hpp"
#include "host/observe/worker_metrics.hpp"

namespace summa::host {
namespace {

bool Exported(const std::string& line) {
  return MetricsText().find(line + "\n") != std::string::npos;
}

TEST(Metrics, TheSameNameAndLabelsAreTheSameHandle) {
  MetricHandle* first = CounterMetric("summa_test_same_total", "h", {{"a", "1"}, {"b", "2"}});
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(CounterMetric("summa_test_same_total", "h", {{"b", "2"}, {"a", "1"}}), first);
  EXPECT_NE(CounterMetric("summa_test_same_total", "h", {{"a", "1"}, {"b", "3"}}), first);
}

TEST(Metrics, CountersGaugesAndHistogramsAreExported) {
  CounterMetric("summa_test_seen_total", "Things seen.", {{"kind", "x"}})->Add(3);
  GaugeMetric("summa_test_level", "Level.", {})->Set(2.5);
  HistogramMetric("summa_test_wait_seconds", "Wait.", {})->Observe(0.003);
  EXPECT_TRUE(Exported("# HELP summa_test_seen_total Things seen."));
  EXPECT_TRUE(Exported("# TYPE summa_test_seen_total counter"));
  EXPECT_TRUE(Exported("summa_test_seen_total{kind=\"x\"} 3"));
  EXPECT_TRUE(Exported("summa_test_level 2.5"));
  EXPECT_TRUE(Exported("summa_test_wait_seconds_bucket{le=\"0.0025\"} 0"));
  EXPECT_TRUE(Exported("summa_test_wait_seconds_bucket{le=\"0.005\"} 1"));
  EXPECT_TRUE(Exported("summa_test_wait_seconds_bucket{le=\"10\"} 1"));
}

TEST(Metrics, ACounterNeverFalls) {
  MetricHandle* counter = CounterMetric("summa_test_rising_total", "h", {});
  counter->Add(2);
  counter->Add(-1);
  EXPECT_TRUE(Exported("summa_test_rising_total 2"));
}

TEST(Metrics, BadNamesAndOtherTypesAreRefused) {
  EXPECT_EQ(CounterMetric("1bad", "h", {}), nullptr);
  EXPECT_EQ(CounterMetric("bad-name", "h", {}), nullptr);
  EXPECT_EQ(CounterMetric("", "h", {}), nullptr);
  EXPECT_EQ(CounterMetric("summa_test_label_total", "h", {{"le", "1"}}), nullptr);
  EXPECT_EQ(CounterMetric("summa_test_label_total", "h", {{"__x", "1"}}), nullptr);
  ASSERT_NE(CounterMetric("summa_test_type_total", "h", {}), nullptr);
  EXPECT_EQ(GaugeMetric("summa_test_type_total", "h", {}), nullptr);
}

TEST(WorkerMetrics, HaveTheNamesOfTheDashboards) {
  WorkerMetrics metrics("metric-worker");
  metrics.Run("ok", std::chrono::milliseconds(3));
  metrics.Run("fenced", std::chrono::milliseconds(3));
  metrics.Succeeded(std::chrono::seconds(1700000000));
  metrics.State("standby");
  metrics.Lease(true, 9);
  metrics.FenceRejection();
  SetBuildInfo("1.2.3", "1.0");
  EXPECT_TRUE(Exported("summa_worker_runs_total{outcome=\"ok\",worker=\"metric-worker\"} 1"));
  EXPECT_TRUE(Exported("summa_worker_runs_total{outcome=\"fenced\",worker=\"metric-worker\"} 1"));
  EXPECT_TRUE(Exported("summa_worker_run_duration_seconds_count{worker=\"metric-worker\"} 2"));
  EXPECT_TRUE(Exported("summa_worker_state{state=\"standby\",worker=\"metric-worker\"} 1"));
  EXPECT_TRUE(Exported("summa_worker_state{state=\"running\",worker=\"metric-worker\"} 0"));
  EXPECT_TRUE(Exported("summa_lease_held{worker=\"metric-worker\"} 1"));
  EXPECT_TRUE(Exported("summa_lease_fence{worker=\"metric-worker\"} 9"));
  EXPECT_TRUE(Exported("summa_fence_rejections_total{worker=\"metric-worker\"} 1"));
  EXPECT_TRUE(Exported("summa_build_info{abi=\"1.0\",version=\"1.2.3\"} 1"));
  EXPECT_NE(MetricsText().find("summa_worker_last_success_timestamp_seconds"), std::string::npos);
}

}  // namespace
}  // namespace summa::host

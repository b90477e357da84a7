// What a process says of its plugin, and its metrics among those of its host.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/application/plugin_processes.hpp"
#include "host/application/process_view.hpp"
#include "host/observe/metrics_text.hpp"
#include "host/process/message.hpp"

namespace summa::host {
namespace {

using ::testing::ElementsAre;

ProcessView Sample() {
  ProcessView view;
  view.plugin = {"webhook", "1.2.3", "started", std::nullopt, R"({"open":1})"};
  view.workers = {R"({"id":"a"})", R"({"id":"b"})"};
  view.readiness.failing = {{"worker a", "SH-0328 stuck", "fix it", "webhook"}};
  view.readiness.warnings = {{"keys", "2", "redrive", "webhook"}};
  return view;
}

TEST(ProcessViews, ArriveAsTheyWereSaid) {
  ProcessView view = Sample();
  view.plugin.error = Error{"SH-0601", "no connection", "start it", "bus.url"};
  view.plugin.details_age = Microseconds(1500);
  const std::optional<ProcessView> read = DecodeProcessView(Encode(view));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->plugin.id, "webhook");
  EXPECT_EQ(read->plugin.version, "1.2.3");
  EXPECT_EQ(read->plugin.state, "started");
  EXPECT_EQ(read->plugin.details_json, R"({"open":1})");
  EXPECT_EQ(read->plugin.details_age, Microseconds(1500));
  EXPECT_EQ(read->plugin.error->code, "SH-0601");
  EXPECT_EQ(read->plugin.error->where, "bus.url");
  EXPECT_EQ(read->workers, view.workers);
  ASSERT_EQ(read->readiness.failing.size(), 1u);
  EXPECT_EQ(read->readiness.failing[0].why, "SH-0328 stuck");
  ASSERT_EQ(read->readiness.warnings.size(), 1u);
  EXPECT_EQ(read->readiness.warnings[0].plugin, "webhook");
  EXPECT_FALSE(DecodeProcessView(Encode(Sample()))->plugin.error.has_value());
}

TEST(ProcessViews, ThatAreBrokenAreNone) {
  EXPECT_FALSE(DecodeProcessView("").has_value());
  EXPECT_FALSE(DecodeProcessView("rubbish").has_value());
  const auto with = [](auto change) {
    ProcessView view = Sample();
    change(view);
    return DecodeProcessView(Encode(view));
  };
  EXPECT_FALSE(with([](ProcessView& view) { view.workers[0] = R"({"id":"a"},{)"; }).has_value());
  EXPECT_FALSE(with([](ProcessView& view) { view.workers[0] = "[]"; }).has_value());
  EXPECT_FALSE(with([](ProcessView& view) { view.plugin.details_json = "{"; }).has_value());
  EXPECT_TRUE(with([](ProcessView& view) { view.plugin.details_json = ""; }).has_value());
  // Every cut of it, and every byte changed: no crash, and nothing that is not JSON.
  const std::string bytes = Encode(Sample());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_FALSE(DecodeProcessView(bytes.substr(0, i)).has_value()) << i;
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x55);
    static_cast<void>(DecodeProcessView(changed));
  }
}

TEST(ProcessViews, TextsThatAreNotUtf8BecomeUtf8) {
  ProcessView view = Sample();
  view.readiness.failing[0].why = "a\xFF";
  EXPECT_EQ(DecodeProcessView(Encode(view))->readiness.failing[0].why, "a\xEF\xBF\xBD");
}

TEST(ProcessSetUps, ArriveAsTheyWereSaid) {
  const ProcessSetUp set_up{"webhook", "/etc/summa.yaml", "plugins: {}\n", 123,
                            64,        {"worker-a"},      {"/a", "/b"}};
  const std::optional<ProcessSetUp> read = SetUpOf(ToParts(set_up));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->plugin, "webhook");
  EXPECT_EQ(read->file, "/etc/summa.yaml");
  EXPECT_EQ(read->text, "plugins: {}\n");
  EXPECT_EQ(read->memory_bytes, 123);
  EXPECT_EQ(read->open_files, 64);
  EXPECT_THAT(read->only, ElementsAre("worker-a"));
  EXPECT_THAT(read->directories, ElementsAre("/a", "/b"));
  EXPECT_FALSE(SetUpOf({"webhook"}).has_value());
}

TEST(MergedMetrics, SeriesOfProcessesAreToldApart) {
  const std::string own =
      "# HELP summa_a_total A.\n# TYPE summa_a_total counter\nsumma_a_total{x=\"1\"} 2\n"
      "# HELP summa_c C.\n# TYPE summa_c gauge\nsumma_c 3\n";
  const std::string theirs =
      "# HELP summa_a_total A.\n# TYPE summa_a_total counter\nsumma_a_total{x=\"1\"} 5\n"
      "# HELP summa_h H.\n# TYPE summa_h histogram\nsumma_h_count 1\nsumma_h_sum 0.5\n"
      "summa_h_bucket{le=\"+Inf\"} 1\n"
      "# HELP summa_c C.\n# TYPE summa_c gauge\nsumma_c 4\n";
  EXPECT_EQ(MergeMetrics(own, {{"webhook", theirs}}),
            "# HELP summa_a_total A.\n# TYPE summa_a_total counter\n"
            "summa_a_total{x=\"1\"} 2\nsumma_a_total{process=\"webhook\",x=\"1\"} 5\n"
            "# HELP summa_c C.\n# TYPE summa_c gauge\nsumma_c 3\nsumma_c{process=\"webhook\"} 4\n"
            "# HELP summa_h H.\n# TYPE summa_h histogram\n"
            "summa_h_count{process=\"webhook\"} 1\nsumma_h_sum{process=\"webhook\"} 0.5\n"
            "summa_h_bucket{process=\"webhook\",le=\"+Inf\"} 1\n");
}

TEST(MergedMetrics, WithoutProcessesTheTextStaysAsItIs) {
  const std::string own = "# HELP summa_c C.\n# TYPE summa_c gauge\nsumma_c{a=\"b c\"} 3\n";
  EXPECT_EQ(MergeMetrics(own, {}), own);
}

TEST(MergedMetrics, RubbishAndOtherTypesAreLeftOut) {
  const std::string own = "# HELP summa_c C.\n# TYPE summa_c gauge\nsumma_c 3\n";
  const std::string theirs =
      "# HELP summa_c C.\n# TYPE summa_c counter\nsumma_c 4\n\n# a comment\n{} 1\n!!\nsumma_c\n"
      "# HELP summa_d D.\n# TYPE summa_d gauge\nsumma_d{} 5\n";
  EXPECT_EQ(MergeMetrics(own, {{"p", theirs}}),
            "# HELP summa_c C.\n# TYPE summa_c gauge\nsumma_c 3\n"
            "# HELP summa_d D.\n# TYPE summa_d gauge\nsumma_d{process=\"p\"} 5\n");
}

}  // namespace
}  // namespace summa::host

// The fakes of the test kit: configuration from text, metrics, pauses, duplicates.
#include <gmock/gmock.h>

#include <stdexcept>
#include <summa/testkit/fake_config.hpp>
#include <summa/testkit/fake_host.hpp>
#include <summa/testkit/memory_bus.hpp>
#include <summa/worker.hpp>

namespace summa::testkit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kManifest = R"(manifest: 1
id: example
config:
  look_back: { type: duration, default: 2d, help: "How far: whole days." }
  pages: { type: size, default: 4KiB }
  retry:
    type: map
    keys:
      max: { type: integer, default: 3 }
      first: { type: duration }
  topics:
    type: list
    items: { type: string }
  limits: { type: map, any_key: { type: map, keys: { rate: { type: number, default: 1.5 } } } }
)";

TEST(FakeConfig, GivesValuesAsTheHostDoes) {
  const FakeConfig fake(R"(
look_back: 0.5h   # half an hour
retry: { first: 20ms }
topics:
  - "a # b"
  - 'it''s'
limits:
  tenant.one: { rate: 2 }
  two:
    {}
)",
                        kManifest);
  const Config config = fake.config();
  EXPECT_EQ(config.Duration("look_back"), std::chrono::minutes(30));
  EXPECT_EQ(config.Size("pages"), 4096u);
  EXPECT_EQ(config.Integer("retry.max"), 3);
  EXPECT_EQ(config.Duration("retry.first"), std::chrono::milliseconds(20));
  EXPECT_THAT(config.Strings("topics"), ElementsAre("a # b", "it's"));
  EXPECT_THAT(config.Keys("limits"), ElementsAre("tenant.one", "two"));
  EXPECT_EQ(config.Number("limits.tenant.one.rate"), 2.0);
  EXPECT_EQ(config.Number("limits.two.rate"), 1.5);
  EXPECT_EQ(config.Find("absent"), std::nullopt);
  EXPECT_THAT(config.Keys("look_back"), IsEmpty());
}

TEST(FakeConfig, FillsInDefaultsAndGivesTextsWithoutAManifest) {
  const FakeConfig defaults("", kManifest);
  EXPECT_EQ(defaults.config().Duration("look_back"), std::chrono::days(2));
  EXPECT_EQ(defaults.config().Find("retry.first"), std::nullopt);
  const FakeConfig texts("list: [1, two, {three: 3}]\nnothing: null\n");
  EXPECT_EQ(texts.config().String("list.1"), "two");
  EXPECT_EQ(texts.config().Integer("list.2.three"), 3);
  EXPECT_EQ(texts.config().Find("nothing"), std::nullopt);
}

TEST(FakeConfig, ReadsListsOfMaps) {
  const FakeConfig fake("endpoints:\n  - name: one\n    url: http://a:1/\n  - name: two\n");
  EXPECT_THAT(fake.config().Keys("endpoints"), ElementsAre("0", "1"));
  EXPECT_EQ(fake.config().String("endpoints.0.url"), "http://a:1/");
  EXPECT_EQ(fake.config().String("endpoints.1.name"), "two");
}

std::string FailureOf(std::string_view yaml, std::string_view manifest = {}) {
  try {
    const FakeConfig fake(yaml, manifest);
    return "none";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

TEST(FakeConfig, SaysWhatItCannotRead) {
  EXPECT_THAT(FailureOf("a: 1\nb\n"), HasSubstr("line 2"));
  EXPECT_THAT(FailureOf("a: |\n  text\n"), HasSubstr("form that is not understood"));
  EXPECT_THAT(FailureOf("a: [1, 2\n"), HasSubstr("bracket"));
  EXPECT_THAT(FailureOf("lok_back: 2d", kManifest), HasSubstr("does not declare the key lok_back"));
  EXPECT_THAT(FailureOf("look_back: 2", kManifest), HasSubstr("no number with a unit"));
}

TEST(FakeHost, KeepsMetrics) {
  FakeHost fake;
  const Host host = fake.host();
  host.Counter("summa_example_total", "Counts.", {{"kind", "a"}}).Add(2);
  host.Counter("summa_example_total", "Counts.", {{"kind", "a"}}).Add();
  host.Gauge("summa_example_level", "Measures.").Set(-1.5);
  host.Histogram("summa_example_duration_seconds", "Lasts.").Observe(0.25);
  EXPECT_EQ(fake.MetricValue("summa_example_total", {{"kind", "a"}}), 3);
  EXPECT_EQ(fake.MetricValue("summa_example_total"), 0);
  EXPECT_EQ(fake.MetricValue("summa_example_level"), -1.5);
  ASSERT_EQ(fake.Metrics().size(), 3u);
  EXPECT_THAT(fake.Metrics().back().observed, ElementsAre(0.25));
}

TEST(FakeTick, WaitsOnTheClockOfTheTest) {
  FakeHost fake;
  const BootTime begin = fake.host().BootNow();
  FakeTick tick(fake);
  const Tick seen(tick.abi());
  EXPECT_FALSE(seen.Wait(std::chrono::seconds(5)));
  EXPECT_EQ(fake.host().BootNow() - begin, std::chrono::seconds(5));
  tick.StopInWait(2);
  EXPECT_FALSE(seen.Wait(std::chrono::seconds(1)));
  EXPECT_FALSE(seen.ShouldStop());
  EXPECT_TRUE(seen.Wait(std::chrono::hours(1)));
  EXPECT_TRUE(seen.ShouldStop());
  EXPECT_EQ(tick.waited(), std::chrono::seconds(6));
}

TEST(MemoryBus, DeliversTwiceWhenToldTo) {
  MemoryBus bus;
  bus.duplicates = true;
  summa_bus_message message{};
  message.stream = ToAbi("orders");
  message.id = ToAbi("7");
  summa_bus_receipt receipt{};
  bus.Publish({&message, 1}, {&receipt, 1});
  ASSERT_EQ(bus.Stored().size(), 2u);
  EXPECT_EQ(bus.Stored()[0].id, bus.Stored()[1].id);
  EXPECT_NE(bus.Stored()[0].entry, bus.Stored()[1].entry);
}

}  // namespace
}  // namespace summa::testkit

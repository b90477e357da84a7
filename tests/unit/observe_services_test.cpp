#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <summa/lease.hpp>
#include <summa/testkit/fake_host.hpp>

#include "host/abi/host_table.hpp"
#include "host/error.hpp"
#include "host/observe/log.hpp"
#include "host/observe/metrics.hpp"
#include "summa/host.hpp"

namespace summa::host {
namespace {

HostTableSettings Settings() {
  HostTableSettings settings;
  settings.version = "9.8.7";
  settings.instance = "host/abc";
  settings.resolver = [](std::string_view plugin, std::string_view service,
                         std::string_view alias) -> std::vector<FoundService> {
    if (alias == "missing") return {};
    if (alias == "refused") {
      throw Failure(Error{"SH-0903", "no provider", "install one", "", 66});
    }
    if (alias == "broken") throw std::runtime_error("oops");
    static const int kService = 1;
    const std::string provider = std::string(plugin) + ":" + std::string(service);
    if (alias == "several") return {{&kService, provider}, {&kService, provider + ":2"}};
    return {{&kService, provider}};
  };
  return settings;
}

TEST(HostTable, GivesAPluginItsServicesByName) {
  const HostTable table("plugin-a", Settings());
  const summa_host* host = table.table();
  EXPECT_EQ(host->abi_major, SUMMA_ABI_MAJOR);
  EXPECT_EQ(FromAbi(host->version), "9.8.7");
  EXPECT_EQ(FromAbi(host->instance), "host/abc");
  for (const char* id : {SUMMA_LOG_V1, SUMMA_CLOCK_V1, SUMMA_METRICS_V1, SUMMA_REGISTRY_V1}) {
    EXPECT_NE(host->get_service(host, id), nullptr) << id;
  }
  EXPECT_EQ(host->get_service(host, SUMMA_SQL_V1), nullptr);  // this host has no database
  EXPECT_EQ(host->get_service(host, "summa.none/1"), nullptr);
  EXPECT_EQ(host->get_service(host, nullptr), nullptr);
}

TEST(HostTable, LeasesAreNotKnownBeforeThereIsAKeeper) {
  LeaseService leases(SystemClock());
  HostTableSettings settings = Settings();
  EXPECT_EQ(HostTable("plugin-a", settings)
                .table()
                ->get_service(HostTable("plugin-a", settings).table(), SUMMA_LEASE_V1),
            nullptr)
      << "this host has no database";
  settings.leases = &leases;
  const HostTable table("plugin-a", settings);
  const summa::LeaseView view = summa::ReadLease(summa::Host(table.table()), "w");
  EXPECT_FALSE(view.held);
  EXPECT_FALSE(view.trusted);
  EXPECT_EQ(view.holder, "");
  EXPECT_FALSE(view.lease_until);
}

TEST(HostTable, AViewOfALeaseIsFilledAsFarAsTheCallerKnowsIt) {
  const LeaseService leases(SystemClock());
  const summa_lease_v1* service = leases.table();
  summa_lease_view view;
  std::memset(&view, 0x5a, sizeof view);
  view.struct_size = offsetof(summa_lease_view, fence);  // of an older plugin
  summa_error error = summa::detail::EmptyError();
  ASSERT_EQ(service->look(service->self, ToAbi("w"), &view, &error), SUMMA_OK);
  EXPECT_EQ(view.struct_size, offsetof(summa_lease_view, fence));
  EXPECT_EQ(view.held, 0);
  EXPECT_EQ(view.fence, 0x5a5a5a5a5a5a5a5a) << "past the end of the caller's struct";
  view.struct_size = 0;
  EXPECT_EQ(service->look(service->self, ToAbi("w"), &view, &error), SUMMA_E_USAGE);
  EXPECT_EQ(service->look(service->self, ToAbi("w"), nullptr, &error), SUMMA_E_USAGE);
}

TEST(FakeHost, ShowsTheLeaseThatTheTestSetsAndLetsItsTrustRunOut) {
  summa::testkit::FakeHost fake;
  EXPECT_FALSE(summa::ReadLease(fake.host(), "w").held);
  summa::LeaseView lease;
  lease.held = lease.trusted = true;
  lease.fence = 4;
  lease.holder = "test-1";
  lease.trust_left = std::chrono::seconds(3);
  lease.lease_until = UnixTime(std::chrono::hours(24));
  fake.SetLease("w", lease);
  fake.Advance(std::chrono::seconds(1));
  const summa::LeaseView view = summa::ReadLease(fake.host(), "w");
  EXPECT_TRUE(view.held && view.trusted);
  EXPECT_EQ(view.fence, 4);
  EXPECT_EQ(view.holder, "test-1");
  EXPECT_EQ(view.trust_left, std::chrono::seconds(2));
  EXPECT_EQ(view.lease_until, UnixTime(std::chrono::hours(24)));
  fake.Advance(std::chrono::seconds(2));
  EXPECT_TRUE(summa::ReadLease(fake.host(), "w").held);
  EXPECT_FALSE(summa::ReadLease(fake.host(), "w").trusted);
}

TEST(HostTable, LogLinesCarryThePlugin) {
  const HostTable table("plugin-a", Settings());
  testing::internal::CaptureStderr();
  summa::Host(table.table()).Warn("SH-0500", "something varies", {{"row", "17"}});
  FlushLog();
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("warn  SH-0500 something varies plugin=plugin-a row=17"), std::string::npos)
      << text;
}

TEST(HostTable, TheClockCountsOn) {
  const HostTable table("plugin-a", Settings());
  const summa::Host host(table.table());
  const BootTime before = host.BootNow();
  EXPECT_GT(before, BootTime());
  EXPECT_LE(before, host.BootNow());
}

TEST(HostTable, TheWallClockCountsSince1970) {
  const HostTable table("plugin-a", Settings());
  const auto off = std::chrono::system_clock::now() - summa::Host(table.table()).UnixNow();
  EXPECT_LT(std::chrono::abs(off), std::chrono::hours(1));
}

TEST(HostTable, MetricsOfAPluginAreExported) {
  const HostTable table("plugin-a", Settings());
  const summa::Host host(table.table());
  host.Counter("summa_abi_things_total", "h", {{"kind", "x"}}).Add(2);
  host.Gauge("summa_abi_level", "h").Set(4);
  host.Histogram("summa_abi_wait_seconds", "h").Observe(0.2);
  const std::string text = MetricsText();
  EXPECT_NE(text.find("summa_abi_things_total{kind=\"x\"} 2\n"), std::string::npos);
  EXPECT_NE(text.find("summa_abi_level 4\n"), std::string::npos);
  EXPECT_NE(text.find("summa_abi_wait_seconds_count 1\n"), std::string::npos);
}

TEST(HostTable, MetricsAreLimitedToAThousandPerPluginAndTheRestDoesNothing) {
  const HostTable greedy("plugin-greedy", Settings());
  const HostTable modest("plugin-modest", Settings());
  const auto* metrics = static_cast<const summa_metrics_v1*>(
      greedy.table()->get_service(greedy.table(), SUMMA_METRICS_V1));
  const auto make = [](const summa_metrics_v1* service, int i) {
    const std::string value = std::to_string(i);
    const summa_label label{ToAbi("n"), ToAbi(value)};
    return service->counter(service->self, ToAbi("summa_abi_many_total"), ToAbi("h"), &label, 1);
  };
  for (int i = 0; i < 1000; ++i) ASSERT_NE(make(metrics, i), nullptr);
  EXPECT_EQ(make(metrics, 1000), nullptr);
  metrics->add(nullptr, 1);
  EXPECT_EQ(make(metrics, 5), make(metrics, 5));
  EXPECT_NE(make(metrics, 5), nullptr);
  const auto* others = static_cast<const summa_metrics_v1*>(
      modest.table()->get_service(modest.table(), SUMMA_METRICS_V1));
  EXPECT_NE(make(others, 1000), nullptr);
}

TEST(HostTable, TheRegistryKnowsTheCallerAndLendsTheProvidersName) {
  const HostTable table("plugin-a", Settings());
  const summa::Host host(table.table());
  const auto found = host.FindService("summa.bus/1", "bus");
  EXPECT_NE(found.service, nullptr);
  EXPECT_EQ(found.provider, "plugin-a:summa.bus/1");
}

TEST(HostTable, TheRegistryKnowsEveryProvider) {
  const HostTable table("plugin-a", Settings());
  const summa::Host host(table.table());
  std::vector<std::string> providers;
  for (const auto& found : host.FindServices("summa.bus/1", "several")) {
    providers.push_back(found.provider);
  }
  EXPECT_THAT(providers, testing::ElementsAre("plugin-a:summa.bus/1", "plugin-a:summa.bus/1:2"));
  EXPECT_TRUE(host.FindServices("summa.bus/1", "missing").empty());
}

TEST(HostTable, AMissingServiceIsAStatusAndNothingThrownCrosses) {
  const HostTable table("plugin-a", Settings());
  const summa::Host host(table.table());
  for (const auto& [alias, code] :
       {std::pair("missing", "SH-0108"), std::pair("refused", "SH-0903")}) {
    try {
      host.FindService("summa.bus/1", alias);
      FAIL() << alias;
    } catch (const summa::Error& error) {
      EXPECT_EQ(error.status(), SUMMA_E_NOT_FOUND);
      EXPECT_EQ(error.code(), code);
    }
  }
  try {
    host.FindService("summa.bus/1", "broken");
    FAIL();
  } catch (const summa::Error& error) {
    EXPECT_EQ(error.status(), SUMMA_E_INTERNAL);
  }
}

}  // namespace
}  // namespace summa::host

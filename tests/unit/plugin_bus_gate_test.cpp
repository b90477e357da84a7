// Calls of a bus through the gate: announced, and nothing that they throw gets further.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "host/abi/bus_gate.hpp"
#include "host/abi/plugin_call.hpp"
#include "summa/error.hpp"

namespace summa::host {
namespace {

// Where the calling thread was while the bus was called.
struct Bus {
  std::string plugin = "nobody", function, worker;

  summa_bus_v1 Table() {
    summa_bus_v1 table{};
    table.struct_size = sizeof table;
    table.self = this;
    table.ping = [](void* self, summa_error*) -> std::int32_t {
      auto& bus = *static_cast<Bus*>(self);
      if (const CallPlace* place = PluginCall::OfThisThread()) {
        bus.plugin = place->plugin;
        bus.function = place->function;
        bus.worker = place->worker;
      }
      return SUMMA_E_TRY_LATER;
    };
    table.publish = [](void*, const summa_bus_message*, size_t, summa_bus_receipt*,
                       summa_error*) -> std::int32_t { throw std::runtime_error("boom"); };
    table.subscribe = [](void*, const summa_bus_subscription_options*, summa_bus_subscription**,
                         summa_error*) -> std::int32_t { throw 7; };
    return table;
  }
};

class BusGateTest : public testing::Test {
 protected:
  Bus bus_;
  const summa_bus_v1 table_ = bus_.Table();
  BusGate gate_{&table_, "a-bus", "user", Consuming::kWorkers};
  const summa_bus_v1& gated_ = *gate_.table();
  summa_error error_ = detail::EmptyError();
};

TEST_F(BusGateTest, ACallIsOneOfTheBusForTheWorkerThatIsCalled) {
  {
    const PluginCall outer("user", "the worker's function", "user-worker");
    EXPECT_EQ(gated_.ping(gated_.self, &error_), SUMMA_E_TRY_LATER);
    EXPECT_STREQ(PluginCall::OfThisThread()->plugin, "user");
  }
  EXPECT_EQ(bus_.plugin, "a-bus");
  EXPECT_EQ(bus_.function, "ping()");
  EXPECT_EQ(bus_.worker, "user-worker");
}

TEST_F(BusGateTest, OnAThreadOfThePluginsOwnNothingIsAnnounced) {
  EXPECT_EQ(gated_.ping(gated_.self, &error_), SUMMA_E_TRY_LATER);
  EXPECT_EQ(bus_.plugin, "nobody");
}

TEST_F(BusGateTest, AnExceptionOfTheBusIsAnErrorThatNamesIt) {
  EXPECT_EQ(gated_.publish(gated_.self, nullptr, 0, nullptr, &error_), SUMMA_E_INTERNAL);
  EXPECT_EQ(error_.status, SUMMA_E_INTERNAL);
  EXPECT_STREQ(error_.code, "SH-0124");
  EXPECT_STREQ(error_.message,
               "plugin \"a-bus\": publish() of its bus threw an exception across the C boundary: "
               "boom");
  EXPECT_EQ(gated_.publish(gated_.self, nullptr, 0, nullptr, nullptr), SUMMA_E_INTERNAL);
}

TEST_F(BusGateTest, AnExceptionOfSubscribeIsAnErrorToo) {
  const PluginCall outer("user", "the worker's function", "user-worker");
  summa_bus_subscription_options options{};
  options.struct_size = sizeof options;
  summa_bus_subscription* subscription = nullptr;
  EXPECT_EQ(gated_.subscribe(gated_.self, &options, &subscription, &error_), SUMMA_E_INTERNAL);
  EXPECT_STREQ(error_.code, "SH-0124");
}

}  // namespace
}  // namespace summa::host

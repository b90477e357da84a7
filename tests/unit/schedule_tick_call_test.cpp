#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>

#include "host/schedule/tick_call.hpp"

namespace summa::host {
namespace {

using TickFunction = std::int32_t (*)(void*, const summa_tick*, summa_tick_result*, summa_error*);

TickOutcome Call(TickFunction function, void* self = nullptr) {
  const summa_worker worker{sizeof(summa_worker), 0, self, {"w", 1}, function};
  TickRequest request;
  request.worker = &worker;
  request.flags = SUMMA_TICK_ONCE;
  request.fence = 7;
  request.should_stop = [] { return false; };
  request.wait = [](Microseconds time) { return time > Microseconds(5); };
  return CallTick(request);
}

TEST(TickCall, AGoodTickGivesItsItemsBacklogAndHint) {
  const TickOutcome outcome =
      Call([](void*, const summa_tick*, summa_tick_result* result, summa_error*) -> std::int32_t {
        result->items = 5;
        result->backlog = 1;
        result->wait_hint_microseconds = 300;
        return SUMMA_OK;
      });
  EXPECT_EQ(outcome.status, SUMMA_OK);
  EXPECT_EQ(outcome.items, 5);
  EXPECT_TRUE(outcome.backlog);
  EXPECT_EQ(outcome.wait_hint, Microseconds(300));
}

TEST(TickCall, NumbersThatCannotBeAreBroughtIntoRange) {
  const auto items = [](std::int64_t value) {
    return Call(
        [](void* self, const summa_tick*, summa_tick_result* result, summa_error*) -> std::int32_t {
          result->items = *static_cast<std::int64_t*>(self);
          result->wait_hint_microseconds = INT64_MAX;
          return SUMMA_OK;
        },
        &value);
  };
  EXPECT_EQ(items(-1).items, 0);
  EXPECT_EQ(items(INT64_MIN).items, 0);
  EXPECT_EQ(items(INT64_MAX).items, 1'000'000'000'000);
  EXPECT_EQ(items(7).items, 7);
  EXPECT_EQ(items(7).wait_hint, std::chrono::hours(24));
}

TEST(TickCall, TextsOfAnErrorCanBeStored) {
  const TickOutcome outcome =
      Call([](void*, const summa_tick*, summa_tick_result*, summa_error* error) -> std::int32_t {
        std::memset(error->message, 0xE9, sizeof error->message);
        std::memcpy(error->code, "no code\n", 9);
        std::memcpy(error->hint, "\x1b[2J", 5);
        return SUMMA_E_DATA;
      });
  EXPECT_EQ(outcome.error.code, "SH-0320");
  EXPECT_EQ(outcome.error.message, std::string(512, '?'));
  EXPECT_EQ(outcome.error.hint, "?[2J");
}

TEST(TickCall, AWorkerThatSaysNothingHasNoHint) {
  const TickOutcome outcome = Call([](void*, const summa_tick*, summa_tick_result*,
                                      summa_error*) -> std::int32_t { return SUMMA_OK; });
  EXPECT_FALSE(outcome.wait_hint.has_value());
  EXPECT_FALSE(outcome.backlog);
}

TEST(TickCall, TheWorkerSeesFenceFlagsStopAndWait) {
  struct Seen {
    std::int64_t fence = 0;
    std::uint32_t flags = 0;
    int stop = -1, short_wait = -1, long_wait = -1;
  } seen;
  Call(
      [](void* self, const summa_tick* tick, summa_tick_result*, summa_error*) -> std::int32_t {
        auto& s = *static_cast<Seen*>(self);
        s.fence = tick->fence;
        s.flags = tick->flags;
        s.stop = tick->should_stop(tick);
        s.short_wait = tick->wait(tick, 1);
        s.long_wait = tick->wait(tick, 10);
        return SUMMA_OK;
      },
      &seen);
  EXPECT_EQ(seen.fence, 7);
  EXPECT_EQ(seen.flags, static_cast<std::uint32_t>(SUMMA_TICK_ONCE));
  EXPECT_EQ(seen.stop, 0);
  EXPECT_EQ(seen.short_wait, 0);
  EXPECT_EQ(seen.long_wait, 1);
}

TEST(TickCall, TheCodeOfThePluginIsKept) {
  const TickOutcome outcome =
      Call([](void*, const summa_tick*, summa_tick_result*, summa_error* error) -> std::int32_t {
        std::strcpy(error->code, "SH-0503");
        std::strcpy(error->message, "the bus is full");
        std::strcpy(error->sqlstate, "53100");
        std::strcpy(error->hint, "make room");
        return SUMMA_E_UNAVAILABLE;
      });
  EXPECT_EQ(outcome.error.code, "SH-0503");
  EXPECT_EQ(outcome.error.message, "the bus is full (SQLSTATE 53100)");
  EXPECT_EQ(outcome.error.hint, "make room");
  EXPECT_EQ(outcome.error.sqlstate, "53100");
  EXPECT_EQ(outcome.error.kind, SUMMA_E_UNAVAILABLE);
  EXPECT_EQ(ExitCode(outcome.error), 69);
  EXPECT_EQ(outcome.error.where, "worker w");
}

TEST(TickCall, AFailureWithoutACodeGetsOneByItsStatus) {
  const auto failing = [](void* self, const summa_tick*, summa_tick_result*,
                          summa_error*) -> std::int32_t { return *static_cast<int*>(self); };
  const std::pair<int, const char*> expected[] = {{SUMMA_E_UNAVAILABLE, "SH-0321"},
                                                  {SUMMA_E_FENCED, "SH-0327"},
                                                  {SUMMA_E_INTERNAL, "SH-0320"},
                                                  {12345, "SH-0320"}};
  for (auto [status, code] : expected) {
    const TickOutcome outcome = Call(failing, &status);
    EXPECT_EQ(outcome.error.code, code);
    EXPECT_EQ(outcome.error.kind, status == 12345 ? SUMMA_E_INTERNAL : status);
    EXPECT_FALSE(outcome.error.message.empty());
  }
}

TEST(ExitCodes, FollowTheKindElseTheCatalogue) {
  const auto exit_code = [](std::string code, std::int32_t kind) {
    return ExitCode({std::move(code), "what", "", "", kind});
  };
  EXPECT_EQ(exit_code("SH-0402", SUMMA_OK), 69);
  EXPECT_EQ(exit_code("SH-0402", SUMMA_E_CONFIG), 78);
  EXPECT_EQ(exit_code("SH-0301", SUMMA_E_FENCED), 75);
  EXPECT_EQ(exit_code("SH-0409", SUMMA_E_CANCELLED), 75);
  EXPECT_EQ(exit_code("T-0001", SUMMA_OK), 70);
  EXPECT_EQ(KindOf({"SH-0423", "what", "", ""}), SUMMA_E_UNAVAILABLE);
}

TEST(TickCall, AnExceptionThatCrossesTheBoundaryIsAnError) {
  const TickOutcome outcome =
      Call([](void*, const summa_tick*, summa_tick_result*, summa_error*) -> std::int32_t {
        throw std::runtime_error("boom");
      });
  EXPECT_EQ(outcome.status, SUMMA_E_INTERNAL);
  EXPECT_EQ(outcome.error.code, "SH-0322");
  EXPECT_NE(outcome.error.message.find("boom"), std::string::npos);
}

TEST(TickCall, AThrownNumberIsAnErrorToo) {
  const TickOutcome outcome = Call(
      [](void*, const summa_tick*, summa_tick_result*, summa_error*) -> std::int32_t { throw 42; });
  EXPECT_EQ(outcome.error.code, "SH-0322");
}

TEST(TickCall, AMessageWithoutItsNulIsCutAndNotOverrun) {
  const TickOutcome outcome =
      Call([](void*, const summa_tick*, summa_tick_result*, summa_error* error) -> std::int32_t {
        std::memset(error->message, 'x', sizeof error->message);
        std::memset(error->code, 'C', sizeof error->code);
        error->code[4] = '-';  // of the form of a code
        return SUMMA_E_INTERNAL;
      });
  EXPECT_EQ(outcome.error.message.size(), sizeof(summa_error::message));
  EXPECT_EQ(outcome.error.code.size(), sizeof(summa_error::code));
}

}  // namespace
}  // namespace summa::host

// What a host records before it calls a worker, and how it judges the records of earlier hosts.
#include <algorithm>
#include <exception>
#include <summa/backoff.hpp>
#include <summa/crash_point.hpp>

#include "host/observe/log.hpp"
#include "host/schedule/worker_instance.hpp"

namespace summa::host {
namespace {

// One host that was killed or lost its power is no evidence against the worker; this many in a row
// are.
constexpr int kDeathsByChance = 3;
// A host that crashed is started again by its supervisor: the next one tries when it may be back,
// so that the fleet does not go down within seconds.
constexpr Microseconds kFirstPause = std::chrono::seconds(1);
constexpr Microseconds kLongestPause = std::chrono::seconds(60);
// The pause while the database does not accept it.
constexpr Microseconds kTryAgain = std::chrono::seconds(5);

}  // namespace

WorkerInstance::Start::Start(WorkerInstance& worker, const Grant& grant)
    : worker_(worker),
      fence_(grant.fence()),
      earlier_(
          worker.services_.orders().Begin(worker.plan_.id, worker.services_.host_name, fence_)) {
  CrashPoint("schedule.begun");
}

WorkerInstance::Start::~Start() {
  if (open_ && !worker_.abandoned()) Write(false);
}

void WorkerInstance::Start::Returned() {
  if (!open_ || worker_.services_.clock->BootNow() < try_again_at_) return;
  Write(true);
}

void WorkerInstance::Start::Write(bool called) noexcept {
  try {
    worker_.services_.orders().Returned(worker_.plan_.id, fence_, called);
    open_ = false;
  } catch (const std::exception& failure) {
    try_again_at_ = worker_.services_.clock->BootNow() + kTryAgain;
    Log(LogLevel::kDebug, "SH-0325", "the return of a call could not be recorded",
        {{"worker", worker_.plan_.id}, {"error", failure.what()}});
  }
}

Microseconds WorkerInstance::Start::pause() const {
  const int steps = earlier_.crashes + std::max(earlier_.deaths - 1, 0);
  if (steps == 0) return Microseconds(0);
  return Backoff(kFirstPause, kLongestPause, Jitter::kNone).Pause(steps);
}

std::string WorkerInstance::Start::WhyToPark() const {
  const int most = worker_.plan_.park_after_crashes;
  const int unexplained = std::max(earlier_.deaths - kDeathsByChance, 0);
  if (most == 0 || earlier_.crashes + unexplained < most) return {};
  std::string why = "SH-0347 ";
  if (earlier_.crashes > 0) {
    why += std::to_string(earlier_.crashes) +
           " hosts crashed in the worker; the last one: " + earlier_.crash;
  }
  if (unexplained > 0) {
    why += std::string(earlier_.crashes > 0 ? "; " : "") + std::to_string(earlier_.deaths) +
           " hosts in a row died before a call of the worker returned";
  }
  return why;
}

bool WorkerInstance::WaitAfterDeaths(const Start& start, const Grant& grant) {
  const Microseconds pause = start.pause();
  if (start.earlier().crashes + start.earlier().deaths > 0) {
    Log(LogLevel::kWarn, "SH-0348", "the last host that ran the worker died in it",
        {{"worker", plan_.id},
         {"plugin", plan_.plugin},
         {"deaths", std::to_string(start.earlier().deaths)},
         {"crashes", std::to_string(start.earlier().crashes)},
         {"last", start.earlier().crash},
         {"waits_ms", std::to_string(pause.count() / 1000)}});
  }
  if (pause == Microseconds(0)) return true;
  return !stop_.WaitFor(pause, [&] { return new_orders() || !grant.Good(); });
}

void WorkerInstance::ParkEverywhere(const std::string& why) {
  services_.orders().Park(plan_, services_.host_name, why, /*everywhere=*/true);
  board_.Parked(why, std::nullopt);
  Log(LogLevel::kError, "SH-0347", "the worker is parked: no host runs it",
      {{"worker", plan_.id}, {"plugin", plan_.plugin}, {"error", why}});
}

}  // namespace summa::host

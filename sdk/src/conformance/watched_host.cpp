#include "watched_host.hpp"

#include <summa/abi/bus.h>
#include <summa/abi/clock.h>
#include <summa/abi/lease.h>
#include <summa/abi/log.h>
#include <summa/abi/metrics.h>
#include <summa/abi/registry.h>

#include <chrono>
#include <utility>

namespace summa::conformance {
namespace {

template <typename Clock>
std::int64_t MicrosecondsOf(void*) {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch())
      .count();
}

// Real time: code of the plugin may wait for it without a word to the host.
summa_clock_v1 RealClock() {
  return {sizeof(summa_clock_v1), 0, nullptr, &MicrosecondsOf<std::chrono::steady_clock>,
          &MicrosecondsOf<std::chrono::system_clock>};
}

// A journal in which no operation is open, and each that is asked for is done.
summa_operation_v1 EmptyJournal() {
  summa_operation_v1 journal{};
  journal.start = [](void*, const summa_sql_v1*, const summa_operation_request*, std::int64_t* id,
                     summa_error*) -> std::int32_t {
    *id = 1;
    return SUMMA_OK;
  };
  journal.run = [](void*, const summa_operation_run*, summa_operation_view* view,
                   std::int64_t* rows, summa_error*) -> std::int32_t {
    const std::uint32_t size = view->struct_size;
    *view = {};
    view->struct_size = size;
    if (rows != nullptr) *rows = 0;
    return SUMMA_OK;
  };
  journal.look = [](void*, const summa_sql_v1*, std::int64_t id, summa_operation_view* view,
                    summa_error*) -> std::int32_t {
    const std::uint32_t size = view->struct_size;
    *view = {};
    view->struct_size = size;
    view->id = id;
    view->state = SUMMA_OPERATION_DONE;
    return SUMMA_OK;
  };
  return journal;
}

std::string Named(std::string_view id, std::string_view alias) {
  return std::string(id) + " as \"" + std::string(alias) + "\"";
}

}  // namespace

WatchedHost::WatchedHost(const Subject& subject, Sizes sizes,
                         std::function<void(const std::string&)> on_defect)
    : subject_(subject),
      on_defect_(std::move(on_defect)),
      memory_("the host and its services, after destroy()", sizes),
      sql_(subject.sql, on_defect_) {
  bus_.on_published = [this](std::span<const summa_bus_message>,
                             std::span<const summa_bus_receipt>) {
    const MutexLock lock(mutex_);
    if (lease_ == nullptr || !lease_->lost() || !lease_->ThisThreadKnows()) return;
    Report("publishes to the bus, after its worker was told that the lease is lost");
  };
  LendServices();
  summa_host host{};
  host.abi_major = SUMMA_ABI_MAJOR;
  host.abi_minor = SUMMA_ABI_MINOR;
  host.self = this;
  host.version = memory_.Text("conformance");
  host.instance = memory_.Text("summa-host/conformance/1/1");
  host.get_service = &WatchedHost::GetService;
  table_ = memory_.Struct(host);
}

WatchedHost::~WatchedHost() = default;

void WatchedHost::LendServices() {
  const summa_host* fake = fake_.abi();
  const auto copy = [&]<typename T>(const char* id, const T*) {
    return memory_.Struct(*static_cast<const T*>(fake->get_service(fake, id)));
  };
  services_.log = copy(SUMMA_LOG_V1, static_cast<const summa_log_v1*>(nullptr));
  services_.metrics = copy(SUMMA_METRICS_V1, static_cast<const summa_metrics_v1*>(nullptr));
  services_.lease = copy(SUMMA_LEASE_V1, static_cast<const summa_lease_v1*>(nullptr));
  services_.clock = memory_.Struct(RealClock());
  services_.sql = sql_.Lend(memory_, "the sessions of the host", nullptr);
  services_.operation = memory_.Struct(EmptyJournal());
  services_.bus = memory_.Struct(*static_cast<const summa_bus_v1*>(bus_table_.table()));
  summa_registry_v1 registry{};
  registry.self = this;
  registry.find = &WatchedHost::Find;
  registry.find_all = &WatchedHost::FindAll;
  services_.registry = memory_.Struct(registry);
}

void WatchedHost::SetPhase(Phase phase) {
  phase_ = phase;
  sql_.SetForbiddenIn(phase == Phase::kConfigure ? "configure()" : nullptr);
}

void WatchedHost::SetAway(bool away) {
  away_ = away;
  sql_.SetAway(away);
  bus_.away = away;
}

void WatchedHost::SetCurrentLease(WatchedLease* lease) {
  sql_.SetCurrentLease(lease);
  const MutexLock lock(mutex_);
  lease_ = lease;
}

std::vector<testkit::LoggedLine> WatchedHost::NewLines() {
  std::vector<testkit::LoggedLine> lines = fake_.Lines();
  const MutexLock lock(mutex_);
  lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(lines_seen_));
  lines_seen_ += lines.size();
  return lines;
}

const void* WatchedHost::GetService(const summa_host* table, const char* id) {
  return static_cast<WatchedHost*>(table->self)->Service(id);
}

const void* WatchedHost::Service(const char* id) {
  if (id == nullptr) return nullptr;
  const std::string_view name(id);
  if (phase_ == Phase::kCreate) {
    Report("calls get_service(" + std::string(name) +
           ") in create(), where no service may be used");
  }
  if (name == SUMMA_LOG_V1) return services_.log;
  if (name == SUMMA_CLOCK_V1) return services_.clock;
  if (name == SUMMA_METRICS_V1) return services_.metrics;
  if (name == SUMMA_SQL_V1) return services_.sql;
  if (name == SUMMA_REGISTRY_V1) return services_.registry;
  if (name == SUMMA_LEASE_V1) return services_.lease;
  const bool operations = !subject_.declared || subject_.declared->operations;
  if (name == SUMMA_OPERATION_V1 && operations) return services_.operation;
  return nullptr;
}

const DeclaredService* WatchedHost::Required(std::string_view id, std::string_view alias) const {
  static const DeclaredService unknown;  // whatever it asks for, where no manifest is known
  if (!subject_.declared) return &unknown;
  for (const DeclaredService& each : subject_.declared->requires_services) {
    if (each.service == id && each.alias == alias) return &each;
  }
  return nullptr;
}

std::int32_t WatchedHost::Find(void* self, summa_str id, summa_str alias, const void** service,
                               summa_str* provider_id, summa_error* error) {
  auto* host = static_cast<WatchedHost*>(self);
  const std::string named = Named(FromAbi(id), FromAbi(alias));
  const DeclaredService* required = host->Required(FromAbi(id), FromAbi(alias));
  if (host->phase_ != Phase::kRun) {
    host->Report("looks for the service " + named + " before start()");
  }
  if (required == nullptr) {
    host->Report("looks for the service " + named + ", which its manifest does not require");
    return summa::detail::Fill(error, SUMMA_E_NOT_FOUND, "", "there is no " + named);
  }
  if (host->away_) {
    return summa::detail::Fill(error, SUMMA_E_UNAVAILABLE, "",
                               "the conformance suite has taken " + named + " away");
  }
  if (FromAbi(id) != SUMMA_BUS_V1) {
    return summa::detail::Fill(error, required->optional ? SUMMA_E_NOT_FOUND : SUMMA_E_UNAVAILABLE,
                               "", "the conformance suite has no " + named);
  }
  *service = host->services_.bus;
  if (provider_id != nullptr) *provider_id = ToAbi("conformance");
  return SUMMA_OK;
}

std::int32_t WatchedHost::FindAll(void* self, summa_str id, summa_str alias,
                                  void (*on_found)(void*, const void*, summa_str), void* result,
                                  summa_error*) {
  auto* host = static_cast<WatchedHost*>(self);
  if (host->Required(FromAbi(id), FromAbi(alias)) == nullptr) {
    host->Report("looks for the services " + Named(FromAbi(id), FromAbi(alias)) +
                 ", which its manifest does not require");
  } else if (FromAbi(id) == SUMMA_BUS_V1 && !host->away_) {
    on_found(result, host->services_.bus, ToAbi("conformance"));
  }
  return SUMMA_OK;
}

}  // namespace summa::conformance

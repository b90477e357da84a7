// A host for tests of plugin code: keeps log lines and metrics, has a clock that the test controls,
// and returns the SQL table and services that the test sets. The object must outlive the plugin code
// under test.
#pragma once

#include <summa/abi/operation.h>
#include <summa/abi/worker.h>
#include <summa/lease.hpp>
#include <summa/mutex.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace summa::testkit {

struct LoggedLine {
  int level;
  std::string code, message;
  std::map<std::string, std::string> fields;
};

// A metric with its labels. The real host refuses those that the manifest does not declare.
struct RecordedMetric {
  enum class Kind { kCounter, kGauge, kHistogram };
  Kind kind;
  std::string name, help;
  std::map<std::string, std::string> labels;
  double value = 0;              // of a counter or a gauge
  std::vector<double> observed;  // by a histogram
};

class FakeHost {
 public:
  explicit FakeHost(const summa_sql_v1* sql = nullptr) : sql_(sql) {
    log_ = {sizeof log_, 0, this, &FakeHost::Write, [](void*, std::int32_t) { return 1; }};
    clock_ = {sizeof clock_, 0, this,
              [](void* self) { return static_cast<FakeHost*>(self)->now_microseconds_.load(); },
              [](void* self) { return static_cast<FakeHost*>(self)->now_microseconds_.load(); }};
    registry_ = {sizeof registry_, 0, this, &FakeHost::Find, &FakeHost::FindAll};
    lease_ = {sizeof lease_, 0, this, &FakeHost::ReadLease};
    metrics_ = {sizeof metrics_,
                0,
                this,
                &FakeHost::Make<RecordedMetric::Kind::kCounter>,
                &FakeHost::Make<RecordedMetric::Kind::kGauge>,
                &FakeHost::Make<RecordedMetric::Kind::kHistogram>,
                &FakeHost::Add,
                &FakeHost::Set,
                &FakeHost::Observe};
    host_ = {sizeof host_,  SUMMA_ABI_MAJOR, SUMMA_ABI_MINOR,      this,
             ToAbi("test"), ToAbi("test-1"), &FakeHost::GetService};
  }
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  summa::Host host() { return summa::Host(&host_); }
  const summa_host* abi() const { return &host_; }
  const summa_sql_v1* sql() const { return sql_; }

  // Boot time; starts at one hour.
  void Advance(std::chrono::microseconds time) { now_microseconds_ += time.count(); }
  void AddService(const std::string& id, const std::string& alias, const void* service) {
    services_[id + " " + alias] = service;
  }
  // summa.operation/1 for the code under test; without a call there is none.
  void SetOperations(const summa_operation_v1* operations) { operations_ = operations; }
  // What ReadLease() shows for a worker; without a call nobody holds the lease. The trust ends as
  // the clock is advanced.
  void SetLease(const std::string& worker_id, LeaseView lease) {
    const MutexLock lock(mutex_);
    leases_[worker_id] = {std::move(lease), now_microseconds_};
  }
  std::vector<LoggedLine> Lines() const {
    const MutexLock lock(mutex_);
    return lines_;
  }
  std::size_t CountCode(std::string_view code) const {
    const MutexLock lock(mutex_);
    std::size_t count = 0;
    for (const LoggedLine& line : lines_) count += line.code == code ? 1 : 0;
    return count;
  }

  using Labels = std::map<std::string, std::string>;
  // Of a counter or a gauge; 0 when it was never asked for.
  double MetricValue(std::string_view name, const Labels& labels = {}) const {
    for (const RecordedMetric& metric : Metrics()) {
      if (metric.name == name && metric.labels == labels) return metric.value;
    }
    return 0;
  }
  std::vector<RecordedMetric> Metrics() const {
    const MutexLock lock(mutex_);
    std::vector<RecordedMetric> all;
    for (const Handle& handle : handles_) all.push_back(handle.metric);
    return all;
  }

 private:
  // What a summa_metric is here.
  struct Handle {
    FakeHost* host;
    RecordedMetric metric;
  };
  static Handle& Of(summa_metric* metric) { return *reinterpret_cast<Handle*>(metric); }

  template <RecordedMetric::Kind kKind>
  static summa_metric* Make(void* self, summa_str name, summa_str help, const summa_label* labels,
                            std::size_t label_count) {
    auto* host = static_cast<FakeHost*>(self);
    RecordedMetric made{kKind, std::string(FromAbi(name)), std::string(FromAbi(help)), {}, 0, {}};
    for (std::size_t i = 0; i < label_count; ++i) {
      made.labels[std::string(FromAbi(labels[i].name))] = FromAbi(labels[i].value);
    }
    const MutexLock lock(host->mutex_);
    for (Handle& known : host->handles_) {
      if (known.metric.name != made.name || known.metric.labels != made.labels) continue;
      return reinterpret_cast<summa_metric*>(&known);
    }
    host->handles_.push_back({host, std::move(made)});
    return reinterpret_cast<summa_metric*>(&host->handles_.back());
  }
  static void Add(summa_metric* metric, double value) {
    if (metric == nullptr) return;
    const MutexLock lock(Of(metric).host->mutex_);
    Of(metric).metric.value += value;
  }
  static void Set(summa_metric* metric, double value) {
    if (metric == nullptr) return;
    const MutexLock lock(Of(metric).host->mutex_);
    Of(metric).metric.value = value;
  }
  static void Observe(summa_metric* metric, double value) {
    if (metric == nullptr) return;
    const MutexLock lock(Of(metric).host->mutex_);
    Of(metric).metric.observed.push_back(value);
  }

  static void Write(void* self, std::int32_t level, summa_str code, summa_str message,
                    const summa_log_field* fields, std::size_t field_count) {
    LoggedLine line{level, std::string(FromAbi(code)), std::string(FromAbi(message)), {}};
    for (std::size_t i = 0; i < field_count; ++i) {
      line.fields[std::string(FromAbi(fields[i].name))] = FromAbi(fields[i].value);
    }
    auto* host = static_cast<FakeHost*>(self);
    const MutexLock lock(host->mutex_);
    host->lines_.push_back(std::move(line));
  }
  static std::int32_t Find(void* self, summa_str id, summa_str alias, const void** service,
                           summa_str* provider_id, summa_error* error) {
    auto* host = static_cast<FakeHost*>(self);
    const auto found =
        host->services_.find(std::string(FromAbi(id)) + " " + std::string(FromAbi(alias)));
    if (found == host->services_.end()) {
      return summa::detail::Fill(error, SUMMA_E_NOT_FOUND, "", "no such service in this test");
    }
    *service = found->second;
    *provider_id = ToAbi("fake");
    return SUMMA_OK;
  }
  static std::int32_t FindAll(void* self, summa_str id, summa_str alias,
                              void (*on_found)(void*, const void*, summa_str), void* result,
                              summa_error*) {
    auto* host = static_cast<FakeHost*>(self);
    const auto found =
        host->services_.find(std::string(FromAbi(id)) + " " + std::string(FromAbi(alias)));
    if (found != host->services_.end()) on_found(result, found->second, ToAbi("fake"));
    return SUMMA_OK;
  }
  static std::int32_t ReadLease(void* self, summa_str worker_id, summa_lease_view* view,
                                summa_error*) {
    auto* host = static_cast<FakeHost*>(self);
    const MutexLock lock(host->mutex_);
    const std::uint32_t size = view->struct_size;
    *view = {};
    view->struct_size = size;
    const auto found = host->leases_.find(std::string(FromAbi(worker_id)));
    if (found == host->leases_.end()) return SUMMA_OK;
    const LeaseView& lease = found->second.lease;
    const std::int64_t left =
        lease.trust_left.count() - (host->now_microseconds_ - found->second.set_at);
    view->held = lease.held ? 1 : 0;
    view->trusted = lease.trusted && left > 0 ? 1 : 0;
    view->fence = lease.fence;
    view->trust_microseconds = view->trusted != 0 ? left : 0;
    if (lease.lease_until) {
      view->lease_until_unix_microseconds = ToMicroseconds(*lease.lease_until);
    }
    lease.holder.copy(view->holder, sizeof view->holder - 1);
    return SUMMA_OK;
  }
  static const void* GetService(const summa_host* table, const char* id) {
    auto* host = static_cast<FakeHost*>(table->self);
    const std::string_view name(id);
    if (name == SUMMA_LOG_V1) return &host->log_;
    if (name == SUMMA_CLOCK_V1) return &host->clock_;
    if (name == SUMMA_REGISTRY_V1) return &host->registry_;
    if (name == SUMMA_SQL_V1) return host->sql_;
    if (name == SUMMA_LEASE_V1) return &host->lease_;
    if (name == SUMMA_OPERATION_V1) return host->operations_;
    if (name == SUMMA_METRICS_V1) return &host->metrics_;
    return nullptr;
  }

  const summa_sql_v1* sql_;
  const summa_operation_v1* operations_ = nullptr;
  summa_log_v1 log_{};
  summa_clock_v1 clock_{};
  summa_registry_v1 registry_{};
  summa_lease_v1 lease_{};
  summa_metrics_v1 metrics_{};
  summa_host host_{};
  std::map<std::string, const void*> services_;
  std::atomic<std::int64_t> now_microseconds_{3'600'000'000};
  struct SetLeaseView {
    LeaseView lease;
    std::int64_t set_at;
  };
  mutable Mutex mutex_;
  std::map<std::string, SetLeaseView> leases_ SUMMA_GUARDED_BY(mutex_);
  std::vector<LoggedLine> lines_ SUMMA_GUARDED_BY(mutex_);
  std::deque<Handle> handles_ SUMMA_GUARDED_BY(mutex_);  // a deque: pointers to them stay valid
};

// A tick for tests: the worker is told to stop when the test says so. Nothing sleeps: Tick::Wait()
// returns at once, and the clock of the host that was given has then moved by as much.
class FakeTick {
 public:
  explicit FakeTick(FakeHost& host, std::uint32_t flags = 0) : FakeTick(host.sql(), flags) {
    host_ = &host;
  }
  explicit FakeTick(const summa_sql_v1* sql, std::uint32_t flags = 0) {
    tick_.struct_size = sizeof tick_;
    tick_.flags = flags;
    tick_.self = this;
    tick_.worker_id = ToAbi("test-worker");
    tick_.fence = 1;
    tick_.sql = sql;
    tick_.should_stop = [](const summa_tick* tick) -> std::int32_t {
      return static_cast<FakeTick*>(tick->self)->stop_ ? 1 : 0;
    };
    tick_.wait = [](const summa_tick* tick, std::int64_t microseconds) -> std::int32_t {
      return static_cast<FakeTick*>(tick->self)->Wait(microseconds) ? 1 : 0;
    };
  }
  FakeTick(const FakeTick&) = delete;
  FakeTick& operator=(const FakeTick&) = delete;

  const summa_tick* abi() const { return &tick_; }
  void Stop() { stop_ = true; }
  // The worker is told to stop in this call of Tick::Wait(), counted from now on; 1: in the next.
  void StopInWait(std::int64_t number) { stop_in_ = number; }
  // The sum of its pauses.
  std::chrono::microseconds waited() const { return std::chrono::microseconds(waited_); }
  void SetFlags(std::uint32_t flags) { tick_.flags = flags; }
  void SetFence(std::int64_t fence) { tick_.fence = fence; }

 private:
  bool Wait(std::int64_t microseconds) {
    if (stop_in_ > 0 && --stop_in_ == 0) stop_ = true;
    if (stop_) return true;
    waited_ += microseconds;
    if (host_ != nullptr) host_->Advance(std::chrono::microseconds(microseconds));
    return false;
  }

  summa_tick tick_{};
  FakeHost* host_ = nullptr;
  std::atomic<bool> stop_{false};
  std::atomic<std::int64_t> stop_in_{0}, waited_{0};
};

}  // namespace summa::testkit

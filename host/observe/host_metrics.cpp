#include "host/observe/host_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "host/find.hpp"
#include "host/observe/log.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

using enum MetricType;

const std::vector<MetricDeclaration>& HostMetrics() {
  static const auto* table = new std::vector<MetricDeclaration>{
      {"summa_build_info",
       kGauge,
       {"version", "abi"},
       "1, with the version of the host and its ABI."},
      {"summa_plugin_info",
       kGauge,
       {"plugin", "version", "state"},
       "1 for the current state of each plugin of this host, including refused and failed "
       "plugins."},
      {"summa_plugin_process_ends_total",
       kCounter,
       {"plugin", "reason"},
       "Ends of the process of a plugin with isolation by reason: crash, exit (without a word), "
       "failed (it said why), memory, cpu_time (limits), stuck (it did not stop in time), "
       "not_started, stopped (as it was told)."},
      {"summa_worker_runs_total",
       kCounter,
       {"worker", "outcome"},
       "Calls of the worker by outcome: ok, error, fenced, cancelled, stuck; missed counts due "
       "times that were skipped."},
      {"summa_worker_run_duration_seconds",
       kHistogram,
       {"worker"},
       "How long one call of the worker took."},
      {"summa_worker_calls_in_vain_total",
       kCounter,
       {"worker"},
       "Calls after which the worker asked to be called immediately although it had done nothing."},
      {"summa_worker_last_success_timestamp_seconds",
       kGauge,
       {"worker"},
       "When a call last succeeded on any host, from the database (Unix time); the same on every "
       "host. Absent: never."},
      {"summa_worker_next_run_timestamp_seconds",
       kGauge,
       {"worker"},
       "When the periodic worker is due next, from the database (Unix time)."},
      {"summa_worker_state",
       kGauge,
       {"worker", "state"},
       "1 for the current state of the worker on this host: running, waiting, standby, error, "
       "parked, stopped."},
      {"summa_lease_held", kGauge, {"worker"}, "1 while this host holds the lease."},
      {"summa_lease_fence", kGauge, {"worker"}, "Fence of the lease last held here."},
      {"summa_lease_trust_remaining_seconds",
       kGauge,
       {"worker"},
       "How long this host still trusts the lease without a renewal; 0 when it does not hold it."},
      {"summa_lease_renewals_total",
       kCounter,
       {"outcome"},
       "Renewals of leases: renewed, failed (no answer in time), lost (another holder has the "
       "lease)."},
      {"summa_lease_takeovers_total",
       kCounter,
       {"worker"},
       "Take-overs for which a session of the former holder had to be ended."},
      {"summa_fence_rejections_total",
       kCounter,
       {"worker"},
       "Calls that were ended, or whose commit was refused, because the lease was lost; nothing "
       "was committed."},
      {"summa_operations",
       kGauge,
       {"plugin", "kind", "state"},
       "Operations of the fleet by state: queued, running, paused, failed (until somebody resumes "
       "or aborts them), aborted (their remains are not removed yet)."},
      {"summa_operation_rows_done",
       kGauge,
       {"plugin", "kind"},
       "Rows processed by the running operation of this kind; if none runs, by the oldest open "
       "one."},
      {"summa_operation_rows_total",
       kGauge,
       {"plugin", "kind"},
       "Total rows of the same operation; 0: unknown, or there is no operation."},
      {"summa_operation_rows_per_second",
       kGauge,
       {"plugin", "kind"},
       "Recent speed of the same operation."},
      {"summa_operation_rate_limit",
       kGauge,
       {"plugin", "kind"},
       "Rate limit of the same operation in rows per second; 0: no limit."},
      {"summa_db_pool_connections",
       kGauge,
       {"database", "state"},
       "Connections for plugins by state: busy, idle, free (not opened, within pool)."},
      {"summa_db_plugin_sessions",
       kGauge,
       {"database", "plugin"},
       "Connections of the pool that the plugin uses."},
      {"summa_db_plugin_session_held_seconds",
       kGauge,
       {"database", "plugin"},
       "How long the plugin has held its longest-held connection; 0: it holds none."},
      {"summa_db_errors_total",
       kCounter,
       {"class"},
       "Failures that PostgreSQL reported, by the first two characters of the SQLSTATE; 08 also "
       "for connections that were lost or could not be opened."},
      {"summa_db_ambiguous_commits_total",
       kCounter,
       {"outcome"},
       "Commits whose answer was lost, by the outcome that the server reported afterwards: "
       "committed, aborted, unknown."},
      {"summa_http_requests_total",
       kCounter,
       {"route", "method", "status"},
       "HTTP requests that were answered. route: the path as declared, with its parameters in "
       "braces; other: a path or a method that is not served."},
      {"summa_http_request_duration_seconds",
       kHistogram,
       {"route"},
       "Time from the head of an HTTP request to its answer: receiving the body, waiting and "
       "handling, without sending the answer."},
      {"summa_http_connections", kGauge, {}, "Open HTTP connections."},
      {"summa_http_connections_closed_total",
       kCounter,
       {},
       "HTTP connections that were closed because more than 512 were open: the longest idle one, "
       "else the one that has made no progress for the longest time."},
      {"summa_log_lines_dropped_total",
       kCounter,
       {},
       "Lines of the log that were lost because they were not read in time or the disk was full."},
      {"process_cpu_seconds_total", kCounter, {}, "CPU time of this process, user and system."},
      {"process_resident_memory_bytes", kGauge, {}, "Memory of this process that is in RAM."},
      {"process_open_fds", kGauge, {}, "Open file descriptors."},
      {"process_max_fds",
       kGauge,
       {},
       "Maximum number of file descriptors that this process may open."},
      {"process_start_time_seconds", kGauge, {}, "When this process started (Unix time)."},
  };
  return *table;
}

namespace {

// Fields of /proc/self/stat behind the name, which may contain spaces; the first is the state (3).
std::vector<double> StatFields() {
  std::ifstream file("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  text.erase(0, std::min(text.rfind(')'), text.size() - 1) + 1);
  std::istringstream rest(text);
  std::string state;
  rest >> state;
  std::vector<double> fields;
  for (double value = 0; rest >> value;) fields.push_back(value);
  return fields;
}

double BootTimestamp() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    double value = 0;
    if (word == "btime" && file >> value) return value;
  }
  return 0;
}

// A counter can only be increased; two scrapes at the same time see the same value.
void SetLogMetrics() {
  static auto* mutex = new Mutex;
  const MutexLock lock(*mutex);
  static std::uint64_t counted = 0;
  const std::uint64_t lost = LogLinesLost();
  HostMetric("summa_log_lines_dropped_total").Add(static_cast<double>(lost - counted));
  counted = lost;
}

}  // namespace

std::string_view ToText(MetricType type) {
  switch (type) {
    case kCounter:
      return "counter";
    case kGauge:
      return "gauge";
    case kHistogram:
      break;
  }
  return "histogram";
}

MetricType TypeByName(std::string_view name) {
  if (name.ends_with("_total")) return kCounter;
  return name.ends_with("_duration_seconds") ? kHistogram : kGauge;
}

MetricHandle& HostMetric(std::string_view name, std::initializer_list<std::string_view> values) {
  static auto* nothing = new MetricHandle;
  const MetricDeclaration* declared = FindNamed(HostMetrics(), &MetricDeclaration::name, name);
  if (declared == nullptr || declared->labels.size() != values.size()) return *nothing;
  MetricLabels labels;
  labels.reserve(values.size());
  auto label = declared->labels.begin();
  for (const std::string_view value : values) labels.emplace_back(*label++, std::string(value));
  MetricHandle* metric = FindMetric(declared->type, name, declared->help, labels);
  return metric == nullptr ? *nothing : *metric;
}

void SetHostMetric(std::string_view name, double value,
                   std::initializer_list<std::string_view> values) {
  HostMetric(name, values).Set(value);
}

void CountDatabaseError(std::string_view sqlstate) {
  std::string_view state_class = sqlstate.size() == 5 ? sqlstate.substr(0, 2) : "08";
  // The other end of the connection must not be able to create series.
  const bool well = std::all_of(state_class.begin(), state_class.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
  });
  HostMetric("summa_db_errors_total", {well ? state_class : "XX"}).Add(1);
}

void SetProcessMetrics() {
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  // man 5 proc: utime 14, stime 15, starttime 22, rss 24; the first of ours is field 4.
  constexpr std::size_t kUser = 10, kSystem = 11, kStart = 18, kResident = 20;
  const std::vector<double> fields = StatFields();
  if (fields.size() > kResident) {
    // A counter is added to; who scrapes at once with another sees the same value.
    static auto* mutex = new Mutex;
    const MutexLock lock(*mutex);
    static double counted = 0;
    const double cpu = (fields[kUser] + fields[kSystem]) / ticks;
    HostMetric("process_cpu_seconds_total").Add(cpu - counted);
    counted = std::max(counted, cpu);
    SetHostMetric("process_resident_memory_bytes",
                  fields[kResident] * static_cast<double>(sysconf(_SC_PAGESIZE)));
    SetHostMetric("process_start_time_seconds", BootTimestamp() + fields[kStart] / ticks);
  }
  SetLogMetrics();
  std::error_code error;
  std::int64_t open = -1;  // the one that lists them
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    ++open;
  }
  if (!error) SetHostMetric("process_open_fds", static_cast<double>(open));
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    SetHostMetric("process_max_fds", static_cast<double>(limit.rlim_cur));
  }
}

}  // namespace summa::host

#include "foreign_table.hpp"

#include <dlfcn.h>
#include <summa/abi/activity.h>
#include <summa/abi/bus.h>
#include <summa/abi/command.h>
#include <summa/abi/endpoint.h>
#include <summa/abi/health.h>
#include <summa/abi/projection.h>
#include <summa/abi/reload.h>
#include <summa/abi/worker.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

namespace summa::conformance {
namespace {

constexpr std::uint32_t kLargest = 64 * 1024;

struct KnownTable {
  std::string_view id;
  std::uint32_t size;
  std::uint32_t first_function, last_function;  // that must be there; 0: none
  std::uint32_t no_function = 0;                // between them
};

constexpr KnownTable kTables[] = {
    {SUMMA_WORKER_V1, sizeof(summa_worker_v1), 0, 0},
    {SUMMA_ENDPOINT_V1, sizeof(summa_endpoint_v1), 0, 0},
    {SUMMA_PROJECTION_V1, sizeof(summa_projection_v1), 0, 0},
    {SUMMA_HEALTH_V1, sizeof(summa_health_v1), 0, 0},
    {SUMMA_ACTIVITY_V1, sizeof(summa_activity_v1), offsetof(summa_activity_v1, activate),
     offsetof(summa_activity_v1, deactivate)},
    {SUMMA_RELOAD_V1, sizeof(summa_reload_v1), offsetof(summa_reload_v1, reload),
     offsetof(summa_reload_v1, reload)},
    {SUMMA_COMMAND_V1, sizeof(summa_command_v1), offsetof(summa_command_v1, run),
     offsetof(summa_command_v1, run)},
    {SUMMA_STATUS_V1, sizeof(summa_status_v1), offsetof(summa_status_v1, status),
     offsetof(summa_status_v1, status)},
    // A bus may be older than revoked().
    {SUMMA_BUS_V1, offsetof(summa_bus_v1, revoked), offsetof(summa_bus_v1, publish),
     offsetof(summa_bus_v1, delete_group), offsetof(summa_bus_v1, claim_after_microseconds)},
};

std::uint32_t SizeOf(const void* table) {
  std::uint32_t size = 0;
  std::memcpy(&size, table, sizeof size);
  return size;
}

// Reads what may not be there.
bool Copy(const void* from, std::vector<unsigned char>& bytes) {
  const iovec to{bytes.data(), bytes.size()};
  const iovec source{const_cast<void*>(from), bytes.size()};
  return process_vm_readv(getpid(), &to, 1, &source, 1, 0) == static_cast<ssize_t>(bytes.size());
}

bool MayStandThere(std::uint64_t word) {
  constexpr std::uint64_t kSmallNumber = 0xFFFF;
  if (word <= kSmallNumber) return true;
  Dl_info info{};
  return dladdr(reinterpret_cast<const void*>(word), &info) != 0;
}

bool HasFunctions(const KnownTable& known, const void* table) {
  if (known.first_function == 0) return true;
  for (std::uint32_t at = known.first_function; at <= known.last_function; at += sizeof(void*)) {
    if (at == known.no_function) continue;
    void* pointer = nullptr;
    std::memcpy(&pointer, static_cast<const char*>(table) + at, sizeof pointer);
    if (pointer == nullptr) return false;
  }
  return true;
}

// The entries of a table of workers.
std::string ProblemOfWorkers(const summa_worker_v1& table) {
  if (table.worker_count > 0 && table.workers == nullptr) return "its workers are NULL";
  for (std::uint32_t i = 0; i < table.worker_count; ++i) {
    const summa_worker* worker = table.workers[i];
    if (worker == nullptr || worker->struct_size < sizeof(summa_worker) ||
        worker->tick == nullptr || worker->id.data == nullptr) {
      return "its worker number " + std::to_string(i) + " is incomplete";
    }
  }
  return "";
}

std::string ProblemOfRoutes(const summa_endpoint_v1& table) {
  if (table.route_count > 0 && table.routes == nullptr) return "its routes are NULL";
  for (std::uint32_t i = 0; i < table.route_count; ++i) {
    const summa_route* route = table.routes[i];
    if (route == nullptr || route->struct_size < sizeof(summa_route) || route->handle == nullptr ||
        route->method.data == nullptr || route->path.data == nullptr) {
      return "its route number " + std::to_string(i) + " is incomplete";
    }
  }
  return "";
}

}  // namespace

TableProblem ProblemOfTable(std::string_view id, const void* table) {
  const std::uint32_t size = SizeOf(table);
  for (const KnownTable& known : kTables) {
    if (known.id != id) continue;
    if (size < known.size) {
      return {"its table has " + std::to_string(size) + " bytes, needed at least " +
                  std::to_string(known.size),
              true};
    }
    if (!HasFunctions(known, table)) return {"a function of its table is missing", true};
    std::string entries;
    if (id == SUMMA_WORKER_V1)
      entries = ProblemOfWorkers(*static_cast<const summa_worker_v1*>(table));
    if (id == SUMMA_ENDPOINT_V1) {
      entries = ProblemOfRoutes(*static_cast<const summa_endpoint_v1*>(table));
    }
    if (!entries.empty()) return {entries, true};
    const std::uint32_t whole =
        id == SUMMA_BUS_V1 ? static_cast<std::uint32_t>(sizeof(summa_bus_v1)) : known.size;
    if (const std::string behind = ProblemBehind(table, whole); !behind.empty()) {
      return {"its table " + behind, false};
    }
    return {};
  }
  if (size < 2 * sizeof(std::uint32_t)) return {"its table has no struct_size", false};
  return {};
}

std::string ProblemBehind(const void* table, std::uint32_t known) {
  const std::uint32_t size = SizeOf(table);
  if (size <= known) return "";
  const std::string says = "says that it has " + std::to_string(size) + " bytes, " +
                           std::to_string(size - known) + " more than this ABI knows";
  std::vector<unsigned char> bytes(size > kLargest ? 0 : size - known);
  if (bytes.empty() || !Copy(static_cast<const char*>(table) + known, bytes)) {
    return says + ", and they are not there";
  }
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, std::min(sizeof word, bytes.size() - at));
    if (!MayStandThere(word)) return says + ", and rubbish stands in them";
  }
  return "";
}

}  // namespace summa::conformance

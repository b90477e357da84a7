#include "host/process/process_usage.hpp"

#include <unistd.h>

#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>

namespace summa::host {
namespace {

std::string ReadProc(pid_t process, const char* name) {
  std::ifstream file("/proc/" + std::to_string(process) + "/" + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

// "VmRSS:     1234 kB" in bytes; 0: there is no such line.
std::int64_t KilobytesOf(std::string_view status, std::string_view name) {
  const std::size_t at = status.find(name);
  if (at == std::string_view::npos) return 0;
  status.remove_prefix(at + name.size());
  status.remove_prefix(std::min(status.find_first_of("0123456789"), status.size()));
  std::int64_t kilobytes = 0;
  std::from_chars(status.data(), status.data() + status.size(), kilobytes);
  return kilobytes * 1024;
}

// The fields behind the name, which may contain spaces: utime is the 12th, stime the 13th.
std::optional<Microseconds> CpuOf(const std::string& stat) {
  constexpr int kUser = 11;
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream rest(stat.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < kUser; ++i) rest >> skipped;
  std::int64_t user = 0, system = 0;
  if (!(rest >> user >> system)) return std::nullopt;
  constexpr std::int64_t kMicrosecondsPerSecond = 1'000'000;
  return Microseconds((user + system) * kMicrosecondsPerSecond / sysconf(_SC_CLK_TCK));
}

}  // namespace

std::optional<ProcessUsage> ReadUsage(pid_t process) {
  const std::string status = ReadProc(process, "status");
  const auto cpu = CpuOf(ReadProc(process, "stat"));
  if (status.empty() || !cpu) return std::nullopt;
  return ProcessUsage{KilobytesOf(status, "\nVmRSS:") + KilobytesOf(status, "\nVmSwap:"), *cpu};
}

Microseconds CpuWindow::Add(BootTime now, Microseconds cpu) {
  samples_.push_back({now, cpu});
  while (samples_.size() > 1 && now - samples_[1].at >= kLength) samples_.pop_front();
  return cpu - samples_.front().cpu;
}

}  // namespace summa::host

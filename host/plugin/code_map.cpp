#include "host/plugin/code_map.hpp"

#include <link.h>
#include <pthread.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

namespace summa::host {
namespace {

struct Code {
  std::uintptr_t begin = 0, end = 0;
  char plugin[64] = {};
};

// More segments of code than a host has plugins by far; those beyond are not named.
constexpr std::size_t kMaxCode = 256;
std::array<Code, kMaxCode> code_map;
std::atomic<std::size_t> code_count{0};  // written last: what is counted is whole

// The stack of a thread is 8 MiB unless it was asked for otherwise.
constexpr std::uintptr_t kMaxStack = std::uintptr_t{16} << 20;
constexpr std::size_t kChunkWords = 4096;

void Add(std::string_view plugin, std::uintptr_t begin, std::uintptr_t size) {
  const std::size_t count = code_count.load();
  if (count == kMaxCode) return;
  Code& code = code_map[count];
  code.begin = begin;
  code.end = begin + size;
  std::memcpy(code.plugin, plugin.data(), std::min(plugin.size(), sizeof code.plugin - 1));
  code_count = count + 1;
}

}  // namespace

void RememberCode(std::string_view plugin, std::uintptr_t load_address) {
  struct Search {
    std::string_view plugin;
    std::uintptr_t load_address;
  } search{plugin, load_address};
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* given) {
        const Search& wanted = *static_cast<Search*>(given);
        if (info->dlpi_addr != wanted.load_address) return 0;
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& segment = info->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
          Add(wanted.plugin, info->dlpi_addr + segment.p_vaddr, segment.p_memsz);
        }
        return 1;
      },
      &search);
}

const char* PluginOfCode(std::uintptr_t address) noexcept {
  const std::size_t count = code_count.load();
  for (std::size_t i = 0; i < count; ++i) {
    if (address >= code_map[i].begin && address < code_map[i].end) return code_map[i].plugin;
  }
  return nullptr;
}

const char* PluginOnStack(std::uintptr_t stack_pointer) noexcept {
  if (getpid() == gettid()) return nullptr;
  // The C library keeps what it knows of a thread at the top of its stack.
  const auto top = static_cast<std::uintptr_t>(pthread_self());
  const std::uintptr_t begin = stack_pointer & ~(sizeof(std::uintptr_t) - 1);
  if (top <= begin || top - begin > kMaxStack) return nullptr;
  static std::uintptr_t words[kChunkWords];  // one process crashes once
  for (std::uintptr_t at = begin; at < top; at += sizeof words) {
    // The kernel reads it: a stack that is broken must not crash whoever looks at it.
    iovec to{words, std::min<std::size_t>(sizeof words, top - at)};
    // NOLINTNEXTLINE(performance-no-int-to-ptr): it comes from a register.
    const iovec from{reinterpret_cast<void*>(at), to.iov_len};
    const ssize_t size = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
    for (ssize_t i = 0; i < size / static_cast<ssize_t>(sizeof words[0]); ++i) {
      if (const char* plugin = PluginOfCode(words[i])) return plugin;
    }
    if (size < static_cast<ssize_t>(to.iov_len)) return nullptr;
  }
  return nullptr;
}

}  // namespace summa::host

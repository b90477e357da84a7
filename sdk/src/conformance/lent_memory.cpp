#include "lent_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <new>

#include <summa/conformance.hpp>

namespace summa::conformance {
namespace {

// Read by a signal handler, so of a fixed size; the oldest are overwritten.
struct Known {
  std::atomic<std::uintptr_t> begin{0}, end{0};
  std::atomic<const char*> what{nullptr};
};
constexpr std::size_t kKnown = 16384;
std::array<Known, kKnown>& KnownPlaces() {
  static auto* const places = new std::array<Known, kKnown>;
  return *places;
}
std::atomic<std::size_t> next_known{0};

void Remember(const void* begin, std::size_t bytes, const char* what) {
  Known& known = KnownPlaces()[next_known++ % kKnown];
  known.what = what;
  known.begin = reinterpret_cast<std::uintptr_t>(begin);
  known.end = reinterpret_cast<std::uintptr_t>(begin) + bytes;
}

}  // namespace

const char* LentAt(const void* address) noexcept {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  for (const Known& known : KnownPlaces()) {
    if (at >= known.begin && at < known.end) return known.what;
  }
  return nullptr;
}

void* LentMemory::Take(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t used = (bytes + page - 1) / page * page;
  void* begin =
      mmap(nullptr, used + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (begin == MAP_FAILED) throw std::bad_alloc();
  if (mprotect(static_cast<char*>(begin) + used, page, PROT_NONE) != 0) throw std::bad_alloc();
  Remember(begin, used + page, what_);
  {
    const MutexLock lock(mutex_);
    places_.push_back({begin, used});
  }
  return static_cast<char*>(begin) + used - bytes;
}

summa_str LentMemory::Text(std::string_view text) {
  if (text.empty()) return {nullptr, 0};
  auto* place = static_cast<char*>(Take(text.size()));
  std::memcpy(place, text.data(), text.size());
  return {place, text.size()};
}

const summa_str* LentMemory::Texts(const std::vector<summa_str>& texts) {
  if (texts.empty()) return nullptr;
  auto* place = static_cast<summa_str*>(Take(texts.size() * sizeof(summa_str)));
  std::memcpy(place, texts.data(), texts.size() * sizeof(summa_str));
  return place;
}

void LentMemory::Revoke() noexcept {
  const MutexLock lock(mutex_);
  for (const Place& place : places_) mprotect(place.begin, place.bytes, PROT_NONE);
  places_.clear();
}

}  // namespace summa::conformance

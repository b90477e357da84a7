// Memory that the plugin is given for a while: a page that ends where the value ends, so that
// whoever reads on is stopped by the processor, and that is taken away when the time is over.
#pragma once

#include <summa/abi/plugin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include <summa/mutex.hpp>

namespace summa::conformance {

// How large structs are that the plugin is given.
enum class Sizes {
  kExact,  // as the headers of this suite say, and nothing may be touched behind them
  kLarger  // as those of a later host: rubbish behind what is known
};

// Lends until Revoke(), which every lender calls; the addresses are never used again. Thread-safe.
class LentMemory {
 public:
  // what: "the configuration of configure()", for as long as the process lives.
  LentMemory(const char* what, Sizes sizes) : what_(what), sizes_(sizes) {}
  LentMemory(const LentMemory&) = delete;
  LentMemory& operator=(const LentMemory&) = delete;
  ~LentMemory() { Revoke(); }

  // A struct of the ABI, whose first member is its size.
  template <typename T>
  T* Struct(const T& value) {
    static_assert(sizeof(T) % 8 == 0, "it begins where it may, and ends with its page");
    const std::size_t extra = sizes_ == Sizes::kLarger ? kExtraBytes : 0;
    auto* place = static_cast<char*>(Take(sizeof(T) + extra));
    std::memcpy(place, &value, sizeof(T));
    if (extra > 0) std::memset(place + sizeof(T), kRubbish, extra);
    const auto size = static_cast<std::uint32_t>(sizeof(T) + extra);
    std::memcpy(place, &size, sizeof size);
    return reinterpret_cast<T*>(place);
  }
  // Bytes that end with the page, without a NUL behind them.
  summa_str Text(std::string_view text);
  const summa_str* Texts(const std::vector<summa_str>& texts);
  void Revoke() noexcept;

 private:
  static constexpr std::size_t kExtraBytes = 64;
  static constexpr int kRubbish = 0xA5;
  void* Take(std::size_t bytes);

  const char* const what_;
  const Sizes sizes_;
  struct Place {
    void* begin;
    std::size_t bytes;
  };
  Mutex mutex_;
  std::vector<Place> places_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa::conformance

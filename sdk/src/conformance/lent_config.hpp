// A configuration in memory that ends with the call it is given to.
#pragma once

#include <summa/abi/plugin.h>

#include <cstddef>
#include <cstdint>

#include "lent_memory.hpp"

namespace summa::conformance {

// One thread at a time.
class LentConfig {
 public:
  // inner: nullptr: one without keys.
  LentConfig(const summa_config* inner, const char* what, Sizes sizes);
  const summa_config* table() const { return table_; }
  void Revoke() { memory_.Revoke(); }

 private:
  static std::int32_t Get(void* self, summa_str path, summa_str* value);
  static std::size_t Keys(void* self, summa_str path, const summa_str** names);

  const summa_config* const inner_;
  LentMemory memory_;
  const summa_config* table_ = nullptr;
};

}  // namespace summa::conformance

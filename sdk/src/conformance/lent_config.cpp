#include "lent_config.hpp"

#include <vector>

#include <summa/error.hpp>

namespace summa::conformance {

LentConfig::LentConfig(const summa_config* inner, const char* what, Sizes sizes)
    : inner_(inner), memory_(what, sizes) {
  summa_config config{};
  config.self = this;
  config.get = &LentConfig::Get;
  config.keys = &LentConfig::Keys;
  table_ = memory_.Struct(config);
}

std::int32_t LentConfig::Get(void* self, summa_str path, summa_str* value) {
  auto* config = static_cast<LentConfig*>(self);
  summa_str found{};
  if (config->inner_ == nullptr) return 0;
  if (config->inner_->get(config->inner_->self, path, &found) == 0) return 0;
  *value = config->memory_.Text(FromAbi(found));
  return 1;
}

std::size_t LentConfig::Keys(void* self, summa_str path, const summa_str** names) {
  auto* config = static_cast<LentConfig*>(self);
  *names = nullptr;
  if (config->inner_ == nullptr) return 0;
  const summa_str* found = nullptr;
  const std::size_t count = config->inner_->keys(config->inner_->self, path, &found);
  std::vector<summa_str> lent;
  for (std::size_t i = 0; i < count; ++i) lent.push_back(config->memory_.Text(FromAbi(found[i])));
  *names = config->memory_.Texts(lent);
  return count;
}

}  // namespace summa::conformance

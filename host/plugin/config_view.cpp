#include "host/plugin/config_view.hpp"

#include <utility>

#include "host/abi/abi_text.hpp"

namespace summa::host {

ConfigView::ConfigView(Value root) : root_(std::move(root)) {
  table_.struct_size = sizeof(summa_config);
  table_.self = this;
  table_.get = &ConfigView::Get;
  table_.keys = &ConfigView::Keys;
}

const Value* ConfigView::Find(std::string_view path) const {
  const Value* found = root_.Find(path);
  return found == nullptr || found->null ? nullptr : found;
}

// Maps and lists have members, no value of their own.
std::int32_t ConfigView::Get(void* self, summa_str path, summa_str* value) {
  const Value* found = static_cast<ConfigView*>(self)->Find(View(path));
  if (found == nullptr || found->type == Schema::Type::kMap || found->type == Schema::Type::kList) {
    return 0;
  }
  *value = {found->text.data(), found->text.size()};
  return 1;
}

std::size_t ConfigView::Keys(void* self, summa_str path, const summa_str** names) {
  auto* view = static_cast<ConfigView*>(self);
  const auto [entry, is_new] = view->keys_.try_emplace(Copy(path));
  std::vector<summa_str>& keys = entry->second;
  if (const Value* found = view->Find(View(path)); is_new && found != nullptr) {
    for (const auto& [name, member] : found->members) keys.push_back({name.data(), name.size()});
    for (std::size_t i = 0; i < found->items.size(); ++i) {
      if (i == view->numbers_.size()) view->numbers_.push_back(std::to_string(i));
      keys.push_back({view->numbers_[i].data(), view->numbers_[i].size()});
    }
  }
  *names = keys.data();
  return keys.size();
}

}  // namespace summa::host

#include "host/plugin/config_view.hpp"

namespace summa::host {
namespace {

// The rest of `path` behind `name`, when `path` begins with that member.
bool Step(std::string_view path, std::string_view name, std::string_view* rest) {
  if (!path.starts_with(name)) return false;
  if (path.size() == name.size()) {
    *rest = {};
    return true;
  }
  if (path[name.size()] != '.') return false;
  *rest = path.substr(name.size() + 1);
  return true;
}

const Value* Walk(const Value& value, std::string_view path) {
  if (path.empty()) return value.null ? nullptr : &value;
  std::string_view rest;
  for (const auto& [name, member] : value.members) {
    if (!Step(path, name, &rest)) continue;
    if (const Value* found = Walk(member, rest)) return found;
  }
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    if (Step(path, std::to_string(i), &rest)) return Walk(value.items[i], rest);
  }
  return nullptr;
}

std::string_view View(summa_str text) {
  return text.size == 0 ? std::string_view{} : std::string_view(text.data, text.size);
}

}  // namespace

ConfigView::ConfigView(const Value& root) : root_(root) {
  table_.struct_size = sizeof(summa_config);
  table_.self = this;
  table_.get = &ConfigView::Get;
  table_.keys = &ConfigView::Keys;
}

const Value* ConfigView::Find(std::string_view path) const { return Walk(root_, path); }

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
  const auto [entry, is_new] = view->keys_.try_emplace(std::string(View(path)));
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

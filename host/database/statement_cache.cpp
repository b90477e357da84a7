#include "host/database/statement_cache.hpp"

#include <functional>

namespace summa::host {

const PreparedStatement* StatementCache::Find(std::string_view sql) {
  const auto found = by_text_.find(sql);
  if (found == by_text_.end()) return nullptr;
  order_.splice(order_.begin(), order_, found->second);
  return &order_.front();
}

bool StatementCache::SeenBefore(std::string_view sql) {
  const std::size_t hash = std::hash<std::string_view>{}(sql);
  std::size_t& slot = seen_[hash % kSeen];
  if (slot == hash) return true;
  slot = hash;
  return false;
}

std::optional<std::string> StatementCache::MakeRoom() {
  if (order_.size() < kPreparedStatements) return std::nullopt;
  std::string name = std::move(order_.back().name);
  by_text_.erase(order_.back().sql);
  order_.pop_back();
  return name;
}

const PreparedStatement& StatementCache::Add(PreparedStatement statement) {
  Forget(statement.sql);
  order_.push_front(std::move(statement));
  by_text_.emplace(order_.front().sql, order_.begin());
  return order_.front();
}

void StatementCache::Forget(std::string_view sql) {
  const auto found = by_text_.find(sql);
  if (found == by_text_.end()) return;
  const auto statement = found->second;
  by_text_.erase(found);
  order_.erase(statement);
}

}  // namespace summa::host

// Which statements of one connection are prepared: those whose text came twice, at most
// kPreparedStatements, the least recently used one goes first. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace summa::host {

// A worker uses about ten; each costs the server some ten kilobytes per connection.
inline constexpr std::size_t kPreparedStatements = 128;

struct PreparedStatement {
  std::string sql;
  std::string name;
  std::vector<std::uint32_t> types;
  bool leaves_traces = false;
};

class StatementCache {
 public:
  // nullptr: not prepared. Marks it as used.
  const PreparedStatement* Find(std::string_view sql);
  // Whether this text was seen before (false negatives and rare false positives do no harm: they
  // decide only when a statement is prepared).
  bool SeenBefore(std::string_view sql);
  // The name of the statement that must be deallocated first, when the cache is full; it is
  // forgotten here.
  std::optional<std::string> MakeRoom();
  const PreparedStatement& Add(PreparedStatement statement);
  std::string NewName() { return "summa_" + std::to_string(++names_); }
  void Forget(std::string_view sql);
  std::size_t size() const { return order_.size(); }

 private:
  static constexpr std::size_t kSeen = 512;  // one-time texts must not displace prepared ones

  std::list<PreparedStatement> order_;  // most recently used first
  std::unordered_map<std::string_view, std::list<PreparedStatement>::iterator> by_text_;
  std::array<std::size_t, kSeen> seen_{};
  std::uint64_t names_ = 0;
};

}  // namespace summa::host

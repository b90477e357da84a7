// A set of positions as PostgreSQL's int8multirange writes it: {[1,5),[7,8)} are 1 to 4 and 7.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace summa::reconciliation {

class Positions {
 public:
  struct Range {
    std::int64_t begin = 0, end = 0;  // end: exclusive
  };

  Positions() = default;
  // Of the text of a multirange.
  explicit Positions(std::string_view text);

  // In rising order.
  void Add(std::int64_t position) {
    if (!ranges_.empty() && ranges_.back().end == position) {
      ++ranges_.back().end;
    } else {
      ranges_.push_back({position, position + 1});
    }
  }
  std::string Text() const;
  const std::vector<Range>& ranges() const { return ranges_; }
  std::int64_t first() const { return ranges_.empty() ? 0 : ranges_.front().begin; }
  std::int64_t last() const { return ranges_.empty() ? 0 : ranges_.back().end - 1; }

 private:
  std::vector<Range> ranges_;
};

}  // namespace summa::reconciliation

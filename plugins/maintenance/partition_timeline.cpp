#include "partition_timeline.hpp"

#include <algorithm>
#include <cstddef>

namespace summa::maintenance {
namespace {

constexpr std::size_t kWidth = 40;

bool Unbounded(const Range& range) {
  return range.from == DatabaseTime::min() || range.to == DatabaseTime::max();
}

}  // namespace

std::vector<std::string> DrawTimeline(const std::vector<TimelineBar>& bars, DatabaseTime now) {
  DatabaseTime from = now, to = now + std::chrono::microseconds(1);
  for (const TimelineBar& bar : bars) {
    // The bound of an overflow partition is that of a range, or where one is missing.
    if (bar.range.from != DatabaseTime::min()) from = std::min(from, bar.range.from);
    if (bar.range.to != DatabaseTime::max()) to = std::max(to, bar.range.to);
  }
  const double span = static_cast<double>((to - from).count());
  // Column 0 and the last one are for overflow.
  const auto column = [&](DatabaseTime at) {
    if (at == DatabaseTime::min()) return std::size_t{0};
    if (at == DatabaseTime::max()) return kWidth + 1;
    const double part = static_cast<double>((at - from).count()) / span;
    return 1 + std::min(static_cast<std::size_t>(part * static_cast<double>(kWidth)), kWidth);
  };
  std::vector<std::string> lines;
  lines.reserve(bars.size());
  for (const TimelineBar& bar : bars) {
    std::string line(kWidth + 2, ' ');
    line[column(now)] = '|';
    char mark = bar.range.to <= now ? '=' : bar.range.from > now ? '+' : '#';
    if (!bar.attached) mark = '.';
    if (bar.remainder) mark = '-';
    if (Unbounded(bar.range)) mark = bar.range.from == DatabaseTime::min() ? '<' : '>';
    const std::size_t begin = column(bar.range.from);
    const std::size_t end = bar.range.to == DatabaseTime::max() ? kWidth + 2 : column(bar.range.to);
    const std::size_t last = std::max(begin + 1, end);
    std::fill(line.begin() + static_cast<std::ptrdiff_t>(begin),
              line.begin() + static_cast<std::ptrdiff_t>(std::min(last, line.size())), mark);
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace summa::maintenance

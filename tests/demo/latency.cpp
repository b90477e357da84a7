#include "tests/demo/latency.hpp"

#include <algorithm>
#include <unordered_map>

#include "tests/demo/text.hpp"

namespace summa::demo {
namespace {

// Positions per look-up: a statement of some 100 KiB.
constexpr std::ptrdiff_t kFindCommits = 10'000;

constexpr char kCommitTimes[] =
    "SELECT sequence_number, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint"
    " FROM ledger_event WHERE sequence_number = ANY ($1::bigint[])";

Percentiles Of(std::vector<std::int64_t> microseconds) {
  Percentiles result;
  result.count = microseconds.size();
  if (microseconds.empty()) return result;
  std::sort(microseconds.begin(), microseconds.end());
  const auto at = [&](double share) {
    const auto index = static_cast<std::size_t>(share * static_cast<double>(microseconds.size()));
    return static_cast<double>(microseconds[std::min(index, microseconds.size() - 1)]) / 1000;
  };
  result.p50_ms = at(0.5);
  result.p99_ms = at(0.99);
  result.max_ms = static_cast<double>(microseconds.back()) / 1000;
  return result;
}

}  // namespace

std::string ToText(const Percentiles& percentiles) {
  if (percentiles.count == 0) return "no latency measured";
  return "p50 " + Decimal(percentiles.p50_ms) + " ms  p99 " + Decimal(percentiles.p99_ms) +
         " ms  max " + Decimal(percentiles.max_ms) + " ms";
}

void LatencyMeter::MeasurePart(const Arrival* begin, const Arrival* end,
                               std::vector<std::int64_t>& out) {
  std::string positions = "{";
  for (const Arrival* arrival = begin; arrival != end; ++arrival) {
    if (arrival->position < 0) continue;  // without a position its event is not known
    positions += (positions.size() > 1 ? "," : "") + std::to_string(arrival->position);
  }
  std::unordered_map<std::int64_t, std::int64_t> committed;
  for (const test::Row& row : db_.Query(kCommitTimes, {positions + "}"})) {
    committed[std::stoll(row[0])] = std::stoll(row[1]);
  }
  for (const Arrival* arrival = begin; arrival != end; ++arrival) {
    const auto found = committed.find(arrival->position);
    if (found != committed.end()) out.push_back(arrival->unix_microseconds - found->second);
  }
}

Percentiles LatencyMeter::Measure(const std::vector<Arrival>& arrivals) {
  std::vector<std::int64_t> microseconds;
  const Arrival* end = arrivals.data() + arrivals.size();
  for (const Arrival* part = arrivals.data(); part != end;) {
    const Arrival* next = part + std::min(kFindCommits, end - part);
    MeasurePart(part, next, microseconds);
    part = next;
  }
  all_microseconds_.insert(all_microseconds_.end(), microseconds.begin(), microseconds.end());
  return Of(std::move(microseconds));
}

Percentiles LatencyMeter::All() const { return Of(all_microseconds_); }

}  // namespace summa::demo

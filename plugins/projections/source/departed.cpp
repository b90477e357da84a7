#include "source/departed.hpp"

#include <algorithm>

#include "projections_sql.hpp"

namespace summa::projections {
namespace {

using Hole = ledger::Checkpoint::Hole;

bool KeepsDeparted(Session& ledger, const ledger::EventTable& table) {
  return ledger.Exec(sql::keeps_departed, {table.name})
      .Value<std::optional<bool>>()
      .value_or(false);
}

[[noreturn]] void Refuse(const std::string& what) {
  throw Error(SUMMA_E_DATA, kDeparted, what,
              "Attach the ranges again (`summa-host partitions attach NAME`), then do it again; "
              "they may leave afterwards");
}

// In order, both; what is taken away may lie anywhere.
std::vector<Hole> Without(const std::vector<Hole>& numbers, std::span<const Hole> taken) {
  std::vector<Hole> left;
  auto next = taken.begin();
  for (Hole rest : numbers) {
    while (next != taken.end() && next->to < rest.from) ++next;
    for (auto at = next; at != taken.end() && at->from <= rest.to; ++at) {
      if (rest.from < at->from) left.push_back({rest.from, at->from - 1});
      rest.from = at->to + 1;
    }
    if (rest.from <= rest.to) left.push_back(rest);
  }
  return left;
}

}  // namespace

std::vector<Hole> PassedOver(const ledger::Checkpoint& from, const ledger::Checkpoint& reached,
                             std::span<const std::int64_t> delivered) {
  std::vector<Hole> lacked = from.holes;
  if (from.position < reached.position) lacked.push_back({from.position + 1, reached.position});
  std::vector<Hole> given;
  given.reserve(delivered.size());
  for (const std::int64_t position : delivered) {
    if (!given.empty() && given.back().to + 1 == position) {
      given.back().to = position;
    } else {
      given.push_back({position, position});
    }
  }
  return Without(Without(lacked, reached.holes), given);
}

void RequireWholeHistory(Session& ledger, const ledger::EventTable& table) {
  if (!KeepsDeparted(ledger, table)) return;
  const Result range = ledger.Exec(sql::departed_range, {table.name});
  if (range.rows() == 0) return;
  Refuse("the read model needs all events, and those of " + range[0].Get<std::string>("name") +
         " have left the ledger");
}

void RequireAllDelivered(Session& ledger, const ledger::EventTable& table,
                         const ledger::Checkpoint& from, const ledger::Checkpoint& reached,
                         std::span<const std::int64_t> delivered) {
  const std::vector<Hole> numbers = PassedOver(from, reached, delivered);
  if (numbers.empty() || !KeepsDeparted(ledger, table)) return;
  std::vector<std::int64_t> low, high;
  for (const Hole& hole : numbers) {
    low.push_back(hole.from);
    high.push_back(hole.to);
  }
  const auto position = ledger.Exec(sql::departed_position, {IntegerArray(low), IntegerArray(high)})
                            .Value<std::optional<std::int64_t>>();
  if (!position) return;
  Refuse("the event at position " + std::to_string(*position) +
         " has left the ledger before it was read");
}

void RequireWholeAggregates(Session& ledger, const ledger::EventTable& table,
                            const std::string& aggregates, const Uuid& parameter) {
  if (!KeepsDeparted(ledger, table)) return;
  const Result range = ledger.Exec(
      "SELECT r.name FROM summa_host.partition_edge d JOIN summa_host.partition_record r ON r.id = "
      "d.record WHERE r.state <> 'attached' AND to_regclass(r.parent) = to_regclass($2::text) AND "
      "d.aggregate_type IN ('account', 'hold', 'transaction') AND d.aggregate_id IN (" +
          aggregates + ") LIMIT 1",
      {UuidValue(parameter), table.name});
  if (range.rows() == 0) return;
  Refuse("events of " + ToText(parameter) + " have left the ledger with " +
         range[0].Get<std::string>("name"));
}

}  // namespace summa::projections

#include "engine/lag.hpp"

#include <string>

namespace summa::projections {

std::vector<Lag> ReadLag(Session& ledger, const ledger::EventTable& table,
                         std::span<const Build> builds) {
  std::vector<Lag> all;
  if (builds.empty()) return all;
  std::vector<std::int64_t> positions;
  for (const Build& build : builds) positions.push_back(build.checkpoint.position);
  const std::string statement =
      "SELECT h.head, coalesce(extract(epoch FROM clock_timestamp() - (SELECT e.created_at FROM " +
      table.name + " e WHERE e." + table.position + " > p.position ORDER BY e." + table.position +
      " LIMIT 1)), 0)::float8 AS seconds FROM unnest($1::bigint[]) WITH ORDINALITY AS p (position, "
      "number), (SELECT coalesce(max(" +
      table.position + "), 0)::bigint AS head FROM " + table.name + ") h ORDER BY p.number";
  const Result found = ledger.Exec(statement, {IntegerArray(positions)});
  for (std::size_t i = 0; i < builds.size(); ++i) {
    Lag lag;
    lag.head = found[i].Get<std::int64_t>("head");
    lag.events = std::max<std::int64_t>(0, lag.head - positions[i]);
    lag.seconds = lag.events == 0 ? 0 : std::max(0.0, found[i].Get<double>("seconds"));
    all.push_back(lag);
  }
  return all;
}

}  // namespace summa::projections

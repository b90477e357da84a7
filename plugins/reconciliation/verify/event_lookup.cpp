#include "event_lookup.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace summa::verify {
namespace {

constexpr std::size_t kBatch = 500;

using Key = std::tuple<std::string, std::string, std::int64_t>;
struct Place {
  std::string event_id;
  std::int64_t position = 0;
};

std::map<Key, Place> LookUp(Session& session, const ledger::EventTable& table,
                            std::span<const Finding> findings) {
  std::vector<std::string> types, ids;
  std::vector<std::int64_t> versions;
  types.reserve(findings.size());
  ids.reserve(findings.size());
  versions.reserve(findings.size());
  for (const Finding& finding : findings) {
    if (!finding.version || finding.aggregate_id.empty()) continue;
    types.push_back(finding.aggregate_type);
    ids.push_back(finding.aggregate_id);
    versions.push_back(*finding.version);
  }
  // Of two events of one version, the later one is reported, which is the one in question.
  const Result found = session.Exec(
      "SELECT w.type, w.id, w.version, e.id AS event_id, e." + table.position +
          "::bigint AS position FROM unnest($1::text[], $2::text[], $3::bigint[]) AS w (type, id, "
          "version) "
          "JOIN " +
          table.name + " e ON e.aggregate_type = w.type AND e.aggregate_id = w.id::uuid AND e." +
          table.version + " = w.version ORDER BY e." + table.position,
      {TextArray(types), TextArray(ids), IntegerArray(versions)});
  std::map<Key, Place> places;
  for (const Row row : found) {
    const Key key{row.Get<std::string>("type"), row.Get<std::string>("id"),
                  row.Get<std::int64_t>("version")};
    places[key] = {ToText(row.Get<Uuid>("event_id")), row.Get<std::int64_t>("position")};
  }
  return places;
}

}  // namespace

void IdentifyEvents(Session& session, const ledger::EventTable& table,
                    std::vector<Finding>& findings) {
  for (std::size_t at = 0; at < findings.size(); at += kBatch) {
    const std::span<Finding> batch(findings.data() + at, std::min(kBatch, findings.size() - at));
    const auto places = LookUp(session, table, batch);
    for (Finding& finding : batch) {
      const auto found =
          places.find({finding.aggregate_type, finding.aggregate_id, finding.version.value_or(0)});
      if (found == places.end()) continue;
      finding.event_id = found->second.event_id;
      finding.position = found->second.position;
    }
  }
}

}  // namespace summa::verify

#include "host/database/lease_statements.hpp"

namespace summa::host {

std::string IdleLease(const std::string& column) {
  return "starts_with(" + column + ", '" + kIdleHolder + "')";
}

// acquire: the row itself tells whether this is a new holder. acquired_at changes exactly then, in
// the version of the row that the upsert really met, so no older snapshot can mislead it.
LeaseStatements::LeaseStatements(const std::string& quoted_schema) {
  const std::string table = quoted_schema + ".worker_lease";
  const std::string until = "clock_timestamp() + $3::bigint * interval '1 microsecond'";
  acquire =
      "WITH n AS MATERIALIZED (SELECT clock_timestamp() AS t), l AS (INSERT INTO " + table +
      " AS w (worker_id, lease_holder, lease_until, acquired_at) SELECT $1::text, $2::text, " +
      until +
      ", n.t FROM n ON CONFLICT (worker_id) DO UPDATE SET lease_holder = excluded.lease_holder, "
      "lease_until = excluded.lease_until, acquired_at = CASE WHEN w.lease_holder = "
      "excluded.lease_holder AND w.lease_until > clock_timestamp() THEN w.acquired_at ELSE "
      "excluded.acquired_at END WHERE w.lease_until < clock_timestamp() OR w.lease_holder = "
      "excluded.lease_holder OR " +
      IdleLease("w.lease_holder") +
      " RETURNING (w.acquired_at = (SELECT t FROM n))::int AS fresh) INSERT "
      "INTO summa_host.worker_fence AS f (worker, fence) SELECT $1::text, 1 FROM l ON CONFLICT "
      "(worker) DO UPDATE SET fence = f.fence + (SELECT fresh FROM l) RETURNING f.fence";
  over =
      "SELECT 1 FROM " + table + " WHERE worker_id = $1::text AND lease_until < clock_timestamp()";
  renew = "UPDATE " + table + " SET lease_until = " + until +
          " WHERE worker_id = $1::text AND lease_holder = $2::text AND lease_until > "
          "clock_timestamp() RETURNING 1";
  release = "UPDATE " + table + " SET lease_until = " + until +
            " WHERE worker_id = ANY ($1::text[]) AND lease_holder = $2::text";
  keep = "UPDATE " + table + " SET lease_holder = '" + kIdleHolder + "' || left(lease_holder, " +
         std::to_string(kHolderCharacters - std::string(kIdleHolder).size()) +
         "), lease_until = " + until +
         " WHERE worker_id = ANY ($1::text[]) AND lease_holder = $2::text";
  // The row may contain infinity, which has no distance.
  check =
      "SELECT worker_id, lease_holder, lease_until < clock_timestamp() OR lease_holder = "
      "$2::text OR " +
      IdleLease("lease_holder") +
      ", CASE WHEN isfinite(lease_until) THEN greatest(0, (extract(epoch FROM lease_until - "
      "clock_timestamp()) * 1000000)::bigint) END FROM " +
      table + " WHERE worker_id = ANY ($1::text[])";
}

std::string TextArrayLiteral(const std::vector<std::string>& items) {
  std::string text = "{";
  for (const std::string& item : items) {
    if (text.size() > 1) text += ',';
    text += '"';
    for (const char c : item) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text + "}";
}

}  // namespace summa::host

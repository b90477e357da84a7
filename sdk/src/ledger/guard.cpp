#include "guard.hpp"

#include <string>

namespace summa::ledger {

bool IsGuarded(Session& session, const EventTable& table) {
  // By the catalog: to_regclass() fails for who may not use the schema.
  return session
      .Exec(
          "SELECT count(*) = 2 FROM pg_catalog.pg_trigger t, pg_catalog.pg_class c JOIN "
          "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE t.tgrelid = to_regclass($1) "
          "AND t.tgname = 'zz_summa_guard' AND t.tgenabled = 'A' "
          // It can be off on a single partition, whose events the tables then lack.
          "AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger l WHERE l.tgparentid = t.oid AND "
          "l.tgenabled <> 'A') AND n.nspname = 'summa_host' "
          "AND c.relname IN ('ledger_event_head', 'ledger_event_key') AND "
          "has_schema_privilege(n.oid, "
          "'USAGE') AND has_table_privilege(c.oid, 'SELECT')",
          {table.name})
      .Value<bool>();
}

}  // namespace summa::ledger

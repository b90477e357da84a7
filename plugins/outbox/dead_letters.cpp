#include "dead_letters.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <summa/crash_point.hpp>

#include "outbox_sql.hpp"

namespace summa::outbox {
namespace {

Parameter OrNull(const std::optional<std::string>& text) {
  return text ? Parameter(*text) : Parameter(nullptr);
}

// Unknown values are empty texts for people.
std::string TextOf(const summa::Row& row, std::string_view name) {
  return row.Get<std::optional<std::string>>(name).value_or("");
}

// Ids were checked or come from the database.
std::vector<Uuid> ToUuids(std::span<const std::string> ids) {
  std::vector<Uuid> uuids;
  uuids.reserve(ids.size());
  for (const std::string& id : ids) uuids.push_back(ParseUuid(id).value_or(Uuid{}));
  return uuids;
}

// A statement of its own, so that the next one sees what a processor did to the rows while we
// waited for them. By id, as everybody locks them.
void LockRows(Session& session, const std::vector<Uuid>& ids) {
  session.Exec("SELECT FROM outbox WHERE id = ANY ($1) ORDER BY id FOR UPDATE", {UuidArray(ids)});
}

// resolved_by is a varchar(100) of Summa's.
std::string ResolvedBy(const AuditEntry& audit) {
  return audit.action.ends_with("discard") ? "summa-host dlq discard"
                                           : "summa-host " + audit.action;
}

}  // namespace

std::string Actor(std::string_view instance) {
  const passwd* account = getpwuid(geteuid());
  std::string actor = account != nullptr ? account->pw_name : std::to_string(geteuid());
  actor += ' ';
  actor += instance;
  return actor;
}

std::vector<DeadLetterItem> DeadLetters::List(Session& session,
                                              const DeadLetterFilter& filter) const {
  const Parameter limit = filter.limit > 0 ? Parameter(filter.limit) : Parameter(nullptr);
  const Result result = session.Exec(
      Statement(sql::dead_letters),
      {filter.state, OrNull(filter.topic), OrNull(filter.key), OrNull(filter.id), limit});
  std::vector<DeadLetterItem> items;
  items.reserve(result.rows());
  for (const summa::Row row : result) {
    items.push_back({TextOf(row, "id"), TextOf(row, "outbox_id"), TextOf(row, "topic"),
                     TextOf(row, "key"), TextOf(row, "error"),
                     row.Get<std::optional<std::int64_t>>("attempts"), TextOf(row, "created"),
                     TextOf(row, "state"), TextOf(row, "payload")});
  }
  return items;
}

std::vector<UndeliveredItem> DeadLetters::LostBySumma(Session& session) const {
  const Result result = session.Exec(Statement(sql::lost));
  std::vector<UndeliveredItem> items;
  items.reserve(result.rows());
  for (const summa::Row row : result) {
    items.push_back(
        {TextOf(row, "id"), TextOf(row, "topic"), TextOf(row, "key"), TextOf(row, "last_error")});
  }
  return items;
}

std::int64_t DeadLetters::Redrive(Session& session, std::span<const std::string> ids,
                                  const std::vector<std::string>& sinks,
                                  const AuditEntry& audit) const {
  const std::vector<Uuid> uuids = ToUuids(ids);
  const Parameter route = settings_.route == "topic" ? Parameter(nullptr) : settings_.route;
  session.Begin();
  LockRows(session, uuids);
  const std::int64_t rows =
      session
          .Exec(Statement(sql::redrive),
                {UuidArray(uuids), TextArray(sinks), ResolvedBy(audit), settings_.observe, route})
          .Value<std::int64_t>();
  for (const std::string& sink : settings_.sinks) {
    if (std::find(sinks.begin(), sinks.end(), sink) != sinks.end()) continue;
    session.Exec(Statement(sql::remember), {sink, UuidArray(uuids)});
  }
  if (rows > 0) WriteAudit(session, audit, rows, ids);
  CrashPoint("outbox.redrive");
  session.Commit();
  return rows;
}

std::int64_t DeadLetters::Discard(Session& session, std::span<const std::string> ids,
                                  const AuditEntry& audit) const {
  const std::vector<Uuid> uuids = ToUuids(ids);
  session.Begin();
  LockRows(session, uuids);
  const std::int64_t rows =
      session.Exec(Statement(sql::discard), {UuidArray(uuids), ResolvedBy(audit)})
          .Value<std::int64_t>();
  if (rows > 0) WriteAudit(session, audit, rows, ids);
  CrashPoint("outbox.discard");
  session.Commit();
  return rows;
}

void DeadLetters::Audit(Session& session, const AuditEntry& audit, std::int64_t items,
                        std::span<const std::string> ids) const {
  session.Begin();
  WriteAudit(session, audit, items, ids);
  session.Commit();
}

void DeadLetters::WriteAudit(Session& session, const AuditEntry& audit, std::int64_t items,
                             std::span<const std::string> ids) const {
  session.Exec(Statement(sql::audit),
               {actor_, audit.action, audit.source, audit.filter, items, TextArray(ids)});
}

}  // namespace summa::outbox

#include "engine/progress_table.hpp"

#include "projections_sql.hpp"

namespace summa::projections {
namespace {

struct Columns {
  std::vector<Uuid> keys;
  std::vector<std::int64_t> positions;
  std::vector<std::string> types, errors;

  explicit Columns(std::span<const Refused> refused) {
    for (const Refused& one : refused) {
      keys.push_back(one.key);
      positions.push_back(one.position);
      types.push_back(one.event_type);
      errors.push_back(one.error);
    }
  }
};

std::vector<std::string> Names(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    names.emplace_back(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return names;
}

}  // namespace

std::vector<Build> ReadBuilds(Session& read) {
  std::vector<Build> builds;
  for (const Row row : read.Exec(sql::builds)) {
    Build& build = builds.emplace_back();
    build.projection = row.Get<std::string>("projection");
    build.version = row.Get<std::int32_t>("version");
    build.number = row.Get<std::int32_t>("build");
    build.role = row.Get<std::string>("role");
    build.state = row.Get<std::string>("state");
    build.error = row.Get<std::optional<std::string>>("error").value_or("");
    build.fence = row.Get<std::int64_t>("fence");
    build.tables = Names(row.Get<std::string_view>("tables"));
    build.checkpoint = ledger::Checkpoint::Parse(row.Get<std::int64_t>("position"),
                                                 row.Get<std::string_view>("holes"));
  }
  for (const Row row : read.Exec(sql::paused_keys)) {
    for (Build& build : builds) {
      if (build.projection != row.Get<std::string_view>("projection") ||
          build.number != row.Get<std::int32_t>("build")) {
        continue;
      }
      build.paused_keys.insert(row.Get<Uuid>("key"));
      build.resume_wanted |= row.Get<bool>("resume");
    }
  }
  return builds;
}

void InsertBuild(Session& read, const Build& build) {
  read.Exec(
      "INSERT INTO summa_read.projection_checkpoint (projection, version, fence, position, holes, "
      "build, role, state, tables) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
      {build.projection, std::int32_t{build.version}, build.fence, build.checkpoint.position,
       build.checkpoint.HolesText(), std::int32_t{build.number}, build.role, build.state,
       TextArray(build.tables)});
}

void DeleteBuild(Session& read, const Build& build) {
  read.Exec("DELETE FROM summa_read.projection_checkpoint WHERE projection = $1 AND build = $2",
            {build.projection, std::int32_t{build.number}});
}

std::vector<std::pair<std::string, int>> ReadExpired(Session& read,
                                                     std::chrono::microseconds keep_old) {
  std::vector<std::pair<std::string, int>> expired;
  for (const Row row : read.Exec(
           "SELECT projection, build FROM summa_read.projection_checkpoint WHERE role = 'old' AND "
           "role_since <= clock_timestamp() - $1 * interval '1 microsecond' ORDER BY projection",
           {std::int64_t{keep_old.count()}})) {
    expired.emplace_back(row.Get<std::string>("projection"), row.Get<std::int32_t>("build"));
  }
  return expired;
}

bool LockBuild(Session& read, const std::string& projection, int build, const std::string& role) {
  return read.Exec(
                 "SELECT FROM summa_read.projection_checkpoint WHERE projection = $1 AND build = "
                 "$2 "
                 "AND role = $3 FOR UPDATE",
                 {projection, std::int32_t{build}, role})
             .rows() == 1;
}

void ClaimFence(Session& read, std::int64_t fence) {
  read.Exec("UPDATE summa_read.projection_checkpoint SET fence = $1 WHERE fence < $1", {fence});
}

void Advance(Session& read, const Build& build, const ledger::Checkpoint& reached,
             std::int64_t fence) {
  const Result changed =
      read.Exec(sql::advance, {build.projection, std::int32_t{build.number}, reached.position,
                               reached.HolesText(), fence, build.checkpoint.position,
                               build.checkpoint.HolesText(), build.state, build.role});
  if (changed.affected_rows() == 1) return;
  throw Error(SUMMA_E_TRY_LATER, "SH-0552",
              "the progress of " + build.Name() + " is not at position " +
                  std::to_string(build.checkpoint.position) +
                  " any more, or another host has taken over",
              "Nothing is needed: it is read again");
}

void SetState(Session& read, const Build& build, const std::string& state,
              const std::string& error) {
  read.Exec(
      "UPDATE summa_read.projection_checkpoint SET state = $3, error = nullif($4, ''), updated_at "
      "= "
      "clock_timestamp() WHERE projection = $1 AND build = $2",
      {build.projection, std::int32_t{build.number}, state, error});
}

void PauseKeys(Session& read, const Build& build, std::span<const Refused> refused) {
  const Columns columns(refused);
  read.Exec(
      "INSERT INTO summa_read.projection_paused_key (projection, build, key, position, event_type, "
      "error) SELECT $1, $2, * FROM unnest($3::uuid[], $4::bigint[], $5::text[], $6::text[]) ON "
      "CONFLICT DO NOTHING",
      {build.projection, std::int32_t{build.number}, UuidArray(columns.keys),
       IntegerArray(columns.positions), TextArray(columns.types), TextArray(columns.errors)});
}

void AddWaiting(Session& read, const Build& build, std::span<const Waiting> waiting) {
  std::vector<Uuid> keys;
  std::vector<std::int64_t> positions;
  for (const Waiting& one : waiting) {
    keys.push_back(one.key);
    positions.push_back(one.position);
  }
  try {
    read.Exec(
        "INSERT INTO summa_read.projection_waiting (projection, build, key, position) SELECT $1, "
        "$2, * FROM unnest($3::uuid[], $4::bigint[]) ON CONFLICT DO NOTHING",
        {build.projection, std::int32_t{build.number}, UuidArray(keys), IntegerArray(positions)});
  } catch (const Error& error) {
    if (error.sqlstate() != "23503") throw;
    throw Error(SUMMA_E_TRY_LATER, "SH-0552",
                "a key of " + build.Name() + " is not paused any more: it was made anew",
                "Nothing is needed: it is read again");
  }
}

void AddDeadLetters(Session& read, const Build& build, std::span<const Refused> refused) {
  const Columns columns(refused);
  read.Exec(
      "INSERT INTO summa_read.projection_dead_letter (projection, build, key, position, "
      "event_type, "
      "error) SELECT $1, $2, * FROM unnest($3::uuid[], $4::bigint[], $5::text[], $6::text[]) ON "
      "CONFLICT DO NOTHING",
      {build.projection, std::int32_t{build.number}, UuidArray(columns.keys),
       IntegerArray(columns.positions), TextArray(columns.types), TextArray(columns.errors)});
}

std::vector<Uuid> KeysToResume(Session& read, const Build& build) {
  std::vector<Uuid> keys;
  for (const Row row :
       read.Exec("SELECT key FROM summa_read.projection_paused_key WHERE projection "
                 "= $1 AND build = $2 AND resume ORDER BY position",
                 {build.projection, std::int32_t{build.number}})) {
    keys.push_back(row.Get<Uuid>("key"));
  }
  return keys;
}

std::vector<std::int64_t> ReadWaiting(Session& read, const Build& build, const Uuid& key,
                                      std::int64_t at_most) {
  std::vector<std::int64_t> positions;
  for (const Row row :
       read.Exec("SELECT position FROM summa_read.projection_waiting WHERE projection "
                 "= $1 AND build = $2 AND key = $3 ORDER BY position LIMIT $4",
                 {build.projection, std::int32_t{build.number}, UuidValue(key), at_most})) {
    positions.push_back(row.Get<std::int64_t>("position"));
  }
  return positions;
}

void RemoveWaiting(Session& read, const Build& build, const Uuid& key,
                   std::span<const std::int64_t> positions) {
  read.Exec(
      "DELETE FROM summa_read.projection_waiting WHERE projection = $1 AND build = $2 AND key = $3 "
      "AND position = ANY ($4)",
      {build.projection, std::int32_t{build.number}, UuidValue(key), IntegerArray(positions)});
}

void KeepPaused(Session& read, const Build& build, const Uuid& key, const std::string& error) {
  read.Exec(
      "UPDATE summa_read.projection_paused_key SET resume = false, error = $4 WHERE projection = "
      "$1 "
      "AND build = $2 AND key = $3",
      {build.projection, std::int32_t{build.number}, UuidValue(key), error});
}

void Unpause(Session& read, const Build& build, const Uuid& key) {
  read.Exec(
      "DELETE FROM summa_read.projection_paused_key WHERE projection = $1 AND build = $2 AND key = "
      "$3",
      {build.projection, std::int32_t{build.number}, UuidValue(key)});
}

}  // namespace summa::projections

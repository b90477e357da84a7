#include "reads/reads.hpp"

#include <summa/json.hpp>
#include <summa/ledger/event_table.hpp>

#include <algorithm>
#include <charconv>
#include <thread>
#include <vector>

#include "page.hpp"
#include "reads/cursor.hpp"
#include "reads_sql.hpp"
#include "source/ledger_lookup.hpp"

namespace summa::projections {
namespace {

constexpr std::chrono::seconds kLongestWait{2};  // for an event that the client names
constexpr std::chrono::milliseconds kLook{5};    // during that wait
constexpr std::chrono::milliseconds kHeadFresh{200};
constexpr std::chrono::seconds kRefusalFresh{5};
constexpr std::int64_t kComparedOneIn = 100;  // answers, in dual-write and cutover

Response Refuse(int status, const std::string& code, const std::string& message) {
  JsonWriter json;
  json.BeginObject().Key("error").BeginObject();
  json.Member("code", code).Member("message", message).EndObject().EndObject();
  return {.body = json.Take(), .status = status};
}

Response NotFound(const std::string& what) { return Refuse(404, "NOT_FOUND", "no such " + what); }

std::vector<Parameter> IdOf(const Request& request) {
  return {Parameter(request.Parameter("id").value_or(""))};
}

}  // namespace

const Reads::Resource Reads::kBalance{"account-balance-view", reads_sql::balance,
                                      reads_sql::ledger_balance};
const Reads::Resource Reads::kEntries{"entry-record-view", reads_sql::entries,
                                      reads_sql::ledger_entries};
const Reads::Resource Reads::kTransaction{"transaction-summary-view", reads_sql::transaction,
                                          reads_sql::ledger_transaction};
const Reads::Resource Reads::kDashboard{"holder-dashboard-view", reads_sql::dashboard,
                                        reads_sql::ledger_dashboard};

Response Reads::Balance(const Request& request) {
  const Answer answer = Ask(request, kBalance, IdOf(request));
  return answer.data ? Response{.body = Compose(request, answer)} : NotFound("account");
}

Response Reads::Transaction(const Request& request) {
  const Answer answer = Ask(request, kTransaction, IdOf(request));
  return answer.data ? Response{.body = Compose(request, answer)} : NotFound("transaction");
}

Response Reads::Dashboard(const Request& request) {
  const std::vector<Parameter> parameters = {request.Parameter("type").value_or(""),
                                             request.Parameter("id").value_or("")};
  const Answer answer = Ask(request, kDashboard, parameters);
  return answer.data ? Response{.body = Compose(request, answer)} : NotFound("holder");
}

Response Reads::Entries(const Request& request) {
  std::optional<Cursor> cursor;
  if (const auto text = request.Parameter("cursor")) {
    cursor = Cursor::Parse(*text);
    if (!cursor || cursor->of_ledger != LedgerAnswers(request, kEntries)) {
      return Refuse(400, "INVALID_ARGUMENT",
                    "cursor is not the nextCursor of a page with the same consistency");
    }
  }
  const std::int64_t limit = request.IntegerParameter("limit").value_or(50);
  std::vector<Parameter> parameters = IdOf(request);
  parameters.push_back(cursor ? Parameter(cursor->number) : Parameter(nullptr));
  parameters.push_back(cursor ? UuidValue(cursor->id) : Parameter(nullptr));
  parameters.push_back(Parameter(limit));
  return {.body = Compose(request, Ask(request, kEntries, parameters))};
}

Response Reads::Page() {
  return {.body = std::string(page), .content_type = "text/html; charset=utf-8"};
}

bool Reads::LedgerAnswers(const Request& request, const Resource& resource) {
  const std::string consistency = request.Parameter("consistency").value_or("eventual");
  if (consistency == "strong") return true;
  if (phase_ == ReadPhase::kDualWrite || phase_ == ReadPhase::kShadowRead) return true;
  if (IsRefused(request, resource)) return true;
  if (consistency == "eventual") return false;
  const std::optional<std::int64_t> position = PositionOf(request, consistency);
  return !position || !Reaches(request, resource, *position);
}

Reads::Answer Reads::Ask(const Request& request, const Resource& resource,
                         std::span<const Parameter> parameters) {
  const bool compared = IsCompared(resource);
  if (!LedgerAnswers(request, resource)) {
    Answer answer = FromProjection(request, resource, parameters);
    if (compared) {
      Compare(request, resource, parameters, FromLedger(request, resource, parameters), answer);
    }
    return answer;
  }
  Answer answer = FromLedger(request, resource, parameters);
  if (compared) {
    Compare(request, resource, parameters, answer, FromProjection(request, resource, parameters));
  }
  return answer;
}

// Pages of entries have cursors that the other side does not know.
bool Reads::IsCompared(const Resource& resource) {
  if (&resource == &kEntries || phase_ == ReadPhase::kCleanup) return false;
  if (phase_ == ReadPhase::kShadowRead) return true;
  const MutexLock lock(mutex_);
  return reads_++ % kComparedOneIn == 0;
}

// Of an event that the client names by position or id; none: the ledger has no such event.
std::optional<std::int64_t> Reads::PositionOf(const Request& request, const std::string& event) {
  const std::optional<Uuid> id = ParseUuid(event);
  if (!id) {
    std::int64_t position = 0;
    std::from_chars(event.data(), event.data() + event.size(), position);
    return position;
  }
  Session ledger(request.sql());
  return projections::PositionOf(ledger, EventsOf(ledger), *id);
}

bool Reads::IsRefused(const Request& request, const Resource& resource) {
  {
    const MutexLock lock(mutex_);
    const Refusal& known = refusals_[resource.projection];
    if (host_.BootNow() < known.known_until) return known.differences > 0;
  }
  Session read(request.sql(), "read");
  const std::int64_t differences =
      read.Exec(reads_sql::differs, {std::string(resource.projection)}).Value<std::int64_t>();
  const MutexLock lock(mutex_);
  refusals_[resource.projection] = {host_.BootNow() + kRefusalFresh, differences};
  return differences > 0;
}

std::vector<Finding> Reads::Failing() const {
  std::vector<Finding> failing;
  const auto differs = [](const std::string& projection, std::int64_t differences) -> Finding {
    return {Severity::kWarning, projection,
            "SH-0567 " + std::to_string(differences) +
                " answers of the last hour were not those of the ledger, which answers instead",
            "",
            "summa-host projections status " + projection +
                " counts them by kind; after the repair run: summa-host projections verify " +
                projection};
  };
  const MutexLock lock(mutex_);
  for (const auto& [projection, refusal] : refusals_) {
    if (refusal.differences == 0) continue;
    failing.push_back(differs(projection, refusal.differences));
  }
  return failing;
}

void Reads::RefuseMissing(const Resource& resource) {
  throw Error(SUMMA_E_UNAVAILABLE, "SH-0561",
              std::string("the read model of ") + resource.projection + " does not exist yet",
              "A host with the projection makes it; until then, ask with consistency=strong");
}

// Rows and progress by one statement: they are of the same moment, and of the same build.
Reads::Answer Reads::FromProjection(const Request& request, const Resource& resource,
                                    std::span<const Parameter> parameters) {
  std::string statement = "SELECT p.position, p.holes, p.updated_at, clock_timestamp() AS now, (";
  statement.append(resource.from_projection);
  statement.append(") AS data FROM summa_read.projection_checkpoint p WHERE p.projection = '");
  statement.append(resource.projection).append("' AND p.role = 'live'");
  const Result found = [&] {
    Session read(request.sql(), "read");
    try {
      return read.Exec(statement, parameters);
    } catch (const Error& error) {
      if (error.sqlstate() == "42P01") RefuseMissing(resource);  // not even the view
      throw;
    }
  }();
  if (found.rows() == 0) RefuseMissing(resource);
  Answer answer;
  answer.data = found[0].Get<std::optional<std::string>>("data");
  answer.position = found[0].Get<std::int64_t>("position");
  answer.complete = found[0].Get<std::string_view>("holes").empty();
  answer.updated_at = found[0].Get<DatabaseTime>("updated_at");
  answer.now = found[0].Get<DatabaseTime>("now");
  return answer;
}

Reads::Answer Reads::FromLedger(const Request& request, const Resource& resource,
                                std::span<const Parameter> parameters) {
  Session ledger(request.sql());
  const ledger::EventTable table = EventsOf(ledger);
  Answer answer;
  answer.from_ledger = true;
  const Result found = ledger.Exec(resource.from_ledger, parameters);
  if (found.rows() > 0) answer.data = found[0].Get<std::optional<std::string>>("data");
  const Result head = ledger.Exec("SELECT clock_timestamp() AS now, coalesce(max(" +
                                  table.position + "), 0)::bigint AS head FROM " + table.name);
  answer.position = head[0].Get<std::int64_t>("head");
  answer.updated_at = answer.now = head[0].Get<DatabaseTime>("now");
  return answer;
}

// Both are asked again, the ledger on either side of the read model: only where neither has moved
// meanwhile, and both are at the same place, is a difference more than one of time.
void Reads::Compare(const Request& request, const Resource& resource,
                    std::span<const Parameter> parameters, const Answer& first_ledger,
                    const Answer& first_projection) {
  const auto count = [&](const char* outcome) {
    host_
        .Counter("summa_projection_comparisons_total", "",
                 {{"projection", resource.projection}, {"outcome", outcome}})
        .Add(1);
  };
  if (first_ledger.data == first_projection.data) return count("same");
  const Answer ledger = FromLedger(request, resource, parameters);
  const Answer projection = FromProjection(request, resource, parameters);
  const Answer after = FromLedger(request, resource, parameters);
  const bool still = ledger.data == after.data && ledger.position == after.position &&
                     projection.complete && projection.position == ledger.position;
  if (ledger.data == projection.data || !still) return count(NameOf(DifferenceKind::kBehind));
  const char* kind = NameOf(!projection.data ? DifferenceKind::kMissing
                            : !ledger.data   ? DifferenceKind::kExtra
                                             : DifferenceKind::kDifferent);
  count(kind);
  Session read(request.sql(), "read");
  read.Begin();
  read.Exec(reads_sql::difference,
            {std::string(resource.projection), std::string(kind),
             ledger.data.value_or("nothing") + " / " + projection.data.value_or("nothing")});
  read.Commit();
  {
    const MutexLock lock(mutex_);
    refusals_.erase(resource.projection);
  }
  host_.Warn("SH-0560", "the read model and the ledger answer differently",
             {{"projection", resource.projection},
              {"position", std::to_string(projection.position)},
              {"ledger", ledger.data.value_or("nothing")},
              {"read_model", projection.data.value_or("nothing")}});
}

std::optional<ledger::Checkpoint> Reads::ReadProgress(const Request& request,
                                                      const Resource& resource) {
  Session read(request.sql(), "read");
  const Result found = read.Exec(reads_sql::progress, {std::string(resource.projection)});
  if (found.rows() == 0) return std::nullopt;
  return ledger::Checkpoint::Parse(found[0].Get<std::int64_t>("position"),
                                   found[0].Get<std::string_view>("holes"));
}

bool Reads::Reaches(const Request& request, const Resource& resource, std::int64_t position) const {
  const BootTime end = host_.BootNow() + kLongestWait;
  for (;;) {
    const std::optional<ledger::Checkpoint> progress = ReadProgress(request, resource);
    if (progress && progress->Has(position)) return true;
    if (request.ShouldStop() || host_.BootNow() >= end) return false;
    std::this_thread::sleep_for(kLook);
  }
}

ledger::EventTable Reads::EventsOf(Session& ledger) {
  const MutexLock lock(mutex_);
  if (!events_) events_ = ledger::FindEvents(ledger);
  return *events_;
}

double Reads::LagSeconds(const Request& request, std::int64_t position) {
  {
    const MutexLock lock(mutex_);
    if (host_.BootNow() < head_known_until_ && position >= head_) return 0;
  }
  Session ledger(request.sql());
  const ledger::EventTable table = EventsOf(ledger);
  const Result found =
      ledger.Exec("SELECT (SELECT coalesce(max(" + table.position + "), 0) FROM " + table.name +
                      ")::bigint AS head, coalesce(extract(epoch FROM clock_timestamp() - (SELECT "
                      "created_at FROM " +
                      table.name + " WHERE " + table.position + " > $1 ORDER BY " + table.position +
                      " LIMIT 1)), 0)::float8 AS seconds",
                  {position});
  const MutexLock lock(mutex_);
  head_ = found[0].Get<std::int64_t>("head");
  head_known_until_ = host_.BootNow() + kHeadFresh;
  return std::max(0.0, found[0].Get<double>("seconds"));
}

std::string Reads::Compose(const Request& request, const Answer& answer) {
  JsonWriter json;
  json.BeginObject().Key("data").Raw(*answer.data);
  json.Member("lastUpdated", IsoText(answer.updated_at, IsoDigits::kMilliseconds));
  json.Member("lagSeconds", answer.from_ledger ? 0.0 : LagSeconds(request, answer.position));
  json.Member("position", answer.position);
  json.Member("source", answer.from_ledger ? "ledger" : "projection").EndObject();
  return json.Take();
}

}  // namespace summa::projections

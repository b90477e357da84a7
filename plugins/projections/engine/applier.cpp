#include "engine/applier.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "engine/build_tables.hpp"

namespace summa::projections {

using Events = std::vector<summa_projection_event>;

namespace {

Uuid KeyOf(const summa_projection& projection, const summa_projection_event& event) {
  if (projection.key == SUMMA_KEY_TRANSACTION) {
    if ((event.flags & SUMMA_EVENT_HAS_TRANSACTION) != 0) return FromAbi(event.transaction_id);
  } else if ((event.flags & SUMMA_EVENT_HAS_ACCOUNT) != 0) {
    return FromAbi(event.account_id);
  }
  return FromAbi(event.aggregate_id);
}

bool Wants(const summa_projection& projection, const summa_projection_event& event) {
  if (projection.event_type_count == 0) return true;
  const std::span<const summa_str> types(projection.event_types, projection.event_type_count);
  return std::any_of(types.begin(), types.end(),
                     [&](const summa_str& type) { return FromAbi(type) == FromAbi(event.type); });
}

// Says of the event that it cannot be applied, and nothing of the server, the role or the lease.
bool IsOfEvent(const Error& error) {
  const std::string_view state = error.sqlstate();
  if (state.empty()) return error.status() == SUMMA_E_DATA || error.status() == SUMMA_E_INTERNAL;
  return state.starts_with("21") || state.starts_with("22") || state.starts_with("23") ||
         state.starts_with("P0");
}

// What apply() is given. Owns the names of the tables.
class Call {
 public:
  Call(const summa_projection& projection, const Build& build, const summa_sql_v1* sql,
       Session& read)
      : build_(build.number) {
    for (std::size_t i = 0; i < projection.table_count; ++i) {
      const std::string name(FromAbi(projection.tables[i].name));
      tables_[name] = TableOfBuild(name, build_);
    }
    abi_.struct_size = sizeof abi_;
    abi_.self = this;
    abi_.sql = sql;
    abi_.session = read.handle();
    abi_.table = [](const summa_projection_batch* batch, summa_str table) -> summa_str {
      const auto& tables = static_cast<const Call*>(batch->self)->tables_;
      const auto found = tables.find(FromAbi(table));
      return found == tables.end() ? summa_str{"", 0} : ToAbi(found->second);
    };
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  void Make(const summa_projection& projection, std::uint32_t flags,
            std::span<const summa_projection_event> events,
            std::span<const summa_projection_transaction> transactions) {
    abi_.flags = flags;
    abi_.events = events.data();
    abi_.event_count = events.size();
    abi_.transactions = transactions.data();
    abi_.transaction_count = transactions.size();
    summa_error error = detail::EmptyError();
    detail::Check(projection.apply(projection.self, &abi_, &error), error);
  }
  void Forget(const summa_projection& projection, const Uuid& key,
              const summa_projection_account* account) {
    const summa_uuid abi_key = ToAbi(key);
    summa_error error = detail::EmptyError();
    detail::Check(projection.forget(projection.self, &abi_, &abi_key, account, &error), error);
  }

 private:
  int build_;
  std::map<std::string, std::string, std::less<>> tables_;
  summa_projection_batch abi_{};
};

// What another build announces goes to the front; returns the first of the others. An event that a
// reader had not seen when it had seen a later one is of another key, so keys stay in their order.
Events::iterator ReplayedFirst(const Build& build, Events& events) {
  if (!build.another_announces && build.announced.position == 0) return events.begin();
  return std::stable_partition(events.begin(), events.end(),
                               [&](const auto& event) { return build.Replays(event.position); });
}

}  // namespace

// One batch, or parts of it.
class Applier::Run {
 public:
  Run(const Applier& applier, Session& read, const summa_sql_v1* sql, const Build& build,
      const EventBatch& batch)
      : applier_(applier),
        projection_(applier.projection_),
        read_(read),
        batch_(batch),
        paused_(build.paused_keys),
        call_(projection_, build, sql, read) {}

  // All at once; in parts when that fails because of an event.
  void Apply(Events events, std::uint32_t flags) {
    Events ready = WithoutPaused(std::move(events));
    if (ready.empty()) return;
    read_.Exec("SAVEPOINT events");
    try {
      ApplyNow(ready, flags);
      read_.Exec("RELEASE SAVEPOINT events");
      applied_.events += static_cast<std::int64_t>(ready.size());
      return;
    } catch (const Error& error) {
      if (applier_.on_error_ == OnError::kPauseProjection || !IsOfEvent(error)) throw;
      read_.Exec("ROLLBACK TO SAVEPOINT events");
      const std::size_t half = Divide(ready);
      if (half == ready.size()) return Refuse(ready, error.what());
      ApplyParts(ready, half, flags);
    }
  }
  void ApplyNow(const Events& events, std::uint32_t flags) {
    if (!events.empty()) call_.Make(projection_, flags, events, TransactionsOf(events));
  }
  void Forget(const Uuid& key, const summa_projection_account* account) {
    call_.Forget(projection_, key, account);
  }
  void RefuseFault(const Fault& fault) {
    Note({fault.key, fault.position, fault.event_type, fault.error});
  }

  Applied applied_;
  std::vector<Waiting> waiting_;

 private:
  void ApplyParts(const Events& events, std::size_t half, std::uint32_t flags) {
    const auto middle = events.begin() + static_cast<std::ptrdiff_t>(half);
    Apply(Events(events.begin(), middle), flags);
    Apply(Events(middle, events.end()), flags);
  }

  // Where to divide: between two positions if there are two, else between two keys, of which the
  // events are brought together. At the end: they are of one position and one key.
  std::size_t Divide(Events& events) const {
    std::size_t half = events.size() / 2;
    while (half < events.size() && half > 0 && events[half].position == events[half - 1].position) {
      ++half;
    }
    if (half > 0 && half < events.size()) return half;
    half = events.size() / 2;
    while (half > 0 && events[half].position == events[half - 1].position) --half;
    if (half > 0) return half;
    const Uuid first = KeyOf(projection_, events.front());
    const auto others = std::stable_partition(
        events.begin(), events.end(),
        [&](const summa_projection_event& e) { return KeyOf(projection_, e) == first; });
    return static_cast<std::size_t>(others - events.begin());
  }

  Events WithoutPaused(Events events) {
    if (paused_.empty()) return events;
    Events ready;
    ready.reserve(events.size());
    for (const summa_projection_event& event : events) {
      if (const auto key = PausedKey(event)) {
        Wait(*key, event.position);
      } else {
        ready.push_back(event);
      }
    }
    return ready;
  }
  std::optional<Uuid> PausedKey(const summa_projection_event& event) const {
    for (const Uuid& key : {KeyOf(projection_, event), FromAbi(event.aggregate_id)}) {
      if (paused_.count(key) > 0) return key;
    }
    return std::nullopt;
  }
  void Wait(const Uuid& key, std::int64_t position) {
    waiting_.push_back({key, position});
    ++applied_.waiting;
  }

  void Refuse(const Events& events, const std::string& error) {
    Note({KeyOf(projection_, events.front()), events.front().position,
          std::string(FromAbi(events.front().stored_type)), error});
  }
  void Note(const Refused& refused) {
    applied_.refused.push_back(refused);
    if (applier_.on_error_ != OnError::kPauseKey) return;
    paused_.insert(refused.key);
    Wait(refused.key, refused.position);
  }

  // Those of the events; all of them when the events are all.
  std::vector<summa_projection_transaction> TransactionsOf(const Events& events) const {
    if (events.size() == batch_.events.size()) return batch_.transactions;
    std::vector<Uuid> wanted;
    wanted.reserve(events.size() * 2);
    for (const summa_projection_event& event : events) {
      wanted.push_back(FromAbi(event.aggregate_id));  // what is reversed
      if (event.transaction == nullptr) continue;
      wanted.push_back(FromAbi(event.transaction_id));
      wanted.push_back(FromAbi(event.transaction->parent_id));
    }
    std::sort(wanted.begin(), wanted.end());
    std::vector<summa_projection_transaction> transactions;
    for (const summa_projection_transaction& record : batch_.transactions) {
      if (std::binary_search(wanted.begin(), wanted.end(), FromAbi(record.id))) {
        transactions.push_back(record);
      }
    }
    return transactions;
  }

  const Applier& applier_;
  const summa_projection& projection_;
  Session& read_;
  const EventBatch& batch_;
  std::set<Uuid> paused_;
  Call call_;
};

bool MayPass(const Error& error) {
  switch (error.status()) {
    case SUMMA_E_UNAVAILABLE:
    case SUMMA_E_TRY_LATER:
    case SUMMA_E_FENCED:
    case SUMMA_E_CANCELLED:
      return true;
    default:
      break;
  }
  for (const char* group : {"08", "25", "40", "53", "55", "57", "58"}) {
    if (error.sqlstate().starts_with(group)) return true;
  }
  return false;
}

Applied Applier::Apply(Session& read, const summa_sql_v1* sql, const Build& build,
                       const EventBatch& batch) const {
  Run run(*this, read, sql, build, batch);
  for (const Fault& fault : batch.faults) {
    if (build.checkpoint.Has(fault.position)) continue;
    if (on_error_ == OnError::kPauseProjection) {
      throw Error(SUMMA_E_DATA, "SH-0553",
                  "event " + std::to_string(fault.position) + " (" + fault.event_type +
                      "): " + fault.error);
    }
    run.RefuseFault(fault);
  }
  Events events;
  events.reserve(batch.events.size());
  for (const summa_projection_event& event : batch.events) {
    if (Wants(projection_, event) && !build.checkpoint.Has(event.position)) {
      events.push_back(event);
    }
  }
  const auto others = ReplayedFirst(build, events);
  Events rest(others, events.end());
  events.erase(others, events.end());
  run.Apply(std::move(events), SUMMA_BATCH_REPLAY);
  run.Apply(std::move(rest), 0);
  if (!run.applied_.refused.empty()) {
    on_error_ == OnError::kDeadLetter ? AddDeadLetters(read, build, run.applied_.refused)
                                      : PauseKeys(read, build, run.applied_.refused);
  }
  if (!run.waiting_.empty()) AddWaiting(read, build, run.waiting_);
  return std::move(run.applied_);
}

Events Applier::EventsOfKeys(const EventBatch& batch, const std::set<Uuid>& keys) const {
  for (const Fault& fault : batch.faults) {
    if (keys.contains(fault.key)) {
      throw Error(SUMMA_E_DATA, "SH-0553",
                  "event " + std::to_string(fault.position) + ": " + fault.error);
    }
  }
  Events events;
  for (const summa_projection_event& event : batch.events) {
    if (!Wants(projection_, event)) continue;
    if (keys.contains(KeyOf(projection_, event)) || keys.contains(FromAbi(event.aggregate_id))) {
      events.push_back(event);
    }
  }
  return events;
}

void Applier::ApplyKey(Session& read, const summa_sql_v1* sql, const Build& build,
                       const EventBatch& batch, const Uuid& key) const {
  Events events = EventsOfKeys(batch, {key});
  const auto others = ReplayedFirst(build, events);
  Run run(*this, read, sql, build, batch);
  run.ApplyNow(Events(events.begin(), others), SUMMA_BATCH_REPLAY);
  run.ApplyNow(Events(others, events.end()), 0);
}

void Applier::ForgetKey(Session& read, const summa_sql_v1* sql, const Build& build, const Uuid& key,
                        const summa_projection_account* account) const {
  const EventBatch none;
  Run(*this, read, sql, build, none).Forget(key, account);
}

void Applier::ReplayKeys(Session& read, const summa_sql_v1* sql, const Build& build,
                         const EventBatch& batch, const std::set<Uuid>& keys) const {
  Run(*this, read, sql, build, batch).ApplyNow(EventsOfKeys(batch, keys), SUMMA_BATCH_REPLAY);
}

std::set<Uuid> Applier::KeysOf(const EventBatch& batch) const {
  std::set<Uuid> keys;
  for (const summa_projection_event& event : batch.events) {
    if (Wants(projection_, event)) keys.insert(KeyOf(projection_, event));
  }
  return keys;
}

void Applier::ApplyUnordered(Session& read, const summa_sql_v1* sql, const Build& build,
                             const EventBatch& batch) const {
  for (const Fault& fault : batch.faults) {
    if (!build.checkpoint.Has(fault.position)) continue;
    throw Error(
        SUMMA_E_DATA, "SH-0553",
        "event " + std::to_string(fault.position) + " (" + fault.event_type + "): " + fault.error);
  }
  Events events;
  events.reserve(batch.events.size());
  for (const summa_projection_event& event : batch.events) {
    if (Wants(projection_, event) && build.checkpoint.Has(event.position)) events.push_back(event);
  }
  Run(*this, read, sql, build, batch).ApplyNow(events, SUMMA_BATCH_REPLAY | SUMMA_BATCH_UNORDERED);
}

}  // namespace summa::projections

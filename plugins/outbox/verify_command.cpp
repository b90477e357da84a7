#include <algorithm>
#include <map>
#include <set>
#include <summa/json.hpp>
#include <tuple>
#include <unordered_map>

#include "outbox_sql.hpp"
#include "verify.hpp"

namespace summa::outbox {
namespace {

// Rows that are checked together; this bounds the memory.
constexpr std::int64_t kPage = 50'000;
// A message nearly always enters the bus at most this long before its row is marked; the others are
// looked for once more in the whole stream.
constexpr std::chrono::minutes kMarkLag{1};

struct Marked {
  std::string topic, key;
  DatabaseTime at;
};
using Page = std::unordered_map<std::string, Marked>;  // by id

struct Stream {
  summa_bus_horizon horizon;
  std::chrono::microseconds ahead{0};  // the clock of the bus, of that of the database

  BusTime OnBus(DatabaseTime time) const { return ToBus(ToUnix(time)) + ahead; }
};

class Comparer {
 public:
  Comparer(const CommandCall& call, const CommandContext& context, const Sink& sink)
      : call_(call), context_(context), sink_(sink), session_(call.sql()) {}

  Comparison Run() {
    const SinkState state = ReadState();
    const DatabaseTime now = context_.table.Now(session_);
    std::optional<DatabaseTime> from = Observing() ? state.observe_since : state.own_since;
    if (!from) return result_;  // nothing was delivered yet
    if (const auto since = call_.IntegerOption("since")) {
      from = std::max(*from, now - std::chrono::microseconds(*since));
    }
    at_ = *from;
    for (Page page = NextPage(now); !page.empty(); page = NextPage(now)) {
      Compare(std::move(page));
      // What was compared so far is only a part of the request.
      if (call_.ShouldStop())
        throw Error(SUMMA_E_CANCELLED, "SH-0904", "told to stop before the end");
    }
    SearchAllStreams();
    return std::move(result_);
  }

 private:
  bool Observing() const { return context_.settings.observe; }

  SinkState ReadState() {
    Settings settings = context_.settings;
    settings.sink = sink_.id;
    return OutboxTable(std::move(settings)).ReadSink(session_);
  }

  Page NextPage(DatabaseTime until) {
    std::vector<Parameter> parameters = {Timestamp(at_), UuidValue(id_), Timestamp(until), kPage};
    if (Observing()) parameters.emplace_back(sink_.id);
    const Result rows = session_.Exec(
        Statement(Observing() ? sql::delivered_observed : sql::delivered), parameters);
    Page page;
    page.reserve(rows.rows());
    for (const summa::Row row : rows) {
      id_ = row.Get<Uuid>("id");
      at_ = row.Get<DatabaseTime>("at");
      page.emplace(ToText(id_),
                   Marked{row.Get<std::string>("topic"), row.Get<std::string>("key"), at_});
    }
    return page;
  }

  void Compare(Page page) {
    std::map<std::string, std::pair<DatabaseTime, DatabaseTime>> times;  // by stream
    for (const auto& [id, row] : page) {
      auto& [first, last] =
          times.try_emplace(context_.settings.StreamOf(row.topic), row.at, row.at).first->second;
      first = std::min(first, row.at);
      last = std::max(last, row.at);
    }
    for (const auto& [name, range] : times) {
      const Stream& stream = StreamNamed(name);
      if (stream.horizon.exists == 0) continue;
      ScanOptions options;
      options.stream = name;
      options.since = stream.OnBus(range.first) - kMarkLag;
      const BusTime end = stream.OnBus(range.second) + kMarkLag;
      sink_.bus.Scan(options, [&](const summa_bus_delivery& delivery) {
        Found(page, delivery);
        return ToBusTime(delivery.entered_at_microseconds) <= end && !page.empty();
      });
    }
    for (auto& [id, row] : page) {
      if (Trimmed(row)) continue;
      ++result_.checked;
      unseen_.emplace(id, std::move(row));
    }
    call_.Progress("checked", result_.checked);
  }

  void Found(Page& page, const summa_bus_delivery& delivery) {
    const auto found = page.find(std::string(FromAbi(delivery.message.id)));
    if (found == page.end()) return;
    page.erase(found);
    ++result_.checked;
    ++result_.delivered;
  }

  // What was not where its time says: once more, in everything that the streams hold.
  void SearchAllStreams() {
    std::set<std::string> streams;
    for (const auto& [id, row] : unseen_) streams.insert(context_.settings.StreamOf(row.topic));
    for (const std::string& stream : streams) {
      if (StreamNamed(stream).horizon.exists == 0) continue;
      ScanOptions options;
      options.stream = stream;
      sink_.bus.Scan(options, [&](const summa_bus_delivery& delivery) {
        result_.delivered +=
            static_cast<std::int64_t>(unseen_.erase(std::string(FromAbi(delivery.message.id))));
        return !unseen_.empty();
      });
    }
    std::vector<std::pair<DatabaseTime, UndeliveredItem>> missing;
    missing.reserve(unseen_.size());
    for (auto& [id, row] : unseen_) missing.push_back({row.at, {id, row.topic, row.key, ""}});
    std::sort(missing.begin(), missing.end(), [](const auto& left, const auto& right) {
      return std::tie(left.first, left.second.id) < std::tie(right.first, right.second.id);
    });
    result_.missing.reserve(missing.size());
    for (auto& [at, item] : missing) result_.missing.push_back(std::move(item));
  }

  bool Trimmed(const Marked& row) {
    const Stream& stream = StreamNamed(context_.settings.StreamOf(row.topic));
    const summa_bus_horizon& horizon = stream.horizon;
    // A bus that does not count what it removed may have lost it: this is reported, not ignored.
    if (horizon.exists == 0 || horizon.removed == 0 || horizon.removed == UINT64_MAX) return false;
    const std::optional<BusTime> oldest = ToBusTime(horizon.oldest_microseconds);
    return !oldest || stream.OnBus(row.at) < *oldest + kMarkLag;
  }

  const Stream& StreamNamed(const std::string& name) {
    const auto known = streams_.find(name);
    if (known != streams_.end()) return known->second;
    Stream stream{sink_.bus.Horizon(name)};
    // The two clocks need not agree.
    if (const std::optional<BusTime> now = ToBusTime(stream.horizon.now_microseconds)) {
      stream.ahead = *now - ToBus(ToUnix(context_.table.Now(session_)));
    }
    return streams_.emplace(name, stream).first->second;
  }

  const CommandCall& call_;
  const CommandContext& context_;
  const Sink& sink_;
  Session session_;
  DatabaseTime at_;
  Uuid id_{};
  std::map<std::string, Stream> streams_;
  Page unseen_;
  Comparison result_;
};

}  // namespace

Comparison FindMissing(const CommandCall& call, const CommandContext& context, const Sink& sink) {
  return Comparer(call, context, sink).Run();
}

CommandResult Verify(const CommandCall& call, const CommandContext& context) {
  JsonWriter json;
  std::int64_t checked = 0, delivered = 0;
  json.BeginObject();
  std::vector<std::pair<std::string, Comparison>> sinks;
  sinks.reserve(context.sinks.size());
  for (const Sink& sink : context.sinks) {
    sinks.emplace_back(sink.id, FindMissing(call, context, sink));
    checked += sinks.back().second.checked;
    delivered += sinks.back().second.delivered;
  }
  Session session(call.sql());
  const std::vector<UndeliveredItem> lost = context.dead_letters.LostBySumma(session);
  json.Member("checked", checked).Member("delivered", delivered).Key("missing").BeginArray();
  for (const auto& [sink, comparison] : sinks) {
    for (const UndeliveredItem& item : comparison.missing) {
      json.BeginObject().Member("id", item.id).Member("topic", item.topic).Member("key", item.key);
      if (sinks.size() > 1) json.Member("sink", sink);
      json.EndObject();
    }
  }
  json.EndArray().Key("lostBySumma").BeginArray();
  for (const UndeliveredItem& item : lost) {
    json.BeginObject()
        .Member("id", item.id)
        .Member("topic", item.topic)
        .Member("key", item.key)
        .Member("lastError", item.last_error)
        .EndObject();
  }
  json.EndArray().EndObject();
  return {json.Take(), delivered < checked || !lost.empty()};
}

}  // namespace summa::outbox

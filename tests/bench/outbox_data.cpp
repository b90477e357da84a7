#include "tests/bench/outbox_data.hpp"

#include <hiredis/hiredis.h>
#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <stdexcept>
#include <string_view>

#include "outbox_sql.hpp"
#include "row.hpp"
#include "tests/services/db.hpp"

namespace summa::bench {
namespace {

constexpr char kReadPending[] = R"(
SELECT o.id, o.topic, o.payload::text, o.created_at,
       coalesce(o.payload ->> 'accountId', o.payload ->> 'holdId', o.payload ->> 'transactionId',
                o.id::text),
       e.sequence_number::bigint, e.correlation_id::text
FROM outbox o
JOIN ledger_event e ON e.aggregate_type = 'transaction' AND e.event_type = 'TransactionPosted'
  AND e.aggregate_id = (o.payload ->> 'transactionId')::uuid
WHERE o.status = 'pending' AND o.processed_at IS NULL
ORDER BY e.sequence_number)";
// Enough for joining and sorting half a million rows in memory: this is a limit, not a product.
constexpr char kReadSettings[] = "SET work_mem = '512MB'";
constexpr char kStreamPrefix[] = "summa:stream:";
constexpr int kEntriesPerRead = 10'000;

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;
struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using PgResult = std::unique_ptr<PGresult, FreeResult>;

Reply Checked(redisContext* context, void* reply) {
  if (reply == nullptr) throw std::runtime_error(std::string("redis: ") + context->errstr);
  Reply owned(static_cast<redisReply*>(reply));
  if (owned->type == REDIS_REPLY_ERROR) {
    throw std::runtime_error("redis: " + std::string(owned->str, owned->len));
  }
  return owned;
}

Reply Next(redisContext* context) {
  void* reply = nullptr;
  if (redisGetReply(context, &reply) != REDIS_OK) reply = nullptr;
  return Checked(context, reply);
}

std::string_view Text(const redisReply& reply) { return {reply.str, reply.len}; }

template <typename T>
T Read(const PGresult* result, int column) {
  return ReadAs<T>(RawValue{
      {PQgetvalue(result, 0, column), static_cast<std::size_t>(PQgetlength(result, 0, column))}});
}

Message BuildMessage(const PGresult* row) {
  Message message;
  message.id = ToText(Read<Uuid>(row, 0));
  message.topic = Read<std::string>(row, 1);
  message.payload = Read<std::string>(row, 2);
  message.timestamp = IsoText(Read<DatabaseTime>(row, 3));
  message.key = Read<std::string>(row, 4);
  message.position = std::to_string(Read<std::int64_t>(row, 5));
  message.correlation_id = Read<std::string>(row, 6);
  return message;
}

void AppendAdd(redisContext* context, const Message& message) {
  const std::string stream = kStreamPrefix + message.topic;
  const std::array<std::string_view, 17> words = {"XADD",
                                                  stream,
                                                  "*",
                                                  "id",
                                                  message.id,
                                                  "type",
                                                  message.topic,
                                                  "payload",
                                                  message.payload,
                                                  "timestamp",
                                                  message.timestamp,
                                                  "key",
                                                  message.key,
                                                  "position",
                                                  message.position,
                                                  "correlationId",
                                                  message.correlation_id};
  std::array<const char*, 17> data{};
  std::array<std::size_t, 17> sizes{};
  for (std::size_t i = 0; i < words.size(); ++i) {
    data[i] = words[i].data();
    sizes[i] = words[i].size();
  }
  redisAppendCommandArgv(context, static_cast<int>(words.size()), data.data(), sizes.data());
}

// The last position seen of each stream and key.
using Positions = std::map<std::string, long long, std::less<>>;

void CountEntry(const redisReply& entry, Positions& positions, Found& found) {
  const redisReply& fields = *entry.element[1];
  std::string key;
  long long position = 0;
  for (std::size_t i = 0; i + 1 < fields.elements; i += 2) {
    const std::string_view name = Text(*fields.element[i]);
    const std::string_view value = Text(*fields.element[i + 1]);
    found.bytes += value.size();
    if (name == "id") found.ids.emplace_back(value);
    if (name == "key") key = value;
    if (name == "position") position = std::stoll(std::string(value));
  }
  ++found.count;
  auto& last = positions[key];
  if (position < last) ++found.out_of_order;
  last = position;
}

void ReadStream(redisContext* context, const std::string& stream, Found& found) {
  Positions positions;
  std::string from = "-";
  for (;;) {
    const Reply page =
        Checked(context, redisCommand(context, "XRANGE %s %s + COUNT %d", stream.c_str(),
                                      from.c_str(), kEntriesPerRead));
    for (std::size_t i = 0; i < page->elements; ++i) {
      CountEntry(*page->element[i], positions, found);
    }
    if (page->elements == 0) return;
    if (from == "-") {
      const double first = std::stod(std::string(Text(*page->element[0]->element[0])));
      if (found.first_milliseconds == 0 || first < found.first_milliseconds) {
        found.first_milliseconds = first;
      }
    }
    from = "(" + std::string(Text(*page->element[page->elements - 1]->element[0]));
  }
}

}  // namespace

std::size_t ReadPending(const std::string& url, bool with_text,
                        const std::function<void(const Uuid&, Message&&)>& on_row) {
  test::Db db(url);
  db.Execute(kReadSettings);
  PGconn* connection = db.Handle();
  if (PQsendQueryParams(connection, kReadPending, 0, nullptr, nullptr, nullptr, nullptr, 1) != 1 ||
      PQsetSingleRowMode(connection) != 1) {
    throw std::runtime_error(PQerrorMessage(connection));
  }
  std::size_t rows = 0;
  for (PgResult row(PQgetResult(connection)); row; row.reset(PQgetResult(connection))) {
    const ExecStatusType status = PQresultStatus(row.get());
    if (status == PGRES_TUPLES_OK) continue;
    if (status != PGRES_SINGLE_TUPLE) throw std::runtime_error(PQerrorMessage(connection));
    ++rows;
    on_row(Read<Uuid>(row.get(), 0), with_text ? BuildMessage(row.get()) : Message());
  }
  return rows;
}

void MarkInBatches(const std::string& url, const std::vector<Uuid>& ids, std::size_t batch) {
  test::Db db(url);
  const PgResult prepared(
      PQprepare(db.Handle(), "mark", std::string(outbox::sql::mark).c_str(), 0, nullptr));
  if (PQresultStatus(prepared.get()) != PGRES_COMMAND_OK) {
    throw std::runtime_error(PQerrorMessage(db.Handle()));
  }
  for (std::size_t from = 0; from < ids.size(); from += batch) {
    const std::size_t count = std::min(batch, ids.size() - from);
    std::vector<Uuid> part(ids.begin() + static_cast<std::ptrdiff_t>(from),
                           ids.begin() + static_cast<std::ptrdiff_t>(from + count));
    std::sort(part.begin(), part.end());
    const Parameter array = UuidArray(part);
    const summa_sql_parameter abi = array.Abi();
    const int size = static_cast<int>(abi.size);
    const int binary = 1;
    const PgResult done(PQexecPrepared(db.Handle(), "mark", 1, &abi.data, &size, &binary, 1));
    if (PQresultStatus(done.get()) != PGRES_COMMAND_OK ||
        PQcmdTuples(done.get()) != std::to_string(count)) {
      throw std::runtime_error("marking " + std::to_string(count) + " rows marked " +
                               PQcmdTuples(done.get()) + ": " + PQerrorMessage(db.Handle()));
    }
  }
}

Redis::Redis(const std::string& url)
    : context_(redisConnectUnix(url.substr(std::string("unix://").size()).c_str())) {
  if (context_ == nullptr || context_->err != 0) {
    const std::string reason = context_ == nullptr ? "out of memory" : context_->errstr;
    if (context_ != nullptr) redisFree(context_);
    throw std::runtime_error("redis: " + reason);
  }
}

Redis::~Redis() { redisFree(context_); }

void Redis::Clear() { Checked(context_, redisCommand(context_, "FLUSHALL SYNC")); }

void Redis::Add(const std::vector<Message>& messages, std::size_t count, std::size_t window) {
  for (std::size_t from = 0; from < count; from += window) {
    const std::size_t to = std::min(count, from + window);
    for (std::size_t i = from; i < to; ++i) AppendAdd(context_, messages[i]);
    for (std::size_t i = from; i < to; ++i) Next(context_);
  }
}

Found ReadStreams(Redis& redis) {
  Found found;
  const std::string pattern = std::string(kStreamPrefix) + "*";
  const Reply keys =
      Checked(redis.Handle(), redisCommand(redis.Handle(), "KEYS %s", pattern.c_str()));
  for (std::size_t i = 0; i < keys->elements; ++i) {
    ReadStream(redis.Handle(), std::string(Text(*keys->element[i])), found);
  }
  std::sort(found.ids.begin(), found.ids.end());
  return found;
}

void RequireDelivered(const Found& found, const std::vector<std::string>& sorted_ids,
                      std::size_t bytes, const std::string& what) {
  if (found.ids != sorted_ids) {
    throw std::runtime_error(what + ": Redis does not hold exactly the ids of the outbox: " +
                             std::to_string(found.ids.size()) + " found, " +
                             std::to_string(sorted_ids.size()) + " expected");
  }
  if (found.bytes != bytes) {
    throw std::runtime_error(what + ": the messages have " + std::to_string(found.bytes) +
                             " bytes, not " + std::to_string(bytes));
  }
  if (found.out_of_order > 0) {
    throw std::runtime_error(what + ": " + std::to_string(found.out_of_order) +
                             " messages stand before an earlier one of their key");
  }
}

}  // namespace summa::bench

// The messages of a ledger's outbox, as the product sends them: read from the database in the
// fastest plain way, sent to Redis in the fastest plain way, and looked for in Redis afterwards.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <summa/sql.hpp>
#include <vector>

struct redisContext;

namespace summa::bench {

// Every field of one XADD, in bytes.
struct Message {
  std::string id, topic, payload, timestamp, key, position, correlation_id;
  std::size_t Bytes() const {
    return id.size() + topic.size() + payload.size() + timestamp.size() + key.size() +
           position.size() + correlation_id.size();
  }
};

// All waiting rows in ledger order, by one statement: a plain join with the events, which fits rows
// of fixture.bulk_outbox only. `with_text` builds the whole message, else only the id is handed on
// (the bytes have arrived all the same). Returns the number of rows.
std::size_t ReadPending(const std::string& url, bool with_text,
                        const std::function<void(const Uuid&, Message&&)>& on_row);

// Marks the rows with the product's statement, `batch` of them per transaction.
void MarkInBatches(const std::string& url, const std::vector<Uuid>& ids, std::size_t batch);

// A bare connection to Redis over its unix socket. Errors: std::runtime_error.
class Redis {
 public:
  explicit Redis(const std::string& url);
  ~Redis();
  Redis(const Redis&) = delete;
  Redis& operator=(const Redis&) = delete;

  void Clear();  // everything, before it returns
  // XADD of the first `count` messages, `window` of them at a time before their answers are read.
  void Add(const std::vector<Message>& messages, std::size_t count, std::size_t window);
  redisContext* Handle() const { return context_; }

 private:
  redisContext* context_;
};

// What is in the streams of Redis after a run.
struct Found {
  std::size_t count = 0;
  std::size_t bytes = 0;          // of all values of fields
  double first_milliseconds = 0;  // time of the oldest entry
  std::vector<std::string> ids;   // sorted
  std::size_t out_of_order = 0;   // entries with a smaller position than one before of the key
};
Found ReadStreams(Redis& redis);

// Throws unless Redis holds exactly these messages (each id once, the same bytes, each key in
// ledger order in its stream). `what` names the run.
void RequireDelivered(const Found& found, const std::vector<std::string>& sorted_ids,
                      std::size_t bytes, const std::string& what);

}  // namespace summa::bench

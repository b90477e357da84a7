#include "tests/demo/consumer.hpp"

#include <hiredis/hiredis.h>

#include <charconv>
#include <chrono>
#include <exception>
#include <memory>
#include <stdexcept>

namespace summa::demo {
namespace {

constexpr char kConsumer[] = "reader-1";
// Messages of one stream per read; an answer stays below a megabyte.
constexpr char kReadCount[] = "500";
// How long Redis waits for news before it answers with none: how soon the end is noticed.
constexpr char kBlockMilliseconds[] = "200";
constexpr timeval kAnswerTimeout{60, 0};  // far above the block time

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

std::string_view Text(const redisReply& reply) {
  return reply.str == nullptr ? std::string_view() : std::string_view(reply.str, reply.len);
}

bool IsArray(const redisReply* reply, std::size_t size) {
  return reply != nullptr && reply->type == REDIS_REPLY_ARRAY && reply->elements >= size;
}

std::string StreamKey(const char* topic) { return std::string(kKeyPrefix) + ":stream:" + topic; }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Whether the fields are those of an event of this stream.
bool ReadFields(const redisReply& fields, Arrival& arrival) {
  bool has_id = false, has_key = false, has_type = false;
  for (std::size_t i = 0; i + 1 < fields.elements; i += 2) {
    const std::string_view name = Text(*fields.element[i]), value = Text(*fields.element[i + 1]);
    if (name == "id" || name == "key") {
      const std::optional<Uuid> id = ParseUuid(value);
      (name == "id" ? has_id : has_key) = id.has_value();
      (name == "id" ? arrival.id : arrival.lane.key) = id.value_or(Uuid{});
    } else if (name == "type") {
      has_type = value == kTopics[arrival.lane.topic];
    } else if (name == "position") {
      std::from_chars(value.data(), value.data() + value.size(), arrival.position);
    }
  }
  return has_id && has_key && has_type;
}

std::int64_t NowMicroseconds() {
  // The clock PostgreSQL stamps commits with.
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

std::optional<Uuid> ParseUuid(std::string_view text) {
  constexpr std::size_t kLength = 36;
  if (text.size() != kLength) return std::nullopt;
  Uuid id;
  for (std::size_t i = 0; i < kLength; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const int digit = HexDigit(text[i]);
    if (dash != (text[i] == '-') || (!dash && digit < 0)) return std::nullopt;
    if (dash) continue;
    std::uint64_t& half = i < 19 ? id.high : id.low;
    half = half << 4 | static_cast<std::uint64_t>(digit);
  }
  return id;
}

class Consumer::Connection {
 public:
  explicit Connection(const std::string& socket_path)
      : context_(redisConnectUnix(socket_path.c_str())) {
    if (!context_ || context_->err != 0) Throw("connect");
    redisSetTimeout(context_.get(), kAnswerTimeout);
  }

  Reply Command(const std::vector<std::string>& words) {
    Append(words);
    return Answer(words.at(0));
  }

  void Append(const std::vector<std::string>& words) {
    std::vector<const char*> pointers;
    std::vector<std::size_t> lengths;
    for (const std::string& word : words) {
      pointers.push_back(word.data());
      lengths.push_back(word.size());
    }
    redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), pointers.data(),
                           lengths.data());
  }

  Reply Answer(const std::string& what) {
    void* raw = nullptr;
    if (redisGetReply(context_.get(), &raw) != REDIS_OK) Throw(what);
    Reply reply(static_cast<redisReply*>(raw));
    if (reply->type == REDIS_REPLY_ERROR) {
      throw std::runtime_error(what + ": " + std::string(Text(*reply)));
    }
    return reply;
  }

 private:
  struct FreeContext {
    void operator()(redisContext* context) const { redisFree(context); }
  };
  [[noreturn]] void Throw(const std::string& what) {
    throw std::runtime_error("the consumer lost Redis at " + what + ": " +
                             (context_ ? context_->errstr : "no memory"));
  }
  std::unique_ptr<redisContext, FreeContext> context_;
};

Consumer::~Consumer() {
  aborted_ = true;
  if (thread_.joinable()) thread_.join();
}

void Consumer::Start() {
  Connection connection(socket_path_);
  for (const char* topic : kTopics) {
    connection.Command({"XGROUP", "CREATE", StreamKey(topic), kGroup, "0", "MKSTREAM"});
  }
  thread_ = std::thread([this] { Run(); });
}

void Consumer::Finish() {
  finishing_ = true;
  if (thread_.joinable()) thread_.join();
}

void Consumer::Run() {
  try {
    Connection connection(socket_path_);
    while (!aborted_) {
      // Asked before the read: nothing is published any more, so an empty answer is the end.
      const bool finishing = finishing_;
      if (ReadOnce(connection) == 0 && finishing) return;
    }
  } catch (const std::exception& failure) {
    const std::lock_guard lock(mutex_);
    error_ = failure.what();
  }
}

long long Consumer::ReadOnce(Connection& connection) {
  std::vector<std::string> command = {"XREADGROUP", "GROUP",    kGroup,  kConsumer,
                                      "COUNT",      kReadCount, "BLOCK", kBlockMilliseconds,
                                      "STREAMS"};
  for (const char* topic : kTopics) command.push_back(StreamKey(topic));
  command.insert(command.end(), kTopics.size(), ">");
  const Reply reply = connection.Command(command);
  if (!IsArray(reply.get(), 1)) return 0;  // nothing came
  const std::int64_t now = NowMicroseconds();
  long long count = 0;
  std::vector<std::vector<std::string>> acknowledgements;
  for (std::size_t i = 0; i < reply->elements; ++i) {
    const redisReply* stream = reply->element[i];
    if (!IsArray(stream, 2)) continue;
    auto& acknowledge = acknowledgements.emplace_back();
    acknowledge = {"XACK", std::string(Text(*stream->element[0])), kGroup};
    Arrival arrival;
    arrival.unix_microseconds = now;
    while (arrival.lane.topic < kTopics.size() &&
           StreamKey(kTopics[arrival.lane.topic]) != acknowledge[1]) {
      ++arrival.lane.topic;
    }
    const redisReply* entries = stream->element[1];
    for (std::size_t j = 0; j < entries->elements; ++j) {
      const redisReply* entry = entries->element[j];
      acknowledge.emplace_back(Text(*entry->element[0]));
      Arrival one = arrival;
      ++count;
      const std::lock_guard lock(mutex_);
      if (one.lane.topic < kTopics.size() && ReadFields(*entry->element[1], one)) {
        Note(one);
      } else {
        ++counts_.malformed;
        ++counts_.messages;
      }
    }
  }
  for (const auto& acknowledge : acknowledgements) connection.Append(acknowledge);
  for (std::size_t i = 0; i < acknowledgements.size(); ++i) connection.Answer("XACK");
  return count;
}

void Consumer::Note(const Arrival& arrival) {
  arrivals_.push_back(arrival);
  ++counts_.messages;
  if (!seen_.insert(arrival.id).second) {
    ++counts_.duplicates;
    return;
  }
  ++counts_.received;
  new_.push_back(arrival);
  std::int64_t& last = last_position_.try_emplace(arrival.lane, -1).first->second;
  if (arrival.position < last) ++counts_.out_of_order;
  if (arrival.position > last) last = arrival.position;
}

ConsumerCounts Consumer::Counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::vector<Arrival> Consumer::TakeNew() {
  const std::lock_guard lock(mutex_);
  return std::exchange(new_, {});
}

std::string Consumer::Error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

}  // namespace summa::demo

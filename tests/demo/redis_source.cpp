// XREADGROUP and XACK.
#include <hiredis/hiredis.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tests/demo/message_source.hpp"

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

std::string Prefix() { return std::string(kKeyPrefix) + ":stream:"; }
std::string StreamKey(const char* topic) { return Prefix() + topic; }

class Connection {
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

void ReadFields(const redisReply& fields, Message& message) {
  for (std::size_t i = 0; i + 1 < fields.elements; i += 2) {
    const std::string_view name = Text(*fields.element[i]), value = Text(*fields.element[i + 1]);
    if (name == "id") message.id = value;
    if (name == "key") message.key = value;
    if (name == "type") message.type = value;
    if (name == "position") message.position = value;
  }
}

class RedisSource final : public MessageSource {
 public:
  explicit RedisSource(std::string socket_path) : socket_path_(std::move(socket_path)) {}

  void MakeGroup() override {
    Connection connection(socket_path_);
    for (const char* topic : kTopics) {
      connection.Command({"XGROUP", "CREATE", StreamKey(topic), kGroup, "0", "MKSTREAM"});
    }
  }

  long long Read(const std::function<void(const Message&)>& take) override {
    if (!connection_) connection_.emplace(socket_path_);
    std::vector<std::string> command = {"XREADGROUP", "GROUP",    kGroup,  kConsumer,
                                        "COUNT",      kReadCount, "BLOCK", kBlockMilliseconds,
                                        "STREAMS"};
    for (const char* topic : kTopics) command.push_back(StreamKey(topic));
    command.insert(command.end(), kTopics.size(), ">");
    const Reply reply = connection_->Command(command);
    if (!IsArray(reply.get(), 1)) return 0;  // nothing came
    Message message;
    message.unix_microseconds = NowMicroseconds();
    long long count = 0;
    std::vector<std::vector<std::string>> acknowledgements;
    for (std::size_t i = 0; i < reply->elements; ++i) {
      const redisReply* stream = reply->element[i];
      if (!IsArray(stream, 2)) continue;
      const std::string_view key = Text(*stream->element[0]);
      message.topic = TopicNumber(key.substr(std::min(key.size(), Prefix().size())));
      auto& acknowledge = acknowledgements.emplace_back();
      acknowledge = {"XACK", std::string(key), kGroup};
      const redisReply* entries = stream->element[1];
      for (std::size_t j = 0; j < entries->elements; ++j) {
        const redisReply* entry = entries->element[j];
        acknowledge.emplace_back(Text(*entry->element[0]));
        Message one = message;
        ReadFields(*entry->element[1], one);
        take(one);
        ++count;
      }
    }
    for (const auto& acknowledge : acknowledgements) connection_->Append(acknowledge);
    for (std::size_t i = 0; i < acknowledgements.size(); ++i) connection_->Answer("XACK");
    return count;
  }

  HeldMessages Held() override {
    Connection connection(socket_path_);
    HeldMessages held;
    for (const char* topic : kTopics) {
      held.messages += connection.Command({"XLEN", StreamKey(topic)})->integer;
      const Reply waiting = connection.Command({"XPENDING", StreamKey(topic), kGroup});
      if (IsArray(waiting.get(), 1)) held.unacknowledged += waiting->element[0]->integer;
    }
    return held;
  }

 private:
  const std::string socket_path_;
  std::optional<Connection> connection_;  // of the thread that reads
};

}  // namespace

std::unique_ptr<MessageSource> ReadRedis(std::string socket_path) {
  return std::make_unique<RedisSource>(std::move(socket_path));
}

}  // namespace summa::demo

#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

struct redisContext;

namespace summa::test {

struct RedisReply {
  enum class Type { kNil, kText, kInteger, kArray };
  Type type = Type::kNil;
  std::string text;
  long long integer = 0;
  std::vector<RedisReply> items;
};

// A refused command or a lost connection.
class RedisError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// One message of a stream.
struct StreamMessage {
  std::string stream_id;
  std::map<std::string, std::string> fields;
};

// One connection for assertions in tests. Not thread-safe. Errors: RedisError.
class RedisClient {
 public:
  // `unix:///path` or `redis://host:port`.
  explicit RedisClient(const std::string& url, const std::string& password = {});
  ~RedisClient();
  RedisClient(const RedisClient&) = delete;
  RedisClient& operator=(const RedisClient&) = delete;

  RedisReply Command(const std::vector<std::string>& words);
  long long StreamLength(const std::string& stream);
  // Messages of a stream, oldest first; at most `limit` (0: all).
  std::vector<StreamMessage> StreamMessages(const std::string& stream, long long limit = 0);
  std::vector<std::string> Keys(const std::string& pattern);

 private:
  redisContext* context_;
};

}  // namespace summa::test

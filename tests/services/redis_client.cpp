#include "tests/services/redis_client.hpp"

#include <hiredis/hiredis.h>

namespace summa::test {
namespace {

constexpr char kUnixScheme[] = "unix://";
constexpr char kTcpScheme[] = "redis://";
constexpr int kRedisPort = 6379;

RedisReply Convert(const redisReply& reply) {
  RedisReply result;
  switch (reply.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      result.type = RedisReply::Type::kText;
      result.text.assign(reply.str, static_cast<std::size_t>(reply.len));
      break;
    case REDIS_REPLY_INTEGER:
      result.type = RedisReply::Type::kInteger;
      result.integer = reply.integer;
      break;
    case REDIS_REPLY_ARRAY:
      result.type = RedisReply::Type::kArray;
      for (std::size_t i = 0; i < reply.elements; ++i) {
        result.items.push_back(Convert(*reply.element[i]));
      }
      break;
    default:
      break;
  }
  return result;
}

redisContext* Connect(const std::string& url) {
  if (url.rfind(kUnixScheme, 0) == 0) {
    return redisConnectUnix(url.c_str() + sizeof kUnixScheme - 1);
  }
  if (url.rfind(kTcpScheme, 0) != 0) throw RedisError("not a Redis URL of tests: " + url);
  const std::string address = url.substr(sizeof kTcpScheme - 1);
  const auto colon = address.find(':');
  const int port = colon == std::string::npos ? kRedisPort : std::stoi(address.substr(colon + 1));
  return redisConnect(address.substr(0, colon).c_str(), port);
}

}  // namespace

RedisClient::RedisClient(const std::string& url, const std::string& password)
    : context_(Connect(url)) {
  if (context_ != nullptr && context_->err == 0) {
    if (!password.empty()) Command({"AUTH", password});
    return;
  }
  const std::string message = context_ != nullptr ? context_->errstr : "no memory";
  if (context_ != nullptr) redisFree(context_);
  throw RedisError("cannot connect to " + url + ": " + message);
}

RedisClient::~RedisClient() { redisFree(context_); }

RedisReply RedisClient::Command(const std::vector<std::string>& words) {
  std::vector<const char*> pointers;
  std::vector<std::size_t> lengths;
  for (const auto& word : words) {
    pointers.push_back(word.data());
    lengths.push_back(word.size());
  }
  auto* reply = static_cast<redisReply*>(
      redisCommandArgv(context_, static_cast<int>(words.size()), pointers.data(), lengths.data()));
  if (reply == nullptr) throw RedisError(words.at(0) + ": " + context_->errstr);
  if (reply->type == REDIS_REPLY_ERROR) {
    const std::string message(reply->str, static_cast<std::size_t>(reply->len));
    freeReplyObject(reply);
    throw RedisError(words.at(0) + ": " + message);
  }
  auto result = Convert(*reply);
  freeReplyObject(reply);
  return result;
}

long long RedisClient::StreamLength(const std::string& stream) {
  return Command({"XLEN", stream}).integer;
}

std::vector<StreamMessage> RedisClient::StreamMessages(const std::string& stream, long long limit) {
  std::vector<std::string> words = {"XRANGE", stream, "-", "+"};
  if (limit > 0) {
    words.emplace_back("COUNT");
    words.push_back(std::to_string(limit));
  }
  std::vector<StreamMessage> messages;
  for (const auto& item : Command(words).items) {
    auto& message = messages.emplace_back();
    message.stream_id = item.items.at(0).text;
    const auto& pairs = item.items.at(1).items;
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
      message.fields[pairs[i].text] = pairs[i + 1].text;
    }
  }
  return messages;
}

std::vector<std::string> RedisClient::Keys(const std::string& pattern) {
  std::vector<std::string> keys;
  for (const auto& item : Command({"KEYS", pattern}).items) keys.push_back(item.text);
  return keys;
}

}  // namespace summa::test

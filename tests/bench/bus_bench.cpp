// What the bus costs above bare Redis: the same messages published and consumed by bare hiredis
// loops and by the bus, in the same run, against the same server.
#include <hiredis/hiredis.h>

#include <array>
#include <csignal>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <summa/json.hpp>

#include "plugins/bus-redis/redis_bus.hpp"
#include "tests/bench/bus_load.hpp"
#include "tests/bench/report.hpp"
#include "tests/services/redis_client.hpp"
#include "tests/services/redis_server.hpp"

namespace summa::bench {
namespace {

// A bare connection; every failure ends the benchmark.
class Bare {
 public:
  explicit Bare(const std::string& url)
      : context_(redisConnectUnix(url.substr(std::string("unix://").size()).c_str()), &redisFree) {
    if (!context_ || context_->err != 0) throw std::runtime_error("bare connection failed");
  }
  void Append(const std::vector<std::string_view>& words) {
    data_.clear();
    sizes_.clear();
    for (const std::string_view word : words) {
      data_.push_back(word.data());
      sizes_.push_back(word.size());
    }
    redisAppendCommandArgv(context_.get(), static_cast<int>(data_.size()), data_.data(),
                           sizes_.data());
  }
  std::unique_ptr<redisReply, void (*)(void*)> Next() {
    void* reply = nullptr;
    if (redisGetReply(context_.get(), &reply) != REDIS_OK) throw std::runtime_error("no reply");
    return {static_cast<redisReply*>(reply), &freeReplyObject};
  }

 private:
  std::unique_ptr<redisContext, void (*)(redisContext*)> context_;
  std::vector<const char*> data_;
  std::vector<std::size_t> sizes_;
};

double BarePublish(const std::string& url, const std::vector<summa_bus_message>& messages) {
  Bare bare(url);
  std::vector<std::string> positions;
  positions.reserve(messages.size());
  for (const auto& message : messages) positions.push_back(std::to_string(message.position));
  const Stopwatch watch;
  for (std::size_t from = 0; from < messages.size(); from += kBatch) {
    const std::size_t to = std::min(from + kBatch, messages.size());
    for (std::size_t i = from; i < to; ++i) {
      const summa_bus_message& message = messages[i];
      bare.Append({"XADD", "summa:stream:bus", "*", "id", FromAbi(message.id), "type",
                   FromAbi(message.type), "payload", FromAbi(message.payload), "timestamp",
                   FromAbi(message.timestamp), "key", FromAbi(message.key), "position",
                   positions[i]});
    }
    for (std::size_t i = from; i < to; ++i) bare.Next();
  }
  return watch.Seconds();
}

double BareConsume(const std::string& url, std::size_t count) {
  Bare bare(url);
  bare.Append({"XGROUP", "CREATE", "summa:stream:bus", "bare", "0"});
  bare.Next();
  std::size_t consumed = 0;
  const Stopwatch watch;
  while (consumed < count) {
    bare.Append(
        {"XREADGROUP", "GROUP", "bare", "c", "COUNT", "1000", "STREAMS", "summa:stream:bus", ">"});
    const auto reply = bare.Next();
    if (reply->type != REDIS_REPLY_ARRAY) throw std::runtime_error("the stream ended early");
    const redisReply& entries = *reply->element[0]->element[1];
    std::vector<std::string_view> ack = {"XACK", "summa:stream:bus", "bare"};
    for (std::size_t i = 0; i < entries.elements; ++i) {
      const redisReply& id = *entries.element[i]->element[0];
      ack.emplace_back(id.str, id.len);
    }
    consumed += entries.elements;
    bare.Append(ack);
    bare.Next();
  }
  return watch.Seconds();
}

struct Measured {
  Series bare_publish, bus_publish, bare_consume, bus_consume;  // messages per second
};

void MeasureOnce(const std::vector<summa_bus_message>& messages, int concurrency,
                 Measured& measured) {
  const auto count = static_cast<double>(messages.size());
  test::RedisServer server;
  bus_redis::BusEvents events;
  bus_redis::RedisBusOptions options;
  options.url = bus_redis::ParseRedisUrl(server.Url());
  options.writer.key_prefix = "summa";
  bus_redis::RedisBus bus(std::move(options), &events);
  summa::detail::BusTable table(&bus);
  const BusClient client(table.table());
  test::RedisClient redis(server.Url());

  measured.bare_publish.Add(count / BarePublish(server.Url(), messages));
  measured.bare_consume.Add(count / BareConsume(server.Url(), messages.size()));
  redis.Command({"DEL", "summa:stream:bus"});
  measured.bus_publish.Add(count / BusPublish(client, messages));
  measured.bus_consume.Add(count / BusConsume(client, messages.size(), concurrency));
}

void Print(const Measured& measured, const Options& options) {
  const double publish = measured.bus_publish.Median() / measured.bare_publish.Median();
  const double consume = measured.bus_consume.Median() / measured.bare_consume.Median();
  if (options.Json()) {
    JsonWriter json;
    json.BeginObject().Member("benchmark", "bus").Member("machine", MachineText());
    json.Member("messages", options.Number("messages"));
    json.Member("barePublishPerSecond", measured.bare_publish.Median());
    json.Member("publishPerSecond", measured.bus_publish.Median());
    json.Member("publishRatio", publish);
    json.Member("bareConsumePerSecond", measured.bare_consume.Median());
    json.Member("consumePerSecond", measured.bus_consume.Median());
    json.Member("consumeRatio", consume).EndObject();
    std::cout << json.Take() << "\n";
    return;
  }
  const auto row = [](const std::string& name, const Series& series, const std::string& ratio,
                      const std::string& goal) {
    return std::vector<std::string>{name, Grouped(series.Median()),
                                    Grouped(series.Min()) + " - " + Grouped(series.Max()), ratio,
                                    goal};
  };
  std::cout << MachineText() << "\n\n";
  PrintTable(
      {{"messages/s", "median", "range", "ratio", "goal"},
       row("publish, bare pipelined XADD", measured.bare_publish, "", ""),
       row("publish, bus-redis", measured.bus_publish, Fixed(publish, 2), "0.70"),
       row("consume, bare XREADGROUP and XACK", measured.bare_consume, "", ""),
       row("consume, handlers of a Consumer", measured.bus_consume, Fixed(consume, 2), "0.70")});
}

int Run(int count, char** words) {
  const Options options(count, words,
                        "Publishing and consuming through bus-redis against bare hiredis loops.",
                        {{"messages", "500000", "messages published and consumed"},
                         {"keys", "10000", "keys they belong to"},
                         {"bytes", "250", "of a payload"},
                         {"concurrency", "10", "handlers of the consumer"},
                         {"repeat", "3", "how often each thing is measured"}});
  std::signal(SIGPIPE, SIG_IGN);  // as the host does
  const std::vector<Texts> texts = MakeTexts(static_cast<std::size_t>(options.Number("messages")),
                                             static_cast<std::size_t>(options.Number("keys")),
                                             static_cast<std::size_t>(options.Number("bytes")));
  const std::vector<summa_bus_message> messages = MakeMessages(texts);
  Measured measured;
  for (long long i = 0; i < options.Number("repeat"); ++i) {
    Say("round " + std::to_string(i + 1));
    MeasureOnce(messages, static_cast<int>(options.Number("concurrency")), measured);
  }
  Print(measured, options);
  return 0;
}

}  // namespace
}  // namespace summa::bench

int main(int count, char** words) { return summa::bench::Guarded(summa::bench::Run, count, words); }

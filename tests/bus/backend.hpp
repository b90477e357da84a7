// The buses that the contract is proved on, behind one face: a bus, and what a test does to it from
// outside.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <summa/bus.hpp>
#include <vector>

namespace summa::bus_test {

class Backend {
 public:
  virtual ~Backend() = default;
  virtual Bus& bus() = 0;
  // The oldest messages vanish from the stream, as after a trim by somebody else.
  virtual void RemoveOldest(const std::string& stream, std::size_t count) = 0;
  // A message that a consumer gave up stands among the dead letters.
  virtual void AddDeadLetter(const std::string& stream, const std::string& id,
                             const std::string& group) = 0;
  // Messages that were reported as removed before they were handled.
  virtual std::size_t Lost() = 0;
  // A full bus takes nothing until it has room again.
  virtual void SetFull(bool full) = 0;
  // Dead letters of the stream cannot be written.
  virtual void BreakDeadLetters(const std::string& stream, bool broken) = 0;
  // False: it has no server.
  virtual bool RestartServer() = 0;
  // What a server that only imitates the real one cannot do; empty: it is the real one.
  virtual std::string Lacks() const { return ""; }
};

struct BackendKind {
  std::string name;
  std::function<std::unique_ptr<Backend>(std::chrono::microseconds claim_after)> make;
};
// Of the program: in backend.cpp "Memory", "MemoryCore" (no capabilities), "Redis" and
// "RedisCluster", in kafka_backend.cpp "Kafka" and "KafkaMock". `make` returns nullptr when its
// server cannot be had: the cases are skipped.
const std::vector<BackendKind>& BackendKinds();

// Messages to publish; owns the texts.
class Messages {
 public:
  Messages& Add(const std::string& stream, const std::string& id, const std::string& key = "k",
                const std::string& payload = R"({"amount":1})");
  // The outcome of each message.
  std::vector<int> Try(Bus& bus);
  // Fails the test unless every message is confirmed.
  void Publish(Bus& bus);

 private:
  summa_str Keep(std::string text) { return ToAbi(texts_.emplace_back(std::move(text))); }
  std::deque<std::string> texts_;
  std::vector<summa_bus_message> messages_;
};

// Ends a case on a bus that lacks one of these capabilities. README.md says the same of the case.
#define NEEDS(needed)                                             \
  if ((table()->capabilities & (needed)) != (needed)) {           \
    GTEST_SKIP() << "skipped: this bus lacks one of " << #needed; \
  }                                                               \
  static_cast<void>(0)

// Ends a case that needs what an imitated server cannot do.
#define NEEDS_OF_SERVER(needed)                                                    \
  if (backend_->Lacks().find(needed) != std::string::npos) {                       \
    GTEST_SKIP() << "skipped: the mock cluster of librdkafka has no " << (needed); \
  }                                                                                \
  static_cast<void>(0)

class BusContract : public ::testing::TestWithParam<BackendKind> {
 protected:
  void SetUp() override {
    Restart(std::chrono::seconds(30));
    if (!backend_) GTEST_SKIP() << "skipped: no server for " << GetParam().name;
  }
  // A new, empty bus.
  void Restart(std::chrono::microseconds claim_after) {
    table_.reset();
    backend_.reset();
    backend_ = GetParam().make(claim_after);
  }
  Bus& bus() { return backend_->bus(); }
  // The same bus as another plugin sees it, through the C interface.
  BusClient client() { return BusClient(table()); }
  const summa_bus_v1* table() {
    if (!table_) table_ = std::make_unique<detail::BusTable>(&bus());
    return table_->table();
  }
  void PublishNumbers(const std::string& stream, std::size_t from, std::size_t to);

  std::unique_ptr<Backend> backend_;

 private:
  std::unique_ptr<detail::BusTable> table_;
};

inline std::string BackendName(const ::testing::TestParamInfo<BackendKind>& kind) {
  return kind.param.name;
}

std::vector<std::string> Numbers(std::size_t from, std::size_t to);

}  // namespace summa::bus_test

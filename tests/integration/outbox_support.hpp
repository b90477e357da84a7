// What the tests of the outbox plugin share: a ledger of its own in a real PostgreSQL, a bus in
// memory that fails as it is told, and a clock that the test moves.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <summa/testkit/fake_host.hpp>
#include <summa/testkit/memory_bus.hpp>
#include <thread>

#include "cleanup.hpp"
#include "dead_letters.hpp"
#include "host/abi/sql_service.hpp"
#include "host/database/control_plane.hpp"
#include "lanes.hpp"
#include "processor.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/integration/plugin_steps.hpp"
#include "tests/services/db.hpp"
#include "tests/services/postgres_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::outbox {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Db;

inline test::PostgresServer& Server() {
  static test::PostgresServer server;
  return server;
}

class OutboxTest : public testing::Test {
 protected:
  OutboxTest() {
    static int number = 0;
    database_ = "outbox_" + std::to_string(++number);
    url_ = test::InstallLedger(Server(), database_);
    host::DatabaseSettings settings;
    settings.url = url_;
    settings.application_name = "outbox-test";
    host::ControlPlane(settings).Migrate(test::StepsWith({"outbox"}));
    sql_ = std::make_unique<host::SqlService>(
        std::map<std::string, std::shared_ptr<host::SessionPool>>{
            {"ledger", std::make_shared<host::SessionPool>(settings)}});
    fake_ = std::make_unique<testkit::FakeHost>(sql_->unleased());
    db_ = std::make_unique<Db>(url_);
    settings_.outbox.batch_size = 100;
  }

  void MakeProcessor() {
    bus_table_.emplace(&bus_);
    processor_ =
        std::make_unique<Processor>(fake_->host(), settings_, BusClient(bus_table_->table()));
    tick_ = std::make_unique<testkit::FakeTick>(sql_->unleased(), SUMMA_TICK_NEW_LEASE);
  }
  TickResult RunOnce() {
    const TickResult result = processor_->Run(Tick(tick_->abi()));
    tick_->SetFlags(0);
    return result;
  }
  // Until nothing is left that could be sent now.
  std::int64_t Drain() {
    std::int64_t items = 0;
    for (int rounds = 0; rounds < 10'000; ++rounds) {
      const TickResult result = RunOnce();
      items += result.items;
      if (!result.backlog) return items;
    }
    ADD_FAILURE() << "the processor never came to an end";
    return items;
  }

  // One row of outbox for an account, with an event behind it; `age` of its transaction's start.
  std::string Insert(const std::string& account, const std::string& age = "0",
                     const std::string& topic = "ledger-account-credited") {
    return db_->Value(
        "WITH t AS (SELECT gen_random_uuid() AS id, clock_timestamp() - $2::interval AS at), "
        "e AS (INSERT INTO ledger_event (aggregate_type, aggregate_id, aggregate_version, "
        "event_type, "
        "event_data, correlation_id, hash, created_at) SELECT 'transaction', id, 1, "
        "'TransactionPosted', "
        "'{}', gen_random_uuid(), repeat('0', 64), at FROM t) "
        "INSERT INTO outbox (topic, payload, created_at) SELECT $3, "
        "jsonb_build_object('accountId', $1::text, "
        "'transactionId', id), at FROM t RETURNING id",
        {account, age, topic});
  }
  std::int64_t Redrive(const std::vector<std::string>& ids) {
    Session session(sql_->unleased());
    return DeadLetters(settings_.outbox, "tester")
        .Redrive(session, ids, settings_.outbox.sinks, {"dlq redrive", "outbox", "test"});
  }
  std::vector<std::string> SentIds() const {
    std::vector<std::string> ids;
    for (const auto& message : bus_.Stored()) ids.push_back(message.id);
    return ids;
  }
  // First occurrences per (stream, key) must have rising positions.
  void ExpectLedgerOrder() const {
    std::map<std::pair<std::string, std::string>, std::int64_t> last;
    std::set<std::string> seen;
    for (const auto& message : bus_.Stored()) {
      if (!seen.insert(message.id).second) continue;
      auto& position = last.try_emplace({message.stream, message.key}, INT64_MIN).first->second;
      EXPECT_GE(message.position, position)
          << "stream " << message.stream << ", key " << message.key;
      position = message.position;
    }
  }
  std::string Field(const std::string& id, const std::string& column) {
    return db_->Value("SELECT " + column + "::text FROM outbox WHERE id = $1", {id});
  }

  std::string database_, url_;
  std::unique_ptr<host::SqlService> sql_;
  std::unique_ptr<testkit::FakeHost> fake_;
  std::unique_ptr<Db> db_;
  testkit::MemoryBus bus_;
  std::optional<summa::detail::BusTable> bus_table_;
  ProcessorSettings settings_;
  std::unique_ptr<Processor> processor_;
  std::unique_ptr<testkit::FakeTick> tick_;
};

}  // namespace summa::outbox

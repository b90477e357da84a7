// A batch of events for tests of a read model. Its tables are called as the projection calls them.
//
//   summa::testkit::FakeBatch batch;
//   batch.Add({.type = "CREDIT_POSTED", .holder = "holder_1", .amount = 70});
//   batch.Apply(projection);
//   EXPECT_EQ(batch.Statements().size(), 1u);
#pragma once

#include <summa/projection.hpp>
#include <summa/testkit/scripted_sql.hpp>

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace summa::testkit {

// What a test says of an event; the rest is filled in, so that events differ.
struct FakeEvent {
  std::string type;
  std::string holder = "holder_1";
  std::string category = {};
  std::int64_t amount = 0;
  std::string currency = "USD";
  std::string reference = {};
  std::string data = "{}";
};

// Must outlive the call. One account for each holder. One thread.
class FakeBatch {
 public:
  explicit FakeBatch(std::uint32_t flags = 0) {
    batch_.struct_size = sizeof batch_;
    batch_.flags = flags;
    batch_.self = this;
    batch_.sql = sql_.table();
    batch_.table = [](const summa_projection_batch* batch, summa_str name) {
      return ToAbi(static_cast<FakeBatch*>(batch->self)->Quoted(FromAbi(name)));
    };
  }
  FakeBatch(const FakeBatch&) = delete;
  FakeBatch& operator=(const FakeBatch&) = delete;

  void Add(FakeEvent event) {
    const FakeEvent& kept = kept_.emplace_back(std::move(event));
    summa_projection_event abi{};
    abi.struct_size = sizeof abi;
    abi.flags = SUMMA_EVENT_HAS_ACCOUNT;
    abi.position = static_cast<std::int64_t>(kept_.size());
    abi.type = abi.stored_type = ToAbi(kept.type);
    abi.account = AccountOf(kept);
    abi.account_id = abi.aggregate_id = abi.account->id;
    abi.event_id = abi.id = NumberedId(1, kept_.size());
    abi.amount = kept.amount;
    abi.balance_before = abi.balance_after = SUMMA_PROJECTION_NO_VALUE;
    abi.reference = ToAbi(kept.reference);
    abi.category = ToAbi(kept.category);
    abi.data = ToAbi(kept.data);
    events_.push_back(abi);
  }

  // Throws what the projection throws.
  void Apply(const Projection& projection) {
    summa::Session session(sql_.table());
    batch_.events = events_.data();
    batch_.event_count = events_.size();
    batch_.session = session.handle();
    session.Begin();
    projection.Apply(ProjectionBatch(&batch_));
    session.Commit();
  }

  ScriptedSql& sql() { return sql_; }
  // Of the projection alone, without BEGIN and COMMIT.
  std::vector<ScriptedSql::Statement> Statements() const {
    std::vector<ScriptedSql::Statement> statements;
    for (ScriptedSql::Statement& each : sql_.Statements()) {
      if (each.text != "BEGIN" && each.text != "COMMIT" && each.text != "ROLLBACK") {
        statements.push_back(std::move(each));
      }
    }
    return statements;
  }

 private:
  static summa_uuid NumberedId(std::uint8_t kind, std::size_t number) {
    summa_uuid id{};
    id.bytes[0] = kind;
    id.bytes[14] = static_cast<std::uint8_t>(number >> 8U);
    id.bytes[15] = static_cast<std::uint8_t>(number);
    return id;
  }
  const summa_projection_account* AccountOf(const FakeEvent& event) {
    for (const summa_projection_account& each : accounts_) {
      if (FromAbi(each.holder_id) == event.holder) return &each;
    }
    summa_projection_account& account = accounts_.emplace_back();
    account.struct_size = sizeof account;
    account.id = NumberedId(2, accounts_.size());
    account.holder_id = ToAbi(event.holder);
    account.holder_type = ToAbi("individual");
    account.currency = ToAbi(event.currency);
    account.status = ToAbi("active");
    return &account;
  }
  std::string_view Quoted(std::string_view name) {
    for (const std::string& each : tables_) {
      if (each.substr(1, each.size() - 2) == name) return each;
    }
    return tables_.emplace_back("\"" + std::string(name) + "\"");
  }

  ScriptedSql sql_;
  summa_projection_batch batch_{};
  std::deque<FakeEvent> kept_;
  std::deque<summa_projection_account> accounts_;
  std::deque<std::string> tables_;
  std::vector<summa_projection_event> events_;
};

}  // namespace summa::testkit

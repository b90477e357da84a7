// What goes on in a ledger every day, flat or partitioned.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <summa/ledger/reader.hpp>
#include <summa/sql.hpp>

#include "host/abi/sql_service.hpp"
#include "tests/services/db.hpp"
#include "verify/verify.hpp"

namespace summa::bench {

// summa.sql/1 on a database, as a plugin gets it from the host.
class HostedSql {
 public:
  explicit HostedSql(const std::string& url) {
    host::DatabaseSettings settings;
    settings.url = url;
    settings.application_name = "bench-partition";
    settings.pool = 8;
    service_ = std::make_unique<host::SqlService>(
        std::map<std::string, std::shared_ptr<host::SessionPool>>{
            {"ledger", std::make_shared<host::SessionPool>(settings)}});
  }
  const summa_sql_v1* sql() const { return service_->unleased(); }

 private:
  std::unique_ptr<host::SqlService> service_;
};

// Each call is timed. Of a history, see partition_data.hpp.
class EverydayWork {
 public:
  EverydayWork(const std::string& url, long long aggregates);

  void Append();
  void ReadLatest();
  void PollStore();
  void PollOutbox();
  void VerifyOne();

 private:
  std::string Next();

  HostedSql hosted_;
  test::Db db_;
  Session session_;
  const long long aggregates_;
  ledger::EventTable table_;
  ledger::EventReader reader_;
  verify::VerifyOptions options_;
  long long next_ = 0;
};

struct Everyday {
  const char* name;
  void (EverydayWork::*call)();
  int calls;              // of a round
  bool append_each_time;  // unmeasured, so that there is something to find
};
inline constexpr Everyday kEveryday[] = {
    {"append, committed", &EverydayWork::Append, 100, false},
    {"latest version of an aggregate", &EverydayWork::ReadLatest, 500, false},
    {"poll of the store with the hole list", &EverydayWork::PollStore, 100, true},
    {"poll of the outbox", &EverydayWork::PollOutbox, 20, false},
    {"verification of one aggregate", &EverydayWork::VerifyOne, 50, false},
};

// Of one call, on average of a round.
double Milliseconds(EverydayWork& work, const Everyday& everyday);

}  // namespace summa::bench

// A connection that is cut at every byte of a guarded COMMIT and of its answer: Commit() returns if
// and only if the row is there.
#include <iostream>

#include "tests/faults/tcp_proxy.hpp"
#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

using test::Direction;
using test::ProxyAddress;

constexpr char kWorker[] = "outbox-processor";
constexpr char kHolder[] = "summa-host/test/1/a";
const LeaseGuard kGuard{kWorker, kHolder, 7};

struct Outcomes {
  int committed = 0, refused = 0;
};

class CommitTest : public DatabaseTest {
 protected:
  CommitTest() : proxy_(ProxyAddress::Tcp(), ProxyAddress::Postgres(Server().SocketDirectory())) {
    db_->Execute("CREATE TABLE item (id integer PRIMARY KEY)");
    db_->Query(
        "INSERT INTO worker_lease (worker_id, lease_holder, lease_until) VALUES ($1, $2, now() + "
        "interval '1 hour')",
        {kWorker, kHolder});
    db_->Query("INSERT INTO summa_host.worker_fence (worker, fence) VALUES ($1, 7)", {kWorker});
    settings_.url =
        "postgresql://postgres@127.0.0.1:" + std::to_string(proxy_.Port()) + "/" + name_;
  }

  std::unique_ptr<Session> BeginWithRow(int id) {
    auto session = ConnectSession(settings_);
    session->Begin(TransactionMode::kReadWrite, &kGuard);
    session->Exec("INSERT INTO item VALUES (" + std::to_string(id) + ")", {}, 0);
    return session;
  }
  bool IsThere(int id) {
    return db_->Count("SELECT count(*) FROM item WHERE id = $1::int", {std::to_string(id)}) == 1;
  }
  void WaitForEndOf(int backend_pid) {
    test::WaitUntil(
        [&] {
          return db_->Count("SELECT count(*) FROM pg_stat_activity WHERE pid = $1::int",
                            {std::to_string(backend_pid)}) == 0;
        },
        test::kTimeout, "the end of a backend");
  }

  // Bytes of one undisturbed guarded COMMIT, in that direction.
  std::uint64_t CommitBytes(Direction direction) {
    const std::size_t number = proxy_.Accepted();
    auto session = BeginWithRow(next_id_++);
    const auto before = proxy_.CountsOf(number);
    session->Commit(&kGuard);
    const auto after = proxy_.CountsOf(number);
    return direction == Direction::kToServer ? after.to_server_bytes - before.to_server_bytes
                                             : after.to_client_bytes - before.to_client_bytes;
  }

  void CutAt(Direction direction, std::uint64_t bytes, bool reset, Outcomes& outcomes) {
    const int id = next_id_++;
    const std::size_t number = proxy_.Accepted();
    auto session = BeginWithRow(id);
    const int backend = session->backend_pid();
    test::ProxyFault fault;
    fault.cut_after_bytes = bytes;
    fault.reset = reset;
    proxy_.SetFor(number, direction, fault);
    std::string code;
    try {
      session->Commit(&kGuard);
    } catch (const SqlFailure& failure) {
      code = failure.error().code;
    }
    session.reset();
    WaitForEndOf(backend);
    const bool there = IsThere(id);
    const std::string place = std::to_string(bytes) + " bytes " +
                              (direction == Direction::kToServer ? "to the server" : "to us") +
                              (reset ? ", reset" : ", closed") + ": " + code;
    ++(code.empty() ? outcomes.committed : outcomes.refused);
    EXPECT_EQ(there, code.empty()) << place;
    EXPECT_NE(code, "SH-0404") << "the server was there to be asked: " << place;
  }

  Outcomes Sweep(Direction direction, std::uint64_t first) {
    Outcomes outcomes;
    const std::uint64_t length = CommitBytes(direction);
    EXPECT_GT(length, 20u);
    for (const bool reset : {false, true}) {
      for (std::uint64_t bytes = first; bytes <= length; ++bytes) {
        CutAt(direction, bytes, reset, outcomes);
      }
    }
    std::cout << "swept " << 2 * (length + 1 - first) << " cuts: " << outcomes.committed
              << " reported committed, " << outcomes.refused << " reported not committed\n";
    return outcomes;
  }

  test::TcpProxy proxy_;
  int next_id_ = 1;
};

TEST_F(CommitTest, CutAtEveryByteOfTheCommitItSaysWhatTheDatabaseHolds) {
  const Outcomes outcomes = Sweep(Direction::kToServer, 0);
  // The whole COMMIT arrives only when no byte is missing.
  EXPECT_LE(outcomes.committed, 2);
}

TEST_F(CommitTest, CutAtEveryByteOfTheAnswerItSaysThatItWasCommitted) {
  const Outcomes outcomes = Sweep(Direction::kToClient, 1);
  EXPECT_GT(outcomes.committed, 0);
  EXPECT_EQ(outcomes.refused, 0);  // the server had the COMMIT every time
}

}  // namespace
}  // namespace summa::host

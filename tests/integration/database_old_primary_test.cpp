// The primary stands still, its standby is promoted, and then the old one wakes up: nobody who
// knows the promoted one goes back.
#include <future>

#include "host/database/control_connection.hpp"
#include "tests/integration/database_support.hpp"

namespace summa::host {
namespace {

using std::chrono::seconds;

class OldPrimaryTest : public testing::Test {
 protected:
  OldPrimaryTest() : primary_(Tcp(nullptr)), standby_(Tcp(&primary_)) {
    settings_.url = "postgresql://postgres@127.0.0.1:" + std::to_string(primary_.Port()) +
                    ",127.0.0.1:" + std::to_string(standby_.Port()) + "/postgres";
    settings_.connect_timeout = seconds(2);
    patient_ = settings_;
    patient_.connect_timeout = 4 * test::kTimeout;
    primary_.Freeze();
    standby_.Promote();
  }
  void TearDown() override { primary_.Thaw(); }
  static test::PostgresOptions Tcp(const test::PostgresServer* standby_of) {
    test::PostgresOptions options;
    options.tcp = true;
    options.standby_of = standby_of;
    return options;
  }
  static std::string ServerOf(const DatabaseSettings& settings) {
    return ControlConnection(settings).server();
  }
  // A busy machine may need more than one attempt, which has little time beside a frozen server.
  std::string ServerAtLast() const {
    std::string server;
    test::WaitUntil(
        [&] {
          try {
            server = ServerOf(settings_);
            return true;
          } catch (const SqlFailure&) {
            return false;
          }
        },
        test::kTimeout, "a connection");
    return server;
  }
  std::string Promoted() const { return "primary 127.0.0.1:" + std::to_string(standby_.Port()); }

  test::PostgresServer primary_, standby_;
  DatabaseSettings settings_, patient_;
};

TEST_F(OldPrimaryTest, AConnectionThatWaitsForItGoesOnToThePromotedOne) {
  auto under_way = std::async(std::launch::async, [&] { return ServerOf(patient_); });
  EXPECT_EQ(ServerAtLast(), Promoted());
  primary_.Thaw();
  EXPECT_EQ(under_way.get(), Promoted());
  EXPECT_EQ(ServerAtLast(), Promoted());
}

TEST_F(OldPrimaryTest, IsNoPrimaryWhileThePromotedOneIsAway) {
  EXPECT_EQ(ServerAtLast(), Promoted());
  primary_.Thaw();
  standby_.StopFast();
  const SqlFailure failure = CatchSql([&] { ServerOf(patient_); });
  EXPECT_EQ(failure.error().code, "SH-0424") << failure.what();
  EXPECT_EQ(ExitCode(failure.error()), 69);
  EXPECT_NE(failure.error().message.find("on timeline 1: a standby was promoted in its place, to "
                                         "timeline 2"),
            std::string::npos)
      << failure.what();
  standby_.Start();
  EXPECT_EQ(ServerAtLast(), Promoted());
}

using HistoryTest = DatabaseTest;

TEST_F(HistoryTest, AServerThatLetsNobodyAskForItsTimelineIsTakenWithout) {
  db_->Execute(
      "CREATE ROLE incurious LOGIN; REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
  settings_.url.replace(settings_.url.find("postgres@"), 8, "incurious");
  EXPECT_EQ(ControlConnection(settings_).server().rfind("primary ", 0), 0U);
  db_->Execute("DROP ROLE incurious");
}

}  // namespace
}  // namespace summa::host

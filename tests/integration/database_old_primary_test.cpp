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
  std::string Promoted() const { return "primary 127.0.0.1:" + std::to_string(standby_.Port()); }

  test::PostgresServer primary_, standby_;
  DatabaseSettings settings_;
};

TEST_F(OldPrimaryTest, AConnectionThatWaitsForItGoesOnToThePromotedOne) {
  DatabaseSettings patient = settings_;
  patient.connect_timeout = 4 * test::kPatience;
  auto under_way = std::async(std::launch::async, [&] { return ServerOf(patient); });
  EXPECT_EQ(ServerOf(settings_), Promoted());
  primary_.Thaw();
  EXPECT_EQ(under_way.get(), Promoted());
  EXPECT_EQ(ServerOf(settings_), Promoted());
}

TEST_F(OldPrimaryTest, IsNoPrimaryWhileThePromotedOneIsAway) {
  EXPECT_EQ(ServerOf(settings_), Promoted());
  primary_.Thaw();
  standby_.StopFast();
  const SqlFailure failure = CatchSql([&] { ServerOf(settings_); });
  EXPECT_EQ(failure.error().code, "SH-0424") << failure.what();
  EXPECT_EQ(ExitCode(failure.error()), 69);
  standby_.Start();
  EXPECT_EQ(ServerOf(settings_), Promoted());
}

}  // namespace
}  // namespace summa::host

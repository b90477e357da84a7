// rediss://, against a Redis with a throw-away authority.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/integration/bus_redis_certificates.hpp"
#include "tests/integration/bus_redis_support.hpp"
#include "tests/services/certificate.hpp"

namespace summa::bus_redis {
namespace {

using test::MakeCertificate;
using ::testing::HasSubstr;

class BusRedisTls : public BusRedis {
 protected:
  std::string File(const std::string& name) const { return certificates_.File(name); }

  void SetUp() override {
    BusRedis::SetUp();
    Serve("no");
  }
  void Serve(const std::string& ask_for_certificate) {
    tls_server_.reset();
    test::RedisOptions options;
    port_ = test::FreePort();
    options.extra_arguments = {"--tls-port", std::to_string(port_)};
    const auto tls = certificates_.Arguments(ask_for_certificate);
    options.extra_arguments.insert(options.extra_arguments.end(), tls.begin(), tls.end());
    tls_server_ = std::make_unique<test::RedisServer>(options);
  }
  RedisBusOptions TlsOptionsFor(const std::string& host) const {
    RedisBusOptions options = Options();
    options.url = ParseRedisUrl("rediss://" + host + ":" + std::to_string(port_));
    options.tls.ca_file = File("ca.crt");
    return options;
  }

  const Certificates certificates_;
  std::unique_ptr<test::RedisServer> tls_server_;
  int port_ = 0;
};

TEST_F(BusRedisTls, PublishesAndConsumesLargeAndManyMessages) {
  const auto bus = MakeBus(TlsOptionsFor("127.0.0.1"));
  Batch batch;
  for (const std::string& id : Numbers(2000)) batch.Add("a", id);
  batch.Add("a", "large", "\"" + std::string(900'000, 'x') + "\"");
  ASSERT_FALSE(batch.Publish(*bus));
  EXPECT_EQ(batch.Count(SUMMA_BUS_CONFIRMED), 2001U);
  const auto reader = bus->Subscribe("a", "g", "c", 0);
  std::vector<std::string> ids;
  std::size_t bytes = 0;
  while (ids.size() < 2001) {
    const auto deliveries = reader->Poll(700, test::kTimeout);
    ASSERT_FALSE(deliveries.empty());
    for (const auto& delivery : deliveries) {
      ids.emplace_back(FromAbi(delivery.message.id));
      bytes = delivery.message.payload.size;
      reader->Ack({&delivery.delivery_id, 1});
    }
  }
  std::vector<std::string> expected = Numbers(2000);
  expected.emplace_back("large");
  EXPECT_EQ(ids, expected);
  EXPECT_EQ(bytes, 900'002U);
}

TEST_F(BusRedisTls, ARestartedServerIsFoundAgain) {
  const auto bus = MakeBus(TlsOptionsFor("127.0.0.1"));
  bus->Ping();
  tls_server_->Restart();
  EXPECT_TRUE(test::BecomesTrue([&] {
    try {
      bus->Ping();
      return true;
    } catch (const Error&) {
      return false;
    }
  }));
}

// The files are read with every connection: neither a signal nor a restart is needed.
TEST_F(BusRedisTls, NewCertificatesAndAuthoritiesAreTakenByTheNextConnection) {
  MakeCertificate(File("ours"), "/CN=host", File("ca"));
  Serve("yes");
  RedisBusOptions options = TlsOptionsFor("127.0.0.1");
  options.tls = {File("trusted.crt"), File("ours.crt"), File("ours.key")};
  std::filesystem::copy_file(File("ca.crt"), options.tls.ca_file);
  const auto bus = MakeBus(options);
  const auto reader = bus->Subscribe("a", "g", "c", 0);
  Batch batch;
  batch.Add("a", "before");
  ASSERT_FALSE(batch.Publish(*bus));
  // Another authority signs the server anew, and trusts nothing that the old one signed.
  for (const char* name : {"ca", "server", "ours"}) {
    for (const char* part : {".crt", ".key"}) {
      std::filesystem::rename(File(name + std::string(part)),
                              File("old-" + std::string(name) + part));
    }
  }
  MakeCertificate(File("ca"), "/CN=another authority");
  MakeCertificate(File("server"), "/CN=redis", File("ca"));
  tls_server_->Restart();
  EXPECT_EQ(ErrorOf([&] { bus->MakeAdmin().Length("a"); }).code(), "SH-0614");
  std::filesystem::copy_file(File("ca.crt"), options.tls.ca_file,
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(ErrorOf([&] { bus->MakeAdmin().Length("a"); }).status(), SUMMA_E_UNAVAILABLE)
      << "ours is signed by the old one";
  MakeCertificate(File("ours"), "/CN=host", File("ca"));
  Batch after;
  after.Add("a", "after");
  EXPECT_TRUE(test::BecomesTrue([&] { return !after.Publish(*bus); }));
  std::vector<std::string> ids;
  EXPECT_TRUE(test::BecomesTrue([&] {
    try {
      for (const auto& delivery : reader->Poll(10, std::chrono::seconds(1))) {
        ids.emplace_back(FromAbi(delivery.message.id));
      }
    } catch (const Error&) {
    }
    return !ids.empty() && ids.back() == "after";
  }));
}

TEST_F(BusRedisTls, ACertificateOfAnUnknownAuthorityIsRefusedAndNothingIsSent) {
  RedisBusOptions options = TlsOptionsFor("127.0.0.1");
  options.tls.ca_file.clear();
  options.url.password = "secret-word";
  const Error refused = ErrorOf([&] { MakeBus(options)->Ping(); });
  EXPECT_EQ(refused.code(), "SH-0614");
  EXPECT_EQ(refused.status(), SUMMA_E_UNAVAILABLE);
  EXPECT_THAT(refused.what(), HasSubstr("certificate"));
  EXPECT_THAT(refused.what(), ::testing::Not(HasSubstr("secret-word")));
}

TEST_F(BusRedisTls, ACertificateForAnotherHostIsRefused) {
  EXPECT_EQ(ErrorOf([&] { MakeBus(TlsOptionsFor("localhost"))->Ping(); }).code(), "SH-0614");
}

TEST_F(BusRedisTls, AServerWithoutTlsIsNamedAsSuch) {
  test::RedisOptions plain;
  plain.tcp = true;
  const test::RedisServer server(plain);
  RedisBusOptions options = TlsOptionsFor("127.0.0.1");
  options.url.port = server.Port();
  EXPECT_EQ(ErrorOf([&] { MakeBus(options)->Ping(); }).code(), "SH-0614");
}

TEST_F(BusRedisTls, AServerThatAsksForACertificateIsShownOurs) {
  Serve("yes");
  RedisBusOptions options = TlsOptionsFor("127.0.0.1");
  EXPECT_EQ(ErrorOf([&] { MakeBus(options)->Ping(); }).status(), SUMMA_E_UNAVAILABLE);
  options.tls.certificate_file = File("server.crt");
  options.tls.key_file = File("server.key");
  MakeBus(options)->Ping();
}

TEST_F(BusRedisTls, FilesThatCannotBeUsedAreAFaultOfTheConfiguration) {
  const auto code = [](const TlsOptions& tls) {
    const Error error = ErrorOf([&] { CheckTlsFiles(tls); });
    EXPECT_EQ(error.status(), SUMMA_E_CONFIG);
    return std::string(error.code());
  };
  EXPECT_EQ(code({"/no/such/file", "", ""}), "SH-0614");
  EXPECT_EQ(code({"", "/no/such/file", ""}), "SH-0614");
  EXPECT_EQ(code({"", File("server.crt"), File("ca.key")}), "SH-0614");
  CheckTlsFiles({File("ca.crt"), File("server.crt"), File("server.key")});
}

}  // namespace
}  // namespace summa::bus_redis

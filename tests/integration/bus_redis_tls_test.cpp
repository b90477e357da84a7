// rediss://, against a Redis with a throw-away authority.
#include <cstdlib>
#include <fstream>

#include "tests/integration/bus_redis_support.hpp"
#include "tests/services/process.hpp"
#include "tests/services/server_directory.hpp"

namespace summa::bus_redis {
namespace {

using ::testing::HasSubstr;

class BusRedisTls : public BusRedis {
 protected:
  static void SetUpTestSuite() {
    directory_ = new test::ServerDirectory();
    const std::string& path = directory_->Path();
    MakeCertificate(path + "/ca", "/CN=throw-away authority", "");
    MakeCertificate(path + "/server", "/CN=redis", path + "/ca");
  }
  static void TearDownTestSuite() {
    delete directory_;
    directory_ = nullptr;
  }
  // NAME.crt and NAME.key; signed by `authority`, or by itself when that is empty.
  static void MakeCertificate(const std::string& name, const std::string& subject,
                              const std::string& authority) {
    std::vector<std::string> words = {
        "openssl", "req",        "-x509", "-newkey", "ec",    "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes",  "-days",      "2",     "-subj",   subject, "-keyout",  name + ".key",
        "-out",    name + ".crt"};
    if (!authority.empty()) {
      words.insert(words.end(), {"-CA", authority + ".crt", "-CAkey", authority + ".key", "-addext",
                                 "subjectAltName=IP:127.0.0.1", "-addext",
                                 "basicConstraints=critical,CA:FALSE"});
    }
    test::RunOrThrow(words);
  }
  static std::string File(const std::string& name) { return directory_->Path() + "/" + name; }

  void SetUp() override {
    BusRedis::SetUp();
    Serve("no");
  }
  void Serve(const std::string& ask_for_certificate) {
    tls_server_.reset();
    test::RedisOptions options;
    port_ = test::FreePort();
    options.extra_arguments = {"--tls-port",
                               std::to_string(port_),
                               "--tls-cert-file",
                               File("server.crt"),
                               "--tls-key-file",
                               File("server.key"),
                               "--tls-ca-cert-file",
                               File("ca.crt"),
                               "--tls-auth-clients",
                               ask_for_certificate,
                               "--bind",
                               "127.0.0.1"};
    tls_server_ = std::make_unique<test::RedisServer>(options);
  }
  RedisBusOptions TlsOptionsFor(const std::string& host) const {
    RedisBusOptions options = Options();
    options.url = ParseRedisUrl("rediss://" + host + ":" + std::to_string(port_));
    options.tls.ca_file = File("ca.crt");
    return options;
  }

  static inline test::ServerDirectory* directory_ = nullptr;
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
    const auto deliveries = reader->Poll(700, test::kPatience);
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

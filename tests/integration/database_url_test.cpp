// What is wrong with a database URL is found offline and named, and the password is never shown.
#include <gtest/gtest.h>

#include <cstdlib>

#include "host/database/database_url.hpp"
#include "host/database/session.hpp"

namespace summa::host {
namespace {

constexpr const char* kGood = "postgresql://me:s3cret@db.example:5432/ledger";

struct Mistake {
  const char *url, *code, *in_message, *in_fix;
};

void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.url; }

class DatabaseUrlMistake : public testing::TestWithParam<Mistake> {};

TEST_P(DatabaseUrlMistake, IsNamedAndThePasswordIsNot) {
  const auto& [url, code, in_message, in_fix] = GetParam();
  const auto error = CheckDatabaseUrl(url, true);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, code) << error->message;
  EXPECT_NE(error->message.find(in_message), std::string::npos) << error->message;
  EXPECT_NE(error->hint.find(in_fix), std::string::npos) << error->hint;
  EXPECT_EQ(ToText(*error).find("s3cret"), std::string::npos) << ToText(*error);
  EXPECT_EQ(ExitCode(*error), 78);
  EXPECT_THROW(ReadDatabaseUrl(url, true), SqlFailure) << "every verb finds it before connecting";
}

INSTANTIATE_TEST_SUITE_P(
    Of, DatabaseUrlMistake,
    testing::Values(
        Mistake{"postgresql://me:s3cret@h/d?schema=public", "SH-0226", "schema",
                "database.ledger.schema"},
        Mistake{"postgresql://me:s3cret@h/d?connect_timeout=5&pgbouncer=true", "SH-0226",
                "pgbouncer", "one server connection per client"},
        Mistake{"postgresql://me:s3cret@h/d?connection_limit=5", "SH-0226", "connection_limit",
                "database.ledger.pool"},
        Mistake{"postgresql://me:s3cret@h/d?ssl=1", "SH-0226", "ssl", "sslmode=require"},
        Mistake{"postgresql://me:s3cret@h/d?sslmod=require", "SH-0226", "sslmod",
                "correct its name"},
        Mistake{"postgresql://me:s3cret@h/d?sslmode=no-verify", "SH-0227",
                "sslmode is \"no-verify\"", "sslmode=require"},
        Mistake{"postgresql://me:s3cret@h/d?sslmode=verify_full", "SH-0227", "sslmode",
                "sslmode=verify-full"},
        Mistake{"postgresql://me:s3cret@h:37067x/d", "SH-0227", "port is \"37067x\"", "1 to 65535"},
        Mistake{"postgresql://me:s3cret@h:0/d", "SH-0227", "port", "1 to 65535"},
        Mistake{"postgresql://me:s3cret@h:65536/d", "SH-0227", "port is \"65536\"", "1 to 65535"},
        Mistake{"postgresql://me:s3cret@a,b,c/d?port=1,2", "SH-0227", "3 hosts and 2 ports",
                "one for all"},
        Mistake{"postgresql://me:s3cret@a,b/d?hostaddr=127.0.0.1", "SH-0227",
                "2 hosts and 1 addresses", ""},
        Mistake{"postgresql://me:s3cret@h/d?connect_timeout=5s", "SH-0227", "connect_timeout",
                "whole number"},
        Mistake{"postgresql://me:s3cret@h/d?channel_binding=maybe", "SH-0227", "channel_binding",
                "prefer"},
        Mistake{"postgresql://me:s3cret@h/d?ssl_min_protocol_version=9", "SH-0227",
                "ssl_min_protocol_version", ""},
        Mistake{"postgresql://me:s3cret@h/d?target_session_attrs=writer", "SH-0227",
                "target_session_attrs", "read-write"},
        Mistake{"postgresql://me:s3cret@h/d?load_balance_hosts=yes", "SH-0227",
                "load_balance_hosts", "random"},
        Mistake{"postgresql://me:s3cret@h/d?target_session_attrs=standby", "SH-0229", "standby",
                "read-write"},
        Mistake{"postgresql://me:s3cret@h/d?target_session_attrs=read-only", "SH-0229", "read-only",
                "read-write"},
        Mistake{"postgresql://me:s3cret@h/d?service=nosuch", "SH-0227", "nosuch", ""},
        Mistake{"jdbc:postgresql://h/d?user=me&password=s3cret", "SH-0418", "jdbc:postgresql://",
                "postgresql://USER"},
        Mistake{"mysql://me:s3cret@h/d", "SH-0418", "mysql://", ""},
        Mistake{"postgresql+asyncpg://me:s3cret@h/d", "SH-0418", "postgresql+asyncpg://",
                "Remove +asyncpg"},
        Mistake{"prisma+postgres://h/?api_key=s3cret", "SH-0418", "prisma+postgres://",
                "a service of Prisma"},
        Mistake{"PostgreSQL://me:s3cret@h/d", "SH-0418", "PostgreSQL://", "lower case"},
        Mistake{"postgresql://me:s3cret@h/d?replication=database", "SH-0227", "replication",
                "Remove it"},
        // libpq finds these when it connects only, or does without the file.
        Mistake{"postgresql://me:s3cret@a,,b/d", "SH-0227", "no name", "comma"},
        Mistake{"postgresql://me:s3cret@a:1,:2/d", "SH-0227", "no name", "comma"},
        Mistake{"postgresql://me:s3cret@h/d&sslmode=require", "SH-0227", "dbname", "Write ?"},
        Mistake{"postgresql://me:s3cret@h/d?sslrootcert=/no/file", "SH-0227", "sslrootcert",
                "Correct the path"},
        Mistake{"postgresql://me:s3cret@h/d?sslmode=verify-full&sslrootcert=/no/file", "SH-0227",
                "/no/file", "Correct the path"},
        Mistake{"postgresql://me:s3cret@h/d?sslcert=/no/file", "SH-0227", "sslcert", ""},
        Mistake{"postgresql://me:s3cret@h/d?sslkey=/no/file", "SH-0227", "sslkey", ""},
        Mistake{"postgresql://me:s3cret@h/d?passfile=/no/file", "SH-0227", "passfile", ""},
        // The password stands where something else is read.
        Mistake{"postgresql://me:s3cret/d", "SH-0227", "port", ""},
        Mistake{"postgresql://me:a/s3cret@h/d", "SH-0227", "port", ""},
        Mistake{"postgresql://me:a@s3cret:x@h/d", "SH-0227", "port", ""},
        Mistake{"postgresql://me:a@s3cret@h/d", "SH-0227", "a host", "%40"},
        Mistake{"postgresql://me@a#s3cret/d", "SH-0227", "a host", "%23"},
        Mistake{"postgresql://me:%s3cret@h/d", "SH-0418", "percent-encoded", "%XX"},
        Mistake{":s3cret@host", "SH-0418", "", ""}));

TEST(DatabaseUrl, IsReadAsLibpqReadsIt) {
  EXPECT_FALSE(CheckDatabaseUrl(kGood, true));
  EXPECT_FALSE(CheckDatabaseUrl("postgres://h/d?ssl=true&sslmode=prefer", true));
  EXPECT_FALSE(CheckDatabaseUrl("postgresql:///d?host=/tmp&port=5433", true));
  EXPECT_FALSE(CheckDatabaseUrl("postgresql://h/d?target_session_attrs=standby", false));
  const DatabaseUrl url = ReadDatabaseUrl(
      "postgresql://me:s3cret@a:1,b:2/d?load_balance_hosts=random&connect_timeout=3&"
      "target_session_attrs=primary",
      true);
  ASSERT_EQ(url.hosts.size(), 2u);
  EXPECT_EQ(url.hosts[0].name + ":" + url.hosts[0].port, "a:1");
  EXPECT_EQ(url.hosts[1].name + ":" + url.hosts[1].port, "b:2");
  EXPECT_TRUE(url.shuffle);
  EXPECT_EQ(url.target, TargetServer::kPrimary);
  EXPECT_EQ(url.connect_timeout, std::chrono::seconds(3));
  const DatabaseUrl one = ReadDatabaseUrl("host='a,b' hostaddr=127.0.0.1,127.0.0.2 port=7", true);
  ASSERT_EQ(one.hosts.size(), 2u);
  EXPECT_EQ(one.hosts[1].address, "127.0.0.2");
  EXPECT_EQ(one.hosts[1].port, "7");
}

// Set for one test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }

 private:
  const char* name_;
};

TEST(DatabaseUrl, AVariableThatIsWrongIsNamed) {
  for (const auto& [name, value] :
       {std::pair("PGPORT", "abc"), std::pair("PGSSLMODE", "x"),
        std::pair("PGCONNECT_TIMEOUT", "soon"), std::pair("PGTARGETSESSIONATTRS", "writer"),
        std::pair("PGSSLROOTCERT", "/no/file")}) {
    const Variable variable(name, value);
    const auto error = CheckDatabaseUrl("postgresql://me:s3cret@h/d", true);
    ASSERT_TRUE(error) << name;
    EXPECT_EQ(error->code, "SH-0228");
    EXPECT_NE(error->message.find(name), std::string::npos) << error->message;
    EXPECT_NE(error->message.find(value), std::string::npos) << error->message;
  }
  const Variable service("PGSERVICE", "nosuch");
  const auto error = CheckDatabaseUrl(kGood, true);
  ASSERT_TRUE(error);
  EXPECT_NE(error->message.find("nosuch"), std::string::npos) << error->message;
}

TEST(DatabaseUrl, VerifyingWithoutCertificatesIsAMistakeAndASocketHasNone) {
  const Variable home("HOME", "/no/home");
  const auto error = CheckDatabaseUrl("postgresql://me@h/d?sslmode=verify-full", true);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, "SH-0227");
  EXPECT_NE(error->message.find("root.crt"), std::string::npos) << error->message;
  EXPECT_NE(error->hint.find("sslrootcert"), std::string::npos) << error->hint;
  EXPECT_FALSE(CheckDatabaseUrl("postgresql:///d?host=/tmp&sslmode=verify-full", true));
  EXPECT_FALSE(CheckDatabaseUrl("postgresql://h/d?sslmode=disable&sslrootcert=/no/file", true));
  EXPECT_FALSE(CheckDatabaseUrl("postgresql://h/d?sslrootcert=/etc/passwd&sslkey=pkcs11:x", true));
}

TEST(DatabaseUrl, TheUrlIsStrongerThanAVariable) {
  const Variable port("PGPORT", "abc"), mode("PGSSLMODE", "x");
  EXPECT_FALSE(CheckDatabaseUrl("postgresql://me@h:5432/d?sslmode=prefer", true));
}

}  // namespace
}  // namespace summa::host

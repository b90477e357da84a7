// Which plugin files the program loads: what an operator sees of the lock file and of directories
// that others may change.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/e2e/summa_host.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/postgres_server.hpp"

namespace summa::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class Trust : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(plugins_);
    ASSERT_EQ(chmod(plugins_.c_str(), 0755), 0);
    Install("good");
    Install("keeper");
    Write("require");
  }
  // As `install` does it.
  void Install(const std::string& name, const std::string& as = {}) {
    const std::string target = plugins_ + "/" + (as.empty() ? name : as) + ".so";
    fs::copy_file(PluginDirectory(name) + "/" + name + ".so", target + ".next",
                  fs::copy_options::overwrite_existing);
    ASSERT_EQ(chmod((target + ".next").c_str(), 0755), 0);
    fs::rename(target + ".next", target);
  }
  void Write(const std::string& lock, const std::string& url = "postgresql:///x") {
    std::ofstream(file_.Path()) << "database: { ledger: { url: \"" + url +
                                       "\" }, migrate: auto }\nplugins:\n  lock: " + lock +
                                       "\n  good: {}\n";
  }
  RunResult Run(std::vector<std::string> words) const {
    words.insert(words.end(), {"-c", file_.Path(), "--plugin-dir", plugins_});
    return SummaHost(words);
  }
  // Of one plugin, as `plugins list` shows it.
  std::string Listed(const std::string& id) const {
    const std::string text = Run({"plugins", "list", "--output", "json"}).out;
    const std::size_t begin = text.find("{\"id\":\"" + id + "\"");
    return begin == std::string::npos ? text : text.substr(begin, text.find('}', begin) - begin);
  }
  std::string Lock() const { return file_.Directory() + "/plugins.lock"; }
  std::string ReadLock() const {
    std::ifstream file(Lock());
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const TemporaryFile file_{"summa.yaml", ""};
  const std::string plugins_ = file_.Directory() + "/plugins";
};

TEST_F(Trust, WithoutALockFileNothingIsLoaded) {
  const RunResult check = Run({"config", "check"});
  EXPECT_EQ(check.exit_code, 78);
  EXPECT_THAT(check.err, HasSubstr("SH-0160 " + Lock()));
  EXPECT_THAT(check.err, HasSubstr("summa-host plugins lock"));
  EXPECT_THAT(Listed("good"), HasSubstr("\"trusted\":false"));
}

TEST_F(Trust, LockedPluginsAreLoaded) {
  const RunResult lock = Run({"plugins", "lock", "--output", "json"});
  EXPECT_EQ(lock.exit_code, 0) << lock.err;
  EXPECT_THAT(lock.out, HasSubstr("\"written\":true"));
  EXPECT_THAT(lock.out, HasSubstr("\"id\":\"good\",\"version\":\"1.0.0\",\"change\":\"added\""));
  EXPECT_THAT(lock.out, HasSubstr("\"id\":\"keeper\""));
  EXPECT_EQ(Run({"config", "check"}).exit_code, 0);
  EXPECT_EQ(Run({"plugins", "lock", "--check"}).exit_code, 0);
  EXPECT_THAT(Listed("good"), HasSubstr("\"trusted\":true,\"whyNot\":null,\"locked\":true"));
  EXPECT_THAT(Run({"plugins", "lock", "--output", "json"}).out, HasSubstr("\"unchanged\""));
}

// It would be refused all the same.
TEST_F(Trust, APluginWithARunPathIsNotLocked) {
  Install("clash");
  const RunResult lock = Run({"plugins", "lock"});
  EXPECT_EQ(lock.exit_code, 77) << lock.err;
  EXPECT_THAT(lock.err, HasSubstr("SH-0161 " + plugins_ + "/clash.so"));
  EXPECT_THAT(ReadLock(), Not(HasSubstr("clash")));
  EXPECT_THAT(ReadLock(), HasSubstr("good"));
}

TEST_F(Trust, AChangedByteInALockedPluginIsRefused) {
  ASSERT_EQ(Run({"plugins", "lock"}).exit_code, 0);
  std::ofstream(plugins_ + "/good.so", std::ios::app | std::ios::binary) << '!';
  const RunResult check = Run({"config", "check"});
  EXPECT_EQ(check.exit_code, 78);
  EXPECT_THAT(check.err, HasSubstr("SH-0107"));
  EXPECT_THAT(check.err, HasSubstr("has SHA-256 "));
  EXPECT_THAT(check.err, HasSubstr("; the locked file has "));
  EXPECT_THAT(check.err, HasSubstr("accept it with `summa-host plugins lock good`"));
  EXPECT_THAT(Listed("good"), HasSubstr("\"trusted\":false,\"whyNot\":\"SH-0107"));
  EXPECT_THAT(Listed("good"), HasSubstr("\"locked\":false"));
  EXPECT_THAT(Listed("keeper"), HasSubstr("\"trusted\":true"));
  EXPECT_EQ(Run({"plugins", "lock", "--check"}).exit_code, 1);
  // As the message says.
  ASSERT_EQ(Run({"plugins", "lock", "good"}).exit_code, 0);
  EXPECT_EQ(Run({"config", "check"}).exit_code, 0);
  EXPECT_THAT(Listed("good"), HasSubstr("\"locked\":true"));
}

TEST_F(Trust, AnotherFileUnderTheSameNameIsRefused) {
  ASSERT_EQ(Run({"plugins", "lock", "good"}).exit_code, 0);
  EXPECT_THAT(ReadLock(), Not(HasSubstr("keeper")));
  EXPECT_THAT(Listed("keeper"), HasSubstr("is not in the lock file"));
  Install("keeper", "good");
  fs::remove(plugins_ + "/keeper.so");
  const RunResult check = Run({"config", "check"});
  EXPECT_EQ(check.exit_code, 78) << "no plugin of this id is left: " << check.err;
}

TEST_F(Trust, ADirectoryThatAGroupMayWriteIsRefused) {
  ASSERT_EQ(Run({"plugins", "lock"}).exit_code, 0);
  // Of a group that is neither root's nor the host's.
  constexpr gid_t kOther = 54321;
  if (chown(plugins_.c_str(), static_cast<uid_t>(-1), kOther) != 0) {
    GTEST_SKIP() << "skipped: only root can give a directory to another group";
  }
  ASSERT_EQ(chmod(plugins_.c_str(), 0775), 0);
  const RunResult check = Run({"config", "check"});
  EXPECT_EQ(check.exit_code, 78);
  EXPECT_THAT(check.err, HasSubstr("SH-0102"));
  EXPECT_THAT(check.err, HasSubstr("its directory " + plugins_ + " is writable by group 54321"));
  EXPECT_THAT(check.err, HasSubstr("chmod g-w " + plugins_));
  EXPECT_THAT(Listed("good"), HasSubstr("\"trusted\":false,\"whyNot\":\"SH-0102"));
  ASSERT_EQ(chmod(plugins_.c_str(), 0755), 0);
  EXPECT_EQ(Run({"config", "check"}).exit_code, 0);
}

TEST_F(Trust, ALockFileThatOthersMayWriteIsRefused) {
  ASSERT_EQ(Run({"plugins", "lock"}).exit_code, 0);
  ASSERT_EQ(chmod(Lock().c_str(), 0666), 0);
  const RunResult check = Run({"config", "check"});
  EXPECT_EQ(check.exit_code, 77);
  EXPECT_THAT(check.err, HasSubstr("SH-0102 " + Lock()));
}

TEST_F(Trust, WithoutLockTheFileIsOnlyShown) {
  ASSERT_EQ(Run({"plugins", "lock", "keeper"}).exit_code, 0);
  Write("none");
  EXPECT_EQ(Run({"config", "check"}).exit_code, 0);
  EXPECT_THAT(Listed("good"), HasSubstr("\"trusted\":true,\"whyNot\":null,\"locked\":false"));
  fs::remove(Lock());
  EXPECT_THAT(Listed("good"), HasSubstr("\"locked\":null"));
}

TEST_F(Trust, ALockElsewhereIsWrittenWhereItIsAskedFor) {
  const std::string other = file_.Directory() + "/other.lock";
  EXPECT_EQ(Run({"plugins", "lock", "--file", other}).exit_code, 0);
  EXPECT_TRUE(fs::exists(other));
  EXPECT_FALSE(fs::exists(Lock()));
  const RunResult absent = Run({"plugins", "lock", "--file", "/nonexistent/plugins.lock"});
  EXPECT_EQ(absent.exit_code, 77);
  EXPECT_THAT(absent.err, HasSubstr("SH-0162 /nonexistent/plugins.lock"));
  EXPECT_EQ(Run({"plugins", "lock", "gooood"}).exit_code, 78);
}

// The bytes that run are those that were read once: the file may be gone by then.
TEST_F(Trust, ALockedPluginRuns) {
  PostgresServer server;
  Write("require", InstallLedger(server, "ledger"));
  ASSERT_EQ(Run({"plugins", "lock"}).exit_code, 0);
  const RunResult once = Run({"run", "--once", "--output", "json"});
  EXPECT_EQ(once.exit_code, 0) << once.err;
  EXPECT_THAT(once.out, HasSubstr("\"id\":\"good-worker\",\"plugin\":\"good\",\"outcome\":\"ok\""));
  std::ofstream(plugins_ + "/good.so", std::ios::app | std::ios::binary) << '!';
  const RunResult refused = Run({"run", "--once", "--output", "json"});
  EXPECT_EQ(refused.exit_code, 77) << refused.err;
  EXPECT_THAT(refused.out, HasSubstr("SH-0107"));
  EXPECT_THAT(refused.out, Not(HasSubstr("good-worker")));
}

}  // namespace
}  // namespace summa::test

// Which plugin files a host may load: the lock file, what is read once and sealed, and directories
// that others may change.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "host/plugin/instance.hpp"
#include "host/plugin/plugin_lock.hpp"
#include "tests/broken-plugins/plugin_files.hpp"

namespace summa::host {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> Texts(const std::vector<Error>& errors) {
  std::vector<std::string> texts;
  for (const Error& error : errors) texts.push_back(ToText(error));
  return texts;
}

class PluginLocks : public testing::Test {
 protected:
  void SetUp() override { Install("good"); }

  // A file of one of the broken plugins, under the name of the good one.
  void Install(const std::string& name) {
    // As `install` does it: another file, not other bytes in the old one.
    const std::string next = path_ + ".next";
    fs::copy_file(test::PluginPath(name, name), next, fs::copy_options::overwrite_existing);
    ASSERT_EQ(chmod(next.c_str(), 0755), 0);
    fs::rename(next, path_);
  }
  void AppendByte() {
    std::vector<char> bytes = test::ReadFile(path_);
    bytes.push_back('!');
    test::WriteFile(path_, bytes);
  }
  PluginFile Examined() const { return InspectPlugin(path_, trust_); }
  PluginLock Locked() const {
    PluginLock lock;
    lock.file = "plugins.lock";
    lock.plugins = {LockEntry(InspectPlugin(path_, trust_, Reading::kSealed))};
    return lock;
  }
  std::vector<std::string> Refusals(const PluginFile& examined, const PluginLock& lock) const {
    return Texts(SealLocked(examined, lock, trust_).refusals);
  }

  const test::TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/good.so";
  const TrustPolicy trust_ = CurrentTrust();
};

TEST_F(PluginLocks, TheLockedFileIsLoadedFromSealedMemory) {
  const PluginFile file = SealLocked(Examined(), Locked(), trust_);
  ASSERT_THAT(Texts(file.refusals), IsEmpty());
  ASSERT_NE(file.sealed, nullptr);
  PluginInstance plugin(file);
  plugin.Load();
  EXPECT_EQ(ToText(plugin.state()), "loaded");
}

TEST_F(PluginLocks, NobodyChangesWhatWasSealed) {
  const PluginFile file = InspectPlugin(path_, trust_, Reading::kSealed);
  const int descriptor = open(file.sealed->path().c_str(), O_RDWR);
  if (descriptor >= 0) {
    EXPECT_EQ(write(descriptor, "x", 1), -1);
    EXPECT_EQ(errno, EPERM);
    EXPECT_EQ(ftruncate(descriptor, 0), -1);
    close(descriptor);
  }
  EXPECT_EQ(file.sealed->Sha256(), Sha256Of(test::ReadFile(path_)));
}

TEST_F(PluginLocks, AChangedByteIsRefused) {
  const PluginLock lock = Locked();
  const std::string before = lock.plugins[0].sha256;
  AppendByte();
  const PluginFile examined = Examined();
  EXPECT_THAT(Texts(examined.refusals), IsEmpty()) << "it is a plugin as good as any";
  const std::string now = Sha256Of(test::ReadFile(path_));
  EXPECT_THAT(
      Refusals(examined, lock),
      ElementsAre("SH-0107 plugins.lock: plugin \"good\" 1.0.0: " + path_ + " has SHA-256 " + now +
                  "; the locked file has " + before +
                  ", version 1.0.0. Fix: Find out who changed it. If it is meant to be so, accept "
                  "it with `summa-host plugins lock good`."));
}

TEST_F(PluginLocks, AFileThatIsNotInTheLockIsRefused) {
  PluginLock lock = Locked();
  lock.plugins[0].id = "better";
  const auto refusals = Refusals(Examined(), lock);
  ASSERT_THAT(refusals, SizeIs(1));
  EXPECT_THAT(refusals[0], HasSubstr("SH-0107"));
  EXPECT_THAT(refusals[0], HasSubstr("is not in the lock file; it has SHA-256 " +
                                     Sha256Of(test::ReadFile(path_))));
}

TEST_F(PluginLocks, AFileOfAnotherOwnerIsRefused) {
  PluginLock lock = Locked();
  lock.plugins[0].owner = "mallory";
  const auto refusals = Refusals(Examined(), lock);
  ASSERT_THAT(refusals, SizeIs(1));
  EXPECT_THAT(refusals[0], HasSubstr("belongs to user " + OwnerName(geteuid()) +
                                     "; the locked file belongs to user mallory"));
}

// The lock says nothing of what the loader would find there.
TEST_F(PluginLocks, AFileWithARunPathIsRefused) {
  PluginFile file = InspectPlugin(path_, trust_, Reading::kSealed);
  EXPECT_EQ(CheckLock(file, Locked()), std::nullopt);
  file.library_paths = {"$ORIGIN"};
  const std::optional<Error> error = CheckLock(file, Locked());
  ASSERT_TRUE(error.has_value());
  EXPECT_THAT(ToText(*error), HasSubstr("SH-0161"));
  EXPECT_THAT(ToText(*error), HasSubstr("looks for libraries in $ORIGIN"));
}

TEST_F(PluginLocks, AFileThatIsSwappedBeforeItIsReadAgainIsRefused) {
  const PluginLock lock = Locked();
  const PluginFile examined = Examined();
  Install("keeper");
  const auto refusals = Refusals(examined, lock);
  ASSERT_THAT(refusals, SizeIs(1));
  EXPECT_THAT(refusals[0], HasSubstr("SH-0107")) << "it has another id, which is not locked";
}

// Both files are locked, but the configuration was checked against the manifest of the first.
TEST_F(PluginLocks, ALockedFileWithAnotherManifestThanWasExaminedIsRefused) {
  PluginFile examined = Examined();
  examined.manifest->text += "# as it was before";
  const auto refusals = Refusals(examined, Locked());
  ASSERT_THAT(refusals, SizeIs(1));
  EXPECT_THAT(refusals[0], HasSubstr("SH-0122"));
}

TEST_F(PluginLocks, AFileThatIsSwappedBetweenCheckAndLoadHasNoEffect) {
  const PluginFile file = SealLocked(Examined(), Locked(), trust_);
  ASSERT_THAT(Texts(file.refusals), IsEmpty());
  test::WriteFile(path_ + ".next", {'e', 'v', 'i', 'l'});
  fs::rename(path_ + ".next", path_);
  PluginInstance plugin(file);
  plugin.Load();
  EXPECT_EQ(ToText(plugin.state()), "loaded");
}

TEST_F(PluginLocks, WithoutALockASwappedFileIsNoticed) {
  const PluginFile file = Examined();
  Install("keeper");
  PluginInstance plugin(file);
  try {
    plugin.Load();
    ADD_FAILURE() << "another file was loaded than was examined";
  } catch (const Failure& failure) {
    EXPECT_THAT(failure.what(), HasSubstr("SH-0122"));
    EXPECT_THAT(failure.what(), HasSubstr("the file was replaced after it was examined"));
  }
}

class LockFiles : public testing::Test {
 protected:
  void Write(const std::string& text) {
    test::WriteFile(path_, {text.begin(), text.end()});
    ASSERT_EQ(chmod(path_.c_str(), 0644), 0);
  }
  std::vector<std::string> Problems() const {
    std::vector<Error> problems;
    ReadPluginLock(path_, CurrentTrust(), problems);
    return Texts(problems);
  }

  const test::TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/plugins.lock";
};

TEST_F(LockFiles, AreReadAsTheyWereWritten) {
  PluginLock lock;
  lock.file = path_;
  lock.plugins = {{"a", std::string(64, 'a'), "root", "1.0.0", "/usr/lib/summa/plugins/a.so"},
                  {"b-c", std::string(64, '0'), "4711", "", "/with \"quotes\" and: colons/b.so"}};
  WritePluginLock(lock);
  std::vector<Error> problems;
  const PluginLock read = ReadPluginLock(path_, CurrentTrust(), problems);
  EXPECT_THAT(Texts(problems), IsEmpty());
  EXPECT_EQ(read.plugins, lock.plugins);
  EXPECT_EQ(read.Find("b-c")->owner, "4711");
  EXPECT_EQ(read.Find("d"), nullptr);
  lock.plugins.clear();
  WritePluginLock(lock);
  EXPECT_THAT(ReadPluginLock(path_, CurrentTrust(), problems).plugins, IsEmpty());
  EXPECT_THAT(Texts(problems), IsEmpty());
}

TEST_F(LockFiles, ThatAreMissingOrWrongSayWhere) {
  EXPECT_THAT(Problems(), ElementsAre("SH-0160 " + path_ +
                                      ": the lock file of plugins does not exist. Fix: Write it "
                                      "with `summa-host plugins lock`, or remove `plugins.lock: "
                                      "require`."));
  Write("lock: 2\nplugins:\n  a: { sha256: \"123\", owner: root, mode: 7 }\n");
  const auto problems = Problems();
  ASSERT_THAT(problems, SizeIs(3)) << "all at once";
  EXPECT_THAT(problems[0], HasSubstr(path_ + ":1:7: "));
  EXPECT_THAT(problems[1] + problems[2], HasSubstr("plugins.a.mode"));
  EXPECT_THAT(problems[1] + problems[2], HasSubstr("plugins.a.sha256"));
}

TEST_F(LockFiles, ThatOthersMayWriteAreRefused) {
  Write("lock: 1\nplugins: {}\n");
  EXPECT_THAT(Problems(), IsEmpty());
  ASSERT_EQ(chmod(path_.c_str(), 0666), 0);
  const auto problems = Problems();
  ASSERT_THAT(problems, SizeIs(1));
  EXPECT_THAT(problems[0], HasSubstr("SH-0102"));
  EXPECT_THAT(problems[0], HasSubstr("is writable by every user (mode 0666"));
}

TEST_F(LockFiles, ThatCannotBeWrittenLeaveTheOldOne) {
  PluginLock lock;
  lock.file = directory_.path() + "/absent/plugins.lock";
  try {
    WritePluginLock(lock);
    ADD_FAILURE() << "written into a directory that does not exist";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.error().code, "SH-0162");
    EXPECT_EQ(failure.error().where, lock.file);
  }
}

class DirectoriesAbove : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(above_ + "/b");
    fs::copy_file(test::PluginPath("good", "good"), path_);
    for (const std::string& each : {path_, above_, above_ + "/b"}) {
      ASSERT_EQ(chmod(each.c_str(), 0755), 0);
    }
  }
  std::vector<std::string> RefusalsWith(mode_t mode, const TrustPolicy& policy) const {
    EXPECT_EQ(chmod(above_.c_str(), mode), 0);
    return Texts(InspectPlugin(path_, policy).refusals);
  }

  const test::TemporaryDirectory directory_;
  const std::string above_ = directory_.path() + "/a";
  const std::string path_ = above_ + "/b/good.so";
  const TrustPolicy nobody_else_{{0, geteuid()}, {}};
};

TEST_F(DirectoriesAbove, ThatOthersMayWriteAreRefused) {
  EXPECT_THAT(RefusalsWith(0755, nobody_else_), IsEmpty());
  EXPECT_THAT(RefusalsWith(0757, nobody_else_),
              ElementsAre("SH-0102 " + path_ + ": good.so was refused: the directory " + above_ +
                          " above it is writable by every user (mode 0757, owner " +
                          std::to_string(geteuid()) + "). Fix: chmod o-w " + above_ + "."));
  const auto by_group = RefusalsWith(0775, nobody_else_);
  ASSERT_THAT(by_group, SizeIs(1));
  EXPECT_THAT(by_group[0], HasSubstr("the directory " + above_ + " above it is writable by group"));
  EXPECT_THAT(RefusalsWith(0775, {{0, geteuid()}, {getegid()}}), IsEmpty());
}

TEST_F(DirectoriesAbove, WhoseEntriesBelongToTheirOwnersAreGood) {
  EXPECT_THAT(RefusalsWith(01777, nobody_else_), IsEmpty());
}

// Whoever may write there could replace the host.
TEST_F(DirectoriesAbove, OfTheHostItselfAreGood) {
  EXPECT_THAT(RefusalsWith(0777, {{0, geteuid()}, {}, {above_}}), IsEmpty());
}

}  // namespace
}  // namespace summa::host

// A partition that was detached goes into a schema or a file, and comes back as it was.
#include "manager/archive.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "manager/gzip_file.hpp"
#include "tests/integration/maintenance_manager_support.hpp"

namespace summa::maintenance {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class ArchiveTest : public PartitionsTest {
 protected:
  ArchiveTest() {
    char name[] = "/tmp/summa-archive-XXXXXX";
    directory_ = mkdtemp(name);
    settings_.tables[0].ranges.retention = std::chrono::hours(24 * 70);
    settings_.tables[0].ranges.ahead = 0;
    settings_.tables[0].archive_directory = directory_;
    settings_.longest_transaction = std::chrono::hours(1);
    UseReading({-5, -4, -3, -2, -1, 0});
    // What COPY has to escape.
    AddReadings(-5, 3, "tab\tbackslash\\line\n\xC3\xA4");
    db_->Execute("INSERT INTO reading (at, note) VALUES (" + MonthStart(-5) + ", NULL)");
    old_ = NameOfMonth(-5);
    before_ = Readings();
  }
  ~ArchiveTest() override { std::filesystem::remove_all(directory_); }

  std::string Path() const { return directory_ + "/" + old_ + ".copy.gz"; }
  void Archive(ArchiveKind kind) {
    settings_.tables[0].archive = kind;
    RunManager();
    ASSERT_EQ(StateOf(old_), "archived");
    ASSERT_THAT(Attached(), Not(Contains(old_)));
  }
  std::string AttachError() {
    try {
      AttachAgain(environment(), settings_.tables[0], old_);
    } catch (const Error& error) {
      return error.code();
    }
    return "";
  }
  // Those that left before it are no matter of these tests.
  std::vector<std::string> RowsOfOld() {
    return db_->Column("SELECT r::text FROM reading r WHERE at < " + MonthStart(-4) +
                       " ORDER BY id");
  }

  std::string directory_, old_;
  std::vector<std::string> before_;
};

TEST_F(ArchiveTest, AFileHasTheRowsAndComesBackEqual) {
  Archive(ArchiveKind::kFile);
  EXPECT_EQ(db_->Value("SELECT to_regclass($1) IS NULL", {old_}), "t");
  EXPECT_EQ(db_->Value("SELECT location FROM summa_host.partition_record WHERE name = $1", {old_}),
            "file " + Path());
  EXPECT_EQ(db_->Value("SELECT sha256 FROM summa_host.partition_record WHERE name = $1", {old_}),
            ReadGzip(Path(), {}).sha256);
  EXPECT_FALSE(std::filesystem::exists(Path() + ".partial"));
  EXPECT_EQ(AttachError(), "");
  EXPECT_EQ(RowsOfOld(), before_);
  EXPECT_EQ(StateOf(old_), "attached");
}

TEST_F(ArchiveTest, TheSameRowsGiveTheSameFileAgain) {
  Archive(ArchiveKind::kFile);
  const std::string first = ReadGzip(Path(), {}).sha256;
  ASSERT_EQ(AttachError(), "");
  const Environment all = environment();
  TableCare care(all, settings_.tables[0]);
  care.DetachOne(old_);
  care.ArchiveDetached();
  EXPECT_EQ(ReadGzip(Path(), {}).sha256, first);
}

TEST_F(ArchiveTest, AnotherFileIsNotLoaded) {
  Archive(ArchiveKind::kFile);
  GzipWriter other(Path());
  other.Write("id, at, note\n");
  other.Finish();
  EXPECT_EQ(AttachError(), "SH-0837");
  EXPECT_EQ(db_->Value("SELECT to_regclass($1) IS NULL", {old_}), "t");
}

TEST_F(ArchiveTest, ACutFileIsNotLoaded) {
  Archive(ArchiveKind::kFile);
  std::filesystem::resize_file(Path(), std::filesystem::file_size(Path()) / 2);
  EXPECT_EQ(AttachError(), "SH-0835");
}

TEST_F(ArchiveTest, ADirectoryThatIsNotThereKeepsTheTable) {
  settings_.tables[0].archive = ArchiveKind::kFile;
  settings_.tables[0].archive_directory = directory_ + "/missing";
  EXPECT_THAT(ErrorOfRun(), HasSubstr("SH-0834"));
  EXPECT_EQ(StateOf(old_), "detached");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM " + old_), 4);
}

TEST_F(ArchiveTest, ASchemaHasTheTableAndItComesBackEqual) {
  settings_.tables[0].archive_schema = "old readings";
  Archive(ArchiveKind::kSchema);
  EXPECT_EQ(db_->Count("SELECT count(*) FROM \"old readings\"." + old_), 4);
  EXPECT_EQ(AttachError(), "");
  EXPECT_EQ(RowsOfOld(), before_);
}

TEST_F(ArchiveTest, ARangeComesBackBesideOlderRowsOfTheLowerOverflow) {
  settings_.tables[0].archive_schema = "attic";
  Archive(ArchiveKind::kSchema);
  AddReadings(-9, 2);
  EXPECT_EQ(AttachError(), "");
  EXPECT_THAT(Attached(), Contains(old_));
  EXPECT_EQ(db_->Count("SELECT count(*) FROM reading_overflow_low"), 2);
  EXPECT_EQ(
      db_->Count("SELECT count(*) FROM pg_constraint WHERE conname = 'summa_host_new_bounds'"), 0);
}

TEST_F(ArchiveTest, WhatWasNeverDetachedCannotBeAttached) { EXPECT_EQ(AttachError(), "SH-0836"); }

}  // namespace
}  // namespace summa::maintenance

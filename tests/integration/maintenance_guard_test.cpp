// What the unique constraints of a flat ledger_event promise, kept for a partitioned one: by the
// same errors, whatever way a row comes in, and whoever else writes at the same moment.
#include "tests/integration/maintenance_guard_support.hpp"

#include <optional>
#include <utility>

namespace summa::maintenance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

INSTANTIATE_TEST_SUITE_P(Layouts, GuardTest,
                         testing::Values(ledger::Layout::kDeployed, ledger::Layout::kPlan),
                         [](const auto& each) {
                           return each.param == ledger::Layout::kPlan ? "Plan" : "Deployed";
                         });

TEST_P(GuardTest, ReportsViolationsWordForWordAsTheFlatTableDoes) {
  Guard();
  static int number = 0;
  Db flat(Install("guard_flat_" + std::to_string(++number)));
  flat.Execute(kRefusal);
  for (Db* db : {&flat, db_.get()}) {
    db->Execute(Insert(1, 1));
    db->Execute(Insert(1, 2, kLateJanuary));
  }
  const auto same = [&](const std::string& statement) {
    const std::string expected = Refusal(flat, statement);
    EXPECT_THAT(expected, HasSubstr("23505")) << statement;
    EXPECT_EQ(Refusal(statement), expected) << statement;
  };
  same(Insert(1, 2));
  same(Insert(1, 2, kFebruary));
  same(Insert(1, 1, kFebruary));
  same(InsertWithKeyOfFirst(events_.position, 2) + " AND " + events_.version + " = 1");
  const std::string by_id = InsertWithKeyOfFirst("id", 2) + " AND " + events_.version + " = 1";
  // Ids are random.
  const auto without_id = [](std::string text) { return text.substr(0, text.find("Key (id)=")); };
  EXPECT_EQ(without_id(Refusal(by_id)), without_id(Refusal(flat, by_id)));
}

TEST_P(GuardTest, RefusesGapsAndWrongHashes) {
  Guard();
  db_->Execute(Insert(1, 1));
  EXPECT_THAT(Refusal(Insert(1, 3)), HasSubstr("23514"));
  EXPECT_THAT(Refusal(Insert(1, 3)), HasSubstr("event 3 of account " + Aggregate(1) +
                                               " does not follow: the last one is 1"));
  EXPECT_THAT(Refusal(Insert(2, 2)), HasSubstr("does not follow: the last one is none"));
  EXPECT_THAT(Refusal(Insert(2, 0)), HasSubstr("23514"));
  db_->Execute("UPDATE ledger_event SET " + events_.hash + " = 'other'");
  EXPECT_THAT(Refusal(Insert(1, 2)), HasSubstr("previous hash h1, but the last event has the hash "
                                               "other"));
  const std::string first = "INSERT INTO ledger_event " + Columns() + " SELECT aggregate_type, '" +
                            Aggregate(2) +
                            "', event_type, event_data, correlation_id, 1, 'h1', "
                            "'h0', created_at FROM ledger_event";
  EXPECT_THAT(Refusal(first), HasSubstr("23514")) << "a first event has no previous hash";
  EXPECT_EQ(State("INSERT INTO ledger_event (aggregate_type, created_at) VALUES ('account', '" +
                  std::string(kJanuary) + "')"),
            "23502");
  ExpectHeadsAndKeysOfAllEvents();
}

TEST_P(GuardTest, AChainGoesBackInTimeWithinAPartitionOnly) {
  Guard();
  db_->Execute(Insert(1, 1, kLateJanuary));
  EXPECT_EQ(State(Insert(1, 2, kJanuary)), "");
  EXPECT_EQ(State(Insert(1, 3, kFebruary)), "");
  EXPECT_EQ(State(Insert(1, 4, kLateJanuary)), "40001");
  EXPECT_EQ(State(Insert(1, 4, kFebruary)), "");
  EXPECT_EQ(Head(1), "4 h4");
  ExpectHeadsAndKeysOfAllEvents();
}

TEST_P(GuardTest, SeveralRowsOfAnAggregateComeInOneStatement) {
  Guard();
  db_->Execute(Insert(1, 1) + ", " + Values(1, 2, kJanuary) + ", " + Values(1, 3, kFebruary));
  EXPECT_EQ(State("INSERT INTO ledger_event " + Columns() + " VALUES " + Values(1, 5, kFebruary) +
                  ", " + Values(1, 4, kFebruary)),
            "23514");
  EXPECT_EQ(State("INSERT INTO ledger_event " + Columns() + " VALUES " + Values(1, 4, kFebruary) +
                  ", " + Values(1, 4, kFebruary)),
            "23505");
  EXPECT_EQ(Head(1), "3 h3");
  ExpectHeadsAndKeysOfAllEvents();
}

TEST_P(GuardTest, GuardsCopy) {
  Guard();
  const auto copy = [&](int version, const std::string& previous) {
    Session session(sql_->unleased());
    session.Begin();
    const std::string row = "account\t" + Aggregate(1) + "\tE\t{}\t" + Aggregate(0) + "\t" +
                            std::to_string(version) + "\th" + std::to_string(version) + "\t" +
                            previous + "\t" + kJanuary + "\n";
    bool sent = false;
    try {
      session.CopyIn("COPY ledger_event " + Columns() + " FROM STDIN",
                     [&]() -> std::optional<std::string_view> {
                       if (std::exchange(sent, true)) return std::nullopt;
                       return row;
                     });
      session.Commit();
    } catch (const Error& error) {
      return error.sqlstate();
    }
    return std::string();
  };
  EXPECT_EQ(copy(1, "\\N"), "");
  EXPECT_EQ(copy(1, "\\N"), "23505");
  EXPECT_EQ(copy(3, "h2"), "23514");
  EXPECT_EQ(copy(2, "h1"), "");
  ExpectHeadsAndKeysOfAllEvents();
}

TEST_P(GuardTest, OnConflictDoNothingIsRefusedAndNeverSkipsARowAfterItsHeadMoved) {
  Guard();
  db_->Execute(Insert(1, 1) + " ON CONFLICT DO NOTHING");
  EXPECT_EQ(State(Insert(1, 1) + " ON CONFLICT DO NOTHING"), "23505");
  EXPECT_EQ(State(Insert(1, 1, kFebruary) + " ON CONFLICT DO NOTHING"), "23505");
  ExpectHeadsAndKeysOfAllEvents();
}

TEST_P(GuardTest, ASavepointThatIsRolledBackTakesTheHeadWithIt) {
  Guard();
  db_->Execute("BEGIN; SAVEPOINT s; " + Insert(1, 1) + "; ROLLBACK TO s; " + Insert(1, 1) +
               "; COMMIT");
  EXPECT_EQ(Head(1), "1 h1");
  ExpectHeadsAndKeysOfAllEvents();
}

TEST_P(GuardTest, APreparedStatementFromBeforeTheGuardIsGuarded) {
  db_->Execute("PREPARE append AS " + Insert(1, 1) + "; PREPARE next AS " + Insert(1, 3));
  Guard();
  db_->Execute("EXECUTE append");
  EXPECT_EQ(State("EXECUTE append"), "23505");
  EXPECT_EQ(State("EXECUTE next"), "23514");
}

TEST_P(GuardTest, OfTwoWritersOfAVersionOneSucceeds) {
  Guard();
  db_->Execute(Insert(1, 1));
  EXPECT_EQ(Race(2, "ROLLBACK", "READ COMMITTED"), "");
  EXPECT_EQ(Race(3, "COMMIT", "READ COMMITTED"), "23505");
  EXPECT_EQ(Race(4, "COMMIT", "REPEATABLE READ"), "40001");
  EXPECT_EQ(Race(5, "ROLLBACK", "REPEATABLE READ"), "");
  EXPECT_EQ(Head(1), "5 h5");
  ExpectHeadsAndKeysOfAllEvents();
}

TEST_P(GuardTest, OfTwoWritersOfAFirstEventOneSucceeds) {
  Guard();
  EXPECT_EQ(Race(1, "COMMIT", "READ COMMITTED"), "23505");
  db_->Execute("DELETE FROM ledger_event");
  EXPECT_EQ(Race(1, "COMMIT", "REPEATABLE READ"), "40001");
  db_->Execute("DELETE FROM ledger_event");
  EXPECT_EQ(Race(1, "ROLLBACK", "READ COMMITTED"), "");
  ExpectHeadsAndKeysOfAllEvents();
}

TEST_P(GuardTest, GuardsInsertsIntoPartitionsAndThoseOfReplication) {
  Guard();
  db_->Execute(Insert(1, 1, kJanuary, "january"));
  EXPECT_EQ(State(Insert(1, 1, kFebruary, "february")), "23505");
  EXPECT_EQ(State(Insert(1, 3, kFebruary, "february")), "23514");
  db_->Execute("SET session_replication_role = replica");
  EXPECT_EQ(State(Insert(1, 1)), "23505");
  EXPECT_EQ(State(Insert(1, 2)), "");
  ExpectHeadsAndKeysOfAllEvents();
}

TEST_P(GuardTest, APartitionHasTheGuardAsLongAsItIsOne) {
  Guard();
  db_->Execute(
      "CREATE TABLE march (LIKE ledger_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS); "
      "ALTER TABLE ledger_event ATTACH PARTITION march FOR VALUES FROM ('2026-03-01 00:00+00') TO "
      "('2026-04-01 00:00+00')");
  EXPECT_THAT(Examine(), IsEmpty());
  db_->Execute(Insert(1, 1, "2026-03-15 12:00:00+00"));
  EXPECT_EQ(State(Insert(1, 1, "2026-03-15 12:00:00+00", "march")), "23505");
  db_->Execute("ALTER TABLE ledger_event DETACH PARTITION march");
  EXPECT_EQ(Head(1), "1 h1") << "a detached event was not deleted";
  EXPECT_EQ(State(Insert(1, 3, "2026-03-15 12:00:00+00", "march")), "");
  EXPECT_EQ(State(Insert(1, 2, "2026-04-15 12:00:00+00")), "");
}

TEST_P(GuardTest, TheRoleOfTheApplicationNeedsNoRightOnTheGuard) {
  Guard();
  db_->Execute(
      "CREATE ROLE guard_application; GRANT INSERT, SELECT ON ledger_event TO guard_application; "
      "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO guard_application; "
      "SET ROLE guard_application");
  EXPECT_EQ(State(Insert(1, 1)), "");
  EXPECT_EQ(State(Insert(1, 1)), "23505");
  EXPECT_EQ(State(Insert(1, 2, kFebruary)), "");
  EXPECT_EQ(State(Insert(1, 3, kJanuary)), "40001");
  EXPECT_EQ(State("DELETE FROM summa_host.ledger_event_head"), "42501");
  db_->Execute("CREATE TEMP TABLE mine (LIKE ledger_event)");
  EXPECT_EQ(State("CREATE TRIGGER mine BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION "
                  "summa_host.guard_ledger_event()"),
            "42501")
      << "it could move heads";
  db_->Execute("RESET ROLE; DROP OWNED BY guard_application; DROP ROLE guard_application");
}

TEST_P(GuardTest, AnAdministratorCorrectsAHashAndTheChainContinues) {
  Guard();
  db_->Execute(Insert(1, 1));
  db_->Execute("UPDATE ledger_event SET event_data = '[]', " + events_.hash + " = 'corrected'");
  EXPECT_EQ(Head(1), "1 corrected");
  for (const char* change : {"id = gen_random_uuid()", "aggregate_type = 'other'",
                             "aggregate_id = gen_random_uuid()", "created_at = '2026-02-02'"}) {
    EXPECT_EQ(State(std::string("UPDATE ledger_event SET ") + change), "23514") << change;
  }
  EXPECT_EQ(State("UPDATE ledger_event SET " + events_.version + " = 7"), "23514");
  EXPECT_EQ(State("UPDATE ledger_event SET " + events_.position + " = 7000"), "23514");
  ExpectHeadsAndKeysOfAllEvents();
}

TEST_P(GuardTest, DeletingEventsTakesTheirKeysAndMovesTheHeadBack) {
  Guard();
  for (int version = 1; version <= 3; ++version) db_->Execute(Insert(1, version));
  db_->Execute("DELETE FROM ledger_event WHERE " + events_.version + " = 3");
  EXPECT_EQ(Head(1), "2 h2");
  EXPECT_EQ(State(Insert(1, 3, kFebruary)), "");
  ExpectHeadsAndKeysOfAllEvents();
  db_->Execute("DELETE FROM ledger_event");
  EXPECT_EQ(Head(1), "none");
  EXPECT_EQ(db_->Count("SELECT count(*) FROM summa_host.ledger_event_key"), 0);
  EXPECT_EQ(State("TRUNCATE ledger_event"), "0A000");
}

TEST_P(GuardTest, TheOutboxMayComeBeforeItsEventInOneStatement) {
  Guard();
  db_->Execute(
      "ALTER TABLE outbox ADD CONSTRAINT outbox_event FOREIGN KEY (event_id) REFERENCES "
      "summa_host.ledger_event_key (id)");
  const std::string both =
      "WITH t AS (SELECT gen_random_uuid() AS id), e AS (INSERT INTO ledger_event (id, " +
      Columns().substr(1) + " SELECT id, 'account', id, 'E', '{}', '" + Aggregate(0) +
      "', 1, 'h1', NULL, '" + kJanuary +
      "' FROM t) INSERT INTO outbox (event_id, topic, payload) SELECT id, 'topic', '{}' FROM t";
  EXPECT_EQ(State(both), "");
  EXPECT_EQ(State("DELETE FROM ledger_event"), "23503");
}

TEST_P(GuardTest, IsFilledFromEventsThatWereThereBefore) {
  db_->Execute(Insert(1, 1) + ", " + Values(1, 2, kJanuary) + ", " + Values(2, 1, kFebruary));
  const auto last = db_->Count("SELECT max(" + events_.position + ") FROM ledger_event");
  const auto fill = [&](std::int64_t after, std::int64_t through) {
    return InTransaction(
        [&](Session& session) { return FillGuard(session, events_, after, through); });
  };
  EXPECT_EQ(fill(last - 2, last), 2);
  EXPECT_EQ(fill(0, last - 2), 1) << "in any order: the later version wins";
  EXPECT_EQ(Head(1), "2 h2");
  ExpectHeadsAndKeysOfAllEvents();
  try {
    fill(0, last);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "SH-0811");
  }
  Guard();
  EXPECT_EQ(State(Insert(1, 3)), "");
  EXPECT_EQ(State(Insert(2, 1)), "23505");
}

TEST_P(GuardTest, ExaminesTheTriggersOfEveryPartition) {
  EXPECT_THAT(Examine(), testing::Contains("ledger_event: trigger zz_summa_guard is missing"));
  Guard();
  EXPECT_THAT(Examine(), IsEmpty());
  db_->Execute("ALTER TABLE january DISABLE TRIGGER zz_summa_guard");
  db_->Execute("ALTER TABLE february ENABLE TRIGGER zz_summa_guard");
  EXPECT_THAT(Examine(), ElementsAre("february: trigger zz_summa_guard is not enabled ALWAYS",
                                     "january: trigger zz_summa_guard is disabled"));
  InTransaction([&](Session& session) {
    RemoveGuard(session, events_);
    InstallGuard(session, events_);
    return 0;
  });
  EXPECT_THAT(Examine(), IsEmpty());
  db_->Execute(
      "CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; "
      "CREATE TRIGGER zzz BEFORE INSERT ON january FOR EACH ROW EXECUTE FUNCTION change()");
  EXPECT_THAT(Examine(),
              ElementsAre("january: trigger zzz runs after the guard and may change the row"));
}

TEST_P(GuardTest, ScrubbingFindsWhatWasWrittenBesideTheGuard) {
  Guard();
  db_->Execute(Insert(1, 1) + ", " + Values(1, 2, kJanuary) + ", " + Values(2, 1, kJanuary));
  ExpectHeadsAndKeysOfAllEvents();
  db_->Execute("ALTER TABLE january DISABLE TRIGGER ALL; " + Insert(1, 4) + "; " + Insert(3, 1));
  const auto with_problems = Scrub("january");
  EXPECT_EQ(with_problems.size(), 4U);
  EXPECT_THAT(with_problems, testing::Contains(HasSubstr("has no key")).Times(2));
  EXPECT_THAT(with_problems, testing::Contains(HasSubstr("versions of account " + Aggregate(1) +
                                                         " are not contiguous")));
  EXPECT_THAT(with_problems, testing::Contains("account " + Aggregate(3) + " has no head"));
  db_->Execute("TRUNCATE january");
  const auto truncated = Scrub("january");
  EXPECT_THAT(truncated, testing::Contains(HasSubstr("has no event")).Times(3));
  EXPECT_THAT(truncated,
              testing::Contains(HasSubstr("is not an event of this partition")).Times(2));
}

}  // namespace
}  // namespace summa::maintenance

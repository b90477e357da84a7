// Twenty hosts on one ledger, some of which are killed, stopped or frozen all the time.
#include <algorithm>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <random>

#include "tests/faults/fleet.hpp"

namespace summa::test {
namespace {

constexpr std::size_t kHosts = 20;
constexpr int kEvents = 12;
// On average: leases, renewals, fleet, one for the start until the workers begin, and a session of
// each worker that once held its lease, which few hosts have.
constexpr std::size_t kConnectionsPerHost = 5;
constexpr std::size_t kFrozenAtOnce = 2;
// So that what has died or stands still is replaced soon: no test of this file counts on a fence.
constexpr std::chrono::milliseconds kShortLease{1500};
// Hosts that were frozen and go on; the server has room for so many beside the twenty.
constexpr std::size_t kThawedAtOnce = 6;

class Many : public FleetTest {
 protected:
  void Launch(std::size_t place) {
    hosts_[place] =
        Start("host" + std::to_string(++started_),
              HostOptions{.workers = {"fence-writer", "often-writer"}, .lease = kShortLease});
  }
  // Where the holder of the worker is; nullopt: nobody works, or it has just gone.
  std::optional<std::size_t> PlaceOfHolder(const std::string& worker) {
    const auto writers = db().Column(
        "SELECT host FROM fleet.written WHERE worker = $1 ORDER BY id DESC LIMIT 1", {worker});
    for (std::size_t place = 0; place < kHosts && !writers.empty(); ++place) {
      if (hosts_[place]->application() == writers[0]) return place;
    }
    return std::nullopt;
  }
  // A frozen host keeps its connections.
  void NoteConnections() {
    hosts_at_most_ = std::max(hosts_at_most_, kHosts + thawed_later_.size() + thawed_.size());
    connections_ = std::max(
        connections_, db().Count("SELECT count(*) FROM pg_stat_activity WHERE application_name "
                                 "LIKE 'summa-host/%' AND datname = current_database()"));
  }
  // Hosts that were frozen and lost their leases go on beside those that took over.
  void ThawOne() {
    thawed_later_.front()->Thaw();
    thawed_.push_back(std::move(thawed_later_.front()));
    thawed_later_.pop_front();
    if (thawed_.size() <= kThawedAtOnce) return;
    EXPECT_EQ(thawed_.front()->Terminate(), 0) << thawed_.front()->Log();
    thawed_.pop_front();
  }
  // Each worker loses its holder at least once: the first two events leave that to no chance.
  void Disturb(int event, std::mt19937& random) {
    if (thawed_later_.size() > kFrozenAtOnce) ThawOne();
    const auto holder = PlaceOfHolder(event % 2 == 0 ? "fence-writer" : "often-writer");
    const bool at_holder = event < 2 || random() % 3 != 0;
    const std::size_t place = holder && at_holder ? *holder : random() % kHosts;
    const auto how = random() % 3;
    if (how == 0) {
      hosts_[place]->KillNine();
      ++killed_;
    } else if (how == 1) {
      hosts_[place]->Status();  // it listens to signals
      EXPECT_EQ(hosts_[place]->Terminate(), 0) << hosts_[place]->Log();
    } else {
      hosts_[place]->Status();  // it runs, and holds up no other that starts
      hosts_[place]->Freeze();
      thawed_later_.push_back(std::move(hosts_[place]));
      ++frozen_;
    }
    const std::string since = db().Value("SELECT clock_timestamp()");
    Launch(place);
    // Both workers go on, whoever has them now.
    for (const char* worker : {"fence-writer", "often-writer"}) {
      WaitUntil(
          [&] {
            NoteConnections();
            return db().Count("SELECT count(*) FROM fleet.written WHERE worker = $1 AND at > $2",
                              {worker, since}) > 0;
          },
          kTimeout, std::string("work of ") + worker);
    }
  }

  std::unique_ptr<FleetHost> hosts_[kHosts];
  std::deque<std::unique_ptr<FleetHost>> thawed_later_, thawed_;
  int started_ = 0, killed_ = 0, frozen_ = 0;
  long long connections_ = 0;
  std::size_t hosts_at_most_ = kHosts;
};

TEST_F(Many, OneWorksAtATimeAndEveryDueTimeIsServed) {
  std::mt19937 random(Seed());
  for (std::size_t place = 0; place < kHosts; ++place) Launch(place);
  for (const auto& host : hosts_) host->Status();
  WaitForRows("fence-writer", 1);
  WaitForRows("often-writer", 1);
  const char* minutes = std::getenv("SUMMA_SOAK_MINUTES");
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::minutes(!Soaking()           ? 0
                                        : minutes == nullptr ? 5
                                                             : std::stoi(minutes));
  for (int event = 0; event < kEvents || std::chrono::steady_clock::now() < end; ++event) {
    ASSERT_NO_THROW(Disturb(event, random)) << "event " << event << " of seed " << Seed();
  }
  while (!thawed_later_.empty()) ThawOne();
  for (auto& host : thawed_) EXPECT_EQ(host->Terminate(), 0) << host->Log();
  EXPECT_LE(connections_, static_cast<long long>(hosts_at_most_ * kConnectionsPerHost));
  for (auto& host : hosts_) host.reset();

  const auto count = [&](const std::string& sql) { return db().Count(sql); };
  EXPECT_GT(Fence("fence-writer"), 1);
  EXPECT_GT(Fence("often-writer"), 1);
  // A due time that was given and has passed was served, but for the last.
  EXPECT_EQ(count("SELECT count(*) FROM fleet.due_log d WHERE worker = 'often-writer' AND EXISTS "
                  "(SELECT FROM fleet.due_log l WHERE l.worker = d.worker AND l.id > d.id) AND NOT "
                  "EXISTS (SELECT FROM fleet.done e WHERE e.worker = d.worker AND e.due = d.due)"),
            0);
  const long long repeated =
      count("SELECT count(*) FROM fleet.written WHERE worker = 'often-writer'") -
      count("SELECT count(*) FROM fleet.done WHERE worker = 'often-writer'");
  EXPECT_LE(repeated, killed_ + frozen_ + 1)
      << "only a host that was killed or frozen may leave a run without a record";
  EXPECT_EQ(count("SELECT count(*) FROM fleet.due_log WHERE worker = 'often-writer' AND at < "
                  "before_due"),
            0)
      << "a run before its due time";
  std::cout << "fences " << Fence("fence-writer") << " and " << Fence("often-writer")
            << ", connections at most " << connections_ << ", repeated runs " << repeated
            << ", longest hand-over "
            << db().Value("SELECT max(gap) FROM fleet.handover WHERE worker = 'fence-writer'")
            << "\n";
}

}  // namespace
}  // namespace summa::test

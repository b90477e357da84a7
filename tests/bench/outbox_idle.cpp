// What a host with every plugin uses when it has no work: the ledger is delivered, nobody writes.
#include <iostream>
#include <stdexcept>
#include <summa/json.hpp>
#include <thread>

#include "tests/bench/outbox_bench.hpp"
#include "tests/bench/servers.hpp"
#include "tests/fixture/ledger.hpp"
#include "tests/services/db.hpp"
#include "tests/services/redis_server.hpp"
#include "tests/services/wait_until.hpp"

namespace summa::bench {
namespace {

constexpr long long kSeconds = 60;
constexpr const char* kOtherPlugins = "  maintenance: {}\n  reconciliation: {}\n";
constexpr char kRows[] = "10000";
constexpr char kAccounts[] = "100";
// Pauses grow to idle_poll, statistics are flushed, checkpoints end: then it is idle.
constexpr std::chrono::seconds kSettle{5};

double Mebibytes(std::size_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

}  // namespace

void MeasureIdle(const Options& options) {
  const long long seconds = options.Number("seconds") > 0 ? options.Number("seconds") : kSeconds;
  test::PostgresServer postgres(RealisticPostgres());
  test::RedisServer redis;
  const std::string url = test::InstallLedger(postgres, "ledger");
  OutboxHost host(url, redis.Url(), kOtherPlugins);
  host.RunToEnd({"migrate"});
  test::Db(url).Query("SELECT fixture.bulk_outbox($1::bigint, $2::integer)", {kRows, kAccounts});
  test::Db(postgres.Url("postgres")).Execute("CHECKPOINT");
  test::Process& process = host.Start();
  test::WaitUntil(
      [&] {
        return test::Db(url).Count("SELECT count(*) FROM outbox WHERE status = 'pending'") == 0;
      },
      test::kTimeout, "the backlog to be delivered; log: " + process.Stderr());
  std::this_thread::sleep_for(kSettle);

  Say("measuring for " + std::to_string(seconds) + " s");
  const Stopwatch watch;
  const test::Usage host_before = process.Use();
  const test::Usage server_before = postgres.Use();
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  const test::Usage host_after = process.Use();
  const test::Usage server_after = postgres.Use();
  const double elapsed = watch.Seconds();
  if (!process.Running()) throw std::runtime_error("the host ended: " + process.Stderr());

  const double host_cpu = (host_after.cpu_seconds - host_before.cpu_seconds) / elapsed * 100;
  const double server_cpu = (server_after.cpu_seconds - server_before.cpu_seconds) / elapsed * 100;
  if (options.Json()) {
    JsonWriter json;
    json.BeginObject()
        .Member("benchmark", "outbox --idle")
        .Member("machine", MachineText())
        .Member("seconds", elapsed)
        .Member("hostCpuPercent", host_cpu)
        .Member("hostResidentMebibytes", Mebibytes(host_after.resident_bytes))
        .Member("hostPeakResidentMebibytes", Mebibytes(host_after.peak_resident_bytes))
        .Member("postgresqlCpuPercent", server_cpu)
        .EndObject();
    std::cout << json.Take() << "\n";
    return;
  }
  std::cout << "idle for " << Fixed(elapsed, 0) << " s after a backlog of " << kRows << " rows\n"
            << MachineText() << "; PostgreSQL " << PostgresVersion(url) << "\n\n";
  PrintTable({{"", "measured", "goal"},
              {"CPU of the host, % of a core", Fixed(host_cpu, 2), "< 1"},
              {"memory of the host, MiB", Fixed(Mebibytes(host_after.resident_bytes), 1), "< 40"},
              {"  its peak, MiB", Fixed(Mebibytes(host_after.peak_resident_bytes), 1), ""},
              {"CPU of PostgreSQL, % of a core", Fixed(server_cpu, 2), ""}});
}

}  // namespace summa::bench

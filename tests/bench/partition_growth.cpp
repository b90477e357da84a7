#include "tests/bench/partition_growth.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <vector>

#include "tests/bench/lines.hpp"
#include "tests/bench/partition_data.hpp"
#include "tests/bench/partition_work.hpp"
#include "tests/bench/report.hpp"
#include "tests/bench/servers.hpp"
#include "tests/services/server_directory.hpp"

namespace summa::bench {
namespace {

// An event takes 540 bytes with its indexes in a flat ledger, and 720 with its key and its share of
// a head in a partitioned one. The rest is for the sort of an index.
constexpr double kBytesPerEvent = 1600;  // of both together
constexpr double kBytesOfServer = 3e9;   // WAL, and what an empty server has
constexpr int kRounds = 7;

struct Sizes {
  long long from = 0, to = 0;
};

Sizes Parse(const std::string& text) {
  const std::size_t comma = text.find(',');
  Sizes sizes;
  try {
    sizes.from = std::stoll(text.substr(0, comma));
    sizes.to = comma == std::string::npos ? 0 : std::stoll(text.substr(comma + 1));
  } catch (const std::exception&) {
    sizes = {};
  }
  if (sizes.from < 10 * kVersions || sizes.to <= sizes.from) {
    throw std::runtime_error(
        "--growth is FROM,TO, two numbers of events, of which the first is at "
        "least 120 and the second is higher; it is \"" +
        text + "\"");
  }
  return sizes;
}

void RequireDisk(const Sizes& sizes) {
  const double need = kBytesOfServer + kBytesPerEvent * static_cast<double>(sizes.from + sizes.to);
  const auto space = static_cast<double>(std::filesystem::space(test::ServerRoot()).available);
  const std::string text = Fixed(need / 1e9, 1) + " GB of disk in " + test::ServerRoot() +
                           " (SUMMA_SERVER_ROOT), where " + Fixed(space / 1e9, 1) + " GB are free";
  if (space < need) throw std::runtime_error("this needs " + text);
  Say("needs at most " + text);
}

std::string Name(const char* kind, long long rows) {
  return std::string(kind) + "_" + std::to_string(rows);
}

// One ledger, and what was measured on it.
struct Measured {
  Measured(const std::string& url, long long rows) : work(url, rows / kVersions) {}

  EverydayWork work;
  std::vector<Series> times = std::vector<Series>(std::size(kEveryday));  // as kEveryday
};

class Growth {
 public:
  Growth(const Sizes& sizes, int months)
      : sizes_(sizes), months_(months), server_(BoundedPostgres()) {
    for (const bool partitioned : {false, true}) {
      for (const long long rows : {sizes.from, sizes.to}) {
        const std::string name = Name(partitioned ? "partitioned" : "flat", rows);
        Say("making " + name);
        url_ = MakeLargeHistory(server_, name, rows, months, partitioned);
        Say(name + " has " +
            Grouped(static_cast<double>(
                        test::Db(url_).Count("SELECT pg_database_size(current_database())")) /
                    1e6) +
            " MB");
        ledgers_.push_back(std::make_unique<Measured>(url_, rows));
      }
    }
  }

  void Run(bool json) {
    for (std::size_t i = 0; i < std::size(kEveryday); ++i) {
      Say(kEveryday[i].name);
      for (int round = 0; round <= kRounds; ++round) {
        for (const auto& ledger : ledgers_) {
          const double time = Milliseconds(ledger->work, kEveryday[i]);
          if (round > 0) ledger->times[i].Add(time);  // the first warms the caches
        }
      }
    }
    Lines lines("partition");
    const Measured &flat = *ledgers_[0], &grown_flat = *ledgers_[1];
    const Measured &parted = *ledgers_[2], &grown_parted = *ledgers_[3];
    Add(lines, "flat, grown: ", flat, grown_flat, "at most 1.2");
    Add(lines, "partitioned, grown: ", parted, grown_parted, "at most 1.2");
    Add(lines, "flat and partitioned: ", grown_flat, grown_parted, "");
    lines.Print(PostgresVersion(url_),
                Grouped(static_cast<double>(sizes_.from)) + " and " +
                    Grouped(static_cast<double>(sizes_.to)) + " events, " +
                    std::to_string(months_) + " months",
                json);
  }

 private:
  static test::PostgresOptions BoundedPostgres() {
    test::PostgresOptions options = RealisticPostgres();
    options.settings["max_wal_size"] = "1GB";
    options.settings["wal_level"] = "minimal";  // new tables are filled without it
    options.settings["max_wal_senders"] = "0";
    options.settings["maintenance_work_mem"] = "512MB";
    return options;
  }
  static void Add(Lines& lines, const std::string& what, const Measured& base,
                  const Measured& measured, const std::string& goal) {
    for (std::size_t i = 0; i < std::size(kEveryday); ++i) {
      lines.AddTime(what + kEveryday[i].name + ", ms", base.times[i], measured.times[i], goal);
    }
  }

  const Sizes sizes_;
  const int months_;
  test::PostgresServer server_;
  std::string url_;  // of one of them
  std::vector<std::unique_ptr<Measured>> ledgers_;
};

}  // namespace

void MeasureGrowth(const std::string& sizes, int months, bool json) {
  const Sizes parsed = Parse(sizes);
  RequireDisk(parsed);
  Growth(parsed, months).Run(json);
}

}  // namespace summa::bench

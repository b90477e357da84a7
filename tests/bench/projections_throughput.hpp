// How fast read models are made from events, against bare SQL that writes the same rows.
#pragma once

#include "tests/bench/lines.hpp"
#include "tests/services/postgres_server.hpp"

namespace summa::bench {

struct ThroughputOptions {
  long long events = 0, accounts = 0, repeat = 0, sessions = 0;
};

// account-balance alone and all four, over many accounts and with one hot account; and all four
// rebuilt, compared and swapped. Each line is of events per second.
void MeasureThroughput(test::PostgresServer& server, const ThroughputOptions& options,
                       Lines& lines);

}  // namespace summa::bench

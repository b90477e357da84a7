// What users of a running host notice: how far read models are behind writers, and how long reads
// over HTTP take meanwhile.
#pragma once

#include "tests/bench/lines.hpp"
#include "tests/services/postgres_server.hpp"

namespace summa::bench {

struct ServiceOptions {
  long long accounts = 0;
  long long seconds = 0;         // of each thing
  double events_per_second = 0;  // that are written all the time
  double requests_per_second = 0;
};

// First, before there is a host, what the writers take of the machine.
//
// Lag: from the moment at which a writer knows of its commit to that at which another session has
// found the event in the progress of all four read models. It looks every two milliseconds.
//
// Reads: the four routes by turns, from eight threads with a connection each that is kept. After
// each part of that, the same threads ask the server of the database for the same rows at the same
// rate, by a prepared SELECT over a connection that is kept. The time of both runs from the moment
// at which a request was due.
void MeasureService(test::PostgresServer& server, const ServiceOptions& options, Lines& lines);

}  // namespace summa::bench

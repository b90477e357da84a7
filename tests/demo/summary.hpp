// The proof at the end: what the ledger says was sent against what the consumer got.
#pragma once

#include <string>
#include <vector>

#include "tests/demo/consumer.hpp"
#include "tests/demo/latency.hpp"

namespace summa::demo {

struct Proof {
  long long sent = 0;      // rows of the outbox
  long long received = 0;  // distinct ids that came
  long long pending = 0;   // rows still to deliver
  long long lost = 0;      // sent, not received
  long long unknown = 0;   // received, not sent
  long long duplicates = 0;
  long long out_of_order = 0;    // per stream and key, by the ledger's own positions
  long long wrong_fields = 0;    // stream, key or position differ from the ledger's
  long long wrongly_marked = 0;  // not processed_at + status processed + no last_error
  long long dead_letters = 0;
  long long malformed = 0;
  long long in_streams = 0;  // messages the streams hold
  long long messages = 0;    // messages the consumer got
  long long unacknowledged = 0;
};

// Reads the whole outbox and the streams. Errors: DbError, std::runtime_error.
Proof Prove(const std::string& ledger_url, const Consumer& consumer);

// What is wrong, one line each; empty when every event arrived, in order.
std::vector<std::string> Findings(const Proof& proof, int host_exit_code);

std::string SummaryText(const Proof& proof, const Percentiles& latency,
                        const std::vector<std::string>& findings);

}  // namespace summa::demo

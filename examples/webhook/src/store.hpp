// The statements of the sender.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <summa/sql.hpp>
#include <utility>
#include <vector>

#include "outcome.hpp"

namespace webhook {

// The first waiting delivery of a key whose time has come.
struct Due {
  std::string endpoint, key;
  std::int64_t number = 0;  // 0: nothing waits in this lane
  Circuit circuit;          // of the endpoint
};

// What is sent.
struct Letter {
  std::int64_t number = 0;
  std::string endpoint, url, message_id, type, happened_at, payload;
  std::int64_t attempts = 0;
  Microseconds age{0};  // since the first attempt
};

// What became of a request.
struct Result {
  std::string endpoint, key;
  std::int64_t number = 0;
  enum class State { kPending, kDelivered, kDead } state = State::kPending;
  bool counted = true;
  std::int64_t status = 0;
  std::string error;
  Microseconds pause{0};  // kPending: until the next attempt
  Microseconds took{0};
};

// What changes at an endpoint.
struct EndpointChange {
  Circuit circuit;
  Microseconds hold{0};  // it asks for so long a pause
  Microseconds open{0};  // its circuit has opened for so long
  bool gone = false;     // it is paused
  std::string error;     // of its latest failure; empty: it has accepted something
};

// Of active endpoints, those that wait longest first; of an endpoint at most `per_endpoint`, one when
// its circuit is open.
std::vector<Due> FindDue(summa::Session& session, std::int64_t per_endpoint);

std::vector<Letter> ReadLetters(summa::Session& session, std::span<const std::int64_t> numbers);

// Those that sign now, the newest first, by endpoint.
std::map<std::string, std::vector<std::string>> ReadSecrets(summa::Session& session,
                                                            std::span<const std::string> endpoints);

// Endpoints whose circuit is open, and their latest error.
std::map<std::string, std::string> ReadOpenCircuits(summa::Session& session);

// In the caller's transaction.
void Record(summa::Session& session, std::span<const Result> results,
            const std::map<std::string, EndpointChange>& endpoints);

// Removes lanes in which nothing waits, in the caller's transaction.
void RemoveEmptyLanes(summa::Session& session,
                      std::span<const std::pair<std::string, std::string>> lanes);

}  // namespace webhook

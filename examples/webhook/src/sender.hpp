// The second half: sends what is due, and records what the endpoints answer. For each key of an
// endpoint one delivery is under way at a time, so that the order is kept.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <summa/health.hpp>
#include <summa/host.hpp>
#include <summa/mutex.hpp>
#include <summa/sql.hpp>
#include <summa/worker.hpp>
#include <utility>
#include <vector>

#include "http_client.hpp"
#include "settings.hpp"
#include "store.hpp"

namespace webhook {

// The body of a delivery, as the Standard Webhooks specification recommends it.
std::string BodyOf(const Letter& letter);
// The signed request; `now_seconds` since 1970.
HttpRequest RequestOf(const Letter& letter, std::span<const std::string> secrets,
                      std::int64_t now_seconds);

class Sender final : public summa::Worker {
 public:
  Sender(summa::Host host, Settings settings);

  // Before the first run, in Start() of the plugin. Throws what HttpClient throws.
  void OpenClient();
  summa::TickResult Run(const summa::Tick& tick) override;

  // Any thread.
  std::vector<summa::Finding> Failing() const;
  std::string StatusJson() const;

 private:
  struct Flight {
    Due due;
    std::int64_t attempts = 0;
    Microseconds age{0};
  };

  std::int64_t Turn(summa::Session& session, Microseconds longest);
  void Start(summa::Session& session);
  std::vector<Due> Choose(summa::Session& session);
  void Launch(summa::Session& session, const std::vector<Due>& chosen);
  std::int64_t Settle(summa::Session& session, std::vector<HttpClient::Finished> finished);
  Result Decide(const Flight& flight, const HttpAnswer& answer);
  void Report(std::span<const Result> results);
  void Drain(summa::Session& session, std::int64_t& settled);
  void Look(summa::Session& session);
  void Forget();
  void Show();

  const summa::Host host_;
  const Settings settings_;
  std::optional<HttpClient> http_;
  summa::Metric delivered_, failed_, dead_, duration_, in_flight_, open_circuits_;

  // Of the worker's thread.
  std::map<std::int64_t, Flight> flights_;  // by number
  std::set<std::pair<std::string, std::string>> busy_lanes_;
  std::map<std::string, std::int64_t> busy_endpoints_;
  std::map<std::string, EndpointChange> changes_;  // that are to be recorded
  std::vector<HttpClient::Finished> unsent_;       // flights that could not be signed
  std::map<std::string, Circuit> circuits_;        // as of the latest look, and what followed

  mutable summa::Mutex mutex_;
  // Endpoints whose circuit is open, and why.
  std::map<std::string, std::string> open_ SUMMA_GUARDED_BY(mutex_);
  std::atomic<std::int64_t> sent_{0}, given_up_{0}, shown_in_flight_{0};
};

}  // namespace webhook

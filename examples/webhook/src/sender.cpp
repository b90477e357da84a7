#include "sender.hpp"

#include <algorithm>
#include <summa/crash_point.hpp>
#include <summa/json.hpp>
#include <summa/lease.hpp>
#include <utility>

#include "signature.hpp"

namespace webhook {
namespace {

// A call ends by itself, so that the host sees that the worker lives and what it did.
constexpr std::chrono::seconds kCall{10};
// While answers are awaited, how often to look for what has become due.
constexpr std::chrono::milliseconds kLook{100};
// When the host stops, so long for answers that are on their way: what is not recorded is sent again.
constexpr std::chrono::seconds kDrain{2};
constexpr const char* kWorker = "webhook-sender";
// /readyz names so many endpoints.
constexpr std::size_t kMostFindings = 20;

}  // namespace

std::string BodyOf(const Letter& letter) {
  return summa::JsonWriter()
      .BeginObject()
      .Member("type", letter.type)
      .Member("timestamp", letter.happened_at)
      .Key("data")
      .Raw(letter.payload)
      .EndObject()
      .Take();
}

HttpRequest RequestOf(const Letter& letter, std::span<const std::string> secrets,
                      std::int64_t now_seconds) {
  HttpRequest request{letter.url, {"content-type: application/json"}, BodyOf(letter)};
  request.headers.push_back("webhook-id: " + letter.message_id);
  request.headers.push_back("webhook-timestamp: " + std::to_string(now_seconds));
  request.headers.push_back("webhook-signature: " +
                            Signatures(secrets, letter.message_id, now_seconds, request.body));
  return request;
}

Sender::Sender(summa::Host host, Settings settings) : host_(host), settings_(std::move(settings)) {
  const auto outcome = [&](const char* name) {
    return host_.Counter("summa_webhook_attempts_total",
                         "Requests by outcome: delivered, failed, dead.", {{"outcome", name}});
  };
  delivered_ = outcome("delivered");
  failed_ = outcome("failed");
  dead_ = outcome("dead");
  duration_ = host_.Histogram("summa_webhook_request_duration_seconds",
                              "Time from the begin of a request to its answer or failure.");
  in_flight_ = host_.Gauge("summa_webhook_in_flight", "Requests that wait for their answer.");
  open_circuits_ = host_.Gauge("summa_webhook_open_circuits",
                               "Endpoints that are left alone because they keep failing.");
}

void Sender::OpenClient() { http_.emplace(settings_.http); }

summa::TickResult Sender::Run(const summa::Tick& tick) {
  if (tick.new_lease()) Forget();
  const summa::BootTime end = host_.BootNow() + kCall;
  std::int64_t settled = 0;
  try {
    summa::Session session(tick.sql());
    Look(session);
    while (!tick.ShouldStop()) {
      const std::int64_t ended = Turn(session, kLook);
      settled += ended;
      if (ended == 0 && flights_.empty()) break;
      // What is under way stays so: the next call begins at once. `run --once` has no next call.
      if (!tick.once() && host_.BootNow() >= end) break;
    }
    if (tick.ShouldStop()) Drain(session, settled);
  } catch (...) {
    Forget();  // what is not recorded is sent again
    Show();
    throw;
  }
  if (tick.ShouldStop()) Forget();
  Show();
  const bool more = settled > 0;
  if (!flights_.empty()) return {settled, more, Microseconds(0)};
  return {settled, more, std::nullopt};
}

void Sender::Drain(summa::Session& session, std::int64_t& settled) {
  const summa::BootTime end = host_.BootNow() + kDrain;
  while (!flights_.empty() && host_.BootNow() < end) {
    settled += Settle(session, http_->Wait(kLook));
  }
}

// Which circuits are open, also of endpoints for which nothing is due.
void Sender::Look(summa::Session& session) {
  std::map<std::string, std::string> open = ReadOpenCircuits(session);
  const summa::MutexLock lock(mutex_);
  open_ = std::move(open);
}

// Starts what is due, waits for answers and records them. Returns how many requests have ended.
std::int64_t Sender::Turn(summa::Session& session, Microseconds longest) {
  Start(session);
  if (!unsent_.empty()) return Settle(session, std::exchange(unsent_, {}));
  if (flights_.empty()) return 0;
  return Settle(session, http_->Wait(longest));
}

void Sender::Start(summa::Session& session) {
  if (static_cast<std::int64_t>(flights_.size()) >= settings_.concurrency) return;
  const std::vector<Due> chosen = Choose(session);
  if (!chosen.empty()) Launch(session, chosen);
  Show();
}

// What may be sent now, by the limits for all and for each endpoint.
std::vector<Due> Sender::Choose(summa::Session& session) {
  std::vector<Due> chosen;
  std::vector<std::pair<std::string, std::string>> empty;
  std::map<std::string, std::int64_t> busy = busy_endpoints_;
  // Twice as many as may be under way: those that are under way still count as due.
  for (Due& due : FindDue(session, 2 * settings_.endpoint_concurrency)) {
    circuits_[due.endpoint] = due.circuit;
    if (busy_lanes_.contains({due.endpoint, due.key})) continue;
    if (due.number == 0) {
      empty.emplace_back(due.endpoint, due.key);
      continue;
    }
    if (flights_.size() + chosen.size() >= static_cast<std::size_t>(settings_.concurrency)) break;
    const std::int64_t most = due.circuit.openings > 0 ? 1 : settings_.endpoint_concurrency;
    if (busy[due.endpoint] >= most) continue;
    ++busy[due.endpoint];
    chosen.push_back(std::move(due));
  }
  if (!empty.empty()) {
    session.Begin();
    RemoveEmptyLanes(session, empty);
    session.Commit();
  }
  return chosen;
}

void Sender::Launch(summa::Session& session, const std::vector<Due>& chosen) {
  std::vector<std::int64_t> numbers;
  std::vector<std::string> endpoints;
  std::map<std::int64_t, const Due*> by_number;
  for (const Due& due : chosen) {
    numbers.push_back(due.number);
    endpoints.push_back(due.endpoint);
    by_number[due.number] = &due;
  }
  const auto secrets = ReadSecrets(session, endpoints);
  const std::int64_t now =
      std::chrono::floor<std::chrono::seconds>(host_.UnixNow().time_since_epoch()).count();
  for (const Letter& letter : ReadLetters(session, numbers)) {
    const Due& due = *by_number.at(letter.number);
    const auto signing = secrets.find(letter.endpoint);
    const std::vector<std::string> none;
    summa::CrashPoint("webhook.sending");
    try {
      http_->Begin(letter.number,
                   RequestOf(letter, signing == secrets.end() ? none : signing->second, now));
    } catch (const summa::Error& error) {
      // An endpoint whose secret is broken holds up no other one.
      unsent_.push_back({letter.number, {0, error.what(), {}, {}, Microseconds(0)}});
    }
    busy_lanes_.emplace(due.endpoint, due.key);
    ++busy_endpoints_[due.endpoint];
    flights_[letter.number] = {due, letter.attempts, letter.age};
  }
}

std::int64_t Sender::Settle(summa::Session& session, std::vector<HttpClient::Finished> finished) {
  if (finished.empty()) return 0;
  summa::CrashPoint("webhook.answered");
  std::vector<Result> results;
  changes_.clear();
  for (const HttpClient::Finished& each : finished) {
    const auto found = flights_.find(each.id);
    results.push_back(Decide(found->second, each.answer));
    const Due& due = found->second.due;
    busy_lanes_.erase({due.endpoint, due.key});
    if (--busy_endpoints_[due.endpoint] == 0) busy_endpoints_.erase(due.endpoint);
    flights_.erase(found);
  }
  session.Begin();
  Record(session, results, changes_);
  summa::CrashPoint("webhook.recording");
  session.Commit();  // refused by the host when the lease is lost; they are sent again then
  summa::CrashPoint("webhook.recorded");
  Report(results);
  return static_cast<std::int64_t>(results.size());
}

// What becomes of the delivery, and of the circuit of its endpoint.
Result Sender::Decide(const Flight& flight, const HttpAnswer& answer) {
  const Due& due = flight.due;
  const Judgement judgement = Judge(answer, host_.UnixNow(), settings_.longest_hold);
  Result result{due.endpoint,     due.key,       due.number,      Result::State::kPending,
                judgement.counts, answer.status, judgement.error, Microseconds(0),
                answer.took};
  Circuit& circuit = circuits_[due.endpoint];
  if (judgement.kind == Judgement::Kind::kAccepted) {
    result.state = Result::State::kDelivered;
    if (circuit.failures != 0 || circuit.openings != 0) {
      circuit.Accepted();
      EndpointChange& change = changes_[due.endpoint];
      change.circuit = circuit;
      change.open = Microseconds(0);
      change.error.clear();
    }
    return result;
  }
  EndpointChange& change = changes_[due.endpoint];
  if (judgement.counts) {
    change.open = std::max(change.open, circuit.Failed(settings_.circuit, due.circuit.openings));
  }
  change.circuit = circuit;
  change.error = judgement.error;
  change.hold = std::max(change.hold, judgement.hold);
  if (judgement.kind == Judgement::Kind::kGone) {
    change.gone = true;  // what waits is kept, this one too
    return result;
  }
  const std::int64_t attempts = flight.attempts + (judgement.counts ? 1 : 0);
  const auto pause = NextAttempt(settings_.retry, attempts, flight.age);
  if (pause) {
    result.pause = std::max(*pause, judgement.hold);
  } else {
    result.state = Result::State::kDead;
  }
  return result;
}

// Only what is committed is counted and logged.
void Sender::Report(std::span<const Result> results) {
  for (const Result& result : results) {
    duration_.Observe(std::chrono::duration<double>(result.took).count());
    if (result.state == Result::State::kDelivered) {
      delivered_.Add();
      ++sent_;
    } else if (result.state == Result::State::kPending) {
      failed_.Add();
    } else {
      dead_.Add();
      ++given_up_;
      host_.Warn("WH-0004", "a delivery was given up",
                 {{"endpoint", result.endpoint},
                  {"key", result.key},
                  {"delivery", std::to_string(result.number)},
                  {"error", result.error}});
    }
  }
  for (const auto& [endpoint, change] : changes_) {
    if (change.gone) {
      host_.Warn("WH-0006", "an endpoint says that it is gone, and is paused",
                 {{"endpoint", endpoint}});
    }
    const summa::MutexLock lock(mutex_);
    if (change.circuit.openings == 0) {
      open_.erase(endpoint);
    } else if (open_.insert_or_assign(endpoint, change.error).second) {
      // One line when a circuit opens, and none while it stays open.
      host_.Warn("WH-0005", "an endpoint keeps failing",
                 {{"endpoint", endpoint}, {"error", change.error}});
    }
  }
  Show();
}

void Sender::Forget() {
  http_->Abort();
  flights_.clear();
  busy_lanes_.clear();
  busy_endpoints_.clear();
  circuits_.clear();
  changes_.clear();
  unsent_.clear();
  const summa::MutexLock lock(mutex_);
  open_.clear();
}

void Sender::Show() {
  const auto count = static_cast<std::int64_t>(flights_.size());
  shown_in_flight_ = count;
  in_flight_.Set(static_cast<double>(count));
  const summa::MutexLock lock(mutex_);
  open_circuits_.Set(static_cast<double>(open_.size()));
}

// A receiver of somebody else that is down is no reason to stop this host: a warning.
std::vector<summa::Finding> Sender::Failing() const {
  std::vector<summa::Finding> findings;
  // Whoever has the lease reports it.
  if (!summa::ReadLease(host_, kWorker).held) return findings;
  const summa::MutexLock lock(mutex_);
  for (const auto& [endpoint, error] : open_) {
    if (findings.size() == kMostFindings) break;
    findings.push_back({summa::Severity::kWarning, "webhook endpoint " + endpoint,
                        "keeps failing: " + error, "an answer with 2xx",
                        "WH-0005: mend it, or run `summa-host webhook pause " + endpoint + "`"});
  }
  return findings;
}

std::string Sender::StatusJson() const {
  const summa::MutexLock lock(mutex_);
  return summa::JsonWriter()
      .BeginObject()
      .Member("delivered", sent_.load())
      .Member("givenUp", given_up_.load())
      .Member("inFlight", shown_in_flight_.load())
      .Member("openCircuits", static_cast<std::int64_t>(open_.size()))
      .EndObject()
      .Take();
}

}  // namespace webhook

// Answers about accounts, transactions and holders, from the read models or from the ledger itself.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <summa/endpoint.hpp>
#include <summa/health.hpp>
#include <summa/host.hpp>
#include <summa/ledger/event_table.hpp>
#include <summa/ledger/reader.hpp>
#include <summa/mutex.hpp>
#include <summa/sql.hpp>
#include <vector>

#include "reads/phase.hpp"

namespace summa::projections {

// Any thread, several at a time.
class Reads {
 public:
  Reads(Host host, ReadPhase phase) : host_(host), phase_(phase) {}

  // {data, lastUpdated, lagSeconds, position, source}; 404 with {error} when there is no such
  // thing.
  Response Balance(const Request& request);
  Response Entries(const Request& request);  // data: {entries, nextCursor}
  Response Transaction(const Request& request);
  Response Dashboard(const Request& request);
  // An HTML page that shows what the other routes answer.
  static Response Page();

  // Read models that the phase lets answer, and that may not.
  std::vector<Finding> Failing() const;

 private:
  // What is asked for: the statements that give it as one JSON text, or NULL.
  struct Resource {
    const char* projection;
    std::string_view from_projection, from_ledger;
  };
  struct Answer {
    std::optional<std::string> data;  // JSON
    std::int64_t position = 0;
    DatabaseTime updated_at, now;
    bool from_ledger = false;
    bool complete = true;  // the read model waits for no event up to its position
  };
  static const Resource kBalance, kEntries, kTransaction, kDashboard;

  Answer Ask(const Request& request, const Resource& resource,
             std::span<const Parameter> parameters);
  bool LedgerAnswers(const Request& request, const Resource& resource);
  std::optional<std::int64_t> PositionOf(const Request& request, const std::string& event);
  bool IsRefused(const Request& request, const Resource& resource);
  bool IsCompared(const Resource& resource);
  // Throws SH-0561 when the read model does not exist yet.
  static Answer FromProjection(const Request& request, const Resource& resource,
                               std::span<const Parameter> parameters);
  [[noreturn]] static void RefuseMissing(const Resource& resource);
  Answer FromLedger(const Request& request, const Resource& resource,
                    std::span<const Parameter> parameters);
  void Compare(const Request& request, const Resource& resource,
               std::span<const Parameter> parameters, const Answer& ledger,
               const Answer& projection);
  // How far the read model is.
  static std::optional<ledger::Checkpoint> ReadProgress(const Request& request,
                                                        const Resource& resource);
  bool Reaches(const Request& request, const Resource& resource, std::int64_t position) const;
  std::string Compose(const Request& request, const Answer& answer);
  ledger::EventTable EventsOf(Session& ledger);
  double LagSeconds(const Request& request, std::int64_t position);

  Host host_;
  const ReadPhase phase_;
  mutable Mutex mutex_;
  // Differences of the last hour by projection, as last looked at: not every answer looks.
  struct Refusal {
    BootTime known_until;
    std::int64_t differences = 0;
  };
  std::map<std::string, Refusal> refusals_ SUMMA_GUARDED_BY(mutex_);
  std::int64_t reads_ SUMMA_GUARDED_BY(mutex_) = 0;
  std::optional<ledger::EventTable> events_ SUMMA_GUARDED_BY(mutex_);
  // The newest event, as last looked at: not every answer looks.
  BootTime head_known_until_ SUMMA_GUARDED_BY(mutex_);
  std::int64_t head_ SUMMA_GUARDED_BY(mutex_) = 0;
};

}  // namespace summa::projections

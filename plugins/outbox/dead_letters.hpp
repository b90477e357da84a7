// What people do to rows that were not delivered: look at them, send them again, let them go. Every
// change leaves a row in dlq_audit, in the same transaction.
// Works on a session of the caller. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <summa/sql.hpp>
#include <vector>

#include "table.hpp"

namespace summa::outbox {

struct DeadLetterFilter {
  std::string state = "pending";  // pending, redriven, discarded, resolved, all
  std::optional<std::string> topic = {}, key = {}, id = {};
  std::int64_t limit = 0;  // 0: none
};

struct DeadLetterItem {
  std::string id, outbox_id, topic, key, error;  // outbox_id empty: the row is gone
  std::optional<std::int64_t> attempts;
  std::string created_at, state, payload;
};

// A row that the bus lacks.
struct UndeliveredItem {
  std::string id, topic, key, last_error;
};

struct AuditEntry {
  std::string action, source, filter;
};

class DeadLetters {
 public:
  DeadLetters(Settings settings, std::string actor)
      : settings_(std::move(settings)), actor_(std::move(actor)) {}

  std::vector<DeadLetterItem> List(Session& session, const DeadLetterFilter& filter) const;
  std::vector<UndeliveredItem> LostBySumma(Session& session) const;

  // Each in a transaction of its own. Ids in text form; those that are not there are passed over.
  // sinks: that are to have the rows; the others count as having them. The number of rows.
  std::int64_t Redrive(Session& session, std::span<const std::string> ids,
                       const std::vector<std::string>& sinks, const AuditEntry& audit) const;
  std::int64_t Discard(Session& session, std::span<const std::string> ids,
                       const AuditEntry& audit) const;
  // For what was done to another system.
  void Audit(Session& session, const AuditEntry& audit, std::int64_t items,
             std::span<const std::string> ids) const;

 private:
  void WriteAudit(Session& session, const AuditEntry& audit, std::int64_t items,
                  std::span<const std::string> ids) const;

  Settings settings_;
  std::string actor_;
};

// The account of the operating system and the process: whom to ask.
std::string Actor(std::string_view instance);

}  // namespace summa::outbox

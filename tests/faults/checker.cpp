#include "tests/faults/checker.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

namespace summa::test {
namespace {

constexpr std::size_t kReportedLines = 30;

using Lines = std::vector<std::string>;
using RowsById = std::unordered_map<std::string, const OutboxRecord*>;

RowsById ById(const std::vector<OutboxRecord>& rows) {
  RowsById by_id;
  for (const OutboxRecord& row : rows) by_id[row.id] = &row;
  return by_id;
}

void CheckKept(const Observation& seen, const RowsById& rows, Lines& lines) {
  for (const std::string& id : seen.appended.outbox) {
    if (!rows.contains(id)) lines.push_back("I1: acknowledged outbox row " + id + " is gone");
  }
  for (const std::string& id : seen.appended.events) {
    if (!seen.events.contains(id)) lines.push_back("I1: acknowledged event " + id + " is gone");
  }
  for (const std::string& line : seen.ledger_violations) lines.push_back("I1-I4: " + line);
}

void CheckDelivered(const Observation& seen, Lines& lines) {
  std::set<std::string> delivered;
  for (const DeliveredMessage& message : seen.messages) delivered.insert(message.id);
  for (const OutboxRecord& row : seen.rows) {
    const bool marked = row.status == "processed" || row.processed_at;
    if (!delivered.contains(row.id)) {
      const char* who = seen.appended.outbox.contains(row.id) ? "acknowledged " : "";
      lines.push_back(std::string("I5: ") + who + "outbox row " + row.id + " (" + row.topic +
                      ") was never delivered" + (marked ? ", yet it is marked" : ""));
    }
    if (row.status != "processed" || !row.processed_at || row.last_error) {
      lines.push_back("I5: outbox row " + row.id + " is not marked as delivered: status " +
                      row.status + (row.processed_at ? "" : ", no processed_at") +
                      (row.last_error ? ", last_error is set" : ""));
    }
  }
}

// So a duplicate can only be the same message under the same id.
void CheckContent(const Observation& seen, const RowsById& rows, Lines& lines) {
  for (const DeliveredMessage& message : seen.messages) {
    const auto found = rows.find(message.id);
    if (found == rows.end()) {
      lines.push_back("I5: message " + message.id + " of " + message.stream +
                      " tells of no committed outbox row");
      continue;
    }
    const OutboxRecord& row = *found->second;
    if (message.type == row.topic && message.key == row.key && message.position == row.position &&
        message.payload == row.payload) {
      continue;
    }
    lines.push_back("I5: message " + message.id + " of " + message.stream +
                    " is not what its outbox row says: type " + message.type + " key " +
                    message.key + " position " + message.position + ", the row: " + row.topic +
                    " " + row.key + " " + row.position);
  }
}

// Judged on the first occurrence of each id.
void CheckOrder(const Observation& seen, Lines& lines) {
  std::map<std::pair<std::string, std::string>, const DeliveredMessage*> last;
  std::set<std::pair<std::string, std::string>> known;  // stream and id
  for (const DeliveredMessage& message : seen.messages) {
    if (message.position.empty() || !known.emplace(message.stream, message.id).second) continue;
    const DeliveredMessage*& before = last[{message.stream, message.key}];
    if (before != nullptr && std::stoll(message.position) < std::stoll(before->position)) {
      lines.push_back("I5: order of " + message.stream + " key " + message.key + ": position " +
                      message.position + " (" + message.id + ") came after " + before->position);
    }
    before = &message;
  }
}

void CheckFences(const Observation& seen, Lines& lines) {
  std::map<std::string, long long> last;
  for (const FenceRecord& record : seen.fences) {
    long long& before = last[record.worker];
    if (record.fence <= before) {
      lines.push_back("I7: the fence of " + record.worker + " went from " + std::to_string(before) +
                      " to " + std::to_string(record.fence) + " for " + record.host);
    }
    before = record.fence;
  }
  for (const GuardedWrite& write : seen.writes) {
    if (write.written_by == write.fence_owner) continue;
    lines.push_back("I7: transaction " + write.transaction + " of " + write.written_by + " wrote " +
                    write.relation + " while fence " + std::to_string(write.fence) + " of " +
                    write.worker + " was held by " + write.fence_owner);
  }
}

void CheckNothingIsLeft(const Observation& seen, Lines& lines) {
  for (const std::string& text : seen.open_transactions) {
    lines.push_back("I12: left open by " + text);
  }
  for (const std::string& text : seen.held_leases) {
    lines.push_back("I12: a lease outlived its holder: " + text);
  }
}

}  // namespace

std::vector<std::string> Violations(const Observation& seen) {
  Lines lines;
  const RowsById rows = ById(seen.rows);
  CheckKept(seen, rows, lines);
  CheckDelivered(seen, lines);
  CheckContent(seen, rows, lines);
  CheckOrder(seen, lines);
  CheckFences(seen, lines);
  CheckNothingIsLeft(seen, lines);
  return lines;
}

std::string Report(const std::vector<std::string>& violations) {
  if (violations.empty()) return {};
  std::string text = std::to_string(violations.size()) + " violations:\n";
  for (std::size_t i = 0; i < std::min(violations.size(), kReportedLines); ++i) {
    text.append("  ").append(violations[i]).append("\n");
  }
  if (violations.size() > kReportedLines) text += "  ...\n";
  return text;
}

}  // namespace summa::test

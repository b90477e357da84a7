// The report of a whole run: what it says in Summa's words.
#pragma once

#include <optional>
#include <string>
#include <summa/json.hpp>
#include <summa/sql.hpp>
#include <type_traits>

#include "discrepancy.hpp"

namespace summa::reconciliation {

// Step 3: blocks, and the events below them.
struct EventsReport {
  std::int64_t events = 0, blocks_verified = 0, blocks_valid = 0;
  Findings blocks;        // one for each block that is not valid: step3_block_chain
  Findings events_found;  // of events, snapshots and what contradicts the ledger: step3_event_chain
};

struct RunState {
  std::int64_t id = 0;
  std::optional<Uuid> accounts_through;
  bool books_done = false, chains_done = false;
  std::string books_error, chains_error;  // why the part could not be done
  BooksReport books;
  EventsReport chains;

  // healthy | mismatches_found | incomplete
  std::string Status() const;
  std::int64_t Mismatches() const;
};

// The values of step0_result, step0b_result, step0c_result, step1_result, step2_result and
// step3_result, and of mismatches: JSON in exactly the shape that Summa writes and reads.
struct SummaResult {
  std::string step0, step0b, step0c, step1, step2, step3, mismatches;
};
SummaResult ToSumma(const RunState& run);

// One JSON object with the members of Summa's reconciliation_result.
void WriteResult(JsonWriter& json, const RunState& run);

// The finding in Summa's shape, or whole where Summa has none. JSON.
std::string DetailOf(const Discrepancy& finding);

// Calls `function` with the name of each kind of check and its findings, in the order of the steps.
template <typename Books, typename Function>
requires std::is_same_v<std::remove_const_t<Books>, BooksReport>
void ForEachPart(Books& books, const Function& function) {
  function("transactions", books.transactions);
  function("duplicates", books.duplicates);
  function("order", books.order);
  function("accounts", books.accounts);
  function("system_accounts", books.system_accounts);
}
template <typename Run, typename Function>
requires std::is_same_v<std::remove_const_t<Run>, RunState>
void ForEachPart(Run& run, const Function& function) {
  ForEachPart(run.books, function);
  function("blocks", run.chains.blocks);
  function("events", run.chains.events_found);
}

}  // namespace summa::reconciliation

// What the stored event types mean, on both layouts. Pure: no database.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <summa/ledger/reader.hpp>
#include <summa/uuid.hpp>

namespace summa::projections {

enum class Meaning {
  kAccount,     // one event about the account itself
  kHoldPlaced,  // an amount of an account is held
  kHoldReleased,
  kHoldCaptured,  // on the deployed layout, the postings of the transaction follow
  kPostings,      // deployed: the entries of a transaction are the events
  kPosting,       // plan: one posting to one account
  kOther,         // known, and nothing that changes money
  kUnknown
};

// A stored event, decoded. Texts are borrowed from it.
struct Decoded {
  Meaning meaning = Meaning::kUnknown;
  std::string_view type;               // in the vocabulary; of kPostings: that of the stored event
  std::optional<Uuid> account;         // none: as its transaction says
  std::optional<Uuid> transaction;     // whose entries or record are needed
  std::optional<Uuid> reversed;        // the transaction that is given back
  std::optional<std::int64_t> amount;  // none: as the record of the hold says
  std::int64_t original_amount = 0;
  std::string error;  // what the event lacks; empty: complete
};

Decoded Decode(ledger::Layout layout, const ledger::StoredEvent& event);

}  // namespace summa::projections

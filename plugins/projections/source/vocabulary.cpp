#include "source/vocabulary.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>

namespace summa::projections {
namespace {

struct Known {
  std::string_view stored, type;
  Meaning meaning;
};

constexpr std::array kDeployed = {
    Known{"AccountCreated", "ACCOUNT_OPENED", Meaning::kAccount},
    Known{"AccountFrozen", "ACCOUNT_FROZEN", Meaning::kAccount},
    Known{"AccountUnfrozen", "ACCOUNT_UNFROZEN", Meaning::kAccount},
    Known{"AccountClosed", "ACCOUNT_CLOSED", Meaning::kAccount},
    Known{"TransactionPosted", "TransactionPosted", Meaning::kPostings},
    Known{"TransactionReversed", "TransactionReversed", Meaning::kPostings},
    Known{"HoldCreated", "HOLD_PLACED", Meaning::kHoldPlaced},
    Known{"HoldVoided", "HOLD_RELEASED", Meaning::kHoldReleased},
    Known{"HoldExpired", "HOLD_RELEASED", Meaning::kHoldReleased},
    Known{"HoldCommitted", "HOLD_CAPTURED", Meaning::kHoldCaptured},
    Known{"ScheduledTransactionProcessing", "", Meaning::kOther},
    Known{"ScheduledTransactionRescheduled", "", Meaning::kOther},
    Known{"ScheduledTransactionCompleted", "", Meaning::kOther},
    Known{"ScheduledTransactionFailed", "", Meaning::kOther},
};
constexpr std::array kPlan = {
    Known{"ACCOUNT_OPENED", "ACCOUNT_OPENED", Meaning::kAccount},
    Known{"ACCOUNT_FROZEN", "ACCOUNT_FROZEN", Meaning::kAccount},
    Known{"ACCOUNT_UNFROZEN", "ACCOUNT_UNFROZEN", Meaning::kAccount},
    Known{"ACCOUNT_CLOSED", "ACCOUNT_CLOSED", Meaning::kAccount},
    Known{"CREDIT_POSTED", "CREDIT_POSTED", Meaning::kPosting},
    Known{"DEBIT_POSTED", "DEBIT_POSTED", Meaning::kPosting},
    Known{"HOLD_PLACED", "HOLD_PLACED", Meaning::kHoldPlaced},
    Known{"HOLD_RELEASED", "HOLD_RELEASED", Meaning::kHoldReleased},
    Known{"HOLD_CAPTURED", "HOLD_CAPTURED", Meaning::kHoldCaptured},
};

template <std::size_t kCount>
const Known* Find(const std::array<Known, kCount>& known, std::string_view type) {
  const auto found =
      std::find_if(known.begin(), known.end(), [&](const Known& k) { return k.stored == type; });
  return found == known.end() ? nullptr : &*found;
}

// The members of event_data. A parser for each thread: its buffers are kept.
class Payload {
 public:
  explicit Payload(std::string_view json) {
    thread_local simdjson::dom::parser parser;
    // What is no object has no members.
    if (parser.parse(json.data(), json.size()).get_object().get(object_) != simdjson::SUCCESS) {
      object_ = simdjson::dom::object();
    }
  }
  std::optional<Uuid> Id(std::string_view name) const {
    std::string_view text;
    if (object_.at_key(name).get_string().get(text) != simdjson::SUCCESS) return std::nullopt;
    return ParseUuid(text);
  }
  // Not negative.
  std::optional<std::int64_t> Amount(std::string_view name) const {
    std::int64_t amount = 0;
    if (object_.at_key(name).get_int64().get(amount) != simdjson::SUCCESS || amount < 0) {
      return std::nullopt;
    }
    return amount;
  }

 private:
  simdjson::dom::object object_;
};

template <typename T>
void Require(const std::optional<T>& value, const char* member, const char* what,
             Decoded& decoded) {
  if (value || !decoded.error.empty()) return;
  decoded.error = std::string("event_data.") + member + " is not " + what;
}

constexpr const char* kId = "an id";
constexpr const char* kAmount = "an amount in whole units, not negative";

void DecodeDeployed(const ledger::StoredEvent& event, Decoded& decoded) {
  if (decoded.meaning == Meaning::kAccount) {
    decoded.account = event.aggregate_id;
    return;
  }
  decoded.transaction = event.aggregate_id;
  if (decoded.meaning == Meaning::kHoldReleased) return;
  if (event.event_type == "TransactionPosted") return;
  const Payload payload(event.event_data);
  if (decoded.meaning == Meaning::kPostings) {
    decoded.transaction = payload.Id("reversalId");
    decoded.reversed = event.aggregate_id;
    Require(decoded.transaction, "reversalId", kId, decoded);
  } else if (decoded.meaning == Meaning::kHoldPlaced) {
    decoded.account = payload.Id("sourceAccountId");
    decoded.amount = payload.Amount("amount");
    Require(decoded.account, "sourceAccountId", kId, decoded);
    Require(decoded.amount, "amount", kAmount, decoded);
  } else {
    decoded.amount = payload.Amount("committedAmount");
    const auto original = payload.Amount("originalAmount");
    Require(decoded.amount, "committedAmount", kAmount, decoded);
    Require(original, "originalAmount", kAmount, decoded);
    decoded.original_amount = original.value_or(0);
  }
}

void DecodePlan(const ledger::StoredEvent& event, Decoded& decoded) {
  decoded.account = event.aggregate_id;
  if (decoded.meaning == Meaning::kAccount) return;
  const Payload payload(event.event_data);
  decoded.transaction = payload.Id("transactionId");
  decoded.amount = payload.Amount("amount");
  Require(decoded.transaction, "transactionId", kId, decoded);
  Require(decoded.amount, "amount", kAmount, decoded);
  if (decoded.meaning != Meaning::kHoldCaptured) return;
  const auto original = payload.Amount("originalAmount");
  Require(original, "originalAmount", kAmount, decoded);
  decoded.original_amount = original.value_or(0);
}

}  // namespace

Decoded Decode(ledger::Layout layout, const ledger::StoredEvent& event) {
  const bool deployed = layout == ledger::Layout::kDeployed;
  const Known* known = deployed ? Find(kDeployed, event.event_type) : Find(kPlan, event.event_type);
  Decoded decoded;
  decoded.type = event.event_type;
  if (known == nullptr) return decoded;
  decoded.meaning = known->meaning;
  if (known->meaning == Meaning::kOther) return decoded;
  decoded.type = known->type;
  deployed ? DecodeDeployed(event, decoded) : DecodePlan(event, decoded);
  return decoded;
}

}  // namespace summa::projections

#include "source/event_source.hpp"

#include <algorithm>
#include <climits>
#include <span>
#include <utility>

#include "source/departed.hpp"
#include "source/ledger_lookup.hpp"
#include "source/vocabulary.hpp"

namespace summa::projections {
namespace {

// A stored event whose texts are kept by the batch.
struct Kept {
  ledger::StoredEvent event;
  Decoded decoded;
};

// In order, so that neighbours in an index are looked up one after the other.
std::span<const Uuid> EachOnce(std::vector<Uuid>& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

// Builds the batch of one read: first everything that is needed is read, then each stored event
// becomes the events that it means.
class Derivation {
 public:
  Derivation(Session& ledger, const ledger::EventTable& table, AccountCache& known,
             EventBatch& batch, Records records)
      : ledger_(ledger), table_(table), known_(known), batch_(batch) {
    batch_.records = records;
    known_.Expire();
  }

  void Keep(const ledger::StoredEvent& event) {
    Kept& kept = kept_.emplace_back(Kept{event, {}});
    kept.event.aggregate_type = FromAbi(batch_.Keep(event.aggregate_type));
    kept.event.event_type = FromAbi(batch_.Keep(event.event_type));
    kept.event.event_data = FromAbi(batch_.Keep(event.event_data));
    kept.event.correlation_id = FromAbi(batch_.Keep(event.correlation_id));
    kept.decoded = Decode(table_.layout, kept.event);
  }

  void Derive() {
    batch_.stored_events = static_cast<int>(kept_.size());
    ReadRecords();
    batch_.events.reserve(kept_.size() * 3);
    for (const Kept& kept : kept_) DeriveOne(kept);
    // Only now do the records stay where they are.
    for (std::size_t i = 0; i < batch_.events.size(); ++i) Point(batch_.events[i]);
  }

 private:
  bool deployed() const { return table_.layout == ledger::Layout::kDeployed; }

  void ReadRecords() {
    std::vector<Uuid> posted, transactions, accounts;
    for (const Kept& kept : kept_) {
      if (Posts(kept)) posted.push_back(*kept.decoded.transaction);
      if (kept.decoded.error.empty() && kept.decoded.account) {
        accounts.push_back(*kept.decoded.account);
      }
    }
    entries_ = ReadEntries(ledger_, EachOnce(posted));
    for (const auto& [transaction, entries] : entries_) {
      for (const Entry& entry : entries) accounts.push_back(entry.account_id);
    }
    for (const Kept& kept : kept_) {
      const Decoded& decoded = kept.decoded;
      if (!decoded.error.empty() || EntriesSayAll(kept)) continue;
      if (decoded.transaction) transactions.push_back(*decoded.transaction);
      if (decoded.reversed) transactions.push_back(*decoded.reversed);
    }
    ReadTransactions(ledger_, EachOnce(transactions), batch_);
    for (std::size_t i = 0; i < batch_.transactions.size(); ++i) {
      summa_projection_transaction& record = batch_.transactions[i];
      records_[FromAbi(record.id)] = i;
      if ((record.flags & SUMMA_TRANSACTION_HAS_SOURCE) != 0) {
        accounts.push_back(FromAbi(record.source_account_id));
      }
    }
    FindAccounts(EachOnce(accounts));
    if (!deployed()) CountPostings();
  }

  void FindAccounts(std::span<const Uuid> accounts) {
    std::vector<Uuid> changed, unknown;
    for (const Kept& kept : kept_) {
      if (kept.decoded.meaning == Meaning::kAccount) changed.push_back(kept.event.aggregate_id);
    }
    std::sort(changed.begin(), changed.end());
    batch_.accounts.reserve(accounts.size());
    for (const Uuid& account : accounts) {
      const bool again = std::binary_search(changed.begin(), changed.end(), account);
      if (auto known = again ? nullptr : known_.Find(account)) {
        batch_.accounts.push_back(std::move(known));
      } else {
        unknown.push_back(account);
      }
    }
    const auto read = ReadAccounts(ledger_, unknown);
    known_.Keep(read);
    batch_.accounts.insert(batch_.accounts.end(), read.begin(), read.end());
    accounts_.reserve(batch_.accounts.size());
    for (const auto& account : batch_.accounts) {
      accounts_[FromAbi(account->record.id)] = &account->record;
    }
  }

  // Its transaction has entries of accounts, if it is between any.
  bool Posts(const Kept& kept) const {
    if (!kept.decoded.error.empty()) return false;
    switch (kept.decoded.meaning) {
      case Meaning::kPostings:
      case Meaning::kPosting:
        return true;
      case Meaning::kHoldCaptured:
        return deployed();
      default:
        return false;
    }
  }
  // Entries are never without their transaction, which the ledger guarantees.
  bool EntriesSayAll(const Kept& kept) const {
    return batch_.records == Records::kWithoutTransactions && Posts(kept) &&
           kept.decoded.meaning != Meaning::kHoldCaptured &&
           entries_.contains(*kept.decoded.transaction);
  }

  // Which of several entries of a transaction to one account an event of the plan's layout is.
  void CountPostings() {
    std::vector<Uuid> several;
    std::size_t most = 0;
    for (const Kept& kept : kept_) {
      if (kept.decoded.meaning != Meaning::kPosting || !kept.decoded.error.empty()) continue;
      const std::size_t count = EntriesOf(kept.decoded, /*type=*/"").size();
      if (count > 1) several.push_back(kept.event.id);
      most = std::max(most, count);
    }
    // Between two postings, the capture of the hold may stand.
    earlier_ = CountEarlier(ledger_, table_, several, static_cast<std::int64_t>(2 * most));
  }

  // The entries of the transaction to the account; of one type, unless that is empty.
  std::vector<const Entry*> EntriesOf(const Decoded& decoded, std::string_view type) const {
    std::vector<const Entry*> result;
    const auto found = entries_.find(*decoded.transaction);
    if (found == entries_.end()) return result;
    for (const Entry& entry : found->second) {
      if (entry.account_id != *decoded.account) continue;
      if (type.empty() || entry.credit == (type == "CREDIT_POSTED")) result.push_back(&entry);
    }
    return result;
  }

  void DeriveOne(const Kept& kept) {
    if (!kept.decoded.error.empty()) return Fail(kept, kept.decoded.error);
    const auto* transaction = Record(kept.decoded.transaction);
    if (kept.decoded.transaction && transaction == nullptr && !EntriesSayAll(kept)) {
      return Fail(kept,
                  "transaction_record has no row with id " + ToText(*kept.decoded.transaction));
    }
    Touch(kept);
    switch (kept.decoded.meaning) {
      case Meaning::kUnknown:
        NoteUnknown(kept);
        [[fallthrough]];
      case Meaning::kOther:
      case Meaning::kAccount:
        Add(kept);
        return;
      case Meaning::kHoldPlaced:
      case Meaning::kHoldReleased:
        AddHold(kept, *transaction);
        return;
      case Meaning::kHoldCaptured:
        if (AddHold(kept, *transaction) && deployed()) AddPostings(kept);
        return;
      case Meaning::kPostings:
        AddPostings(kept);
        return;
      case Meaning::kPosting:
        AddPosting(kept);
        return;
    }
  }

  const summa_projection_transaction* Record(const std::optional<Uuid>& id) const {
    if (!id) return nullptr;
    const auto found = records_.find(*id);
    return found == records_.end() ? nullptr : &batch_.transactions[found->second];
  }

  // The records that the event concerns have changed with it.
  void Touch(const Kept& kept) {
    const auto touch = [&](const std::optional<Uuid>& id) {
      const auto found = id ? records_.find(*id) : records_.end();
      if (found == records_.end()) return;
      summa_projection_transaction& record = batch_.transactions[found->second];
      if (record.position > kept.event.position) return;
      record.position = kept.event.position;
      record.changed_at = kept.event.created_at;
    };
    touch(kept.decoded.transaction);
    touch(kept.decoded.reversed);
    const auto* record = Record(kept.decoded.transaction);
    if (record != nullptr && (record->flags & SUMMA_TRANSACTION_HAS_PARENT) != 0) {
      touch(FromAbi(record->parent_id));
    }
  }

  summa_projection_event& Add(const Kept& kept) {
    const ledger::StoredEvent& stored = kept.event;
    summa_projection_event& event = batch_.events.emplace_back();
    event.struct_size = sizeof event;
    event.position = stored.position;
    event.ordinal = last_position_ == stored.position ? ++last_ordinal_ : last_ordinal_ = 0;
    last_position_ = stored.position;
    event.type = ToAbi(kept.decoded.type);
    event.stored_type = ToAbi(stored.event_type);
    event.id = event.event_id = ToAbi(stored.id);
    event.aggregate_id = ToAbi(stored.aggregate_id);
    event.balance_before = event.balance_after = SUMMA_PROJECTION_NO_VALUE;
    event.correlation_id = ToAbi(stored.correlation_id);
    event.data = ToAbi(stored.event_data);
    event.created_at = stored.created_at;
    event.amount = kept.decoded.amount.value_or(0);
    event.original_amount = kept.decoded.original_amount;
    if (kept.decoded.account) SetAccount(event, *kept.decoded.account);
    if (kept.decoded.transaction) {
      event.transaction_id = ToAbi(*kept.decoded.transaction);
      event.flags |= SUMMA_EVENT_HAS_TRANSACTION;
    }
    return event;
  }

  static void SetAccount(summa_projection_event& event, const Uuid& account) {
    event.account_id = ToAbi(account);
    event.flags |= SUMMA_EVENT_HAS_ACCOUNT;
  }

  // The payload of the end of a hold names neither account nor, unless it is captured, amount.
  bool AddHold(const Kept& kept, const summa_projection_transaction& hold) {
    const bool known = kept.decoded.account || (hold.flags & SUMMA_TRANSACTION_HAS_SOURCE) != 0;
    if (!known) {
      Fail(kept, "the hold " + ToText(FromAbi(hold.id)) + " has no source_account_id");
      return false;
    }
    summa_projection_event& event = Add(kept);
    if (!kept.decoded.account) SetAccount(event, FromAbi(hold.source_account_id));
    if (!kept.decoded.amount) event.amount = hold.amount;
    return true;
  }

  // Deployed: every entry of the transaction is a posting.
  void AddPostings(const Kept& kept) {
    const auto found = entries_.find(*kept.decoded.transaction);
    if (found == entries_.end()) {  // between accounts of the system
      Add(kept);
      return;
    }
    const Uuid* previous = nullptr;
    for (const Entry& entry : found->second) {
      const bool first = previous == nullptr || *previous != entry.account_id;
      FillPosting(Add(kept), entry, first);
      previous = &entry.account_id;
    }
  }

  // Plan: the event is one posting; the entry has its id and the balances.
  void AddPosting(const Kept& kept) {
    const auto counted = earlier_.find(kept.event.id);
    const Earlier earlier = counted == earlier_.end() ? Earlier() : counted->second;
    const std::vector<const Entry*> entries = EntriesOf(kept.decoded, kept.decoded.type);
    summa_projection_event& event = Add(kept);
    if (earlier.any_type == 0) event.flags |= SUMMA_EVENT_FIRST_OF_TRANSACTION;
    const auto at = static_cast<std::size_t>(earlier.same_type);
    if (at >= entries.size()) return;  // the event counts, whatever the entries say
    const Entry& entry = *entries[at];
    event.id = ToAbi(entry.id);
    event.balance_before = entry.balance_before;
    event.balance_after = entry.balance_after;
  }

  static void FillPosting(summa_projection_event& event, const Entry& entry, bool first) {
    event.type = ToAbi(entry.credit ? std::string_view("CREDIT_POSTED") : "DEBIT_POSTED");
    event.id = ToAbi(entry.id);
    SetAccount(event, entry.account_id);
    event.amount = entry.amount;
    event.original_amount = 0;
    event.balance_before = entry.balance_before;
    event.balance_after = entry.balance_after;
    if (first) event.flags |= SUMMA_EVENT_FIRST_OF_TRANSACTION;
  }

  void Point(summa_projection_event& event) const {
    if ((event.flags & SUMMA_EVENT_HAS_ACCOUNT) != 0) {
      const auto found = accounts_.find(FromAbi(event.account_id));
      if (found != accounts_.end()) event.account = found->second;
    }
    if ((event.flags & SUMMA_EVENT_HAS_TRANSACTION) == 0) return;
    event.transaction = Record(FromAbi(event.transaction_id));
    if (event.transaction == nullptr) return;
    event.reference = event.transaction->reference;
    event.category = event.transaction->category;
  }

  void Fail(const Kept& kept, const std::string& error) {
    batch_.faults.push_back(
        {kept.event.position, kept.event.aggregate_id, std::string(kept.event.event_type), error});
  }

  void NoteUnknown(const Kept& kept) {
    const std::string type(kept.event.event_type);
    auto& unknown = batch_.unknown_types;
    if (std::find(unknown.begin(), unknown.end(), type) == unknown.end()) unknown.push_back(type);
  }

  Session& ledger_;
  const ledger::EventTable& table_;
  AccountCache& known_;
  EventBatch& batch_;
  std::vector<Kept> kept_;
  ByUuid<std::vector<Entry>> entries_;
  ByUuid<std::size_t> records_;  // into batch_.transactions
  ByUuid<const summa_projection_account*> accounts_;
  ByUuid<Earlier> earlier_;
  std::int64_t last_position_ = -1;
  std::uint32_t last_ordinal_ = 0;
};

}  // namespace

EventSource::EventSource(ledger::EventTable table, ledger::Checkpoint from, int batch_size)
    : table_(table),
      batch_size_(batch_size),
      reader_(std::move(table), std::move(from), {.batch = batch_size}) {}

std::unique_ptr<EventBatch> EventSource::Read(Session& ledger, Records records) {
  auto batch = std::make_unique<EventBatch>();
  Derivation derivation(ledger, table_, known_, *batch, records);
  const ledger::Checkpoint from = reader_.checkpoint();
  std::vector<std::int64_t> delivered;
  reader_.Poll(ledger, [&](const ledger::StoredEvent& event) {
    delivered.push_back(event.position);
    derivation.Keep(event);
  });
  RequireAllDelivered(ledger, table_, from, reader_.checkpoint(), delivered);
  derivation.Derive();
  batch->reached = reader_.checkpoint();
  batch->full = batch->stored_events >= batch_size_;
  return batch;
}

std::unique_ptr<EventBatch> ReadPositions(Session& ledger, const ledger::EventTable& table,
                                          std::span<const std::int64_t> positions,
                                          Records records) {
  // As holes behind which nothing is new.
  ledger::Checkpoint only{INT64_MAX, {}};
  for (const std::int64_t position : positions) only.holes.push_back({position, position});
  return EventSource(table, std::move(only), static_cast<int>(positions.size()))
      .Read(ledger, records);
}

std::unique_ptr<EventBatch> ReadDecided(Session& ledger, const ledger::EventTable& table,
                                        std::int64_t from, std::int64_t to, int batch_size,
                                        Records records) {
  ledger::EventReader reader(table, {from, {}}, {.batch = batch_size});
  auto batch = std::make_unique<EventBatch>();
  AccountCache none;
  Derivation derivation(ledger, table, none, *batch, records);
  std::vector<std::int64_t> delivered;
  const int read = reader.Poll(ledger, [&](const ledger::StoredEvent& event) {
    delivered.push_back(event.position);
    if (event.position <= to) derivation.Keep(event);
  });
  const std::int64_t last = delivered.empty() ? from : delivered.back();
  batch->full = read >= batch_size && last < to;
  batch->reached = {batch->full ? last : to, {}};
  RequireAllDelivered(ledger, table, {from, {}}, batch->reached, delivered);
  derivation.Derive();
  return batch;
}

}  // namespace summa::projections

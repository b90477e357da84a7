#include "publisher.hpp"

#include <set>

namespace summa::outbox {
namespace {

// Errors end in text columns and logs: whatever a server said, only printable ASCII goes there.
std::string Printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return out;
}

// The texts that a message only points to.
struct Texts {
  std::string id, timestamp;
};

}  // namespace

Delivery Publisher::Publish(std::span<const Row* const> rows, const Lanes& lanes,
                            bool waiting) const {
  Delivery delivery;
  std::vector<const Row*> sent;
  sent.reserve(rows.size());
  for (const Row* row : rows) {
    const std::string& stream = settings_.StreamOf(row->topic);
    const std::string lane = LaneName(stream, row->key);
    if (lanes.Held(lane) || (!waiting && lanes.BackedUp(lane))) {
      if (!waiting) delivery.parked.push_back(row);
    } else if (!lanes.Paused(stream)) {
      sent.push_back(row);
    }
  }
  if (sent.empty()) return delivery;

  std::vector<Texts> texts(sent.size());
  std::vector<summa_bus_message> messages(sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const Row& row = *sent[i];
    texts[i] = {ToText(row.id), IsoText(row.created_at)};
    messages[i] = {ToAbi(settings_.StreamOf(row.topic)),
                   ToAbi(texts[i].id),
                   ToAbi(row.topic),
                   ToAbi(row.key),
                   ToAbi(row.payload),
                   ToAbi(texts[i].timestamp),
                   ToAbi(row.correlation_id),
                   row.position.value_or(SUMMA_BUS_NO_POSITION),
                   row.redriven ? ToAbi(SUMMA_BUS_EVERYBODY) : summa_str{},
                   summa_str{}};
  }
  std::vector<summa_bus_receipt> receipts(sent.size());
  // A receipt that the bus did not fill must never count as a confirmation.
  for (summa_bus_receipt& receipt : receipts) receipt.outcome = SUMMA_BUS_UNSENT;
  summa_error error = detail::EmptyError();
  if (!bus_.Publish(messages, receipts, &error)) {
    delivery.bus_error = Printable(error.message);
    delivery.bus_hint = Printable(error.hint);
  }
  std::set<std::string> faulty_streams;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const std::string& stream = settings_.StreamOf(sent[i]->topic);
    switch (receipts[i].outcome) {
      case SUMMA_BUS_CONFIRMED:
        delivery.delivered.push_back(sent[i]);
        break;
      case SUMMA_BUS_REFUSED:
        delivery.faults.push_back({sent[i], Printable(receipts[i].error)});
        break;
      case SUMMA_BUS_STREAM_FAULT:
        if (faulty_streams.insert(stream).second) {
          delivery.stream_faults.emplace_back(stream, Printable(receipts[i].error));
        }
        delivery.unsent.push_back(sent[i]);
        break;
      default:
        delivery.unsent.push_back(sent[i]);
    }
  }
  return delivery;
}

}  // namespace summa::outbox

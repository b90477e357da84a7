// Publishes rows to the bus and says of each what became of it. Knows no database.
#pragma once

#include <span>
#include <string>
#include <summa/bus.hpp>
#include <vector>

#include "lanes.hpp"
#include "row.hpp"
#include "table.hpp"

namespace summa::outbox {

struct RowFault {
  const Row* row;
  std::string error;  // printable ASCII
};

struct Delivery {
  std::vector<const Row*> delivered;  // the bus has confirmed them
  std::vector<RowFault> faults;       // will never be taken as they are: burn an attempt
  std::vector<const Row*> unsent;     // to be sent again, in this order
  std::vector<const Row*> parked;     // have to wait behind others of their lane
  std::vector<std::pair<std::string, std::string>> stream_faults;  // stream, error
  std::string bus_error;                                           // not empty: the bus is away
  std::string bus_hint;
};

class Publisher {
 public:
  Publisher(BusClient bus, Settings settings) : bus_(bus), settings_(std::move(settings)) {}

  // Rows must be in ledger order. Rows of a paused stream are left alone (in no list).
  // waiting: the rows were read from outbox_waiting, so those of held lanes stay there (in no list)
  // and being backed up is no reason to wait.
  Delivery Publish(std::span<const Row* const> rows, const Lanes& lanes, bool waiting) const;

 private:
  BusClient bus_;
  Settings settings_;
};

}  // namespace summa::outbox

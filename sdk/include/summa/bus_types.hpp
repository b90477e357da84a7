// What bus plugins and the clients of a bus have in common; used through <summa/bus.hpp>.
#pragma once

#include <summa/abi/bus.h>
#include <summa/error.hpp>
#include <summa/time.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>

namespace summa {

// The instants of summa/abi/bus.h; nullopt: SUMMA_BUS_NO_TIME.
inline std::optional<BusTime> ToBusTime(std::int64_t microseconds) {
  if (microseconds == SUMMA_BUS_NO_TIME) return std::nullopt;
  return FromMicroseconds<BusTime>(microseconds);
}
inline std::int64_t FromBusTime(std::optional<BusTime> time) {
  return time ? ToMicroseconds(*time) : SUMMA_BUS_NO_TIME;
}

struct ScanOptions {
  std::string stream;
  std::string after;             // behind this delivery id; empty: see since
  std::optional<BusTime> since;  // what entered then or later; nullopt: from the oldest on
  std::uint64_t limit = 0;       // 0: to the end
  bool inclusive = false;        // begin with `after` itself
};

using OnDelivery = std::function<bool(const summa_bus_delivery&)>;       // false: enough
using OnDeadLetter = std::function<bool(const summa_bus_dead_letter&)>;  // false: enough

// Who is told by Streams(), Groups() and Trim(). false: enough.
class BusVisitor {
 public:
  virtual ~BusVisitor() = default;
  virtual bool Stream(const summa_bus_stream&) { return true; }
  virtual bool Group(const summa_bus_group&) { return true; }
  virtual bool Trimmed(const summa_bus_trimmed&) { return true; }
  // A key that is no stream of the bus, or that the login may not use; the others go on.
  virtual bool LeftOut(const summa_bus_left_out&) { return true; }
  virtual bool Progress(std::int64_t /*looked_at*/) { return true; }
};

inline summa_bus_horizon EmptyHorizon() {
  summa_bus_horizon horizon{};
  horizon.struct_size = sizeof horizon;
  horizon.oldest_microseconds = horizon.newest_microseconds = SUMMA_BUS_NO_TIME;
  horizon.now_microseconds = SUMMA_BUS_NO_TIME;
  return horizon;
}

namespace detail {

// A function object as callback of the C interface. What it throws ends the call and is thrown on.
template <typename Function, typename Item>
struct Callback {
  const Function& function;
  std::exception_ptr thrown = nullptr;

  static std::int32_t Call(void* user, const Item* item) {
    auto* self = static_cast<Callback*>(user);
    try {
      return self->function(*item) ? 0 : 1;
    } catch (...) {
      self->thrown = std::current_exception();
      return 1;
    }
  }
  void Check(std::int32_t status, const summa_error& error) const {
    if (thrown) std::rethrow_exception(thrown);
    detail::Check(status, error);
  }
};

// A visitor behind the C interface, in the same way.
class VisitorTable {
 public:
  explicit VisitorTable(BusVisitor& visitor) : visitor_(visitor) {
    table_.struct_size = sizeof table_;
    table_.self = this;
    table_.stream = &Visit<&BusVisitor::Stream>::Call;
    table_.group = &Visit<&BusVisitor::Group>::Call;
    table_.trimmed = &Visit<&BusVisitor::Trimmed>::Call;
    table_.left_out = &Visit<&BusVisitor::LeftOut>::Call;
    table_.progress = [](void* self, std::int64_t looked_at) {
      return static_cast<VisitorTable*>(self)->Guarded(
          [&](BusVisitor& told) { return told.Progress(looked_at); });
    };
  }
  VisitorTable(const VisitorTable&) = delete;
  VisitorTable& operator=(const VisitorTable&) = delete;
  const summa_bus_visitor* table() const { return &table_; }
  void Check(std::int32_t status, const summa_error& error) const {
    if (thrown_) std::rethrow_exception(thrown_);
    detail::Check(status, error);
  }

 private:
  template <auto kFunction>
  struct Visit;
  template <typename Item, bool (BusVisitor::*kFunction)(const Item&)>
  struct Visit<kFunction> {
    static std::int32_t Call(void* self, const Item* item) {
      return static_cast<VisitorTable*>(self)->Guarded(
          [&](BusVisitor& told) { return (told.*kFunction)(*item); });
    }
  };
  template <typename Function>
  std::int32_t Guarded(Function&& function) {
    try {
      return function(visitor_) ? 0 : 1;
    } catch (...) {
      thrown_ = std::current_exception();
      return 1;
    }
  }

  BusVisitor& visitor_;
  std::exception_ptr thrown_ = nullptr;
  summa_bus_visitor table_{};
};

// The other way round: a visitor of the C interface as a bus sees it.
class AbiVisitor final : public BusVisitor {
 public:
  explicit AbiVisitor(const summa_bus_visitor* visitor) : visitor_(*visitor) {}
  bool Stream(const summa_bus_stream& stream) override {
    return visitor_.stream(visitor_.self, &stream) == 0;
  }
  bool Group(const summa_bus_group& group) override {
    return visitor_.group(visitor_.self, &group) == 0;
  }
  bool Trimmed(const summa_bus_trimmed& trimmed) override {
    return visitor_.trimmed(visitor_.self, &trimmed) == 0;
  }
  bool LeftOut(const summa_bus_left_out& left_out) override {
    return visitor_.left_out(visitor_.self, &left_out) == 0;
  }
  bool Progress(std::int64_t looked_at) override {
    return visitor_.progress(visitor_.self, looked_at) == 0;
  }

 private:
  const summa_bus_visitor& visitor_;
};

}  // namespace detail
}  // namespace summa

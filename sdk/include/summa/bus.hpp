// Message buses: the interface that bus plugins implement (Bus, Subscription) and the client that
// other plugins use (BusClient).
#pragma once

#include <summa/abi/bus.h>
#include <summa/error.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace summa {

// Implemented by a bus plugin; rules are those of summa/abi/bus.h. Methods throw summa::Error.
class Subscription {
 public:
  virtual ~Subscription() = default;  // ends it; what was not acknowledged is delivered again
  // Borrowed until the next call.
  virtual std::span<const summa_bus_delivery> Poll(std::size_t max,
                                                   std::chrono::microseconds wait) = 0;
  virtual void Ack(std::span<const summa_str> delivery_ids) = 0;
};

class Bus {
 public:
  virtual ~Bus() = default;
  virtual std::uint64_t MaxMessageBytes() const = 0;
  // Fills every receipt, also when it throws SUMMA_E_UNAVAILABLE. Thread-safe.
  virtual void Publish(std::span<const summa_bus_message> messages,
                       std::span<summa_bus_receipt> receipts) = 0;
  virtual std::unique_ptr<Subscription> Subscribe(std::string_view stream, std::string_view group,
                                                  std::string_view consumer) = 0;
  virtual void Ping() = 0;
  virtual void Read(std::string_view stream, std::string_view after, std::size_t count,
                    const std::function<bool(const summa_bus_delivery&)>& on_message) = 0;
};

namespace detail {

// The C table over a Bus; lives as long as the bus.
class BusTable {
 public:
  explicit BusTable(Bus* bus) {
    table_.struct_size = sizeof(summa_bus_v1);
    table_.self = bus;
    table_.max_message_bytes = bus->MaxMessageBytes();
    table_.publish = [](void* self, const summa_bus_message* messages, std::size_t count,
                        summa_bus_receipt* receipts, summa_error* error) -> std::int32_t {
      for (std::size_t i = 0; i < count; ++i) receipts[i] = {SUMMA_BUS_UNSENT, ""};
      return Guard(error, [&] {
        static_cast<Bus*>(self)->Publish({messages, count}, {receipts, count});
        return SUMMA_OK;
      });
    };
    table_.subscribe = [](void* self, const summa_bus_subscription_options* options,
                          summa_bus_subscription** out, summa_error* error) -> std::int32_t {
      *out = nullptr;
      return Guard(error, [&] {
        auto subscription = static_cast<Bus*>(self)->Subscribe(
            FromAbi(options->stream), FromAbi(options->group), FromAbi(options->consumer));
        *out = reinterpret_cast<summa_bus_subscription*>(subscription.release());
        return SUMMA_OK;
      });
    };
    table_.poll = [](summa_bus_subscription* subscription, std::size_t max,
                     std::int64_t wait_microseconds, const summa_bus_delivery** deliveries,
                     std::size_t* count, summa_error* error) -> std::int32_t {
      *deliveries = nullptr;
      *count = 0;
      return Guard(error, [&] {
        const auto given = reinterpret_cast<Subscription*>(subscription)
                               ->Poll(max, std::chrono::microseconds(wait_microseconds));
        *deliveries = given.data();
        *count = given.size();
        return SUMMA_OK;
      });
    };
    table_.ack = [](summa_bus_subscription* subscription, const summa_str* ids, std::size_t count,
                    summa_error* error) -> std::int32_t {
      return Guard(error, [&] {
        reinterpret_cast<Subscription*>(subscription)->Ack({ids, count});
        return SUMMA_OK;
      });
    };
    table_.unsubscribe = [](summa_bus_subscription* subscription) {
      Guard(nullptr, [&] {
        delete reinterpret_cast<Subscription*>(subscription);
        return SUMMA_OK;
      });
    };
    table_.ping = [](void* self, summa_error* error) -> std::int32_t {
      return Guard(error, [&] {
        static_cast<Bus*>(self)->Ping();
        return SUMMA_OK;
      });
    };
    table_.read = [](void* self, summa_str stream, summa_str after, std::size_t count,
                     std::int32_t (*on_message)(void*, const summa_bus_delivery*), void* user,
                     summa_error* error) -> std::int32_t {
      return Guard(error, [&] {
        static_cast<Bus*>(self)->Read(
            FromAbi(stream), FromAbi(after), count,
            [&](const summa_bus_delivery& delivery) { return on_message(user, &delivery) == 0; });
        return SUMMA_OK;
      });
    };
  }
  const summa_bus_v1* table() const { return &table_; }

 private:
  summa_bus_v1 table_{};
};

}  // namespace detail

// A bus as a client sees it. Cheap to copy; valid as long as the provider.
class BusClient {
 public:
  explicit BusClient(const void* service) : bus_(static_cast<const summa_bus_v1*>(service)) {}

  std::uint64_t max_message_bytes() const { return bus_->max_message_bytes; }
  // Every receipt is filled in any case. False and `error` filled: the bus is away.
  bool Publish(std::span<const summa_bus_message> messages, std::span<summa_bus_receipt> receipts,
               summa_error* error) const {
    return bus_->publish(bus_->self, messages.data(), messages.size(), receipts.data(), error) ==
           SUMMA_OK;
  }
  void Ping() const {
    summa_error error = detail::EmptyError();
    detail::Check(bus_->ping(bus_->self, &error), error);
  }
  const summa_bus_v1* abi() const { return bus_; }

 private:
  const summa_bus_v1* bus_;
};

}  // namespace summa

// Message buses: the interface that bus plugins implement (Bus, Subscription) and the client that
// other plugins use (BusClient). Functions that only some buses have: summa_bus_capability.
#pragma once

#include <summa/abi/bus.h>
#include <summa/bus_types.hpp>
#include <summa/dead_letter_stream.hpp>
#include <summa/error.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace summa {

// A function that a bus without the capability does not have.
[[noreturn]] inline void ThrowNoCapability(std::string_view function) {
  throw Error(SUMMA_E_CONFIG, "SH-0630", "this bus cannot do " + std::string(function),
              "summa/abi/bus.h says which capability it lacks");
}

// Implemented by a bus plugin; the rules are those of summa/abi/bus.h. Methods throw summa::Error.
class Subscription {
 public:
  virtual ~Subscription() = default;  // ends it; what was not acknowledged is delivered again
  // Borrowed until the next call.
  virtual std::span<const summa_bus_delivery> Poll(std::size_t max,
                                                   std::chrono::microseconds wait) = 0;
  // Partitions that this reader lost since the call before; borrowed until the next call. For the
  // thread that polls. Without SUMMA_BUS_CLAIMS.
  virtual std::span<const std::uint32_t> Revoked() { return {}; }
  // These may be called by any thread, also while Poll waits.
  virtual void Settle(summa_str delivery_id) = 0;
  // SUMMA_BUS_CLAIMS
  virtual void Ack(std::span<const summa_str> /*delivery_ids*/) { ThrowNoCapability("ack()"); }
  virtual void Renew(std::span<const summa_str> /*delivery_ids*/, summa_bus_start /*start*/,
                     std::span<std::uint8_t> /*held*/) {
    ThrowNoCapability("renew()");
  }
  virtual void Nack(std::span<const summa_str> /*delivery_ids*/,
                    std::chrono::microseconds /*delay*/) {
    ThrowNoCapability("nack()");
  }
  // SUMMA_BUS_DEAD_LETTERS
  virtual void DeadLetter(summa_str /*delivery_id*/, std::string_view /*reason*/) {
    ThrowNoCapability("dead_letter()");
  }
};

class Bus {
 public:
  virtual ~Bus() = default;
  virtual std::uint32_t Capabilities() const = 0;  // SUMMA_BUS_CLAIMS | ...
  virtual std::uint64_t MaxMessageBytes() const = 0;
  // Fills every receipt, also when it throws SUMMA_E_UNAVAILABLE. Thread-safe.
  virtual void Publish(std::span<const summa_bus_message> messages,
                       std::span<summa_bus_receipt> receipts) = 0;
  virtual std::unique_ptr<Subscription> Subscribe(std::string_view stream, std::string_view group,
                                                  std::string_view consumer,
                                                  std::uint32_t flags) = 0;
  // SUMMA_BUS_CLAIMS
  virtual std::chrono::microseconds ClaimAfter() const { return std::chrono::microseconds(0); }
  virtual void Ping() = 0;
  virtual void Read(std::string_view stream, std::string_view after, std::size_t count,
                    const OnDelivery& on_message) = 0;

  virtual void Scan(const ScanOptions& options, const OnDelivery& on_message) = 0;
  virtual summa_bus_horizon Horizon(std::string_view stream) = 0;

  // Empty stream: all streams.
  virtual void Streams(std::string_view stream, BusVisitor& visitor) = 0;
  virtual void Groups(std::string_view stream, BusVisitor& visitor) = 0;
  virtual void Seek(std::string_view stream, std::string_view group, std::string_view place) = 0;
  virtual void CreateGroup(std::string_view stream, std::string_view group,
                           std::string_view place) = 0;
  virtual void DeleteGroup(std::string_view stream, std::string_view group) = 0;
  // SUMMA_BUS_TRIM
  virtual void Trim(std::string_view /*stream*/, bool /*dry_run*/, BusVisitor& /*visitor*/) {
    ThrowNoCapability("trim()");
  }

  // SUMMA_BUS_DEAD_LETTERS. An empty stream: of all streams.
  virtual void DeadLetters(std::string_view /*stream*/, std::string_view /*after*/,
                           const OnDeadLetter& /*on_letter*/) {
    ThrowNoCapability("dead_letters()");
  }
  // `done` grows with every dead letter, so that it is also right when the call throws half-way.
  virtual void Redrive(std::string_view /*stream*/, std::span<const summa_str> /*dead_letter_ids*/,
                       std::uint64_t& /*done*/) {
    ThrowNoCapability("redrive()");
  }
  virtual void Discard(std::string_view /*stream*/, std::span<const summa_str> /*dead_letter_ids*/,
                       std::uint64_t& /*done*/) {
    ThrowNoCapability("discard()");
  }
};

namespace detail {

// The C table over a Bus; lives as long as the bus.
class BusTable {
 public:
  explicit BusTable(Bus* bus) {
    table_.struct_size = sizeof(summa_bus_v1);
    table_.capabilities = bus->Capabilities();
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
        auto subscription =
            static_cast<Bus*>(self)->Subscribe(FromAbi(options->stream), FromAbi(options->group),
                                               FromAbi(options->consumer), options->flags);
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
    table_.revoked = [](summa_bus_subscription* subscription, const std::uint32_t** partitions,
                        std::size_t* count, summa_error* error) -> std::int32_t {
      *partitions = nullptr;
      *count = 0;
      return Guard(error, [&] {
        const auto revoked = reinterpret_cast<Subscription*>(subscription)->Revoked();
        *partitions = revoked.data();
        *count = revoked.size();
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
    FillScan();
    FillListings();
    FillGroups();
    FillDeadLetters();
    table_.claim_after_microseconds = bus->ClaimAfter().count();
    FillSettle();
  }
  const summa_bus_v1* table() const { return &table_; }

 private:
  void FillScan() {
    table_.scan = [](void* self, const summa_bus_scan_options* options,
                     std::int32_t (*on_message)(void*, const summa_bus_delivery*), void* user,
                     summa_error* error) -> std::int32_t {
      return Guard(error, [&] {
        static_cast<Bus*>(self)->Scan(
            {std::string(FromAbi(options->stream)), std::string(FromAbi(options->after)),
             ToBusTime(options->since_microseconds), options->limit,
             (options->flags & SUMMA_BUS_SCAN_INCLUSIVE) != 0},
            [&](const summa_bus_delivery& delivery) { return on_message(user, &delivery) == 0; });
        return SUMMA_OK;
      });
    };
    table_.horizon = [](void* self, summa_str stream, summa_bus_horizon* horizon,
                        summa_error* error) -> std::int32_t {
      return Guard(error, [&] {
        const summa_bus_horizon whole = static_cast<Bus*>(self)->Horizon(FromAbi(stream));
        const std::uint32_t size = horizon->struct_size;
        std::memcpy(horizon, &whole, std::min<std::size_t>(size, sizeof whole));
        horizon->struct_size = size;
        return SUMMA_OK;
      });
    };
  }
  void FillListings() {
    table_.streams = [](void* self, summa_str stream, const summa_bus_visitor* visitor,
                        summa_error* error) -> std::int32_t {
      return Guard(error, [&] {
        AbiVisitor told(visitor);
        static_cast<Bus*>(self)->Streams(FromAbi(stream), told);
        return SUMMA_OK;
      });
    };
    table_.groups = [](void* self, summa_str stream, const summa_bus_visitor* visitor,
                       summa_error* error) -> std::int32_t {
      return Guard(error, [&] {
        AbiVisitor told(visitor);
        static_cast<Bus*>(self)->Groups(FromAbi(stream), told);
        return SUMMA_OK;
      });
    };
    table_.trim = [](void* self, summa_str stream, std::int32_t dry_run,
                     const summa_bus_visitor* visitor, summa_error* error) -> std::int32_t {
      return Guard(error, [&] {
        AbiVisitor told(visitor);
        static_cast<Bus*>(self)->Trim(FromAbi(stream), dry_run != 0, told);
        return SUMMA_OK;
      });
    };
  }
  void FillGroups() {
    table_.seek = [](void* self, summa_str stream, summa_str group, summa_str place,
                     summa_error* error) -> std::int32_t {
      return Guard(error, [&] {
        static_cast<Bus*>(self)->Seek(FromAbi(stream), FromAbi(group), FromAbi(place));
        return SUMMA_OK;
      });
    };
    table_.create_group = [](void* self, summa_str stream, summa_str group, summa_str place,
                             summa_error* error) -> std::int32_t {
      return Guard(error, [&] {
        static_cast<Bus*>(self)->CreateGroup(FromAbi(stream), FromAbi(group), FromAbi(place));
        return SUMMA_OK;
      });
    };
    table_.delete_group = [](void* self, summa_str stream, summa_str group,
                             summa_error* error) -> std::int32_t {
      return Guard(error, [&] {
        static_cast<Bus*>(self)->DeleteGroup(FromAbi(stream), FromAbi(group));
        return SUMMA_OK;
      });
    };
  }
  void FillSettle() {
    table_.settle = [](summa_bus_subscription* subscription, summa_str id,
                       summa_error* error) -> std::int32_t {
      return Guard(error, [&] {
        reinterpret_cast<Subscription*>(subscription)->Settle(id);
        return SUMMA_OK;
      });
    };
    table_.renew = [](summa_bus_subscription* subscription, const summa_str* ids, std::size_t count,
                      std::int32_t start, std::uint8_t* held, summa_error* error) -> std::int32_t {
      return Guard(error, [&] {
        reinterpret_cast<Subscription*>(subscription)
            ->Renew({ids, count}, static_cast<summa_bus_start>(start), {held, count});
        return SUMMA_OK;
      });
    };
    table_.nack = [](summa_bus_subscription* subscription, const summa_str* ids, std::size_t count,
                     std::int64_t delay_microseconds, summa_error* error) -> std::int32_t {
      return Guard(error, [&] {
        reinterpret_cast<Subscription*>(subscription)
            ->Nack({ids, count}, std::chrono::microseconds(delay_microseconds));
        return SUMMA_OK;
      });
    };
    table_.dead_letter = [](summa_bus_subscription* subscription, summa_str id, summa_str reason,
                            summa_error* error) -> std::int32_t {
      return Guard(error, [&] {
        reinterpret_cast<Subscription*>(subscription)->DeadLetter(id, FromAbi(reason));
        return SUMMA_OK;
      });
    };
  }
  void FillDeadLetters() {
    table_.dead_letters = [](void* self, summa_str stream, summa_str after,
                             std::int32_t (*on_letter)(void*, const summa_bus_dead_letter*),
                             void* user, summa_error* error) -> std::int32_t {
      return Guard(error, [&] {
        static_cast<Bus*>(self)->DeadLetters(
            FromAbi(stream), FromAbi(after),
            [&](const summa_bus_dead_letter& letter) { return on_letter(user, &letter) == 0; });
        return SUMMA_OK;
      });
    };
    table_.redrive = [](void* self, summa_str stream, const summa_str* ids, std::size_t count,
                        std::uint64_t* done, summa_error* error) -> std::int32_t {
      *done = 0;
      return Guard(error, [&] {
        static_cast<Bus*>(self)->Redrive(FromAbi(stream), {ids, count}, *done);
        return SUMMA_OK;
      });
    };
    table_.discard = [](void* self, summa_str stream, const summa_str* ids, std::size_t count,
                        std::uint64_t* done, summa_error* error) -> std::int32_t {
      *done = 0;
      return Guard(error, [&] {
        static_cast<Bus*>(self)->Discard(FromAbi(stream), {ids, count}, *done);
        return SUMMA_OK;
      });
    };
  }

  summa_bus_v1 table_{};
};

}  // namespace detail

// One reader of a group as a client sees it: the pull form of consuming. Poll() belongs to one
// thread; the settling functions may be called by any. Throws summa::Error. Ends with the object,
// which must end before the bus does; what was not settled is delivered again.
class SubscriptionClient {
 public:
  SubscriptionClient(const summa_bus_v1* bus, summa_bus_subscription* subscription)
      : bus_(bus), subscription_(subscription) {}
  SubscriptionClient(const SubscriptionClient&) = delete;
  SubscriptionClient& operator=(const SubscriptionClient&) = delete;
  ~SubscriptionClient() { bus_->unsubscribe(subscription_); }

  // Borrowed until the next call.
  std::span<const summa_bus_delivery> Poll(std::size_t max, std::chrono::microseconds wait) {
    const summa_bus_delivery* deliveries = nullptr;
    std::size_t count = 0;
    summa_error error = detail::EmptyError();
    detail::Check(bus_->poll(subscription_, max, wait.count(), &deliveries, &count, &error), error);
    return {deliveries, count};
  }
  // Borrowed until the next call. A bus that is older than the function names none.
  std::span<const std::uint32_t> Revoked() {
    if (bus_->struct_size < offsetof(summa_bus_v1, revoked) + sizeof bus_->revoked) return {};
    const std::uint32_t* partitions = nullptr;
    std::size_t count = 0;
    summa_error error = detail::EmptyError();
    detail::Check(bus_->revoked(subscription_, &partitions, &count, &error), error);
    return {partitions, count};
  }
  void Settle(std::string_view id) {
    summa_error error = detail::EmptyError();
    detail::Check(bus_->settle(subscription_, ToAbi(id), &error), error);
  }
  void Ack(std::span<const summa_str> ids) {
    summa_error error = detail::EmptyError();
    detail::Check(bus_->ack(subscription_, ids.data(), ids.size(), &error), error);
  }
  void Nack(std::span<const summa_str> ids, std::chrono::microseconds delay) {
    summa_error error = detail::EmptyError();
    detail::Check(bus_->nack(subscription_, ids.data(), ids.size(), delay.count(), &error), error);
  }
  void Renew(std::span<const summa_str> ids, summa_bus_start start, std::span<std::uint8_t> held) {
    summa_error error = detail::EmptyError();
    detail::Check(bus_->renew(subscription_, ids.data(), ids.size(), start, held.data(), &error),
                  error);
  }
  void DeadLetter(std::string_view id, std::string_view reason) {
    summa_error error = detail::EmptyError();
    detail::Check(bus_->dead_letter(subscription_, ToAbi(id), ToAbi(reason), &error), error);
  }

 private:
  const summa_bus_v1* bus_;
  summa_bus_subscription* subscription_;
};

// A bus as a client sees it. Cheap to copy; valid as long as the provider.
class BusClient {
 public:
  explicit BusClient(const void* service) : bus_(static_cast<const summa_bus_v1*>(service)) {}

  bool Can(summa_bus_capability capability) const { return (bus_->capabilities & capability) != 0; }
  std::uint64_t max_message_bytes() const { return bus_->max_message_bytes; }
  // Every receipt is filled in any case. False and `error` filled: the bus is unreachable.
  bool Publish(std::span<const summa_bus_message> messages, std::span<summa_bus_receipt> receipts,
               summa_error* error) const {
    return bus_->publish(bus_->self, messages.data(), messages.size(), receipts.data(), error) ==
           SUMMA_OK;
  }
  void Ping() const {
    summa_error error = detail::EmptyError();
    detail::Check(bus_->ping(bus_->self, &error), error);
  }

  // These throw summa::Error. SUMMA_E_CONFIG on a bus that is older than these functions.
  std::unique_ptr<SubscriptionClient> Subscribe(std::string_view stream, std::string_view group,
                                                std::string_view consumer,
                                                std::uint32_t flags = 0) const {
    Require(offsetof(summa_bus_v1, settle) + sizeof bus_->settle);
    const summa_bus_subscription_options options = {sizeof options, flags, ToAbi(stream),
                                                    ToAbi(group), ToAbi(consumer)};
    summa_bus_subscription* subscription = nullptr;
    summa_error error = detail::EmptyError();
    detail::Check(bus_->subscribe(bus_->self, &options, &subscription, &error), error);
    return std::make_unique<SubscriptionClient>(bus_, subscription);
  }
  std::chrono::microseconds claim_after() const {
    Require(offsetof(summa_bus_v1, dead_letter) + sizeof bus_->dead_letter);
    return std::chrono::microseconds(bus_->claim_after_microseconds);
  }
  void Scan(const ScanOptions& options, const OnDelivery& on_message) const {
    Require(offsetof(summa_bus_v1, scan) + sizeof bus_->scan);
    const std::uint32_t flags = options.inclusive ? SUMMA_BUS_SCAN_INCLUSIVE : 0;
    const summa_bus_scan_options given = {sizeof given,
                                          flags,
                                          ToAbi(options.stream),
                                          ToAbi(options.after),
                                          FromBusTime(options.since),
                                          options.limit};
    detail::Callback<OnDelivery, summa_bus_delivery> callback{on_message};
    summa_error error = detail::EmptyError();
    callback.Check(bus_->scan(bus_->self, &given, &callback.Call, &callback, &error), error);
  }
  // The latest `count` messages, oldest first. `after`: behind this delivery id, or empty.
  void Read(std::string_view stream, std::string_view after, std::size_t count,
            const OnDelivery& on_message) const {
    detail::Callback<OnDelivery, summa_bus_delivery> callback{on_message};
    summa_error error = detail::EmptyError();
    callback.Check(bus_->read(bus_->self, ToAbi(stream), ToAbi(after), count, &callback.Call,
                              &callback, &error),
                   error);
  }
  // Empty stream: all streams.
  void Streams(std::string_view stream, BusVisitor& visitor) const {
    Require(offsetof(summa_bus_v1, streams) + sizeof bus_->streams);
    detail::VisitorTable table(visitor);
    summa_error error = detail::EmptyError();
    table.Check(bus_->streams(bus_->self, ToAbi(stream), table.table(), &error), error);
  }
  void Groups(std::string_view stream, BusVisitor& visitor) const {
    Require(offsetof(summa_bus_v1, groups) + sizeof bus_->groups);
    detail::VisitorTable table(visitor);
    summa_error error = detail::EmptyError();
    table.Check(bus_->groups(bus_->self, ToAbi(stream), table.table(), &error), error);
  }
  void Trim(std::string_view stream, bool dry_run, BusVisitor& visitor) const {
    Require(offsetof(summa_bus_v1, trim) + sizeof bus_->trim);
    if (!Can(SUMMA_BUS_TRIM)) ThrowNoCapability("trim()");
    detail::VisitorTable table(visitor);
    summa_error error = detail::EmptyError();
    table.Check(bus_->trim(bus_->self, ToAbi(stream), dry_run ? 1 : 0, table.table(), &error),
                error);
  }
  void Seek(std::string_view stream, std::string_view group, std::string_view place) const {
    Require(offsetof(summa_bus_v1, seek) + sizeof bus_->seek);
    summa_error error = detail::EmptyError();
    detail::Check(bus_->seek(bus_->self, ToAbi(stream), ToAbi(group), ToAbi(place), &error), error);
  }
  void CreateGroup(std::string_view stream, std::string_view group, std::string_view place) const {
    Require(offsetof(summa_bus_v1, create_group) + sizeof bus_->create_group);
    summa_error error = detail::EmptyError();
    detail::Check(bus_->create_group(bus_->self, ToAbi(stream), ToAbi(group), ToAbi(place), &error),
                  error);
  }
  void DeleteGroup(std::string_view stream, std::string_view group) const {
    Require(offsetof(summa_bus_v1, delete_group) + sizeof bus_->delete_group);
    summa_error error = detail::EmptyError();
    detail::Check(bus_->delete_group(bus_->self, ToAbi(stream), ToAbi(group), &error), error);
  }
  summa_bus_horizon Horizon(std::string_view stream) const {
    Require(offsetof(summa_bus_v1, horizon) + sizeof bus_->horizon);
    summa_bus_horizon horizon = EmptyHorizon();
    summa_error error = detail::EmptyError();
    detail::Check(bus_->horizon(bus_->self, ToAbi(stream), &horizon, &error), error);
    return horizon;
  }
  // Dead letters: those of the bus, or, if it keeps none, those of the streams TOPIC.dlq.
  // Empty stream: all streams. `after` needs a stream.
  void DeadLetters(std::string_view stream, std::string_view after,
                   const OnDeadLetter& on_letter) const {
    if (!Can(SUMMA_BUS_DEAD_LETTERS)) return Letters().List(stream, after, on_letter);
    Require(offsetof(summa_bus_v1, dead_letters) + sizeof bus_->dead_letters);
    detail::Callback<OnDeadLetter, summa_bus_dead_letter> callback{on_letter};
    summa_error error = detail::EmptyError();
    callback.Check(bus_->dead_letters(bus_->self, ToAbi(stream), ToAbi(after), &callback.Call,
                                      &callback, &error),
                   error);
  }
  // Returns how many were still there and were sent again, or deleted. `done`, when given, is also
  // right after an error.
  std::uint64_t Redrive(std::string_view stream, std::span<const summa_str> dead_letter_ids,
                        std::uint64_t* done = nullptr) const {
    if (!Can(SUMMA_BUS_DEAD_LETTERS)) return Letters().Redrive(stream, dead_letter_ids, done);
    Require(offsetof(summa_bus_v1, redrive) + sizeof bus_->redrive);
    return Count(bus_->redrive, stream, dead_letter_ids, done);
  }
  std::uint64_t Discard(std::string_view stream, std::span<const summa_str> dead_letter_ids,
                        std::uint64_t* done = nullptr) const {
    if (!Can(SUMMA_BUS_DEAD_LETTERS)) return Letters().Discard(stream, dead_letter_ids, done);
    Require(offsetof(summa_bus_v1, discard) + sizeof bus_->discard);
    return Count(bus_->discard, stream, dead_letter_ids, done);
  }
  const summa_bus_v1* abi() const { return bus_; }

 private:
  DeadLetterStream Letters() const {
    Require(offsetof(summa_bus_v1, streams) + sizeof bus_->streams);
    return DeadLetterStream(bus_);
  }
  void Require(std::size_t size) const {
    if (bus_->struct_size >= size) return;
    throw Error(SUMMA_E_CONFIG, "", "the bus is of an older version and lacks this function",
                "install a bus plugin of this version");
  }
  std::uint64_t Count(decltype(summa_bus_v1::redrive) call, std::string_view stream,
                      std::span<const summa_str> ids, std::uint64_t* done) const {
    std::uint64_t count = 0;
    summa_error error = detail::EmptyError();
    const std::int32_t status =
        call(bus_->self, ToAbi(stream), ids.data(), ids.size(), &count, &error);
    if (done != nullptr) *done = count;
    detail::Check(status, error);
    return count;
  }

  const summa_bus_v1* bus_;
};

}  // namespace summa

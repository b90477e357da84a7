// A copy of a delivery, kept while it waits or is handled.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <summa/bus.hpp>
#include <utility>

namespace summa::detail {

// One allocation, or the memory of a message that is not needed any more: the texts stand one after
// the other.
class HeldMessage {
 public:
  HeldMessage() = default;
  explicit HeldMessage(const summa_bus_delivery& delivery, std::string used_before = {})
      : position(delivery.message.position),
        partition(delivery.partition),
        deliveries(delivery.delivery_count),
        recovered(delivery.recovered != 0),
        bytes_(std::move(used_before)) {
    const summa_bus_message& message = delivery.message;
    const std::array<summa_str, kTexts> texts = {
        delivery.delivery_id, message.id,        message.type,           message.key,
        message.payload,      message.timestamp, message.correlation_id, message.note};
    std::size_t size = 0;
    for (const summa_str& text : texts) size += text.size;
    bytes_.clear();
    bytes_.reserve(size);
    for (std::size_t i = 0; i < kTexts; ++i) {
      sizes_[i] = static_cast<std::uint32_t>(texts[i].size);
      bytes_ += FromAbi(texts[i]);
    }
  }

  std::string_view delivery_id() const { return Text(0); }
  std::string_view id() const { return Text(1); }
  std::string_view type() const { return Text(2); }
  std::string_view key() const { return Text(3); }
  std::string_view payload() const { return Text(4); }
  std::string_view timestamp() const { return Text(5); }
  std::string_view correlation_id() const { return Text(6); }
  std::string_view note() const { return Text(7); }
  std::size_t size() const { return bytes_.size(); }
  // The message has no texts from here on.
  std::string TakeMemory() { return std::exchange(bytes_, {}); }

  std::int64_t position = SUMMA_BUS_NO_POSITION;
  std::uint32_t partition = 0;
  std::int64_t deliveries = 0;  // that the server counted, and those begun here
  bool recovered = false;

 private:
  static constexpr std::size_t kTexts = 8;

  std::string_view Text(std::size_t which) const {
    std::size_t begin = 0;
    for (std::size_t i = 0; i < which; ++i) begin += sizes_[i];
    return std::string_view(bytes_).substr(begin, sizes_[which]);
  }

  std::string bytes_;
  std::array<std::uint32_t, kTexts> sizes_{};
};

}  // namespace summa::detail

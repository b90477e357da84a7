// Finds the ends of the messages that a client of PostgreSQL sends.
#pragma once

#include <cstddef>
#include <cstdint>

namespace summa::test {

// One direction of one connection, from its first byte on. What is not PostgreSQL's protocol gives
// nonsense, and no more.
class MessageScan {
 public:
  // Takes the next byte; true when a message ends with it.
  bool Next(char byte) {
    const auto value = static_cast<unsigned char>(byte);
    ++taken_;
    const std::size_t length_at = typed_ ? 1 : 0;
    if (taken_ > length_at && taken_ <= length_at + 4) length_ = length_ << 8 | value;
    if (!typed_ && taken_ > 4 && taken_ <= 8) code_ = code_ << 8 | value;
    if (taken_ < length_at + 4 || taken_ < length_at + length_) return false;
    // Behind a request for encryption, which is refused here, comes another message without type.
    if (!typed_) typed_ = code_ != kEncryptByTls && code_ != kEncryptByGss;
    taken_ = 0;
    length_ = code_ = 0;
    return true;
  }

 private:
  static constexpr std::uint32_t kEncryptByTls = 80877103, kEncryptByGss = 80877104;

  bool typed_ = false;  // messages begin with a letter
  std::size_t taken_ = 0;
  std::uint32_t length_ = 0, code_ = 0;
};

}  // namespace summa::test

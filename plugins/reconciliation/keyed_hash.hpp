// 64 bits of an id under a key that is drawn anew for every run: nobody can make rows today whose
// sums cancel tomorrow. Not for anything that is kept.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <summa/sql.hpp>

namespace summa::reconciliation {

__extension__ using Wide = unsigned __int128;

class KeyedHash {
 public:
  KeyedHash() {
    std::random_device random;
    for (std::uint64_t& key : keys_) key = (std::uint64_t{random()} << 32 | random()) | 1;
  }

  std::uint64_t operator()(const Uuid& id, std::uint64_t more) const {
    std::uint64_t words[2];
    std::memcpy(words, id.bytes.data(), sizeof words);
    return Mix(Mix(words[0] ^ keys_[0], words[1] ^ keys_[1]) ^ keys_[2], more ^ keys_[3]);
  }
  std::uint64_t operator()(const Uuid& id) const { return (*this)(id, 0); }

 private:
  static std::uint64_t Mix(std::uint64_t a, std::uint64_t b) {
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }

  std::uint64_t keys_[4];
};

}  // namespace summa::reconciliation

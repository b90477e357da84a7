// The hashes of Summa's ledger: events, blocks and Merkle roots. Always lowercase hex of 32 bytes.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace summa::ledger {

// 64 characters of lowercase hex.
class Hash {
 public:
  Hash() { text_.fill('0'); }
  explicit Hash(const std::array<char, 64>& text) : text_(text) {}
  std::string_view text() const { return {text_.data(), text_.size()}; }
  std::string string() const { return std::string(text()); }
  friend bool operator==(const Hash& a, const Hash& b) = default;
  friend bool operator==(const Hash& a, std::string_view b) { return a.text() == b; }

 private:
  std::array<char, 64> text_;
};

// SHA-256 of pieces, or HMAC-SHA256 with a key. Reuses its context, which makes short messages
// twice as fast and lets threads work in parallel: create one per thread. One thread at a time.
class Hasher {
 public:
  // Empty key: plain SHA-256, as Summa does with an empty secret.
  explicit Hasher(std::string_view key = {});
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  // Add.., Add, Finish; then it is ready for the next message.
  void Add(std::string_view bytes);
  Hash Finish();

  // An event: hash of its predecessor (as stored; nothing for the first event of an aggregate),
  // then the canonical text of its data.
  Hash Event(std::optional<std::string_view> previous_hash, std::string_view canonical_data);
  // A copy that can continue from what was added so far. SHA-256 only.
  Hasher Fork() const;

 private:
  struct State;
  explicit Hasher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A block: hash of the block before it (as stored), then the hash over its events' hashes, in the
// order of their positions. Always SHA-256.
Hash BlockHash(std::optional<std::string_view> previous_block_hash, std::string_view events_hash);

// The root over hashes as later versions of Summa make it: a parent is the hash of its two
// children's hex, the last of an odd level is paired with itself, no leaf is the hash of nothing.
Hash MerkleRoot(std::span<const std::string> leaves);

}  // namespace summa::ledger

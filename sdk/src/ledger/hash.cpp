#include <summa/error.hpp>
#include <summa/ledger/hash.hpp>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <algorithm>
#include <vector>

namespace summa::ledger {
namespace {

constexpr std::size_t kDigestBytes = 32;

void Require(int done) {
  if (done != 1) throw Error(SUMMA_E_INTERNAL, "SH-0901", "OpenSSL refused to compute a hash");
}

// Fetched once: each implicit fetch takes a lock, and threads then hash one after the other.
const EVP_MD* Sha256() {
  static EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (digest == nullptr) throw Error(SUMMA_E_INTERNAL, "SH-0901", "OpenSSL has no SHA256");
  return digest;
}

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
  void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
};

std::unique_ptr<EVP_MAC_CTX, FreeContext> MakeMac(std::string_view key) {
  const std::unique_ptr<EVP_MAC, FreeContext> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  std::unique_ptr<EVP_MAC_CTX, FreeContext> context(mac ? EVP_MAC_CTX_new(mac.get()) : nullptr);
  if (!context) throw Error(SUMMA_E_INTERNAL, "SH-0901", "OpenSSL has no HMAC");
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  Require(EVP_MAC_init(context.get(), reinterpret_cast<const unsigned char*>(key.data()),
                       key.size(), parameters));
  return context;
}

// Two hexadecimal digits for every byte.
constexpr auto kHexPairs = [] {
  constexpr char kHex[] = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> pairs{};
  for (std::size_t byte = 0; byte < pairs.size(); ++byte) {
    pairs[byte] = {kHex[byte >> 4], kHex[byte & 15]};
  }
  return pairs;
}();

Hash ToHex(const unsigned char (&digest)[kDigestBytes]) {
  std::array<char, 2 * kDigestBytes> text;
  for (std::size_t i = 0; i < kDigestBytes; ++i) {
    std::copy_n(kHexPairs[digest[i]].data(), 2, &text[2 * i]);
  }
  return Hash(text);
}

}  // namespace

struct Hasher::State {
  std::unique_ptr<EVP_MD_CTX, FreeContext> plain;
  std::unique_ptr<EVP_MAC_CTX, FreeContext> keyed;
};

Hasher::Hasher(std::string_view key) : state_(std::make_unique<State>()) {
  if (!key.empty()) {
    state_->keyed = MakeMac(key);
    return;
  }
  state_->plain.reset(EVP_MD_CTX_new());
  Require(state_->plain ? EVP_DigestInit_ex2(state_->plain.get(), Sha256(), nullptr) : 0);
}

Hasher::Hasher(std::unique_ptr<State> state) : state_(std::move(state)) {}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::Add(std::string_view bytes) {
  if (state_->keyed) {
    Require(EVP_MAC_update(state_->keyed.get(),
                           reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
  } else {
    Require(EVP_DigestUpdate(state_->plain.get(), bytes.data(), bytes.size()));
  }
}

Hash Hasher::Finish() {
  unsigned char digest[kDigestBytes];
  if (state_->keyed) {
    std::size_t size = 0;
    Require(EVP_MAC_final(state_->keyed.get(), digest, &size, sizeof digest));
    Require(EVP_MAC_init(state_->keyed.get(), nullptr, 0, nullptr));  // the same key again
  } else {
    Require(EVP_DigestFinal_ex(state_->plain.get(), digest, nullptr));
    Require(EVP_DigestInit_ex2(state_->plain.get(), nullptr, nullptr));
  }
  return ToHex(digest);
}

Hash Hasher::Event(std::optional<std::string_view> previous_hash, std::string_view canonical_data) {
  if (previous_hash) Add(*previous_hash);
  Add(canonical_data);
  return Finish();
}

Hasher Hasher::Fork() const {
  auto copy = std::make_unique<State>();
  copy->plain.reset(EVP_MD_CTX_new());
  Require(copy->plain && state_->plain ? EVP_MD_CTX_copy_ex(copy->plain.get(), state_->plain.get())
                                       : 0);
  return Hasher(std::move(copy));
}

Hash BlockHash(std::optional<std::string_view> previous_block_hash, std::string_view events_hash) {
  Hasher hasher;
  return hasher.Event(previous_block_hash, events_hash);
}

Hash MerkleRoot(std::span<const std::string> leaves) {
  Hasher hasher;
  if (leaves.empty()) return hasher.Finish();
  std::vector<std::string> level(leaves.begin(), leaves.end());
  while (level.size() > 1) {
    std::size_t parents = 0;
    for (std::size_t i = 0; i < level.size(); i += 2) {
      hasher.Add(level[i]);
      hasher.Add(level[i + 1 < level.size() ? i + 1 : i]);
      level[parents++] = hasher.Finish().string();
    }
    level.resize(parents);
  }
  if (level[0].size() != 2 * kDigestBytes) {
    throw Error(SUMMA_E_DATA, "SH-0901", "a leaf is not a hash of 64 hexadecimal digits");
  }
  std::array<char, 2 * kDigestBytes> root;
  level[0].copy(root.data(), root.size());
  return Hash(root);
}

}  // namespace summa::ledger

// Whether any of very many 64-bit numbers comes twice, in bounded memory: what does not fit waits
// in a temporary file without a name, sorted into buckets.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace summa::reconciliation {

class Fingerprints {
 public:
  // `memory_numbers`: how many are held in memory before the rest goes to disk.
  explicit Fingerprints(std::size_t memory_numbers = kMemoryNumbers);
  ~Fingerprints();
  Fingerprints(const Fingerprints&) = delete;
  Fingerprints& operator=(const Fingerprints&) = delete;

  void Add(std::uint64_t number) {
    std::vector<std::uint64_t>& bucket = buckets_[number >> kShift];
    bucket.push_back(number);
    if (++held_ >= memory_numbers_) Spill();
  }
  // Ends the collecting. Throws SH-0706 when the temporary file cannot be written or read.
  bool AnyTwice();

  static constexpr std::size_t kMemoryNumbers = 2'000'000;  // 16 MB

 private:
  // A bucket of a billion numbers is 8 MB.
  static constexpr int kBits = 10;
  static constexpr int kShift = 64 - kBits;
  struct Piece {
    std::int64_t offset;
    std::size_t numbers;
  };

  void Spill();
  void Load(std::size_t bucket, std::vector<std::uint64_t>& numbers) const;

  const std::size_t memory_numbers_;
  std::array<std::vector<std::uint64_t>, 1U << kBits> buckets_;
  std::array<std::vector<Piece>, 1U << kBits> on_disk_;
  std::size_t held_ = 0;
  int file_ = -1;
  std::int64_t file_end_ = 0;
};

}  // namespace summa::reconciliation

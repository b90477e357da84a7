// Random JSON documents with everything that canonical JSON is difficult about.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace summa::ledger {

class RandomJson {
 public:
  explicit RandomJson(std::uint64_t seed) : random_(seed) {}

  // One document on one line, of no more than about `budget` values.
  std::string Document(int budget = 24) {
    std::string out;
    budget_ = budget;
    if (Chance(20)) {
      Array(out, 0);
    } else {
      Object(out, 0);
    }
    return out;
  }

 private:
  std::uint64_t Below(std::uint64_t limit) {
    return std::uniform_int_distribution<std::uint64_t>(0, limit - 1)(random_);
  }
  bool Chance(int one_in) { return Below(static_cast<std::uint64_t>(one_in)) == 0; }
  void Blank(std::string& out) {
    if (Chance(4)) out += Chance(2) ? " " : "\t ";
  }

  void Value(std::string& out, int level);
  void Object(std::string& out, int level);
  void Array(std::string& out, int level);
  void Number(std::string& out);
  void Text(std::string& out, std::uint64_t longest);
  void Character(std::string& out);
  void CodePoint(std::string& out, std::uint32_t point);
  void Escaped(std::string& out, std::uint32_t point);

  std::mt19937_64 random_;
  int budget_ = 0;
};

}  // namespace summa::ledger

// One row of entry_record.
#pragma once

#include <cstdint>
#include <optional>
#include <summa/sql.hpp>

namespace summa::reconciliation {

struct Entry {
  enum class Type { kCredit, kDebit, kOther };

  Uuid transaction_id{};
  std::optional<Uuid> account_id, system_account_id;
  Type type = Type::kOther;
  std::int64_t amount = 0;
  std::uint32_t currency = 0;  // its letters
  bool hot = false;            // of a system account, whose balance is brought up to date later
  std::optional<std::int64_t> balance_before, balance_after, lock_version;

  // What it does to a balance.
  std::int64_t Signed() const {
    return type == Type::kCredit ? amount : type == Type::kDebit ? -amount : 0;
  }
};

}  // namespace summa::reconciliation

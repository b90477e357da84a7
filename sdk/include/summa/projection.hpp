// Read models: one class for each. The contract: abi/projection.h.
//
//   class HolderTurnover final : public summa::Projection {
//    public:
//     HolderTurnover() : Projection({.id = "holder-turnover", .version = 1,
//         .event_types = {"CREDIT_POSTED"},
//         .tables = {{"holder_turnover", "holder_id text PRIMARY KEY, turnover bigint NOT NULL"}},
//         .commutative = true}) {}
//     void Apply(const summa::ProjectionBatch& batch) const override {
//       for (const summa_projection_event& event : batch.events()) ...
//       batch.Exec("INSERT INTO " + batch.Table("holder_turnover") + " ...", {...});
//     }
//   };
//
// A plugin returns its projections from Plugin::Projections(), and lists summa.projection/1 under
// `provides` in its manifest.
#pragma once

#include <summa/abi/projection.h>
#include <summa/sql.hpp>

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace summa {

inline Uuid FromAbi(const summa_uuid& uuid) {
  Uuid result{};
  std::copy(std::begin(uuid.bytes), std::end(uuid.bytes), result.bytes.begin());
  return result;
}
inline summa_uuid ToAbi(const Uuid& uuid) {
  summa_uuid result{};
  std::copy(uuid.bytes.begin(), uuid.bytes.end(), std::begin(result.bytes));
  return result;
}

// The events to apply, and where. Valid while Apply() runs; one thread.
class ProjectionBatch {
 public:
  explicit ProjectionBatch(const summa_projection_batch* batch) : batch_(batch) {}

  std::span<const summa_projection_event> events() const {
    return {batch_->events, batch_->event_count};
  }
  std::span<const summa_projection_transaction> transactions() const {
    return {batch_->transactions, batch_->transaction_count};
  }
  bool replay() const { return (batch_->flags & SUMMA_BATCH_REPLAY) != 0; }
  bool unordered() const { return (batch_->flags & SUMMA_BATCH_UNORDERED) != 0; }

  // Ready for a statement. Throws SH-0123 for a name that the projection does not declare.
  std::string Table(std::string_view name) const {
    const std::string_view found = FromAbi(batch_->table(batch_, ToAbi(name)));
    if (found.empty()) {
      throw Error(SUMMA_E_INTERNAL, "SH-0123",
                  "the projection declares no table \"" + std::string(name) + "\"",
                  "Add it to ProjectionSpecification::tables");
    }
    return std::string(found);
  }
  Result Exec(std::string_view statement, std::span<const Parameter> parameters) const {
    std::vector<summa_sql_parameter> abi;
    abi.reserve(parameters.size());
    for (const Parameter& parameter : parameters) abi.push_back(parameter.Abi());
    summa_sql_result* result = nullptr;
    summa_error error = detail::EmptyError();
    detail::Check(batch_->sql->exec(batch_->session, ToAbi(statement), abi.data(), abi.size(), 1,
                                    &result, &error),
                  error);
    return {batch_->sql, result};
  }
  Result Exec(std::string_view statement, std::initializer_list<Parameter> parameters = {}) const {
    return Exec(statement, std::span<const Parameter>(parameters.begin(), parameters.size()));
  }

 private:
  const summa_projection_batch* batch_;
};

struct ProjectionTable {
  std::string name, columns;
  std::vector<std::string> indexes = {};
};

struct ProjectionSpecification {
  std::string id;
  std::string summary = {};
  int version = 1;
  summa_projection_key key = SUMMA_KEY_ACCOUNT;
  std::vector<std::string> event_types = {};  // none: all
  std::vector<ProjectionTable> tables;
  bool commutative = false;
  bool forgets = false;               // Forget() is implemented
  bool rows_of_holders = false;       // SUMMA_PROJECTION_ROWS_OF_HOLDERS
  bool without_transactions = false;  // SUMMA_PROJECTION_WITHOUT_TRANSACTIONS
};

class Projection {
 public:
  explicit Projection(ProjectionSpecification specification)
      : specification_(std::move(specification)) {
    for (const std::string& type : specification_.event_types) types_.push_back(ToAbi(type));
    for (const ProjectionTable& table : specification_.tables) {
      std::vector<summa_str>& indexes = indexes_.emplace_back();
      for (const std::string& index : table.indexes) indexes.push_back(ToAbi(index));
      tables_.push_back({sizeof(summa_projection_table), static_cast<std::uint32_t>(indexes.size()),
                         ToAbi(table.name), ToAbi(table.columns), indexes.data()});
    }
    table_ = {sizeof(summa_projection),
              Flags(specification_),
              this,
              ToAbi(specification_.id),
              ToAbi(specification_.summary),
              specification_.version,
              specification_.key,
              types_.data(),
              types_.size(),
              tables_.data(),
              tables_.size(),
              [](void* self, const summa_projection_batch* batch, summa_error* error) {
                return detail::Guard(error, [&] {
                  static_cast<const Projection*>(self)->Apply(ProjectionBatch(batch));
                  return SUMMA_OK;
                });
              },
              nullptr};
    if (!specification_.forgets) return;
    table_.forget = [](void* self, const summa_projection_batch* batch, const summa_uuid* key,
                       const summa_projection_account* account,
                       summa_error* error) -> std::int32_t {
      return detail::Guard(error, [&] {
        static_cast<const Projection*>(self)->Forget(ProjectionBatch(batch), FromAbi(*key),
                                                     account);
        return SUMMA_OK;
      });
    };
  }
  Projection(const Projection&) = delete;
  Projection& operator=(const Projection&) = delete;
  virtual ~Projection() = default;

  // Changes the tables of the batch. May throw; the transaction is then rolled back, and the event
  // that fails is looked for. Several threads at a time during a rebuild.
  virtual void Apply(const ProjectionBatch& batch) const = 0;
  // Removes what the events of an account (with SUMMA_KEY_TRANSACTION: of a transaction) have made;
  // they are applied again at once. Only with ProjectionSpecification::forgets. `account`: as the
  // ledger has it, or nullptr.
  virtual void Forget(const ProjectionBatch& /*batch*/, const Uuid& /*key*/,
                      const summa_projection_account* /*account*/) const {}

  const summa_projection* table() const { return &table_; }

 private:
  static std::uint32_t Flags(const ProjectionSpecification& of) {
    std::uint32_t flags = 0;
    if (of.commutative) flags |= SUMMA_PROJECTION_COMMUTATIVE;
    if (of.rows_of_holders) flags |= SUMMA_PROJECTION_ROWS_OF_HOLDERS;
    if (of.without_transactions) flags |= SUMMA_PROJECTION_WITHOUT_TRANSACTIONS;
    return flags;
  }

  ProjectionSpecification specification_;
  std::vector<summa_str> types_;
  std::deque<std::vector<summa_str>> indexes_;
  std::vector<summa_projection_table> tables_;
  summa_projection table_{};
};

}  // namespace summa

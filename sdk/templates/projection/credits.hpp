// A read model of its own: how often, and how much, each holder was credited in each category. The
// plugin `projections` makes the table, calls Apply() with each event exactly once, and rebuilds
// the table on demand. Readers use summa_read.regular_credits.
#pragma once

#include <summa/plugin.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace regular_credits {

class Credits final : public summa::Projection {
 public:
  Credits()
      : Projection(
            {.id = "regular-credits",
             .summary = "Credits of holders by category.",
             .version = 1,
             .event_types = {"CREDIT_POSTED"},
             .tables = {{.name = "regular_credits",
                         .columns = "holder_id text NOT NULL, category text NOT NULL, credits "
                                    "bigint NOT NULL, amount bigint NOT NULL, PRIMARY KEY "
                                    "(holder_id, category)",
                         .indexes = {"(category, amount)"}}},
             // Sums do not depend on the order, so a rebuild may work on several parts of the
             // history at a time.
             .commutative = true}) {}

  void Apply(const summa::ProjectionBatch& batch) const override {
    // One row for each holder and category, in the order of the key: that is the order in which
    // everybody locks them.
    std::map<std::pair<std::string, std::string>, std::pair<std::int64_t, std::int64_t>> sums;
    for (const summa_projection_event& event : batch.events()) {
      auto& [credits, amount] = sums[{std::string(summa::FromAbi(event.account->holder_id)),
                                      std::string(summa::FromAbi(event.category))}];
      ++credits;
      amount += event.amount;
    }
    std::vector<std::string> holders, categories;
    std::vector<std::int64_t> credits, amounts;
    for (const auto& [key, sum] : sums) {
      holders.push_back(key.first);
      categories.push_back(key.second);
      credits.push_back(sum.first);
      amounts.push_back(sum.second);
    }
    batch.Exec("INSERT INTO " + batch.Table("regular_credits") +
                   " AS t SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) "
                   "ON CONFLICT (holder_id, category) DO UPDATE SET credits = t.credits + "
                   "excluded.credits, amount = t.amount + excluded.amount",
               {summa::TextArray(holders), summa::TextArray(categories),
                summa::IntegerArray(credits), summa::IntegerArray(amounts)});
  }
};

}  // namespace regular_credits

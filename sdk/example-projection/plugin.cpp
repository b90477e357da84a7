// A read model of its own: how often, and how much, each holder was credited in each category. The
// plugin `projections` makes the table, calls Apply() with each event exactly once, and rebuilds
// the table on demand. Readers use summa_read.regular_credit.
#include <summa/plugin.hpp>

#include <map>
#include <utility>

namespace regulars {
namespace {

class RegularCredits final : public summa::Projection {
 public:
  RegularCredits()
      : Projection(
            {.id = "regular-credits",
             .summary = "Credits of holders by category.",
             .version = 1,
             .event_types = {"CREDIT_POSTED"},
             .tables = {{.name = "regular_credit",
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
    batch.Exec("INSERT INTO " + batch.Table("regular_credit") +
                   " AS t SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) "
                   "ON CONFLICT (holder_id, category) DO UPDATE SET credits = t.credits + "
                   "excluded.credits, amount = t.amount + excluded.amount",
               {summa::TextArray(holders), summa::TextArray(categories),
                summa::IntegerArray(credits), summa::IntegerArray(amounts)});
  }
};

class RegularsPlugin final : public summa::Plugin {
 public:
  explicit RegularsPlugin(summa::Host host) : Plugin(host) {}
  std::vector<const summa::Projection*> Projections() override { return {&credits_}; }

 private:
  RegularCredits credits_;
};

}  // namespace
}  // namespace regulars

SUMMA_PLUGIN(regulars::RegularsPlugin)

// Runs, and says of itself that it does not feel well; cannot be examined to the end.
#include <summa/plugin.hpp>

namespace {

class Sick final : public summa::Plugin {
 public:
  explicit Sick(summa::Host host) : Plugin(host) {}
  std::vector<summa::Finding> Failing() override {
    return {{summa::Severity::kError, "heart", "it stopped", "", "see a doctor"},
            {summa::Severity::kWarning, "cold", "it sneezes", "", "drink tea"}};
  }
  void Examine(const summa::Examination& examination) override {
    examination.Report({summa::Severity::kOk, "lungs", "they breathe", "", ""});
    examination.Report({summa::Severity::kError, "heart", "it stopped", "a beat", "see a doctor"});
    throw summa::Error(SUMMA_E_UNAVAILABLE, "", "the kidneys cannot be reached", "try later");
  }
};

}  // namespace

SUMMA_PLUGIN(Sick)

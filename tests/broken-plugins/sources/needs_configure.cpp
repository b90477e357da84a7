// Crashes when it is destroyed before it was configured: another plugin could not be loaded.
#include <summa/plugin.hpp>

#include <memory>

namespace {

class NeedsConfigure final : public summa::Plugin {
 public:
  explicit NeedsConfigure(summa::Host host) : Plugin(host) {}
  ~NeedsConfigure() override { ++*calls_; }
  void Configure(const summa::Config&) override { calls_ = &count_; }

 private:
  int count_ = 0;
  int* volatile calls_ = nullptr;
};

}  // namespace

SUMMA_PLUGIN(NeedsConfigure)

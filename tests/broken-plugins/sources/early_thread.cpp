// Begins to work when it is loaded.
#include <summa/plugin.hpp>

#include <pthread.h>

#include <chrono>
#include <thread>

namespace {

const bool kStarted = [] {
  std::thread thread([] {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  });
  pthread_setname_np(thread.native_handle(), "early");
  thread.detach();
  return true;
}();

class EarlyThread final : public summa::Plugin {
 public:
  explicit EarlyThread(summa::Host host) : Plugin(host) {}
  void Start() override {
    if (!kStarted) throw std::logic_error("never");
  }
};

}  // namespace

SUMMA_PLUGIN(EarlyThread)

// Starts a thread with start() and forgets it.
#include <summa/plugin.hpp>

#include <pthread.h>

#include <chrono>
#include <thread>

namespace {

class KeepsThread final : public summa::Plugin {
 public:
  explicit KeepsThread(summa::Host host) : Plugin(host) {}
  void Start() override {
    std::thread thread([] {
      for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
    });
    pthread_setname_np(thread.native_handle(), "left-behind");
    thread.detach();
  }
};

}  // namespace

SUMMA_PLUGIN(KeepsThread)

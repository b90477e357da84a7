#include "host/abi/signal_stack.hpp"

#include <sys/mman.h>

#include <csignal>
#include <cstddef>

namespace summa::host {
namespace {

// Several times what our handler needs, with the registers of any processor.
constexpr std::size_t kStackBytes = 128 << 10;

class SignalStack {
 public:
  SignalStack() {
    stack_t before{};
    // A sanitizer may have one already.
    if (sigaltstack(nullptr, &before) != 0 || (before.ss_flags & SS_DISABLE) == 0) return;
    memory_ = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory_ == MAP_FAILED) return;
    stack_t stack{};
    stack.ss_sp = memory_;
    stack.ss_size = kStackBytes;
    sigaltstack(&stack, nullptr);
  }
  ~SignalStack() {
    if (memory_ == MAP_FAILED) return;
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    sigaltstack(&none, nullptr);
    munmap(memory_, kStackBytes);
  }
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  void* memory_ = MAP_FAILED;
};

}  // namespace

void EnsureSignalStack() noexcept { static thread_local const SignalStack stack; }

}  // namespace summa::host

// Breaks the process in the way that its configuration says.
#include <summa/plugin.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

volatile int sink = 0;
void (*volatile nowhere)() = nullptr;

// Not a tail call, and the compiler does not know where it ends.
int Overflow(int depth) {  // NOLINT(misc-no-recursion)
  volatile char ballast[4096];
  ballast[depth % 4096] = static_cast<char>(depth);
  return sink == 1 ? 0 : Overflow(depth + 1) + ballast[0];
}

[[noreturn]] void Fail() { throw std::runtime_error("nobody catches this"); }

void Uncaught() noexcept { Fail(); }

// Volatile: of a pointer that it knows, the compiler may drop the write. UndefinedBehaviorSanitizer
// would end both before the signal comes.
int* volatile null = nullptr;
[[gnu::no_sanitize("undefined"), gnu::noinline]] void WriteToNull() { *null = 1; }
[[gnu::no_sanitize("undefined"), gnu::noinline]] void DivideByZero() { sink = 10 / (sink - sink); }

void Freeze(int) {
  for (;;) pause();
}

// Ends the process; another thread crashes while the host waits for the process that tells the
// database of the end. No event says that a child is there, so it is looked for.
void ExitBesideCrash(bool freeze) {
  std::signal(SIGUSR2, Freeze);
  sigset_t freezing;
  sigemptyset(&freezing);
  sigaddset(&freezing, SIGUSR2);
  pthread_sigmask(SIG_UNBLOCK, &freezing, nullptr);
  std::thread([freeze, exiting = pthread_self()] {
    siginfo_t child;
    while (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) != 0) usleep(100);
    if (freeze) pthread_kill(exiting, SIGUSR2);
    WriteToNull();
  }).detach();
  std::exit(0);
}

[[noreturn]] void Loop() {
  for (;;) sink = sink ^ 1;  // a sum would overflow, which a sanitizer ends the process for
}

// A little more with every call; not all that the machine has, should nobody notice.
void Eat() {
  constexpr std::size_t kBlock = std::size_t{4} << 20, kMost = 500;
  static auto& eaten = *new std::vector<std::string>;
  if (eaten.size() < kMost) eaten.emplace_back(kBlock, 'x');
}

void Break(const std::string& how) {
  if (how == "null") WriteToNull();
  if (how == "jump") nowhere();
  if (how == "abort") std::abort();
  if (how == "exit") std::exit(0);
  if (how == "exit_beside_crash") ExitBesideCrash(false);
  if (how == "exit_stuck_beside_crash") ExitBesideCrash(true);
  if (how == "quick_exit") std::quick_exit(0);
  if (how == "_exit") _exit(0);
  if (how == "hang") std::fputs("hangs from now on\n", stderr);
  while (how == "hang") pause();
  if (how == "loop") Loop();
  if (how == "eat") Eat();
  if (how == "overflow") sink = Overflow(0);
  if (how == "terminate") Uncaught();
  if (how == "divide") DivideByZero();
}

class Worker final : public summa::Worker {
 public:
  std::string how;
  summa::TickResult Run(const summa::Tick&) override {
    Break(how);
    return {1, false, std::nullopt};
  }
};

class Crashes final : public summa::Plugin {
 public:
  explicit Crashes(summa::Host given) : Plugin(given) {}
  void Configure(const summa::Config& config) override {
    worker_.how = config.String("worker");
    start_ = config.String("start");
    thread_ = config.String("thread");
  }
  void Start() override { Break(start_); }
  // On a thread that the host knows nothing of.
  void Activate() override {
    if (thread_.empty()) return;
    std::thread([how = thread_] {
      if (how == "throw") Fail();
      Break(how);
    }).detach();
  }
  std::vector<summa::WorkerBinding> Workers() override { return {{"crasher", &worker_}}; }

 private:
  Worker worker_;
  std::string start_, thread_;
};

}  // namespace

SUMMA_PLUGIN(Crashes)

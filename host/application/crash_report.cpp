#include "host/application/crash_report.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/abi/plugin_call.hpp"
#include "host/application/signal_safe_line.hpp"
#include "host/database/fleet_orders.hpp"
#include "host/database/renewed_url.hpp"
#include "host/observe/log.hpp"
#include "host/plugin/code_map.hpp"

namespace summa::host {
namespace {

constexpr int kFatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr timespec kPollInterval{0, 5'000'000};
constexpr int kLogPolls = 400;     // 2 s: the lines before the last one
constexpr int kReportPolls = 400;  // 2 s: what the child has for the database
// 10 s: more than the last words of another thread take, unless that one is stuck.
constexpr int kOtherPolls = 2000;
constexpr std::size_t kMaxReport = 16 << 10;

std::atomic<bool> exit_expected{true};  // until WatchForCrashes()
// What the child reads: texts that end with NUL. Replaced as a whole, never freed.
std::atomic<const std::string*> report_head{nullptr};
char uncaught[256] = {};              // what() of the uncaught exception
std::atomic<long> reporter{0};        // the thread that reports the crash
std::atomic<bool> unreported{false};  // it calls exit(), and its last line is not written yet

void AddPlace(SignalSafeLine& line, const CallPlace& place) {
  line.Field("plugin", place.plugin);
  if (place.worker[0] != '\0') line.Field("worker", place.worker);
  line.Field("in", place.function);
}

// Where the calling thread is in the code of a plugin: in a call of the host, or on a thread that
// the plugin created. nullptr: in no plugin. Async-signal-safe.
const CallPlace* PlaceOf(std::uintptr_t program_counter, std::uintptr_t stack_pointer) {
  if (const CallPlace* place = PluginCall::OfThisThread()) return place;
  const char* plugin = PluginOfCode(program_counter);
  if (plugin == nullptr && !PluginCall::EverOnThisThread()) plugin = PluginOnStack(stack_pointer);
  if (plugin == nullptr) return nullptr;
  static CallPlace own;  // one process crashes once
  std::strncpy(own.plugin, plugin, sizeof own.plugin - 1);
  std::strcpy(own.function, "a thread that it created");
  return &own;
}

const CallPlace* PlaceAtSignal(const void* context) {
  const mcontext_t& at = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return PlaceOf(static_cast<std::uintptr_t>(at.gregs[REG_RIP]),
                 static_cast<std::uintptr_t>(at.gregs[REG_RSP]));
#elif defined(__aarch64__)
  return PlaceOf(at.pc, at.sp);
#else
  return PluginCall::OfThisThread();
#endif
}

// The worker, or "plugin:ID" when it happened in none, as FleetOrders::Crashed() takes it.
struct CrashSubject {
  explicit CrashSubject(const CallPlace& place) {
    if (place.worker[0] == '\0') std::strcpy(text, kPluginPrefix);
    std::strncat(text, place.worker[0] == '\0' ? place.plugin : place.worker,
                 sizeof text - std::strlen(text) - 1);
  }
  char text[sizeof(CallPlace::worker) + 16] = {};
};

// The whole report, as the child reads it; -1 when there is none. Async-signal-safe.
int FileOfReport(const std::string& head, const CallPlace& place, const char* text) {
  const CrashSubject subject(place);
  const int file = memfd_create("crash report", 0);
  if (file == -1) return -1;
  // Each text with the NUL that ends it; the head has its own.
  for (const std::string_view part :
       {std::string_view(head), std::string_view(subject.text, std::strlen(subject.text) + 1),
        std::string_view(text, std::strlen(text) + 1)}) {
    if (write(file, part.data(), part.size()) != static_cast<ssize_t>(part.size())) return -1;
  }
  return lseek(file, 0, SEEK_SET) == 0 ? file : -1;
}

// The report is complete before the child begins: once there is a child, nothing that happens to
// this process takes it away. Async-signal-safe: fork without handlers, execve.
void ReportToDatabase(const CallPlace& place, const char* text) {
  const std::string* head = report_head.load();
  if (head == nullptr) return;
  const int report = FileOfReport(*head, place, text);
  if (report == -1) return;
  const pid_t child = _Fork();
  if (child == 0) {
    dup2(report, STDIN_FILENO);
    char name[] = "summa-host", verb[] = "--report-crash";
    char* arguments[] = {name, verb, nullptr};
    execve("/proc/self/exe", arguments, environ);
    _exit(SUMMA_E_INTERNAL);
  }
  for (int i = 0; child > 0 && i < kReportPolls && waitpid(child, nullptr, WNOHANG) == 0; ++i) {
    nanosleep(&kPollInterval, nullptr);
  }
}

void WaitForLog() {
  for (int i = 0; i < kLogPolls && !LogIdle(); ++i) nanosleep(&kPollInterval, nullptr);
}

// Other threads run on until the process ends, and log.
void WriteAsLastLine(SignalSafeLine& line) {
  EndLog();
  WaitForLog();
  line.Write();
}

void ReportFatalSignal(int signal, const siginfo_t* info, const void* context) {
  WaitForLog();
  const bool from_outside = info->si_code == SI_USER && info->si_pid != getpid();
  const CallPlace* place = from_outside ? nullptr : PlaceAtSignal(context);
  SignalSafeLine line(
      CurrentLogFormat(), place == nullptr ? "SH-0901" : "SH-0345",
      place == nullptr ? "the process crashed" : "the process crashed in the code of a plugin");
  char name[16] = "SIG";
  std::strncat(name, sigabbrev_np(signal), sizeof name - std::strlen(name) - 1);
  line.Field("signal", name);
  if (place != nullptr) AddPlace(line, *place);
  if (from_outside) line.Field("from_pid", static_cast<std::uint64_t>(info->si_pid), false);
  if (signal != SIGABRT && !from_outside) {
    line.Field("address", reinterpret_cast<std::uintptr_t>(info->si_addr), true);
  }
  if (uncaught[0] != '\0') line.Field("exception", uncaught);
  const std::size_t size = std::strlen(line.text());
  char text[512];
  std::memcpy(text, line.text(), std::min(size + 1, sizeof text));
  text[sizeof text - 1] = '\0';
  WriteAsLastLine(line);
  if (place != nullptr) ReportToDatabase(*place, text);
}

// Whether the calling thread is the first one to report the crash. While another thread reports
// it, this one waits: the process ends as that one decides, unless it is stuck, for example at a
// lock that the calling thread holds. False: others are stuck, or this thread was reporting it
// already.
bool BecomeReporter() {
  const long self = syscall(SYS_gettid);
  long first = 0;
  if (reporter.compare_exchange_strong(first, self)) return true;
  for (int i = 0; first != self && i < kOtherPolls; ++i) nanosleep(&kPollInterval, nullptr);
  return false;
}

extern "C" void OnFatalSignal(int signal, siginfo_t* info, void* context) {
  if (BecomeReporter() || unreported.exchange(false)) ReportFatalSignal(signal, info, context);
  // The same end as without us. What was raised here is delivered on return.
  std::signal(signal, SIG_DFL);
  raise(signal);
}

void OnUncaught() {
  try {
    if (std::current_exception()) std::rethrow_exception(std::current_exception());
  } catch (const std::exception& exception) {
    std::strncpy(uncaught, exception.what(), sizeof uncaught - 1);
  } catch (...) {
    std::strncpy(uncaught, "not a std::exception", sizeof uncaught - 1);
  }
  std::abort();
}

extern "C" void OnExit() {
  if (exit_expected.exchange(true)) return;
  // Other threads run on while exit() destroys what they use, and may crash because of that.
  unreported = BecomeReporter();
  StopWaitingForReaders();
  const CallPlace* place = PlaceOf(0, reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)));
  SignalSafeLine line(CurrentLogFormat(), "SH-0346", "a plugin ended the process with exit()");
  if (place != nullptr) AddPlace(line, *place);
  const std::string text = line.text();
  FlushLog();
  WriteAsLastLine(line);
  unreported = false;
  if (place != nullptr) ReportToDatabase(*place, text.c_str());
  _exit(SUMMA_E_INTERNAL);
}

}  // namespace

void WatchForCrashes() {
  struct sigaction action {};
  action.sa_sigaction = OnFatalSignal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigfillset(&action.sa_mask);
  for (const int signal : kFatal) {
    struct sigaction before {};
    // A sanitizer has its own handlers.
    if (sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_DFL) {
      sigaction(signal, &action, nullptr);
    }
  }
  std::set_terminate(OnUncaught);
  exit_expected = false;
  WatchForExit();
}

void WatchForExit() {
  std::atexit(OnExit);
  std::at_quick_exit(OnExit);
}

void ExpectExit() { exit_expected = true; }

void PrepareCrashReport(const DatabaseSettings& ledger, const std::string& host,
                        const std::string& holder) {
  // A thread that crashes may be reading any of them.
  static auto* const heads = new std::set<std::string>;
  std::string head;
  for (const std::string& text : {NewestUrl(ledger.url), ledger.schema, host, holder}) {
    head.append(text).push_back('\0');
  }
  if (head.size() < kMaxReport) report_head = &*heads->insert(std::move(head)).first;
}

int ReportCrash() {
  std::string input;
  char buffer[4096];
  for (ssize_t size;
       input.size() < 4 * kMaxReport && (size = read(STDIN_FILENO, buffer, sizeof buffer)) > 0;) {
    input.append(buffer, static_cast<std::size_t>(size));
  }
  std::vector<std::string> texts;
  for (std::size_t at = 0, end; (end = input.find('\0', at)) != std::string::npos; at = end + 1) {
    texts.push_back(input.substr(at, end - at));
  }
  constexpr std::size_t kTexts = 6;
  if (texts.size() != kTexts) return 64;
  DatabaseSettings ledger;
  ledger.url = texts[0];
  ledger.schema = texts[1];
  ledger.application_name = "summa-host/" + texts[2];
  try {
    FleetOrders(ledger).Crashed(texts[4], texts[2], texts[3], texts[5]);
    return 0;
  } catch (const Failure& failure) {
    LogError(LogLevel::kWarn, failure.error(), {{"worker", texts[4]}});
    FlushLog();
    return ExitCode(failure.error());
  }
}

}  // namespace summa::host

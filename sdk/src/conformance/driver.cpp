#include "driver.hpp"

#include <summa/abi/activity.h>
#include <summa/abi/bus.h>
#include <summa/abi/command.h>
#include <summa/abi/endpoint.h>
#include <summa/abi/health.h>
#include <summa/abi/projection.h>
#include <summa/abi/reload.h>
#include <summa/abi/schema.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include <summa/error.hpp>
#include "foreign_table.hpp"
#include "json_text.hpp"

namespace summa::conformance {
namespace {

using std::chrono::microseconds;

// More lines in one call are not for people.
constexpr std::ptrdiff_t kMostLines = 50;
constexpr const char* kErrors = "every failure fills summa_error; see summa/abi/plugin.h";
constexpr unsigned char kCanary = 0xC7;

bool IsStatus(std::int32_t status) {
  for (const std::int32_t known :
       {SUMMA_OK, SUMMA_E_FINDING, SUMMA_E_USAGE, SUMMA_E_DATA, SUMMA_E_NOT_FOUND,
        SUMMA_E_UNAVAILABLE, SUMMA_E_INTERNAL, SUMMA_E_TRY_LATER, SUMMA_E_DENIED, SUMMA_E_CONFIG,
        SUMMA_E_FENCED, SUMMA_E_CANCELLED}) {
    if (status == known) return true;
  }
  return false;
}

std::string NameOfThread(int id) {
  std::ifstream file("/proc/self/task/" + std::to_string(id) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

std::string Cut(std::string_view text, std::size_t most) {
  return std::string(text.substr(0, most)) + (text.size() > most ? "..." : "");
}

}  // namespace

std::string_view ToText(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPassed:
      return "passed";
    case Outcome::kFailed:
      return "failed";
    case Outcome::kUnable:
      return "unable";
    case Outcome::kSkipped:
      return "skipped";
  }
  return "unknown";
}

std::string Result::Text() const {
  std::string text = check + ": " + std::string(ToText(outcome));
  if (!found.empty()) text += ": " + found;
  if (!expected.empty()) text += ". Expected: " + expected;
  return text;
}

void StopSwitch::Stop() {
  {
    const MutexLock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
}

bool StopSwitch::Told() {
  if (stop_) return true;
  if (lease_ == nullptr || !lease_->lost()) return false;
  lease_->TellThisThread();
  return true;
}

bool StopSwitch::Asked() {
  {
    const MutexLock lock(mutex_);
    ++questions_;
  }
  changed_.notify_all();
  return Told();
}

// Shorter than asked for, so that a check does not last: "up to this long" allows it.
bool StopSwitch::Wait(std::int64_t microseconds_asked) {
  constexpr microseconds kLongest = std::chrono::milliseconds(20);
  if (Asked()) return true;
  MutexLock lock(mutex_);
  changed_.wait_for(lock, std::clamp(microseconds(microseconds_asked), microseconds(0), kLongest),
                    [this] { return stop_.load(); });
  lock.unlock();
  return Told();
}

void StopSwitch::AwaitQuestion(microseconds most) {
  MutexLock lock(mutex_);
  changed_.wait_for(lock, most, [this]() SUMMA_REQUIRES(mutex_) { return questions_ > 0; });
}

// What a call uses; stays when it does not return.
struct Driver::CallState {
  std::string name;
  Function function;
  alignas(summa_error) unsigned char error_memory[sizeof(summa_error) + 64];
  std::uint32_t error_size = 0;
  std::int32_t status = SUMMA_OK;
  std::optional<std::string> thrown;

  // The caller is older, without a hint, or newer, with something behind it.
  CallState(std::string call, Function what, Sizes sizes)
      : name(std::move(call)), function(std::move(what)) {
    error_size = sizes == Sizes::kLarger ? sizeof error_memory
                                         : static_cast<std::uint32_t>(offsetof(summa_error, hint));
    std::memset(error_memory, kCanary, sizeof error_memory);
    std::memset(error_memory, 0, std::min<std::size_t>(error_size, sizeof(summa_error)));
    error()->struct_size = error_size;
  }
  summa_error* error() { return reinterpret_cast<summa_error*>(error_memory); }
  void Run() noexcept {
    try {
      try {
        status = function(error());
        return;
      } catch (const std::exception& exception) {
        thrown = exception.what();
      } catch (...) {
        thrown = "of an unknown kind";
      }
    } catch (...) {
      thrown.emplace();
    }
  }
  bool wrote_behind() const {
    const std::size_t behind = std::min<std::size_t>(error_size, sizeof error_memory);
    for (std::size_t i = behind; i < sizeof error_memory; ++i) {
      if (error_memory[i] != kCanary) return true;
    }
    return false;
  }
  template <std::size_t kSize>
  static std::optional<std::string> Field(const char (&field)[kSize]) {
    const void* end = std::memchr(field, '\0', kSize);
    if (end == nullptr) return std::nullopt;
    return std::string(field);
  }
};

Driver::Driver(std::string_view check, const Subject& subject, Observer& observer, Sizes sizes)
    : check_(check),
      subject_(subject),
      observer_(observer),
      sizes_(sizes),
      before_(subject.before ? *subject.before : LookAround()),
      thread_(std::make_unique<CallingThread>()) {
  int own = 0;
  thread_->Begin([&own] { own = gettid(); });
  thread_->Await(std::chrono::hours(1));
  before_.threads.insert(own);
  host_ = std::make_unique<WatchedHost>(subject_, sizes_, [this](const std::string& defect) {
    std::string during;
    {
      const MutexLock lock(mutex_);
      if (call_) during = call_->name + ": ";
    }
    Fail(during + defect, "what summa/abi/plugin.h and the header of the service allow");
  });
}

Driver::~Driver() = default;

void Driver::Say(Outcome outcome, const std::string& found, const std::string& expected) {
  {
    const MutexLock lock(mutex_);
    if (!said_.insert(found).second) return;
  }
  observer_.Finds({check_, outcome, found, expected});
}
void Driver::Fail(const std::string& found, const std::string& expected) {
  Say(Outcome::kFailed, found, expected);
}
void Driver::Unable(const std::string& found, const std::string& expected) {
  Say(Outcome::kUnable, found, expected);
}
void Driver::Skip(const std::string& found) { Say(Outcome::kSkipped, found, ""); }
bool Driver::silent() const {
  const MutexLock lock(mutex_);
  return said_.empty();
}

void Driver::Begin(const std::string& name, const Function& function) {
  observer_.Begins(name);
  auto call = std::make_shared<CallState>(name, function, sizes_);
  {
    const MutexLock lock(mutex_);
    call_ = call;
  }
  thread_->Begin([call] { call->Run(); });
}

Answer Driver::Await(const std::function<void()>& told) {
  const std::shared_ptr<CallState> call = call_;
  bool returned = thread_->Await(deadline());
  if (!returned && told) {
    told();
    returned = thread_->Await(deadline());
  }
  if (!returned) {
    Fail(call->name + ": has not returned " + (told ? "after it was told to stop" : "in time"),
         "it returns within " +
             std::to_string(
                 std::chrono::duration_cast<std::chrono::milliseconds>(deadline()).count()) +
             " ms");
    throw Stuck();
  }
  const Answer answer = Judge(*call);
  JudgeLog(call->name);
  return answer;
}

bool Driver::Returned(microseconds time) { return thread_->Await(time); }

std::shared_ptr<LentConfig> Driver::LendConfig(const char* what) const {
  return std::make_shared<LentConfig>(subject_.config, what, sizes_);
}

Answer Driver::Call(const std::string& name, const Function& function,
                    const std::function<void()>& told) {
  Begin(name, function);
  return Await(told);
}

Answer Driver::Judge(const CallState& call) {
  if (call.thrown) {
    Fail(call.name + ": threw an exception across the boundary: " + Cut(*call.thrown, 200),
         "no exception leaves a function of the ABI; <summa/plugin.hpp> catches all");
    throw Broken();
  }
  Answer answer;
  answer.status = call.status;
  if (!IsStatus(call.status)) {
    Fail(call.name + ": returned " + std::to_string(call.status) + ", which is no summa_status",
         "SUMMA_OK or one of SUMMA_E_*");
  } else if (call.status != SUMMA_OK && call.status != SUMMA_E_FINDING) {
    const auto& error = *reinterpret_cast<const summa_error*>(call.error_memory);
    answer.code = CallState::Field(error.code).value_or("");
    answer.message = CallState::Field(error.message).value_or("");
    JudgeError(call, answer);
  }
  if (call.wrote_behind()) {
    Fail(call.name + ": wrote behind the summa_error of " + std::to_string(call.error_size) +
             " bytes that it was given",
         "only fields within struct_size are filled: the caller may know fewer");
  }
  return answer;
}

void Driver::JudgeError(const CallState& call, const Answer& answer) {
  const auto& error = *reinterpret_cast<const summa_error*>(call.error_memory);
  if (!CallState::Field(error.code) || !CallState::Field(error.sqlstate) ||
      !CallState::Field(error.message)) {
    Fail(call.name + ": a text of its summa_error does not end with NUL", kErrors);
    return;
  }
  if (answer.message.empty()) {
    Fail(call.name + ": failed (status " + std::to_string(answer.status) + ") without a message",
         kErrors);
  }
  if (!IsUtf8(answer.message)) Fail(call.name + ": its message is not UTF-8", kErrors);
  if (!answer.code.empty() && !IsCode(answer.code)) {
    Fail(call.name + ": \"" + Cut(answer.code, 16) + "\" is no stable code", "as in SH-0501");
  } else if (!answer.code.empty() && !answer.code.starts_with("SH-") && subject_.declared &&
             !subject_.declared->codes.contains(answer.code)) {
    Fail(call.name + ": the code " + answer.code + " is not under `errors` of its manifest",
         "every code of the plugin can be explained");
  }
  if (answer.status == SUMMA_E_INTERNAL) {
    Fail(call.name + ": reported a defect: " + answer.message,
         "SUMMA_E_INTERNAL, and every exception but summa::Error, says that the plugin is wrong");
  }
}

void Driver::JudgeLog(const std::string& call) {
  const std::vector<testkit::LoggedLine> lines = host_->NewLines();
  const auto for_people = std::count_if(
      lines.begin(), lines.end(), [](const auto& line) { return line.level >= SUMMA_LOG_INFO; });
  if (for_people > kMostLines) {
    Fail(call + ": logged " + std::to_string(for_people) + " lines",
         "at most " + std::to_string(kMostLines) + " in one call: what people read");
  }
  for (const testkit::LoggedLine& line : lines) {
    bool texts = IsUtf8(line.message);
    for (const auto& [name, value] : line.fields) texts = texts && IsUtf8(name) && IsUtf8(value);
    if (!texts) Fail(call + ": logged a text that is not UTF-8", "texts of the ABI are UTF-8");
    if (line.code.empty() || line.code.starts_with("SH-")) continue;
    if (!IsCode(line.code)) {
      Fail(call + ": logged with \"" + Cut(line.code, 20) + "\", which is no stable code",
           "as in SH-0501");
    } else if (subject_.declared && !subject_.declared->codes.contains(line.code)) {
      Fail(call + ": logged with the code " + line.code +
               ", which is not under `errors` of its manifest",
           "every code of the plugin can be explained");
    }
  }
}

void Driver::Create() {
  const auto created = std::make_shared<summa_plugin*>(nullptr);
  const Answer answer = Call(
      "create()", [entry = subject_.entry, host = host_->table(), created](summa_error* error) {
        return entry->create(host, created.get(), error);
      });
  plugin_ = *created;
  if (answer.status != SUMMA_OK) {
    if (plugin_ != nullptr) {
      Fail("create(): failed and gave a plugin", "*out stays NULL when create() fails");
    }
    Unable("create(): " + answer.message, "a plugin that can be created");
    throw Broken();
  }
  if (plugin_ == nullptr || plugin_->struct_size < sizeof(summa_plugin) ||
      plugin_->configure == nullptr || plugin_->start == nullptr ||
      plugin_->get_extension == nullptr || plugin_->stop == nullptr ||
      plugin_->destroy == nullptr) {
    Fail("create(): succeeded and gave no complete summa_plugin",
         "a table of " + std::to_string(sizeof(summa_plugin)) + " bytes with every function");
    throw Broken();
  }
  CheckBehind("summa_plugin", plugin_, sizeof(summa_plugin));
}

void Driver::Configure() {
  host_->SetPhase(Phase::kConfigure);
  const auto config = LendConfig("the configuration of configure(), after configure()");
  const Answer answer = Call("configure()", [plugin = plugin_, config](summa_error* error) {
    return plugin->configure(plugin->self, config->table(), error);
  });
  config->Revoke();
  if (answer.status != SUMMA_OK) {
    Unable("configure(): " + answer.message, "a configuration that it accepts");
    throw Broken();
  }
  host_->SetPhase(Phase::kRun);
  CheckExtensions();
}

const void* Driver::Extension(const char* id) {
  const auto known = extensions_.find(id);
  if (known != extensions_.end()) return known->second;
  const auto answers = std::make_shared<std::pair<const void*, const void*>>();
  Call("get_extension(" + std::string(id) + ")",
       [plugin = plugin_, name = std::string(id), answers](summa_error*) {
         answers->first = plugin->get_extension(plugin->self, name.c_str());
         answers->second = plugin->get_extension(plugin->self, name.c_str());
         return SUMMA_OK;
       });
  if (answers->first != answers->second) {
    Fail("get_extension(" + std::string(id) + "): gives another table each time",
         "what it gives is valid until destroy()");
  }
  extensions_[id] = answers->first;
  if (answers->first != nullptr) CheckTable(id, answers->first);
  return answers->first;
}

void Driver::CheckExtensions() {
  extensions_.clear();
  if (Extension("no.such.extension/1") != nullptr) {
    Fail("get_extension(): gives a table for an extension that nobody knows",
         "NULL for what it does not have");
  }
  for (const char* id :
       {SUMMA_WORKER_V1, SUMMA_ACTIVITY_V1, SUMMA_RELOAD_V1, SUMMA_COMMAND_V1, SUMMA_ENDPOINT_V1,
        SUMMA_STATUS_V1, SUMMA_HEALTH_V1, SUMMA_PROJECTION_V1, SUMMA_BUS_V1}) {
    Extension(id);
  }
  if (subject_.declared) CheckPromises();
}

void Driver::CheckTable(const std::string& id, const void* table) {
  const TableProblem problem = ProblemOfTable(id, table);
  if (!problem.text.empty()) {
    Fail("get_extension(" + id + "): " + problem.text, "the table of its header, complete");
    if (problem.unusable) throw Broken();
  }
  if (id == SUMMA_WORKER_V1) {
    const auto* workers = static_cast<const summa_worker_v1*>(table);
    for (std::uint32_t i = 0; i < workers->worker_count; ++i) {
      CheckBehind("summa_worker", workers->workers[i], sizeof(summa_worker));
    }
  }
}

void Driver::CheckBehind(const std::string& what, const void* table, std::uint32_t known) {
  const std::string problem = ProblemBehind(table, known);
  if (problem.empty()) return;
  Fail("its " + what + " " + problem,
       "struct_size is the size of the struct that is there, and what is not used in it is 0");
}

void Driver::CheckPromises() {
  const Declared& declared = *subject_.declared;
  std::vector<std::string> promised = declared.extensions;
  promised.insert(promised.end(), declared.provides.begin(), declared.provides.end());
  std::erase(promised, SUMMA_SCHEMA_V1);  // has no table
  for (const std::string& id : promised) {
    if (Extension(id.c_str()) != nullptr) continue;
    Fail("the manifest declares " + id + ", and the plugin has none", "what it declares is there");
  }
  std::vector<std::string> names, found;
  for (const DeclaredWorker& each : declared.workers) names.push_back(each.id);
  for (const WorkerOfPlugin& each : Workers()) found.emplace_back(FromAbi(each.worker->id));
  CheckNames("worker", names, found);
  names.clear();
  found.clear();
  for (const DeclaredRoute& each : declared.routes) names.push_back(each.method + " " + each.path);
  if (const auto* routes = Table<summa_endpoint_v1>(SUMMA_ENDPOINT_V1)) {
    for (std::uint32_t i = 0; i < routes->route_count; ++i) {
      found.push_back(std::string(FromAbi(routes->routes[i]->method)) + " " +
                      std::string(FromAbi(routes->routes[i]->path)));
    }
  }
  CheckNames("route", names, found);
}

void Driver::CheckNames(const std::string& what, std::vector<std::string> declared,
                        std::vector<std::string> found) {
  std::sort(declared.begin(), declared.end());
  std::sort(found.begin(), found.end());
  std::vector<std::string> missing, extra;
  std::set_difference(declared.begin(), declared.end(), found.begin(), found.end(),
                      std::back_inserter(missing));
  std::set_difference(found.begin(), found.end(), declared.begin(), declared.end(),
                      std::back_inserter(extra));
  for (const std::string& name : missing) {
    Fail("the manifest declares the " + what + " \"" + name + "\", and the plugin has none",
         "what it declares is there, once");
  }
  for (const std::string& name : extra) {
    Fail("its " + what + " \"" + name + "\" is not in the manifest, or is there twice",
         "what is there is declared");
  }
}

std::vector<Driver::WorkerOfPlugin> Driver::Workers() {
  std::vector<WorkerOfPlugin> workers;
  const auto* table = Table<summa_worker_v1>(SUMMA_WORKER_V1);
  for (std::uint32_t i = 0; table != nullptr && i < table->worker_count; ++i) {
    WorkerOfPlugin each{table->workers[i], true};
    if (subject_.declared) {
      for (const DeclaredWorker& declared : subject_.declared->workers) {
        if (declared.id == FromAbi(each.worker->id)) each.lease = declared.lease;
      }
    }
    workers.push_back(each);
  }
  return workers;
}

Answer Driver::Start() {
  return Call("start()", [plugin = plugin_](summa_error* error) {
    return plugin->start(plugin->self, error);
  });
}

bool Driver::StartUp() {
  Create();
  Configure();
  const Answer started = Start();
  if (started.status == SUMMA_OK) return true;
  Unable(
      "start(): " + started.message,
      "what it needs is there; give its configuration with -c where the defaults are not enough");
  ShutDown();
  return false;
}

void Driver::Stop() {
  const Answer answer = Call("stop()", [plugin = plugin_](summa_error* error) {
    return plugin->stop(plugin->self, error);
  });
  if (answer.status != SUMMA_OK) {
    Fail("stop(): failed: " + answer.message, "it stops, whatever the state of the world is");
  }
  CheckTaskEnds("after stop()");
}

void Driver::Destroy() {
  Call("destroy()", [plugin = plugin_](summa_error*) {
    plugin->destroy(plugin->self);
    return SUMMA_OK;
  });
  plugin_ = nullptr;
  host_->SetPhase(Phase::kDestroyed);
  CheckTaskEnds("after destroy()");
  CheckSurroundings();
  CheckMetrics();
  for (const std::string& where : host_->sql().LeftOpen("")) {
    Fail("destroy(): a session of " + where + " is still open",
         "sessions are closed before the end");
  }
  if (const std::size_t results = host_->sql().unfreed_results(); results > 0) {
    Fail("destroy(): " + std::to_string(results) + " results of statements were not freed",
         "free_result() for each result that exec() gave");
  }
  host_->Revoke();
  thread_.reset();
}

// A thread that was joined may be seen for a moment longer. One that stays is found by every check,
// so none waits long for it.
void Driver::CheckTaskEnds(const std::string& when) {
  if (threads_left_) return;  // said, and nothing ends them
  constexpr std::chrono::milliseconds kPause{5};
  constexpr std::chrono::seconds kMoment{10};
  const auto end =
      std::chrono::steady_clock::now() + std::min<std::chrono::nanoseconds>(deadline(), kMoment);
  std::string names;
  std::size_t count = 0;
  for (;;) {
    names.clear();
    count = 0;
    for (const int id : LookAround().threads) {
      if (before_.threads.contains(id)) continue;
      names += (names.empty() ? "" : ", ") + NameOfThread(id);
      ++count;
    }
    if (count == 0) return;
    if (std::chrono::steady_clock::now() >= end) break;
    std::this_thread::sleep_for(kPause);
  }
  threads_left_ = true;
  Fail(when + ": " + std::to_string(count) + " threads of the plugin still run (" + names + ")",
       "no thread outlives stop()");
}

void Driver::CheckSurroundings() {
  const Surroundings now = LookAround();
  for (std::size_t i = 1; i < now.signal_handlers.size(); ++i) {
    if (now.signal_handlers[i] == before_.signal_handlers[i]) continue;
    Fail("it changed the handler of signal " + std::to_string(i) + " (" +
             strsignal(static_cast<int>(i)) + ")",
         "signals belong to the host");
  }
  if (now.directory != before_.directory) {
    Fail("it changed the working directory to " + now.directory, "that belongs to the host");
  }
  if (now.locale != before_.locale) {
    Fail("it changed the locale of the process to " + now.locale, "that belongs to the host");
  }
}

void Driver::CheckMetrics() {
  if (!subject_.declared) return;
  for (const testkit::RecordedMetric& metric : host_->Metrics()) {
    if (subject_.declared->metrics.contains(metric.name)) continue;
    Fail("it uses the metric " + metric.name + ", which is not under `metrics` of its manifest",
         "the host refuses what is not declared (SH-0356)");
  }
}

namespace {

// One tick as the plugin sees it, in memory that ends with it.
struct LentTick {
  LentTick(Driver& driver, const Driver::WorkerOfPlugin& worker, std::shared_ptr<StopSwitch> given,
           std::shared_ptr<WatchedLease> held, std::uint32_t flags, std::int64_t fence)
      : stop(std::move(given)),
        lease(std::move(held)),
        memory("what a tick lends, after the tick", driver.sizes()) {
    opened_in = "the worker \"" + std::string(FromAbi(worker.worker->id)) + "\"";
    summa_tick tick{};
    tick.flags = flags;
    tick.self = stop.get();
    tick.worker_id = memory.Text(FromAbi(worker.worker->id));
    tick.fence = worker.lease ? fence : 0;
    tick.sql = driver.host().sql().Lend(memory, opened_in, lease.get());
    tick.should_stop = [](const summa_tick* called) -> std::int32_t {
      return static_cast<StopSwitch*>(called->self)->Asked() ? 1 : 0;
    };
    tick.wait = [](const summa_tick* called, std::int64_t microseconds_asked) -> std::int32_t {
      return static_cast<StopSwitch*>(called->self)->Wait(microseconds_asked) ? 1 : 0;
    };
    abi = memory.Struct(tick);
    summa_tick_result empty{};
    empty.wait_hint_microseconds = -1;
    result = memory.Struct(empty);
  }
  const std::shared_ptr<StopSwitch> stop;
  const std::shared_ptr<WatchedLease> lease;
  LentMemory memory;
  std::string opened_in;
  const summa_tick* abi = nullptr;
  summa_tick_result* result = nullptr;
};

}  // namespace

Driver::Ticked Driver::Tick(const WorkerOfPlugin& worker, const std::shared_ptr<StopSwitch>& stop,
                            const std::shared_ptr<WatchedLease>& lease, std::uint32_t flags,
                            const std::function<void()>& meanwhile) {
  const auto tick = std::make_shared<LentTick>(*this, worker, stop, lease, flags, ++fence_);
  const std::string name = tick->opened_in;
  host_->SetCurrentLease(lease.get());
  Begin(name, [worker, tick](summa_error* error) {
    return worker.worker->tick(worker.worker->self, tick->abi, tick->result, error);
  });
  if (meanwhile) meanwhile();
  Ticked done{Await([&stop] { stop->Stop(); }), *tick->result};
  host_->SetCurrentLease(nullptr);
  for (const std::string& where : host_->sql().LeftOpen(name)) {
    Fail(where + ": left a session open when its tick returned", "sessions end with the tick");
  }
  if (done.answer.status == SUMMA_OK && done.result.items < 0) {
    Fail(name + ": did " + std::to_string(done.result.items) + " items", "0 or more");
  }
  tick->memory.Revoke();
  return done;
}

}  // namespace summa::conformance

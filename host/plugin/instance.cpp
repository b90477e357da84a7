#include "host/plugin/instance.hpp"

#include <summa/abi/schema.h>

#include <exception>
#include <utility>

#include "host/abi/abi_text.hpp"
#include "host/abi/foreign_text.hpp"
#include "host/config/schema.hpp"
#include "host/find.hpp"
#include "host/observe/log.hpp"
#include "host/plugin/config_view.hpp"
#include "host/plugin/extension_table.hpp"
#include "host/plugin/loader.hpp"

namespace summa::host {
namespace {

// A call that takes longer is named in the log; those up to start() take far less.
constexpr Microseconds kNamedAfter = std::chrono::seconds(5);
// How often a wait looks at its limits.
constexpr Microseconds kPollInterval = std::chrono::milliseconds(20);

constexpr std::size_t kMaxKeyText = 512;     // of the configuration
constexpr std::size_t kMaxThrownText = 512;  // as much as summa_error holds

std::string Named(const Manifest& manifest) { return "plugin \"" + manifest.id + "\""; }

std::string ReportTo(const Manifest& manifest) {
  std::string to = "This is a defect of the plugin; report it to ";
  if (!manifest.url.empty()) return to + manifest.url;
  return to + (manifest.vendor.empty() ? "its author" : manifest.vendor);
}

}  // namespace

std::string_view ToText(PluginState state) {
  switch (state) {
    case PluginState::kDiscovered:
      return "discovered";
    case PluginState::kInspected:
      return "inspected";
    case PluginState::kRefused:
      return "refused";
    case PluginState::kLoaded:
      return "loaded";
    case PluginState::kCreated:
      return "created";
    case PluginState::kConfigured:
      return "configured";
    case PluginState::kStarted:
      return "started";
    case PluginState::kFailed:
      return "failed";
    case PluginState::kStopped:
      return "stopped";
  }
  return "unknown";
}

Error FromPlugin(const Manifest& manifest, std::string_view call, std::int32_t status,
                 const summa_error& error) {
  const std::string message = CleanField(error.message);
  std::string code = CleanCode(error.code);
  std::string hint = CleanField(error.hint);
  const std::string named = Named(manifest) + ": " + std::string(call);
  if (message.empty()) {
    return {"SH-0111",
            named + " reported a failure without a message (status " + std::to_string(status) + ")",
            ReportTo(manifest), "", SUMMA_E_INTERNAL};
  }
  std::string sqlstate = CleanField(error.sqlstate);
  const std::string detail = sqlstate.empty() ? "" : " (SQLSTATE " + sqlstate + ")";
  if (code.empty()) code = "SH-0126";
  if (hint.empty() && status == SUMMA_E_INTERNAL) hint = ReportTo(manifest);
  return {std::move(code),     named + " failed: " + message + detail,
          std::move(hint),     "",
          CleanStatus(status), std::move(sqlstate)};
}

PluginInstance::PluginInstance(PluginFile file, CallLimits limits)
    : file_(std::move(file)),
      limits_(std::move(limits)),
      state_(file_.manifest ? PluginState::kInspected : PluginState::kDiscovered) {
  if (!file_.refusals.empty()) {
    state_ = PluginState::kRefused;
    error_ = file_.refusals.front();
  }
}

PluginInstance::~PluginInstance() { Destroy(); }

void PluginInstance::Destroy() noexcept {
  if (plugin_ == nullptr || lost_) return;
  try {
    Stop();
    if (lost_) return;
    configured_ = false;
    TryCall("destroy()", limits_.end(), [plugin = plugin_](summa_error*) {
      plugin->destroy(plugin->self);
      return SUMMA_OK;
    });
    plugin_ = nullptr;
  } catch (const std::exception&) {
    // There is no caller to report to; the reason is kept in error().
  }
}

PluginState PluginInstance::state() const {
  const MutexLock lock(mutex_);
  return state_;
}

std::optional<Error> PluginInstance::error() const {
  const MutexLock lock(mutex_);
  return error_;
}

void PluginInstance::SetState(PluginState state) {
  const MutexLock lock(mutex_);
  state_ = state;
}

void PluginInstance::Refuse(Error error) {
  const MutexLock lock(mutex_);
  state_ = PluginState::kRefused;
  error_ = std::move(error);
}

void PluginInstance::Fail(Error error) {
  if (error.where.empty()) error.where = file_.path;
  {
    const MutexLock lock(mutex_);
    state_ = PluginState::kFailed;
    error_ = error;
  }
  throw Failure(std::move(error));
}

void PluginInstance::BrokenPromise(const std::string& problem) {
  Fail({"SH-0123", Named(manifest()) + ": " + problem, ReportTo(manifest()), ""});
}

bool PluginInstance::KeepWaiting(const std::string& name, Microseconds longest,
                                 Microseconds elapsed, std::optional<Microseconds>& told_to_stop,
                                 bool& named) const {
  if (longest.count() > 0 && elapsed >= kNamedAfter && !std::exchange(named, true)) {
    Log(LogLevel::kWarn, "SH-0127", "a call of a plugin is taking a long time",
        {{"plugin", id()}, {"call", name}, {"limit", FormatDuration(longest.count())}});
  }
  if (longest.count() > 0 && elapsed >= longest) return false;
  if (!limits_.stopping || !limits_.stopping()) return true;
  if (!told_to_stop) told_to_stop = elapsed;
  return elapsed - *told_to_stop < limits_.end();
}

void PluginInstance::GiveUp(const std::string& name, Microseconds elapsed) {
  lost_ = true;
  CallThread::GiveUp();
  Error error{"SH-0128",
              Named(manifest()) + ": " + name + " has not returned after " +
                  std::to_string(elapsed.count() / 1000) + " ms and was given up",
              ReportTo(manifest()), file_.path};
  LogError(LogLevel::kError, error, {{"plugin", id()}, {"call", name}});
  const MutexLock lock(mutex_);
  state_ = PluginState::kFailed;
  error_ = std::move(error);
}

CallAnswer PluginInstance::TryCall(const std::string& name, Microseconds longest,
                                   Function function) {
  if (lost_) throw Failure(*error());
  const auto answer = std::make_shared<CallAnswer>();
  const BootTime begin = SystemClock().BootNow();
  thread_.Begin([answer, name, plugin = id(), function = std::move(function)] {
    *answer = CallPlugin(plugin, name, {}, function);
  });
  std::optional<Microseconds> told_to_stop;
  bool named = false;
  while (!thread_.WaitUntilIdle(kPollInterval)) {
    const Microseconds elapsed = SystemClock().BootNow() - begin;
    if (KeepWaiting(name, longest, elapsed, told_to_stop, named)) continue;
    GiveUp(name, elapsed);
    return {};
  }
  if (named) {
    const Microseconds elapsed = SystemClock().BootNow() - begin;
    Log(LogLevel::kInfo, "", "a call of a plugin that took a long time has returned",
        {{"plugin", id()},
         {"call", name},
         {"milliseconds", std::to_string(elapsed.count() / 1000)}});
  }
  return *answer;
}

std::optional<Error> PluginInstance::ErrorOf(const std::string& name,
                                             const CallAnswer& answer) const {
  if (answer.thrown) {
    return Error{"SH-0124",
                 Named(manifest()) + ": " + name + " threw an exception across the C boundary" +
                     CleanText(*answer.thrown, kMaxThrownText),
                 ReportTo(manifest()), ""};
  }
  if (answer.status == SUMMA_OK) return std::nullopt;
  return FromPlugin(manifest(), name, answer.status, answer.error);
}

void PluginInstance::Call(const std::string& name, Microseconds longest, Function function) {
  const CallAnswer answer = TryCall(name, longest, std::move(function));
  if (!answer.returned) throw Failure(*error());
  if (std::optional<Error> error = ErrorOf(name, answer)) Fail(*std::move(error));
}

void PluginInstance::Load() {
  if (const auto refusal = error()) throw Failure(*refusal);
  struct Loaded {
    const summa_entry* entry = nullptr;
    std::optional<Error> error;
  };
  const auto loaded = std::make_shared<Loaded>();
  // Constructors of its static objects are code of the plugin, too.
  Call("the loading of its file", limits_.start, [loaded, file = file_](summa_error*) {
    try {
      loaded->entry = &LoadPlugin(file);
    } catch (const Failure& failure) {
      loaded->error = failure.error();
    }
    return SUMMA_OK;
  });
  if (loaded->error) Fail(*loaded->error);
  entry_ = loaded->entry;
  SetState(PluginState::kLoaded);
}

void PluginInstance::Create(const summa_host* host) {
  const auto created = std::make_shared<summa_plugin*>(nullptr);
  Call("create()", limits_.start, [entry = entry_, host, created](summa_error* error) {
    return entry->create(host, created.get(), error);
  });
  plugin_ = *created;
  try {
    CheckTable();
  } catch (...) {
    plugin_ = nullptr;  // what it points to cannot be called, not even to destroy it
    throw;
  }
  SetState(PluginState::kCreated);
}

void PluginInstance::CheckTable() {
  std::string problem;
  if (plugin_ == nullptr) {
    problem = "create() reported success, but gave no plugin";
  } else if (plugin_->struct_size < sizeof(summa_plugin)) {
    problem = "create() gave a summa_plugin of " + std::to_string(plugin_->struct_size) +
              " bytes, needed at least " + std::to_string(sizeof(summa_plugin));
  } else if (plugin_->configure == nullptr || plugin_->start == nullptr ||
             plugin_->get_extension == nullptr || plugin_->stop == nullptr ||
             plugin_->destroy == nullptr) {
    problem = "create() gave a summa_plugin with a function missing";
  }
  if (problem.empty()) return;
  Fail({"SH-0122", Named(manifest()) + ": " + problem, ReportTo(manifest()), ""});
}

void PluginInstance::Configure(const summa_config* config) {
  Call("configure()", limits_.start, [plugin = plugin_, config](summa_error* error) {
    return plugin->configure(plugin->self, config, error);
  });
  ReadExtensions();
  CheckPromises();
  configured_ = true;
  SetState(PluginState::kConfigured);
}

// Everything that may be needed later: get_extension() is code of the plugin, and its answers stay
// valid.
void PluginInstance::ReadExtensions() {
  std::vector<std::string> ids = manifest().extensions;
  ids.insert(ids.end(), manifest().provides.begin(), manifest().provides.end());
  std::erase(ids, SUMMA_SCHEMA_V1);  // has no functions
  for (const char* known : {SUMMA_WORKER_V1, SUMMA_ACTIVITY_V1, SUMMA_RELOAD_V1, SUMMA_COMMAND_V1,
                            SUMMA_ENDPOINT_V1, SUMMA_STATUS_V1, SUMMA_HEALTH_V1}) {
    ids.emplace_back(known);
  }
  for (const std::string& id : ids) {
    const auto answer = std::make_shared<const void*>(nullptr);
    Call("get_extension(" + id + ")", limits_.start, [plugin = plugin_, id, answer](summa_error*) {
      *answer = plugin->get_extension(plugin->self, id.c_str());
      return SUMMA_OK;
    });
    extensions_[id] = *answer;
  }
}

void PluginInstance::CheckPromises() {
  std::vector<std::string> promised = manifest().extensions;
  promised.insert(promised.end(), manifest().provides.begin(), manifest().provides.end());
  const auto has_none = [](const std::string& id) {
    return "the manifest declares " + id + ", but the plugin has none";
  };
  const auto lacks = [](const std::string& id, const std::string& function) {
    return "the function " + function + "() of its " + id + " is missing";
  };
  for (const auto& [id, table] : extensions_) {
    if (table == nullptr) {
      if (!Contains(promised, id)) continue;
      BrokenPromise(has_none(id));
    }
    if (const std::string missing = MissingFunction(id, table); !missing.empty()) {
      BrokenPromise(lacks(id, missing));
    }
  }
  CheckWorkers();
  CheckRoutes();
}

void PluginInstance::CheckWorkers() {
  if (manifest().workers.empty()) return;
  const auto* table = static_cast<const summa_worker_v1*>(extensions_[SUMMA_WORKER_V1]);
  if (table == nullptr || table->struct_size < sizeof(summa_worker_v1) ||
      (table->worker_count > 0 && table->workers == nullptr)) {
    BrokenPromise("its table of workers is incomplete");
  }
  std::vector<std::string> ids, declared;
  for (std::uint32_t i = 0; i < table->worker_count; ++i) {
    const summa_worker* worker = table->workers[i];
    if (worker == nullptr || worker->struct_size < sizeof(summa_worker) ||
        worker->tick == nullptr || worker->id.data == nullptr) {
      BrokenPromise("its worker number " + std::to_string(i) + " is incomplete");
    }
    ids.push_back(Copy(worker->id));
  }
  for (const WorkerDeclaration& each : manifest().workers) declared.push_back(each.id);
  CheckNames("worker", declared, std::move(ids));
}

void PluginInstance::CheckRoutes() {
  if (manifest().routes.empty()) return;
  const auto* table = static_cast<const summa_endpoint_v1*>(extensions_[SUMMA_ENDPOINT_V1]);
  if (table == nullptr || table->struct_size < sizeof(summa_endpoint_v1) ||
      (table->route_count > 0 && table->routes == nullptr)) {
    BrokenPromise("its table of routes is incomplete");
  }
  std::vector<std::string> names, declared;
  for (std::uint32_t i = 0; i < table->route_count; ++i) {
    const summa_route* route = table->routes[i];
    if (route == nullptr || route->struct_size < sizeof(summa_route) || route->handle == nullptr ||
        route->method.data == nullptr || route->path.data == nullptr) {
      BrokenPromise("its route number " + std::to_string(i) + " is incomplete");
    }
    names.push_back(Copy(route->method) + " " + Copy(route->path));
  }
  for (const RouteDeclaration& each : manifest().routes) declared.push_back(RouteName(each));
  CheckNames("route", declared, std::move(names));
}

void PluginInstance::CheckNames(const std::string& what, const std::vector<std::string>& declared,
                                std::vector<std::string> found) {
  const auto named = [&](const std::string& name) { return what + " \"" + name + "\""; };
  for (const std::string& name : declared) {
    const auto count = std::erase(found, name);
    if (count == 0) {
      BrokenPromise("the manifest declares the " + named(name) + ", but the plugin has none");
    }
    if (count > 1) BrokenPromise("it has the " + named(name) + " twice");
  }
  if (!found.empty())
    BrokenPromise("its " + what + " \"" + found.front() + "\" is not in the manifest");
}

void PluginInstance::Start() {
  if (start_called_) Stop();  // it failed, and is tried again
  start_called_ = true;
  Call("start()", limits_.start,
       [plugin = plugin_](summa_error* error) { return plugin->start(plugin->self, error); });
  const MutexLock lock(mutex_);
  state_ = PluginState::kStarted;
  error_.reset();
}

bool PluginInstance::Activate() {
  const auto* activity = Table<summa_activity_v1>(SUMMA_ACTIVITY_V1);
  if (activity == nullptr || activity->struct_size < sizeof *activity) return true;
  const std::string name = "activate()";
  active_ = true;
  const CallAnswer answer = TryCall(name, limits_.start, [activity](summa_error* error) {
    return activity->activate(activity->self, error);
  });
  if (!answer.returned) throw Failure(*error());
  std::optional<Error> error = ErrorOf(name, answer);
  const bool away = answer.status == SUMMA_E_UNAVAILABLE || answer.status == SUMMA_E_TRY_LATER;
  if (error && !away) Fail(*std::move(error));
  const MutexLock lock(mutex_);
  error_ = std::move(error);
  return !error_;
}

void PluginInstance::Deactivate() {
  if (!std::exchange(active_, false) || lost_) return;
  const auto* activity = Table<summa_activity_v1>(SUMMA_ACTIVITY_V1);
  Call("deactivate()", limits_.end(),
       [activity](summa_error* error) { return activity->deactivate(activity->self, error); });
}

std::vector<std::string> PluginInstance::Reload(const Value& config) {
  const auto* table = Table<summa_reload_v1>(SUMMA_RELOAD_V1);
  if (table == nullptr || table->struct_size < sizeof *table) return {};
  struct Call {
    explicit Call(const Value& given) : view(given) {}
    ConfigView view;
    std::vector<std::string> taken;
  };
  const auto call = std::make_shared<Call>(config);
  const std::string name = "reload()";
  const CallAnswer answer = TryCall(name, limits_.start, [table, call](summa_error* error) {
    return table->reload(
        table->self, call->view.abi(),
        [](void* result, summa_str key) {
          static_cast<Call*>(result)->taken.push_back(CleanLine({key.data, key.size}, kMaxKeyText));
        },
        call.get(), error);
  });
  if (!answer.returned) throw Failure(*error());
  if (std::optional<Error> error = ErrorOf(name, answer)) throw Failure(*std::move(error));
  return call->taken;
}

void PluginInstance::Stop() {
  if (!start_called_ || lost_) return;
  start_called_ = false;
  const bool was_failed = state() == PluginState::kFailed;
  const auto reason = error();
  try {
    Call("stop()", limits_.end(),
         [plugin = plugin_](summa_error* error) { return plugin->stop(plugin->self, error); });
  } catch (const Failure&) {
    if (!was_failed || lost_) throw;
    // The first failure explains more than what follows from it.
    const MutexLock lock(mutex_);
    error_ = reason;
    return;
  }
  if (!was_failed) SetState(PluginState::kStopped);
}

const void* PluginInstance::Extension(const std::string& id) const {
  // A plugin whose configure() failed may hold half-filled tables.
  if (!configured_) return nullptr;
  const auto found = extensions_.find(id);
  return found == extensions_.end() ? nullptr : found->second;
}

const summa_worker* PluginInstance::Worker(const std::string& id) const {
  const auto* table = Table<summa_worker_v1>(SUMMA_WORKER_V1);
  if (table == nullptr) return nullptr;
  for (std::uint32_t i = 0; i < table->worker_count; ++i) {
    const summa_worker* worker = table->workers[i];
    if (View(worker->id) == id) return worker;
  }
  return nullptr;
}

const summa_route* PluginInstance::Route(const std::string& method, const std::string& path) const {
  const auto* table = Table<summa_endpoint_v1>(SUMMA_ENDPOINT_V1);
  if (table == nullptr) return nullptr;
  for (std::uint32_t i = 0; i < table->route_count; ++i) {
    const summa_route* route = table->routes[i];
    if (View(route->method) == method && View(route->path) == path) return route;
  }
  return nullptr;
}

}  // namespace summa::host

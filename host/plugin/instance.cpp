#include "host/plugin/instance.hpp"

#include <algorithm>
#include <cstring>
#include <exception>

#include "host/config/text.hpp"
#include "host/plugin/loader.hpp"

namespace summa::host {
namespace {

std::string Named(const Manifest& manifest) { return "plugin \"" + manifest.id + "\""; }

// A text in a fixed field of a summa_error. The plugin may have forgotten the final zero, and what
// is no UTF-8 would break every JSON line that carries it.
template <std::size_t kSize>
std::string Field(const char (&field)[kSize]) {
  std::string text(field, strnlen(field, kSize));
  while (const auto place = FindInvalidUtf8(text)) text[*place] = '?';
  return text;
}

std::string ReportTo(const Manifest& manifest) {
  std::string to = "This is a defect of the plugin; report it to ";
  if (!manifest.url.empty()) return to + manifest.url;
  return to + (manifest.vendor.empty() ? "its author" : manifest.vendor);
}

// The exit code of a command that ends with this status (see summa_status).
int ExitCodeOf(std::int32_t status) {
  switch (status) {
    case SUMMA_E_FENCED:
    case SUMMA_E_CANCELLED:
      return SUMMA_E_TRY_LATER;
    case SUMMA_E_FINDING:
    case SUMMA_E_USAGE:
    case SUMMA_E_DATA:
    case SUMMA_E_NOT_FOUND:
    case SUMMA_E_UNAVAILABLE:
    case SUMMA_E_TRY_LATER:
    case SUMMA_E_DENIED:
    case SUMMA_E_CONFIG:
      return status;
    default:
      return SUMMA_E_INTERNAL;
  }
}

}  // namespace

std::string_view Word(PluginState state) {
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
  const std::string message = Field(error.message);
  std::string code = Field(error.code);
  std::string hint = Field(error.hint);
  const std::string named = Named(manifest) + ": " + std::string(call);
  if (message.empty()) {
    return {"SH-0111",
            named + " reported failure without a message (status " + std::to_string(status) + ")",
            ReportTo(manifest), "", SUMMA_E_INTERNAL};
  }
  const std::string sqlstate = Field(error.sqlstate);
  const std::string detail = sqlstate.empty() ? "" : " (SQLSTATE " + sqlstate + ")";
  if (code.empty()) code = "SH-0126";
  if (hint.empty() && status == SUMMA_E_INTERNAL) hint = ReportTo(manifest);
  return {std::move(code), named + " failed: " + message + detail, std::move(hint), "",
          ExitCodeOf(status)};
}

PluginInstance::PluginInstance(PluginFile file)
    : file_(std::move(file)),
      state_(file_.manifest ? PluginState::kInspected : PluginState::kDiscovered) {
  if (!file_.refusals.empty()) {
    state_ = PluginState::kRefused;
    error_ = file_.refusals.front();
  }
}

PluginInstance::~PluginInstance() {
  if (plugin_ == nullptr) return;
  try {
    Stop();
  } catch (const Failure&) {
    // The reason is kept in error(); destroy() follows in any case.
  }
  try {
    plugin_->destroy(plugin_->self);
  } catch (...) {
    // A destructor has nobody to tell; the plugin is gone either way.
  }
}

PluginState PluginInstance::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::optional<Error> PluginInstance::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

void PluginInstance::SetState(PluginState state) {
  const std::lock_guard lock(mutex_);
  state_ = state;
}

void PluginInstance::Refuse(Error error) {
  const std::lock_guard lock(mutex_);
  state_ = PluginState::kRefused;
  error_ = std::move(error);
}

void PluginInstance::Fail(Error error) {
  if (error.where.empty()) error.where = file_.path;
  {
    const std::lock_guard lock(mutex_);
    state_ = PluginState::kFailed;
    error_ = error;
  }
  throw Failure(std::move(error));
}

void PluginInstance::Call(std::string_view name,
                          const std::function<std::int32_t(summa_error*)>& function) {
  summa_error error{};
  error.struct_size = sizeof(error);
  std::int32_t status = SUMMA_OK;
  std::string thrown;
  try {
    status = function(&error);
  } catch (const std::exception& exception) {
    thrown = std::string(": ") + exception.what();
  } catch (...) {
    thrown = " of an unknown kind";
  }
  if (!thrown.empty()) {
    Fail({"SH-0124",
          Named(manifest()) + ": " + std::string(name) +
              " threw an exception across the C boundary" + thrown,
          ReportTo(manifest()), ""});
  }
  if (status != SUMMA_OK) Fail(FromPlugin(manifest(), name, status, error));
}

void PluginInstance::Load() {
  if (const auto refusal = error()) throw Failure(*refusal);
  try {
    entry_ = &LoadPlugin(file_);
  } catch (const Failure& failure) {
    Fail(failure.error());
  }
  SetState(PluginState::kLoaded);
}

void PluginInstance::Create(const summa_host* host) {
  summa_plugin* created = nullptr;
  Call("create()", [&](summa_error* error) { return entry_->create(host, &created, error); });
  plugin_ = created;
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
  Call("configure()",
       [&](summa_error* error) { return plugin_->configure(plugin_->self, config, error); });
  configured_ = true;
  try {
    CheckPromises();
  } catch (const Failure&) {
    configured_ = false;
    throw;
  }
  SetState(PluginState::kConfigured);
}

void PluginInstance::CheckPromises() {
  std::vector<std::string> promised = manifest().extensions;
  promised.insert(promised.end(), manifest().provides.begin(), manifest().provides.end());
  for (const std::string& id : promised) {
    const void* answer = nullptr;
    Call("get_extension(" + id + ")", [&](summa_error*) {
      answer = plugin_->get_extension(plugin_->self, id.c_str());
      return SUMMA_OK;
    });
    if (answer == nullptr) {
      Fail({"SH-0123",
            Named(manifest()) + ": the manifest promises " + id + ", but the plugin has none",
            ReportTo(manifest()), ""});
    }
  }
  CheckWorkers();
}

void PluginInstance::CheckWorkers() {
  const auto fail = [&](const std::string& problem) {
    Fail({"SH-0123", Named(manifest()) + ": " + problem, ReportTo(manifest()), ""});
  };
  if (manifest().workers.empty()) return;
  const auto* table = static_cast<const summa_worker_v1*>(Extension(SUMMA_WORKER_V1));
  if (table == nullptr || table->struct_size < sizeof(summa_worker_v1) ||
      (table->worker_count > 0 && table->workers == nullptr)) {
    fail("its table of workers is incomplete");
  }
  std::vector<std::string> ids;
  for (std::uint32_t i = 0; i < table->worker_count; ++i) {
    const summa_worker* worker = table->workers[i];
    if (worker == nullptr || worker->struct_size < sizeof(summa_worker) ||
        worker->tick == nullptr || worker->id.data == nullptr) {
      fail("its worker number " + std::to_string(i) + " is incomplete");
    }
    ids.emplace_back(worker->id.data, worker->id.size);
  }
  for (const WorkerDeclaration& declared : manifest().workers) {
    const auto count = std::count(ids.begin(), ids.end(), declared.id);
    if (count == 0) {
      fail("the manifest promises the worker \"" + declared.id + "\", but the plugin has none");
    }
    if (count > 1) fail("it has the worker \"" + declared.id + "\" twice");
    std::erase(ids, declared.id);
  }
  if (!ids.empty()) fail("its worker \"" + ids.front() + "\" is not in the manifest");
}

void PluginInstance::Start() {
  start_called_ = true;
  Call("start()", [&](summa_error* error) { return plugin_->start(plugin_->self, error); });
  SetState(PluginState::kStarted);
}

void PluginInstance::Stop() {
  if (!start_called_) return;
  start_called_ = false;
  const bool was_failed = state() == PluginState::kFailed;
  const auto reason = error();
  try {
    Call("stop()", [&](summa_error* error) { return plugin_->stop(plugin_->self, error); });
  } catch (const Failure&) {
    if (!was_failed) throw;
    // The first failure explains more than what follows from it.
    const std::lock_guard lock(mutex_);
    error_ = reason;
    return;
  }
  if (!was_failed) SetState(PluginState::kStopped);
}

const void* PluginInstance::Extension(const std::string& id) const {
  // A plugin whose configure() failed may hold half-filled tables.
  if (!configured_) return nullptr;
  try {
    return plugin_->get_extension(plugin_->self, id.c_str());
  } catch (...) {
    return nullptr;  // Configure() has asked for everything promised and named this defect
  }
}

const summa_worker* PluginInstance::Worker(const std::string& id) const {
  const auto* table = static_cast<const summa_worker_v1*>(Extension(SUMMA_WORKER_V1));
  if (table == nullptr) return nullptr;
  for (std::uint32_t i = 0; i < table->worker_count; ++i) {
    const summa_worker* worker = table->workers[i];
    if (std::string_view(worker->id.data, worker->id.size) == id) return worker;
  }
  return nullptr;
}

const summa_command_v1* PluginInstance::Commands() const {
  return static_cast<const summa_command_v1*>(Extension(SUMMA_COMMAND_V1));
}

const summa_status_v1* PluginInstance::Status() const {
  return static_cast<const summa_status_v1*>(Extension(SUMMA_STATUS_V1));
}

const summa_health_v1* PluginInstance::Health() const {
  return static_cast<const summa_health_v1*>(Extension(SUMMA_HEALTH_V1));
}

}  // namespace summa::host

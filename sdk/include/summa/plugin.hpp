// The one header a plugin author includes. A plugin is one class and one macro:
//
//   class Greeter final : public summa::Plugin {
//    public:
//     explicit Greeter(summa::Host host) : Plugin(host), worker_(host) {}
//     std::vector<summa::WorkerBinding> Workers() override { return {{"greet", &worker_}}; }
//    private:
//     GreetWorker worker_;
//   };
//   SUMMA_PLUGIN(Greeter)
//
// Its name, needs and interfaces are declared in its plugin.yaml (see summa_add_plugin). Functions
// may throw summa::Error; nothing thrown crosses the boundary.
#pragma once

#include <summa/abi/activity.h>
#include <summa/abi/plugin.h>
#include <summa/abi/reload.h>
#include <summa/bus.hpp>
#include <summa/command.hpp>
#include <summa/config.hpp>
#include <summa/endpoint.hpp>
#include <summa/error.hpp>
#include <summa/health.hpp>
#include <summa/host.hpp>
#include <summa/json.hpp>
#include <summa/mutex.hpp>
#include <summa/operation.hpp>
#include <summa/projection.hpp>
#include <summa/sql.hpp>
#include <summa/worker.hpp>

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace summa {

struct WorkerBinding {
  std::string id;  // as in the manifest
  Worker* worker;  // owned by the plugin
};
struct CommandBinding {
  std::string verb;  // as in the manifest
  CommandFunction run;
};
struct RouteBinding {
  std::string method, path;  // as in the manifest
  RouteFunction handle;
};

class Plugin {
 public:
  explicit Plugin(Host host) : host_(host) {}
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;
  virtual ~Plugin() = default;

  virtual void Configure(const Config&) {}  // store what is needed; no input or output yet
  // The plugins that it requires have started. Verbs and `doctor` also call it, so it must not
  // consume messages. When it throws because something is unreachable, it is called again after
  // Stop().
  virtual void Start() {}
  virtual void Stop() {}  // none of its workers is running any more
  // Start threads and subscriptions of the plugin here: only a running host calls it, when all
  // plugins have started. After SUMMA_E_UNAVAILABLE it is called again. Workers need neither.
  virtual void Activate() {}
  virtual void Deactivate() {}  // called first at the end; also when Activate() failed
  // The configuration was read again (SIGHUP), and the part of this plugin has changed. Returns the
  // keys that have taken effect, such as that of a password; other changed keys need a restart.
  // Workers run meanwhile. Throws when none of the changes is accepted.
  virtual std::vector<std::string> Reload(const Config&) { return {}; }
  virtual std::vector<WorkerBinding> Workers() { return {}; }
  virtual std::vector<CommandBinding> Commands() { return {}; }
  // The functions run on any thread, several at the same time, concurrently with the workers.
  virtual std::vector<RouteBinding> Routes() { return {}; }
  virtual Bus* ProvidedBus() { return nullptr; }  // summa.bus/1
  // summa.projection/1. Owned by the plugin; called once.
  virtual std::vector<const Projection*> Projections() { return {}; }
  // A JSON object, or empty; any thread, from memory. (Not Status(): that would hide a type of the
  // author's own with this name.)
  virtual std::string StatusJson() { return {}; }
  // The current problems, for /readyz; any thread, from memory.
  virtual std::vector<Finding> Failing() { return {}; }
  virtual void Examine(const Examination&) {}  // for `doctor`: only looks

  const Host& host() const { return host_; }

 private:
  Host host_;
};

namespace detail {

// Owns the plugin object and every C table that points into it.
class PluginHolder {
 public:
  explicit PluginHolder(std::unique_ptr<Plugin> plugin) : plugin_(std::move(plugin)) {
    table_.struct_size = sizeof(summa_plugin);
    table_.self = this;
    table_.configure = [](void* self, const summa_config* config, summa_error* error) {
      return Guard(error, [&] { return static_cast<PluginHolder*>(self)->Configure(config); });
    };
    table_.start = [](void* self, summa_error* error) {
      return Guard(error, [&] {
        static_cast<PluginHolder*>(self)->plugin_->Start();
        return SUMMA_OK;
      });
    };
    table_.get_extension = [](void* self, const char* id) -> const void* {
      return static_cast<PluginHolder*>(self)->Extension(id);
    };
    table_.stop = [](void* self, summa_error* error) {
      return Guard(error, [&] {
        static_cast<PluginHolder*>(self)->plugin_->Stop();
        return SUMMA_OK;
      });
    };
    table_.destroy = [](void* self) {
      Guard(nullptr, [&] {
        delete static_cast<PluginHolder*>(self);
        return SUMMA_OK;
      });
    };
  }
  summa_plugin* table() { return &table_; }

 private:
  int Configure(const summa_config* config) {
    plugin_->Configure(Config(config));
    BindWorkers();
    BindRoutes();
    commands_ = plugin_->Commands();
    if (Bus* bus = plugin_->ProvidedBus()) bus_table_.emplace(bus);
    projections_.clear();
    for (const Projection* projection : plugin_->Projections()) {
      projections_.push_back(projection->table());
    }
    projection_table_ = {sizeof(summa_projection_v1),
                         static_cast<std::uint32_t>(projections_.size()), projections_.data()};
    activity_table_ = {sizeof(summa_activity_v1), 0, this, &PluginHolder::CallActivate,
                       &PluginHolder::CallDeactivate};
    reload_table_ = {sizeof(summa_reload_v1), 0, this, &PluginHolder::CallReload};
    command_table_ = {sizeof(summa_command_v1), 0, this, &PluginHolder::RunCommand};
    status_table_ = {sizeof(summa_status_v1), 0, this, &PluginHolder::WriteStatus};
    health_table_ = {sizeof(summa_health_v1), 0, this, &PluginHolder::ReportFailing,
                     &PluginHolder::Examine};
    return SUMMA_OK;
  }

  void BindWorkers() {
    bindings_.clear();
    workers_.clear();
    worker_pointers_.clear();
    for (WorkerBinding& binding : plugin_->Workers()) {
      if (binding.worker == nullptr) {
        throw Error(SUMMA_E_INTERNAL, "SH-0123",
                    "the worker \"" + binding.id + "\" is not bound to an object",
                    "give WorkerBinding the address of a Worker that lives as long as the plugin");
      }
      bindings_.push_back(std::move(binding));
    }
    for (WorkerBinding& binding : bindings_) {
      workers_.push_back(WorkerTable(binding.worker, binding.id));
      worker_pointers_.push_back(&workers_.back());
    }
    worker_table_ = {sizeof(summa_worker_v1), static_cast<std::uint32_t>(worker_pointers_.size()),
                     worker_pointers_.data()};
  }

  void BindRoutes() {
    route_bindings_.clear();
    routes_.clear();
    route_pointers_.clear();
    for (RouteBinding& binding : plugin_->Routes()) {
      if (!binding.handle) {
        throw Error(
            SUMMA_E_INTERNAL, "SH-0123",
            "the route \"" + binding.method + " " + binding.path + "\" is not bound to a function",
            "give RouteBinding a function that answers the request");
      }
      route_bindings_.push_back(std::move(binding));
    }
    for (RouteBinding& binding : route_bindings_) {
      routes_.push_back({sizeof(summa_route), 0, &binding, ToAbi(binding.method),
                         ToAbi(binding.path), &PluginHolder::HandleRequest});
      route_pointers_.push_back(&routes_.back());
    }
    endpoint_table_ = {sizeof(summa_endpoint_v1),
                       static_cast<std::uint32_t>(route_pointers_.size()), route_pointers_.data()};
  }

  static std::int32_t HandleRequest(void* self, const summa_request* request,
                                    void (*respond)(void*, const summa_response*), void* result,
                                    summa_error* error) {
    return Guard(error, [&] {
      const Response response = static_cast<RouteBinding*>(self)->handle(Request(request));
      const summa_response abi{sizeof(summa_response), response.status,
                               ToAbi(response.content_type), ToAbi(response.etag),
                               ToAbi(response.body)};
      respond(result, &abi);
      return SUMMA_OK;
    });
  }

  const void* Extension(std::string_view id) {
    if (id == SUMMA_WORKER_V1) return worker_pointers_.empty() ? nullptr : &worker_table_;
    if (id == SUMMA_ACTIVITY_V1) return &activity_table_;
    if (id == SUMMA_RELOAD_V1) return &reload_table_;
    if (id == SUMMA_COMMAND_V1) return commands_.empty() ? nullptr : &command_table_;
    if (id == SUMMA_ENDPOINT_V1) return route_pointers_.empty() ? nullptr : &endpoint_table_;
    if (id == SUMMA_STATUS_V1) return &status_table_;
    if (id == SUMMA_HEALTH_V1) return &health_table_;
    if (id == SUMMA_PROJECTION_V1) return projections_.empty() ? nullptr : &projection_table_;
    if (id == SUMMA_BUS_V1) return bus_table_ ? bus_table_->table() : nullptr;
    return nullptr;
  }

  static std::int32_t CallActivate(void* self, summa_error* error) {
    return Guard(error, [&] {
      static_cast<PluginHolder*>(self)->plugin_->Activate();
      return SUMMA_OK;
    });
  }
  static std::int32_t CallDeactivate(void* self, summa_error* error) {
    return Guard(error, [&] {
      static_cast<PluginHolder*>(self)->plugin_->Deactivate();
      return SUMMA_OK;
    });
  }

  static std::int32_t CallReload(void* self, const summa_config* config,
                                 void (*took)(void*, summa_str), void* result, summa_error* error) {
    return Guard(error, [&] {
      for (const std::string& key :
           static_cast<PluginHolder*>(self)->plugin_->Reload(Config(config))) {
        took(result, ToAbi(key));
      }
      return SUMMA_OK;
    });
  }

  static std::int32_t RunCommand(void* self, const summa_command_call* call,
                                 void (*write)(void*, summa_str), void* result,
                                 summa_error* error) {
    return Guard(error, [&] {
      auto* holder = static_cast<PluginHolder*>(self);
      for (const CommandBinding& binding : holder->commands_) {
        if (binding.verb != FromAbi(call->verb)) continue;
        const CommandResult done = binding.run(CommandCall(call));
        write(result, ToAbi(done.json));
        return static_cast<int>(done.finding ? SUMMA_E_FINDING : SUMMA_OK);
      }
      throw Error(SUMMA_E_INTERNAL, "",
                  "the manifest declares the verb \"" + std::string(FromAbi(call->verb)) +
                      "\", but the plugin binds no function to it");
    });
  }

  static void WriteStatus(void* self, void (*write)(void*, summa_str), void* result) {
    auto* holder = static_cast<PluginHolder*>(self);
    summa_error error = EmptyError();
    const int status = Guard(&error, [&] {
      const std::string json = holder->plugin_->StatusJson();
      if (!json.empty()) write(result, ToAbi(json));
      return SUMMA_OK;
    });
    const std::string thrown = status == SUMMA_OK ? "" : std::string("it threw: ") + error.message;
    {
      const MutexLock lock(holder->status_mutex_);
      holder->status_thrown_ = thrown;
    }
    if (thrown.empty()) return;
    JsonWriter json;
    json.BeginObject().Member("error", "StatusJson(): " + thrown).EndObject();
    write(result, ToAbi(json.text()));
  }

  // A plugin that cannot report its state has a problem, and that is what is reported then.
  static void ReportFailing(void* self, void (*report)(void*, const summa_finding*), void* result) {
    auto* holder = static_cast<PluginHolder*>(self);
    const auto threw = [&](const char* function, const std::string& thrown) {
      const Finding finding{Severity::kError, function, thrown, "",
                            "This is a defect of the plugin; report it to its author."};
      const summa_finding abi = ToAbi(finding);
      report(result, &abi);
    };
    std::string status_thrown;
    {
      const MutexLock lock(holder->status_mutex_);
      status_thrown = holder->status_thrown_;
    }
    if (!status_thrown.empty()) threw("StatusJson()", status_thrown);
    summa_error error = EmptyError();
    const int status = Guard(&error, [&] {
      for (const Finding& finding : holder->plugin_->Failing()) {
        const summa_finding abi = ToAbi(finding);
        report(result, &abi);
      }
      return SUMMA_OK;
    });
    if (status != SUMMA_OK) threw("Failing()", std::string("it threw: ") + error.message);
  }

  static std::int32_t Examine(void* self, const summa_examination* examination,
                              summa_error* error) {
    return Guard(error, [&] {
      static_cast<PluginHolder*>(self)->plugin_->Examine(Examination(examination));
      return SUMMA_OK;
    });
  }

  std::unique_ptr<Plugin> plugin_;
  summa_plugin table_{};
  std::deque<WorkerBinding> bindings_;  // deques: pointers into them stay valid
  std::deque<summa_worker> workers_;
  std::vector<const summa_worker*> worker_pointers_;
  summa_worker_v1 worker_table_{};
  std::vector<CommandBinding> commands_;
  std::deque<RouteBinding> route_bindings_;
  std::deque<summa_route> routes_;
  std::vector<const summa_route*> route_pointers_;
  summa_endpoint_v1 endpoint_table_{};
  summa_activity_v1 activity_table_{};
  summa_reload_v1 reload_table_{};
  summa_command_v1 command_table_{};
  summa_status_v1 status_table_{};
  summa_health_v1 health_table_{};
  std::optional<BusTable> bus_table_;
  std::vector<const summa_projection*> projections_;
  summa_projection_v1 projection_table_{};
  Mutex status_mutex_;
  // By StatusJson() when it was last called.
  std::string status_thrown_ SUMMA_GUARDED_BY(status_mutex_);
};

template <typename PluginClass>
std::int32_t Create(const summa_host* host, summa_plugin** out, summa_error* error) {
  *out = nullptr;
  return Guard(error, [&] {
    auto* holder = new PluginHolder(std::make_unique<PluginClass>(Host(host)));
    *out = holder->table();
    return SUMMA_OK;
  });
}

}  // namespace detail
}  // namespace summa

extern "C" {
extern const char summa_manifest_begin[];
extern const char summa_manifest_end[];
}

// The lowest minor version of the host's ABI that the plugin needs; summa_add_plugin() takes it
// from the manifest.
#ifndef SUMMA_PLUGIN_ABI_MINOR
#define SUMMA_PLUGIN_ABI_MINOR 0
#endif

// Makes `PluginClass` (derived from summa::Plugin, constructible from summa::Host) the plugin of
// this shared object.
#define SUMMA_PLUGIN(PluginClass)                                                      \
  extern "C" __attribute__((visibility("default"))) const summa_entry summa_plugin_v1; \
  const summa_entry summa_plugin_v1 = {SUMMA_ENTRY_MAGIC,                              \
                                       sizeof(summa_entry),                            \
                                       SUMMA_ABI_MAJOR,                                \
                                       SUMMA_PLUGIN_ABI_MINOR,                         \
                                       0,                                              \
                                       summa_manifest_begin,                           \
                                       summa_manifest_end,                             \
                                       "SDK 0.1.0, " __VERSION__,                      \
                                       &summa::detail::Create<PluginClass>};

// The part `schedules:` of a configuration: every worker of an enabled plugin gets its settings,
// from the file, the host's defaults and its manifest.
#include <algorithm>
#include <charconv>
#include <utility>

#include "host/config/settings.hpp"
#include "host/config/text.hpp"

namespace summa::host {
namespace {

// Why this key means nothing for this worker; empty: it fits.
std::string Misfit(const std::string& key, const WorkerDeclaration& worker) {
  const bool continuous = worker.kind == WorkerDeclaration::Kind::kContinuous;
  const bool of_periodic = key == "interval" || key == "jitter" || key == "missed";
  if (continuous && of_periodic) return "the worker is continuous: it runs all the time";
  if (!continuous && key == "idle_poll") return "the worker is periodic: it runs when it is due";
  if (!worker.lease && key == "lease_ttl") return "the worker takes no lease";
  return {};
}

Value* FindMember(Value& map, std::string_view name) {
  for (auto& [known, value] : map.members) {
    if (known == name) return &value;
  }
  return nullptr;
}

void FillDuration(Value& map, std::string_view key, std::int64_t microseconds) {
  Value* value = FindMember(map, key);
  if (value == nullptr || !value->null || value->unusable || microseconds <= 0) return;
  value->null = false;
  value->from_default = true;
  value->text = std::to_string(microseconds);
  value->written = FormatDuration(microseconds);
}

class ScheduleLoader {
 public:
  ScheduleLoader(const std::vector<Manifest>& manifests, Configuration& configuration,
                 Diagnostics& diagnostics)
      : manifests_(manifests), configuration_(configuration), diagnostics_(diagnostics) {}

  void Load(const Node* section, Value* value) {
    for (const PluginSettings& plugin : configuration_.plugins) {
      if (!plugin.enabled) continue;
      for (const WorkerDeclaration& worker : FindManifest(manifests_, plugin.id)->workers) {
        const Node* given = section == nullptr ? nullptr : section->Find(worker.id);
        LoadWorker(plugin, worker, given, value);
      }
    }
    if (section == nullptr) return;
    for (const Node::Member& member : section->members) {
      if (configuration_.FindWorker(member.name) != nullptr) continue;
      if (HostSchema().Find("schedules")->Find(member.name) != nullptr) continue;
      ReportUnknown(member);
    }
  }

 private:
  void Report(std::string code, const Location& where, const std::string& path, std::string problem,
              std::string fix) {
    diagnostics_.push_back({std::move(code), where, path, std::move(problem), std::move(fix)});
  }

  void LoadWorker(const PluginSettings& plugin, const WorkerDeclaration& declaration,
                  const Node* given, Value* section) {
    if (configuration_.FindWorker(declaration.id) != nullptr) return;  // the first plugin keeps it
    const std::string path = "schedules." + declaration.id;
    Node rest;  // what fits the worker
    if (given != nullptr) {
      rest = *given;
      for (const Node::Member& member : given->members) {
        const std::string why = Misfit(member.name, declaration);
        if (why.empty()) continue;
        Report("SH-0215", member.where, MemberPath(path, member.name),
               "the key does not fit: " + why, "Remove it");
      }
      std::erase_if(rest.members, [&](const Node::Member& member) {
        return !Misfit(member.name, declaration).empty();
      });
    }
    Value value =
        Validate(WorkerSchema(declaration), given == nullptr ? nullptr : &rest, path, diagnostics_);
    FillDuration(value, "interval", declaration.interval_microseconds);
    FillDuration(value, "idle_poll", declaration.idle_poll_microseconds);
    configuration_.workers.push_back(Read(plugin, declaration, value));
    if (section != nullptr) section->members.emplace_back(declaration.id, std::move(value));
  }

  static WorkerSettings Read(const PluginSettings& plugin, const WorkerDeclaration& declaration,
                             const Value& value) {
    WorkerSettings worker;
    worker.id = declaration.id;
    worker.plugin = plugin.id;
    worker.kind = declaration.kind;
    worker.lease = declaration.lease;
    worker.enabled = value.Boolean("enabled", true);
    worker.interval_microseconds = value.Integer("interval");
    worker.idle_poll_microseconds = value.Integer("idle_poll");
    worker.lease_ttl_microseconds = value.Integer("lease_ttl");
    worker.run_missed_once = value.String("missed", "once") == "once";
    const std::string jitter = value.String("jitter", "0%");
    double percent = 0;
    std::from_chars(jitter.data(), jitter.data() + jitter.size() - 1, percent);
    worker.jitter = percent / 100;
    return worker;
  }

  void ReportUnknown(const Node::Member& member) {
    const std::string path = "schedules." + member.name;
    for (const Manifest& manifest : manifests_) {
      for (const WorkerDeclaration& worker : manifest.workers) {
        if (worker.id != member.name) continue;
        Report("SH-0214", member.where, path,
               "the worker belongs to plugin \"" + manifest.id + "\", which is not enabled",
               "Enable " + manifest.id + " under plugins:, or remove this entry");
        return;
      }
    }
    std::vector<std::string> ids;
    for (const WorkerSettings& worker : configuration_.workers) ids.push_back(worker.id);
    const auto near = Suggest(member.name, ids);
    std::string fix = ids.empty() ? "No enabled plugin has workers"
                                  : "Workers of enabled plugins are " + Join(ids);
    if (near) fix = "Did you mean " + *near + "?";
    Report("SH-0214", member.where, path, "no enabled plugin has a worker of this name",
           std::move(fix));
  }

  const std::vector<Manifest>& manifests_;
  Configuration& configuration_;
  Diagnostics& diagnostics_;
};

}  // namespace

Schema WorkerSchema(const WorkerDeclaration& worker) {
  Schema schema = *HostSchema().Find("schedules")->any_key;
  schema.help = worker.summary;
  std::erase_if(schema.keys,
                [&](const auto& entry) { return !Misfit(entry.name, worker).empty(); });
  return schema;
}

void LoadSchedules(const Node* section, const std::vector<Manifest>& manifests,
                   Configuration& configuration, Diagnostics& diagnostics) {
  if (section != nullptr && section->kind != Node::Kind::kMap) section = nullptr;  // reported
  ScheduleLoader(manifests, configuration, diagnostics)
      .Load(section, FindMember(configuration.value, "schedules"));
}

}  // namespace summa::host

// The part `schedules:` of a configuration: every worker of an enabled plugin gets its settings,
// from the file, the host's defaults and its manifest.
#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "host/config/text.hpp"
#include "host/settings/host_workers.hpp"
#include "host/settings/settings.hpp"

namespace summa::host {
namespace {

// Why this key means nothing for this worker; empty: it fits.
std::string Misfit(const std::string& key, const WorkerDeclaration& worker) {
  const bool continuous = worker.kind == WorkerDeclaration::Kind::kContinuous;
  const bool of_periodic = key == "interval" || key == "at" || key == "jitter" || key == "missed";
  if (continuous && of_periodic) return "the worker is continuous: it runs all the time";
  if (!continuous && key == "idle_poll") return "the worker is periodic: it runs when it is due";
  if (!worker.lease && key == "lease_ttl") return "the worker takes no lease";
  return {};
}

void FillDuration(Value& map, std::string_view key, std::int64_t microseconds) {
  Value* value = FindMember(map, key);
  if (value == nullptr || !value->null || value->unusable || microseconds <= 0) return;
  value->null = false;
  value->from_default = true;
  value->text = std::to_string(microseconds);
  value->written = FormatDuration(microseconds);
}

// "03:00" or "03:00:10", of the pattern of the schema, since midnight.
std::int64_t TimeOfDay(const std::string& text) {
  constexpr std::int64_t kSecond = 1000000;
  const auto part = [&](std::size_t index) {
    return text.size() < index + 2 ? 0 : (text[index] - '0') * 10 + (text[index + 1] - '0');
  };
  return (part(0) * 3600 + part(3) * 60 + part(6)) * kSecond;
}

class ScheduleLoader {
 public:
  ScheduleLoader(const std::vector<Manifest>& manifests, Configuration& configuration,
                 Diagnostics& diagnostics)
      : manifests_(manifests), configuration_(configuration), diagnostics_(diagnostics) {}

  void Load(const Node* section, Value* value) {
    bool any_bus = false;
    for (const PluginSettings& plugin : configuration_.plugins) {
      if (!plugin.enabled) continue;
      const Manifest& manifest = *FindManifest(manifests_, plugin.id);
      any_bus |= IsBus(manifest);
      for (const WorkerDeclaration& worker : manifest.workers) {
        const Node* given = section == nullptr ? nullptr : section->Find(worker.id);
        LoadWorker(plugin.id, worker, given, value);
      }
    }
    if (any_bus) {
      const Node* given = section == nullptr ? nullptr : section->Find(InboxCleanup().id);
      LoadWorker(kHostPlugin, InboxCleanup(), given, value);
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

  void LoadWorker(const std::string& plugin, const WorkerDeclaration& declaration,
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
    CheckTimes(value, rest, path);
    const Value* at = value.Find("at");
    if (at == nullptr || at->null) {
      FillDuration(value, "interval", declaration.interval_microseconds);
    }
    FillDuration(value, "idle_poll", declaration.idle_poll_microseconds);
    if (Value* max_run = FindMember(value, "max_run");
        max_run != nullptr && max_run->from_default && declaration.max_run_microseconds != 0) {
      max_run->text = std::to_string(declaration.max_run_microseconds);
      max_run->written = FormatDuration(declaration.max_run_microseconds);
    }
    configuration_.workers.push_back(Read(plugin, declaration, value));
    if (section != nullptr) section->members.emplace_back(declaration.id, std::move(value));
  }

  // `at` replaces the interval and is meant as written: no jitter unless it is asked for.
  void CheckTimes(Value& value, const Node& given, const std::string& path) {
    const Value* at = value.Find("at");
    if (at == nullptr || at->null) return;
    if (const Node* interval = given.Find("interval");
        interval != nullptr && interval->kind != Node::Kind::kNull) {
      Report("SH-0225", interval->where, path + ".interval", "at and interval exclude each other",
             "Remove one of them");
    }
    std::set<std::int64_t> times;
    for (const Value& item : at->items) {
      if (item.unusable || times.insert(TimeOfDay(item.text)).second) continue;
      Report("SH-0225", item.where, path + ".at", "\"" + item.text + "\" is given twice",
             "Remove one of them");
    }
    Value* jitter = FindMember(value, "jitter");
    if (jitter != nullptr && jitter->from_default) jitter->text = jitter->written = "0%";
  }

  static WorkerSettings Read(const std::string& plugin, const WorkerDeclaration& declaration,
                             const Value& value) {
    WorkerSettings worker;
    worker.id = declaration.id;
    worker.plugin = plugin;
    worker.continuous = declaration.kind == WorkerDeclaration::Kind::kContinuous;
    worker.leased = declaration.lease;
    worker.enabled = value.Boolean("enabled", true);
    worker.interval = Microseconds(value.Integer("interval"));
    worker.idle_poll = Microseconds(value.Integer("idle_poll"));
    worker.lease_ttl = Microseconds(value.Integer("lease_ttl"));
    worker.run_missed_once = value.String("missed", "once") == "once";
    worker.max_run = Microseconds(value.Integer("max_run"));
    worker.park_after = static_cast<int>(value.Integer("park_after"));
    worker.park_after_crashes = static_cast<int>(value.Integer("park_after_crashes"));
    worker.retry_parked = Microseconds(value.Integer("retry_parked"));
    if (const Value* at = value.Find("at"); at != nullptr) {
      for (const Value& item : at->items) {
        if (!item.unusable) worker.times.emplace_back(TimeOfDay(item.text));
      }
      std::sort(worker.times.begin(), worker.times.end());
    }
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

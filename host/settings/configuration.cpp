#include "host/settings/configuration.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "host/database/database_url.hpp"
#include "host/find.hpp"
#include "host/http/access.hpp"
#include "host/settings/host_workers.hpp"
#include "host/settings/settings.hpp"
#include "host_schema.hpp"

namespace summa::host {
namespace {

// The file without what depends on manifests, so that the host's schema can judge the rest.
Node HostPart(const Node& root) {
  Node part = root;
  for (Node::Member& member : part.members) {
    const bool open = member.name == "plugins" || member.name == "schedules";
    const Schema* schema = open ? HostSchema().Find(member.name) : nullptr;
    if (schema == nullptr) continue;
    std::erase_if(member.value.members,
                  [&](const Node::Member& inner) { return schema->Find(inner.name) == nullptr; });
  }
  return part;
}

// With libpq's own parser, and without a connection.
void CheckUrl(const Value& value, const std::string& path, bool must_write,
              Diagnostics& diagnostics) {
  const Value* url = value.Find(path);
  if (url == nullptr || url->unusable || url->null) return;
  if (auto error = CheckDatabaseUrl(url->text, must_write)) {
    diagnostics.push_back({error->code, url->where, path, error->message, error->hint});
  }
}

void ReadDatabase(const Value& value, Settings& settings, Diagnostics& diagnostics) {
  CheckUrl(value, "database.ledger.url", true, diagnostics);
  CheckUrl(value, "database.read.url", false, diagnostics);
  settings.ledger.url = value.String("database.ledger.url");
  settings.ledger.schema = value.String("database.ledger.schema");
  settings.ledger.pool = static_cast<int>(value.Integer("database.ledger.pool"));
  settings.ledger.application_name = "summa-host/" + settings.name;
  const std::string layout = value.String("database.ledger.layout");
  if (layout == "plan") settings.layout = Layout::kPlan;
  if (layout == "deployed") settings.layout = Layout::kDeployed;
  settings.migrate_automatically = value.String("database.migrate") == "auto";
  const std::string read_url = value.String("database.read.url");
  if (read_url.empty() || read_url == settings.ledger.url) return;
  settings.read = settings.ledger;
  settings.read->url = read_url;
  settings.read->must_write = false;
}

void ReadLog(const Value& value, Settings& settings) {
  const std::string level = value.String("log.level");
  if (level == "debug") settings.log_level = LogLevel::kDebug;
  if (level == "warn") settings.log_level = LogLevel::kWarn;
  if (level == "error") settings.log_level = LogLevel::kError;
  if (value.String("log.format") == "json") settings.log_format = LogFormat::kJson;
}

// Shells do not export HOSTNAME, and a fleet of hosts called "local" is of no use.
std::string MachineName() {
  char name[256] = {};  // longer than the kernel's limit of 64
  return gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "local";
}

HttpLimits ReadHttp(const Value& value) {
  HttpLimits limits;
  limits.head_bytes = static_cast<std::size_t>(value.Integer("host.http.max_head"));
  limits.body_bytes = static_cast<std::size_t>(value.Integer("host.http.max_body"));
  limits.time = Microseconds(value.Integer("host.http.timeout"));
  limits.concurrency = static_cast<int>(value.Integer("host.http.concurrency"));
  return limits;
}

void ReadHost(Value& value, const Environment& environment, Settings& settings,
              Diagnostics& diagnostics) {
  Value* host = FindMember(value, "host");
  Value* name = host == nullptr ? nullptr : FindMember(*host, "name");
  if (name != nullptr && name->null) {
    const std::string given = environment("HOSTNAME").value_or("");
    name->text = given.empty() ? MachineName() : given;
    name->written = name->text;
    name->null = name->unusable;
  }
  settings.name = value.String("host.name");
  settings.listen = value.String("host.listen");
  settings.drain_timeout = Microseconds(value.Integer("host.drain_timeout"));
  settings.start_timeout = Microseconds(value.Integer("host.start_timeout"));
  settings.inbox_retention = Microseconds(value.Integer("host.inbox_retention"));
  settings.token_file = value.String("host.token_file");
  settings.http = ReadHttp(value);
  const std::string& listen = settings.listen;
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string::npos) return;  // reported
  std::string address = listen.substr(0, colon);
  if (address.starts_with('[')) address = address.substr(1, address.size() - 2);
  settings.loopback = IsLoopback(address);
  int port = 0;
  std::from_chars(listen.data() + colon + 1, listen.data() + listen.size(), port);
  if (port > 65535) {
    diagnostics.push_back({"SH-0202", value.Find("host.listen")->where, "host.listen",
                           "port " + listen.substr(colon + 1) + " is above the maximum 65535",
                           "Write a port from 1 to 65535, or 0 for any free one"});
  }
}

void ReadLock(const Value& value, Settings& settings) {
  settings.lock_required = value.String("plugins.lock") == "require";
  settings.lock_file = value.String("plugins.lock_file");
  if (!settings.lock_file.empty()) return;
  const std::filesystem::path file(settings.file);
  settings.lock_file = (file.parent_path() / "plugins.lock").string();
}

// Routes that anybody who reaches this machine could call.
void CheckAccess(const Configuration& configuration, const Settings& settings,
                 const std::vector<Manifest>& manifests, Diagnostics& diagnostics) {
  const Value* listen = configuration.value.Find("host.listen");
  if (!settings.token_file.empty() || listen == nullptr || listen->unusable || settings.loopback) {
    return;
  }
  for (const PluginSettings& plugin : configuration.plugins) {
    if (!plugin.enabled) continue;
    for (const RouteDeclaration& route : FindManifest(manifests, plugin.id)->routes) {
      if (!route.needs_token) continue;
      diagnostics.push_back(
          {"SH-0240", listen->where, "host.token_file",
           "other machines reach " + settings.listen + ", and \"" + RouteName(route) +
               "\" of plugin \"" + plugin.id + "\" needs a token",
           "Name a file with the token, for example /etc/summa/token, or listen on 127.0.0.1"});
      return;
    }
  }
}

// What a file that could only be read in part makes look missing, though it may well be there.
void DropGuesses(Diagnostics& diagnostics, std::size_t from) {
  const bool broken =
      std::any_of(diagnostics.begin(), diagnostics.begin() + static_cast<std::ptrdiff_t>(from),
                  [](const Diagnostic& d) { return d.code == "SH-0210" || d.code == "SH-0212"; });
  if (!broken) return;
  const auto guess = [](const Diagnostic& d) {
    return d.code == "SH-0207" || d.code == "SH-0214" || d.code == "SH-0218";
  };
  diagnostics.erase(std::remove_if(diagnostics.begin() + static_cast<std::ptrdiff_t>(from),
                                   diagnostics.end(), guess),
                    diagnostics.end());
}

}  // namespace

const Schema& HostSchema() {
  static const Schema& schema = *new Schema([] {
    Diagnostics diagnostics;
    const Node root = ParseDocument(embedded::host_schema, "host-schema.yaml", diagnostics);
    Schema read = ReadSchema(root, "", diagnostics);
    if (!diagnostics.empty()) throw std::logic_error(ToText(diagnostics.front()));
    return read;
  }());
  return schema;
}

Value* FindMember(Value& map, std::string_view name) {
  Value::Member* found = FindNamed(map.members, &Value::Member::name, name);
  return found == nullptr ? nullptr : &found->value;
}

const Manifest* FindManifest(const std::vector<Manifest>& manifests, std::string_view id) {
  return FindNamed(manifests, &Manifest::id, id);
}

const PluginSettings* Configuration::FindPlugin(std::string_view id) const {
  return FindNamed(plugins, &PluginSettings::id, id);
}

const WorkerSettings* Configuration::FindWorker(std::string_view id) const {
  return FindNamed(workers, &WorkerSettings::id, id);
}

bool LoadResult::ok() const {
  return std::all_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& diagnostic) { return diagnostic.warning; });
}

LoadResult LoadConfiguration(std::string_view text, const std::string& file,
                             const Environment& environment,
                             const std::vector<Manifest>& manifests) {
  LoadResult result;
  Configuration& configuration = result.configuration;
  Diagnostics& diagnostics = result.diagnostics;
  Settings& settings = result.settings;
  settings.file = file;
  result.text = text;

  Node root = ParseDocument(text, file, diagnostics);
  const std::size_t of_reading = diagnostics.size();
  Interpolate(root, environment, diagnostics);

  const Node host_part = HostPart(root);
  configuration.value = Validate(HostSchema(), &host_part, "", diagnostics);
  ReadHost(configuration.value, environment, settings, diagnostics);
  ReadDatabase(configuration.value, settings, diagnostics);
  ReadLog(configuration.value, settings);
  ReadLock(configuration.value, settings);
  const Value* share = configuration.value.Find("schedules.share_with_node");
  if (share != nullptr && !share->null) configuration.share_with_node = share->text == "true";

  LoadPlugins(root.Find("plugins"), manifests, configuration, diagnostics);
  LoadSchedules(root.Find("schedules"), manifests, configuration, diagnostics);
  CheckAccess(configuration, settings, manifests, diagnostics);

  DropGuesses(diagnostics, of_reading);
  std::stable_sort(
      diagnostics.begin(), diagnostics.end(), [](const Diagnostic& a, const Diagnostic& b) {
        return std::pair(a.where.line, a.where.column) < std::pair(b.where.line, b.where.column);
      });
  return result;
}

std::string ConfigurationJsonSchema(const std::vector<Manifest>& manifests) {
  Schema schema = HostSchema();
  for (auto& [name, section] : schema.keys) {
    if (name != "plugins" && name != "schedules") continue;
    section.any_key.reset();
    for (const Manifest& manifest : manifests) {
      if (name == "plugins") section.keys.emplace_back(manifest.id, PluginSchema(manifest));
      if (name == "plugins") continue;
      for (const WorkerDeclaration& worker : manifest.workers) {
        section.keys.emplace_back(worker.id, WorkerSchema(worker));
      }
    }
    if (name == "schedules") {
      section.keys.emplace_back(InboxCleanup().id, WorkerSchema(InboxCleanup()));
    }
  }
  return ToJsonSchema(schema, "summa-host configuration");
}

}  // namespace summa::host

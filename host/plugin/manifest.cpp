#include "host/plugin/manifest.hpp"

#include <summa/abi/bus.h>
#include <summa/abi/schema.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <stdexcept>

#include "bus_metrics.hpp"
#include "host/find.hpp"
#include "host/plugin/manifest_fields.hpp"

namespace summa::host {
namespace {

// Limits of one plugin. Each is far above what a plugin needs and small enough that help, status
// and metrics stay readable for people and bounded for the host.
constexpr std::size_t kMaxWorkers = 64;
constexpr std::size_t kMaxOperations = 64;
constexpr std::size_t kMaxCommands = 64;
constexpr std::size_t kMaxOptions = 64;  // per command
constexpr std::size_t kMaxRoutes = 64;
constexpr std::size_t kMaxParameters = 32;  // per route
constexpr std::size_t kMaxInterfaces = 32;  // requires, provides, extensions: each
constexpr std::size_t kMaxTables = 256;     // reads, writes, creates: each
constexpr std::size_t kMaxSteps = 999;      // of three digits
constexpr std::size_t kMaxMetrics = 256;
constexpr std::size_t kMaxPrivileges = 4;  // there are no more
constexpr std::size_t kMaxLabels = 16;     // of one metric, as summa.metrics/1 takes them
constexpr std::size_t kMaxErrors = 256;

constexpr int kManifestRevision = 1;

constexpr TextForm kId{"[a-z0-9][a-z0-9.-]*",
                       "lower-case letters, digits, '.' and '-', beginning with a letter or digit",
                       63};
constexpr TextForm kVersion{"[0-9]+\\.[0-9]+\\.[0-9]+([-+][0-9A-Za-z.+-]+)?",
                            "a version such as 1.4.0", 64};
// One line of help.
constexpr TextForm kLine{"[^\\r\\n]*[^\\s][^\\r\\n]*", "one line of text", 500};
constexpr TextForm kParagraph{"[\\s\\S]*[^\\s][\\s\\S]*", "a text of a few sentences", 2000};
constexpr TextForm kUrl{"https?://[^\\s]+", "an address that begins with https://", 500};
constexpr TextForm kAbi{"[0-9]{1,4}\\.[0-9]{1,4}", "the lowest host ABI needed, such as \"1.0\"",
                        9};
constexpr TextForm kService{"[a-z0-9][a-z0-9.-]*/[1-9][0-9]{0,3}",
                            "an interface id such as summa.bus/1", 100};
constexpr TextForm kAlias{"[a-z][a-z0-9_-]*", "a name of lower-case letters, digits, '_' and '-'",
                          63};
// The worker id is the key of Summa's lease table, which holds 100 characters.
constexpr TextForm kWorkerId{"[a-z0-9][a-z0-9_.-]*", "lower-case letters, digits, '.', '_' and '-'",
                             100};
constexpr TextForm kVerb{"[a-z][a-z0-9-]*( [a-z][a-z0-9-]*){0,3}",
                         "one to four words of lower-case letters, digits and '-'", 100};
constexpr TextForm kOption{"[a-z][a-z0-9-]*", "a name of lower-case letters, digits and '-'", 63};
constexpr TextForm kPath{"/[^\\s]*", "a path such as /v1/accounts/{id}/balance", 200};
constexpr TextForm kParameter{"[a-z][a-z0-9_-]*",
                              "a name of lower-case letters, digits, '_' and '-'", 63};
constexpr TextForm kTable{"[a-z_][a-z0-9_]*(\\.[a-z_][a-z0-9_]*)?",
                          "the name of a table, with or without its schema", 127};
constexpr TextForm kStep{"schema/(ledger|read)/[0-9]{3}_[a-z0-9_]+\\.sql",
                         "a file such as schema/ledger/001_tables.sql (or schema/read/...)", 127};
constexpr TextForm kMetric{"summa_[a-z0-9_]+", "a metric name that begins with summa_", 100};
constexpr TextForm kPrivilege{"select|insert|update|delete",
                              "one of select, insert, update, delete", 6};
constexpr TextForm kLabel{"[a-z][a-z0-9_]*", "the name of a label", 63};
constexpr TextForm kOperation{"[a-z0-9][a-z0-9_.-]*",
                              "lower-case letters, digits, '.', '_' and '-'", 63};
constexpr TextForm kSmallNumber{"[0-9]{1,4}", "a number of at most four digits", 4};
// What fits into summa_error.code with its final zero.
constexpr TextForm kCode{"[A-Z][A-Z0-9]{1,9}-[0-9]{4}", "a code such as SH-0501", 15};

constexpr std::array<std::string_view, 12> kHostVerbs = {
    "run",     "config", "plugins", "workers", "operations", "bus",
    "metrics", "status", "doctor",  "explain", "version",    "help"};
constexpr std::array<int, 10> kExitCodes = {0, 1, 64, 65, 66, 69, 70, 75, 77, 78};

// What the configuration of every plugin has, as host/settings/host-schema.yaml says.
constexpr std::array<std::string_view, 4> kHostKeys = {"use", "enabled", "isolation", "limits"};

// The first words of the paths that the host serves itself.
constexpr std::array<std::string_view, 6> kHostPaths = {"livez",   "readyz",       "status",
                                                        "metrics", "openapi.json", "api"};

bool IsHostVerb(const std::string& verb) {
  const std::string first = verb.substr(0, verb.find(' '));
  return verb == "migrate" || Contains(kHostVerbs, first);
}

// SH-01xx..04xx and 09xx are the host's; a plugin that used them would falsify `explain`.
bool IsHostCode(const std::string& code) {
  return code.starts_with("SH-0") && code.size() > 4 &&
         (std::string("012349").find(code[4]) != std::string::npos);
}

// What schedules.<worker>.max_run takes, in microseconds.
constexpr std::int64_t kShortestRun = 100'000;
constexpr std::int64_t kLongestRun = 365LL * 24 * 3600 * 1'000'000;

const Node& MetricsOfBuses() {
  static const Node& metrics = *new Node([] {
    Diagnostics diagnostics;
    const Node root = ParseDocument(embedded::bus_metrics, "bus-metrics.yaml", diagnostics);
    const Node* items = root.Find("metrics");
    if (!diagnostics.empty() || items == nullptr) throw std::logic_error("bus-metrics.yaml");
    return *items;
  }());
  return metrics;
}

class ManifestReader {
 public:
  explicit ManifestReader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  void Read(const Node& root, Manifest& manifest) {
    ManifestFields fields(root, "", diagnostics_);
    if (!fields.usable() || !ReadRevision(fields)) return;
    ReadIdentity(fields, manifest);
    ReadServices(fields, manifest);
    for (const Node* item : fields.Items("workers", kMaxWorkers)) ReadWorker(*item, manifest);
    for (const Node* item : fields.Items("operations", kMaxOperations)) {
      ReadOperation(*item, manifest);
    }
    for (const Node* item : fields.Items("commands", kMaxCommands)) ReadCommand(*item, manifest);
    for (const Node* item : fields.Items("routes", kMaxRoutes)) ReadRoute(*item, manifest);
    ReadDatabase(fields, manifest);
    ReadSteps(fields, manifest);
    for (const Node* item : fields.Items("metrics", kMaxMetrics)) ReadMetric(*item, manifest);
    AddMetricsOfBuses(manifest);
    for (const Node* item : fields.Items("errors", kMaxErrors)) ReadError(*item, manifest);
    manifest.config.type = Schema::Type::kMap;
    if (const Node* config = fields.Find("config")) {
      manifest.config = ReadSchema(*config, "config", diagnostics_);
      for (const std::string_view key : kHostKeys) {
        const Node* taken = config->Find(key);
        if (taken == nullptr) continue;
        fields.Report(taken, "config." + std::string(key), "the key belongs to summa-host itself",
                      "Choose another name");
      }
    }
    CheckTogether(fields, root, manifest);
    fields.Finish();
  }

 private:
  // A later revision may mean anything by any key, so nothing else is said about it.
  bool ReadRevision(ManifestFields& fields) {
    const Node* revision = fields.Find("manifest");
    if (revision != nullptr && revision->text == std::to_string(kManifestRevision)) return true;
    if (revision == nullptr) {
      fields.Report(nullptr, "manifest", "is missing", "Begin the manifest with `manifest: 1`");
      return false;
    }
    fields.Report(revision, "manifest",
                  "revision \"" + revision->text + "\" is unknown; this host reads revision 1",
                  "Write `manifest: 1`, or upgrade summa-host");
    return false;
  }

  void ReadIdentity(ManifestFields& fields, Manifest& manifest) {
    manifest.id = fields.Text("id", true, kId);
    // What the host itself is called in the records of its steps; a key beside those of plugins.
    for (const std::string taken : {"host", "lock"}) {
      if (manifest.id != taken) continue;
      fields.Report(fields.Find("id"), "id", "\"" + taken + "\" belongs to summa-host itself",
                    "Choose another id");
    }
    manifest.version = fields.Text("version", true, kVersion);
    manifest.summary = fields.Text("summary", true, kLine);
    manifest.vendor = fields.Text("vendor", false, kLine);
    manifest.url = fields.Text("url", false, kUrl);
    manifest.license = fields.Text("license", false, kLine);
    const std::vector<std::string> stabilities = {"draft", "alpha", "beta", "stable", "deprecated"};
    manifest.stability = stabilities[fields.Choice("stability", false, stabilities).value_or(0)];
    const std::string abi = fields.Text("abi", true, kAbi);
    if (abi.empty()) return;
    manifest.abi_major = std::stoi(abi);
    manifest.abi_minor = std::stoi(abi.substr(abi.find('.') + 1));
  }

  void ReadServices(ManifestFields& fields, Manifest& manifest) {
    std::set<std::string> aliases;
    for (const Node* item : fields.Items("requires", kMaxInterfaces)) {
      ManifestFields entry(*item, "requires", diagnostics_);
      ServiceRequirement requirement;
      requirement.service = entry.Text("service", true, kService);
      requirement.alias = entry.Text("as", false, kAlias);
      if (requirement.alias.empty()) {  // "summa.bus/1" -> "bus"
        const std::string name = requirement.service.substr(0, requirement.service.find('/'));
        requirement.alias = name.substr(name.rfind('.') + 1);
      }
      requirement.many = entry.Flag("many");
      requirement.optional = entry.Flag("optional") || requirement.many;
      entry.Finish();
      if (!aliases.insert(requirement.alias).second) {
        entry.Report(item, "as", "the name \"" + requirement.alias + "\" is given twice",
                     "Give each requirement its own name with `as:`");
      }
      manifest.requires_services.push_back(std::move(requirement));
    }
    for (const Node* item : fields.Items("provides", kMaxInterfaces)) {
      ManifestFields entry(*item, "provides", diagnostics_);
      std::string service = entry.Text("service", true, kService);
      entry.Finish();
      const auto& provides = manifest.provides;
      if (Contains(provides, service)) {
        entry.Report(item, "service", "\"" + service + "\" is given twice", "Remove one of them");
      }
      manifest.provides.push_back(std::move(service));
    }
    manifest.extensions = fields.Texts("extensions", kMaxInterfaces, kService);
  }

  // `name`, as the manifest calls it, tells the items of the list apart.
  template <typename Item>
  static void Add(ManifestFields& fields, const Node& node, std::string_view name,
                  std::string Item::*value, Item item, std::vector<Item>& items,
                  const std::string& if_twice) {
    const bool twice = !(item.*value).empty() &&
                       std::any_of(items.begin(), items.end(),
                                   [&](const Item& other) { return other.*value == item.*value; });
    if (twice) {
      fields.Report(&node, name, "\"" + item.*value + "\" is given twice", if_twice);
    }
    items.push_back(std::move(item));
  }

  void ReadWorker(const Node& node, Manifest& manifest) {
    ManifestFields fields(node, "workers", diagnostics_);
    WorkerDeclaration worker;
    worker.id = fields.Text("id", true, kWorkerId);
    worker.summary = fields.Text("summary", true, kLine);
    const auto kind = fields.Choice("kind", true, {"periodic", "continuous"});
    const bool continuous = kind == 1;
    worker.kind =
        continuous ? WorkerDeclaration::Kind::kContinuous : WorkerDeclaration::Kind::kPeriodic;
    worker.lease = fields.Choice("lease", false, {"required", "none"}).value_or(0) == 0;
    worker.interval_microseconds = fields.Duration("interval", kind == 0);
    worker.idle_poll_microseconds = fields.Duration("idle_poll", kind == 1);
    worker.max_run_microseconds = fields.Duration("max_run", false);
    if (worker.max_run_microseconds != 0 &&
        (worker.max_run_microseconds < kShortestRun || worker.max_run_microseconds > kLongestRun)) {
      fields.Report(&node, "max_run", "it is not 100ms to 365d", "Write a time between the two");
    }
    if (kind == 1 && worker.interval_microseconds != 0) {
      fields.Report(&node, "interval", "is for periodic workers; this one is continuous",
                    "Remove it, or write `kind: periodic`");
    }
    if (kind == 0 && worker.idle_poll_microseconds != 0) {
      fields.Report(&node, "idle_poll", "is for continuous workers; this one is periodic",
                    "Remove it, or write `kind: continuous`");
    }
    fields.Finish();
    Add(fields, node, "id", &WorkerDeclaration::id, std::move(worker), manifest.workers,
        "A worker id is the key of its lease: give each worker its own");
  }

  void ReadOperation(const Node& node, Manifest& manifest) {
    ManifestFields fields(node, "operations", diagnostics_);
    OperationKind operation;
    operation.kind = fields.Text("kind", true, kOperation);
    operation.summary = fields.Text("summary", true, kLine);
    operation.worker = fields.Text("worker", true, kWorkerId);
    const std::string version = fields.Text("version", false, kSmallNumber);
    if (!version.empty()) operation.version = std::stoi(version);
    const std::string retries = fields.Text("retries", false, kSmallNumber);
    if (!retries.empty()) operation.retries = std::stoi(retries);
    fields.Finish();
    Add(fields, node, "kind", &OperationKind::kind, std::move(operation), manifest.operations,
        "Give each kind of operations its own name");
  }

  void ReadCommand(const Node& node, Manifest& manifest) {
    ManifestFields fields(node, "commands", diagnostics_);
    CommandDeclaration command;
    command.verb = fields.Text("verb", true, kVerb);
    command.summary = fields.Text("summary", true, kLine);
    command.worker = fields.Text("worker", false, kWorkerId);
    command.streams = fields.Flag("streams");
    for (const Node* item : fields.Items("options", kMaxOptions)) ReadOption(*item, command);
    fields.Finish();
    if (IsHostVerb(command.verb)) {
      fields.Report(&node, "verb", "\"" + command.verb + "\" belongs to summa-host itself",
                    "Begin the verb with a word that belongs to the plugin, for example its id");
    }
    Add(fields, node, "verb", &CommandDeclaration::verb, std::move(command), manifest.commands,
        "Give each command its own verb");
  }

  // What an option or a parameter is without the members of its own (`without`): a schema, read
  // like a key of the configuration.
  Schema ReadOwnSchema(const Node& node, const std::string& name, const std::string& path,
                       const std::vector<std::string_view>& without) {
    Node attributes = node;
    std::erase_if(attributes.members,
                  [&](const Node::Member& member) { return Contains(without, member.name); });
    Node keys;
    keys.kind = Node::Kind::kMap;
    keys.where = node.where;
    keys.members.push_back({name, node.where, std::move(attributes)});
    const Schema schema = ReadSchema(keys, path, diagnostics_);
    const Schema* own = schema.Find(name);
    return own == nullptr ? Schema{} : *own;
  }

  void ReadOption(const Node& node, CommandDeclaration& command) {
    ManifestFields fields(node, "commands.options", diagnostics_);
    CommandOption option;
    option.name = fields.Text("name", true, kOption);
    option.positional = fields.Flag("positional");
    if (!fields.usable() || option.name.empty()) return;
    option.schema = ReadOwnSchema(node, option.name, "commands.options", {"name", "positional"});
    if (option.positional && !command.options.empty() && !command.options.back().positional) {
      fields.Report(&node, "positional", "a positional argument comes after an option",
                    "List the positional arguments first, in their order");
    }
    Add(fields, node, "name", &CommandOption::name, std::move(option), command.options,
        "Give each option its own name");
  }

  void ReadRoute(const Node& node, Manifest& manifest) {
    ManifestFields fields(node, "routes", diagnostics_);
    RouteDeclaration route;
    const std::vector<std::string> methods = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    const auto method = fields.Choice("method", true, methods);
    if (method) route.method = methods[*method];
    route.path = fields.Text("path", true, kPath);
    route.summary = fields.Text("summary", true, kLine);
    route.body = fields.Text("body", false, kLine);
    route.needs_token = fields.Choice("access", false, {"token", "open"}).value_or(0) == 0;
    if (!route.path.empty()) ReadPath(fields, node, route);
    for (const Node* item : fields.Items("parameters", kMaxParameters)) {
      ReadParameter(*item, route);
    }
    fields.Finish();
    CheckParameters(fields, node, route);
    if (!route.body.empty() && (route.method == "GET" || route.method == "DELETE")) {
      fields.Report(&node, "body", "a " + route.method + " takes no body",
                    "Remove it, or use POST, PUT or PATCH");
    }
    for (const RouteDeclaration& other : manifest.routes) {
      if (!route.parsed.empty() && other.method == route.method &&
          other.parsed.SameShape(route.parsed)) {
        fields.Report(&node, "path", "\"" + RouteName(route) + "\" is given twice",
                      "Give each route its own path or method");
      }
    }
    manifest.routes.push_back(std::move(route));
  }

  void ReadPath(ManifestFields& fields, const Node& node, RouteDeclaration& route) {
    const std::optional<RoutePath> path = RoutePath::Parse(route.path);
    if (!path) {
      fields.Report(&node, "path", "\"" + route.path + "\" is not a valid path of a route",
                    "Write 1 to 16 words of letters, digits, '.', '-' and '_', or parameters in "
                    "braces, each once, such as /v1/accounts/{id}/balance");
      return;
    }
    route.parsed = *path;
    if (path->first_word().empty()) {
      fields.Report(&node, "path", "\"" + route.path + "\" begins with a parameter",
                    "Begin it with a word, such as /v1");
    }
    if (Contains(kHostPaths, path->first_word())) {
      fields.Report(&node, "path", "\"" + route.path + "\" belongs to summa-host itself",
                    "Begin it with another word, such as /v1");
    }
  }

  void ReadParameter(const Node& node, RouteDeclaration& route) {
    ManifestFields fields(node, "routes.parameters", diagnostics_);
    RouteParameter parameter;
    parameter.name = fields.Text("name", true, kParameter);
    if (!fields.usable() || parameter.name.empty()) return;
    parameter.schema = ReadOwnSchema(node, parameter.name, "routes.parameters", {"name"});
    const std::vector<std::string>& in_path = route.parsed.names();
    parameter.in_path = Contains(in_path, parameter.name);
    const Schema::Type type = parameter.schema.type;
    if (type == Schema::Type::kList || type == Schema::Type::kMap) {
      fields.Report(&node, "type", "\"" + parameter.name + "\" is a list or a map",
                    "Parameters are single values: choose another type");
    }
    Add(fields, node, "name", &RouteParameter::name, std::move(parameter), route.parameters,
        "Give each parameter its own name");
  }

  // Every parameter of the path is declared; those of the path come first, in its order.
  void CheckParameters(ManifestFields& fields, const Node& node, RouteDeclaration& route) {
    std::stable_sort(
        route.parameters.begin(), route.parameters.end(),
        [](const RouteParameter& a, const RouteParameter& b) { return a.in_path && !b.in_path; });
    for (const std::string& name : route.parsed.names()) {
      if (FindNamed(route.parameters, &RouteParameter::name, name) != nullptr) continue;
      fields.Report(&node, "parameters", "the parameter {" + name + "} of the path is missing",
                    "Declare it: `- { name: " + name + ", type: string, help: ... }`");
    }
  }

  void ReadDatabase(ManifestFields& fields, Manifest& manifest) {
    const Node* database = fields.Find("database");
    if (database == nullptr) return;
    ManifestFields tables(*database, "database", diagnostics_);
    manifest.reads = tables.Texts("reads", kMaxTables, kTable);
    manifest.writes = tables.Texts("writes", kMaxTables, kTable);
    manifest.creates = tables.Texts("creates", kMaxTables, kTable);
    for (const Node* item : tables.Items("privileges", kMaxTables)) {
      ManifestFields entry(*item, "database.privileges", diagnostics_);
      TablePrivileges privileges;
      privileges.table = entry.Text("table", true, kTable);
      privileges.needs = entry.Texts("needs", kMaxPrivileges, kPrivilege);
      entry.Finish();
      manifest.privileges.push_back(std::move(privileges));
    }
    tables.Finish();
  }

  void ReadSteps(ManifestFields& fields, Manifest& manifest) {
    std::map<std::string, int> last;  // by database
    for (const std::string& path : fields.Texts("schema", kMaxSteps, kStep)) {
      const std::size_t slash = path.find('/');
      const std::size_t number = path.rfind('/') + 1;
      SchemaFile file;
      file.path = path;
      file.database = path.substr(slash + 1, number - slash - 2);
      file.number = std::stoi(path.substr(number, 3));
      file.name = path.substr(number + 4, path.rfind('.') - number - 4);
      int& known = last[file.database];
      if (file.number != known + 1) {
        fields.Report(fields.Find("schema"), "schema",
                      path + " has the number " + std::to_string(file.number) + ", expected " +
                          std::to_string(known + 1),
                      "Number the steps of each database 001, 002, ... and list them so");
      }
      known = file.number;
      manifest.schema.push_back(std::move(file));
    }
  }

  void ReadMetric(const Node& node, Manifest& manifest) {
    ManifestFields fields(node, "metrics", diagnostics_);
    MetricDeclaration metric;
    metric.name = fields.Text("name", true, kMetric);
    metric.help = fields.Text("help", true, kLine);
    metric.labels = fields.Texts("labels", kMaxLabels, kLabel);
    const std::vector<MetricType> types = {MetricType::kCounter, MetricType::kGauge,
                                           MetricType::kHistogram};
    const auto type = fields.Choice("type", false, {"counter", "gauge", "histogram"});
    metric.type = type ? types[*type] : TypeByName(metric.name);
    fields.Finish();
    Add(fields, node, "name", &MetricDeclaration::name, std::move(metric), manifest.metrics,
        "Remove one of them");
  }

  // Those that its own manifest has as well count as it says.
  void AddMetricsOfBuses(Manifest& manifest) {
    if (!IsBus(manifest)) return;
    for (const Node& item : MetricsOfBuses().items) {
      const std::string& name = item.Find("name")->text;
      const auto* known = FindNamed(manifest.metrics, &MetricDeclaration::name, name);
      if (known == nullptr) ReadMetric(item, manifest);
    }
  }

  void ReadError(const Node& node, Manifest& manifest) {
    ManifestFields fields(node, "errors", diagnostics_);
    CodeDescription error;
    error.code = fields.Text("code", true, kCode);
    error.title = fields.Text("title", true, kLine);
    const std::string exit = fields.Text("exit", true, {"[0-9]{1,3}", "an exit code", 3});
    if (!exit.empty()) error.exit_code = std::stoi(exit);
    if (!Contains(kExitCodes, error.exit_code)) {
      fields.Report(fields.Find("exit"), "exit", exit + " is not an exit code of summa-host",
                    "Write one of 0, 1, 64, 65, 66, 69, 70, 75, 77, 78");
    }
    error.explanation = fields.Text("explanation", true, kParagraph);
    error.fix = fields.Text("fix", true, kParagraph);
    fields.Finish();
    if (IsHostCode(error.code)) {
      fields.Report(
          &node, "code", error.code + " belongs to summa-host itself",
          "Use SH-05xx to SH-08xx for a plugin of the project, otherwise your own prefix");
    }
    Add(fields, node, "code", &CodeDescription::code, std::move(error), manifest.errors,
        "Give each error its own code");
  }

  // What two parts of the manifest say about each other.
  void CheckTogether(ManifestFields& fields, const Node& root, const Manifest& manifest) {
    CheckExtension(fields, root, manifest, "workers", !manifest.workers.empty(), "summa.worker/1");
    CheckExtension(fields, root, manifest, "commands", !manifest.commands.empty(),
                   "summa.command/1");
    CheckExtension(fields, root, manifest, "routes", !manifest.routes.empty(), "summa.endpoint/1");
    CheckExtension(fields, root, manifest, "schema", !manifest.schema.empty(), SUMMA_SCHEMA_V1);
    for (const CommandDeclaration& command : manifest.commands) {
      if (!command.worker.empty() &&
          FindNamed(manifest.workers, &WorkerDeclaration::id, command.worker) == nullptr) {
        fields.Report(root.Find("commands"), "commands.worker",
                      "the verb \"" + command.verb + "\" names the worker \"" + command.worker +
                          "\", which the manifest does not have",
                      "Name a worker of this plugin: the verb takes its lease");
      }
    }
    for (const OperationKind& operation : manifest.operations) {
      const WorkerDeclaration* worker =
          FindNamed(manifest.workers, &WorkerDeclaration::id, operation.worker);
      if (worker == nullptr || !worker->lease) {
        fields.Report(root.Find("operations"), "operations.worker",
                      "the kind \"" + operation.kind + "\" names the worker \"" + operation.worker +
                          "\", which is not a worker with a lease in the manifest",
                      "Name a worker of this plugin with `lease: required`: it runs them");
      }
    }
  }

  void CheckExtension(ManifestFields& fields, const Node& root, const Manifest& manifest,
                      const std::string& key, bool used, const std::string& extension) {
    const bool declared = Contains(manifest.extensions, extension);
    if (used && !declared) {
      fields.Report(root.Find(key), key, "needs the extension " + extension,
                    "Add it: `extensions: [" + extension + "]`");
    } else if (!used && declared && root.Find(key) == nullptr) {
      fields.Report(root.Find("extensions"), "extensions",
                    extension + " is listed, but there are no " + key,
                    "List the " + key + ", or remove the extension");
    }
  }

  Diagnostics& diagnostics_;
};

}  // namespace

Manifest ReadManifest(std::string_view text, const std::string& file, Diagnostics& diagnostics) {
  Manifest manifest;
  manifest.text = text;
  const std::size_t problems_before = diagnostics.size();
  const Node root = ParseDocument(text, file, diagnostics);
  // A tree that could be read only in part would give false errors.
  if (diagnostics.size() == problems_before) ManifestReader(diagnostics).Read(root, manifest);
  return manifest;
}

bool IsBus(const Manifest& manifest) { return Contains(manifest.provides, SUMMA_BUS_V1); }

std::vector<std::string> TablesOf(const Manifest& manifest, const std::string& schema) {
  std::set<std::string> tables;
  const std::string prefix = schema + ".";
  for (const auto* names : {&manifest.reads, &manifest.writes}) {
    for (const std::string& name : *names) {
      tables.insert(name.find('.') == std::string::npos ? prefix + name : name);
    }
  }
  return {tables.begin(), tables.end()};
}

}  // namespace summa::host

#include "host/plugin/graph.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <optional>

#include "host/config/text.hpp"
#include "host/find.hpp"

namespace summa::host {
namespace {

constexpr std::array<std::string_view, 5> kHostServices = {
    "summa.log/1", "summa.clock/1", "summa.metrics/1", "summa.sql/1", "summa.registry/1"};

// "summa.sql/2" -> "summa.sql/"
std::string_view WithoutRevision(std::string_view service) {
  return service.substr(0, service.find('/') + 1);
}

struct Node {
  const EnabledPlugin* enabled = nullptr;
  const PluginFile* file = nullptr;
  const Manifest* manifest = nullptr;  // nullptr: unknown
  std::vector<Error> errors;
  std::vector<Binding> bindings;
  std::vector<std::size_t> providers;  // the node of each binding

  bool refused() const { return !errors.empty(); }
  bool Provides(const std::string& service) const {
    return manifest != nullptr && Contains(manifest->provides, service);
  }
};

class Planner {
 public:
  Planner(const std::vector<EnabledPlugin>& enabled, const Discovery& discovery,
          std::string configuration)
      : discovery_(discovery), configuration_(std::move(configuration)) {
    for (const EnabledPlugin& plugin : enabled) AddNode(plugin);
  }

  Plan Make() {
    RefuseSecondOwners();
    RefuseSecondRoutes();
    for (Node& node : nodes_) BindAll(node);
    RefuseNeedy();
    std::vector<std::size_t> order = StartOrder();
    for (auto ring = FindRing(order); !ring.empty(); ring = FindRing(order)) {
      RefuseRing(ring);
      RefuseNeedy();
      order = StartOrder();
    }
    return Result(order);
  }

 private:
  void AddNode(const EnabledPlugin& plugin) {
    Node node;
    node.enabled = &plugin;
    node.file = discovery_.Find(plugin.id);
    if (node.file == nullptr) {
      node.errors.push_back(discovery_.NotFound(plugin.id));
      node.errors.back().where = plugin.where;
    } else {
      node.errors = node.file->refusals;
      if (node.file->manifest) node.manifest = &*node.file->manifest;
    }
    nodes_.push_back(std::move(node));
  }

  void Refuse(Node& node, const char* code, std::string message, std::string hint,
              const std::string& where = {}) {
    node.errors.push_back(
        {code, std::move(message), std::move(hint), where.empty() ? node.enabled->where : where});
  }

  static std::string Named(const Node& node) { return "plugin \"" + node.enabled->id + "\""; }

  // Worker ids are keys of the lease table, verbs are typed by people: both have one owner. Nothing
  // shows which of two plugins is meant, not even the order in the configuration: a plugin that
  // uses the id of another must not get its lease. Both are refused.
  void RefuseSecondOwners() {
    for (Node& node : nodes_) RefuseWorkersOfTheHost(node);
    std::map<std::string, std::vector<Node*>> workers;
    std::map<std::string, std::vector<Node*>> verbs;
    for (Node& node : nodes_) {
      if (node.refused()) continue;
      for (const WorkerDeclaration& worker : node.manifest->workers) {
        workers[worker.id].push_back(&node);
      }
      for (const CommandDeclaration& command : node.manifest->commands) {
        verbs[command.verb].push_back(&node);
      }
    }
    for (const auto& [id, owners] : workers) {
      RefuseAll(owners, "SH-0119", "has a worker \"" + id + "\"", ": they would share one lease");
    }
    for (const auto& [verb, owners] : verbs) {
      RefuseAll(owners, "SH-0120", "adds the command \"" + verb + "\"", "");
    }
  }

  void RefuseWorkersOfTheHost(Node& node) {
    if (node.refused()) return;
    const auto& workers = node.manifest->workers;
    if (std::none_of(workers.begin(), workers.end(), [](const WorkerDeclaration& worker) {
          return worker.id == kInboxCleanupId;
        })) {
      return;
    }
    Refuse(node, "SH-0119",
           Named(node) + " (" + node.file->path + ") has a worker \"" + kInboxCleanupId +
               "\", which is a worker of summa-host itself: they would share one lease",
           "Rename the worker; the plugin does not run until then");
  }

  // Two routes conflict when some path matches both. The other plugin would get the requests and
  // their content.
  void RefuseSecondRoutes() {
    std::vector<std::pair<Node*, std::string>> found;
    for (Node& node : nodes_) {
      for (const Node& other : nodes_) {
        if (&other == &node || node.refused() || other.refused()) continue;
        for (const std::string& problem : RoutesOfBoth(node, other)) {
          found.emplace_back(&node, problem);
        }
      }
    }
    for (auto& [node, problem] : found) {
      Refuse(*node, "SH-0150", std::move(problem),
             "Enable only one of these plugins; none of them runs until then");
    }
  }

  std::vector<std::string> RoutesOfBoth(const Node& node, const Node& other) const {
    std::vector<std::string> problems;
    for (const RouteDeclaration& route : node.manifest->routes) {
      for (const RouteDeclaration& theirs : other.manifest->routes) {
        if (route.method != theirs.method || !route.parsed.Overlaps(theirs.parsed)) continue;
        problems.push_back(Named(node) + " (" + node.file->path + ") serves \"" + RouteName(route) +
                           "\", and plugin \"" + other.enabled->id + "\" (" + other.file->path +
                           ") serves \"" + RouteName(theirs) + "\": a request could match both");
      }
    }
    return problems;
  }

  static std::string AndSoHave(const Node& node, const std::vector<Node*>& owners,
                               const std::string& what) {
    std::string text = Named(node) + " (" + node.file->path + ") " + what + ", and so has ";
    const char* before = "plugin \"";
    for (const Node* other : owners) {
      if (other == &node) continue;
      text += before;
      text += other->enabled->id;
      text += "\" (";
      text += other->file->path;
      text += ")";
      before = ", plugin \"";
    }
    return text;
  }

  void RefuseAll(const std::vector<Node*>& owners, const char* code, const std::string& what,
                 const std::string& why) {
    if (owners.size() < 2) return;
    for (Node* node : owners) {
      Refuse(*node, code, AndSoHave(*node, owners, what) + why,
             "Enable only one of these plugins; none of them runs until then");
    }
  }

  void BindAll(Node& node) {
    if (node.manifest == nullptr) return;
    CheckAliases(node);
    for (const ServiceRequirement& requirement : node.manifest->requires_services) {
      if (Contains(kHostServices, requirement.service)) {
        continue;
      }
      if (requirement.many) {
        BindEach(node, requirement);
        continue;
      }
      const auto choice = node.enabled->use.find(requirement.alias);
      // A second provider of the same kind is used only when the configuration names it.
      if (choice == node.enabled->use.end() && requirement.optional &&
          NeedsTwice(*node.manifest, requirement.service)) {
        continue;
      }
      const auto provider = choice != node.enabled->use.end()
                                ? Chosen(node, requirement, choice->second)
                                : OnlyProvider(node, requirement);
      if (!provider) continue;
      node.bindings.push_back({requirement.service, requirement.alias,
                               nodes_[*provider].enabled->id,
                               requirement.optional && choice == node.enabled->use.end()});
      node.providers.push_back(*provider);
    }
  }

  void BindEach(Node& node, const ServiceRequirement& requirement) {
    for (const std::size_t provider : EnabledProviders(node, requirement.service)) {
      node.bindings.push_back({requirement.service, requirement.alias, nodes_[provider].enabled->id,
                               /*optional=*/true});
      node.providers.push_back(provider);
    }
  }

  static bool NeedsTwice(const Manifest& manifest, const std::string& service) {
    return std::count_if(
               manifest.requires_services.begin(), manifest.requires_services.end(),
               [&](const ServiceRequirement& other) { return other.service == service; }) > 1;
  }

  void CheckAliases(Node& node) {
    std::vector<std::string> aliases;
    for (const ServiceRequirement& requirement : node.manifest->requires_services) {
      if (!requirement.many) aliases.push_back(requirement.alias);  // nothing to choose
    }
    for (const auto& [alias, choice] : node.enabled->use) {
      if (Contains(aliases, alias)) continue;
      const auto near = Suggest(alias, aliases);
      Refuse(node, "SH-0118",
             Named(node) + " requires nothing named \"" + alias + "\", so `use` cannot contain it",
             near              ? "Did you mean " + *near + "?"
             : aliases.empty() ? "Remove it: the plugin requires no service of another plugin"
                               : "Names it knows: " + Join(aliases),
             choice.where);
    }
  }

  std::optional<std::size_t> Chosen(Node& node, const ServiceRequirement& requirement,
                                    const ProviderChoice& choice) {
    const std::string chosen = Named(node) + ": use." + requirement.alias + " names plugin \"" +
                               choice.provider + "\", which ";
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].enabled->id != choice.provider) continue;
      if (&nodes_[i] == &node) {
        Refuse(node, "SH-0118", chosen + "is the plugin itself", "Name another plugin",
               choice.where);
        return std::nullopt;
      }
      // Of a plugin without a readable manifest nothing is known; it is refused anyway.
      if (nodes_[i].manifest == nullptr || nodes_[i].Provides(requirement.service)) return i;
      const auto others = EnabledProviders(node, requirement.service);
      Refuse(node, "SH-0118", chosen + "does not provide " + requirement.service,
             others.empty() ? NothingProvidesFix(requirement.service)
                            : "Name one that does: " + Join(Ids(others), " or "),
             choice.where);
      return std::nullopt;
    }
    const bool installed = discovery_.Find(choice.provider) != nullptr;
    std::vector<std::string> ids;
    for (const Node& other : nodes_) ids.push_back(other.enabled->id);
    const auto near = Suggest(choice.provider, ids);
    Refuse(node, "SH-0118", chosen + (installed ? "is not enabled" : "is not installed"),
           near        ? "Did you mean " + *near + "?"
           : installed ? "Enable " + choice.provider + " under plugins: in " + configuration_
                       : NothingProvidesFix(requirement.service),
           choice.where);
    return std::nullopt;
  }

  std::optional<std::size_t> OnlyProvider(Node& node, const ServiceRequirement& requirement) {
    const auto providers = EnabledProviders(node, requirement.service);
    if (providers.size() == 1) return providers[0];
    const std::string needs = Named(node) + " requires service " + requirement.service + " as \"" +
                              requirement.alias + "\"; ";
    if (providers.size() > 1) {
      Refuse(node, "SH-0117", needs + "several enabled plugins provide it: " + Join(Ids(providers)),
             "Choose one in " + configuration_ + ": plugins." + node.enabled->id + ".use: { " +
                 requirement.alias + ": " + nodes_[providers[0]].enabled->id + " }");
    } else if (!requirement.optional) {
      const std::string other = HostRevision(requirement.service);
      Refuse(node, "SH-0108",
             needs + (other.empty() ? "none of the enabled plugins provides it"
                                    : "this host offers " + other),
             other.empty()
                 ? NothingProvidesFix(requirement.service)
                 : "Install releases of the plugin and of summa-host that are compatible");
    }
    return std::nullopt;
  }

  std::string HostRevision(const std::string& service) const {
    for (const std::string_view own : kHostServices) {
      if (WithoutRevision(own) == WithoutRevision(service)) return std::string(own);
    }
    return {};
  }

  std::vector<std::size_t> EnabledProviders(const Node& node, const std::string& service) const {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (&nodes_[i] != &node && nodes_[i].Provides(service)) found.push_back(i);
    }
    return found;
  }

  std::vector<std::string> Ids(const std::vector<std::size_t>& indices) const {
    std::vector<std::string> ids;
    ids.reserve(indices.size());
    for (const std::size_t i : indices) ids.push_back(nodes_[i].enabled->id);
    return ids;
  }

  // Tells "installed, but not enabled" from "nothing installed provides it".
  std::string NothingProvidesFix(const std::string& service) const {
    std::vector<std::string> ids;
    for (const PluginFile& file : discovery_.files) {
      if (!file.manifest || !file.refusals.empty() || !file.shadowed_by.empty()) continue;
      const auto& provides = file.manifest->provides;
      if (Contains(provides, service)) {
        ids.push_back(file.manifest->id);
      }
    }
    std::sort(ids.begin(), ids.end());
    if (ids.empty()) {
      return "Install a plugin that provides " + service + ": no installed plugin does";
    }
    return "Enable " + Join(ids, " or ") + " under plugins: in " + configuration_;
  }

  // A plugin is refused together with a provider that it needs; an optional provider is left out
  // instead.
  void RefuseNeedy() {
    bool changed = true;
    while (changed) {
      changed = false;
      for (Node& node : nodes_) {
        if (!node.refused() && DropRefusedProviders(node)) changed = true;
      }
    }
  }

  bool DropRefusedProviders(Node& node) {
    std::vector<Binding> bindings;
    std::vector<std::size_t> providers;
    for (std::size_t i = 0; i < node.bindings.size(); ++i) {
      const Node& provider = nodes_[node.providers[i]];
      if (!provider.refused()) {
        bindings.push_back(node.bindings[i]);
        providers.push_back(node.providers[i]);
      } else if (!node.bindings[i].optional) {
        node.errors.push_back(NeedsRefused(node.enabled->id, node.bindings[i],
                                           provider.errors.front().code, node.enabled->where));
      }
    }
    const bool changed = bindings.size() != node.bindings.size();
    node.bindings = std::move(bindings);
    node.providers = std::move(providers);
    return changed;
  }

  // First in, first out among those whose providers are in the order already. What is missing in
  // the result is in a cycle or depends on one.
  std::vector<std::size_t> StartOrder() const {
    std::vector<std::size_t> waiting_for(nodes_.size());
    std::deque<std::size_t> ready;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      waiting_for[i] = nodes_[i].providers.size();
      if (!nodes_[i].refused() && waiting_for[i] == 0) ready.push_back(i);
    }
    std::vector<std::size_t> order;
    while (!ready.empty()) {
      const std::size_t done = ready.front();
      ready.pop_front();
      order.push_back(done);
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (nodes_[i].refused()) continue;
        const auto uses = std::count(nodes_[i].providers.begin(), nodes_[i].providers.end(), done);
        if (uses == 0) continue;
        waiting_for[i] -= static_cast<std::size_t>(uses);
        if (waiting_for[i] == 0) ready.push_back(i);
      }
    }
    return order;
  }

  // Each node that is left has a provider that is left, so a walk along them must come back.
  std::vector<std::size_t> FindRing(const std::vector<std::size_t>& order) const {
    const auto is_left = [&](std::size_t i) { return !nodes_[i].refused() && !Contains(order, i); };
    for (std::size_t start = 0; start < nodes_.size(); ++start) {
      if (!is_left(start)) continue;
      std::vector<std::size_t> walk = {start};
      while (true) {
        const auto& providers = nodes_[walk.back()].providers;
        const std::size_t next = *std::find_if(providers.begin(), providers.end(), is_left);
        const auto seen = std::find(walk.begin(), walk.end(), next);
        if (seen != walk.end()) {
          walk.erase(walk.begin(), seen);
          return FirstInConfiguration(std::move(walk));
        }
        walk.push_back(next);
      }
    }
    return {};
  }

  static std::vector<std::size_t> FirstInConfiguration(std::vector<std::size_t> ring) {
    std::rotate(ring.begin(), std::min_element(ring.begin(), ring.end()), ring.end());
    return ring;
  }

  void RefuseRing(const std::vector<std::size_t>& ring) {
    std::string plugins;
    std::string services;
    for (std::size_t i = 0; i < ring.size(); ++i) {
      const Node& node = nodes_[ring[i]];
      const std::size_t next = ring[(i + 1) % ring.size()];
      const auto binding =
          std::find(node.providers.begin(), node.providers.end(), next) - node.providers.begin();
      plugins.append(node.enabled->id).append(" → ");
      services.append(services.empty() ? "" : ", ");
      services += node.bindings[static_cast<std::size_t>(binding)].service;
    }
    plugins += nodes_[ring[0]].enabled->id;
    const std::string found = "dependency cycle: " + plugins + " (through " + services + ")";
    for (const std::size_t i : ring) {
      Refuse(nodes_[i], "SH-0109", found,
             "Choose another provider with `use`, or disable one of these plugins");
    }
  }

  Plan Result(const std::vector<std::size_t>& order) {
    Plan plan;
    for (const std::size_t i : order) {
      plan.order.push_back({nodes_[i].enabled->id, nodes_[i].file, std::move(nodes_[i].bindings)});
    }
    for (Node& node : nodes_) {
      if (node.refused()) {
        plan.refused.push_back({node.enabled->id, node.file, std::move(node.errors)});
      }
    }
    return plan;
  }

  const Discovery& discovery_;
  const std::string configuration_;
  std::vector<Node> nodes_;
};

}  // namespace

Error NeedsRefused(const std::string& id, const Binding& binding, const std::string& provider_code,
                   const std::string& where) {
  return {"SH-0121",
          "plugin \"" + id + "\" needs " + binding.service + " from plugin \"" + binding.provider +
              "\", which is not available (" + provider_code + ")",
          "Fix plugin \"" + binding.provider + "\" first", where};
}

Plan MakePlan(const std::vector<EnabledPlugin>& enabled, const Discovery& discovery,
              const std::string& configuration) {
  return Planner(enabled, discovery, configuration).Make();
}

}  // namespace summa::host

#include "host/plugin/graph.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace summa::host {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Installed plugins without files.
class Installed {
 public:
  Manifest& Add(const std::string& id, std::vector<std::string> required = {},
                std::vector<std::string> provided = {}) {
    PluginFile file;
    file.path = "/p/" + id + ".so";
    file.manifest.emplace();
    file.manifest->id = id;
    for (std::string& service : required) {
      const std::string name = service.substr(0, service.find('/'));
      file.manifest->requires_services.push_back(
          {service, name.substr(name.rfind('.') + 1), false});
    }
    file.manifest->provides = std::move(provided);
    discovery.files.push_back(std::move(file));
    return *discovery.files.back().manifest;
  }
  Discovery discovery;
};

EnabledPlugin On(const std::string& id, std::map<std::string, std::string> use = {}) {
  EnabledPlugin plugin{id, "", {}};
  for (const auto& [alias, provider] : use) plugin.use[alias] = {provider, "summa.yaml:7:9"};
  return plugin;
}

std::vector<std::string> Order(const Plan& plan) {
  std::vector<std::string> ids;
  for (const PlannedPlugin& plugin : plan.order) ids.push_back(plugin.id);
  return ids;
}

// "id: SH-0108 text" of every refusal.
std::vector<std::string> Refusals(const Plan& plan) {
  std::vector<std::string> texts;
  for (const RefusedPlugin& plugin : plan.refused) {
    for (const Error& error : plugin.errors) texts.push_back(plugin.id + ": " + ToText(error));
  }
  return texts;
}

Plan Make(const Installed& installed, const std::vector<EnabledPlugin>& enabled) {
  return MakePlan(enabled, installed.discovery, "summa.yaml");
}

TEST(PluginGraph, ProvidersStartBeforeTheirUsersAndElseTheConfigurationDecides) {
  Installed installed;
  installed.Add("outbox", {"summa.bus/1"});
  installed.Add("maintenance");
  installed.Add("bus-redis", {}, {"summa.bus/1"});
  installed.Add("projections", {"summa.bus/1", "example.cache/1"});
  installed.Add("cache", {}, {"example.cache/1"});
  const Plan plan = Make(installed, {On("projections"), On("outbox"), On("maintenance"),
                                     On("bus-redis"), On("cache")});
  EXPECT_THAT(Refusals(plan), IsEmpty());
  EXPECT_THAT(Order(plan),
              ElementsAre("maintenance", "bus-redis", "cache", "outbox", "projections"));
  ASSERT_THAT(plan.order[3].bindings, SizeIs(1));
  EXPECT_EQ(plan.order[3].bindings[0].provider, "bus-redis");
  EXPECT_EQ(plan.order[3].bindings[0].alias, "bus");
}

TEST(PluginGraph, ARequirementOfManyGetsAllProvidersThatRunOrNone) {
  Installed installed;
  installed.Add("projections", {"summa.projection/1"}).requires_services[0].many = true;
  installed.discovery.files[0].manifest->requires_services[0].optional = true;
  installed.Add("one", {}, {"summa.projection/1"});
  installed.Add("other", {}, {"summa.projection/1"});
  installed.Add("lacking", {"example.cache/1"}, {"summa.projection/1"});
  const Plan alone = Make(installed, {On("projections")});
  EXPECT_THAT(Refusals(alone), IsEmpty());
  EXPECT_THAT(alone.order[0].bindings, IsEmpty());

  const Plan plan = Make(installed, {On("projections"), On("other"), On("lacking"), On("one")});
  EXPECT_THAT(Order(plan), ElementsAre("other", "one", "projections"));
  std::vector<std::string> providers;
  for (const Binding& binding : plan.order[2].bindings) providers.push_back(binding.provider);
  EXPECT_THAT(providers, ElementsAre("other", "one"));
  EXPECT_THAT(Refusals(plan), SizeIs(1)) << "of the one that lacks a service";

  const Plan chosen =
      Make(installed, {On("projections", {{"projection", "one"}}), On("one"), On("other")});
  ASSERT_THAT(Refusals(chosen), SizeIs(1)) << "there is nothing to choose";
}

RouteDeclaration Route(const std::string& method, const std::string& path) {
  RouteDeclaration route;
  route.method = method;
  route.path = path;
  route.parsed = RoutePath::Parse(path).value();
  return route;
}

TEST(PluginGraph, PluginsWithARouteThatCouldBeForBothAreRefused) {
  Installed installed;
  installed.Add("accounts").routes = {Route("GET", "/v1/accounts/{id}"), Route("GET", "/v1/own")};
  installed.Add("me").routes = {Route("GET", "/v1/accounts/me")};
  installed.Add("writer").routes = {Route("POST", "/v1/accounts/{id}"), Route("GET", "/v1/others")};
  const Plan plan = Make(installed, {On("accounts"), On("me"), On("writer")});
  EXPECT_THAT(Order(plan), ElementsAre("writer"));
  EXPECT_THAT(Refusals(plan),
              ElementsAre(HasSubstr("accounts: SH-0150 plugin \"accounts\" (/p/accounts.so) serves "
                                    "\"GET /v1/accounts/{id}\", and plugin \"me\""),
                          HasSubstr("me: SH-0150 plugin \"me\"")));
}

TEST(PluginGraph, TheConfigurationChoosesBetweenProviders) {
  Installed installed;
  installed.Add("outbox", {"summa.bus/1"});
  installed.Add("bus-redis", {}, {"summa.bus/1"});
  installed.Add("bus-kafka", {}, {"summa.bus/1"});
  const Plan chosen =
      Make(installed, {On("outbox", {{"bus", "bus-kafka"}}), On("bus-redis"), On("bus-kafka")});
  EXPECT_THAT(Order(chosen), ElementsAre("bus-redis", "bus-kafka", "outbox"));
  EXPECT_EQ(chosen.order[2].bindings[0].provider, "bus-kafka");

  const Plan open = Make(installed, {On("outbox"), On("bus-redis"), On("bus-kafka")});
  EXPECT_THAT(Order(open), ElementsAre("bus-redis", "bus-kafka"));
  EXPECT_THAT(Refusals(open),
              ElementsAre("outbox: SH-0117 plugin \"outbox\" requires service summa.bus/1 as "
                          "\"bus\"; several enabled plugins provide it: bus-redis, bus-kafka. Fix: "
                          "Choose one in summa.yaml: plugins.outbox.use: { bus: bus-redis }."));
}

TEST(PluginGraph, AMissingServiceTellsInstalledFromNotInstalled) {
  Installed installed;
  installed.Add("outbox", {"summa.bus/1"});
  EXPECT_THAT(Refusals(Make(installed, {On("outbox")})),
              ElementsAre("outbox: SH-0108 plugin \"outbox\" requires service summa.bus/1 as "
                          "\"bus\"; none of the enabled plugins provides it. Fix: Install a plugin "
                          "that provides summa.bus/1: no installed plugin does."));
  installed.Add("bus-redis", {}, {"summa.bus/1"});
  installed.Add("bus-kafka", {}, {"summa.bus/1"});
  EXPECT_THAT(Refusals(Make(installed, {On("outbox")})),
              ElementsAre("outbox: SH-0108 plugin \"outbox\" requires service summa.bus/1 as "
                          "\"bus\"; none of the enabled plugins provides it. Fix: Enable bus-kafka "
                          "or bus-redis under plugins: in summa.yaml."));
}

TEST(PluginGraph, ServicesOfTheHostNeedNoPluginAndAnUnknownRevisionIsSaid) {
  Installed installed;
  installed.Add("a", {"summa.sql/1", "summa.log/1"});
  installed.Add("b", {"summa.sql/2"});
  const Plan plan = Make(installed, {On("a"), On("b")});
  EXPECT_THAT(Order(plan), ElementsAre("a"));
  EXPECT_THAT(plan.order[0].bindings, IsEmpty());
  EXPECT_THAT(Refusals(plan),
              ElementsAre("b: SH-0108 plugin \"b\" requires service summa.sql/2 as \"sql\"; this "
                          "host offers summa.sql/1. Fix: Install releases of the plugin and of "
                          "summa-host that are compatible."));
}

TEST(PluginGraph, EveryWrongUseIsExplained) {
  Installed installed;
  installed.Add("outbox", {"summa.bus/1"});
  installed.Add("bus-redis", {}, {"summa.bus/1"});
  installed.Add("bus-kafka", {}, {"summa.bus/1"});
  installed.Add("maintenance");
  const auto refusals = [&](std::map<std::string, std::string> use) {
    return Refusals(
        Make(installed, {On("outbox", std::move(use)), On("bus-redis"), On("maintenance")}));
  };
  const std::string at = "outbox: SH-0118 summa.yaml:7:9: plugin \"outbox\"";
  EXPECT_THAT(refusals({{"bus", "maintenance"}}),
              ElementsAre(at + ": use.bus names plugin \"maintenance\", which does not provide "
                               "summa.bus/1. Fix: Name one that does: bus-redis."));
  EXPECT_THAT(refusals({{"bus", "bus-kafka"}}),
              ElementsAre(at + ": use.bus names plugin \"bus-kafka\", which is not enabled. Fix: "
                               "Enable bus-kafka under plugins: in summa.yaml."));
  EXPECT_THAT(
      refusals({{"bus", "bus-rediss"}}),
      ElementsAre(at + ": use.bus names plugin \"bus-rediss\", which is not installed. Fix: "
                       "Did you mean bus-redis?"));
  EXPECT_THAT(
      refusals({{"bus", "outbox"}}),
      ElementsAre(at + ": use.bus names plugin \"outbox\", which is the plugin itself. Fix: "
                       "Name another plugin."));
  EXPECT_THAT(
      refusals({{"buss", "bus-redis"}}),
      ElementsAre(
          at +
          " requires nothing named \"buss\", so `use` cannot contain it. Fix: Did you mean bus?"));
}

TEST(PluginGraph, ARefusedPluginTakesDownOnlyThoseThatNeedIt) {
  Installed installed;
  installed.Add("outbox", {"summa.bus/1"});
  installed.Add("bus-redis", {}, {"summa.bus/1"});
  installed.Add("on-top", {"example.outbox/1"});
  installed.discovery.files[0].manifest->provides = {"example.outbox/1"};
  installed.Add("maintenance");
  installed.discovery.files[1].refusals = {{"SH-0105", "too new", "", ""}};
  const Plan plan =
      Make(installed, {On("on-top"), On("outbox"), On("bus-redis"), On("maintenance")});
  EXPECT_THAT(Order(plan), ElementsAre("maintenance"));
  EXPECT_THAT(
      Refusals(plan),
      ElementsAre("on-top: SH-0121 plugin \"on-top\" needs example.outbox/1 from plugin "
                  "\"outbox\", which is not available (SH-0121). Fix: Fix plugin \"outbox\" first.",
                  "outbox: SH-0121 plugin \"outbox\" needs summa.bus/1 from plugin \"bus-redis\", "
                  "which is not available (SH-0105). Fix: Fix plugin \"bus-redis\" first.",
                  "bus-redis: SH-0105 too new."));
}

TEST(PluginGraph, AnOptionalProviderMayBeAbsentButNotWhenItWasChosen) {
  Installed installed;
  installed.Add("projections", {"summa.bus/1"}).requires_services[0].optional = true;
  installed.Add("bus-redis", {}, {"summa.bus/1"});
  EXPECT_THAT(Order(Make(installed, {On("projections")})), ElementsAre("projections"));

  installed.discovery.files[1].refusals = {{"SH-0105", "too new", "", ""}};
  const Plan without = Make(installed, {On("projections"), On("bus-redis")});
  EXPECT_THAT(Order(without), ElementsAre("projections"));
  EXPECT_THAT(without.order[0].bindings, IsEmpty());

  const Plan chosen = Make(installed, {On("projections", {{"bus", "bus-redis"}}), On("bus-redis")});
  EXPECT_THAT(Order(chosen), IsEmpty());
}

TEST(PluginGraph, AnOptionalSecondOneOfTheSameServiceIsUsedOnlyWhenItIsAskedFor) {
  Installed installed;
  Manifest& outbox = installed.Add("outbox", {"summa.bus/1"});
  outbox.requires_services.push_back({"summa.bus/1", "second_bus", true});
  installed.Add("bus-redis", {}, {"summa.bus/1"});
  installed.Add("bus-kafka", {}, {"summa.bus/1"});
  const auto bindings = [&](const std::vector<EnabledPlugin>& enabled) {
    const Plan plan = Make(installed, enabled);
    EXPECT_THAT(Refusals(plan), IsEmpty());
    std::vector<std::string> texts;
    for (const auto& binding : plan.order.back().bindings) {
      texts.push_back(binding.alias + "=" + binding.provider);
    }
    return texts;
  };
  EXPECT_THAT(bindings({On("outbox"), On("bus-redis")}), ElementsAre("bus=bus-redis"));
  EXPECT_THAT(bindings({On("outbox", {{"bus", "bus-redis"}}), On("bus-redis"), On("bus-kafka")}),
              ElementsAre("bus=bus-redis"));
  EXPECT_THAT(bindings({On("outbox", {{"bus", "bus-redis"}, {"second_bus", "bus-kafka"}}),
                        On("bus-redis"), On("bus-kafka")}),
              ElementsAre("bus=bus-redis", "second_bus=bus-kafka"));
}

TEST(PluginGraph, OnlyTheRingAndThoseBehindItAreRefused) {
  Installed installed;
  installed.Add("behind", {"example.a/1"});
  installed.Add("b", {"example.a/1"}, {"example.b/1"});
  installed.Add("a", {"example.b/1"}, {"example.a/1"});
  installed.Add("apart");
  const Plan plan = Make(installed, {On("behind"), On("b"), On("a"), On("apart")});
  EXPECT_THAT(Order(plan), ElementsAre("apart"));
  const std::string ring =
      "SH-0109 dependency cycle: b → a → b (through example.a/1, example.b/1). Fix: Choose another "
      "provider with `use`, or disable one of these plugins.";
  EXPECT_THAT(Refusals(plan),
              ElementsAre("behind: SH-0121 plugin \"behind\" needs example.a/1 from plugin \"a\", "
                          "which is not available (SH-0109). Fix: Fix plugin \"a\" first.",
                          "b: " + ring, "a: " + ring));
}

TEST(PluginGraph, TwoRingsAreBothShown) {
  Installed installed;
  installed.Add("a", {"x.b/1"}, {"x.a/1"});
  installed.Add("b", {"x.a/1"}, {"x.b/1"});
  installed.Add("c", {"x.d/1"}, {"x.c/1"});
  installed.Add("d", {"x.c/1"}, {"x.d/1"});
  const Plan plan = Make(installed, {On("a"), On("b"), On("c"), On("d")});
  EXPECT_THAT(Refusals(plan), ElementsAre(HasSubstr("a → b → a"), HasSubstr("a → b → a"),
                                          HasSubstr("c → d → c"), HasSubstr("c → d → c")));
}

TEST(PluginGraph, PluginsThatClaimOneWorkerOrVerbAreAllRefusedInWhateverOrderTheyStand) {
  Installed installed;
  installed.Add("own").workers.push_back({"cleanup", "S.", {}, true, 1, 0});
  installed.Add("thief").workers.push_back({"cleanup", "S.", {}, true, 1, 0});
  installed.Add("three").commands.push_back({"greet", "S.", "", false, {}});
  installed.Add("four").commands.push_back({"greet", "S.", "", false, {}});
  installed.Add("five").workers.push_back({"sweep", "S.", {}, true, 1, 0});
  for (const auto& first : {"own", "thief"}) {
    const std::string second = first == std::string("own") ? "thief" : "own";
    const Plan plan = Make(installed, {On(first), On(second), On("three"), On("four"), On("five")});
    EXPECT_THAT(Order(plan), ElementsAre("five"));
    const auto refusals = Refusals(plan);
    ASSERT_THAT(refusals, SizeIs(4));
    EXPECT_THAT(refusals[0], HasSubstr(std::string(first) + ": SH-0119 plugin \"" + first + "\""));
    EXPECT_THAT(refusals[0], HasSubstr("and so has plugin \"" + second + "\""));
    EXPECT_THAT(refusals[1], HasSubstr(second + ": SH-0119 plugin \"" + second + "\""));
    EXPECT_THAT(refusals[1], HasSubstr("and so has plugin \"" + std::string(first) + "\""));
    EXPECT_THAT(refusals[2], HasSubstr("three: SH-0120 "));
    EXPECT_THAT(refusals[3], HasSubstr("four: SH-0120 "));
  }
}

TEST(PluginGraph, APluginWhoseWorkerIsNamedLikeOneOfTheHostIsRefused) {
  Installed installed;
  installed.Add("thief").workers.push_back({"inbox-cleanup", "S.", {}, true, 1, 0});
  installed.Add("own").workers.push_back({"cleanup", "S.", {}, true, 1, 0});
  const Plan plan = Make(installed, {On("thief"), On("own")});
  EXPECT_THAT(Order(plan), ElementsAre("own"));
  EXPECT_THAT(Refusals(plan), ElementsAre(HasSubstr("thief: SH-0119 plugin \"thief\"")));
  EXPECT_THAT(Refusals(plan), ElementsAre(HasSubstr("a worker of summa-host itself")));
}

TEST(PluginGraph, EveryOneOfThreePluginsWithOneWorkerIsNamed) {
  Installed installed;
  for (const char* id : {"a", "b", "c"}) {
    installed.Add(id).workers.push_back({"w", "S.", {}, true, 1, 0});
  }
  const Plan plan = Make(installed, {On("a"), On("b"), On("c")});
  EXPECT_THAT(Order(plan), IsEmpty());
  for (const std::string& refusal : Refusals(plan)) {
    for (const char* id : {"\"a\"", "\"b\"", "\"c\""}) EXPECT_THAT(refusal, HasSubstr(id));
  }
}

TEST(PluginGraph, AnEnabledPluginThatIsNotInstalledIsReportedAtItsPlace) {
  Installed installed;
  installed.Add("outbox");
  installed.discovery.directories = {"/usr/lib/summa/plugins"};
  EnabledPlugin misspelt = On("outbx");
  misspelt.where = "summa.yaml:4:3";
  EXPECT_THAT(Refusals(Make(installed, {misspelt})),
              ElementsAre("outbx: SH-0101 summa.yaml:4:3: plugin \"outbx\": file not found. Looked "
                          "in: /usr/lib/summa/plugins. Fix: Did you mean outbox?"));
}

}  // namespace
}  // namespace summa::host

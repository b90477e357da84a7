#include "plugins/bus-kafka/rights.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace summa::bus_kafka {
namespace {

using Report = std::function<void(const Finding&)>;

constexpr std::size_t kNamed = 5;  // what lacks is named so often

struct Need {
  rd_kafka_AclOperation_t operation;
  const char* name;
};
constexpr std::array kOfTopics = {Need{RD_KAFKA_ACL_OPERATION_READ, "Read"},
                                  Need{RD_KAFKA_ACL_OPERATION_WRITE, "Write"},
                                  Need{RD_KAFKA_ACL_OPERATION_DESCRIBE, "Describe"}};

bool IsFor(const AclRule& rule, const std::string& principal) {
  return rule.principal == principal || rule.principal == "User:*";
}

bool Matches(const AclRule& rule, const std::string& topic) {
  if (rule.resource != RD_KAFKA_RESOURCE_TOPIC) return false;
  if (rule.prefixed) return topic.starts_with(rule.name);
  return rule.name == "*" || rule.name == topic;
}

// Whoever may read or write may also describe.
bool Covers(const AclRule& rule, rd_kafka_AclOperation_t operation) {
  if (rule.operation == operation || rule.operation == RD_KAFKA_ACL_OPERATION_ALL) return true;
  return operation == RD_KAFKA_ACL_OPERATION_DESCRIBE && rule.allows &&
         (rule.operation == RD_KAFKA_ACL_OPERATION_READ ||
          rule.operation == RD_KAFKA_ACL_OPERATION_WRITE);
}

enum class Answer { kAllowed, kDenied, kNotAllowed, kNoRule };

Answer Ask(const std::vector<AclRule>& rules, const std::string& principal,
           const std::string& topic, rd_kafka_AclOperation_t operation) {
  Answer answer = Answer::kNoRule;
  for (const AclRule& rule : rules) {
    if (!Matches(rule, topic)) continue;
    if (answer == Answer::kNoRule) answer = Answer::kNotAllowed;
    if (!IsFor(rule, principal) || !Covers(rule, operation)) continue;
    if (!rule.allows) return Answer::kDenied;
    answer = Answer::kAllowed;
  }
  return answer;
}

std::vector<std::string> TopicsOf(KafkaBus& bus) {
  std::vector<std::string> topics;
  for (const auto& [topic, shape] : bus.admin().AllTopics()) {
    if (bus.names().StreamOf(topic)) topics.push_back(topic);
  }
  return topics;
}

void ReportLacking(const std::vector<std::string>& lacking, const std::string& principal,
                   Severity severity, const Report& report) {
  std::string names;
  for (std::size_t i = 0; i < std::min(lacking.size(), kNamed); ++i) {
    names += (i == 0 ? "" : ", ") + lacking[i];
  }
  if (lacking.size() > kNamed) names += " and " + std::to_string(lacking.size() - kNamed) + " more";
  report({severity, "ACLs of " + principal, names,
          "Read, Write and Describe of every topic, allowed by an ACL (or the user is one of "
          "super.users)",
          "kafka-acls --add --allow-principal " + principal +
              " --operation Read --operation Write --operation Describe --topic ...; the README "
              "of bus-kafka lists all rights"});
}

void CompareRules(const std::vector<AclRule>& rules, const std::string& principal,
                  const std::vector<std::string>& topics, const Report& report) {
  std::vector<std::string> denied, lacking;
  for (const std::string& topic : topics) {
    for (const Need& need : kOfTopics) {
      const Answer answer = Ask(rules, principal, topic, need.operation);
      const std::string what = std::string(need.name) + " of topic " + topic;
      if (answer == Answer::kDenied) denied.push_back("no " + what);
      if (answer == Answer::kNotAllowed) lacking.push_back("no " + what);
    }
  }
  if (!denied.empty()) ReportLacking(denied, principal, Severity::kError, report);
  if (!lacking.empty()) ReportLacking(lacking, principal, Severity::kWarning, report);
  if (!denied.empty() || !lacking.empty()) return;
  report({Severity::kOk, "ACLs of " + principal,
          std::to_string(rules.size()) + " rules, and none is in the way of " +
              std::to_string(topics.size()) + " topics",
          "", ""});
}

// Reads one message: a topic that cannot be read stops its consumers.
void TryReading(KafkaBus& bus, const std::vector<std::string>& topics, const Report& report) {
  for (const std::string& topic : topics) {
    try {
      bus.Read(*bus.names().StreamOf(topic), "", 1,
               [](const summa_bus_delivery&) { return false; });
    } catch (const Error& error) {
      if (error.status() != SUMMA_E_DENIED) throw;
      report({Severity::kError, "reading of " + topic, error.what(), "the right Read",
              "kafka-acls --add --operation Read --topic " + topic});
    }
  }
}

}  // namespace

void ExamineRights(KafkaBus& bus, const std::string& principal, const Report& report) {
  const std::vector<std::string> topics = TopicsOf(bus);
  TryReading(bus, topics, report);
  std::vector<AclRule> rules;
  try {
    rules = bus.admin().Acls();
  } catch (const Error& error) {
    if (error.status() != SUMMA_E_DENIED) throw;
  }
  if (rules.empty()) {
    report({Severity::kOk, "ACLs",
            "none are listed: there are none, or this user may not list them", "",
            "kafka-acls --add --operation Describe --cluster lets doctor compare them"});
  } else if (principal.empty()) {
    report({Severity::kOk, "ACLs",
            "not compared: brokers know this host by its certificate or token", "", ""});
  } else {
    CompareRules(rules, principal, topics, report);
  }
}

}  // namespace summa::bus_kafka

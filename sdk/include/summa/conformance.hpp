// The conformance suite: does a plugin keep the contract of summa/abi? It calls the plugin in every
// order that a host may use, with services that it watches, and reports what it finds.
//
//   extern "C" const summa_entry summa_plugin_v1;   // the plugin's code is linked into the test
//
//   TEST(MyPlugin, KeepsTheContract) {
//     const auto subject = summa::conformance::SubjectOf(summa_plugin_v1);
//     for (const auto& result : summa::conformance::RunChecks(subject)) {
//       EXPECT_NE(result.outcome, summa::conformance::Outcome::kFailed) << result.Text();
//     }
//   }
//
// `summa-host plugins verify FILE.so` runs the same checks on a built file, each in a process of
// its own: a plugin that crashes or does not return is found there. In a test program it ends the
// program.
//
// Nothing outside the process is touched by the suite itself: its database answers without rows,
// its bus is in memory. What the plugin opens by itself (a connection to a server) is opened.
#pragma once

#include <summa/abi/plugin.h>
#include <summa/abi/sql.h>
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace summa::conformance {

enum class Outcome {
  kPassed,
  kFailed,  // the contract is not kept
  kUnable,  // what the plugin needs is not here, so that it could not be checked
  kSkipped  // there is nothing to check
};
std::string_view ToText(Outcome outcome);

struct Result {
  std::string check;  // one of Checks()
  Outcome outcome = Outcome::kPassed;
  std::string found;     // where, and what happened; empty when passed
  std::string expected;  // and what to do

  std::string Text() const;  // all in one line
};

struct DeclaredWorker {
  std::string id;
  bool lease = true;
};
struct DeclaredVerb {
  std::string verb;
  std::string worker;  // whose lease it takes; empty: none
  bool streams = false;
  std::map<std::string, std::string> options;  // normalised, as a call has them
};
struct DeclaredRoute {
  std::string method, path;
  bool body = false;
  std::map<std::string, std::string> parameters;  // normalised, as a request has them
};
struct DeclaredService {
  std::string service, alias;
  bool optional = false;
};

// What the manifest says.
struct Declared {
  std::string id;
  std::vector<std::string> extensions, provides;
  std::vector<DeclaredWorker> workers;
  std::vector<DeclaredVerb> verbs;
  std::vector<DeclaredRoute> routes;
  std::vector<DeclaredService> requires_services;
  std::set<std::string> metrics, codes;
  bool operations = false;
};

// What belongs to the process and is not a plugin's to change.
struct Surroundings {
  std::set<int> threads;
  std::array<std::uintptr_t, 65> signal_handlers{};
  std::string directory, locale;
};
Surroundings LookAround();

struct Subject {
  const summa_entry* entry = nullptr;
  // Nothing: what the manifest says is not known, and is not compared with the code. Workers are
  // taken from its table then, and each is called with a lease.
  std::optional<Declared> declared;
  const summa_config* config = nullptr;  // nullptr: one without keys
  // Answers the statements; nullptr: they succeed without rows. A testkit::ScriptedSql with answers
  // takes the workers further.
  const summa_sql_v1* sql = nullptr;
  // Before the code was loaded; nothing: before each check.
  std::optional<Surroundings> before;
  // For one call, and for what it must do when it is told to stop. It ends what hangs.
  std::chrono::microseconds deadline = std::chrono::seconds(30);
};

// A plugin that is linked into this program.
inline Subject SubjectOf(const summa_entry& entry) {
  Subject subject;
  subject.entry = &entry;
  return subject;
}

class Observer {
 public:
  Observer() = default;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  virtual ~Observer() = default;
  virtual void Begins(std::string_view call) = 0;  // the plugin is about to be called
  virtual void Finds(const Result& result) = 0;    // any thread
};

// The names of the checks, in their order.
const std::vector<std::string_view>& Checks();

// One check, on a new instance of the plugin. False: a call has not returned, and its thread is
// still in it; the process must end by _exit().
bool RunCheck(std::string_view check, const Subject& subject, Observer& observer);

// All checks in this process, until a call does not return. One result at least for each check.
std::vector<Result> RunChecks(const Subject& subject);

// What the suite has lent to the plugin at this address and may not be used there (any more): for a
// handler of SIGSEGV. nullptr: nothing. Async-signal-safe.
const char* LentAt(const void* address) noexcept;

}  // namespace summa::conformance

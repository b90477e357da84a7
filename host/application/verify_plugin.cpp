#include "host/application/verify_plugin.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <set>

#include "host/abi/foreign_text.hpp"
#include "host/application/verify_child.hpp"
#include "host/clock.hpp"
#include "host/config/text.hpp"
#include "host/find.hpp"
#include "host/plugin/graph.hpp"

extern char** environ;

namespace summa::host {
namespace {

using conformance::Outcome;
using conformance::Result;

// What every later check does, too: from create() to destroy().
constexpr std::string_view kWholeLife = "start";
constexpr std::size_t kMaxOutput = 64 * 1024;  // of what a plugin prints

// A pipe whose ends are closed with it.
class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) {
      throw Failure("SH-0901", std::string("no pipe for a child process: ") + strerror(errno));
    }
  }
  ~Pipe() {
    CloseWriter();
    close(ends_[0]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void CloseWriter() {
    if (ends_[1] >= 0) close(std::exchange(ends_[1], -1));
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

// One check in its process.
class Child {
 public:
  Child(std::string_view check, const VerifySettings& settings) {
    std::vector<std::string> arguments = VerifyArguments(check, settings);
    std::string program = "summa-host";
    std::vector<char*> pointers = {program.data()};
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output_.writer(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output_.writer(), STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, records_.writer(), kVerifyRecords);
    // A group of its own, so that processes which the plugin starts end with it.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
    const int failure =
        posix_spawn(&process_, "/proc/self/exe", &actions, &attributes, pointers.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) {
      throw Failure("SH-0901", std::string("no child process: ") + strerror(failure));
    }
    output_.CloseWriter();
    records_.CloseWriter();
  }
  ~Child() {
    if (process_ <= 0) return;
    Kill();
    Wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Reads to the end of the child. False: it said nothing for so long, and was killed.
  bool Read(Microseconds patience, const std::function<void(const VerifyRecord&)>& on_record) {
    std::string records;
    bool open_records = true, open_output = true;
    BootTime last = SystemClock().BootNow();
    while (open_records) {
      std::array<pollfd, 2> waited = {
          {{records_.reader(), POLLIN, 0}, {open_output ? output_.reader() : -1, POLLIN, 0}}};
      constexpr int kPieceMilliseconds = 200;
      poll(waited.data(), waited.size(), kPieceMilliseconds);
      if (waited[1].revents != 0) open_output = ReadSome(output_.reader(), text_, kMaxOutput);
      if (waited[0].revents != 0) {
        open_records = ReadSome(records_.reader(), records, SIZE_MAX);
        last = SystemClock().BootNow();
        for (std::size_t end = records.find('\n'); end != std::string::npos;
             end = records.find('\n')) {
          on_record(ReadRecord(std::string_view(records).substr(0, end)));
          records.erase(0, end + 1);
        }
      } else if (SystemClock().BootNow() - last > patience) {
        Kill();
        return false;
      }
    }
    // Whoever holds its output open (a process of the plugin) is not waited for.
    fcntl(output_.reader(), F_SETFL, O_NONBLOCK);
    while (open_output && ReadSome(output_.reader(), text_, kMaxOutput)) {
    }
    return true;
  }
  // How it ended, as waitpid() says it.
  int Wait() {
    siginfo_t ended{};
    while (waitid(P_PID, static_cast<id_t>(process_), &ended, WEXITED | WNOWAIT) < 0 &&
           errno == EINTR) {
    }
    // What it has started. It is not reaped yet, so the group is still its own.
    kill(-process_, SIGKILL);
    int status = 0;
    while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = 0;
    return status;
  }
  const std::string& output() const { return text_; }

 private:
  void Kill() const {
    kill(-process_, SIGKILL);
    kill(process_, SIGKILL);
  }
  // False: it is at its end, or has nothing at the moment.
  static bool ReadSome(int descriptor, std::string& text, std::size_t most) {
    std::array<char, 4096> buffer;
    const ssize_t count = read(descriptor, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) return true;
    if (count <= 0) return false;
    text.append(buffer.data(),
                std::min(static_cast<std::size_t>(count), most - std::min(most, text.size())));
    return true;
  }

  Pipe records_, output_;
  pid_t process_ = 0;
  std::string text_;
};

std::string FirstLine(const std::string& text) {
  constexpr std::size_t kMost = 200;
  return "\"" + CleanLine(text.substr(0, text.find('\n')), kMost) + "\"";
}

Outcome ToOutcome(std::string_view text) {
  for (const Outcome each : {Outcome::kPassed, Outcome::kUnable, Outcome::kSkipped}) {
    if (ToText(each) == text) return each;
  }
  return Outcome::kFailed;
}

// The end of a child that did not say that it is at its end.
std::string Ended(int status, const std::string& call, const std::string& lent,
                  const std::string& output) {
  std::string text = call + ": ";
  if (WIFSIGNALED(status)) {
    const int number = WTERMSIG(status);
    text +=
        "ended the process by signal " + std::to_string(number) + " (" + strsignal(number) + ")";
  } else {
    text += "ended the process with exit code " + std::to_string(WEXITSTATUS(status));
  }
  if (!lent.empty()) text += "; it touched what it was only lent, or behind its end: " + lent;
  if (!output.empty()) text += "; it wrote " + FirstLine(output);
  return text;
}

// Appends the results of one check; false: a call has ended the process, or has not returned.
bool RunInChild(std::string_view check, const VerifySettings& settings,
                std::vector<Result>& results) {
  const std::string name(check);
  Child child(check, settings);
  std::string call = "the loading of its file", lent;
  bool ended = false, stuck = false, repeated = false;
  const std::size_t before = results.size();
  // What every check finds is said once.
  const auto add = [&](Result result) {
    const bool known = std::any_of(results.begin(), results.end(), [&](const Result& other) {
      return other.outcome == result.outcome && other.check != name && other.found == result.found;
    });
    repeated = repeated || known;
    if (!known) results.push_back(std::move(result));
  };
  // Each call has the deadline twice, and what it leaves behind once more.
  const Microseconds patience = settings.deadline * 4 + std::chrono::seconds(30);
  const bool answered = child.Read(patience, [&](const VerifyRecord& record) {
    if (record.kind == VerifyRecord::Kind::kStuck) stuck = true;
    if (record.kind == VerifyRecord::Kind::kEnd || stuck) ended = true;
    if (record.kind == VerifyRecord::Kind::kCall && !record.texts.empty()) call = record.texts[0];
    if (record.kind == VerifyRecord::Kind::kLent && !record.texts.empty()) lent = record.texts[0];
    if (record.kind != VerifyRecord::Kind::kResult || record.texts.size() != 4) return;
    Result result{record.texts[0], ToOutcome(record.texts[1]), record.texts[2], record.texts[3]};
    if (result.outcome == Outcome::kPassed) return;
    add(std::move(result));
  });
  const int status = child.Wait();
  if (!answered) {
    results.push_back({name, Outcome::kFailed,
                       call + ": has not returned, nor has the process ended",
                       "every call returns"});
  } else if (!ended) {
    results.push_back({name, Outcome::kFailed, Ended(status, call, lent, child.output()),
                       "a plugin does not end the process, and uses what it is lent for as long as "
                       "the header says"});
  } else if (!child.output().empty()) {
    add({name, Outcome::kFailed,
         "it wrote to standard output or standard error: " + FirstLine(child.output()),
         "summa.log/1 is for what people read"});
  }
  if (results.size() == before && repeated) {
    results.push_back({name, Outcome::kSkipped, "it found again what is said above", ""});
  } else if (results.size() == before) {
    results.push_back({name, Outcome::kPassed, "", ""});
  }
  return answered && ended && !stuck;
}

void CheckFile(const PluginFile& file, std::vector<Result>& results) {
  for (const Error& error : file.refusals) {
    results.push_back({"file", Outcome::kFailed, error.code + " " + error.message, error.hint});
  }
  if (file.refusals.empty()) results.push_back({"file", Outcome::kPassed, "", ""});
}

void CheckSymbols(const PluginFile& file, std::vector<Result>& results) {
  if (file.other_export_count == 0) return results.push_back({"symbols", Outcome::kPassed, "", ""});
  std::string found = "it exports " + Join(file.other_exports);
  if (file.other_export_count > file.other_exports.size()) {
    found +=
        " and " + std::to_string(file.other_export_count - file.other_exports.size()) + " more";
  }
  results.push_back({"symbols", Outcome::kFailed, found,
                     "summa_plugin_v1 is the only symbol that others see: build it with "
                     "summa_add_plugin(), or link it with the version script of the SDK"});
}

// The plugin with one provider for each service, and their providers.
std::vector<EnabledPlugin> Closure(const Manifest& manifest, const Discovery& discovery) {
  std::vector<EnabledPlugin> enabled = {{manifest.id, "", {}}};
  std::set<std::string> served;
  std::vector<const Manifest*> waiting = {&manifest};
  while (!waiting.empty()) {
    const Manifest* next = waiting.back();
    waiting.pop_back();
    for (const ServiceRequirement& each : next->requires_services) {
      if (each.optional || each.many || !served.insert(each.service).second) continue;
      for (const PluginFile& file : discovery.files) {
        if (!file.manifest || !file.refusals.empty() || !file.shadowed_by.empty()) continue;
        if (!Contains(file.manifest->provides, each.service)) continue;
        const bool known = std::any_of(enabled.begin(), enabled.end(), [&](const auto& plugin) {
          return plugin.id == file.manifest->id;
        });
        if (known) break;
        enabled.push_back({file.manifest->id, "", {}});
        waiting.push_back(&*file.manifest);
        break;
      }
    }
  }
  return enabled;
}

// Whether some installed plugins serve it.
void CheckServices(const Manifest& manifest, const VerifySettings& settings,
                   std::vector<Result>& results) {
  const Discovery discovery = PluginsBeside(settings);
  const Plan plan = MakePlan(Closure(manifest, discovery), discovery, settings.config);
  const std::size_t before = results.size();
  for (const RefusedPlugin& refused : plan.refused) {
    if (refused.id != manifest.id) continue;
    for (const Error& error : refused.errors) {
      results.push_back(
          {"services", Outcome::kFailed, error.code + " " + error.message, error.hint});
    }
  }
  if (results.size() == before) results.push_back({"services", Outcome::kPassed, "", ""});
}

bool Failed(const std::vector<Result>& results) {
  return std::any_of(results.begin(), results.end(),
                     [](const Result& result) { return result.outcome == Outcome::kFailed; });
}

}  // namespace

Verification VerifyPlugin(const VerifySettings& settings) {
  Verification verification;
  std::vector<Result>& results = verification.results;
  verification.file = InspectPlugin(settings.file, CurrentTrust());
  const PluginFile& file = verification.file;
  if (!file.refusals.empty() && file.refusals.front().code == "SH-0101") {
    Error error = file.refusals.front();
    error.kind = SUMMA_E_NOT_FOUND;
    throw Failure(error);
  }
  CheckFile(file, results);
  if (!file.refusals.empty()) return verification;
  CheckSymbols(file, results);
  CheckServices(*file.manifest, settings, results);
  ConfigurationOf(*file.manifest, settings);  // says here what is missing in it
  const std::size_t before = results.size();
  const bool loaded = RunInChild(kLoadCheck, settings, results);
  const std::vector<Result> of_load(results.begin() + static_cast<std::ptrdiff_t>(before),
                                    results.end());
  if (!loaded || Failed(of_load)) return verification;  // nothing else of it can be called
  for (const std::string_view check : conformance::Checks()) {
    const bool lives = RunInChild(check, settings, results);
    if (lives || check != kWholeLife) continue;
    results.push_back({"others", Outcome::kSkipped, "they would end in the same way", ""});
    break;
  }
  return verification;
}

}  // namespace summa::host

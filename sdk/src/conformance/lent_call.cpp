#include "lent_call.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <summa/error.hpp>
#include <summa/mutex.hpp>
#include "json_text.hpp"

namespace summa::conformance {
namespace {

// How long a verb or request may go on by itself until it is told to stop.
constexpr std::chrono::milliseconds kPatience{500};

// 1 and the value, borrowed from the memory of the call.
std::int32_t FindText(const std::map<std::string, std::string>& values, LentMemory& memory,
                      summa_str name, summa_str* value) {
  const auto found = values.find(std::string(FromAbi(name)));
  if (found == values.end()) return 0;
  *value = memory.Text(found->second);
  return 1;
}

struct LentCommand {
  LentCommand(Driver& driver, const DeclaredVerb& declared)
      : verb(declared),
        opened_in("the verb \"" + declared.verb + "\""),
        lease(declared.worker.empty() ? nullptr : std::make_shared<WatchedLease>()),
        stop(lease),
        memory("what a verb is given, after the verb", driver.sizes()) {
    summa_command_call call{};
    call.self = this;
    call.verb = memory.Text(verb.verb);
    call.sql = driver.host().sql().Lend(memory, opened_in, lease.get());
    call.option = [](const summa_command_call* given, summa_str name, summa_str* value) {
      auto* self = static_cast<LentCommand*>(given->self);
      return FindText(self->verb.options, self->memory, name, value);
    };
    call.should_stop = [](const summa_command_call* given) -> std::int32_t {
      return static_cast<LentCommand*>(given->self)->stop.Asked() ? 1 : 0;
    };
    call.wait = [](const summa_command_call* given, std::int64_t microseconds) -> std::int32_t {
      return static_cast<LentCommand*>(given->self)->stop.Wait(microseconds) ? 1 : 0;
    };
    call.emit = [](const summa_command_call* given, summa_str row) {
      auto* self = static_cast<LentCommand*>(given->self);
      const MutexLock lock(self->mutex);
      self->rows.emplace_back(FromAbi(row));
    };
    call.progress = [](const summa_command_call*, summa_str, std::int64_t, std::int64_t) {};
    abi = memory.Struct(call);
  }
  const DeclaredVerb& verb;
  const std::string opened_in;
  const std::shared_ptr<WatchedLease> lease;
  StopSwitch stop;
  LentMemory memory;
  const summa_command_call* abi = nullptr;
  std::string result;
  Mutex mutex;
  std::vector<std::string> rows SUMMA_GUARDED_BY(mutex);
};

void JudgeRows(Driver& plugin, const LentCommand& call, const std::vector<std::string>& rows) {
  if (!rows.empty() && !call.verb.streams) {
    plugin.Fail(call.opened_in + ": emitted rows, and its manifest does not say `streams: true`",
                "what it emits is declared");
  }
  for (const std::string& row : rows) {
    std::optional<std::string> problem = ProblemOfObject(row);
    if (!problem && row.find('\n') != std::string::npos) problem = "it has more than one line";
    if (!problem) continue;
    plugin.Fail(call.opened_in + ": emitted a row that cannot be used: " + *problem,
                "one JSON object on one line");
    return;
  }
}

struct LentRequest {
  LentRequest(Driver& driver, const summa_route& given, const DeclaredRoute* declared)
      : route(given),
        opened_in("the route \"" + std::string(FromAbi(given.method)) + " " +
                  std::string(FromAbi(given.path)) + "\""),
        parameters(declared == nullptr ? std::map<std::string, std::string>()
                                       : declared->parameters),
        memory("what a request lends, after the request", driver.sizes()) {
    summa_request request{};
    request.self = this;
    request.method = memory.Text(FromAbi(given.method));
    request.path = memory.Text(FromAbi(given.path));
    if (declared != nullptr && declared->body) request.body = memory.Text("{}");
    request.sql = driver.host().sql().Lend(memory, opened_in, nullptr);
    request.parameter = [](const summa_request* called, summa_str name, summa_str* value) {
      auto* self = static_cast<LentRequest*>(called->self);
      return FindText(self->parameters, self->memory, name, value);
    };
    request.header = [](const summa_request*, summa_str, summa_str*) -> std::int32_t { return 0; };
    request.should_stop = [](const summa_request* called) -> std::int32_t {
      return static_cast<LentRequest*>(called->self)->stop.Asked() ? 1 : 0;
    };
    abi = memory.Struct(request);
  }
  static void Respond(void* result, const summa_response* response) {
    auto* self = static_cast<LentRequest*>(result);
    const MutexLock lock(self->mutex);
    ++self->responses;
    if (response == nullptr) {
      self->problem = "responded with NULL";
      return;
    }
    const bool status =
        response->status >= 200 && response->status <= 599 && response->status != 304;
    if (!status) self->problem = "responded with status " + std::to_string(response->status);
    for (const summa_str header : {response->content_type, response->etag}) {
      for (const char c : FromAbi(header)) {
        if (static_cast<unsigned char>(c) < 0x20) self->problem = "responded with a forged header";
      }
    }
  }
  const summa_route& route;
  const std::string opened_in;
  const std::map<std::string, std::string> parameters;
  StopSwitch stop;
  LentMemory memory;
  const summa_request* abi = nullptr;
  Mutex mutex;
  int responses SUMMA_GUARDED_BY(mutex) = 0;
  std::string problem SUMMA_GUARDED_BY(mutex);
};

const DeclaredRoute* Declaration(const Subject& subject, const summa_route& route) {
  if (!subject.declared) return nullptr;
  for (const DeclaredRoute& each : subject.declared->routes) {
    if (each.method == FromAbi(route.method) && each.path == FromAbi(route.path)) return &each;
  }
  return nullptr;
}

void JudgeResponse(Driver& plugin, LentRequest& request, const Answer& answer) {
  int responses = 0;
  std::string problem;
  {
    const MutexLock lock(request.mutex);
    responses = request.responses;
    problem = request.problem;
  }
  if (problem.empty() && answer.status == SUMMA_OK && responses != 1) {
    problem = "responded " + std::to_string(responses) + " times";
  }
  if (problem.empty()) return;
  plugin.Fail(request.opened_in + ": " + problem,
              "one response with a status of 200 to 599, and headers of one line");
}

struct LentExamination {
  LentExamination(Driver& driver, std::function<void(const summa_finding&)> on_finding)
      : report(std::move(on_finding)),
        memory("what examine() is given, after examine()", driver.sizes()) {
    summa_examination examination{};
    examination.self = this;
    examination.sql = driver.host().sql().Lend(memory, "examine()", nullptr);
    examination.should_stop = [](const summa_examination* given) -> std::int32_t {
      return static_cast<LentExamination*>(given->self)->stop.Asked() ? 1 : 0;
    };
    examination.report = [](const summa_examination* given, const summa_finding* finding) {
      if (finding != nullptr) static_cast<LentExamination*>(given->self)->report(*finding);
    };
    abi = memory.Struct(examination);
  }
  const std::function<void(const summa_finding&)> report;
  StopSwitch stop;
  LentMemory memory;
  const summa_examination* abi = nullptr;
};

}  // namespace

void AppendText(void* result, summa_str text) {
  static_cast<std::string*>(result)->append(FromAbi(text));
}

void RunVerb(Driver& plugin, const summa_command_v1& table, const DeclaredVerb& verb) {
  const auto call = std::make_shared<LentCommand>(plugin, verb);
  plugin.Begin(call->opened_in, [&table, call](summa_error* error) {
    return table.run(table.self, call->abi, &AppendText, &call->result, error);
  });
  if (!plugin.Returned(kPatience)) call->stop.Stop();
  const Answer answer = plugin.Await();
  std::vector<std::string> rows;
  {
    const MutexLock lock(call->mutex);
    rows = call->rows;
  }
  JudgeRows(plugin, *call, rows);
  const bool good = answer.status == SUMMA_OK || answer.status == SUMMA_E_FINDING;
  if (good || !call->result.empty()) {
    if (const auto problem = ProblemOfObject(call->result)) {
      plugin.Fail(call->opened_in + ": its result cannot be used: " + *problem,
                  "one JSON object in UTF-8");
    }
  }
  for (const std::string& where : plugin.host().sql().LeftOpen(call->opened_in)) {
    plugin.Fail(where + ": left a session open", "sessions end with the verb");
  }
  call->memory.Revoke();
}

void HandleRequest(Driver& plugin, const summa_route& route) {
  const DeclaredRoute* declared = Declaration(plugin.subject(), route);
  const auto request = std::make_shared<LentRequest>(plugin, route, declared);
  plugin.Begin(request->opened_in, [request](summa_error* error) {
    return request->route.handle(request->route.self, request->abi, &LentRequest::Respond,
                                 request.get(), error);
  });
  if (!plugin.Returned(kPatience)) request->stop.Stop();
  JudgeResponse(plugin, *request, plugin.Await());
  for (const std::string& where : plugin.host().sql().LeftOpen(request->opened_in)) {
    plugin.Fail(where + ": left a session open", "sessions end with the request");
  }
  request->memory.Revoke();
}

Answer Examine(Driver& plugin, const summa_health_v1& table,
               std::function<void(const summa_finding&)> on_finding) {
  const auto examination = std::make_shared<LentExamination>(plugin, std::move(on_finding));
  Answer answer = plugin.Call(
      "examine()",
      [&table, examination](summa_error* error) {
        return table.examine(table.self, examination->abi, error);
      },
      [examination] { examination->stop.Stop(); });
  for (const std::string& where : plugin.host().sql().LeftOpen("examine()")) {
    plugin.Fail(where + ": left a session open", "sessions end with the examination");
  }
  examination->memory.Revoke();
  return answer;
}

}  // namespace summa::conformance

#include "host/plugin/endpoint.hpp"

#include <algorithm>

#include "host/abi/abi_text.hpp"
#include "host/abi/foreign_text.hpp"
#include "host/abi/plugin_call.hpp"
#include "host/observe/log.hpp"
#include "summa/error.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kMaxBodyBytes = std::size_t{16} << 20;  // as the header says
constexpr std::size_t kMaxHeaderBytes = 200;

// What the handler sees; behind the function pointers of summa_request.
class Request {
 public:
  Request(const RouteDeclaration& route, const RouteValues& values, const HttpCall& call,
          const summa_sql_v1* sql, const std::function<bool()>& stopping)
      : values_(values), call_(call), stopping_(stopping) {
    table_ = {sizeof table_,
              0,
              this,
              ToAbi(route.method),
              ToAbi(route.path),
              ToAbi(call.request().body),
              sql,
              Parameter,
              Header,
              ShouldStop};
  }
  const summa_request* table() const { return &table_; }

 private:
  static const Request& Self(const summa_request* request) {
    return *static_cast<const Request*>(request->self);
  }
  static std::int32_t Parameter(const summa_request* request, summa_str name,
                                summa_str* value) noexcept {
    const RouteValues& values = Self(request).values_;
    const auto found = values.find(View(name));
    if (found == values.end()) return 0;
    *value = ToAbi(found->second);
    return 1;
  }
  static std::int32_t Header(const summa_request* request, summa_str name,
                             summa_str* value) noexcept {
    if (View(name) == "authorization") return 0;
    const auto& headers = Self(request).call_.request().headers;
    const auto found = headers.find(View(name));
    if (found == headers.end()) return 0;
    *value = ToAbi(found->second);
    return 1;
  }
  static std::int32_t ShouldStop(const summa_request* request) noexcept {
    const Request& self = Self(request);
    return self.call_.answered() || (self.stopping_ && self.stopping_()) ? 1 : 0;
  }

  const RouteValues& values_;
  const HttpCall& call_;
  const std::function<bool()>& stopping_;
  summa_request table_{};
};

// What the handler answers.
struct Reply {
  std::optional<HttpResponse> response;
  std::string problem;  // why it cannot be sent
};

// Into a header as it is; no other header can follow in it.
bool IsHeaderText(std::string_view text) {
  return text.size() <= kMaxHeaderBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7F; });
}

void Respond(void* result, const summa_response* given) noexcept {
  auto& reply = *static_cast<Reply*>(result);
  try {
    if (given == nullptr || given->struct_size < sizeof *given) {
      reply.problem = "its answer is incomplete";
    } else if (reply.response) {
      reply.problem = "it answered twice";
    } else if (given->status < 200 || given->status > 599 || given->status == 304) {
      reply.problem = "its status is " + std::to_string(given->status);
    } else if (!IsHeaderText(View(given->content_type)) || !IsHeaderText(View(given->etag))) {
      reply.problem = "its content type or etag is not a valid header value";
    } else if (given->body.size > kMaxBodyBytes) {
      reply.problem = "its body has " + std::to_string(given->body.size) + " bytes";
    } else {
      reply.response.emplace();
      reply.response->status = given->status;
      reply.response->body = View(given->body);
      reply.response->etag = View(given->etag);
      if (given->content_type.size > 0) reply.response->content_type = View(given->content_type);
    }
  } catch (...) {
    reply.response.reset();  // out of memory
  }
}

int HttpStatusOf(std::int32_t status) {
  switch (status) {
    case SUMMA_E_USAGE:
    case SUMMA_E_DATA:
      return 400;
    case SUMMA_E_DENIED:
      return 403;
    case SUMMA_E_NOT_FOUND:
      return 404;
    case SUMMA_E_UNAVAILABLE:
    case SUMMA_E_TRY_LATER:
    case SUMMA_E_CANCELLED:
      return 503;
    default:
      return 500;
  }
}

// Failures of the host or the plugin go to the log only: they may name servers and statements.
[[noreturn]] void Report(const PluginInstance& plugin, const std::string& route, int status,
                         const Error& error) {
  LogError(status == 503 ? LogLevel::kWarn : LogLevel::kError, error,
           {{"plugin", plugin.id()}, {"route", route}});
  throw HttpProblem(status, error.code,
                    status == 503 ? "it cannot be answered now; the log of the host says why"
                                  : "it could not be answered; the log of the host says why");
}

HttpResponse AnswerOf(const PluginInstance& plugin, const std::string& route,
                      const CallAnswer& answer, Reply reply) {
  if (!answer.thrown && answer.status != SUMMA_OK) {
    const int status = HttpStatusOf(answer.status);
    const std::string message = CleanField(answer.error.message);
    if (status < 500 && !message.empty()) {
      const std::string code = CleanCode(answer.error.code);
      throw HttpProblem(status, code.empty() ? "SH-0126" : code, message);
    }
  }
  if (const std::optional<Error> error = plugin.ErrorOf(route, answer)) {
    Report(plugin, route, answer.thrown ? 500 : HttpStatusOf(answer.status), *error);
  }
  if (reply.problem.empty() && reply.response) return *std::move(reply.response);
  if (reply.problem.empty()) reply.problem = "it gave no answer";
  Report(plugin, route, 500,
         {"SH-0379", "plugin \"" + plugin.id() + "\": " + route + ": " + reply.problem,
          "This is a defect of the plugin; report it to its author.", ""});
}

}  // namespace

PluginEndpoint::Running::Running(PluginEndpoint& endpoint, std::string route)
    : endpoint_(endpoint), route_(std::move(route)) {
  const MutexLock lock(endpoint_.mutex_);
  if (endpoint_.closed_ || endpoint_.plugin_.state() != PluginState::kStarted) {
    throw HttpProblem(503, "SH-0378",
                      "plugin \"" + endpoint_.plugin_.id() + "\" does not run; it is " +
                          std::string(ToText(endpoint_.plugin_.state())));
  }
  ++endpoint_.running_[route_];
}

PluginEndpoint::Running::~Running() {
  const MutexLock lock(endpoint_.mutex_);
  const auto found = endpoint_.running_.find(route_);
  if (--found->second == 0) endpoint_.running_.erase(found);
  endpoint_.changed_.notify_all();
}

PluginEndpoint::PluginEndpoint(PluginInstance& plugin) : plugin_(plugin) {}

HttpResponse PluginEndpoint::Handle(const RouteDeclaration& route, const RouteValues& values,
                                    HttpCall& call, const summa_sql_v1* sql, Microseconds longest) {
  const std::string name = RouteName(route);
  const summa_route* table = plugin_.Route(route.method, route.path);
  if (table == nullptr) throw HttpProblem(503, "SH-0378", name + " is not served");
  const Request request(route, values, call, sql, plugin_.limits().stopping);
  Reply reply;
  const CallAnswer answer = CallPlugin(
      plugin_.id(), name, {},
      [&](summa_error* error) {
        return table->handle(table->self, request.table(), Respond, &reply, error);
      },
      longest);
  return AnswerOf(plugin_, name, answer, std::move(reply));
}

bool PluginEndpoint::Close(Microseconds timeout) {
  std::string left;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    if (changed_.wait_for(lock, timeout,
                          [this]() SUMMA_REQUIRES(mutex_) { return running_.empty(); }))
      return true;
    left = running_.begin()->first;
  }
  if (!plugin_.lost()) plugin_.GiveUp(left, timeout);
  return false;
}

}  // namespace summa::host

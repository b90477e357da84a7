#include "host/http/http_server.hpp"

#include <microhttpd.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>

#include "host/error.hpp"
#include "host/http/connections.hpp"
#include "host/http/http_queue.hpp"
#include "host/http/listen_socket.hpp"
#include "host/observe/http_metrics.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

constexpr unsigned kThreads = 2;  // they read and write; no foreign code runs on them
// More than a hundred idle ones must not keep a probe out. Above it the one that idles longest is
// closed; the library counts those that are about to be closed as well, and those of one thread.
constexpr std::size_t kConnections = 512;
constexpr unsigned kConnectionsOfLibrary = 2 * kThreads * kConnections;
constexpr unsigned kIdleSeconds = 5;
constexpr std::size_t kMinMemory = 16 * 1024;  // of one connection
constexpr auto kStopGrace = std::chrono::milliseconds(1000);

void FreeBody(void* body) noexcept { delete static_cast<std::string*>(body); }

MHD_Response* MakeResponse(HttpResponse& answer) {
  auto body = std::make_unique<std::string>(std::move(answer.body));
  MHD_Response* response = MHD_create_response_from_buffer_with_free_callback_cls(
      body->size(), body->data(), &FreeBody, body.get());
  if (response != nullptr) static_cast<void>(body.release());
  return response;
}

// close: what follows on the connection is not to be trusted, or not to be read.
MHD_Result Send(MHD_Connection* connection, HttpResponse answer, bool close = false) {
  MHD_Response* response = MakeResponse(answer);
  if (response == nullptr) return MHD_NO;
  const auto add = [response](const char* name, const std::string& value) {
    MHD_add_response_header(response, name, value.c_str());
  };
  if (answer.status != MHD_HTTP_NOT_MODIFIED) {
    add(MHD_HTTP_HEADER_CONTENT_TYPE, answer.content_type);
  }
  add(MHD_HTTP_HEADER_CACHE_CONTROL, answer.etag.empty() ? "no-store" : "no-cache");
  if (!answer.etag.empty()) add(MHD_HTTP_HEADER_ETAG, answer.etag);
  for (const auto& [name, value] : answer.headers) add(name.c_str(), value);
  if (close) add(MHD_HTTP_HEADER_CONNECTION, "close");
  const MHD_Result result =
      MHD_queue_response(connection, static_cast<unsigned>(answer.status), response);
  MHD_destroy_response(response);
  return result;
}

// The head of a request, as the library read it.
struct Head {
  std::map<std::string, std::string, std::less<>> headers;  // the first of each name
  int lengths = 0;                                          // headers Content-Length
};

MHD_Result AddHeader(void* head_pointer, MHD_ValueKind, const char* name,
                     const char* value) noexcept {
  auto& head = *static_cast<Head*>(head_pointer);
  std::string key(name);
  std::transform(key.begin(), key.end(), key.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (key == "content-length") ++head.lengths;
  head.headers.emplace(std::move(key), value == nullptr ? "" : value);
  return MHD_YES;
}

// One request, from its first line to its completion.
struct Request {
  enum class Stage { kHead, kBody, kHandled, kAnswered };
  Stage stage = Stage::kHead;
  bool more_follows = true;                     // or may follow, that is no other request
  std::string method;                           // as sent
  std::chrono::steady_clock::time_point begin;  // its head is there
  HttpRequest request;
  std::optional<HttpResponse> refusal;
  Router::Found found;
  std::unique_ptr<HttpQueue::Place> place;
  std::shared_ptr<HttpCall> call;  // once it is handled
};

// How many bytes of body follow. Two lengths, or a length and another form, would let two programs
// on the way see two requests.
std::size_t BodyBytes(const Head& head) {
  if (head.headers.contains("transfer-encoding")) {
    throw HttpProblem(411, "SH-0372", "a body needs a Content-Length, and no Transfer-Encoding");
  }
  if (head.lengths == 0) return 0;
  if (head.lengths > 1) throw HttpProblem(400, "SH-0372", "Content-Length is given twice");
  const std::string& text = head.headers.at("content-length");
  const bool digits =
      !text.empty() && text.size() <= 18 && text.find_first_not_of("0123456789") == text.npos;
  if (!digits) throw HttpProblem(400, "SH-0372", "Content-Length is not a number");
  return static_cast<std::size_t>(std::stoull(text));
}

}  // namespace

struct HttpServer::State {
  State(const std::string& listen, std::vector<HttpRoute> routes, const HttpLimits& given,
        const HttpAccess* who)
      : limits(given),
        access(who),
        router(std::make_shared<Router>(std::move(routes))),
        socket(listen),
        queue(given.concurrency),
        connections(kConnections, given.time) {}

  static Connections::Entry* EntryOf(MHD_Connection* connection) {
    return static_cast<Connections::Entry*>(
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context);
  }

  // What can be refused before a byte of the body is read. Throws HttpProblem.
  void CheckHead(MHD_Connection* connection, Request& request, const char* method) {
    const MHD_ConnectionInfo* head_size =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (head_size != nullptr && head_size->header_size > limits.head_bytes) {
      throw HttpProblem(431, "SH-0373", "the request line and headers exceed host.http.max_head");
    }
    Head head;
    MHD_get_connection_values(connection, MHD_HEADER_KIND, &AddHeader, &head);
    const std::size_t body = BodyBytes(head);
    request.more_follows = body > 0;
    request.request.headers = std::move(head.headers);
    request.found = router->Find(method, request.request.path);
    const HttpRoute& route = *request.found.route;
    request.request.method = route.declared.method;
    if (route.declared.needs_token && access != nullptr) access->Check(request.request);
    if (body > limits.body_bytes) {
      throw HttpProblem(413, "SH-0373", "the body of the request exceeds host.http.max_body");
    }
    if (body > 0 && route.declared.body.empty()) {
      throw HttpProblem(400, "SH-0372", "this path takes no body");
    }
    if (route.pool.empty()) return;
    request.place = queue.Enter(route.pool);
    if (request.place != nullptr) return;
    HttpProblem busy(503, "SH-0374", "too many requests are waiting");
    busy.response.headers.emplace_back("Retry-After", "1");
    throw busy;
  }

  MHD_Result Handle(MHD_Connection* connection, Request& request) {
    const HttpRoute& route = *request.found.route;
    if (route.pool.empty()) {
      HttpCall call(std::move(request.request), std::move(request.found.values));
      return Answer(connection, request, CallHandler(route, call));
    }
    request.call =
        std::make_shared<HttpCall>(std::move(request.request), std::move(request.found.values),
                                   [connection] { MHD_resume_connection(connection); });
    request.stage = Request::Stage::kHandled;
    MHD_suspend_connection(connection);  // before anybody can wake it
    connections.Handled(EntryOf(connection), request.call);
    queue.Push(std::shared_ptr<const HttpRoute>(router, &route), request.call);
    return MHD_YES;
  }

  MHD_Result Answer(MHD_Connection* connection, Request& request, HttpResponse response,
                    bool close = false) {
    request.stage = Request::Stage::kAnswered;
    connections.Busy(EntryOf(connection));
    const HttpRoute* route = request.found.route;
    HttpMetrics::Answered(route == nullptr ? std::string_view() : route->declared.path,
                          request.method, response.status,
                          std::chrono::steady_clock::now() - request.begin);
    // A slow reader of an answer of the host keeps nobody out; answers of plugins may be large.
    if (route == nullptr || route->plugin.empty()) request.place.reset();
    return Send(connection, std::move(response), close);
  }

  MHD_Result Begin(MHD_Connection* connection, Request& request, const char* method) {
    Count(1);
    request.stage = Request::Stage::kBody;
    request.begin = std::chrono::steady_clock::now();
    connections.Busy(EntryOf(connection));
    request.method = method;
    try {
      CheckHead(connection, request, method);
      return MHD_YES;
    } catch (HttpProblem& problem) {
      if (request.more_follows) {
        return Answer(connection, request, std::move(problem.response), true);
      }
      request.refusal = std::move(problem.response);  // an answer now would end the connection
      return MHD_YES;
    }
  }

  MHD_Result Continue(MHD_Connection* connection, Request& request, const char* data,
                      std::size_t* size) {
    if (*size > 0) {
      // No more than was announced arrives.
      if (request.stage == Request::Stage::kBody) request.request.body.append(data, *size);
      *size = 0;
      return MHD_YES;
    }
    if (request.refusal) return Answer(connection, request, *std::move(request.refusal));
    if (request.stage == Request::Stage::kBody) return Handle(connection, request);
    // Woken by whoever answered.
    if (request.stage != Request::Stage::kHandled || !request.call->answered()) return MHD_YES;
    return Answer(connection, request, request.call->TakeResponse());
  }

  // The first line, before anything else of the request.
  static void* OnUri(void*, const char* uri, MHD_Connection*) noexcept {
    try {
      auto request = std::make_unique<Request>();
      const std::string_view text(uri);
      const std::size_t question = std::min(text.find('?'), text.size());
      request->request.path = text.substr(0, question);
      request->request.query = text.substr(std::min(question + 1, text.size()));
      return request.release();
    } catch (...) {
      return nullptr;
    }
  }

  static MHD_Result OnRequest(void* self, MHD_Connection* connection, const char*,
                              const char* method, const char*, const char* data, std::size_t* size,
                              void** context) noexcept {
    // Out of memory: the connection is closed.
    if (*context == nullptr || EntryOf(connection) == nullptr) return MHD_NO;
    auto& state = *static_cast<State*>(self);
    auto& request = *static_cast<Request*>(*context);
    try {
      if (request.stage == Request::Stage::kHead) return state.Begin(connection, request, method);
      return state.Continue(connection, request, data, size);
    } catch (...) {
      return MHD_NO;
    }
  }

  static void OnCompleted(void* self, MHD_Connection* connection, void** context,
                          MHD_RequestTerminationCode) noexcept {
    const std::unique_ptr<Request> request(static_cast<Request*>(*context));
    *context = nullptr;
    if (request == nullptr || request->stage == Request::Stage::kHead) return;
    auto& state = *static_cast<State*>(self);
    state.connections.Idle(EntryOf(connection));
    state.Count(-1);
  }

  static void OnConnection(void* self, MHD_Connection* connection, void** context,
                           MHD_ConnectionNotificationCode what) noexcept {
    Connections& connections = static_cast<State*>(self)->connections;
    if (what != MHD_CONNECTION_NOTIFY_STARTED) {
      if (*context != nullptr) connections.Remove(static_cast<Connections::Entry*>(*context));
      return;
    }
    try {
      *context = connections.Add(
          MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
    } catch (...) {
      *context = nullptr;  // out of memory: its first request is refused
    }
  }

  void Start() {
    // Half of the memory of a connection is for what is read.
    const std::size_t memory = std::max(kMinMemory, 2 * limits.head_bytes);
    daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, nullptr, nullptr,
        &State::OnRequest, this, MHD_OPTION_LISTEN_SOCKET, socket.descriptor(),
        MHD_OPTION_THREAD_POOL_SIZE, kThreads, MHD_OPTION_CONNECTION_LIMIT, kConnectionsOfLibrary,
        MHD_OPTION_CONNECTION_TIMEOUT, kIdleSeconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory,
        MHD_OPTION_URI_LOG_CALLBACK, &State::OnUri, this, MHD_OPTION_NOTIFY_COMPLETED,
        &State::OnCompleted, this, MHD_OPTION_NOTIFY_CONNECTION, &State::OnConnection, this,
        MHD_OPTION_END);
    if (daemon == nullptr) {
      throw Failure("SH-0330", "the HTTP endpoint could not be started on " + socket.address(),
                    "check the limits of the process: open files and threads", "host.listen");
    }
  }

  void Count(int more) {
    const MutexLock lock(mutex);
    requests += more;
    if (requests == 0) completed.notify_all();
  }

  // Until none is under way, at most kStopGrace.
  void WaitForRequests() {
    MutexLock lock(mutex);
    completed.wait_for(lock, kStopGrace, [this]() SUMMA_REQUIRES(mutex) { return requests == 0; });
  }

  void Stop() {
    if (daemon == nullptr) return;
    // The descriptor stays ours; closing is for the socket's destructor.
    MHD_quiesce_daemon(daemon);
    queue.Stop(kStopGrace);
    connections.Stop();
    WaitForRequests();  // stopping drops answers that are not written yet
    MHD_stop_daemon(daemon);
    daemon = nullptr;
  }

  const HttpLimits limits;
  const HttpAccess* const access;
  const std::shared_ptr<const Router> router;
  ListenSocket socket;
  HttpQueue queue;
  Connections connections;
  Mutex mutex;
  ConditionVariable completed;  // the last request under way
  int requests SUMMA_GUARDED_BY(mutex) = 0;
  MHD_Daemon* daemon = nullptr;
};

HttpServer::HttpServer(const std::string& listen, std::vector<HttpRoute> routes,
                       const HttpLimits& limits, const HttpAccess* access)
    : state_(std::make_unique<State>(listen, std::move(routes), limits, access)) {
  state_->Start();
}
HttpServer::~HttpServer() { Stop(); }
const std::string& HttpServer::address() const { return state_->socket.address(); }
int HttpServer::port() const { return state_->socket.port(); }
void HttpServer::Stop() { state_->Stop(); }

}  // namespace summa::host

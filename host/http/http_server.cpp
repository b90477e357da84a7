#include "host/http/http_server.hpp"

#include <microhttpd.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <string_view>
#include <thread>

#include "host/error.hpp"
#include "host/http/http_queue.hpp"
#include "host/http/listen_socket.hpp"
#include "host/observe/log.hpp"

namespace summa::host {
namespace {

constexpr unsigned kThreads = 2;
// Each costs at most kConnectionMemory: 8 MiB together. More than a hundred idle ones must not keep
// a probe out.
constexpr unsigned kConnections = 512;
constexpr unsigned kIdleSeconds = 5;
constexpr std::size_t kConnectionMemory = 16 * 1024;
constexpr auto kStopGrace = std::chrono::milliseconds(1000);

MHD_Result Send(MHD_Connection* connection, const HttpResponse& answer) {
  MHD_Response* response = MHD_create_response_from_buffer(
      answer.body.size(), const_cast<char*>(answer.body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.content_type.c_str());
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  if (answer.status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  const MHD_Result result =
      MHD_queue_response(connection, static_cast<unsigned>(answer.status), response);
  MHD_destroy_response(response);
  return result;
}

// What one request has come to; lives from its first call to its completion.
struct Request {
  std::shared_ptr<HttpQueue::Job> job;  // set while a slow route is under way
};

}  // namespace

struct HttpServer::State {
  State(const std::string& listen, std::vector<HttpRoute> given)
      : routes(std::move(given)), socket(listen) {}

  const HttpRoute* Find(std::string_view path) const {
    for (const HttpRoute& route : routes) {
      if (route.path == path) return &route;
    }
    return nullptr;
  }

  MHD_Result Answer(MHD_Connection* connection, std::string_view url, std::string_view method,
                    void** context) {
    const bool known_method = method == "GET" || method == "HEAD";
    if (*context == nullptr) {  // only the head of the request is there
      *context = new Request;
      ++requests;
      // Answering now refuses a body unread.
      if (!known_method) return Send(connection, HttpError(405, "only GET and HEAD are answered"));
      return MHD_YES;
    }
    auto& request = *static_cast<Request*>(*context);
    if (request.job) {  // woken by the queue
      if (!queue.Done(*request.job)) return MHD_YES;
      return Send(connection, request.job->response);
    }
    const HttpRoute* route = Find(url);
    if (route == nullptr) return Send(connection, HttpError(404, "no such path"));
    if (route->instant) return Send(connection, CallHandler(*route));

    request.job = std::make_shared<HttpQueue::Job>();
    request.job->route = *route;
    request.job->wake = [connection] { MHD_resume_connection(connection); };
    MHD_suspend_connection(connection);  // before the queue can wake it
    if (!queue.Push(request.job)) {
      request.job->response = HttpError(503, "too many requests wait already");
      request.job->done = true;
      MHD_resume_connection(connection);
    }
    return MHD_YES;
  }

  static MHD_Result OnRequest(void* self, MHD_Connection* connection, const char* url,
                              const char* method, const char*, const char*, size_t* upload_size,
                              void** context) noexcept {
    try {
      *upload_size = 0;
      return static_cast<State*>(self)->Answer(connection, url, method, context);
    } catch (...) {
      return MHD_NO;  // out of memory: the connection is closed
    }
  }

  static void OnCompleted(void* self, MHD_Connection*, void** context,
                          MHD_RequestTerminationCode) noexcept {
    if (*context == nullptr) return;
    delete static_cast<Request*>(*context);
    *context = nullptr;
    --static_cast<State*>(self)->requests;
  }

  void Start() {
    daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, nullptr, nullptr,
        &State::OnRequest, this, MHD_OPTION_LISTEN_SOCKET, socket.descriptor(),
        MHD_OPTION_THREAD_POOL_SIZE, kThreads, MHD_OPTION_CONNECTION_LIMIT, kConnections,
        MHD_OPTION_CONNECTION_TIMEOUT, kIdleSeconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        kConnectionMemory, MHD_OPTION_NOTIFY_COMPLETED, &State::OnCompleted, this, MHD_OPTION_END);
    if (daemon == nullptr) {
      throw Failure("SH-0330", "the HTTP endpoint could not be started on " + socket.address(),
                    "look at the limits of the process: open files and threads", "host.listen");
    }
  }

  void Stop() {
    if (daemon == nullptr) return;
    // The descriptor stays ours; closing is for the socket's destructor.
    MHD_quiesce_daemon(daemon);
    queue.Stop(kStopGrace);
    // Stopping drops answers that are not written yet.
    const auto deadline = std::chrono::steady_clock::now() + kStopGrace;
    while (requests > 0 && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    MHD_stop_daemon(daemon);
    daemon = nullptr;
  }

  const std::vector<HttpRoute> routes;
  ListenSocket socket;
  HttpQueue queue;
  std::atomic<int> requests{0};
  MHD_Daemon* daemon = nullptr;
};

HttpServer::HttpServer(const std::string& listen, std::vector<HttpRoute> routes)
    : state_(std::make_unique<State>(listen, std::move(routes))) {
  state_->Start();
}
HttpServer::~HttpServer() { Stop(); }
const std::string& HttpServer::address() const { return state_->socket.address(); }
int HttpServer::port() const { return state_->socket.port(); }
void HttpServer::Stop() { state_->Stop(); }

}  // namespace summa::host

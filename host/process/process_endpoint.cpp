#include "host/process/process_endpoint.hpp"

#include <poll.h>

#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "host/process/http_form.hpp"

namespace summa::host {
namespace {

// The host sends the first message at once.
constexpr std::chrono::seconds kFirstTimeout{30};
constexpr std::chrono::milliseconds kStopGrace{1000};

// False: nothing came within the time.
bool WaitForMore(int descriptor, std::chrono::milliseconds time) {
  pollfd watched{descriptor, POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&watched, 1, static_cast<int>(time.count()));
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

}  // namespace

ProcessEndpoint::ProcessEndpoint(int descriptor) : link_(std::make_shared<Link>(descriptor)) {
  while (early_.empty()) {
    if (!WaitForMore(descriptor, kFirstTimeout) || !link_->Receive(early_)) {
      throw std::runtime_error("the host said nothing");
    }
  }
  if (early_.front().kind != MessageKind::kSetUp) {
    throw std::runtime_error("the host did not say what to run");
  }
  set_up_ = std::move(early_.front().parts);
  early_.erase(early_.begin());
}

ProcessEndpoint::~ProcessEndpoint() {
  StopServing();
  ending_ = true;
  link_->Shut();
  if (thread_.joinable()) thread_.join();
}

void ProcessEndpoint::Listen(Orders orders) {
  orders_ = std::move(orders);
  thread_ = std::thread([this] { Read(); });
}

void ProcessEndpoint::Serve(std::vector<HttpRoute> routes, const HttpLimits& limits) {
  router_ = std::make_shared<Router>(std::move(routes));
  queue_ = std::make_unique<HttpQueue>(limits.concurrency);
  const MutexLock lock(mutex_);
  serving_ = true;
}

std::optional<std::string> ProcessEndpoint::TakeConfiguration() {
  const MutexLock lock(mutex_);
  return std::exchange(configuration_, std::nullopt);
}

void ProcessEndpoint::SayHello(const std::string& holder_of_leases) {
  static_cast<void>(link_->Send({MessageKind::kHello, 0, {holder_of_leases}}));
}

void ProcessEndpoint::SayRunning() { static_cast<void>(link_->Send({MessageKind::kRuns, 0, {}})); }

void ProcessEndpoint::SayEnd(const std::optional<Error>& error) {
  Message message{MessageKind::kEnd, 0, {}};
  if (error) {
    message.parts = {error->code, error->message, error->hint, error->where,
                     std::to_string(KindOf(*error))};
  }
  static_cast<void>(link_->Send(message));
}

void ProcessEndpoint::Read() {
  for (Message& message : std::exchange(early_, {})) Handle(std::move(message));
  for (bool open = true; open;) {
    WaitForMore(link_->descriptor(), std::chrono::hours(1));
    std::vector<Message> messages;
    open = link_->Receive(messages);
    for (Message& message : messages) Handle(std::move(message));
  }
  if (!ending_) orders_.stop();
}

void ProcessEndpoint::Handle(Message message) {
  switch (message.kind) {
    case MessageKind::kRequest:
      return Begin(message.id, message.parts);
    case MessageKind::kGiveUp: {
      std::shared_ptr<HttpCall> call;
      {
        const MutexLock lock(mutex_);
        const auto found = calls_.find(message.id);
        if (found != calls_.end()) call = found->second;
      }
      if (call != nullptr) call->Answer(HttpError(503, "SH-0374", "nobody waits any more"));
      return;
    }
    case MessageKind::kStop:
      return orders_.stop();
    case MessageKind::kReload: {
      {
        const MutexLock lock(mutex_);
        configuration_ = message.parts.empty() ? std::string() : std::move(message.parts.front());
      }
      return orders_.reload();
    }
    default:
      return;  // nothing that a host says
  }
}

void ProcessEndpoint::Begin(std::uint64_t id, const std::vector<std::string>& parts) {
  std::optional<HttpRequest> request = RequestOf(parts);
  bool serving = false;
  {
    const MutexLock lock(mutex_);
    serving = serving_;
  }
  if (!request || !serving) {
    return Answer(id, HttpError(503, "SH-0378", "the plugin does not answer now"));
  }
  try {
    const Router::Found found = router_->Find(request->method, request->path);
    const auto call =
        std::make_shared<HttpCall>(*std::move(request), found.values, [this, id] { Done(id); });
    {
      const MutexLock lock(mutex_);
      calls_[id] = call;
    }
    queue_->Push(std::shared_ptr<const HttpRoute>(router_, found.route), call);
  } catch (const HttpProblem& problem) {
    Answer(id, problem.response);
  }
}

void ProcessEndpoint::Done(std::uint64_t id) {
  std::shared_ptr<HttpCall> call;
  {
    const MutexLock lock(mutex_);
    const auto found = calls_.find(id);
    if (found == calls_.end()) return;
    call = std::move(found->second);
    calls_.erase(found);
  }
  Answer(id, call->TakeResponse());
}

void ProcessEndpoint::Answer(std::uint64_t id, const HttpResponse& response) {
  try {
    static_cast<void>(link_->Send({MessageKind::kAnswer, id, ToParts(response)}));
  } catch (const MessageProblem&) {
    const HttpResponse too_large = HttpError(500, "SH-0379", "the answer is too large");
    static_cast<void>(link_->Send({MessageKind::kAnswer, id, ToParts(too_large)}));
  }
}

void ProcessEndpoint::StopServing() {
  {
    const MutexLock lock(mutex_);
    if (!std::exchange(serving_, false)) return;
  }
  queue_->Stop(kStopGrace);
}

}  // namespace summa::host

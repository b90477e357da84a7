#include "host/http/http_queue.hpp"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <set>
#include <thread>

#include "host/observe/log.hpp"
#include "summa/json.hpp"

namespace summa::host {
namespace {
constexpr int kThreads = 2;
constexpr std::size_t kLongestQueue = 32;  // more callers than this are told to come back
}  // namespace

HttpResponse HttpError(int status, const char* message) {
  JsonWriter json;
  json.BeginObject().Member("error", message).EndObject();
  return {status, json.Take() + "\n", "application/json"};
}

HttpResponse CallHandler(const HttpRoute& route) noexcept {
  try {
    return route.handler();
  } catch (const std::exception& exception) {
    Log(LogLevel::kError, "SH-0332", "a request could not be answered",
        {{"path", route.path}, {"error", exception.what()}});
  } catch (...) {
    Log(LogLevel::kError, "SH-0332", "a request could not be answered", {{"path", route.path}});
  }
  return HttpError(500, "the request could not be answered; the log has the reason");
}

struct HttpQueue::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<Job>> waiting;
  std::set<std::shared_ptr<Job>> running;
  int threads = 0;
  bool stopping = false;

  // With the lock held. The first answer counts.
  static void Finish(Job& job, HttpResponse response) {
    if (job.done) return;
    job.response = std::move(response);
    job.done = true;
    job.wake();
  }

  void Serve() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return stopping || !waiting.empty(); });
      if (waiting.empty()) break;
      const std::shared_ptr<Job> job = waiting.front();
      waiting.pop_front();
      running.insert(job);
      lock.unlock();
      HttpResponse response = CallHandler(job->route);
      lock.lock();
      running.erase(job);
      Finish(*job, std::move(response));
    }
    --threads;
    changed.notify_all();
  }
};

HttpQueue::HttpQueue() : state_(std::make_shared<State>()) {
  for (int i = 0; i < kThreads; ++i) {
    ++state_->threads;
    // Detached, with a share of the state: a handler may hang for ever.
    std::thread([state = state_] { state->Serve(); }).detach();
  }
}

HttpQueue::~HttpQueue() { Stop(std::chrono::milliseconds(0)); }

bool HttpQueue::Push(const std::shared_ptr<Job>& job) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->stopping || state_->waiting.size() >= kLongestQueue) return false;
    state_->waiting.push_back(job);
  }
  state_->changed.notify_one();
  return true;
}

bool HttpQueue::Done(const Job& job) const {
  const std::lock_guard lock(state_->mutex);
  return job.done;
}

void HttpQueue::Stop(std::chrono::milliseconds grace) {
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->changed.notify_all();
  state_->changed.wait_for(lock, grace, [this] { return state_->threads == 0; });
  const HttpResponse late = HttpError(503, "the host is stopping");
  for (const auto& job : state_->waiting) State::Finish(*job, late);
  for (const auto& job : state_->running) State::Finish(*job, late);
  state_->waiting.clear();
}

}  // namespace summa::host

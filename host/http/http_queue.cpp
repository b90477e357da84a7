#include "host/http/http_queue.hpp"

#include <deque>
#include <exception>
#include <map>
#include <new>
#include <set>
#include <system_error>
#include <thread>

#include "host/http/encoding.hpp"
#include "host/observe/log.hpp"
#include "summa/mutex.hpp"

namespace summa::host {
namespace {

// More callers than this, besides those that are handled, are told to come back.
constexpr int kLongestQueue = 32;

HttpResponse Stopping() { return HttpError(503, "SH-0374", "the host is stopping"); }

HttpResponse Unexpected(const HttpRoute& route, const std::string& what) {
  Log(LogLevel::kError, "SH-0332", "a request could not be answered",
      {{"route", RouteName(route.declared)}, {"error", what}});
  return HttpError(500, "SH-0332", "the request could not be answered; the log has the reason");
}

}  // namespace

HttpResponse CallHandler(const HttpRoute& route, HttpCall& call) noexcept {
  try {
    try {
      return route.handler(call);
    } catch (const HttpProblem& problem) {
      return problem.response;
    } catch (const std::exception& exception) {
      return Unexpected(route, exception.what());
    } catch (...) {
      return Unexpected(route, "an exception of an unknown kind");
    }
  } catch (...) {
    return {500};  // not even the text could be made
  }
}

struct HttpQueue::State : std::enable_shared_from_this<State> {
  struct Job {
    std::shared_ptr<const HttpRoute> route;
    std::shared_ptr<HttpCall> call;
  };
  struct Pool {
    ConditionVariable changed;
    std::deque<Job> waiting;
    int threads = 0, idle = 0, taken = 0;
  };

  explicit State(int threads_of_a_pool) : concurrency(threads_of_a_pool) {}

  const int concurrency;
  Mutex mutex;
  ConditionVariable ended;  // a thread
  std::map<std::string, Pool> pools SUMMA_GUARDED_BY(mutex);
  std::set<std::shared_ptr<HttpCall>> running SUMMA_GUARDED_BY(mutex);
  int threads SUMMA_GUARDED_BY(mutex) = 0;
  bool stopping SUMMA_GUARDED_BY(mutex) = false;

  // False: the pool has no thread, and none can be made.
  bool EnsureThread(Pool& pool) SUMMA_REQUIRES(mutex) {
    if (pool.idle >= static_cast<int>(pool.waiting.size()) || pool.threads >= concurrency) {
      return true;
    }
    try {
      // Detached, with a share of the state: a handler may hang forever.
      std::thread([state = shared_from_this(), &pool] { state->Serve(pool); }).detach();
    } catch (const std::system_error&) {
      return pool.threads > 0;
    }
    ++pool.threads;
    ++threads;
    return true;
  }

  void Serve(Pool& pool) {
    MutexLock lock(mutex);
    while (true) {
      ++pool.idle;
      pool.changed.wait(lock,
                        [&]() SUMMA_REQUIRES(mutex) { return stopping || !pool.waiting.empty(); });
      --pool.idle;
      if (pool.waiting.empty()) break;
      const Job job = pool.waiting.front();
      pool.waiting.pop_front();
      running.insert(job.call);
      lock.unlock();
      Handle(job);
      lock.lock();
      running.erase(job.call);
    }
    --threads;
    ended.notify_all();
  }

  static void Handle(const Job& job) {
    if (job.call->answered()) return;  // it waited too long
    HttpResponse response = CallHandler(*job.route, *job.call);
    try {
      Shorten(job.call->request(), job.route->revalidates, response);
    } catch (const std::bad_alloc&) {
      response = {500};
    }
    job.call->Answer(std::move(response));
  }
};

HttpQueue::Place::Place(std::shared_ptr<State> state, std::string pool)
    : state_(std::move(state)), pool_(std::move(pool)) {}

HttpQueue::Place::~Place() {
  const MutexLock lock(state_->mutex);
  --state_->pools[pool_].taken;
}

HttpQueue::HttpQueue(int concurrency) : state_(std::make_shared<State>(concurrency)) {}

HttpQueue::~HttpQueue() { Stop(std::chrono::milliseconds(0)); }

std::unique_ptr<HttpQueue::Place> HttpQueue::Enter(const std::string& pool) {
  const MutexLock lock(state_->mutex);
  int& taken = state_->pools[pool].taken;
  if (taken >= state_->concurrency + kLongestQueue) return nullptr;
  auto place = std::make_unique<Place>(state_, pool);
  ++taken;
  return place;
}

void HttpQueue::Push(std::shared_ptr<const HttpRoute> route,
                     const std::shared_ptr<HttpCall>& call) {
  {
    const MutexLock lock(state_->mutex);
    State::Pool& pool = state_->pools[route->pool];
    pool.waiting.push_back({std::move(route), call});
    if (!state_->stopping && state_->EnsureThread(pool)) {
      pool.changed.notify_one();
      return;
    }
    pool.waiting.pop_back();
  }
  call->Answer(Stopping());
}

void HttpQueue::Stop(std::chrono::milliseconds grace) {
  std::set<std::shared_ptr<HttpCall>> open;
  {
    MutexLock lock(state_->mutex);
    state_->stopping = true;
    for (auto& [name, pool] : state_->pools) pool.changed.notify_all();
    state_->ended.wait_for(lock, grace,
                           [this]() SUMMA_REQUIRES(state_->mutex) { return state_->threads == 0; });
    open = state_->running;
    for (auto& [name, pool] : state_->pools) {
      for (const State::Job& job : pool.waiting) open.insert(job.call);
      pool.waiting.clear();
    }
  }
  for (const auto& call : open) call->Answer(Stopping());
}

}  // namespace summa::host

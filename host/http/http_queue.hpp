// Runs the handlers of routes on threads of their own. Each pool has its threads and its places, so
// that no route takes those of another pool. Thread-safe.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "host/http/router.hpp"

namespace summa::host {

// Calls the handler; an exception becomes its answer.
HttpResponse CallHandler(const HttpRoute& route, HttpCall& call) noexcept;

class HttpQueue {
 private:
  struct State;

 public:
  // concurrency: threads of each pool, made when they are needed.
  explicit HttpQueue(int concurrency);
  ~HttpQueue();  // Stop()

  // A place in a pool, until it is destroyed.
  class Place {
   public:
    Place(std::shared_ptr<State> state, std::string pool);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    const std::shared_ptr<State> state_;
    const std::string pool_;
  };
  // nullptr: all places of the pool are taken.
  std::unique_ptr<Place> Enter(const std::string& pool);

  // Has the call answered by the route. A handler that hangs keeps its share of it.
  void Push(std::shared_ptr<const HttpRoute> route, const std::shared_ptr<HttpCall>& call);
  // Waits for running handlers up to `grace`; everything still open is answered with 503. Threads
  // in handlers that hang are left behind.
  void Stop(std::chrono::milliseconds grace);

 private:
  const std::shared_ptr<State> state_;
};

}  // namespace summa::host

// Runs the handlers of slow routes on threads of their own and wakes the connection when the answer
// is there. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "host/http/http_server.hpp"

namespace summa::host {

// Calls the handler; an exception becomes a 500 and a log line.
HttpResponse CallHandler(const HttpRoute& route) noexcept;
// {"code":...,"message":...}
HttpResponse HttpError(int status, const char* message);

class HttpQueue {
 public:
  // One request: the answer, and how to wake its connection once the answer is there.
  struct Job {
    HttpRoute route;
    std::function<void()> wake;
    HttpResponse response;
    bool done = false;
  };

  HttpQueue();
  ~HttpQueue();  // Stop()

  // False: too many wait already.
  bool Push(const std::shared_ptr<Job>& job);
  // Whether the answer is there; it may be read then.
  bool Done(const Job& job) const;
  // Waits for running handlers up to `grace`; everything still open is answered with 503. Threads
  // in handlers that hang are left behind.
  void Stop(std::chrono::milliseconds grace);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace summa::host

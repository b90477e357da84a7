// One request from its arrival to its answer: shared by the connection that waits, the thread that
// handles it, and whoever gives it up. Thread-safe.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "host/http/http_message.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

class HttpCall {
 public:
  // values: of the parameters in the path, decoded, in their order. wake: the answer is there.
  HttpCall(HttpRequest request, std::vector<std::string> values, std::function<void()> wake = {});
  HttpCall(const HttpCall&) = delete;
  HttpCall& operator=(const HttpCall&) = delete;

  const HttpRequest& request() const { return request_; }
  const std::vector<std::string>& values() const { return values_; }

  // The first answer counts and wakes the connection; later ones are dropped.
  void Answer(HttpResponse response);
  // A handler that sees true works for nobody: the time is over, or the host stops.
  bool answered() const;
  // Of the connection, once it is answered.
  HttpResponse TakeResponse();

  // Called when the call is answered by somebody else while this object lives; at once when it was
  // already. The function must not wait long: others are given up by the same thread.
  class Interrupt {
   public:
    Interrupt(HttpCall& call, std::function<void()> function);
    ~Interrupt();  // waits for the function when it runs
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

   private:
    HttpCall& call_;
  };

 private:
  const HttpRequest request_;
  const std::vector<std::string> values_;
  const std::function<void()> wake_;
  mutable Mutex mutex_;
  bool answered_ SUMMA_GUARDED_BY(mutex_) = false;
  HttpResponse response_ SUMMA_GUARDED_BY(mutex_);
  Mutex interrupt_mutex_;  // held while the function runs
  std::function<void()> interrupt_ SUMMA_GUARDED_BY(interrupt_mutex_);
};

}  // namespace summa::host

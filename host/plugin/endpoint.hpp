// Calls of the routes of one plugin (summa.endpoint/1), and what they answer: foreign code and
// foreign texts. Thread-safe unless said otherwise.
#pragma once

#include <map>

#include "host/http/http_call.hpp"
#include "host/http/parameters.hpp"
#include "host/plugin/instance.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

class PluginEndpoint {
 public:
  // The plugin outlives every call that does not return, so not only this.
  explicit PluginEndpoint(PluginInstance& plugin);

  // A request, for as long as it may use the plugin or what the plugin was given. Throws
  // HttpProblem when the plugin does not run.
  class Running {
   public:
    Running(PluginEndpoint& endpoint, std::string route);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    PluginEndpoint& endpoint_;
    const std::string route_;
  };

  // Calls the handler on this thread, below a Running. longest: after it, whoever asked has been
  // told that it took too long; a call that still runs is named in /readyz. Throws HttpProblem for
  // what the plugin reports.
  HttpResponse Handle(const RouteDeclaration& route, const RouteValues& values, HttpCall& call,
                      const summa_sql_v1* sql, Microseconds longest);

  // [main] No request begins any more. False: one has not returned within `timeout`; the plugin is
  // lost.
  bool Close(Microseconds timeout);

 private:
  PluginInstance& plugin_;
  Mutex mutex_;
  ConditionVariable changed_;
  bool closed_ SUMMA_GUARDED_BY(mutex_) = false;
  std::map<std::string, int> running_ SUMMA_GUARDED_BY(mutex_);  // by the name of the route
};

}  // namespace summa::host

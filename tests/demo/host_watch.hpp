// What the host says of itself, over its own endpoint.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace summa::demo {

struct HttpAnswer {
  int status = 0;  // 0: nobody answered in time
  std::string body;
};
// GET from 127.0.0.1; waits at most a second for each step.
HttpAnswer HttpGet(int port, const std::string& path);

struct WorkerView {
  std::string id, state, holder, last_error;
  std::int64_t fence = 0;
  double lease_seconds = -1;  // what remains; below 0: no lease
};

struct PluginView {
  std::string id, version, state, error;
};

struct HostView {
  std::string state = "does not answer";
  long long delivered = -1;  // as the outbox plugin counts; -1: it does not say
  std::vector<PluginView> plugins;
  std::vector<WorkerView> workers;
};

// Asks /status. Any thread; throws nothing.
HostView WatchHost(int port);

}  // namespace summa::demo

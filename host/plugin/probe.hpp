// Asks a plugin what `/status` and `/readyz` show of it, on a thread of its own: one that hangs or
// throws keeps nobody waiting, and is named. Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/observe/finding.hpp"
#include "host/plugin/call_thread.hpp"
#include "host/plugin/instance.hpp"

namespace summa::host {

struct ProbeView {
  std::string status_json;          // a JSON object, or empty: the plugin says nothing
  std::vector<Finding> failing;     // what does not work, the answering itself included
  std::optional<Microseconds> age;  // of the answer, when the plugin did not give a new one in time
};

class PluginProbe {
 public:
  // The plugin outlives every call that does not return, so not only this.
  explicit PluginProbe(const PluginInstance& plugin);

  // Asks a plugin that has started, unless it is still being asked. Returns at once.
  void Begin();
  // The answer to the call that Begin() made; after `timeout` the last one known.
  ProbeView Wait(Microseconds timeout) const;
  // True: the plugin is not being asked.
  bool WaitUntilIdle(Microseconds time) const { return thread_.WaitUntilIdle(time); }

 private:
  struct Answers;

  const PluginInstance& plugin_;
  const std::shared_ptr<Answers> answers_;
  CallThread thread_;
};

}  // namespace summa::host

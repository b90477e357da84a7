// What a process says of its plugin when its host asks: what a host would know by itself of a
// plugin in its own process. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/application/status.hpp"

namespace summa::host {

struct ProcessView {
  PluginReport plugin;
  std::vector<std::string> workers;  // the JSON of each, as /status shows it
  Readiness readiness;
};

std::string Encode(const ProcessView& view);
// nullopt: it is none. What stands in JSON texts is whole JSON, and everything is valid UTF-8: a
// process whose memory is broken does not break what its host says.
std::optional<ProcessView> DecodeProcessView(std::string_view bytes);

}  // namespace summa::host

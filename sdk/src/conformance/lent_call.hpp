// Calls of verbs and routes and of `doctor`, in memory that ends with the call.
#pragma once

#include <summa/abi/command.h>
#include <summa/abi/endpoint.h>
#include <summa/abi/health.h>

#include <functional>

#include "driver.hpp"

namespace summa::conformance {

// A write() of the ABI: `result` is a std::string.
void AppendText(void* result, summa_str text);

void RunVerb(Driver& plugin, const summa_command_v1& table, const DeclaredVerb& verb);
void HandleRequest(Driver& plugin, const summa_route& route);
Answer Examine(Driver& plugin, const summa_health_v1& table,
               std::function<void(const summa_finding&)> on_finding);

}  // namespace summa::conformance

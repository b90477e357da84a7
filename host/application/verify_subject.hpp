// What `plugins verify` knows of a plugin before it calls it: its file, its manifest in the terms of
// the conformance suite, and its configuration.
#pragma once

#include <optional>
#include <string>
#include <summa/conformance.hpp>
#include <vector>

#include "host/application/settings.hpp"
#include "host/config/schema.hpp"
#include "host/plugin/plugin_file.hpp"

namespace summa::host {

struct VerifySettings {
  std::string file;
  std::string config;                    // the configuration of a host; empty: the defaults
  std::vector<std::string> plugin_dirs;  // --plugin-dir
  Microseconds deadline = std::chrono::seconds(30);
};

// Of the installed plugins, with those beside the file.
Discovery PluginsBeside(const VerifySettings& settings);

// The plugin's part of the configuration. Throws Failures when it is not complete.
Value ConfigurationOf(const Manifest& manifest, const VerifySettings& settings);

// Options and parameters that must be given get the simplest value that their declaration allows.
conformance::Declared DeclaredBy(const Manifest& manifest);

}  // namespace summa::host

// Brings the code of a plugin into the process: the only user of Boost.DLL.
//
// Code is never unloaded: destructors of thread-local objects and of libraries that a plugin
// brought in may run until the process ends. Loading the same file twice gives the same entry.
#pragma once

#include <summa/abi/plugin.h>

#include "host/plugin/plugin_file.hpp"

namespace summa::host {

// Loads a file that InspectPlugin() did not refuse, a sealed one from its memory, and compares the
// descriptor in memory with what was read from the file. Throws Failure: SH-0110 (the file or a library it needs does not load),
// SH-0122 (the descriptor is not what the manifest promised, or the file was replaced since it was
// looked at). The entry lives until the process ends. [main]
const summa_entry& LoadPlugin(const PluginFile& file);

}  // namespace summa::host

// Ctrl-C, SIGTERM and a closed terminal, as something to wait for.
#pragma once

#include <chrono>

namespace summa::demo {

// Takes over SIGINT, SIGTERM and SIGHUP of this process. Once, before any thread starts.
void CatchStopSignals();

// How often somebody asked to stop. Any thread.
int StopRequests();

// Returns after `pause`, or at once when somebody asks to stop meanwhile. Main thread only.
void PauseUnlessStopped(std::chrono::milliseconds pause);

}  // namespace summa::demo

// The end of the log: what a broken process says last is its last line.
#pragma once

namespace summa::host {

// From now on no line is begun; what waits, and what threads that still run log, is lost. A line
// that is being written may still come: LogIdle() says when. Lock-free once something was logged.
void EndLog();

}  // namespace summa::host

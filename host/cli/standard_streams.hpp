// The descriptors 0 to 2, and standard output as a stream (standard error is that of the log).
#pragma once

#include <iosfwd>

namespace summa::host {

// Those that were closed at start are opened on /dev/null, so that no file or socket of ours gets
// their numbers and the texts that go there. Writing to a stdout that was closed stays an error.
// A reader that has gone, and a file that may not grow, are errors of the write as well, not the
// end of the process. Call before anything else in main(); ends the process (70) when it cannot be
// done.
void PrepareStandardStreams();

// Standard output, written at each flush. Waits for its reader, also where the descriptor does not,
// until StopWaitingForReaders(). Fails, as a stream does, when nobody will read it. One thread at a
// time.
std::ostream& OutputStream();

}  // namespace summa::host

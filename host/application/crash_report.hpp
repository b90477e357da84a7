// The last words of a process that crashes, or that a plugin ends: which plugin, which worker or
// function, on the thread that it happened on. A crash in a worker is written to the database as
// well, by a child of the dying process, so that the next host knows of it before it tries.
#pragma once

#include <string>

#include "host/database/session.hpp"

namespace summa::host {

// Signals that say that the process is broken (SIGSEGV, SIGABRT, ...), what nobody catches, and
// exit() by anybody but main(). The process then ends as it would have: by the same signal, with a
// core dump; after exit() with 70. [main] Before other threads are started.
void WatchForCrashes();
// Once more, when plugins are loaded (of a program that watches): what is registered last runs
// first, before destructors that other threads still need. [main]
void WatchForExit();
// main() is about to return.
void ExpectExit();

// Where crashes in workers are written down, as whom (`holder`: of the leases). The texts are kept
// for the end of the process. [main]
void PrepareCrashReport(const DatabaseSettings& ledger, const std::string& host,
                        const std::string& holder);
// What the child does: `summa-host --report-crash`, by nobody else.
inline constexpr const char* kReportCrash = "--report-crash";
int ReportCrash();

}  // namespace summa::host

// What ConfigureLog() set last. Thread-safe; lock-free once something was logged.
#pragma once

#include "host/observe/log.hpp"

namespace summa::host {

LogLevel CurrentLogLevel();
LogFormat CurrentLogFormat();

}  // namespace summa::host

// The clock of the machine.
#pragma once

#include <summa/clock.hpp>

namespace summa::detail {

// CLOCK_BOOTTIME. Lives for ever.
Clock& MachineClock();

}  // namespace summa::detail

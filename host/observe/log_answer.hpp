// Lines that answer a person are written each time, also when they are equal to those of a moment
// ago.
#pragma once

namespace summa::host {

// What was held back is told now, and no line is a repeat of those before. Thread-safe.
void BeginAnswer();

}  // namespace summa::host

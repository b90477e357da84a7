#include "tests/faults/scenario.hpp"

namespace summa::test {

TestedBus BusOfThisProgram() { return OnKafka(); }

}  // namespace summa::test

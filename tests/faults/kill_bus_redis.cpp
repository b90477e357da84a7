#include "tests/faults/scenario.hpp"

namespace summa::test {

TestedBus BusOfThisProgram() { return OnRedis(); }

}  // namespace summa::test

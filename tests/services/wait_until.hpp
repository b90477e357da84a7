// Waiting for a condition, from the test kit of the SDK.
#pragma once

#include <summa/testkit/wait_until.hpp>

namespace summa::test {

using testkit::BecomesTrue;
using testkit::kLongestPollInterval;
using testkit::kShortestPollInterval;
using testkit::kTimeout;
using testkit::WaitUntil;

}  // namespace summa::test

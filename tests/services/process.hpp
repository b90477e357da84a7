// Child processes, from the test kit of the SDK.
#pragma once

#include <summa/testkit/process.hpp>

namespace summa::test {

using testkit::Process;
using testkit::ProcessOptions;
using testkit::RunOrThrow;
using testkit::RunProgram;
using testkit::RunResult;
using testkit::StartTimeOf;
using testkit::Usage;
using testkit::UsageOf;

}  // namespace summa::test

// Directories of private servers, from the test kit of the SDK.
#pragma once

#include "sdk/src/testkit/server_directory.hpp"

namespace summa::test {

using testkit::FreePort;
using testkit::LogTail;
using testkit::RequireMainThread;
using testkit::ServerDirectory;
using testkit::ServerRoot;
using testkit::SweepServerDirectories;

}  // namespace summa::test

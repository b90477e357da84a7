// Ends or freezes the real host at a named place (summa/crash_point.hpp), to show that nothing
// depends on what would have come next:
//
//   summa::testkit::CrashPoints places;
//   HostProgram(configuration, places.Record()).RunOrThrow({"run", "--once"});
//   for (const std::string& place : places.Reached()) {
//     HostProgram crashes(configuration, CrashAt(place));
//     EXPECT_EQ(crashes.Run({"run", "--once"}).exit_code, 128 + SIGKILL);
//     ... and what the next run makes of it
//   }
#pragma once

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <summa/testkit/host_program.hpp>
#include <vector>

namespace summa::testkit {

using Environment = std::map<std::string, std::string>;

// SIGKILL when the host comes there for this time.
inline Environment CrashAt(const std::string& place, int time = 1) {
  return {{"SUMMA_CRASH_AT", place + ":" + std::to_string(time)}};
}
// SIGSTOP instead; the test sends SIGCONT.
inline Environment FreezeAt(const std::string& place, int time = 1) {
  return {{"SUMMA_FREEZE_AT", place + ":" + std::to_string(time)}};
}

// The places that a host comes to.
class CrashPoints {
 public:
  Environment Record() const { return {{"SUMMA_CRASH_RECORD", file_.Path()}}; }
  // Each once, in the order in which they were first reached.
  std::vector<std::string> Reached() const {
    std::ifstream file(file_.Path());
    std::set<std::string> known;
    std::vector<std::string> places;
    for (std::string line; std::getline(file, line);) {
      if (known.insert(line).second) places.push_back(line);
    }
    return places;
  }

 private:
  TemporaryFile file_{"places.txt", ""};
};

}  // namespace summa::testkit

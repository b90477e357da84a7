// The named places of a run, and the places in the sources.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace summa::test {

struct CrashAt {
  std::string name;
  int hit = 1;
  bool at_shutdown = false;  // in the recording it came only once the host was told to stop
};

// "name:hit", the value of SUMMA_CRASH_AT.
std::string Text(const CrashAt& at);
std::string Text(const std::vector<CrashAt>& kills);  // "a:1,b:2"
// From such a text; throws std::runtime_error for anything else.
std::vector<CrashAt> ParseKills(const std::string& text);

// What a host wrote to the file of SUMMA_CRASH_RECORD.
class Recording {
 public:
  Recording() = default;
  explicit Recording(const std::string& path);

  std::set<std::string> Names() const;
  long long Count(const std::string& name) const;
  bool AtShutdown(const std::string& name) const;

  // What remains of it with the points whose names begin so; all of it for no beginnings.
  Recording Of(const std::vector<std::string>& beginnings) const;
  // Each point at its first hit, and the frequent ones at a later hit, too.
  std::vector<CrashAt> Kills() const;
  // Two random points; the same for the same seed as long as the points are the same.
  std::vector<CrashAt> Pair(std::uint64_t seed) const;

 private:
  CrashAt Random(std::uint64_t& state) const;
  CrashAt At(const std::string& name, int hit) const { return {name, hit, AtShutdown(name)}; }

  std::map<std::string, long long> counts_;
  std::set<std::string> running_;  // seen before the host was told to stop
};

// Every CrashPoint("...") in the .cpp and .hpp files below the folders (of the source tree).
std::set<std::string> CrashPointsInSources(const std::vector<std::string>& folders);

}  // namespace summa::test

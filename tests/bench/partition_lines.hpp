// The result of a benchmark of partitions: what is compared, in the unit that its name says.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/report.hpp"

namespace summa::bench {

class Lines {
 public:
  // Of seconds for so many rows.
  void AddRate(const std::string& name, long long rows, const Series& base, const Series& measured,
               const std::string& goal = "");
  void AddTime(const std::string& name, const Series& base, const Series& measured,
               const std::string& goal = "");
  // data: "200,000 events, 12 months".
  void Print(const std::string& postgres_version, const std::string& data, bool json) const;

 private:
  struct Line {
    std::string name;
    double base = 0, measured = 0;
    double ratio = 0;
    std::string goal;
  };
  void PrintJson(const std::string& postgres_version, const std::string& data) const;

  std::vector<Line> lines_;
};

}  // namespace summa::bench

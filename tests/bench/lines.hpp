// The result of a benchmark that compares several things, each in the unit that its name says.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "tests/bench/report.hpp"

namespace summa::bench {

class Lines {
 public:
  // benchmark: as ./dev bench calls it.
  explicit Lines(std::string benchmark) : benchmark_(std::move(benchmark)) {}

  // Of seconds for so many rows.
  void AddRate(const std::string& name, long long rows, const Series& base, const Series& measured,
               const std::string& goal = "");
  void AddTime(const std::string& name, const Series& base, const Series& measured,
               const std::string& goal = "");
  void AddValues(const std::string& name, double base, double measured,
                 const std::string& goal = "");
  // With nothing to compare it with.
  void AddValue(const std::string& name, double measured, const std::string& goal = "");
  // data: "200,000 events, 12 months".
  void Print(const std::string& postgres_version, const std::string& data, bool json) const;

 private:
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  struct Line {
    std::string name;
    double base = kNone, measured = 0;
    double ratio = kNone;
    std::string goal;
  };
  void PrintJson(const std::string& postgres_version, const std::string& data) const;

  const std::string benchmark_;
  std::vector<Line> lines_;
};

}  // namespace summa::bench

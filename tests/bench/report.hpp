// What every benchmark needs to be asked and to answer: options, medians, a table, the machine.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace summa::bench {

// --name value, or a bare --name for those declared with kFlag. --help prints all of them and ends
// the program; anything unknown ends it with exit code 64.
class Options {
 public:
  static constexpr char kFlag[] = "no";
  struct Declared {
    std::string name, standard, help;
  };
  Options(int count, char** words, const std::string& summary, std::vector<Declared> declared);

  long long Number(const std::string& name) const;  // ends the program when it is none
  double Real(const std::string& name) const;
  const std::string& Text(const std::string& name) const { return values_.at(name); }
  bool Given(const std::string& name) const { return values_.at(name) == "yes"; }
  bool Json() const { return values_.at("output") == "json"; }

 private:
  std::map<std::string, std::string> values_;
};

// Measurements of one thing, in the order they were made.
class Series {
 public:
  void Add(double value) { values_.push_back(value); }
  double Median() const { return Quantile(0.5); }
  double Min() const { return Quantile(0); }
  double Max() const { return Quantile(1); }
  // The smallest value that at least this share of all values do not exceed; the median of an even
  // number is the lower of the two.
  double Quantile(double share) const;
  std::size_t Count() const { return values_.size(); }
  const std::vector<double>& values() const { return values_; }
  std::size_t Below(double limit) const;

 private:
  std::vector<double> values_;
};

class Stopwatch {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  }

 private:
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

// "123,456"
std::string Grouped(double number);
std::string Fixed(double number, int digits);

// Columns as wide as their widest cell, the first to the left and the others to the right.
void PrintTable(const std::vector<std::vector<std::string>>& rows);

// Progress, on standard error, so that standard output is the result alone.
void Say(const std::string& text);

// Cores, processor, memory, kernel: one line.
std::string MachineText();

// Runs `body`; prints what it throws and returns 1, else what it returns.
int Guarded(int (*body)(int, char**), int count, char** words);

}  // namespace summa::bench

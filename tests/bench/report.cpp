#include "tests/bench/report.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>

namespace summa::bench {
namespace {

constexpr int kUsageExit = 64;

[[noreturn]] void RefuseUsage(const std::string& text) {
  std::cerr << "error: " << text << " (--help shows the options)\n";
  std::exit(kUsageExit);
}

[[noreturn]] void ShowHelp(const std::string& summary,
                           const std::vector<Options::Declared>& declared) {
  std::cout << summary << "\n\n";
  for (const auto& option : declared) {
    const bool flag = option.standard == Options::kFlag;
    std::cout << "  --" << option.name << (flag ? "" : " VALUE (" + option.standard + ")") << "\n"
              << "      " << option.help << "\n";
  }
  std::exit(0);
}

std::string ProcessorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos)
      return line.substr(colon + 2);
  }
  return "unknown processor";
}

}  // namespace

Options::Options(int count, char** words, const std::string& summary,
                 std::vector<Declared> declared) {
  declared.push_back({"output", "table", "table or json"});
  for (const Declared& option : declared) values_[option.name] = option.standard;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--help" || word == "-h") ShowHelp(summary, declared);
    const std::string name = word.rfind("--", 0) == 0 ? word.substr(2) : std::string();
    const auto found = std::find_if(declared.begin(), declared.end(),
                                    [&](const Declared& option) { return option.name == name; });
    if (found == declared.end()) RefuseUsage("unknown option " + word);
    if (found->standard == kFlag) {
      values_[name] = "yes";
      continue;
    }
    if (i + 1 >= count) RefuseUsage(word + " needs a value");
    values_[name] = words[++i];
  }
  const std::string& output = values_["output"];
  if (output != "table" && output != "json") RefuseUsage("--output is table or json");
}

double Options::Real(const std::string& name) const {
  const std::string& text = values_.at(name);
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(value) || value < 0) {
    RefuseUsage("--" + name + " is a number, not \"" + text + "\"");
  }
  return value;
}

long long Options::Number(const std::string& name) const {
  const double value = Real(name);
  if (value != std::floor(value) || value > 1e15) RefuseUsage("--" + name + " is a whole number");
  return static_cast<long long>(value);
}

double Series::Quantile(double share) const {
  if (values_.empty()) return 0;
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const double place = std::ceil(share * static_cast<double>(sorted.size())) - 1;
  return sorted[static_cast<std::size_t>(std::max(0.0, place))];
}

std::size_t Series::Below(double limit) const {
  return static_cast<std::size_t>(std::count_if(values_.begin(), values_.end(),
                                                [limit](double value) { return value < limit; }));
}

std::string Grouped(double number) {
  std::string digits = std::to_string(std::llround(number));
  const std::size_t first = digits[0] == '-' ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string Fixed(double number, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, number);
  return text;
}

void PrintTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - row[i].size(), ' ');
      line += (i > 0 ? "  " : "") + (i == 0 ? row[i] + padding : padding + row[i]);
    }
    std::cout << line << "\n";
  }
}

void Say(const std::string& text) { std::cerr << "-- " << text << "\n"; }

std::string MachineText() {
  utsname system{};
  uname(&system);
  const double bytes =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  return std::to_string(sysconf(_SC_NPROCESSORS_ONLN)) + " x " + ProcessorName() + ", " +
         Fixed(bytes / (1 << 30), 0) + " GiB, Linux " + system.release;
}

int Guarded(int (*body)(int, char**), int count, char** words) {
  try {
    return body(count, words);
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}

}  // namespace summa::bench

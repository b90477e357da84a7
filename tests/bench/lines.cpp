#include "tests/bench/lines.hpp"

#include <cmath>
#include <iostream>
#include <summa/json.hpp>

namespace summa::bench {
namespace {

std::string Text(double value) {
  if (std::isnan(value)) return "";
  return value < 1000 ? Fixed(value, 3) : Grouped(value);
}

}  // namespace

void Lines::AddRate(const std::string& name, long long rows, const Series& base,
                    const Series& measured, const std::string& goal) {
  const auto count = static_cast<double>(rows);
  AddValues(name, count / base.Median(), count / measured.Median(), goal);
}

void Lines::AddTime(const std::string& name, const Series& base, const Series& measured,
                    const std::string& goal) {
  AddValues(name, base.Median(), measured.Median(), goal);
}

void Lines::AddValues(const std::string& name, double base, double measured,
                      const std::string& goal) {
  lines_.push_back({name, base, measured, measured / base, goal});
}

void Lines::AddValue(const std::string& name, double measured, const std::string& goal) {
  lines_.push_back({name, kNone, measured, kNone, goal});
}

void Lines::Print(const std::string& postgres_version, const std::string& data, bool json) const {
  if (json) return PrintJson(postgres_version, data);
  std::cout << MachineText() << "; PostgreSQL " << postgres_version << "; " << data << "\n\n";
  std::vector<std::vector<std::string>> table = {{"", "base", "measured", "ratio", "goal"}};
  for (const Line& line : lines_) {
    const std::string ratio = std::isnan(line.ratio) ? "" : Fixed(line.ratio, 2);
    table.push_back({line.name, Text(line.base), Text(line.measured), ratio, line.goal});
  }
  PrintTable(table);
}

void Lines::PrintJson(const std::string& postgres_version, const std::string& data) const {
  JsonWriter json;
  json.BeginObject()
      .Member("benchmark", benchmark_)
      .Member("machine", MachineText())
      .Member("postgresql", postgres_version)
      .Member("data", data)
      .Key("measured")
      .BeginArray();
  for (const Line& line : lines_) {
    json.BeginObject().Member("name", line.name);
    if (!std::isnan(line.ratio)) json.Member("base", line.base).Member("ratio", line.ratio);
    json.Member("measured", line.measured).Member("goal", line.goal).EndObject();
  }
  json.EndArray().EndObject();
  std::cout << json.Take() << "\n";
}

}  // namespace summa::bench

#include "tests/bench/partition_lines.hpp"

#include <iostream>
#include <summa/json.hpp>

namespace summa::bench {
namespace {

std::string Text(double value) { return value < 1000 ? Fixed(value, 3) : Grouped(value); }

}  // namespace

void Lines::AddRate(const std::string& name, long long rows, const Series& base,
                    const Series& measured, const std::string& goal) {
  const auto count = static_cast<double>(rows);
  lines_.push_back({name, count / base.Median(), count / measured.Median(),
                    base.Median() / measured.Median(), goal});
}

void Lines::AddTime(const std::string& name, const Series& base, const Series& measured,
                    const std::string& goal) {
  lines_.push_back(
      {name, base.Median(), measured.Median(), measured.Median() / base.Median(), goal});
}

void Lines::Print(const std::string& postgres_version, const std::string& data, bool json) const {
  if (json) return PrintJson(postgres_version, data);
  std::cout << MachineText() << "; PostgreSQL " << postgres_version << "; " << data << "\n\n";
  std::vector<std::vector<std::string>> table = {{"", "base", "measured", "ratio", "goal"}};
  for (const Line& line : lines_) {
    table.push_back(
        {line.name, Text(line.base), Text(line.measured), Fixed(line.ratio, 2), line.goal});
  }
  PrintTable(table);
}

void Lines::PrintJson(const std::string& postgres_version, const std::string& data) const {
  JsonWriter json;
  json.BeginObject()
      .Member("benchmark", "partition")
      .Member("machine", MachineText())
      .Member("postgresql", postgres_version)
      .Member("data", data)
      .Key("measured")
      .BeginArray();
  for (const Line& line : lines_) {
    json.BeginObject()
        .Member("name", line.name)
        .Member("base", line.base)
        .Member("measured", line.measured)
        .Member("ratio", line.ratio)
        .Member("goal", line.goal)
        .EndObject();
  }
  json.EndArray().EndObject();
  std::cout << json.Take() << "\n";
}

}  // namespace summa::bench

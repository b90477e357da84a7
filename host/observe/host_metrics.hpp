// The host's own metrics: names, types, labels and meaning in one table. They are part of the
// contract with dashboards and alerts. Thread-safe.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "host/clock.hpp"
#include "host/observe/metric_declaration.hpp"
#include "host/observe/metrics.hpp"

namespace summa::host {

const std::vector<MetricDeclaration>& HostMetrics();

// The metric of the table with these values of its labels, in their order. One that does nothing
// when something else took the name (a plugin, say): measuring must not stop the work.
MetricHandle& HostMetric(std::string_view name,
                         std::initializer_list<std::string_view> values = {});
void SetHostMetric(std::string_view name, double value,
                   std::initializer_list<std::string_view> values = {});

// A failure that PostgreSQL or its connection reported. sqlstate empty: the connection.
void CountDatabaseError(std::string_view sqlstate);

// Of this process, read from /proc: CPU, memory, descriptors, start. For a scrape.
void SetProcessMetrics();

}  // namespace summa::host

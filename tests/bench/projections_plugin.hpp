// The plugin projections without a host around it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <summa/testkit/fake_host.hpp>
#include <vector>

#include "engine/catalog.hpp"
#include "engine/runner.hpp"
#include "engine/settings.hpp"
#include "host/abi/operation_service.hpp"
#include "host/abi/sql_service.hpp"
#include "host/database/session.hpp"

namespace summa::bench {

host::DatabaseSettings BenchDatabase(const std::string& url);
// The steps of the plugin, in a ledger.
void InstallProjections(const std::string& url);

class ProjectionsPlugin {
 public:
  // read_models: ids; none: all.
  explicit ProjectionsPlugin(const std::string& url, std::vector<std::string> read_models = {});

  // Until there is nothing left. Stored events.
  std::int64_t Apply();
  void Rebuild(const std::string& projection, long long sessions);
  const projections::Catalog& catalog() const { return catalog_; }
  static int batch_size() { return projections::Settings().batch_size; }

 private:
  projections::Settings settings_;
  std::vector<std::unique_ptr<Projection>> built_in_;
  projections::Catalog catalog_;
  host::SqlService sql_;
  testkit::FakeHost fake_;
  testkit::FakeTick tick_;
  host::OperationService service_;
  std::unique_ptr<projections::Runner> runner_;
};

}  // namespace summa::bench

// The operation that makes a read model anew beside the one that is read: loads the history in
// parts, follows the store, is compared with the ledger, and takes the place of the other.
//
//   (none)     the position up to which the history is decided is found; tables are made
//   loading    parts of the history are applied, several at a time
//   indexing
//   following  the worker of the projections applies what is new, until it is where readers are
//   verifying  against the ledger
//   swapping   readers see it; the earlier build goes on beside it, for the way back
#pragma once

#include <string>
#include <summa/host.hpp>
#include <summa/operation.hpp>
#include <vector>

#include "engine/catalog.hpp"
#include "engine/settings.hpp"

namespace summa::projections {

inline constexpr const char* kRebuildKind = "projection-rebuild";

// Starts a rebuild for the version of this host, unless one was started before: when that has not
// ended well, a person decides. Readers see the earlier version meanwhile.
void StartNewVersion(Host host, const summa_sql_v1* sql, const summa_projection& projection);

class Rebuild {
 public:
  // The catalog outlives it.
  Rebuild(Host host, Settings settings, const Catalog& catalog)
      : host_(host), settings_(std::move(settings)), catalog_(catalog) {}
  OperationBinding Binding();

 private:
  using Progress = std::optional<OperationProgress>;
  struct Arguments {
    std::string projection;
    int sessions = 2;
    bool swap = true;
  };

  Progress Step(OperationStep& step);
  Progress Begin(OperationStep& step, const Arguments& arguments);
  void CreateNext(Session& read, const Arguments& arguments, std::int64_t through);
  Progress Load(OperationStep& step, const Arguments& arguments);
  Progress Index(OperationStep& step, const Arguments& arguments);
  Progress Follow(OperationStep& step, const Arguments& arguments);
  Progress Compare(OperationStep& step, const Arguments& arguments);
  Progress Swap(OperationStep& step, const Arguments& arguments);
  void Undo(OperationStep& step);
  static Arguments Parse(std::string_view json);
  Build Next(Session& read, const std::string& projection) const;

  Host host_;
  Settings settings_;
  const Catalog& catalog_;
};

}  // namespace summa::projections

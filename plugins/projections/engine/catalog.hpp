// The projections of this host, of this plugin and of others.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/applier.hpp"
#include "engine/build.hpp"

namespace summa::projections {

// The projections outlive it. Filled before the workers run; then constant, for any thread.
class Catalog {
 public:
  // Throws SH-0562 when another one has the same id.
  void Add(const summa_projection& projection, OnError on_error) {
    const std::string id(FromAbi(projection.id));
    if (appliers_.emplace(id, Applier(projection, on_error)).second) return;
    throw Error(SUMMA_E_CONFIG, "SH-0562", "two plugins have a projection " + id,
                "Disable one of them");
  }
  void Clear() { appliers_.clear(); }

  const std::map<std::string, Applier, std::less<>>& all() const { return appliers_; }
  // nullptr: none has this id.
  const Applier* Find(std::string_view id) const {
    const auto found = appliers_.find(id);
    return found == appliers_.end() ? nullptr : &found->second;
  }
  // For the tables of this build; nullptr: they are those of another version.
  const Applier* For(const Build& build) const {
    const Applier* applier = Find(build.projection);
    return applier != nullptr && applier->projection().version == build.version ? applier : nullptr;
  }

 private:
  std::map<std::string, Applier, std::less<>> appliers_;
};

}  // namespace summa::projections

// The projections of this host, of this plugin and of others.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/applier.hpp"
#include "engine/build.hpp"

namespace summa::projections {

// The projections outlive it. Constant after it was made; any thread.
class Catalog {
 public:
  Catalog(const std::vector<const summa_projection*>& projections, OnError on_error) {
    for (const summa_projection* projection : projections) {
      appliers_.emplace(std::string(FromAbi(projection->id)), Applier(*projection, on_error));
    }
  }

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

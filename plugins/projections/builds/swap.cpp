#include "builds/swap.hpp"

#include <summa/crash_point.hpp>

#include "engine/build_tables.hpp"
#include "engine/progress_table.hpp"

namespace summa::projections {
namespace {

// Readers wait behind us at most this long.
constexpr const char* kShortWait = "SET LOCAL lock_timeout = '100ms'";
constexpr std::string_view kLockNotAvailable = "55P03";

void SetRole(Session& read, const Build& build, const std::string& role) {
  read.Exec(
      "UPDATE summa_read.projection_checkpoint SET role = $3, role_since = clock_timestamp() WHERE "
      "projection = $1 AND build = $2",
      {build.projection, std::int32_t{build.number}, role});
}

// The roles of a projection are unique, so one after the other.
void Exchange(Session& read, const std::vector<Build>& builds, const Build& live,
              const Build& other) {
  const Build* old = FindRole(builds, live.projection, "old");
  if (other.role == "old") {
    // The build that is being made, if any, gives the name of its role for a moment.
    const Build* next = FindRole(builds, live.projection, "next");
    if (next != nullptr) DropBuild(read, *next);
    SetRole(read, other, "next");
  } else if (old != nullptr) {
    DropBuild(read, *old);
  }
  SetRole(read, live, "old");
  SetRole(read, other, "live");
}

}  // namespace

std::string TrySwap(Session& read, const Catalog& catalog, const std::string& projection,
                    const std::string& from) {
  try {
    read.Begin();
    read.Exec(kShortWait);
    // Nobody makes progress until this transaction has ended.
    read.Exec("SELECT FROM summa_read.projection_checkpoint WHERE projection = $1 FOR UPDATE",
              {projection});
    const std::vector<Build> builds = ReadBuilds(read);
    const Build* live = FindRole(builds, projection, "live");
    const Build* other = FindRole(builds, projection, from);
    if (live == nullptr || other == nullptr) {
      throw Error(SUMMA_E_NOT_FOUND, "SH-0557",
                  "the projection " + projection + " has no build that could be shown instead",
                  "`summa-host projections rebuild " + projection + "` makes one");
    }
    // One that has failed, or of a version that no host has any more, stands still.
    const bool moves = catalog.For(*live) != nullptr && live->state != "failed";
    const bool same = live->checkpoint.position == other->checkpoint.position &&
                      live->checkpoint.HolesText() == other->checkpoint.HolesText();
    const bool beyond = other->checkpoint.HasAllOf(live->checkpoint);
    if (moves ? !same : !beyond) {
      read.Rollback();
      return "the build " + std::to_string(other->number) + " is at position " +
             std::to_string(other->checkpoint.position) + ", and readers see position " +
             std::to_string(live->checkpoint.position);
    }
    ShowBuild(read, catalog.Find(projection)->projection(), other->number);
    Exchange(read, builds, *live, *other);
    CrashPoint("projections.swap");
    read.Commit();
    CrashPoint("projections.swapped");
    return "";
  } catch (const Error& error) {
    if (error.sqlstate() != kLockNotAvailable) throw;
    read.Rollback();
    return "somebody reads or writes at this moment: " + std::string(error.what());
  }
}

}  // namespace summa::projections

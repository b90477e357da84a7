// The verbs `partitions ..`. Each is a function over what all of them need.
#pragma once

#include <summa/command.hpp>
#include <summa/health.hpp>
#include <summa/host.hpp>

#include "manager/settings.hpp"

namespace summa::maintenance {

// Borrowed from the plugin for one call.
struct PartitionContext {
  Host host;
  const ManagerSettings& settings;
};

CommandResult ListPartitions(const CommandCall& call, const PartitionContext& context);
CommandResult ShowPartitionPlan(const CommandCall& call, const PartitionContext& context);
CommandResult AdvisePartitions(const CommandCall& call, const PartitionContext& context);
// Under the lease of partition-manager; with --dry-run they only show what they would do.
CommandResult CreatePartitions(const CommandCall& call, const PartitionContext& context);
CommandResult DrainPartitions(const CommandCall& call, const PartitionContext& context);
CommandResult DetachPartitions(const CommandCall& call, const PartitionContext& context);
CommandResult AttachPartition(const CommandCall& call, const PartitionContext& context);

// For `doctor`; reads only.
void ExaminePartitions(const Examination& examination, const PartitionContext& context);

}  // namespace summa::maintenance

#include <summa/json.hpp>

#include "commands.hpp"
#include "reconciliation.hpp"

namespace summa::reconciliation {

CommandResult RunReconcile(const CommandCall& call, const CommandContext& context) {
  Work work(context.host, call, call.IntegerOption("max-rate").value_or(context.settings.max_rate));
  const bool rate_given = call.IntegerOption("max-rate").has_value();
  const Reconciled result = Reconcile(call.sql(), work, context.settings, rate_given);
  const SummaResult summa = ToSumma(result.run);
  const std::string status = result.run.Status();
  JsonWriter json;
  json.BeginObject()
      .Member("resultId", result.finished.result_id)
      .Member("run_date", result.finished.run_date)
      .Member("status", status)
      .Member("total_mismatches", result.run.Mismatches())
      .Key("step0_result")
      .Raw(summa.step0)
      .Key("step0b_result")
      .Raw(summa.step0b)
      .Key("step0c_result")
      .Raw(summa.step0c)
      .Key("step1_result")
      .Raw(summa.step1)
      .Key("step2_result")
      .Raw(summa.step2)
      .Key("step3_result")
      .Raw(summa.step3)
      .Member("duration_ms", result.finished.duration_ms)
      .Key("mismatches")
      .Raw(summa.mismatches)
      .EndObject();
  return {json.Take(), status != "healthy"};
}

}  // namespace summa::reconciliation

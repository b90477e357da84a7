// Copies the ledger's entries into history.entry (id uuid primary key, account_id uuid, amount
// bigint), which must exist when the plugin is installed. It may take days, on hosts that start and
// stop: each row is copied once.
#include <summa/plugin.hpp>

#include <algorithm>

namespace history {
namespace {

class HistoryPlugin final : public summa::Plugin {
 public:
  explicit HistoryPlugin(summa::Host host)
      : Plugin(host),
        worker_(host, {{"backfill", [this](summa::OperationStep& step) { return Copy(step); },
                        &HistoryPlugin::Undo}}) {}

  void Configure(const summa::Config& config) override { batch_ = config.Integer("batch"); }
  std::vector<summa::WorkerBinding> Workers() override { return {{"history-backfill", &worker_}}; }
  std::vector<summa::CommandBinding> Commands() override {
    return {{"history backfill", [this](const summa::CommandCall& call) { return Begin(call); }}};
  }

 private:
  // One batch: the rows and the cursor are committed together, or neither is.
  std::optional<summa::OperationProgress> Copy(summa::OperationStep& step) const {
    summa::Session& session = step.Transaction();
    const std::int64_t rows = std::min(step.rows_wanted(), batch_);
    const summa::KeyBatch batch =
        summa::NextKeys(session, "entry_record", "id", summa::CursorOf(step), rows);
    if (batch.rows == 0) return summa::OperationProgress{.finished = true};
    std::vector<summa::Parameter> parameters;
    batch.AddTo(parameters);
    session.Exec(
        "INSERT INTO history.entry (id, account_id, amount) SELECT id, account_id, amount FROM "
        "entry_record WHERE " +
            batch.Where("id"),
        parameters);
    return summa::OperationProgress{.cursor = batch.through, .rows = batch.rows};
  }

  // An incomplete history is useless: what an aborted backfill has copied is deleted.
  static void Undo(summa::OperationStep& step) {
    step.Transaction().Exec("DELETE FROM history.entry");
  }

  // The verb only writes to the journal; a running host does the work.
  summa::CommandResult Begin(const summa::CommandCall& call) const {
    summa::OperationRequest request;
    request.kind = "backfill";
    request.rate = call.IntegerOption("rate").value_or(0);
    request.single = true;
    request.total =
        summa::Session(call.sql()).Exec("SELECT count(*) FROM entry_record").Value<std::int64_t>();
    const std::int64_t id = summa::StartOperation(host(), call.sql(), request);
    summa::OperationView view = summa::ReadOperation(host(), call.sql(), id);
    if (!call.Flag("detach")) view = summa::FollowOperation(host(), call, id);
    summa::JsonWriter json;
    json.BeginObject().Member("operation", std::to_string(id)).Member("rows", view.done);
    json.Member("finished", view.state == summa::OperationState::kDone).EndObject();
    return {json.Take(), false};
  }

  std::int64_t batch_ = 0;
  summa::OperationWorker worker_;
};

}  // namespace
}  // namespace history

SUMMA_PLUGIN(history::HistoryPlugin)

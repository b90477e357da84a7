#include "host/abi/operation_service.hpp"

#include <algorithm>
#include <cstring>

#include "host/abi/abi_text.hpp"
#include "host/abi/foreign_text.hpp"
#include "host/abi/plugin_call.hpp"
#include "host/operation/operation_run.hpp"

namespace summa::host {
namespace {

constexpr std::size_t kMaxArgumentBytes = 64 * 1024;  // a few names and numbers

summa_operation_view ViewOf(const JournalRow& row) {
  summa_operation_view view{};
  view.state = row.state;
  view.id = row.id;
  view.done = row.done;
  view.total = row.total;
  view.rate = row.rate;
  view.rows_per_second = row.speed;
  summa::detail::CopyText(view.phase, row.phase);
  summa::detail::CopyText(view.error, row.error);
  return view;
}

// A smaller struct of the caller is filled as far as it goes.
void Fill(summa_operation_view* view, summa_operation_view full) {
  if (view == nullptr || view->struct_size <= sizeof view->struct_size) {
    throw summa::Error(SUMMA_E_USAGE, "", "the given view of an operation is null or too small",
                       "set struct_size to sizeof(summa_operation_view)");
  }
  full.struct_size = view->struct_size;
  std::memcpy(view, &full, std::min<std::size_t>(sizeof full, view->struct_size));
}

summa::Error NotAnOperation(const std::string& plugin, std::int64_t id) {
  return {SUMMA_E_NOT_FOUND, "SH-0382",
          "plugin \"" + plugin + "\" has no operation " + std::to_string(id),
          "`summa-host operations list --all` lists the existing ones."};
}

// What a step reports is not trusted to be text that a database takes.
std::int32_t CallStep(const summa_operation_run& run, std::string_view plugin,
                      const OperationKind& kind, const summa_operation_step* step,
                      summa_error* error) {
  const CallAnswer answer =
      CallPlugin(plugin, "a step of operation " + kind.kind, kind.worker,
                 [&](summa_error* said) { return run.step(run.self, step, said); });
  const summa_error& said = answer.error;
  if (answer.thrown) {
    return summa::detail::Fill(
        error, SUMMA_E_INTERNAL, "SH-0322",
        "an exception left a step" + CleanText(*answer.thrown, sizeof said.message),
        "it is a defect of the plugin");
  }
  if (answer.status == SUMMA_OK) return SUMMA_OK;
  std::string message = CleanField(said.message);
  if (message.empty()) message = "status " + std::to_string(answer.status) + " and no message";
  return summa::detail::Fill(error, CleanStatus(answer.status), CleanCode(said.code), message,
                             CleanField(said.hint), CleanField(said.sqlstate));
}

}  // namespace

OperationService::OperationService(std::string plugin, std::vector<OperationKind> kinds,
                                   std::string host, std::string requester, const Clock& clock)
    : plugin_(std::move(plugin)),
      kinds_(std::move(kinds)),
      host_(std::move(host)),
      requester_(std::move(requester)),
      clock_(clock) {
  table_.struct_size = sizeof table_;
  table_.self = this;
  table_.start = &OperationService::Start;
  table_.run = &OperationService::Run;
  table_.look = &OperationService::Read;
}

const OperationKind& OperationService::Find(std::string_view kind) const {
  const auto found = std::find_if(kinds_.begin(), kinds_.end(),
                                  [&](const OperationKind& each) { return each.kind == kind; });
  if (found != kinds_.end()) return *found;
  throw summa::Error(SUMMA_E_INTERNAL, "SH-0387",
                     "the manifest of plugin \"" + plugin_ + "\" has no kind of operations \"" +
                         std::string(kind) + "\"",
                     "This is a defect of the plugin: declare the kind under operations.");
}

std::int32_t OperationService::Start(void* self, const summa_sql_v1* sql,
                                     const summa_operation_request* request, std::int64_t* id,
                                     summa_error* error) noexcept {
  return summa::detail::Guard(error, [&] {
    const auto& service = *static_cast<OperationService*>(self);
    const OperationKind& kind = service.Find(View(request->kind));
    const std::string arguments = Copy(request->arguments);
    const std::optional<std::string> problem = arguments.empty() ? std::nullopt
                                               : arguments.size() > kMaxArgumentBytes
                                                   ? "they have more than 65,536 bytes"
                                                   : ProblemOfObject(arguments);
    if (problem) {
      throw summa::Error(SUMMA_E_USAGE, "SH-0388",
                         "the arguments of an operation of kind " + kind.kind + ": " + *problem,
                         "Give one JSON object.");
    }
    *id = Journal(sql, service.plugin_, kind, service.host_)
              .Start(arguments, request->total, request->rate, request->flags, service.requester_);
    return SUMMA_OK;
  });
}

std::int32_t OperationService::Run(void* self, const summa_operation_run* run,
                                   summa_operation_view* view, std::int64_t* rows,
                                   summa_error* error) noexcept {
  return summa::detail::Guard(error, [&] {
    const auto& service = *static_cast<OperationService*>(self);
    const OperationKind& kind = service.Find(View(run->kind));
    OperationCall call;
    call.id = run->id;
    call.sql = run->sql;
    call.limit = Microseconds(run->limit_microseconds);
    call.should_stop = [run] { return run->should_stop(run->self) != 0; };
    call.wait = [run](Microseconds time) { return run->wait(run->self, time.count()) != 0; };
    call.step = [&](const summa_operation_step* step, summa_error* said) {
      return CallStep(*run, service.plugin_, kind, step, said);
    };
    OperationRun work(service.plugin_, kind, service.host_, service.clock_, call);
    const std::optional<JournalRow> last = work.Run();
    if (!last && run->id != 0) throw NotAnOperation(service.plugin_, run->id);
    if (rows != nullptr) *rows = work.rows();
    Fill(view, last ? ViewOf(*last) : summa_operation_view{});
    return SUMMA_OK;
  });
}

std::int32_t OperationService::Read(void* self, const summa_sql_v1* sql, std::int64_t id,
                                    summa_operation_view* view, summa_error* error) noexcept {
  return summa::detail::Guard(error, [&] {
    const auto& service = *static_cast<OperationService*>(self);
    for (const OperationKind& kind : service.kinds_) {
      const std::optional<JournalRow> row =
          Journal(sql, service.plugin_, kind, service.host_).Read(id);
      if (!row) continue;
      Fill(view, ViewOf(*row));
      return SUMMA_OK;
    }
    throw NotAnOperation(service.plugin_, id);
  });
}

}  // namespace summa::host

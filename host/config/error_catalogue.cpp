// The catalogue behind `summa-host explain`, from errors/*.yaml inside the program.
#include <stdexcept>

#include "host/config/document.hpp"
#include "host/error.hpp"
#include "host/find.hpp"
#include "host_errors.hpp"

namespace summa::host {
namespace {

void Read(std::string_view text, const std::string& file, std::vector<CodeDescription>& codes) {
  Diagnostics diagnostics;
  const Node root = ParseDocument(text, file, diagnostics);
  const Node* errors = root.Find("errors");
  if (!diagnostics.empty() || errors == nullptr) {
    throw std::logic_error(diagnostics.empty() ? file + ": the key errors is missing"
                                               : ToText(diagnostics.front()));
  }
  for (const Node& entry : errors->items) {
    const auto field = [&](std::string_view name) {
      const Node* value = entry.Find(name);
      if (value != nullptr && value->kind == Node::Kind::kScalar) return value->text;
      throw std::logic_error(file + ":" + std::to_string(entry.where.line) + ": the field " +
                             std::string(name) + " is missing");
    };
    codes.push_back({field("code"), field("title"), std::stoi(field("exit")), field("explanation"),
                     field("fix")});
  }
}

}  // namespace

// A broken catalogue is a defect of the build; a test reads it.
const std::vector<CodeDescription>& HostCodes() {
  static const auto& codes = *new std::vector<CodeDescription>([] {
    std::vector<CodeDescription> all;
    Read(embedded::plugin_errors, "errors/plugins.yaml", all);
    Read(embedded::configuration_errors, "errors/configuration.yaml", all);
    Read(embedded::worker_errors, "errors/workers.yaml", all);
    Read(embedded::operation_errors, "errors/operations.yaml", all);
    Read(embedded::database_errors, "errors/database.yaml", all);
    Read(embedded::bus_errors, "errors/bus.yaml", all);
    Read(embedded::ledger_errors, "errors/ledger.yaml", all);
    Read(embedded::general_errors, "errors/general.yaml", all);
    return all;
  }());
  return codes;
}

std::optional<CodeDescription> FindHostCode(std::string_view code) {
  const CodeDescription* found = FindNamed(HostCodes(), &CodeDescription::code, code);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

std::int32_t KindOf(const Error& error) {
  if (error.kind != SUMMA_OK) return error.kind;
  const std::optional<CodeDescription> description = FindHostCode(error.code);
  return description ? description->exit_code : SUMMA_E_INTERNAL;
}

int ExitCode(const Error& error) {
  const std::int32_t kind = KindOf(error);
  return kind == SUMMA_E_FENCED || kind == SUMMA_E_CANCELLED ? SUMMA_E_TRY_LATER : kind;
}

}  // namespace summa::host

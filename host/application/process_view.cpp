#include "host/application/process_view.hpp"

#include <charconv>
#include <system_error>

#include "host/abi/foreign_text.hpp"
#include "host/process/message.hpp"

namespace summa::host {
namespace {

// Takes texts in the order in which they were put.
class Parts {
 public:
  explicit Parts(std::vector<std::string> parts) : parts_(std::move(parts)) {}

  std::string Text() {
    if (next_ >= parts_.size()) {
      ok_ = false;
      return {};
    }
    return AsUtf8(parts_[next_++]);
  }
  std::int64_t Number() {
    const std::string text = Text();
    std::int64_t number = 0;
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    if (read.ec != std::errc() || read.ptr != end || number < 0) ok_ = false;
    return number;
  }
  // One whole object, or nothing where that may be.
  std::string Object(bool may_be_empty) {
    std::string text = Text();
    if (!(may_be_empty && text.empty()) && ProblemOfObject(text)) ok_ = false;
    return text;
  }
  // How many follow; no more than there are texts.
  std::size_t Count() {
    const std::int64_t count = Number();
    if (!ok_ || static_cast<std::uint64_t>(count) > parts_.size()) {
      ok_ = false;
      return 0;
    }
    return static_cast<std::size_t>(count);
  }
  bool ok() const { return ok_; }
  bool at_end() const { return next_ == parts_.size(); }

 private:
  const std::vector<std::string> parts_;
  std::size_t next_ = 0;
  bool ok_ = true;
};

void Put(std::vector<std::string>& parts, const std::vector<FailingItem>& items) {
  parts.push_back(std::to_string(items.size()));
  for (const FailingItem& item : items) {
    parts.insert(parts.end(), {item.what, item.why, item.fix, item.plugin});
  }
}

std::vector<FailingItem> TakeItems(Parts& parts) {
  std::vector<FailingItem> items;
  const std::size_t count = parts.Count();
  for (std::size_t i = 0; i < count && parts.ok(); ++i) {
    FailingItem& item = items.emplace_back();
    item.what = parts.Text();
    item.why = parts.Text();
    item.fix = parts.Text();
    item.plugin = parts.Text();
  }
  return items;
}

}  // namespace

std::string Encode(const ProcessView& view) {
  const PluginReport& plugin = view.plugin;
  const Error error = plugin.error.value_or(Error{});
  std::vector<std::string> parts = {
      plugin.id,
      plugin.version,
      plugin.state,
      plugin.error ? "1" : "0",
      error.code,
      error.message,
      error.hint,
      error.where,
      plugin.details_json,
      plugin.details_age ? "1" : "0",
      std::to_string(plugin.details_age.value_or(Microseconds(0)).count()),
      std::to_string(view.workers.size())};
  parts.insert(parts.end(), view.workers.begin(), view.workers.end());
  Put(parts, view.readiness.failing);
  Put(parts, view.readiness.warnings);
  return EncodeParts(parts);
}

std::optional<ProcessView> DecodeProcessView(std::string_view bytes) {
  std::optional<std::vector<std::string>> texts = DecodeParts(bytes);
  if (!texts) return std::nullopt;
  Parts parts(*std::move(texts));
  ProcessView view;
  view.plugin.id = parts.Text();
  view.plugin.version = parts.Text();
  view.plugin.state = parts.Text();
  const bool failed = parts.Text() == "1";
  Error error;
  error.code = parts.Text();
  error.message = parts.Text();
  error.hint = parts.Text();
  error.where = parts.Text();
  if (failed) view.plugin.error = std::move(error);
  view.plugin.details_json = parts.Object(true);
  const bool aged = parts.Text() == "1";
  const Microseconds age(parts.Number());
  if (aged) view.plugin.details_age = age;
  const std::size_t workers = parts.Count();
  for (std::size_t i = 0; i < workers && parts.ok(); ++i) {
    view.workers.push_back(parts.Object(false));
  }
  view.readiness.failing = TakeItems(parts);
  view.readiness.warnings = TakeItems(parts);
  if (!parts.ok() || !parts.at_end()) return std::nullopt;
  return view;
}

}  // namespace summa::host

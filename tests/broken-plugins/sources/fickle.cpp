// Misbehaves in the way that its configuration names.
#include <summa/plugin.hpp>

#include <chrono>
#include <stdexcept>
#include <thread>

namespace {

void Hang() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

class FickleWorker final : public summa::Worker {
 public:
  explicit FickleWorker(const std::string& how) : how_(how) {}
  summa::TickResult Run(const summa::Tick& tick) override {
    static_cast<void>(tick);
    return {1, false, std::nullopt};
  }

 private:
  const std::string& how_;
};

class Fickle final : public summa::Plugin {
 public:
  explicit Fickle(summa::Host host) : Plugin(host) {}
  ~Fickle() override {
    if (how_ == "destroy-hangs") Hang();
  }
  void Configure(const summa::Config& config) override {
    how_ = config.String("how");
    if (how_ == "configure-hangs") Hang();
  }
  void Start() override {
    if (how_ == "start-hangs") Hang();
  }
  void Stop() override {
    if (how_ == "stop-hangs") Hang();
  }
  std::string Status() override {
    if (how_ == "status-hangs") Hang();
    if (how_ == "status-throws") throw std::runtime_error("no status today");
    if (how_ == "status-cut-off") return R"({"pending":)";
    if (how_ == "status-array") return "[1,2]";
    if (how_ == "status-two-objects") return "{}{}";
    if (how_ == "status-latin1") return "{\"name\":\"caf\xE9\"}";
    if (how_ == "status-megabytes") return "{\"x\":\"" + std::string(5'000'000, 'x') + "\"}";
    return R"({"mood":"fine"})";
  }
  std::vector<summa::Finding> Failing() override {
    if (how_ == "failing-hangs") Hang();
    if (how_ == "failing-throws") throw std::runtime_error("cannot tell");
    if (how_ == "failing-throws-a-number") throw 7;
    return {};
  }
  void Examine(const summa::Examination& examination) override {
    examination.Report({summa::Severity::kOk, "mood", "fine", "", ""});
    if (how_ == "examine-hangs") Hang();
    if (how_ == "examine-throws") throw std::runtime_error("cannot look");
  }
  std::vector<summa::WorkerBinding> Workers() override { return {{"fickle-worker", &worker_}}; }
  std::vector<summa::CommandBinding> Commands() override {
    return {{"fickle do", [this](const summa::CommandCall& call) { return Do(call); }}};
  }

 private:
  summa::CommandResult Do(const summa::CommandCall& call) {
    call.Progress("doing", 1);
    if (how_ == "verb-hangs") Hang();
    if (how_ == "verb-throws") throw std::runtime_error("cannot do it");
    if (how_ == "verb-nothing") return {"", false};
    if (how_ == "verb-words") return {"done", false};
    if (how_ == "verb-two-objects") return {"{}{}", false};
    if (how_ == "verb-array") return {"[{}]", false};
    if (how_ == "verb-latin1") return {"{\"name\":\"caf\xE9\"}", false};
    if (how_ == "verb-forges") return {R"({"done":1,"ok":true,"code":"XY-0001"})", false};
    if (how_ == "verb-emits-rubbish") {
      call.Emit(R"({"row":1})");
      call.Emit("row 2");
      call.Emit("{\"row\":3}\n{\"row\":4}");
    }
    return {R"({"done":1})", false};
  }

  std::string how_ = "well";
  FickleWorker worker_{how_};
};

}  // namespace

SUMMA_PLUGIN(Fickle)

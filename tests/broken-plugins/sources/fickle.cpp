// Misbehaves in the way that its configuration names.
#include <summa/plugin.hpp>

#include <chrono>
#include <limits>
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
    if (how_ == "worker-fails-in-latin1") {
      throw summa::Error(SUMMA_E_DATA, "no code\n", "caf\xE9 \x1b[2J is\nclosed");
    }
    if (how_ == "worker-fails-at-length") {
      throw summa::Error(SUMMA_E_DATA, "", std::string(511, 'x') + "\xE2\x82\xAC");
    }
    if (how_ == "worker-throws-latin1") throw std::runtime_error("caf\xE9");
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
    if (how_ == "start-hangs") HangAloud("start");
    if (how_ == "log-latin1") {
      host().Warn("bad\ncode", "caf\xE9\nis closed", {{"ts", "\xFF"}, {"a b\n", "x\ny\x1b"}});
    }
    if (how_ == "metrics") UseMetrics();
    // The pauses between six attempts are longer than the start_timeout of the test, 5 s.
    if (how_ == "start-finds-no-database" && ++starts_ < 6) {
      throw summa::Error(SUMMA_E_UNAVAILABLE, "SH-0402", "the connection was lost");
    }
    if (how_ == "start-finds-no-service") {
      throw summa::Error(SUMMA_E_UNAVAILABLE, "XY-0001", "the service is away");
    }
    if (how_ == "start-is-wrong") throw summa::Error(SUMMA_E_CONFIG, "XY-0002", "a wrong key");
  }
  void Activate() override {
    if (how_ == "activate-hangs") HangAloud("activate");
    if (how_ == "activate-throws") throw std::runtime_error("cannot begin");
  }
  void Deactivate() override {
    if (how_ == "deactivate-hangs") Hang();
  }
  std::vector<std::string> Reload(const summa::Config& config) override {
    const std::string secret = config.String("secret");
    if (secret == "hangs") Hang();
    if (secret == "throws") throw std::runtime_error("cannot use it");
    if (secret == "forges") return {"secret", "how", "sec", "", "\xE9\n"};
    return {"secret"};
  }
  void Stop() override {
    if (how_ == "stop-hangs") Hang();
  }
  std::string StatusJson() override {
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
  // A test can tell that the call has begun.
  void HangAloud(const char* call) {
    host().Info("hangs", {{"call", call}});
    Hang();
  }
  void UseMetrics() {
    host()
        .Counter("summa_worker_runs_total", "h", {{"worker", "good-worker"}, {"outcome", "ok"}})
        .Add(1e6);
    host().Gauge("summa_lease_fence", "h", {{"worker", "good-worker"}}).Set(-1);
    host().Counter("summa_undeclared_total", "h").Add(1);
    host().Gauge("summa_fickle_total", "h", {{"what", "gauge"}}).Set(1);
    host().Counter("summa_fickle_total", "h", {{"who", "me"}}).Add(1);
    const summa::Metric counter = host().Counter(
        "summa_fickle_total", "one\n# TYPE forged counter\nforged 1", {{"what", "a\"b\n\xE9"}});
    counter.Add(5);
    counter.Add(-3);
    counter.Add(std::numeric_limits<double>::quiet_NaN());
    counter.Add(std::numeric_limits<double>::infinity());
    host()
        .Gauge("summa_fickle_level", "h", {{"what", "x"}})
        .Set(std::numeric_limits<double>::infinity());
  }
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
  int starts_ = 0;
  FickleWorker worker_{how_};
};

}  // namespace

SUMMA_PLUGIN(Fickle)

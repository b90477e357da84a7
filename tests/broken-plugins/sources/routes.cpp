// Serves paths that behave, hang, fail and answer rubbish.
#include <summa/plugin.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace {

class Paths final : public summa::Plugin {
 public:
  explicit Paths(summa::Host host) : Plugin(host) {}
  void Configure(const summa::Config& config) override { how_ = config.String("how"); }
  void Activate() override {
    if (how_ == "activate-throws") throw std::runtime_error("cannot begin");
  }
  // Whoever looks sees that it is called while a request runs.
  std::vector<std::string> Reload(const summa::Config&) override { return {"how"}; }

  std::vector<summa::RouteBinding> Routes() override {
    return {
        {"GET", "/v1/test/hello/{name}", Hello},
        {"POST", "/v1/test/echo",
         [](const summa::Request& request) {
           return summa::Response{std::string(request.body()), 201,
                                  request.Header("content-type").value_or("text/plain")};
         }},
        {"GET", "/v1/test/open", [this](const summa::Request& request) { return Open(request); }},
        {"GET", "/v1/test/waits", [this](const summa::Request& request) { return Wait(request); }},
        {"POST", "/v1/test/release",
         [this](const summa::Request&) {
           const std::lock_guard lock(mutex_);
           released_ = true;
           changed_.notify_all();
           return summa::Response{};
         }},
        {"GET", "/v1/test/hangs",
         [](const summa::Request&) -> summa::Response {
           for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
         }},
        {"GET", "/v1/test/fails", Fail},
        {"GET", "/v1/test/rubbish", BadAnswer},
    };
  }

 private:
  static summa::Response Hello(const summa::Request& request) {
    summa::JsonWriter json;
    json.BeginObject().Member("name", *request.Parameter("name"));
    json.Member("times", *request.IntegerParameter("times"));
    if (const auto after = request.IntegerParameter("after")) json.Member("after", *after);
    return {json.EndObject().Take()};
  }

  summa::Response Open(const summa::Request& request) {
    summa::JsonWriter json;
    const std::lock_guard lock(mutex_);
    json.BeginObject().Member("waiting", waiting_);
    json.Member("seesToken", request.Header("authorization").has_value());
    return {json.EndObject().Take()};
  }

  summa::Response Wait(const summa::Request& request) {
    std::unique_lock lock(mutex_);
    ++waiting_;
    while (!released_) {
      if (request.ShouldStop()) throw summa::Error(SUMMA_E_CANCELLED, "", "nobody waits");
      changed_.wait_for(lock, std::chrono::milliseconds(10));
    }
    return {"{\"released\":true}"};
  }

  static summa::Response Fail(const summa::Request& request) {
    const std::string how = *request.Parameter("how");
    if (how == "not-found") throw summa::Error(SUMMA_E_NOT_FOUND, "XY-0404", "no such greeting");
    if (how == "away") throw summa::Error(SUMMA_E_UNAVAILABLE, "XY-0503", "server secret is away");
    if (how == "defect") throw summa::Error(SUMMA_E_INTERNAL, "XY-0500", "the secret defect");
    if (how == "exception") throw std::runtime_error("the secret exception");
    throw 7;
  }

  static summa::Response BadAnswer(const summa::Request& request) {
    const std::string how = *request.Parameter("how");
    if (how == "status") return {"{}", 99};
    if (how == "header") return {"{}", 200, "text/html\r\nSet-Cookie: forged=1"};
    return {"{}", 200, "text/plain", "\"\r\nSet-Cookie: forged=1\""};
  }

  std::string how_ = "well";
  std::mutex mutex_;
  std::condition_variable changed_;
  bool released_ = false;
  int waiting_ = 0;  // since the start
};

}  // namespace

SUMMA_PLUGIN(Paths)

// A worker that writes down that its lease is lost, in a session that nobody fences.
#include <summa/plugin.hpp>

namespace {

class Writer final : public summa::Worker {
 public:
  explicit Writer(const summa::Host& host) : host_(host) {}
  summa::TickResult Run(const summa::Tick& tick) override {
    try {
      summa::Session session(tick.sql());
      session.Begin();
      session.Exec("UPDATE example.page SET number = number + 1");
      session.Commit();
    } catch (const summa::Error& error) {
      if (error.status() != SUMMA_E_FENCED) throw;
      summa::Session session(host_.sql());
      session.Begin();
      session.Exec("INSERT INTO example.lost (at) VALUES (now())");
      session.Commit();
    }
    return {1, false, std::nullopt};
  }

 private:
  const summa::Host& host_;
};

class WritesUnfenced final : public summa::Plugin {
 public:
  explicit WritesUnfenced(summa::Host given) : Plugin(given) {}
  std::vector<summa::WorkerBinding> Workers() override {
    return {{"writes-unfenced-worker", &writer_}};
  }

 private:
  Writer writer_{host()};
};

}  // namespace

SUMMA_PLUGIN(WritesUnfenced)

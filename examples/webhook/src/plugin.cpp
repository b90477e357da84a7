// Sends the ledger's events to HTTP endpoints: what the host sees of it.
#include <summa/plugin.hpp>

#include <memory>

#include "cleanup.hpp"
#include "intake.hpp"
#include "sender.hpp"
#include "verbs.hpp"

namespace webhook {
namespace {

class WebhookPlugin final : public summa::Plugin {
 public:
  explicit WebhookPlugin(summa::Host host) : Plugin(host) {}

  void Configure(const summa::Config& config) override {
    settings_ = ReadSettings(config);
    settings_.http.user_agent =
        "summa-webhook/0.1 (summa-host " + std::string(host().version()) + ")";
    intake_ = std::make_unique<Intake>(host(), settings_.topics);
    sender_ = std::make_unique<Sender>(host(), settings_);
    cleanup_ = std::make_unique<Cleanup>(host(), settings_.retention, settings_.dead_retention);
  }
  void Start() override { sender_->OpenClient(); }
  std::vector<summa::WorkerBinding> Workers() override {
    return {{"webhook-intake", intake_.get()},
            {"webhook-sender", sender_.get()},
            {"webhook-cleanup", cleanup_.get()}};
  }
  std::vector<summa::CommandBinding> Commands() override { return Verbs(host(), settings_); }
  std::vector<summa::Finding> Failing() override {
    std::vector<summa::Finding> findings = intake_->Failing();
    for (summa::Finding& each : sender_->Failing()) findings.push_back(std::move(each));
    return findings;
  }
  std::string StatusJson() override { return sender_->StatusJson(); }

 private:
  Settings settings_;
  std::unique_ptr<Intake> intake_;
  std::unique_ptr<Sender> sender_;
  std::unique_ptr<Cleanup> cleanup_;
};

}  // namespace
}  // namespace webhook

SUMMA_PLUGIN(webhook::WebhookPlugin)

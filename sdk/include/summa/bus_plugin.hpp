// What every plugin that is a bus needs around its Bus: metrics, log lines and what /readyz shows.
// Link Summa::bus_plugin. Every bus has the metrics without declaring them
// (host/plugin/bus-metrics.yaml); they carry the label `bus`.
//
//   class MyBusPlugin final : public summa::Plugin {
//     ...
//     void Start() override { reporter_.Begin(); }
//     std::vector<summa::Finding> Failing() override { return reporter_.Failing(); }
//     summa::BusReporter reporter_{host(), {"my-bus", "MyServer", "MB-0001", "start MyServer"}};
//   };
//
// See also <summa/bus_envelope.hpp> for the fields of a message, and <summa/stop_signal.hpp> to end
// waits.
#pragma once

#include <summa/bus.hpp>
#include <summa/health.hpp>
#include <summa/host.hpp>
#include <summa/reachability.hpp>

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace summa {

// The result of one poll.
struct BusPoll {
  std::size_t delivered = 0;
  std::size_t redelivered = 0;  // of delivered: delivered before
  // Deleted from the stream while this reader still had to handle them: how many, and the places of
  // the first and the last.
  std::size_t lost = 0;
  std::string_view first_lost = {}, last_lost = {};
};

// Any thread, several at the same time, after Begin() was called.
class BusReporter {
 public:
  BusReporter(Host host, BusServer server);

  void Begin();  // [main] when the services of the host are available: in Plugin::Start()

  // A use of the connection for this purpose ("publish", "subscribe", ...) to this server.
  void Up(std::string_view purpose, const std::string& address);
  void Down(std::string_view purpose, const std::string& address, const std::string& reason);
  // It is not needed any more.
  void Retired(std::string_view purpose, const std::string& address);

  // Also counts the dead letters that consumers publish on a bus that keeps none itself.
  void Published(std::span<const summa_bus_message> messages,
                 std::span<const summa_bus_receipt> receipts, std::chrono::duration<double> took);
  void Polled(std::string_view stream, std::string_view group, const BusPoll& poll);
  void DeadLettered(std::string_view stream, std::string_view group);
  // what: "reading" or "settling"; an empty error: it works.
  void Reader(std::string_view stream, std::string_view group, std::string_view what,
              const std::string& error);
  // The progress of a group: report it from time to time, for example in the worker that trims.
  void Lag(const summa_bus_group& group);

  std::vector<Finding> Failing() const { return reachability_.Failing(host_.BootNow()); }

 private:
  using Label = std::pair<std::string_view, std::string_view>;
  Label BusLabel() const { return {"bus", server_.bus}; }
  void CountLetter(const summa_bus_message& message);
  void CountConnection(bool up, std::string_view purpose);
  void ShowConnected(bool up, std::string_view purpose);

  const Host host_;
  const BusServer server_;
  Metric confirmed_, refused_, stream_fault_, unsent_, bytes_, duration_, connected_;
  Reachability reachability_;
};

}  // namespace summa
